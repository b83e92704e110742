/* The variants that kernels.c chooses from. */
#ifndef MATH_KERNELS_VARIANTS_H
#define MATH_KERNELS_VARIANTS_H

#include "math/kernels.h"

extern const struct kernels kernels_plain;
#ifdef __x86_64__
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
#endif

#endif
