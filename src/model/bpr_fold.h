/* A user's vector from a history, given the items' vectors of BPR. */
#ifndef MODEL_BPR_FOLD_H
#define MODEL_BPR_FOLD_H

#include "base/pool.h"
#include "model/model.h"

struct bpr_fold {
    const float *Y; /* (items, d + 1): vectors and biases, borrowed */
    size_t d, ld;   /* ld = floats from row to row of cov */
    float *cov;     /* (d + 1, ld) covariance of the rows of Y, both triangles */
    float mean;     /* weight that counts 1 */
    float regularization;
};

/* Y: rows whose means are 0. items * d² operations. */
MUST_USE enum pal_status bpr_fold_init(struct bpr_fold *f, const float *Y, uint32_t items, size_t d,
                                       float mean, float regularization, struct pal_error *err);
void bpr_fold_done(struct bpr_fold *f); /* an all-zero struct is fine */

/* Floats of scratch for a history of n. */
size_t bpr_fold_scratch(const struct bpr_fold *f, size_t n);

/* x (d + 1): the user's vector, and 1 for the biases. Zeros and 1 for an empty history. Cost:
 * STEPS * (n d² + d³ / 3). */
void bpr_fold_in(const struct bpr_fold *f, const struct history *h, float *x, float *scratch);

#endif
