/* AVX2 with FMA: 8 floats to a register, 16 registers. The vocabulary of
 * kernels_simd.h. */
#include "math/kernels_variants.h"

#include <immintrin.h>

typedef __m256 vec;
enum { W = 8, ROWS = 4 };
#define VARIANT_NAME "avx2"
#define VARIANT_ROWS 4
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

static inline __m256i first(size_t n)
{
    static const int32_t border[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const void *)(border + 8 - n));
}

static inline vec v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline vec v_part(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, first(n));
}

static inline void v_store(float *p, vec x)
{
    _mm256_storeu_ps(p, x);
}

static inline void v_store_part(float *p, vec x, size_t n)
{
    _mm256_maskstore_ps(p, first(n), x);
}

static inline vec v_set(float a)
{
    return _mm256_set1_ps(a);
}

static inline vec v_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec v_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec v_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec v_fnma(vec a, vec b, vec c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

static inline float v_sum(vec x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline void v_sums(const vec *a, float *out)
{
    vec s = _mm256_hadd_ps(_mm256_hadd_ps(a[0], a[1]), _mm256_hadd_ps(a[2], a[3]));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1)));
}

static inline vec v_any_lane(vec x, size_t lane)
{
    return _mm256_permutevar8x32_ps(x, _mm256_set1_epi32((int)lane));
}

static inline vec v_lane(vec x, size_t lane)
{
    return v_any_lane(x, lane);
}

static inline float v_first(vec x)
{
    return _mm256_cvtss_f32(x);
}

/* The table has only 12 bits here: dividing is as quick as two steps of Newton. */
static inline vec v_rsqrt(vec x)
{
    return _mm256_div_ps(v_set(1), _mm256_sqrt_ps(x));
}

#include "math/kernels_simd.h"

SIMD_TABLE(kernels_avx2);
