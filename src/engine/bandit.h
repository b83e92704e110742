/* What works, learned from answers: Thompson sampling over Beta posteriors per item, and what is
 * popular or trending, counted as events come in.
 *
 * Each item has a Beta(prior_alpha + successes, prior_beta + failures), both decaying with a
 * half-life. A draw for every one of 100,000 items would cost a millisecond; instead …(see
 * bandit.c: how the best k of n draws are had in microseconds, and with what propensity).
 *
 * Any thread may call anything: counting takes a lock per block of items, drawing reads without
 * one. */
#ifndef ENGINE_BANDIT_H
#define ENGINE_BANDIT_H

#include "base/options.h"
#include "base/rng.h"

#include <stdbool.h>

struct bandit_options {
    double prior_alpha, prior_beta; /* above 0 */
    double half_life_days;          /* of successes and failures; 0 = they do not fade */
    double ignored;                 /* of a failure: what being served and ignored counts */
    double popular_days;            /* half-life of popularity */
    double trending_days;           /* of the recent counts that trending compares with it */
};
extern const struct opt_table bandit_option_table; /* bandit.prior_alpha=… */

struct bandit;

MUST_USE enum pal_status bandit_new(const struct bandit_options *o, struct bandit **out,
                                    struct pal_error *err);
void bandit_free(struct bandit *b); /* NULL is fine */

/* Counts for item `number` (which may be new): weight > 0 a success, < 0 a failure, of that size
 * (a like is 1, being ignored -o->ignored). reward: whether the posterior learns from it; whatever
 * is positive counts for popularity. time_ms may lie in the past. */
MUST_USE enum pal_status bandit_count(struct bandit *b, uint32_t number, float weight, bool reward,
                                      int64_t time_ms, struct pal_error *err);
void bandit_forget(struct bandit *b); /* everything */

struct bandit_pick {
    uint32_t number;
    float score;      /* the draw, or the decayed count */
    float propensity; /* bandit_draw: the chance that a draw puts this item among the first k,
                         estimated; 1 for the others */
};

/* The best k of one Thompson draw among items [0, count) for which allow(ctx, item) holds (NULL =
 * all), best first. Microseconds at 100,000 items. */
typedef bool bandit_allow_fn(void *ctx, uint32_t number);
MUST_USE enum pal_status bandit_draw(const struct bandit *b, uint32_t count, size_t k,
                                     int64_t now_ms, struct rng *rng, bandit_allow_fn *allow,
                                     void *ctx, struct bandit_pick *out, size_t *drawn,
                                     struct pal_error *err);

/* The k most popular or most trending, best first; items never counted are left out. O(k) plus
 * what is not allowed: the order is kept up in the background by bandit_refresh. */
MUST_USE enum pal_status bandit_popular(const struct bandit *b, uint32_t count, size_t k,
                                        int64_t now_ms, bandit_allow_fn *allow, void *ctx,
                                        struct bandit_pick *out, size_t *found,
                                        struct pal_error *err);
MUST_USE enum pal_status bandit_trending(const struct bandit *b, uint32_t count, size_t k,
                                         int64_t now_ms, bandit_allow_fn *allow, void *ctx,
                                         struct bandit_pick *out, size_t *found,
                                         struct pal_error *err);

/* Puts the orders right again; from the engine's housekeeping about once a second. */
MUST_USE enum pal_status bandit_refresh(struct bandit *b, int64_t now_ms, struct pal_error *err);

/* The posterior of one item as of now. */
void bandit_posterior(const struct bandit *b, uint32_t number, int64_t now_ms, double *alpha,
                      double *beta);

#endif
