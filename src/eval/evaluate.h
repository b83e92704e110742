/* How good a model is on the held-out part of a split.
 *
 * For every user with something relevant held out, the catalog (all items of the data set) is
 * ranked by the model from the user's training history, and each metric is computed from where the
 * relevant items stand. The rules:
 *
 * - A held-out item is relevant when an event with it has a weight of at least relevant_from; it
 *   counts once, however often it occurs.
 * - Items that the user had before, whatever their weight, are neither ranked nor relevant: those
 *   of the training part, of the given part (users:…), and, when the test part is judged, of the
 *   validation part. With `again` they are both: for data in which people come back to things.
 * - A held-out user (users:…) is known by the given part alone.
 * - A user asks at the time of their first event in the judged part: models see that time.
 * - Equal scores stand in order of item number, as they would in a recommendation. Items that the
 *   model does not know are never recommended, but count as relevant.
 * - With a target type (purchase), only its events count, both as what is to be found, whatever
 * they weigh above 0, and as what the user had before: what was viewed may still be bought. Models
 * learn from all events.
 * - Users with nothing relevant are left out; means are over the others. */
#ifndef EVAL_EVALUATE_H
#define EVAL_EVALUATE_H

#include "base/run.h"
#include "data/split.h"
#include "model/model.h"

struct metric_ops;

/* One metric at one length of list: "ndcg@20", "gini@10", "rmse". */
struct metric {
    const struct metric_ops *ops;
    uint32_t k; /* 0 where a list length means nothing */
    char name[32];
};

enum { METRIC_K_MAX = 10000 };

/* metrics.c's table, for help; NULL past the last. */
const char *metric_name(size_t i);
const char *metric_help(size_t i);

/* Whether less is better: rmse, mae, popularity, gini. */
bool metric_falls(const struct metric *m);

/* Parses "precision@10,ndcg@20,coverage@10,rmse" into out (room for *count; set to how many).
 * "recall@5,10,20" repeats the name for each length; what is named twice is taken once. PAL_EUSAGE
 * lists what there is. */
MUST_USE enum pal_status metrics_parse(const char *text, struct metric *out, size_t *count,
                                       struct pal_error *err);

enum eval_protocol {
    EVAL_FULL,      /* rank the whole catalog */
    EVAL_NEGATIVES, /* rank the held-out items among the split's sampled negatives (NCF only); of
                       equal scores the negative stands first; metrics of the list itself
                       (coverage, novelty…) mean nothing and are NaN */
};

enum eval_part { EVAL_TEST, EVAL_VALID };

struct eval_options {
    const struct metric *metrics;
    size_t metric_count;
    enum eval_protocol protocol;
    enum eval_part part;
    double relevant_from; /* the least weight that counts as relevant; 0.5 */
    int64_t bootstrap;    /* resamplings for intervals; 0 = none */
    double confidence;    /* of the intervals: 0.95 */
    uint64_t seed;
    const char *target; /* only events of this type are to be found; NULL = of any */
    bool again;         /* what users had before is ranked, and relevant, like all else */
};

struct eval_result {
    const char *protocol; /* a constant: "full" or "sampled-negatives" */
    size_t metric_count;
    struct metric *metrics; /* (metric_count) */
    double *value;          /* (metric_count) mean over users; NaN where it means nothing */
    double *low, *high;     /* (metric_count) percentile bootstrap interval over users; NaN where
                               there is none: without bootstrap, and for coverage and gini */
    uint32_t users;         /* evaluated */
    uint32_t ranked;        /* of them with something relevant: all, unless rmse or mae are asked
                               for, which also look at users with nothing but low ratings */
    uint32_t *user;         /* (users) who they are, ascending */
    uint32_t *ratings;      /* (users) how many ratings rmse and mae look at; NULL without */
    double *per_user;       /* (metric_count, users) the values behind the means, for rmse the mean
                               squared error; NaN: not in the mean. Rows of NaN for metrics of the
                               whole (coverage, gini) */
    double seconds;
};

/* Judges m on the part of s that o names. s is a split of d; w are the rules of relevance and of
 * the histories. The model may have other items than d, or the same in another order: they are
 * matched by id. Works in run's pool, reports the stages "evaluating" and "resampling", and is the
 * same at any thread count. PAL_EUNSUPPORTED where there is nothing to judge (no validation part,
 * no negatives, nothing relevant held out). Takes 16 MiB of heap per thread and
 * 8 * metric_count * users bytes. */
MUST_USE enum pal_status evaluate(const struct model *m, const struct dataset *d,
                                  const struct split *s, const struct weights *w,
                                  const struct eval_options *o, const struct run *run,
                                  struct eval_result *out, struct pal_error *err);
void eval_result_done(struct eval_result *r); /* an all-zero struct is fine */

/* Two models on the same users: is the difference of a metric more than chance?
 * A paired bootstrap over users gives the interval, a permutation test that exchanges the two
 * models' values within users (flips the sign of their difference) the p-value. */
struct comparison {
    double difference;   /* b - a */
    double low, high;    /* its interval at o->confidence */
    double p;            /* two-sided; never below 1 / (resamplings + 1) */
    int64_t resamplings; /* of either: o->bootstrap, or 1,000 where that is 0 */
};

/* metric: its number in both results. PAL_EUSAGE if these are not of the same metric and users.
 * For metrics of the whole only the difference is known; the rest is NaN. Users in whom either
 * value is NaN are left out. O(resamplings * users), in the caller's thread. */
MUST_USE enum pal_status eval_compare(const struct eval_result *a, const struct eval_result *b,
                                      size_t metric, const struct eval_options *o,
                                      struct comparison *out, struct pal_error *err);

#endif
