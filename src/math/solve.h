/* Small symmetric positive definite systems, d from 4 to 1024: one Cholesky factorization, or a few
 * steps of conjugate gradients. LAPACK is slower at these sizes: its call and thread overhead cost
 * more than the work. None of this allocates; all may be called from any thread. */
#ifndef MATH_SOLVE_H
#define MATH_SOLVE_H

#include <stddef.h>

/* Factors A = Uᵀ U in place. A (d, d) row-major with `stride` floats from row to row; its upper
 * triangle (column >= row) is read and becomes U, except that the diagonal holds 1 / U[i][i], by
 * which the solves multiply; what lies below is unspecified after the call.
 * Returns 0, or -1 when A is not positive definite. d³/3 operations. */
int cholesky_factor(float *A, size_t d, size_t stride);

/* x = (Uᵀ U)⁻¹ b in place: x holds b (d) on entry. U as cholesky_factor left it. 2 d² operations.
 */
void cholesky_solve(const float *U, size_t d, size_t stride, float *x);

/* floats from row to row that suit a (d, d) matrix: whole registers, and not a multiple of the
 * 4 KiB after which addresses fight for the same lines of the cache. */
size_t solve_stride(size_t d);

/* Conjugate gradients for A x = b (Hestenes and Stiefel 1952), preconditioned by a positive
 * diagonal m with the reciprocals w; the caller multiplies by A:
 *
 *     q = A x - b;  rz = cg_begin(d, r, p, q, w)
 *     repeat: q = A p;  rz = cg_step(d, rz, x, r, p, q, m, w)
 *
 * x, r, p, q, m, w (d). Each step moves x to the minimum along p and makes p the next direction.
 * Both leave q = m p, to which a caller whose A is m and something else need only add that, and
 * return Σ w r² for the residual r = b - A x; one of (nearly) nothing, or an infinite one, leaves
 * all as it is. */
float cg_begin(size_t d, float *r, float *p, float *q, const float *w);
float cg_step(size_t d, float rz, float *x, float *r, float *p, float *q, const float *m,
              const float *w);

/* The last step by itself, for which curvature = pᵀ A p is enough: it moves x only. */
void cg_last_step(size_t d, float rz, float curvature, float *x, const float *p);

#endif
