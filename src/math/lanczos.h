/* The strongest directions of a sparse matrix: what a truncated singular value decomposition keeps
 * of its columns' side. */
#ifndef MATH_LANCZOS_H
#define MATH_LANCZOS_H

#include "math/csr.h"
#include "math/dense.h"

/* The k largest eigenvalues of AᵀA, the squares of A's singular values, and their eigenvectors, A's
 * right singular vectors.
 *
 * A (rows, cols), T its transpose. value (k) descends; V (k, cols), rows of length 1. *found <= k
 * receives how many there are: fewer where A has no more. Where the spectrum falls slowly the last
 * few are blends of neighbours; lanczos.c says how exact they are. The same bytes at any thread
 * count. Takes lanczos_bytes beside its arguments, and time for about 2k products with A and with T
 * and for 8 cols k² multiply-adds.
 * PAL_EINTERRUPTED when step (may be NULL) said so. */
MUST_USE enum pal_status lanczos(const struct csr *A, const struct csr *T, size_t k, uint64_t seed,
                                 struct pool *pool, dense_step_fn *step, void *step_ctx,
                                 float *value, float *V, size_t *found, struct pal_error *err);
uint64_t lanczos_bytes(uint64_t rows, uint64_t cols, uint64_t k);

/* How often lanczos calls step at most. */
size_t lanczos_steps(size_t cols, size_t k);

#endif
