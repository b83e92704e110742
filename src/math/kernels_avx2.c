/* AVX2 with FMA: 8 floats to a register, 16 registers. The vocabulary of
 * kernels_simd.h. */
#include "math/kernels_variants.h"

#include <immintrin.h>
#include <math.h>
#include <stdbool.h>

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

static inline vec v_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
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

/* value * x of 32 bytes, sums of four: the sign goes over to x, so that the pairs' sums, at most
 * 2 * 127 * 127, fit 16 bits. */
static inline __m256i four_products(const uint8_t *A, __m256i x)
{
    __m256i value = _mm256_xor_si256(_mm256_load_si256((const __m256i *)A), _mm256_set1_epi8(-128));
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(value), _mm256_sign_epi8(x, value));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static void packed_scores(const uint8_t *A, size_t blocks, size_t groups, const int8_t *x,
                          const float *scale, float t, float *out, float *best)
{
    for (size_t b = 0; b < blocks; b++, A += groups * 64) {
        __m256i low = _mm256_setzero_si256(), high = low;
        for (size_t g = 0; g < groups; g++) {
            int32_t four;
            memcpy(&four, x + 4 * g, sizeof four);
            __m256i xv = _mm256_set1_epi32(four);
            low = _mm256_add_epi32(low, four_products(A + 64 * g, xv));
            high = _mm256_add_epi32(high, four_products(A + 64 * g + 32, xv));
        }
        vec tv = v_set(t);
        vec first = v_mul(_mm256_cvtepi32_ps(low), v_mul(v_load(scale + 16 * b), tv));
        vec second = v_mul(_mm256_cvtepi32_ps(high), v_mul(v_load(scale + 16 * b + 8), tv));
        v_store(out + 16 * b, first);
        v_store(out + 16 * b + 8, second);
        vec most = _mm256_max_ps(first, second);
        most = _mm256_max_ps(most, _mm256_permute2f128_ps(most, most, 1));
        most = _mm256_max_ps(most, _mm256_shuffle_ps(most, most, 0x4e));
        best[b] = v_first(_mm256_max_ps(most, _mm256_shuffle_ps(most, most, 0xb1)));
    }
}

static unsigned reaching(const float *about, const float *norm, const float *error, float by_norm,
                         float by_error, float floor)
{
    unsigned mask = 0;
    for (int i = 0; i < 2 * W; i += W) {
        vec x = v_fma(v_load(norm + i), v_set(by_norm), v_load(about + i));
        x = v_fma(v_load(error + i), v_set(by_error), x);
        int bits = _mm256_movemask_ps(_mm256_cmp_ps(x, v_set(floor), _CMP_GE_OQ));
        mask |= (unsigned)bits << i;
    }
    return mask;
}

static size_t count_from(const float *x, size_t n, float floor)
{
    size_t count = 0, i = 0;
    vec least = v_set(floor);
    for (; i + W <= n; i += W) {
        vec is = _mm256_cmp_ps(v_load(x + i), least, _CMP_GE_OQ);
        count += (size_t)__builtin_popcount((unsigned)_mm256_movemask_ps(is));
    }
    for (; i < n; i++)
        count += x[i] >= floor;
    return count;
}

static void range(const float *x, size_t n, float *low, float *high)
{
    float lows[W], highs[W];
    const vec none = v_set(-INFINITY), all = v_set(INFINITY);
    vec least = all, most = none;
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vec some = v_load(x + i), there = _mm256_cmp_ps(some, none, _CMP_GT_OQ);
        least = _mm256_min_ps(least, _mm256_blendv_ps(all, some, there));
        most = _mm256_max_ps(most, some);
    }
    v_store(lows, least);
    v_store(highs, most);
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t j = 0; j < W; j++) {
        *low = lows[j] < *low ? lows[j] : *low;
        *high = highs[j] > *high ? highs[j] : *high;
    }
    for (; i < n; i++) {
        *low = x[i] > -INFINITY && x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

/* How many of x (n) are above a, or at least a where `equal`. */
static inline unsigned count_before(const float *x, size_t n, vec a, bool equal)
{
    unsigned count = 0;
    for (size_t j = 0; j < n; j += W) {
        vec some = v_some(x + j, n - j);
        vec is = equal ? _mm256_cmp_ps(some, a, _CMP_GE_OQ) : _mm256_cmp_ps(some, a, _CMP_GT_OQ);
        unsigned mask = (unsigned)_mm256_movemask_ps(is);
        if (n - j < W)
            mask &= (1u << (n - j)) - 1;
        count += (unsigned)__builtin_popcount(mask);
    }
    return count;
}

static void ranks(const float *x, size_t n, uint32_t *rank)
{
    for (size_t i = 0; i < n; i++) {
        vec a = v_set(x[i]);
        rank[i] = count_before(x, i, a, true) + count_before(x + i, n - i, a, false);
    }
}

SIMD_TABLE(kernels_avx2);
