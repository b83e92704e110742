/* Scores over the whole catalog for many histories: in batches, in parallel, always the same. */
#ifndef EVAL_SCORING_H
#define EVAL_SCORING_H

#include "model/model.h"

struct scoring;

/* For model m and the catalog `items`, matched by id. Both are borrowed, and so is run. Takes
 * 16 MiB per thread of run's pool, or one row of scores where that is more. */
MUST_USE enum pal_status scoring_new(const struct model *m, const struct items *items,
                                     const struct run *run, struct scoring **out,
                                     struct pal_error *err);
void scoring_free(struct scoring *s); /* NULL is fine */

/* Where what is scored comes from and goes to. All are called from any of the pool's threads. */
struct scoring_calls {
    /* The i-th history, by catalog numbers; its arrays may live in tmp. */
    enum pal_status (*history)(void *ctx, size_t i, struct arena *tmp, struct history *out,
                               struct pal_error *err);
    /* scores (catalog): of the i-th history; -INFINITY for items that the model does not know.
     * May be overwritten. worker < pool_size: whose scratch to use. NULL = only ratings are
     * wanted. */
    void (*visit)(void *ctx, size_t i, float *scores, unsigned worker);
    void *ctx;

    /* The items (n) whose ratings are wanted of the i-th history, by catalog numbers, and then what
     * they are, NAN for items that the model does not know. NULL = none; else the model must have
     * MODEL_RATES. */
    enum pal_status (*wanted)(void *ctx, size_t i, struct arena *tmp, const uint32_t **items,
                              size_t *n, struct pal_error *err);
    void (*rated)(void *ctx, size_t i, const float *stars);
};

/* Scores histories 0 … n - 1. Reports `stage` to run between batches. The first failure in order
 * of i is the one that is returned. */
MUST_USE enum pal_status scoring_run(struct scoring *s, size_t n, const char *stage,
                                     const struct scoring_calls *calls, struct pal_error *err);

#endif
