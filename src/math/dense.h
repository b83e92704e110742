/* Large dense matrices, through BLAS and LAPACK. Row-major throughout. */
#ifndef MATH_DENSE_H
#define MATH_DENSE_H

#include "base/error.h"
#include "base/pool.h"

/* C (m, n) = alpha * A (m, k) * B (k, n) + beta * C; ld* = floats from row to row. transpose_b: B
 * is given as (n, k). threads: how many BLAS may use. */
void dense_gemm(size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
                const float *B, size_t ldb, int transpose_b, float beta, float *C, size_t ldc,
                unsigned threads);

/* A (n, n), symmetric positive definite, becomes its inverse, both triangles filled. In place: no
 * second n x n block is taken. PAL_EUSAGE when A is not positive definite. */
MUST_USE enum pal_status dense_inverse(float *A, size_t n, unsigned threads, struct pal_error *err);

#endif
