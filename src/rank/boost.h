/* Trees that are boosted to put what users went on to like above the rest of their lists, by
 * XGBoost (Chen and Guestrin, KDD 2016): LambdaMART (Burges, "From RankNet to LambdaRank to
 * LambdaMART", MSR-TR-2010-82), which looks at pairs within lists, or the logistic loss of each row
 * by itself, which learns more from lists with a single like. Only training needs that library;
 * what it made is a forest of ours. */
#ifndef RANK_BOOST_H
#define RANK_BOOST_H

#include "base/arena.h"
#include "base/run.h"
#include "rank/forest.h"

#include <stdbool.h>

enum boost_loss { BOOST_NDCG, BOOST_LOGISTIC };

struct boost_options {
    int loss;         /* enum boost_loss */
    int64_t rounds;   /* trees at most */
    int64_t patience; /* rounds without a better NDCG@10 (or logistic loss) on the held-out lists,
                         then it ends */
    int64_t leaves;   /* of a tree, up to FOREST_LEAVES */
    double rate;      /* how much each tree counts */
    double least;     /* sum of second derivatives in a leaf, at least (min_child_weight) */
    double lambda;    /* how strongly leaves are kept small */
    double sample, columns; /* share of rows, of features, that each tree looks at */
    bool all;               /* take all trees, not those up to the best round */
    uint64_t seed;
};

/* Lists of candidates, one after the other. */
struct boost_lists {
    size_t lists, rows, features;
    const float *x;     /* (rows, features) NaN = missing */
    const float *label; /* (rows) 0, 1, 2…: the gain of a row is 2^label - 1 */
    const float *base;  /* (rows) what the trees are added to; with BOOST_LOGISTIC it may be off by
                           any one number: order is all that matters */
    const uint32_t *count; /* (lists) rows of each */
};

struct boosted {
    struct forest forest; /* in the caller's arena */
    float *gain;          /* (features) by how much splits on it lowered the loss, in all */
    double first, best;   /* NDCG@10 (or the logistic loss) of the held-out lists by the base alone,
                             and   with the trees */
};

/* Whether there is an XGBoost to train with; PAL_EUNSUPPORTED says what to do if not. */
MUST_USE enum pal_status boost_check(struct pal_error *err);

/* The trees up to the round that was best on `held`: none if the base alone was. Works in one
 * thread: XGBoost 1.7 draws pairs by thread, and the same data shall give the same bytes. Reports
 * "boosting", and tells NDCG@10 on `held` after each tree as "held_out_ndcg", or "held_out_loss".
 * XGBoost's own memory, about rows x features bytes, does not pass base/mem.h. PAL_EUNSUPPORTED
 * without XGBoost. */
MUST_USE enum pal_status boost_train(const struct boost_lists *train,
                                     const struct boost_lists *held, const struct boost_options *o,
                                     const struct run *run, struct arena *keep, struct boosted *out,
                                     struct pal_error *err);

/* A forest out of what XGBoost saved as JSON, its first `trees` trees (UINT32_MAX = all), in
 * `keep`. PAL_EFORMAT for what is no such thing. */
MUST_USE enum pal_status boost_read(const char *json, size_t len, uint32_t features, uint32_t trees,
                                    struct arena *keep, struct forest *out, float *gain,
                                    struct pal_error *err);

#endif
