/* What is popular and what is trending: orders that bandit_refresh keeps up.
 *
 * A popular count fades at the same rate for all, so the order of any two items stays as it is
 * until one of them is counted again: the key log2(count) + last / half-life says it once and for
 * all. Trending compares two counts that fade at different rates; its keys are as of one moment,
 * which moves every 64th of trending_days. Changed items are sorted by themselves and merged with
 * the others. */
#include "engine/bandit_inside.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define DAY_MS     86400000.0
#define LN2        0.69314718055994531
#define RATE_FLOOR 1.0  /* events a day that every item is taken to have in the long run */
#define LEAST_KEY  1e-9 /* a rate or count that has faded so far is none */

double bandit_popular_key(const struct bandit *b, const struct bandit_sums *e)
{
    double days = b->o.popular_days;
    if (!(e->popular > LEAST_KEY))
        return -INFINITY;
    return log2(e->popular) + (days > 0 ? (double)e->last_ms / (days * DAY_MS) : 0);
}

/* Events a day of a count with this half-life, if they come evenly: count * ln 2 / half-life. */
static double rate(double count, double days)
{
    return days > 0 ? count * LN2 / days : 0;
}

double bandit_trending_score(const struct bandit *b, const struct bandit_sums *e, int64_t now_ms)
{
    const struct bandit_options *o = &b->o;
    double age = (double)now_ms - (double)e->last_ms;
    double recent = rate(e->recent * bandit_fade(age, o->trending_days), o->trending_days);
    double all = rate(e->popular * bandit_fade(age, o->popular_days), o->popular_days);
    return recent > LEAST_KEY ? recent / (all + RATE_FLOOR) : -INFINITY;
}

/* ---- keeping an order ---- */

struct keyed {
    double key;
    uint32_t number;
};

static bool before(struct keyed a, struct keyed b)
{
    return a.key > b.key || (a.key == b.key && a.number < b.number);
}

static int by_key(const void *a, const void *b)
{
    return before(*(const struct keyed *)a, *(const struct keyed *)b) ? -1 : 1;
}

enum pal_status bandit_order_merge(const struct order *old, const double *key,
                                   const uint8_t *changed, const uint32_t *number, size_t n,
                                   struct order *out, struct pal_error *err)
{
    struct keyed *moved = mem_alloc(n, sizeof *moved);
    uint32_t *merged = mem_alloc(old->count + n, sizeof *merged);
    if (!moved || !merged) {
        mem_free(moved);
        mem_free(merged);
        return pal_no_memory(err);
    }
    size_t left = 0, at = 0, count = 0;
    for (size_t i = 0; i < n; i++)
        if (key[number[i]] > -INFINITY)
            moved[left++] = (struct keyed){key[number[i]], number[i]};
    qsort(moved, left, sizeof *moved, by_key);
    for (size_t i = 0; i < old->count; i++) {
        struct keyed x = {key[old->number[i]], old->number[i]};
        if (changed[x.number])
            continue;
        while (at < left && before(moved[at], x))
            merged[count++] = moved[at++].number;
        merged[count++] = x.number;
    }
    while (at < left)
        merged[count++] = moved[at++].number;
    mem_free(moved);
    out->number = merged;
    out->count = count;
    return PAL_OK;
}

/* ---- asking ---- */

struct question {
    const struct bandit *b;
    uint32_t count;
    size_t k;
    int64_t now_ms;
    bandit_allow_fn *allow;
    void *ctx;
    bool trending;
};

static double score_now(const struct question *q, uint32_t number)
{
    struct bandit_sums e = bandit_evidence(q->b, number);
    if (q->trending)
        return fmax(bandit_trending_score(q->b, &e, q->now_ms), 0);
    return e.popular * bandit_fade((double)q->now_ms - (double)e.last_ms, q->b->o.popular_days);
}

static enum pal_status first_of(const struct question *q, struct bandit_pick *out, size_t *found,
                                struct pal_error *err)
{
    struct view *v;
    enum pal_status st = bandit_pin_any(q->b, q->now_ms, &v, err);
    if (st != PAL_OK)
        return st;
    const struct order *order = q->trending ? &v->trending : &v->popular;
    size_t n = 0;
    for (size_t i = 0; i < order->count && n < q->k; i++) {
        uint32_t number = order->number[i];
        if (number >= q->count || (q->allow && !q->allow(q->ctx, number)))
            continue;
        /* what has faded to nothing still has its order */
        float least = FLT_MIN * (2 - (float)n / (float)q->k);
        out[n++] = (struct bandit_pick){number, fmaxf((float)score_now(q, number), least), 1};
    }
    bandit_unpin(q->b, v);
    *found = n;
    return PAL_OK;
}

enum pal_status bandit_popular(const struct bandit *b, uint32_t count, size_t k, int64_t now_ms,
                               bandit_allow_fn *allow, void *ctx, struct bandit_pick *out,
                               size_t *found, struct pal_error *err)
{
    const struct question q = {b, count, k, now_ms, allow, ctx, false};
    return first_of(&q, out, found, err);
}

enum pal_status bandit_trending(const struct bandit *b, uint32_t count, size_t k, int64_t now_ms,
                                bandit_allow_fn *allow, void *ctx, struct bandit_pick *out,
                                size_t *found, struct pal_error *err)
{
    const struct question q = {b, count, k, now_ms, allow, ctx, true};
    return first_of(&q, out, found, err);
}
