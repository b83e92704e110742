/* The variants that kernels.c chooses from. */
#ifndef MATH_KERNELS_VARIANTS_H
#define MATH_KERNELS_VARIANTS_H

#include "math/kernels.h"

#include <math.h>

extern const struct kernels kernels_plain;
#ifdef __x86_64__
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
#endif

/* How far a step of conjugate gradients goes along p, or 0 where that can't be told. */
static inline float cg_length(float rz, float curvature)
{
    float length = rz / curvature;
    return rz > 1e-30f && curvature > 0 && isfinite(length) ? length : 0;
}

#endif
