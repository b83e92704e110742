/* See profile.h. */
#include "engine/profile.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* An item that was ignored so often is hardly shown any more; more would only take longer to fade.
 * Someone who asks again at once has seen a little of the list; the rest halves with each LOOK_MS
 * that they take. */
static const float TIMES_MOST = 8, TIMES_LEAST = 0.01f;
static const double AT_ONCE = 0.05, LOOK_MS = 20000;

void profile_done(struct profile *p)
{
    mem_free(p->event);
    mem_free(p->seen);
    mem_free(p->folded);
    mem_free(p->shown);
    memset(p, 0, sizeof *p);
}

/* Makes room for `need`; by half as much again, since most profiles stop growing. */
static int grow(void *block_pointer, size_t *cap, size_t need, size_t size)
{
    void **block = block_pointer;
    if (need <= *cap)
        return 0;
    size_t want = *cap + *cap / 2 + 4;
    want = want < need ? need : want;
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

static uint32_t in_seconds(int64_t time_ms)
{
    return time_ms < 0 ? 0 : time_ms / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(time_ms / 1000);
}

/* The fold with how often and when, which is not kept. */
static enum pal_status fold_had(const struct profile *p, size_t most, struct arena *tmp,
                                struct history *out, struct pal_error *err)
{
    size_t n = p->count < most ? p->count : most;
    const struct kept *e = n ? p->event + (p->count - n) : NULL;
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    uint32_t *time_s = arena_alloc(tmp, n, sizeof *time_s);
    float *weight = arena_alloc(tmp, n, sizeof *weight);
    if (!item || !time_s || !weight)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        item[i] = e[i].item;
        weight[i] = e[i].weight;
        time_s[i] = in_seconds(e[i].time_ms);
    }
    const struct history_events in = {.item = item, .weight = weight, .n = n, .time_s = time_s};
    return history_make(&in, tmp, out, err);
}

/* The fold as it is kept, made if need be. */
static enum pal_status fold_kept(struct profile *p, size_t most, struct arena *tmp,
                                 struct history *out, struct pal_error *err)
{
    size_t n = p->dirty ? p->count : p->folded_count;
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    float *weight = arena_alloc(tmp, n, sizeof *weight);
    if (!item || !weight)
        return pal_no_memory(err);
    if (p->dirty) {
        enum pal_status st = fold(p, most, tmp, item, weight, &n, err);
        if (st != PAL_OK)
            return st;
    } else if (n) {
        memcpy(item, p->folded, n * sizeof *item);
        memcpy(weight, p->folded + p->folded_cap, n * sizeof *weight);
    }
    *out = (struct history){.n = n, .item = item, .weight = weight};
    return PAL_OK;
}

enum pal_status profile_read(struct profile *p, size_t most, bool had, struct arena *tmp,
                             struct history *history, const uint32_t **seen, size_t *seen_count,
                             struct pal_error *err)
{
    uint32_t *copy = arena_alloc(tmp, p->seen_count, sizeof *copy);
    enum pal_status st = !copy ? pal_no_memory(err)
                         : had ? fold_had(p, most, tmp, history, err)
                               : fold_kept(p, most, tmp, history, err);
    if (st != PAL_OK)
        return st;
    if (p->seen_count)
        memcpy(copy, p->seen, p->seen_count * sizeof *copy);
    if (p->count && p->event[p->count - 1].time_ms > 0)
        history->last_s = (uint32_t)(p->event[p->count - 1].time_ms / 1000);
    *seen = copy;
    *seen_count = p->seen_count;
    return PAL_OK;
}

/* ---- What was shown ---- */

static double age_ms(const struct shown *x, int64_t now_ms)
{
    int64_t then = (int64_t)x->time_s * 1000;
    return now_ms > then ? (double)(now_ms - then) : 0;
}

/* How often it was ignored, as of now. */
static float faded(const struct shown *x, int64_t now_ms, const struct ignoring *how)
{
    if (!(x->times > 0) || how->half_life_ms <= 0)
        return x->times;
    return x->times * exp2f(-(float)(age_ms(x, now_ms) / how->half_life_ms));
}

