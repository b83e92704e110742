/* Intervals: the percentile bootstrap over users (Efron and Tibshirani 1993, chapter 13). Each
 * resampling draws as many users as there are, with replacement, as a count per user; all metrics
 * are computed from the same draws. A draw has its own stream of random numbers, so that the
 * result is the same at any thread count.
 *
 * Comparison: under the hypothesis that two models are alike, exchanging their values within a user
 * changes nothing (Fisher's randomization test, recommended for retrieval by Smucker et al. 2007).
 * p is the share of exchanges whose difference is at least the one seen, the one seen included. */
#include "eval/significance.h"

#include "base/mem.h"
#include "base/rng.h"
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_RESAMPLINGS = 1000, DRAWS_GRAIN = 4, DRAWS_SLAB = 256 };

/* How much user u's value v counts in the mean of a metric. */
static double worth(const struct eval_result *r, const struct metric_ops *ops, uint32_t u, double v)
{
    return isnan(v) ? 0 : ops->kind == METRIC_RATING ? r->ratings[u] : 1;
}

static double finish(const struct metric_ops *ops, double mean)
{
    return ops->finish ? ops->finish(mean) : mean;
}

double metric_mean(const struct eval_result *r, size_t metric, const uint32_t *times)
{
    const struct metric_ops *ops = r->metrics[metric].ops;
    const double *v = r->per_user + metric * r->users;
    double sum = 0, count = 0;
    for (uint32_t u = 0; u < r->users; u++) {
        double c = worth(r, ops, u, v[u]) * (times ? times[u] : 1);
        if (c > 0) {
            sum += c * v[u];
            count += c;
        }
    }
    return count > 0 ? finish(ops, sum / count) : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile(const double *x, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;
    if (below + 1 >= n)
        return x[n - 1];
    return x[below] + (at - (double)below) * (x[below + 1] - x[below]);
}

void percentile_interval(double *x, size_t n, double confidence, double *low, double *high)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]))
            x[kept++] = x[i];
    *low = *high = NAN;
    if (kept == 0)
        return;
    qsort(x, kept, sizeof *x, ascending);
    *low = quantile(x, kept, (1 - confidence) / 2);
    *high = quantile(x, kept, (1 + confidence) / 2);
}

static void draw_users(uint64_t seed, uint64_t number, uint32_t users, uint32_t *times)
{
    struct rng rng;
    rng_init(&rng, seed, number);
    memset(times, 0, users * sizeof *times);
    for (uint32_t i = 0; i < users; i++)
        times[rng_below(&rng, users)]++;
}

struct resampling {
    const struct eval_result *r;
    uint64_t seed;
    size_t n, offset; /* how many in all; where the slab in work begins */
    uint32_t *times;  /* (threads, users) */
    double *value;    /* (metrics, n) */
};

static void resample(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct resampling *b = ctx;
    uint32_t *times = b->times + (size_t)worker * b->r->users;
    for (size_t i = b->offset + begin; i < b->offset + end; i++) {
        draw_users(b->seed, i, b->r->users, times);
        for (size_t m = 0; m < b->r->metric_count; m++)
            b->value[m * b->n + i] =
                b->r->metrics[m].ops->kind == METRIC_WHOLE ? NAN : metric_mean(b->r, m, times);
    }
}

enum pal_status bootstrap_intervals(struct eval_result *r, const struct eval_options *o,
                                    const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    size_t n = o->bootstrap > 0 ? (size_t)o->bootstrap : 0;
    struct resampling b = {.r = r, .seed = o->seed, .n = n};
    b.times = mem_alloc((size_t)pool_size(pool) * r->users, sizeof *b.times);
    b.value = mem_alloc(r->metric_count * n, sizeof *b.value);
    enum pal_status st = b.times && b.value ? PAL_OK : pal_no_memory(err);
    for (; st == PAL_OK && b.offset < n; b.offset += DRAWS_SLAB) {
        st = run_step(run, "resampling", b.offset, n, err);
        if (st == PAL_OK)
            pool_for(pool, n - b.offset < DRAWS_SLAB ? n - b.offset : DRAWS_SLAB, DRAWS_GRAIN,
                     resample, &b);
    }
    for (size_t m = 0; st == PAL_OK && m < r->metric_count; m++)
        percentile_interval(b.value + m * n, n, o->confidence, &r->low[m], &r->high[m]);
    mem_free(b.times);
    mem_free(b.value);
    return st;
}

/* ---- two models ---- */

struct pairs {
    const struct metric_ops *ops;
    uint32_t n;              /* users who have both values */
    double *a, *b, *ca, *cb; /* (n) value times worth, and worth */
};

