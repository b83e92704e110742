/* Large dense matrices. Row-major throughout.
 *
 * BLAS does the tiles, our pool the threads: the borders of the tiles depend on the sizes alone, so
 * that results are the same bytes at any thread count, which BLAS with threads of its own does not
 * promise. While a call runs, BLAS is held to one thread; the host's setting comes back after. */
#ifndef MATH_DENSE_H
#define MATH_DENSE_H

#include "base/error.h"
#include "base/pool.h"

/* C (m, n) = alpha * A (m, k) * B (k, n) + beta * C; ld* = floats from row to row. transpose_b: B
 * is given as (n, k). pool NULL = in the caller's thread, and then any number of threads may call
 * at once. Sizes and strides below 2^31, their products need not be. */
void dense_gemm(size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
                const float *B, size_t ldb, int transpose_b, float beta, float *C, size_t ldc,
                struct pool *pool);

/* Called as the inverse goes on, with steps done of total; not 0 = stop. */
typedef int dense_step_fn(void *ctx, size_t done, size_t total);

/* A (n, n), symmetric positive definite, becomes its inverse, both triangles filled; only the lower
 * one is read. In place: beside A it takes dense_inverse_bytes(n), O(n). Time: n³ / 2
 * multiply-adds, at nearly the rate of gemm for large n.
 * PAL_EUSAGE when A is not positive definite, PAL_EINTERRUPTED when step said so; A's content is
 * lost then. step may be NULL. */
MUST_USE enum pal_status dense_inverse(float *A, size_t n, struct pool *pool, dense_step_fn *step,
                                       void *step_ctx, struct pal_error *err);
uint64_t dense_inverse_bytes(uint64_t n);

/* A (n, n) symmetric, both triangles filled: row i becomes an eigenvector of length 1 that belongs
 * to value[i]; value (n) ascends. In the caller's thread; about 4 ms for n = 256. A's content is
 * lost when it fails: PAL_EUSAGE when A has numbers in it that are not finite. */
MUST_USE enum pal_status dense_eigen(float *A, size_t n, float *value, struct pal_error *err);
uint64_t dense_eigen_bytes(uint64_t n); /* what it takes beside A */

#endif
