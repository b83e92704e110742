/* What works, learned from answers: Thompson sampling over Beta posteriors per item, and what is
 * popular or trending, counted as events come in.
 *
 * Each item has a Beta(prior_alpha + successes, prior_beta + failures), both decaying with a
 * half-life. Drawing for each of 100,000 items would take milliseconds; instead only those items
 * get a variate whose variate lies above a threshold that a few more than k are expected to pass,
 * found by skipping through items sorted by their chance to pass it. That is exact: bandit_draw.c
 * says how, and bandit_propensity.c how propensities are found.
 *
 * A draw is from the posteriors at most half_life / 128 ago, but for items counted since the last
 * bandit_refresh by at least 1/2, up to 64 of them, which are drawn as they are now; what goes
 * beyond, and what says little (that something was ignored), waits for the next refresh.
 *
 * An item's popular count is the sum of its positive weights, fading with popular_days. Its trend
 * is (recent rate) / (long-run rate + 1), both in events a day: the rate of a fading count is count
 * * ln 2 / half-life, with trending_days for the recent one and popular_days for the long run. An
 * even demand has a trend near 1 or, below some events a day, less: one event alone is no trend.
 *
 * Any thread may call anything. Counting locks a 32nd of the items for some 50 ns. Drawing and
 * listing read without locks but for two short ones to hold on to what bandit_refresh has made
 * ready; a draw makes that itself if it is missing or much too old or small. bandit_forget is the
 * one call that waits for all who count. */
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
 * is positive counts for popularity. time_ms may lie in the past: what is late has faded. An item
 * takes 48 bytes, and 24 more once it was counted and refreshed. PAL_EUSAGE for a weight that is
 * not finite. */
MUST_USE enum pal_status bandit_count(struct bandit *b, uint32_t number, float weight, bool reward,
                                      int64_t time_ms, struct pal_error *err);
void bandit_forget(struct bandit *b); /* everything */

/* What is known of an item: sums as of last_ms, which fade from there as the options say. All zeros
 * = nothing. */
struct bandit_sums {
    double success, failure, popular, recent;
    int64_t last_ms;
};

/* bandit_count, of sums that lie elsewhere; and all of one into another. */
void bandit_add(const struct bandit_options *o, struct bandit_sums *sums, float weight, bool reward,
                int64_t time_ms);
void bandit_join(const struct bandit_options *o, struct bandit_sums *to,
                 const struct bandit_sums *from);

/* Puts sums in the place of what an item has, and reads them. Items from bandit_limit on have none.
 */
MUST_USE enum pal_status bandit_put(struct bandit *b, uint32_t number,
                                    const struct bandit_sums *sums, struct pal_error *err);
struct bandit_sums bandit_get(const struct bandit *b, uint32_t number);
uint32_t bandit_limit(const struct bandit *b);

struct bandit_pick {
    uint32_t number;
    float score;      /* the draw, or the decayed count */
    float propensity; /* bandit_draw: the chance that a draw puts this item among the first k of
                         those allowed, in (0, 1]; 1 for the others. Estimated, within 12 % on
                         average, where few had to be passed over; else the chance given what all
                         others drew, which differs from draw to draw. Either way 1 / propensity
                         weights what came of it rightly */
};

/* The best k of one Thompson draw among items [0, count) for which allow(ctx, item) holds (NULL =
 * all), best first; out has room for k. allow is asked only about items that come before the last
 * one taken, and may call the bandit. Time grows with k and with what is not allowed, hardly with
 * count: 5 to 50 µs at 100,000 items and k = 10. */
typedef bool bandit_allow_fn(void *ctx, uint32_t number);
MUST_USE enum pal_status bandit_draw(const struct bandit *b, uint32_t count, size_t k,
                                     int64_t now_ms, struct rng *rng, bandit_allow_fn *allow,
                                     void *ctx, struct bandit_pick *out, size_t *drawn,
                                     struct pal_error *err);

/* The k most popular or most trending, best first, as of the last bandit_refresh (scores as of
 * now); items without a positive count are left out. O(k) plus what is not allowed. */
MUST_USE enum pal_status bandit_popular(const struct bandit *b, uint32_t count, size_t k,
                                        int64_t now_ms, bandit_allow_fn *allow, void *ctx,
                                        struct bandit_pick *out, size_t *found,
                                        struct pal_error *err);
MUST_USE enum pal_status bandit_trending(const struct bandit *b, uint32_t count, size_t k,
                                         int64_t now_ms, bandit_allow_fn *allow, void *ctx,
                                         struct bandit_pick *out, size_t *found,
                                         struct pal_error *err);

/* Makes ready what draws and lists read; from the engine's housekeeping about once a second. Some
 * milliseconds if anything was counted, next to nothing otherwise; on PAL_ENOMEM draws and lists go
 * on from what was there. Only changed items are sorted anew, but for one time in half_life / 256
 * and after the clock went back: then everything is, about 2 µs an item with evidence. */
MUST_USE enum pal_status bandit_refresh(struct bandit *b, int64_t now_ms, struct pal_error *err);

/* Brings what is known of an item on its way into the cache: for who will soon ask for the
 * posteriors of many. */
void bandit_prefetch(const struct bandit *b, uint32_t number);

/* The posterior of one item as of now. */
void bandit_posterior(const struct bandit *b, uint32_t number, int64_t now_ms, double *alpha,
                      double *beta);

#endif
