/* The gradient descent of BPR; see bpr.c for the loss. */
#ifndef MODEL_BPR_TRAIN_H
#define MODEL_BPR_TRAIN_H

#include "base/run.h"
#include "math/csr.h"

enum { BPR_HARDEST = 32 };

struct bpr_settings {
    size_t factors; /* d */
    uint64_t epochs;
    float rate;           /* of the first step; falls in a line, to a twentieth */
    float regularization; /* of vectors and biases, at each step that touches them */
    float power;          /* items are drawn as negatives in proportion to (users + 1)^power */
    float dislikes;       /* the chance that a disliked item is taken where there is one */
    uint32_t hardest;     /* candidates drawn for a negative, of which the best-scored is taken */
    uint64_t seed;
};

/* How much a signed weight counts, beside the data's mean positive weight: its share of that, 5 at
 * most, so that no single event throws the vectors off. */
static inline float bpr_confidence(float weight, float mean)
{
    float c = (weight < 0 ? -weight : weight) / mean;
    return c < 5 ? c : 5;
}

/* The mean of R's positive values; 1 if it has none. */
float bpr_mean_weight(const struct csr *R);

/* R (users, items) signed weights; X (users, d), Y (items, d), bias (items) are where it starts and
 * become what it found. One epoch takes a step for each positive entry, in random order. The same
 * at any thread count. After each epoch it tells "loss" and "accuracy" (base/run.h), means over an
 * eighth of its steps as the model stood before each: of bpr.c's loss without λ, and of how often
 * the liked item was above the negative. Heap: bpr_train_bytes. PAL_EINTERRUPTED leaves them
 * half-trained. */
MUST_USE enum pal_status bpr_train(const struct csr *R, const struct bpr_settings *set, float *X,
                                   float *Y, float *bias, const struct run *run,
                                   struct pal_error *err);
uint64_t bpr_train_bytes(const struct bpr_settings *set, uint64_t users, uint64_t items,
                         uint64_t entries, unsigned threads);

#endif
