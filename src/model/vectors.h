/* Items as vectors: what als, bpr and item2vec, whose scores are products of a user's vector with
 * each item's, have in common once they are fitted. */
#ifndef MODEL_VECTORS_H
#define MODEL_VECTORS_H

#include "math/quantized.h"
#include "model/model.h"

/* Read by any number of threads. */
struct vectors {
    uint32_t items;
    size_t cols, near;              /* of near <= cols columns is made what is similar */
    const float *Y;                 /* (items, cols), borrowed */
    float *length;                  /* (items) of the first `near` columns */
    struct quantized bytes, angles; /* Y, and Y over length, for finding the best */
};

/* Y must outlive it. cols up to 1024. items * cols operations. */
MUST_USE enum pal_status vectors_init(struct vectors *v, const float *Y, uint32_t items,
                                      size_t cols, size_t near, struct pal_error *err);
void vectors_done(struct vectors *v); /* an all-zero struct is fine */

/* Heap bytes beside Y. */
uint64_t vectors_bytes(uint64_t items, uint64_t cols);

/* scores (n, items) = the products of n users' vectors (n, cols) with all items. */
MUST_USE enum pal_status vectors_score(const struct vectors *v, const float *users, size_t n,
                                       float *scores, struct arena *tmp, struct pal_error *err);

/* For struct model_ops: retrieve for the user with vector x (cols), similar, nearest. Similar is
 * the cosine of two items' vectors; 0 for an item whose vector is nothing. */
MUST_USE enum pal_status vectors_top(const struct vectors *v, const float *x, const uint8_t *skip,
                                     size_t k, struct arena *tmp, struct scored *out, size_t *count,
                                     bool *done, struct pal_error *err);
MUST_USE enum pal_status vectors_similar(const struct vectors *v, uint32_t item, float *scores,
                                         struct arena *tmp, struct pal_error *err);
MUST_USE enum pal_status vectors_nearest(const struct vectors *v, uint32_t item, size_t k,
                                         struct arena *tmp, struct scored *out, size_t *count,
                                         bool *done, struct pal_error *err);

#endif
