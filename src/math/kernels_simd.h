/* The fast kernels, written once over a small vocabulary of vector operations; kernels_avx2.c and
 * kernels_avx512.c define that vocabulary and include this file.
 *
 * The vocabulary: vec holds W floats; ROWS gathered rows are walked at once; v_load, v_store move
 * whole vectors, v_part and v_store_part the first n < W floats (the rest reads as 0); v_half and
 * v_half_part load half precision; v_set, v_mul, v_add, v_fma (a b + c), v_fnma (c - a b);
 * v_sum adds a vector up; v_sums adds up each of ROWS vectors; v_lane (a constant lane) and
 * v_any_lane spread one float over all, v_first is the lowest; v_rsqrt is 1 / √x to full precision.
 *
 * Gathered rows. A history names rows all over a matrix of many megabytes, so the loops are bound
 * by memory: they ask for the next ROWS rows while they work on these, and do as much as they can
 * with a row while it is near. A last group that is short repeats its last row with weight 0. */
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

static void to_half(const float *x, uint16_t *out, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        v_to_half(v_load(x + i), out + i);
    if (i < n) {
        uint16_t last[W];
        v_to_half(v_part(x + i, n - i), last);
        memcpy(out + i, last, (n - i) * sizeof *out);
    }
}

/* ---- gathered rows ---- */

/* out[r] = dot(row[r], x) */
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

/* y += sum of s[r] * row[r] */
static inline void axpys(const float *const *row, size_t cols, const float *s, float *y)
{
    vec sv[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        sv[r] = v_set(s[r]);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec yv = v_load(y + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_load(row[r] + i), sv[r], yv);
        v_store(y + i, yv);
    }
    if (i < cols) {
        vec yv = v_part(y + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_part(row[r] + i, cols - i), sv[r], yv);
        v_store_part(y + i, yv, cols - i);
    }
}

static inline void halves_dots(const uint16_t *const *row, size_t cols, const float *x, float *out)
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
            acc[r] = v_fma(v_half(row[r] + i), xv, acc[r]);
    }
    if (i < cols) {
        vec xv = v_part(x + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_half_part(row[r] + i, cols - i), xv, acc[r]);
    }
    v_sums(acc, out);
}

static inline void halves_axpys(const uint16_t *const *row, size_t cols, const float *s, float *y)
{
    vec sv[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        sv[r] = v_set(s[r]);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec yv = v_load(y + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_half(row[r] + i), sv[r], yv);
        v_store(y + i, yv);
    }
    if (i < cols) {
        vec yv = v_part(y + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_half_part(row[r] + i, cols - i), sv[r], yv);
        v_store_part(y + i, yv, cols - i);
    }
}

/* Asks for the group of rows after the one at j. */
static inline void prefetch_rows(const void *A, size_t row_bytes, size_t stride_bytes,
                                 const uint32_t *index, size_t j, size_t k)
{
    size_t end = k < j + 2 * ROWS ? k : j + 2 * ROWS;
    for (size_t r = j + ROWS; r < end; r++) {
        const char *row = (const char *)A + index[r] * stride_bytes;
        for (size_t b = 0; b < row_bytes; b += 64)
            __builtin_prefetch(row + b);
    }
}

/* row[r] = the address of row index[j + r], the last one again where the list has ended. */
static inline void point_rows(const float *A, size_t stride, const uint32_t *index, size_t j,
                              size_t k, const float *row[ROWS])
{
    UNROLL
    for (size_t r = 0; r < ROWS; r++)
        row[r] = A + index[j + r < k ? j + r : k - 1] * stride;
}

static void gather_dot(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                       const float *x, float *out)
{
    const float *row[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        point_rows(A, stride, index, j, k, row);
        float s[ROWS];
        dots(row, cols, x, s);
        memcpy(out + j, s, (k - j < ROWS ? k - j : ROWS) * sizeof *out);
    }
}

static void gather_axpy(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                        const float *a, float *y)
{
    const float *row[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        point_rows(A, stride, index, j, k, row);
        float s[ROWS] = {0};
        memcpy(s, a + j, (k - j < ROWS ? k - j : ROWS) * sizeof *s);
        axpys(row, cols, s, y);
    }
}

/* s[r] = w[j + r] s[r] + b[j + r]; 0 where the list has ended. */
static inline void weigh(float *s, const float *w, const float *b, size_t j, size_t k)
{
    for (size_t r = 0; r < ROWS; r++)
        s[r] = j + r < k ? w[j + r] * s[r] + (b ? b[j + r] : 0) : 0;
}

static void gather_apply(const float *A, size_t cols, size_t stride, const uint32_t *index,
                         size_t k, const float *w, const float *x, const float *b, float *y)
{
    const float *row[ROWS];
    float s[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        point_rows(A, stride, index, j, k, row);
        dots(row, cols, x, s);
        weigh(s, w, b, j, k);
        axpys(row, cols, s, y);
    }
}

static void gather_apply_half(const uint16_t *A, size_t cols, size_t stride, const uint32_t *index,
                              size_t k, const float *w, const float *x, const float *b, float *y)
{
    const uint16_t *row[ROWS];
    float s[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        UNROLL
        for (size_t r = 0; r < ROWS; r++)
            row[r] = A + index[j + r < k ? j + r : k - 1] * stride;
        halves_dots(row, cols, x, s);
        weigh(s, w, b, j, k);
        halves_axpys(row, cols, s, y);
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
        .gather_apply_half = gather_apply_half,                                                    \
        .gather_syrk = gather_syrk,                                                                \
        .scatter_axpy = scatter_axpy,                                                              \
        .to_half = to_half,                                                                        \
        .cholesky_factor = factor,                                                                 \
        .cholesky_solve = solve,                                                                   \
    }
