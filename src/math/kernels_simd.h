/* The fast kernels, written once over a small vocabulary of vector operations; kernels_avx2.c and
 * kernels_avx512.c define that vocabulary and include this file.
 *
 * The vocabulary: vec holds W floats; ROWS gathered rows are walked at once; v_load, v_store move
 * whole vectors, v_part and v_store_part the first n < W floats (the rest reads as 0); v_set,
 * v_mul, v_add, v_fma (a b + c), v_fnma (c - a b); v_sum adds a vector up; v_sums adds up each of
 * ROWS vectors; v_lane (a constant lane) and v_any_lane spread one float over all, v_first is the
 * lowest; v_rsqrt is 1 / √x to full precision.
 *
 * Gathered rows. A history names rows all over a matrix of many megabytes. A batch of them, small
 * enough for the nearest cache, goes through in phases: first all its dot products, ROWS at a time
 * and none of them waiting for another, then the weights, then the sum, with a stretch of y in
 * registers. Meanwhile the next batch is asked for. What is left to wait for is the second-level
 * cache, which gives 64 bytes in two to three cycles. (Half precision would halve that, but the
 * conversions take back what it saves: measured.)
 *
 * kernels_dense.h has the products of matrices and Cholesky. */
#include <string.h>

/* The last, maybe partial, vector and the whole ones alike. n = floats left from here. */
static inline vec v_some(const float *p, size_t n)
{
    return n >= W ? v_load(p) : v_part(p, n);
}

static inline void v_store_some(float *p, vec x, size_t n)
{
    if (n >= W)
        v_store(p, x);
    else
        v_store_part(p, x, n);
}

/* ---- vectors ---- */

static float dot(const float *x, const float *y, size_t n)
{
    vec a = v_set(0), b = v_set(0), c = v_set(0), d = v_set(0);
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        a = v_fma(v_load(x + i), v_load(y + i), a);
        b = v_fma(v_load(x + i + W), v_load(y + i + W), b);
        c = v_fma(v_load(x + i + 2 * W), v_load(y + i + 2 * W), c);
        d = v_fma(v_load(x + i + 3 * W), v_load(y + i + 3 * W), d);
    }
    for (; i < n; i += W)
        a = v_fma(v_some(x + i, n - i), v_some(y + i, n - i), a);
    return v_sum(v_add(v_add(a, b), v_add(c, d)));
}

static void axpy(float a, const float *x, float *y, size_t n)
{
    vec av = v_set(a);
    size_t i = 0;
    for (; i + W <= n; i += W)
        v_store(y + i, v_fma(av, v_load(x + i), v_load(y + i)));
    if (i < n)
        v_store_part(y + i, v_fma(av, v_part(x + i, n - i), v_part(y + i, n - i)), n - i);
}

static void scatter_axpy(float a, const uint32_t *index, const float *value, size_t k, float *acc)
{
    if (value)
        for (size_t j = 0; j < k; j++)
            acc[index[j]] += a * value[j];
    else
        for (size_t j = 0; j < k; j++)
            acc[index[j]] += a;
}

/* ---- gathered rows ---- */

enum { BATCH = 64, BATCH_BYTES = 8192 }; /* rows, and bytes of them, that go through together */

/* Points row at the next rows of the list, up to the size of a batch, and repeats the last to make
 * the groups of ROWS full; asks for those that come after. Returns how many. */
static inline size_t point_rows(const float *A, size_t cols, size_t stride, const uint32_t *index,
                                size_t j, size_t k, const float **row)
{
    size_t bytes = cols * sizeof(float), most = BATCH_BYTES / (bytes + 1) / ROWS * ROWS;
    most = most < ROWS ? ROWS : most > BATCH ? BATCH : most;
    size_t n = k - j < most ? k - j : most, after = k - j - n < most ? k - j - n : most;
    for (size_t r = 0; r < n; r++)
        row[r] = A + index[j + r] * stride;
    for (size_t r = n; r % ROWS; r++)
        row[r] = row[n - 1];
    for (size_t r = 0; r < after; r++) {
        const char *next = (const char *)(A + index[j + n + r] * stride);
        for (size_t b = 0; b < bytes; b += 64)
            __builtin_prefetch(next + b);
    }
    return n;
}

/* out[r] = dot(row[r], x) for r < ROWS */
static inline void dots(const float *const *row, size_t cols, const float *x, float *out)
{
    vec acc[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        acc[r] = v_set(0);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec xv = v_load(x + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_load(row[r] + i), xv, acc[r]);
    }
    if (i < cols) {
        vec xv = v_part(x + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_part(row[r] + i, cols - i), xv, acc[r]);
    }
    v_sums(acc, out);
}

