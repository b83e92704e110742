/* See solve.h; the work itself is done by kernels. */
#include "math/solve.h"

#include "math/kernels_variants.h"

int cholesky_factor(float *A, size_t d, size_t stride)
{
    return kernels()->cholesky_factor(A, d, stride);
}

void cholesky_solve(const float *U, size_t d, size_t stride, float *x)
{
    kernels()->cholesky_solve(U, d, stride, x);
}

size_t solve_stride(size_t d)
{
    size_t stride = (d + 15) / 16 * 16;
    return stride % 64 == 0 ? stride + 16 : stride;
}

float cg_begin(size_t d, float *r, float *p, float *q, const float *w)
{
    return kernels()->cg_begin(d, r, p, q, w);
}

float cg_step(size_t d, float rz, float *x, float *r, float *p, float *q, const float *m,
              const float *w)
{
    return kernels()->cg_step(d, rz, x, r, p, q, m, w);
}

void cg_last_step(size_t d, float rz, float curvature, float *x, const float *p)
{
    float length = cg_length(rz, curvature);
    if (length > 0)
        kernels()->axpy(length, p, x, d);
}
