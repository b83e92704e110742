/* Bayesian matrix factorization of ratings by Gibbs sampling.
 *
 * A rating of user u for item i, less the mean of all and in units of their deviation, is taken as
 * normal with precision α around
 *
 *     r(u, i) = b_u + b_i + p_u · q_i
 *
 * A user's vector is (p_u, b_u), d numbers, an item's (q_i, b_i): all
 * users' are draws from one normal distribution, all items' from another, whose mean and covariance
 * are unknown too (gaussian.h), and α is. Instead of searching for the one best set of vectors,
 * each unknown is drawn in turn from its distribution given all others: Salakhutdinov and Mnih,
 * ICML 2008. What is drawn after a while are samples of what the ratings leave possible, and the
 * mean of their predictions is better than any of them, needs no regularization to be tuned, and
 * does not overfit with more factors or iterations. With `implicit`, what a row was seen with moves
 * the mean of its vector (implicit.h), on both sides: SVD++ for users, and the same for items.
 *
 * Given the items of one sample, a user is a normal distribution in closed form. So a sample is
 * kept as what solves users, struct gibbs_half, and any history is folded in by gibbs_row.
 *
 * Random numbers are of streams by iteration and row, sums run in a fixed order: a seed gives the
 * same samples at any thread count. */
#ifndef MODEL_GIBBS_H
#define MODEL_GIBBS_H

#include "base/run.h"
#include "math/csr.h"

#include <stdbool.h>

struct rng;

enum { GIBBS_FACTORS = 256 }; /* at most */

/* What is held still while rows of one side are solved for. */
struct gibbs_half {
    size_t d;
    const float *W;         /* (others, d) their vectors, with 1 in the place of the bias */
    const float *bias;      /* (others) */
    const float *Y;         /* (others, d) what being seen with each adds; NULL = nothing */
    const float *mean;      /* (d) of the rows' distribution */
    const float *precision; /* (d, d) of it, row-major */
    float noise;            /* α */
};

/* Floats of 16-float aligned scratch for a row of n entries. */
size_t gibbs_scratch(size_t d, size_t n);

/* x (d): the row's vector, its bias last, drawn with rng, or with NULL its mean. prior (d): the
 * mean before the ratings count. rating (n): NAN = seen, but not rated. n d² / 2 + d³ / 3
 * multiply-adds. */
void gibbs_row(const struct gibbs_half *h, const uint32_t *index, const float *rating, size_t n,
               struct rng *rng, float *x, float *prior, float *scratch);

struct gibbs_settings {
    size_t factors; /* d: at least 2 */
    size_t burn;    /* iterations before the first sample is kept */
    size_t every;   /* iterations from one to the next */
    size_t samples;
    double spread; /* see gaussian.h */
    bool implicit;
    double deviation; /* of ratings, in stars: what errors are told in */
};

/* Told of sample number `sample`; what h points to changes after the call. */
typedef void gibbs_keep_fn(void *ctx, size_t sample, const struct gibbs_half *h);

/* R (users, items) and its transpose hold ratings, NAN as above. Reports the stage "training", and
 * of each iteration the "rmse" (base/run.h) over R: that of one sample, so it comes to rest at the
 * noise of the ratings, and the mean of samples errs less. PAL_ENOMEM, PAL_EINTERRUPTED. */
MUST_USE enum pal_status gibbs_run(const struct gibbs_settings *set, const struct csr *R,
                                   const struct csr *by_item, const struct run *run,
                                   gibbs_keep_fn *keep, void *ctx, struct pal_error *err);

/* Heap bytes that it takes. */
uint64_t gibbs_bytes(const struct gibbs_settings *set, uint64_t users, uint64_t items,
                     uint64_t entries, unsigned threads);

#endif
