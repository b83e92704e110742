/* AVX-512 (F, VL, DQ, BW): 16 floats to a register, 32 registers. The vocabulary of
 * kernels_simd.h. */
#include "math/kernels_variants.h"

#include <immintrin.h>
#include <math.h>

typedef __m512 vec;
enum { W = 16, ROWS = 8 };
#define VARIANT_NAME "avx512"
#define VARIANT_ROWS 8
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

static inline __mmask16 first(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline vec v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline vec v_part(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(first(n), p);
}

static inline void v_store(float *p, vec x)
{
    _mm512_storeu_ps(p, x);
}

static inline void v_store_part(float *p, vec x, size_t n)
{
    _mm512_mask_storeu_ps(p, first(n), x);
}

static inline vec v_set(float a)
{
    return _mm512_set1_ps(a);
}

static inline vec v_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec v_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec v_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec v_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec v_fnma(vec a, vec b, vec c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static inline float v_sum(vec x)
{
    return _mm512_reduce_add_ps(x);
}

/* In each quarter of the result: the sums of that quarter of a, b, c, d. */
static inline vec quarter_sums(vec a, vec b, vec c, vec d)
{
    vec ab = v_add(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); /* a b a b */
    vec cd = v_add(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    __m512d x = _mm512_castps_pd(ab), y = _mm512_castps_pd(cd);
    return v_add(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                 _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}

static inline void v_sums(const vec *a, float *out)
{
    vec low = quarter_sums(a[0], a[1], a[2], a[3]), high = quarter_sums(a[4], a[5], a[6], a[7]);
    vec even = _mm512_shuffle_f32x4(low, high, 0x88); /* quarters 0 2 of each */
    vec odd = _mm512_shuffle_f32x4(low, high, 0xdd);  /* quarters 1 3 of each */
    vec both = v_add(even, odd);                      /* low, low, high, high */
    both = v_add(both, _mm512_shuffle_f32x4(both, both, 0xb1));
    __m512 packed = _mm512_shuffle_f32x4(both, both, 0x88); /* low, high, low, high */
    _mm256_storeu_ps(out, _mm512_castps512_ps256(packed));
}

static inline vec v_any_lane(vec x, size_t lane)
{
    return _mm512_permutexvar_ps(_mm512_set1_epi32((int)lane), x);
}

static inline vec v_lane(vec x, size_t lane)
{
    return v_any_lane(x, lane);
}

static inline float v_first(vec x)
{
    return _mm512_cvtss_f32(x);
}

/* 14 bits by table, doubled by one step of Newton. */
static inline vec v_rsqrt(vec x)
{
    vec y = _mm512_rsqrt14_ps(x);
    vec half = v_mul(v_set(0.5f), y), xy = v_mul(x, y);
    return v_fma(half, v_fnma(xy, y, v_set(1)), y);
}

#include "math/kernels_simd.h"

/* ---- products of bytes ---- */

/* Scores of the sixteen rows whose products sum is. */
static inline void finish_block(__m512i sum, const float *scale, float t, float *out, float *best)
{
    vec score = v_mul(_mm512_cvtepi32_ps(sum), v_mul(v_load(scale), v_set(t)));
    v_store(out, score);
    *best = _mm512_reduce_max_ps(score);
}

/* The instruction takes one side without a sign, which is why the values are stored + 128: what
 * that adds is the same for all rows. Four blocks at once hide its latency. */
__attribute__((target("avx512vnni"))) static void
packed_scores_vnni(const uint8_t *A, size_t blocks, size_t groups, const int8_t *x,
                   const float *scale, float t, float *out, float *best)
{
    int32_t sum = 0;
    for (size_t c = 0; c < 4 * groups; c++)
        sum += x[c];
    const __m512i start = _mm512_set1_epi32(-128 * sum);
    size_t b = 0, block = groups * 64;
    for (; b + 4 <= blocks; b += 4, A += 4 * block) {
        __m512i s0 = start, s1 = start, s2 = start, s3 = start;
        for (size_t g = 0; g < groups; g++) {
            int32_t four;
            memcpy(&four, x + 4 * g, sizeof four);
            __m512i xv = _mm512_set1_epi32(four);
            const uint8_t *a = A + 64 * g;
            s0 = _mm512_dpbusd_epi32(s0, _mm512_load_si512(a), xv);
            s1 = _mm512_dpbusd_epi32(s1, _mm512_load_si512(a + block), xv);
            s2 = _mm512_dpbusd_epi32(s2, _mm512_load_si512(a + 2 * block), xv);
            s3 = _mm512_dpbusd_epi32(s3, _mm512_load_si512(a + 3 * block), xv);
        }
        finish_block(s0, scale + 16 * b, t, out + 16 * b, best + b);
        finish_block(s1, scale + 16 * b + 16, t, out + 16 * b + 16, best + b + 1);
        finish_block(s2, scale + 16 * b + 32, t, out + 16 * b + 32, best + b + 2);
        finish_block(s3, scale + 16 * b + 48, t, out + 16 * b + 48, best + b + 3);
    }
    for (; b < blocks; b++, A += block) {
        __m512i s = start;
        for (size_t g = 0; g < groups; g++) {
            int32_t four;
            memcpy(&four, x + 4 * g, sizeof four);
            s = _mm512_dpbusd_epi32(s, _mm512_load_si512(A + 64 * g), _mm512_set1_epi32(four));
        }
        finish_block(s, scale + 16 * b, t, out + 16 * b, best + b);
    }
}

/* The first processors with AVX-512 don't have that instruction. */
static void packed_scores(const uint8_t *A, size_t blocks, size_t groups, const int8_t *x,
                          const float *scale, float t, float *out, float *best)
{
    if (__builtin_cpu_supports("avx512vnni"))
        packed_scores_vnni(A, blocks, groups, x, scale, t, out, best);
    else
        kernels_avx2.packed_scores(A, blocks, groups, x, scale, t, out, best);
}

static unsigned reaching(const float *about, const float *norm, const float *error, float by_norm,
                         float by_error, float floor)
{
    vec x = v_fma(v_load(norm), v_set(by_norm), v_load(about));
    x = v_fma(v_load(error), v_set(by_error), x);
    return _mm512_cmp_ps_mask(x, v_set(floor), _CMP_GE_OQ);
}

static size_t count_from(const float *x, size_t n, float floor)
{
    size_t count = 0, i = 0;
    vec least = v_set(floor);
    for (; i + W <= n; i += W)
        count += (size_t)__builtin_popcount(_mm512_cmp_ps_mask(v_load(x + i), least, _CMP_GE_OQ));
    if (i < n)
        count += (size_t)__builtin_popcount(
            _mm512_mask_cmp_ps_mask(first(n - i), v_part(x + i, n - i), least, _CMP_GE_OQ));
    return count;
}

static void range(const float *x, size_t n, float *low, float *high)
{
    const vec none = v_set(-INFINITY);
    vec least = v_set(INFINITY), most = none;
    for (size_t i = 0; i < n; i += W) {
        __mmask16 here = n - i < W ? first(n - i) : 0xffff;
        vec some = _mm512_mask_loadu_ps(none, here, x + i);
        here = _mm512_cmp_ps_mask(some, none, _CMP_GT_OQ);
        least = _mm512_mask_min_ps(least, here, least, some);
        most = _mm512_max_ps(most, some);
    }
    *low = _mm512_reduce_min_ps(least);
    *high = _mm512_reduce_max_ps(most);
}

/* Sixteen at a time are compared with each. Those before them need to be at least as large, those
 * after them larger, and among themselves it depends. */
static void ranks(const float *x, size_t n, uint32_t *rank)
{
    const __m512i one = _mm512_set1_epi32(1);
    for (size_t i = 0; i < n; i += W) {
        size_t here = n - i < W ? n - i : W;
        vec some = v_part(x + i, here);
        __m512i count = _mm512_setzero_si512();
        for (size_t j = 0; j < i; j++)
            count = _mm512_mask_add_epi32(count, _mm512_cmp_ps_mask(v_set(x[j]), some, _CMP_GE_OQ),
                                          count, one);
        for (size_t j = i; j < i + here; j++) {
            __mmask16 behind = (__mmask16)(0xfffe << (j - i));
            __mmask16 before = _mm512_cmp_ps_mask(v_set(x[j]), some, _CMP_GT_OQ) |
                               _mm512_mask_cmp_ps_mask(behind, v_set(x[j]), some, _CMP_EQ_OQ);
            count = _mm512_mask_add_epi32(count, before, count, one);
        }
        for (size_t j = i + here; j < n; j++)
            count = _mm512_mask_add_epi32(count, _mm512_cmp_ps_mask(v_set(x[j]), some, _CMP_GT_OQ),
                                          count, one);
        _mm512_mask_storeu_epi32(rank + i, first(here), count);
    }
}

SIMD_TABLE(kernels_avx512);
