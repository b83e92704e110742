/* Small symmetric positive definite systems, one at a time and many in a row: d from 4 to 1024.
 * LAPACK is slower at these sizes: its call and thread overhead cost more than the work. */
#ifndef MATH_SOLVE_H
#define MATH_SOLVE_H

#include <stddef.h>

/* Factors A = L Lᵀ in place (lower triangle read and written; (d, d) row-major with `stride`
 * floats from row to row). Returns 0, or -1 when A is not positive definite. */
int cholesky_factor(float *A, size_t d, size_t stride);

/* x = (L Lᵀ)⁻¹ b in place: x holds b (d) on entry. */
void cholesky_solve(const float *L, size_t d, size_t stride, float *x);

#endif
