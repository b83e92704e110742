/* The rows of a matrix with the largest products with a vector, found through a copy of the matrix
 * in bytes: a quarter of the memory to walk through, and four times the products for an
 * instruction.
 *
 * The answer is exact: the same rows, scores and order, to the bit, as computing every product with
 * kernels()->gemv and taking topk of them. The copy only says which rows can't be among them. */
#ifndef MATH_QUANTIZED_H
#define MATH_QUANTIZED_H

#include "base/arena.h"
#include "base/error.h"
#include "math/topk.h"

#include <stdbool.h>

/* A matrix in bytes; see quantized.c. Any number of threads may read one. */
struct quantized {
    uint32_t rows;
    size_t cols, blocks, groups;
    const uint8_t *packed; /* (blocks, groups, 16, 4) value + 128 */
    float *scale;          /* (16 blocks) a row is about scale * value */
    float *norm;           /* (16 blocks) the length of that approximation… */
    float *error;          /* (16 blocks) …and of what it leaves out */
    float *most;           /* (2, whole sixteens of blocks) the largest norm and error in each */
    float *beyond;         /* (blocks) a row of this block or a later one is no longer than that */
    uint32_t *order;       /* (16 blocks) row of A at each place: the long ones first */
    float longest;         /* of all norms and errors */
    const float *divisor;  /* (rows) borrowed; NULL = ones */
    uint8_t *own;          /* packed, if it is this one's own; then so is order */
};

/* Heap bytes of a copy, and of another one that shares its bytes (divided). */
uint64_t quantized_bytes(uint64_t rows, uint64_t cols, bool divided);

/* Makes the copy of A (rows, cols), row-major without gaps, cols up to 1024, finite. */
MUST_USE enum pal_status quantized_init(struct quantized *q, const float *A, uint32_t rows,
                                        size_t cols, struct pal_error *err);

/* The same for the matrix with each row divided by divisor[row], which must outlive it, as q must:
 * products are divided, in floats, after they were computed; those of rows whose divisor is 0 are
 * 0. */
MUST_USE enum pal_status quantized_divided(struct quantized *out, const struct quantized *q,
                                           const float *divisor, struct pal_error *err);
void quantized_done(struct quantized *q); /* an all-zero struct is fine */

/* The k largest of the products of the rows of A (which q is the copy of) with x (cols), best
 * first, equal ones by ascending row, without rows that have skip[row] set (NULL = none), nor those
 * whose product is -INFINITY or NaN; out has room for k. Sets *done and *count; or *done = false
 * where the detour would not pay, which is when k is of the order of rows / 32, and when products
 * may pass the range of floats. Scratch from tmp, 13 bytes a row.
 * The more lengths differ (popularity makes them), the fewer rows are looked at. PAL_ENOMEM only.
 */
MUST_USE enum pal_status quantized_top(const struct quantized *q, const float *A, const float *x,
                                       const uint8_t *skip, size_t k, struct arena *tmp,
                                       struct scored *out, size_t *count, bool *done,
                                       struct pal_error *err);

#endif
