/* From scores to predicted ratings, so that RMSE and MAE can be told of any model.
 *
 * A model with MODEL_RATES says itself how many stars (model_rate), and that is what is judged, cut
 * to the range of the training ratings. Of all others scores are made to order items. What can be
 * said honestly is how much a score adds to what is known without it. The prediction for user u and
 * item i is
 *
 *     r(u, i) = mu + b(i) + b(u) + c0 + c1 * z(u, i), cut to the range of the training ratings
 *
 * mu is the mean training rating; b(i) and b(u) are the shrunken item and user deviations of Koren
 * 2010 ("Factor in the neighbors", section 2.1: b(i) over 25 + count, then b(u) over 10 + count);
 * z is the model's score, standardized over the catalog for that user; c0 and c1 are fitted by
 * least squares on a sample of training ratings, each predicted with itself left out of b(i), b(u)
 * and the user's history. Nothing held out is looked at. A model whose scores say nothing about
 * ratings gets c1 near 0 and the figures of the baseline. */
#ifndef EVAL_RATINGS_H
#define EVAL_RATINGS_H

#include "eval/heldout.h"
#include "eval/scoring.h"

struct ratings {
    int type; /* the event type "rating" */
    double mean, low, high;
    double *sum;     /* (items) of r - mean over training ratings */
    uint32_t *count; /* (items) how many */
    double c0, c1;
};

enum { RATINGS_SAMPLE = 4096 };

/* Fits it for the model that sc scores with; sc NULL: c0 = c1 = 0, the prediction for items that a
 * model with MODEL_RATES does not know. type -1 or no training ratings: PAL_OK with count
 * NULL. */
MUST_USE enum pal_status ratings_fit(const struct dataset *d, const struct split *s,
                                     const struct weights *w, uint64_t seed, struct scoring *sc,
                                     struct ratings *out, struct pal_error *err);
void ratings_done(struct ratings *r);

/* User u's deviation b(u), from history x with interaction `without` left out (UINT64_MAX: none).
 */
double ratings_user(const struct ratings *r, const struct interactions *x, uint32_t user,
                    uint64_t without);

/* Mean and reciprocal standard deviation of a user's scores, for z. */
struct standard {
    double mean, scale;
};
struct standard ratings_standard(const float *scores, size_t n);

/* The predicted rating; user: from ratings_user. */
double ratings_predict(const struct ratings *r, double user, uint32_t item, struct standard z,
                       float score);

#endif
