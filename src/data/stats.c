/* See stats.h. */
#include "data/stats.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double stats_percentile[STATS_PERCENTILES] = {0, .01, .1, .25, .5, .75, .9, .99, 1};

/* The parts of a data set that count. */
enum { PARTS = 2 };
static const struct interactions *part(const struct dataset *d, int i)
{
    return i == 0 ? &d->all : &d->test;
}

void stats_done(struct stats *s)
{
    mem_free(s->values);
    mem_free(s->category_items);
    mem_free(s->category_interactions);
    mem_free(s->pairs);
    memset(s, 0, sizeof *s);
}

/* What is counted while walking over all interactions. */
struct counts {
    uint64_t *user;  /* (users) */
    uint64_t *item;  /* (items) */
    uint32_t *owner; /* (items): the last user who had it, + 1 */
    float lowest, highest;
    double sum;
    bool timed;
};

static void count_one(const struct interactions *x, uint64_t i, uint32_t user, struct counts *c,
                      struct stats *s)
{
    uint32_t item = x->item[i];
    float value = interactions_value(x, i);
    c->user[user]++;
    c->item[item]++;
    s->repeats += c->owner[item] == user + 1;
    c->owner[item] = user + 1;
    c->sum += value;
    c->lowest = fminf(c->lowest, value);
    c->highest = fmaxf(c->highest, value);
    s->type_count[interactions_type(x, i) % EVENT_TYPES]++;
    if (x->time_s) {
        uint32_t t = x->time_s[i];
        s->first_s = !c->timed || t < s->first_s ? t : s->first_s;
        s->last_s = !c->timed || t > s->last_s ? t : s->last_s;
        c->timed = true;
    }
}

/* User by user, both parts, so that a repetition across the parts is seen. */
static enum pal_status count_all(const struct dataset *d, const struct run *run, struct counts *c,
                                 struct stats *s, struct pal_error *err)
{
    uint32_t users = d->users.ids.count;
    for (uint32_t u = 0; u < users; u++) {
        if (u % 65536 == 0) {
            enum pal_status st = run_step(run, "counting", u, users, err);
            if (st != PAL_OK)
                return st;
        }
        for (int p = 0; p < PARTS; p++) {
            const struct interactions *x = part(d, p);
            if (!x->start || u >= x->users)
                continue;
            for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
                count_one(x, i, u, c, s);
        }
    }
    s->in_test = interactions_count(&d->test);
    s->interactions = interactions_count(&d->all) + s->in_test;
    s->bytes = interactions_bytes(&d->all) + interactions_bytes(&d->test);
    s->mean_value = s->interactions ? c->sum / (double)s->interactions : 0;
    return PAL_OK;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Packs the counts that aren't 0 to the front, sorted; returns how many. */
static uint32_t sort_counts(uint64_t *count, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        if (count[i])
            count[kept++] = count[i];
    if (kept)
        qsort(count, kept, sizeof *count, ascending);
    return kept;
}

static void percentiles(const uint64_t *sorted, uint32_t n, double out[STATS_PERCENTILES])
{
    for (int i = 0; i < STATS_PERCENTILES && n; i++) {
        double at = stats_percentile[i] * (n - 1);
        uint32_t below = (uint32_t)at, above = below + 1 < n ? below + 1 : below;
        double part_of = at - below;
        out[i] = (double)sorted[below] * (1 - part_of) + (double)sorted[above] * part_of;
    }
}

/* The share of the n sorted counts' sum that the largest ceil(share * n) hold. */
static double held_by_largest(const uint64_t *sorted, uint32_t n, double share, uint64_t sum)
{
    uint32_t largest = (uint32_t)ceil(share * n - 1e-9);
    uint64_t held = 0;
    for (uint32_t i = n - largest; i < n; i++)
        held += sorted[i];
    return sum ? (double)held / (double)sum : 0;
}

/* sum of (2 i - n - 1) x_i over n sum of x, i from 1 in ascending order. */
static double gini(const uint64_t *sorted, uint32_t n, uint64_t sum)
{
    double weighted = 0;
    for (uint32_t i = 0; i < n; i++)
        weighted += (2.0 * i + 1 - n) * (double)sorted[i];
    return sum ? weighted / ((double)n * (double)sum) : 0;
}

/* Sorts c's counts: what needs them by number comes before. */
static void describe_shape(const struct dataset *d, struct counts *c, struct stats *s)
{
    s->items_known = d->items.ids.count;
    s->users = sort_counts(c->user, d->users.ids.count);
    s->items = sort_counts(c->item, d->items.ids.count);
    percentiles(c->user, s->users, s->user_activity);
    percentiles(c->item, s->items, s->item_popularity);
    if (!s->interactions)
        return;
    s->density = (double)(s->interactions - s->repeats) / ((double)s->users * s->items);
    s->long_tail_share = 1 - held_by_largest(c->item, s->items, .20, s->interactions);
    s->top1_share = held_by_largest(c->item, s->items, .01, s->interactions);
    s->gini = gini(c->item, s->items, s->interactions);
}

/* Counts the value among those seen so far, in ascending order; false if that makes too many. */
static bool count_value(struct stats *s, float value)
{
    size_t low = 0, high = s->value_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->values[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < s->value_count && s->values[low].value == value) {
        s->values[low].count++;
        return true;
    }
    if (s->value_count == STATS_VALUES)
        return false;
    memmove(&s->values[low + 1], &s->values[low], (s->value_count - low) * sizeof *s->values);
    s->values[low] = (struct stats_value){value, 1};
    s->value_count++;
    return true;
}

static void bin_values(const struct dataset *d, const struct counts *c, struct stats *s)
{
    double width = ((double)c->highest - c->lowest) / STATS_VALUES;
    s->values_binned = true;
    s->value_count = STATS_VALUES;
    for (size_t b = 0; b < STATS_VALUES; b++)
        s->values[b] = (struct stats_value){(float)(c->lowest + width * (double)b), 0};
    for (int p = 0; p < PARTS; p++)
        for (uint64_t i = 0; i < interactions_count(part(d, p)); i++) {
            double at = ((double)interactions_value(part(d, p), i) - c->lowest) / width;
            size_t b = at >= STATS_VALUES ? STATS_VALUES - 1 : at > 0 ? (size_t)at : 0;
            s->values[b].count++;
        }
}

static enum pal_status describe_values(const struct dataset *d, const struct counts *c,
                                       struct stats *s, struct pal_error *err)
{
    s->values = mem_alloc(STATS_VALUES, sizeof *s->values);
    if (!s->values)
        return pal_no_memory(err);
    for (int p = 0; p < PARTS; p++)
        for (uint64_t i = 0; i < interactions_count(part(d, p)); i++)
            if (!count_value(s, interactions_value(part(d, p), i))) {
                bin_values(d, c, s);
                return PAL_OK;
            }
    return PAL_OK;
}

static int by_count(const void *a, const void *b)
{
    const struct stats_pair *x = a, *y = b;
    if (x->items != y->items)
        return x->items > y->items ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

/* All pairs of labels that stand on one item, as (a << 32 | b) with a < b, one for each item. */
static enum pal_status collect_pairs(const struct labels *l, uint64_t **out, size_t *count,
                                     struct pal_error *err)
{
    uint64_t *pair = NULL;
    size_t n = 0, cap = 0;
    for (uint32_t i = 0; i < l->rows; i++) {
        uint32_t labels;
        const uint32_t *label = labels_at(l, i, &labels);
        for (uint32_t x = 0; x < labels; x++)
            for (uint32_t y = x + 1; y < labels; y++) {
                uint64_t a = label[x] < label[y] ? label[x] : label[y];
                uint64_t b = label[x] < label[y] ? label[y] : label[x];
                if (a == b)
                    continue;
                if (mem_grow(&pair, &cap, n + 1, sizeof *pair)) {
                    mem_free(pair);
                    return pal_no_memory(err);
                }
                pair[n++] = a << 32 | b;
            }
    }
    *out = pair;
    *count = n;
    return PAL_OK;
}

static enum pal_status describe_pairs(const struct labels *l, struct stats *s,
                                      struct pal_error *err)
{
    uint64_t *pair = NULL;
    size_t count = 0, cap = 0;
    enum pal_status st = collect_pairs(l, &pair, &count, err);
    if (st != PAL_OK || !count)
        return st;
    qsort(pair, count, sizeof *pair, ascending);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && pair[end] == pair[i];)
            end++;
        if (mem_grow(&s->pairs, &cap, s->pair_count + 1, sizeof *s->pairs)) {
            mem_free(pair);
            return pal_no_memory(err);
        }
        s->pairs[s->pair_count++] =
            (struct stats_pair){(uint32_t)(pair[i] >> 32), (uint32_t)pair[i], end - i};
    }
    qsort(s->pairs, s->pair_count, sizeof *s->pairs, by_count);
    mem_free(pair);
    return PAL_OK;
}