/* How far the last list was looked at by now, and passed over: see profile_serve. */
static float passed_over(const struct profile *p, int64_t now_ms)
{
    double ms = now_ms > p->shown_ms ? (double)now_ms - (double)p->shown_ms : 0;
    double acted = p->last_whole ? 1 - (double)p->last / p->last_whole : 0;
    return (float)(1 - (1 - AT_ONCE) * exp2(-ms / LOOK_MS) * (1 - acted));
}

static struct shown remove_shown(struct profile *p, size_t at)
{
    struct shown x = p->shown[at];
    p->shown_count--;
    memmove(p->shown + at, p->shown + at + 1, (p->shown_count - at) * sizeof x);
    return x;
}

static size_t find_shown(const struct profile *p, uint32_t item)
{
    size_t at = 0;
    while (at < p->shown_count && p->shown[at].item != item)
        at++;
    return at;
}

void profile_act(struct profile *p, uint32_t item)
{
    size_t at = find_shown(p, item);
    if (at == p->shown_count)
        return;
    if (at >= p->shown_count - p->last)
        p->last--;
    remove_shown(p, at);
}

/* The last list was ignored. */
static size_t count_last(struct profile *p, int64_t now_ms, const struct ignoring *how,
                         uint32_t *ignored, float amount)
{
    size_t count = p->last;
    for (size_t i = 0; i < count; i++) {
        struct shown *x = &p->shown[p->shown_count - count + i];
        float times = faded(x, now_ms, how) + amount;
        x->times = times < TIMES_MOST ? times : TIMES_MOST;
        x->time_s = in_seconds(now_ms);
        ignored[i] = x->item;
    }
    p->last = p->last_whole = 0;
    return count;
}

size_t profile_serve(struct profile *p, const uint32_t *items, size_t n, int64_t now_ms,
                     const struct ignoring *how, uint32_t *ignored, float *amount)
{
    *amount = passed_over(p, now_ms);
    size_t count = count_last(p, now_ms, how, ignored, *amount);
    n = n < SERVED_MOST ? n : SERVED_MOST;
    if (grow(&p->shown, &p->shown_cap, p->shown_count + n, sizeof *p->shown))
        n = 0; /* this list is then never counted as ignored */
    for (size_t i = 0; i < n; i++) {
        size_t at = find_shown(p, items[i]);
        struct shown x = {.item = items[i], .time_s = in_seconds(now_ms)};
        if (at < p->shown_count)
            x = remove_shown(p, at);
        p->shown[p->shown_count++] = x;
    }
    if (p->shown_count > how->most) {
        size_t drop = p->shown_count - how->most;
        p->shown_count = how->most;
        memmove(p->shown, p->shown + drop, how->most * sizeof *p->shown);
    }
    p->last = p->last_whole = (uint8_t)n;
    p->shown_ms = now_ms;
    return count;
}

enum pal_status profile_ignored(const struct profile *p, int64_t now_ms, const struct ignoring *how,
                                struct arena *tmp, const uint32_t **item, const float **times,
                                size_t *count, struct pal_error *err)
{
    size_t n = p->shown_count, kept = 0;
    uint32_t *items = arena_alloc(tmp, n, sizeof *items);
    float *often = arena_alloc(tmp, n, sizeof *often), amount = passed_over(p, now_ms);
    if (!items || !often)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct shown *x = &p->shown[i];
        float t = faded(x, now_ms, how) + (i + p->last >= n ? amount : 0);
        items[kept] = x->item;
        often[kept] = t < TIMES_MOST ? t : TIMES_MOST;
        kept += t > TIMES_LEAST;
    }
    *item = items;
    *times = often;
    *count = kept;
    return PAL_OK;
}

size_t profile_bytes(const struct profile *p)
{
    return p->cap * sizeof *p->event + p->seen_cap * sizeof *p->seen +
           2 * p->folded_cap * sizeof *p->folded + p->shown_cap * sizeof *p->shown;
}
