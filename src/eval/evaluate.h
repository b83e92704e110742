/* How good a model is on the held-out part of a split.
 *
 * For every user with something relevant held out, all items but those of the user's training
 * history are ranked (full catalog), and each metric is computed from where the relevant ones
 * stand. A held-out interaction is relevant when its weight reaches relevant_from. Metrics never
 * look at an item that the user had in training. */
#ifndef EVAL_EVALUATE_H
#define EVAL_EVALUATE_H

#include "base/run.h"
#include "data/split.h"
#include "model/model.h"

/* One metric at one length of list: "ndcg@20", "gini@10", "rmse". */
struct metric {
    const struct metric_ops *ops;
    uint32_t k; /* 0 where a list length means nothing */
    char name[32];
};

/* metrics.c's table, for help; NULL past the last. */
const char *metric_name(size_t i);
const char *metric_help(size_t i);

/* Parses "precision@10,ndcg@20,coverage@10,rmse" into out (room for *count; set to how many).
 * "recall@5,10,20" repeats the name for each length. PAL_EUSAGE lists what there is. */
MUST_USE enum pal_status metrics_parse(const char *text, struct metric *out, size_t *count,
                                       struct pal_error *err);

enum eval_protocol {
    EVAL_FULL,      /* rank the whole catalog */
    EVAL_NEGATIVES, /* rank the held-out item among the split's sampled negatives (NCF only) */
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
};

struct eval_result {
    size_t metric_count;
    struct metric *metrics; /* (metric_count) */
    double *value;          /* (metric_count) mean over users; NaN where it means nothing */
    double *low, *high;     /* (metric_count) bootstrap interval; NaN where there is none */
    uint32_t users;         /* evaluated */
    double *per_user;       /* (metric_count, users) the values behind the means; NaN rows for
                               metrics of the whole (coverage, gini) */
    double seconds;
};

MUST_USE enum pal_status evaluate(const struct model *m, const struct dataset *d,
                                  const struct split *s, const struct weights *w,
                                  const struct eval_options *o, const struct run *run,
                                  struct eval_result *out, struct pal_error *err);
void eval_result_done(struct eval_result *r);

/* Two models on the same users: is the difference of metric i more than chance?
 * Paired bootstrap over users and a sign-flip permutation test. */
struct comparison {
    double difference; /* mean of b - a */
    double low, high;  /* its interval */
    double p;          /* two-sided, from the permutation test */
};
MUST_USE enum pal_status eval_compare(const struct eval_result *a, const struct eval_result *b,
                                      size_t metric, const struct eval_options *o,
                                      struct comparison *out, struct pal_error *err);

#endif
