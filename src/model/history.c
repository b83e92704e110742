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
    size_t t = 0, named = types->count < EVENT_TYPES ? types->count : EVENT_TYPES;
    for (; t < EVENT_TYPES && t <= named; t++) {
        /* interactions without a type column are all of type 0, named or not */
        const char *name = t < named ? types->name[t] : "";
        w->type[t].count = sorted_bounds(rules, w->type[t].bound);
        for (size_t i = 0; i < w->type[t].count; i++)
            w->type[t].weight[i] = weights_of(rules, name, w->type[t].bound[i]);
    }
    for (; t < EVENT_TYPES; t++)
        w->type[t] = w->type[named]; /* no name is like another */
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
    float weight, rating;
    struct had had;
};

struct fold { /* (events' n) room for what remains */
    uint32_t *item;
    float *weight, *rating; /* rating NULL = not wanted */
    struct had *had;        /* NULL = not wanted */
};

/* Where an item's entry, or the place for it, is. slot (mask + 1) holds numbers of entries + 1. */
static uint32_t slot_of(uint32_t item, const uint32_t *slot, uint32_t mask, const struct seen *seen)
{
    uint32_t i = (item * 2654435769u) >> 7 & mask;
    while (slot[i] && seen[slot[i] - 1].item != item)
        i = (i + 1) & mask;
    return i;
}

/* The entry of an item, made if it is new. */
static uint32_t entry_of(uint32_t item, uint32_t *slot, uint32_t mask, struct seen *seen,
                         uint32_t *count)
{
    uint32_t i = slot_of(item, slot, mask, seen);
    if (!slot[i]) {
        seen[*count] = (struct seen){.item = item, .rating = NAN};
        slot[i] = ++*count;
    }
    return slot[i] - 1;
}

static void count_had(struct had *had, uint32_t time_s)
{
    if (!had->times++ || time_s < had->first_s)
        had->first_s = time_s;
    had->last_s = time_s > had->last_s ? time_s : had->last_s;
}

static enum pal_status fold(const struct history_events *in, struct arena *tmp,
                            const struct fold *out, size_t *count, struct pal_error *err)
{
    size_t n = in->n;
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
        if (in->weight[i] == 0)
            continue;
        entry[i] = entry_of(in->item[i], slot, size - 1, seen, &entries);
        struct seen *s = &seen[entry[i]];
        bool same_sign = (s->weight > 0) == (in->weight[i] > 0);
        s->weight = same_sign ? s->weight + in->weight[i] : in->weight[i];
        s->last = (uint32_t)i;
        if (in->time_s)
            count_had(&s->had, in->time_s[i]);
    }
    for (size_t i = 0; in->rating && i < n; i++) {
        uint32_t at = slot[slot_of(in->item[i], slot, size - 1, seen)];
        if (at && !isnan(in->rating[i]))
            seen[at - 1].rating = in->rating[i];
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (in->weight[i] != 0 && seen[entry[i]].last == i) {
            out->item[kept] = in->item[i];
            if (out->rating)
                out->rating[kept] = seen[entry[i]].rating;
            if (out->had)
                out->had[kept] = seen[entry[i]].had;
            out->weight[kept++] = seen[entry[i]].weight;
        }
    *count = kept;
    return PAL_OK;
}

enum pal_status history_fold(const uint32_t *items, const float *weights, size_t n,
                             struct arena *tmp, uint32_t *item, float *weight, size_t *count,
                             struct pal_error *err)
{
    struct history_events in = {.item = items, .weight = weights, .n = n};
    struct fold out = {.item = item, .weight = weight};
    return fold(&in, tmp, &out, count, err);
}

/* The values of those events that are ratings, NAN for others; NULL without the type. *failed when
 * memory is out. */
static const float *ratings_among(const struct interactions *x, const struct event_types *types,
                                  uint64_t begin, size_t n, struct arena *tmp, bool *failed)
{
    int type = event_type_rating(types);
    float *rating = type < 0 ? NULL : arena_alloc(tmp, n, sizeof *rating);
    *failed = type >= 0 && !rating;
    for (size_t i = 0; rating && i < n; i++)
        rating[i] =
            interactions_type(x, begin + i) == type ? interactions_value(x, begin + i) : NAN;
    return rating;
}

enum pal_status history_make(const struct history_events *in, struct arena *tmp,
                             struct history *out, struct pal_error *err)
{
    struct fold to = {.item = arena_alloc(tmp, in->n, sizeof *to.item),
                      .weight = arena_alloc(tmp, in->n, sizeof *to.weight),
                      .rating = in->rating ? arena_alloc(tmp, in->n, sizeof *to.rating) : NULL,
                      .had = in->time_s ? arena_alloc(tmp, in->n, sizeof *to.had) : NULL};
    size_t count;
    if (!to.item || !to.weight || (in->rating && !to.rating) || (in->time_s && !to.had))
        return pal_no_memory(err);
    enum pal_status st = fold(in, tmp, &to, &count, err);
    if (st == PAL_OK)
        *out = (struct history){
            .n = count, .item = to.item, .weight = to.weight, .rating = to.rating, .had = to.had};
    return st;
}

enum pal_status history_renumber(const struct history *h, history_number_fn *number,
                                 const void *ctx, struct arena *tmp, struct history *out,
                                 struct pal_error *err)
{
    uint32_t *item = arena_alloc(tmp, h->n, sizeof *item);
    float *weight = arena_alloc(tmp, h->n, sizeof *weight);
    float *rating = h->rating ? arena_alloc(tmp, h->n, sizeof *rating) : NULL;
    struct had *had = h->had ? arena_alloc(tmp, h->n, sizeof *had) : NULL;
    size_t n = 0;
    if (!item || !weight || (h->rating && !rating) || (h->had && !had))
        return pal_no_memory(err);
    for (size_t i = 0; i < h->n; i++) {
        uint32_t x = number(ctx, h->item[i]);
        if (x == INTERN_NONE)
            continue;
        item[n] = x;
        if (rating)
            rating[n] = h->rating[i];
        if (had)
            had[n] = h->had[i];
        weight[n++] = h->weight[i];
    }
    *out = (struct history){n, item, weight, h->now_s, rating, h->last_s, had};
    return PAL_OK;
}

enum pal_status history_of(const struct interactions *x, const struct event_types *types,
                           const struct weights *w, uint32_t user, struct arena *tmp,
                           struct history *out, struct pal_error *err)
{
    uint64_t begin = x->start[user];
    size_t n = (size_t)(x->start[user + 1] - begin);
    bool failed;
    struct worth *worth = arena_alloc(tmp, 1, sizeof *worth);
    float *each = arena_alloc(tmp, n, sizeof *each);
    const float *rating = ratings_among(x, types, begin, n, tmp, &failed);
    if (!worth || !each || failed)
        return pal_no_memory(err);
    worth_init(worth, w, types);
    worth_of_range(worth, x, begin, n, each);
    struct history_events in = {.item = x->item + begin,
                                .weight = each,
                                .rating = rating,
                                .n = n,
                                .time_s = x->time_s ? x->time_s + begin : NULL};
    enum pal_status st = history_make(&in, tmp, out, err);
    if (st == PAL_OK)
        out->last_s = n ? interactions_time(x, begin + n - 1) : 0;
    return st;
}