static enum pal_status pair_up(const struct eval_result *a, const struct eval_result *b,
                               size_t metric, struct pairs *p, struct pal_error *err)
{
    const double *x = a->per_user + metric * a->users, *y = b->per_user + metric * b->users;
    p->ops = a->metrics[metric].ops;
    p->a = mem_alloc(4 * (size_t)a->users, sizeof *p->a);
    if (!p->a)
        return pal_no_memory(err);
    p->b = p->a + a->users;
    p->ca = p->b + a->users;
    p->cb = p->ca + a->users;
    for (uint32_t u = 0; u < a->users; u++) {
        double cx = worth(a, p->ops, u, x[u]), cy = worth(b, p->ops, u, y[u]);
        if (cx == 0 || cy == 0)
            continue;
        p->a[p->n] = cx * x[u];
        p->b[p->n] = cy * y[u];
        p->ca[p->n] = cx;
        p->cb[p->n++] = cy;
    }
    return PAL_OK;
}

struct sums {
    double a, b, ca, cb;
};

static double difference(const struct pairs *p, const struct sums *s)
{
    return finish(p->ops, s->b / s->cb) - finish(p->ops, s->a / s->ca);
}

static double drawn(const struct pairs *p, const uint32_t *times)
{
    struct sums s = {0};
    for (uint32_t u = 0; u < p->n; u++) {
        double t = times ? times[u] : 1;
        s.a += t * p->a[u];
        s.b += t * p->b[u];
        s.ca += t * p->ca[u];
        s.cb += t * p->cb[u];
    }
    return difference(p, &s);
}

/* The difference after exchanging each user's two values with probability 1/2. */
static double exchanged(const struct pairs *p, struct rng *rng)
{
    struct sums s = {0};
    uint64_t bits = 0;
    for (uint32_t u = 0; u < p->n; u++) {
        bits = u % 64 ? bits >> 1 : rng_next(rng);
        int swap = bits & 1;
        s.a += swap ? p->b[u] : p->a[u];
        s.b += swap ? p->a[u] : p->b[u];
        s.ca += swap ? p->cb[u] : p->ca[u];
        s.cb += swap ? p->ca[u] : p->cb[u];
    }
    return difference(p, &s);
}

static double permutation_p(const struct pairs *p, double seen, uint64_t seed, size_t n)
{
    double least = fabs(seen) * (1 - 1e-9); /* the same sum in another order counts as equal */
    size_t extreme = 0;
    for (size_t i = 0; i < n; i++) {
        struct rng rng;
        rng_init(&rng, seed, i);
        extreme += fabs(exchanged(p, &rng)) >= least;
    }
    return (double)(extreme + 1) / (double)(n + 1);
}

static bool comparable(const struct eval_result *a, const struct eval_result *b, size_t metric)
{
    return metric < a->metric_count && metric < b->metric_count && a->users == b->users &&
           strcmp(a->metrics[metric].name, b->metrics[metric].name) == 0 &&
           strcmp(a->protocol, b->protocol) == 0 &&
           memcmp(a->user, b->user, a->users * sizeof *a->user) == 0;
}

enum pal_status eval_compare(const struct eval_result *a, const struct eval_result *b,
                             size_t metric, const struct eval_options *o, struct comparison *out,
                             struct pal_error *err)
{
    if (!comparable(a, b, metric))
        return pal_fail(err, PAL_EUSAGE,
                        "results can only be compared in the same metric, of the same users");
    size_t n = o->bootstrap > 0 ? (size_t)o->bootstrap : DEFAULT_RESAMPLINGS;
    struct comparison c = {b->value[metric] - a->value[metric], NAN, NAN, NAN, (int64_t)n};
    struct pairs p = {0};
    uint32_t *times = mem_alloc(a->users, sizeof *times);
    double *value = mem_alloc(n, sizeof *value);
    enum pal_status st = times && value ? pair_up(a, b, metric, &p, err) : pal_no_memory(err);
    if (st == PAL_OK && p.n > 0) {
        for (size_t i = 0; i < n; i++) {
            draw_users(o->seed, i, p.n, times);
            value[i] = drawn(&p, times);
        }
        percentile_interval(value, n, o->confidence, &c.low, &c.high);
        c.difference = drawn(&p, NULL);
        c.p = permutation_p(&p, c.difference, ~o->seed, n);
    }
    if (st == PAL_OK)
        *out = c;
    mem_free(p.a);
    mem_free(value);
    mem_free(times);
    return st;
}
