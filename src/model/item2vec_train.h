/* The gradient descent of item2vec; see item2vec.c for the loss. */
#ifndef MODEL_ITEM2VEC_TRAIN_H
#define MODEL_ITEM2VEC_TRAIN_H

#include "base/run.h"
#include "data/interactions.h"
#include "model/worth.h"

enum { ITEM2VEC_NEGATIVES = 32, ITEM2VEC_WINDOW = 50 };

struct item2vec_settings {
    size_t factors; /* d */
    uint64_t epochs;
    uint32_t window, negatives;
    int near;     /* contexts are within the window; 0 = anywhere in the history */
    float rate;   /* of the first step; falls in a line, to a hundredth */
    float power;  /* negatives are drawn in proportion to (count + 1)^power */
    float sample; /* items with a larger share of all events than this are thinned out; 0 = none */
    uint64_t seed;
};

/* X, C (log->items, d): the items' vectors and, as contexts, their other ones. They are where it
 * starts and become what it found. Events worth 0 or less are left out; one worth less than the
 * mean counts so much less. The same at any thread count. After each epoch it tells "loss"
 * (base/run.h): the mean over a sixteenth of its steps, each as the model stood before it. Heap:
 * item2vec_train_bytes. PAL_EINTERRUPTED leaves them half-trained. */
MUST_USE enum pal_status item2vec_train(const struct interactions *log, const struct worth *worth,
                                        const struct item2vec_settings *set, float *X, float *C,
                                        const struct run *run, struct pal_error *err);
uint64_t item2vec_train_bytes(uint64_t items, uint64_t entries, unsigned threads);

#endif