/* y += sum of s[r] * row[r] over r < n */
static inline void axpys(const float *const *row, size_t n, size_t cols, const float *s, float *y)
{
    size_t i = 0;
    for (; i + 4 * W <= cols; i += 4 * W) {
        vec a0 = v_load(y + i), a1 = v_load(y + i + W), a2 = v_load(y + i + 2 * W);
        vec a3 = v_load(y + i + 3 * W), b0 = v_set(0), b1 = b0, b2 = b0, b3 = b0;
        size_t r = 0;
        for (; r + 2 <= n; r += 2) { /* two sums, so that neither waits for itself */
            const float *p = row[r] + i, *q = row[r + 1] + i;
            vec sp = v_set(s[r]), sq = v_set(s[r + 1]);
            a0 = v_fma(v_load(p), sp, a0);
            a1 = v_fma(v_load(p + W), sp, a1);
            a2 = v_fma(v_load(p + 2 * W), sp, a2);
            a3 = v_fma(v_load(p + 3 * W), sp, a3);
            b0 = v_fma(v_load(q), sq, b0);
            b1 = v_fma(v_load(q + W), sq, b1);
            b2 = v_fma(v_load(q + 2 * W), sq, b2);
            b3 = v_fma(v_load(q + 3 * W), sq, b3);
        }
        if (r < n) {
            const float *p = row[r] + i;
            vec sp = v_set(s[r]);
            a0 = v_fma(v_load(p), sp, a0);
            a1 = v_fma(v_load(p + W), sp, a1);
            a2 = v_fma(v_load(p + 2 * W), sp, a2);
            a3 = v_fma(v_load(p + 3 * W), sp, a3);
        }
        v_store(y + i, v_add(a0, b0));
        v_store(y + i + W, v_add(a1, b1));
        v_store(y + i + 2 * W, v_add(a2, b2));
        v_store(y + i + 3 * W, v_add(a3, b3));
    }
    for (; i + W <= cols; i += W) {
        vec a = v_load(y + i);
        for (size_t r = 0; r < n; r++)
            a = v_fma(v_load(row[r] + i), v_set(s[r]), a);
        v_store(y + i, a);
    }
    if (i < cols) {
        vec a = v_part(y + i, cols - i);
        for (size_t r = 0; r < n; r++)
            a = v_fma(v_part(row[r] + i, cols - i), v_set(s[r]), a);
        v_store_part(y + i, a, cols - i);
    }
}

static void gather_apply(const float *A, size_t cols, size_t stride, const uint32_t *index,
                         size_t k, const float *w, const float *x, const float *b, float *y)
{
    const float *row[BATCH];
    float s[BATCH];
    for (size_t j = 0, n; j < k; j += n) {
        n = point_rows(A, cols, stride, index, j, k, row);
        for (size_t r = 0; r < n; r += ROWS)
            dots(row + r, cols, x, s + r);
        for (size_t r = 0; r < n; r += W) {
            vec constant = b ? v_some(b + j + r, n - r) : v_set(0);
            v_store(s + r, v_fma(v_some(w + j + r, n - r), v_load(s + r), constant));
        }
        axpys(row, n, cols, s, y);
    }
}

static void gather_dot(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                       const float *x, float *out)
{
    const float *row[BATCH];
    float s[BATCH];
    for (size_t j = 0, n; j < k; j += n) {
        n = point_rows(A, cols, stride, index, j, k, row);
        for (size_t r = 0; r < n; r += ROWS)
            dots(row + r, cols, x, s + r);
        memcpy(out + j, s, n * sizeof *out);
    }
}

static void gather_axpy(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                        const float *a, float *y)
{
    const float *row[BATCH];
    for (size_t j = 0, n; j < k; j += n) {
        n = point_rows(A, cols, stride, index, j, k, row);
        axpys(row, n, cols, a + j, y);
    }
}

static void gemv(const float *A, size_t rows, size_t cols, size_t stride, const float *x, float *y)
{
    const float *row[ROWS];
    for (size_t i = 0; i < rows; i += ROWS) {
        for (size_t r = 0; r < ROWS; r++)
            row[r] = A + (i + r < rows ? i + r : rows - 1) * stride;
        float s[ROWS];
        dots(row, cols, x, s);
        memcpy(y + i, s, (rows - i < ROWS ? rows - i : ROWS) * sizeof *y);
    }
}

#include "math/kernels_dense.h"

/* One table for the file that includes this. */
#define SIMD_TABLE(variant)                                                                        \
    const struct kernels variant = {                                                               \
        .name = VARIANT_NAME,                                                                      \
        .dot = dot,                                                                                \
        .axpy = axpy,                                                                              \
        .gemv = gemv,                                                                              \
        .gemm = gemm,                                                                              \
        .gather_dot = gather_dot,                                                                  \
        .gather_axpy = gather_axpy,                                                                \
        .gather_apply = gather_apply,                                                              \
        .gather_syrk = gather_syrk,                                                                \
        .scatter_axpy = scatter_axpy,                                                              \
        .cholesky_factor = factor,                                                                 \
        .cholesky_solve = solve,                                                                   \
    }
