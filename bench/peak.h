/* The rate at which this machine can multiply and add at all: independent chains of FMA that stay
 * in registers, on every thread of a pool at once. What no kernel can exceed. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include "base/pool.h"

#include "seconds.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { PEAK_STEPS = 5000000 };

struct peak_job {
    const char *variant;
    volatile float sink[256]; /* per worker, so that no chain is left out as useless */
};

#ifdef __x86_64__
__attribute__((target("avx512f"))) static inline float chains_avx512(void)
{
    __m512 a[16], x = _mm512_set1_ps(0.9999f), y = _mm512_set1_ps(1e-9f);
    for (int i = 0; i < 16; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (long k = 0; k < PEAK_STEPS; k++)
        UNROLL
    for (int i = 0; i < 16; i++)
        a[i] = _mm512_fmadd_ps(a[i], x, y);
    for (int i = 1; i < 16; i++)
        a[0] = _mm512_add_ps(a[0], a[i]);
    return _mm512_reduce_add_ps(a[0]);
}

__attribute__((target("avx2,fma"))) static inline float chains_avx2(void)
{
    __m256 a[12], x = _mm256_set1_ps(0.9999f), y = _mm256_set1_ps(1e-9f);
    for (int i = 0; i < 12; i++)
        a[i] = _mm256_set1_ps((float)i);
    for (long k = 0; k < PEAK_STEPS; k++)
        UNROLL
    for (int i = 0; i < 12; i++)
        a[i] = _mm256_fmadd_ps(a[i], x, y);
    for (int i = 1; i < 12; i++)
        a[0] = _mm256_add_ps(a[0], a[i]);
    return _mm256_cvtss_f32(a[0]);
}
#endif

static inline void peak_worker(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct peak_job *job = ctx;
#ifdef __x86_64__
    int wide = strcmp(job->variant, "avx512") == 0;
    for (size_t i = begin; i < end; i++)
        job->sink[worker] = wide ? chains_avx512() : chains_avx2();
#endif
}

/* GF/s of a variant's instructions on all threads together, the best of ten tries; 0 where this
 * doesn't know them. */
static inline double peak_gflops(const char *variant, struct pool *pool)
{
    struct peak_job job = {.variant = variant};
    double per_step = 0, best = 0;
    clockid_t clock = pool_size(pool) == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
#ifdef __x86_64__
    per_step = strcmp(variant, "avx512") == 0 ? 16 * 32
               : strcmp(variant, "avx2") == 0 ? 12 * 16
                                              : 0;
#endif
    for (int try = 0; per_step > 0 && try < 10; try++) {
        double from = seconds_of(clock);
        pool_for(pool, pool_size(pool), 1, peak_worker, &job);
        double seconds = seconds_of(clock) - from;
        double rate = per_step * PEAK_STEPS * pool_size(pool) / seconds / 1e9;
        best = rate > best ? rate : best;
    }
    return best;
}

#endif
