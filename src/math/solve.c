/* See solve.h; the Cholesky itself is a kernel. */
#include "math/solve.h"

#include "math/kernels.h"

#include <math.h>

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

/* How far to go along p, or 0 where that can't be told. */
static float cg_length(float rr, float curvature)
{
    float length = rr / curvature;
    return rr > 1e-20f && curvature > 0 && isfinite(length) ? length : 0;
}

void cg_last_step(size_t d, float rr, float curvature, float *x, const float *p)
{
    float length = cg_length(rr, curvature);
    if (length > 0)
        kernels()->axpy(length, p, x, d);
}

float cg_step(size_t d, float rr, float *x, float *r, float *p, const float *q)
{
    const struct kernels *k = kernels();
    float length = cg_length(rr, k->dot(p, q, d));
    if (!(length > 0))
        return rr;
    k->axpy(length, p, x, d);
    k->axpy(-length, q, r, d);
    float rr_new = k->dot(r, r, d);
    float keep = rr_new / rr;
    for (size_t i = 0; i < d; i++)
        p[i] = r[i] + keep * p[i];
    return rr_new;
}
