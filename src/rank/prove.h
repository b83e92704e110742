/* Whether trees are worth having. Of many rounds the one that happened to be best on the held-out
 * lists looks better than it is, the more so the fewer lists there are. */
#ifndef RANK_PROVE_H
#define RANK_PROVE_H

#include "rank/boost.h"

/* NDCG@10 of a list by score, gains 2^label - 1 for labels 0, 1 and 2; equal scores as they stand.
 * 0 without a like. */
double ndcg_at_10(const float *label, const float *score, size_t n);

/* Leaves the trees out (b->forest.trees = 0) unless they better the NDCG@10 of these lists by more
 * than so many standard errors of the difference, list by list: 1 where that very measure chose the
 * round, 0 where another one did. Fills b->first and b->best with both. */
MUST_USE enum pal_status prove_trees(const struct boost_lists *held, double errors,
                                     struct arena *tmp, struct boosted *b, struct pal_error *err);

#endif