static enum pal_status describe_categories(const struct dataset *d, const struct counts *c,
                                           struct stats *s, struct pal_error *err)
{
    const struct labels *l = &d->items.categories;
    s->category_items = mem_zero(l->names.count, sizeof *s->category_items);
    s->category_interactions = mem_zero(l->names.count, sizeof *s->category_interactions);
    if (!s->category_items || !s->category_interactions)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < l->rows && i < d->items.ids.count; i++) {
        uint32_t n;
        const uint32_t *label = labels_at(l, i, &n);
        for (uint32_t j = 0; j < n; j++) {
            s->category_items[label[j]]++;
            s->category_interactions[label[j]] += c->item[i];
        }
    }
    return describe_pairs(l, s, err);
}

enum pal_status stats_make(const struct dataset *d, const struct run *run, struct stats *out,
                           struct pal_error *err)
{
    struct stats s = {0};
    struct counts c = {.lowest = INFINITY, .highest = -INFINITY};
    c.user = mem_zero(d->users.ids.count, sizeof *c.user);
    c.item = mem_zero(d->items.ids.count, sizeof *c.item);
    c.owner = mem_zero(d->items.ids.count, sizeof *c.owner);
    enum pal_status st = c.user && c.item && c.owner ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = count_all(d, run, &c, &s, err);
    if (st == PAL_OK)
        st = describe_categories(d, &c, &s, err);
    if (st == PAL_OK)
        st = describe_values(d, &c, &s, err);
    if (st == PAL_OK) {
        describe_shape(d, &c, &s);
        *out = s;
        memset(&s, 0, sizeof s);
    }
    stats_done(&s);
    mem_free(c.user);
    mem_free(c.item);
    mem_free(c.owner);
    return st;
}

uint64_t stats_together(const struct stats *s, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < s->pair_count; i++)
        if ((s->pairs[i].a == a && s->pairs[i].b == b) ||
            (s->pairs[i].a == b && s->pairs[i].b == a))
            return s->pairs[i].items;
    return 0;
}
