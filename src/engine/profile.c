/* See profile.h. */
#include "engine/profile.h"

#include "base/mem.h"

#include <string.h>

void profile_done(struct profile *p)
{
    mem_free(p->event);
    mem_free(p->seen);
    mem_free(p->folded);
    mem_free(p->served);
    memset(p, 0, sizeof *p);
}

/* Makes room for one more; by half as much again, since most profiles stop growing. */
static int grow(void *block_pointer, size_t *cap, size_t need, size_t size)
{
    void **block = block_pointer;
    if (need <= *cap)
        return 0;
    size_t want = *cap + *cap / 2 + 4;
    void *bigger = mem_resize(*block, want, size);
    if (!bigger)
        return -1;
    *block = bigger;
    *cap = want;
    return 0;
}

enum pal_status profile_add(struct profile *p, uint64_t seq, const struct profile_event *e,
                            struct pal_error *err)
{
    if (grow(&p->event, &p->cap, p->count + 1, sizeof *p->event))
        return pal_no_memory(err);
    size_t at = p->count;
    while (at > 0 && p->event[at - 1].time_ms > e->time_ms)
        at--;
    memmove(p->event + at + 1, p->event + at, (p->count - at) * sizeof *p->event);
    p->event[at] = (struct kept){
        .seq = seq, .marks = e->marks, .time_ms = e->time_ms, .item = e->item, .weight = e->weight};
    p->count++;
    p->dirty = true;
    return PAL_OK;
}

enum pal_status profile_see(struct profile *p, uint32_t item, size_t most, struct pal_error *err)
{
    for (size_t i = p->seen_count; i-- > 0;)
        if (p->seen[i] == item)
            return PAL_OK;
    return profile_see_new(p, item, most, err);
}

enum pal_status profile_see_new(struct profile *p, uint32_t item, size_t most,
                                struct pal_error *err)
{
    if (most == 0)
        return PAL_OK;
    if (p->seen_count >= most) {
        size_t drop = most / 4 + 1 + (p->seen_count - most);
        p->seen_count -= drop;
        memmove(p->seen, p->seen + drop, p->seen_count * sizeof *p->seen);
    }
    if (grow(&p->seen, &p->seen_cap, p->seen_count + 1, sizeof *p->seen))
        return pal_no_memory(err);
    p->seen[p->seen_count++] = item;
    return PAL_OK;
}

void profile_trim(struct profile *p, size_t most, uint64_t drained)
{
    if (p->count <= most || p->count < p->trim_at)
        return;
    size_t drop = p->count - most, kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (drop && p->event[i].seq <= drained)
            drop--;
        else
            p->event[kept++] = p->event[i];
    }
    p->count = kept;
    p->trim_at = kept + kept / 4 + 16;
    p->dirty = true;
}

void profile_shrink(struct profile *p, uint64_t drained)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->event[i].seq > drained)
            p->event[kept++] = p->event[i];
    struct profile small = {.event = p->event, .count = kept, .cap = p->cap, .dirty = true};
    if (kept == 0) {
        mem_free(small.event);
        small.event = NULL;
        small.cap = 0;
    } else if (kept < p->cap) {
        void *less = mem_resize(small.event, kept, sizeof *small.event);
        if (less) {
            small.event = less;
            small.cap = kept;
        }
    }
    p->event = NULL;
    profile_done(p);
    *p = small;
}

/* Folds the events into items and weights (room for n each) and remembers the outcome. */
static enum pal_status fold(struct profile *p, size_t most, struct arena *tmp, uint32_t *item,
                            float *weight, size_t *count, struct pal_error *err)
{
    size_t n = p->count < most ? p->count : most;
    const struct kept *e = n ? p->event + (p->count - n) : NULL;
    uint32_t *items = arena_alloc(tmp, n, sizeof *items);
    float *weights = arena_alloc(tmp, n, sizeof *weights);
    if (!items || !weights)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        items[i] = e[i].item;
        weights[i] = e[i].weight;
    }
    enum pal_status st = history_fold(items, weights, n, tmp, item, weight, count, err);
    if (st != PAL_OK)
        return st;
    if (p->folded_cap < *count) {
        size_t cap = *count + *count / 4;
        uint32_t *bigger = mem_alloc(2 * cap, sizeof *bigger);
        if (!bigger)
            return pal_no_memory(err);
        mem_free(p->folded);
        p->folded = bigger;
        p->folded_cap = cap;
    }
    if (*count) {
        memcpy(p->folded, item, *count * sizeof *item);
        memcpy(p->folded + p->folded_cap, weight, *count * sizeof *weight);
    }
    p->folded_count = *count;
    p->dirty = false;
    return PAL_OK;
}

enum pal_status profile_read(struct profile *p, size_t most, struct arena *tmp,
                             struct history *history, const uint32_t **seen, size_t *seen_count,
                             struct pal_error *err)
{
    size_t n = p->dirty ? p->count : p->folded_count;
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    float *weight = arena_alloc(tmp, n, sizeof *weight);
    uint32_t *copy = arena_alloc(tmp, p->seen_count, sizeof *copy);
    if (!item || !weight || !copy)
        return pal_no_memory(err);
    if (p->dirty) {
        enum pal_status st = fold(p, most, tmp, item, weight, &n, err);
        if (st != PAL_OK)
            return st;
    } else if (n) {
        memcpy(item, p->folded, n * sizeof *item);
        memcpy(weight, p->folded + p->folded_cap, n * sizeof *weight);
    }
    if (p->seen_count)
        memcpy(copy, p->seen, p->seen_count * sizeof *copy);
    *history = (struct history){.n = n, .item = item, .weight = weight};
    *seen = copy;
    *seen_count = p->seen_count;
    return PAL_OK;
}

void profile_act(struct profile *p, uint32_t item)
{
    for (size_t i = 0; i < p->served_count; i++)
        if (p->served[i] == item)
            p->acted[i / 64] |= UINT64_C(1) << i % 64;
}

size_t profile_serve(struct profile *p, const uint32_t *items, size_t n, uint32_t *ignored)
{
    size_t count = 0;
    for (size_t i = 0; i < p->served_count; i++)
        if (!(p->acted[i / 64] >> i % 64 & 1))
            ignored[count++] = p->served[i];
    n = n < SERVED_MOST ? n : SERVED_MOST;
    if (n > p->served_count) {
        uint32_t *room = mem_resize(p->served, n, sizeof *room);
        if (!room)
            n = p->served_count; /* the rest of the list is then never counted as ignored */
        else
            p->served = room;
    }
    if (n)
        memcpy(p->served, items, n * sizeof *items);
    p->served_count = (uint8_t)n;
    p->acted[0] = p->acted[1] = 0;
    return count;
}

size_t profile_bytes(const struct profile *p)
{
    return p->cap * sizeof *p->event + p->seen_cap * sizeof *p->seen +
           2 * p->folded_cap * sizeof *p->folded + p->served_count * sizeof *p->served;
}
