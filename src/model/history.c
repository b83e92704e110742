/* Histories: what events are worth, and several events with one item folded into one. */
#include "model/model.h"
#include "model/worth.h"

#include <math.h>
#include <string.h>

/* The bounds of all rules, ascending, each once; a rule that does not concern a type gives it a
 * step of height zero, which harms nobody. */
static size_t sorted_bounds(const struct weights *rules, float bound[WEIGHT_RULES + 1])
{
    size_t n = 1;
    bound[0] = -INFINITY;
    for (size_t r = 0; r < rules->count; r++) {
        float x = rules->rules[r].at_least;
        size_t i = n;
        while (i > 0 && bound[i - 1] > x)
            i--;
        if (i > 0 && bound[i - 1] == x)
            continue;
        memmove(bound + i + 1, bound + i, (n - i) * sizeof *bound);
        bound[i] = x;
        n++;
    }
    return n;
}

void worth_init(struct worth *w, const struct weights *rules, const struct event_types *types)
{
    for (size_t t = 0; t < EVENT_TYPES; t++) {
        /* interactions without a type column are all of type 0, named or not */
        const char *name = t < types->count ? types->name[t] : "";
        w->type[t].count = sorted_bounds(rules, w->type[t].bound);
        for (size_t i = 0; i < w->type[t].count; i++)
            w->type[t].weight[i] = weights_of(rules, name, w->type[t].bound[i]);
    }
}

void worth_of_range(const struct worth *w, const struct interactions *x, uint64_t begin, size_t n,
                    float *weight)
{
    for (size_t i = 0; i < n; i++)
        weight[i] = worth_of(w, interactions_type(x, begin + i), interactions_value(x, begin + i));
}

/* What the fold knows of one item. */
struct seen {
    uint32_t item, last; /* number of its last event */
    float weight;
};

/* The entry of an item, made if it is new. slot (mask + 1) holds numbers of entries + 1. */
static uint32_t entry_of(uint32_t item, uint32_t *slot, uint32_t mask, struct seen *seen,
                         uint32_t *count)
{
    uint32_t i = (item * 2654435769u) >> 7 & mask;
    while (slot[i] && seen[slot[i] - 1].item != item)
        i = (i + 1) & mask;
    if (!slot[i]) {
        seen[*count] = (struct seen){.item = item};
        slot[i] = ++*count;
    }
    return slot[i] - 1;
}

enum pal_status history_fold(const uint32_t *items, const float *weights, size_t n,
                             struct arena *tmp, uint32_t *item, float *weight, size_t *count,
                             struct pal_error *err)
{
    if (n >= INT32_MAX)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "a history of %zu events is too long: leave out the oldest, %d are allowed",
                        n, INT32_MAX - 1);
    uint32_t size = 16, entries = 0;
    while (size < 2 * n)
        size *= 2;
    uint32_t *slot = arena_zero(tmp, size, sizeof *slot);
    uint32_t *entry = arena_alloc(tmp, n, sizeof *entry);
    struct seen *seen = arena_alloc(tmp, n, sizeof *seen);
    if (!slot || !entry || !seen)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (weights[i] == 0)
            continue;
        entry[i] = entry_of(items[i], slot, size - 1, seen, &entries);
        struct seen *s = &seen[entry[i]];
        bool same_sign = (s->weight > 0) == (weights[i] > 0);
        s->weight = same_sign ? s->weight + weights[i] : weights[i];
        s->last = (uint32_t)i;
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (weights[i] != 0 && seen[entry[i]].last == i) {
            item[kept] = items[i];
            weight[kept++] = seen[entry[i]].weight;
        }
    *count = kept;
    return PAL_OK;
}

enum pal_status history_of(const struct interactions *x, const struct event_types *types,
                           const struct weights *w, uint32_t user, struct arena *tmp,
                           struct history *out, struct pal_error *err)
{
    uint64_t begin = x->start[user];
    size_t n = (size_t)(x->start[user + 1] - begin), count;
    struct worth *worth = arena_alloc(tmp, 1, sizeof *worth);
    float *each = arena_alloc(tmp, n, sizeof *each), *weight = arena_alloc(tmp, n, sizeof *weight);
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    if (!worth || !each || !weight || !item)
        return pal_no_memory(err);
    worth_init(worth, w, types);
    worth_of_range(worth, x, begin, n, each);
    enum pal_status st = history_fold(x->item + begin, each, n, tmp, item, weight, &count, err);
    if (st == PAL_OK)
        *out = (struct history){.n = count, .item = item, .weight = weight};
    return st;
}
