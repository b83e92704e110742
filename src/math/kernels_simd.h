/* The fast kernels, written once over a small vocabulary of vector operations; kernels_avx2.c and
 * kernels_avx512.c define that vocabulary and include this file.
 *
 * The vocabulary: vec holds W floats; ROWS gathered rows are walked at once; v_load, v_store move
 * whole vectors, v_part and v_store_part the first n < W floats (the rest reads as 0); v_set,
 * v_mul, v_add, v_sub, v_fma (a b + c), v_fnma (c - a b); v_sum adds a vector up; v_sums adds up
 * each of ROWS vectors; v_lane (a constant lane) and v_any_lane spread one float over all, v_first
 * is the lowest; v_rsqrt is 1 / √x to full precision.
 *
 * Gathered rows. A history names rows all over a matrix of many megabytes. A batch of them, small
 * enough for the nearest cache, goes through in phases: first all its dot products, ROWS at a time
 * and none of them waiting for another, then the weights, then the sum, with a stretch of y in
 * registers. Meanwhile the next batch is asked for. What is left to wait for is the second-level
 * cache, which gives 64 bytes in two to three cycles. (Half precision would halve that, but the
 * conversions take back what it saves: measured.)
 *
 * kernels_dense.h has the products of matrices and Cholesky, kernels_sgd.h gradient steps. */
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

/* ---- conjugate gradients ---- */

static float start_cg(size_t d, float *r, float *p, float *q, const float *w)
{
    vec sum = v_set(0);
    for (size_t i = 0; i < d; i += W) {
        vec ri = v_mul(v_set(-1), v_some(q + i, d - i));
        vec pi = v_mul(ri, v_some(w + i, d - i));
        v_store_some(r + i, ri, d - i);
        v_store_some(p + i, pi, d - i);
        v_store_some(q + i, ri, d - i);
        sum = v_fma(ri, pi, sum);
    }
    return v_sum(sum);
}

static float step_cg(size_t d, float rz, float *x, float *r, float *p, float *q, const float *m,
                     const float *w)
{
    float length = cg_length(rz, dot(p, q, d));
    if (!(length > 0))
        return rz;
    vec a = v_set(length), sum = v_set(0);
    for (size_t i = 0; i < d; i += W) {
        size_t n = d - i;
        vec ri = v_fnma(a, v_some(q + i, n), v_some(r + i, n)), z = v_mul(ri, v_some(w + i, n));
        v_store_some(x + i, v_fma(a, v_some(p + i, n), v_some(x + i, n)), n);
        v_store_some(r + i, ri, n);
        v_store_some(q + i, z, n);
        sum = v_fma(ri, z, sum);
    }
    float rz_new = v_sum(sum);
    vec keep = v_set(rz_new / rz);
    for (size_t i = 0; i < d; i += W) {
        size_t n = d - i;
        vec pi = v_fma(keep, v_some(p + i, n), v_some(q + i, n));
        v_store_some(p + i, pi, n);
        v_store_some(q + i, v_mul(pi, v_some(m + i, n)), n);
    }
    return rz_new;
}

/* ---- gathered rows ---- */

enum { BATCH = 64, BATCH_BYTES = 8192 }; /* rows, and bytes of them, that go through together */

static inline size_t batch_of(size_t cols)
{
    size_t most = BATCH_BYTES / (cols * sizeof(float) + 1) / ROWS * ROWS;
    return most < ROWS ? ROWS : most > BATCH ? BATCH : most;
}

/* Points row at up to `most` rows of the list and repeats the last to make `most` of them. */
static inline void point_rows(const float *A, size_t stride, const uint32_t *index, size_t n,
                              size_t most, const float **row)
{
    size_t r = 0;
    for (; r < most && r < n; r++)
        row[r] = A + index[r] * stride;
    for (; r < most; r++)
        row[r] = row[r - 1];
}

/* out[r] = dot(row[r], x) for r < ROWS */
static inline void dots(const float *const *row, const float *const *next, size_t cols,
                        const float *x, float *out)
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
        if (next) {
            UNROLL
            for (int r = 0; r < ROWS; r++)
                __builtin_prefetch(next[r] + i);
        }
    }
    if (i < cols) {
        vec xv = v_part(x + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_part(row[r] + i, cols - i), xv, acc[r]);
    }
    v_sums(acc, out);
}

/* y += sum of s[r] * row[r] over r < n, which is added up first: after a hundred thousand rows y
 * may be large, and small terms would be lost one by one */
static inline void axpys(const float *const *row, size_t n, size_t cols, const float *s, float *y)
{
    size_t i = 0;
    for (; i + 4 * W <= cols; i += 4 * W) {
        vec a0 = v_set(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
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
        v_store(y + i, v_add(v_load(y + i), v_add(a0, b0)));
        v_store(y + i + W, v_add(v_load(y + i + W), v_add(a1, b1)));
        v_store(y + i + 2 * W, v_add(v_load(y + i + 2 * W), v_add(a2, b2)));
        v_store(y + i + 3 * W, v_add(v_load(y + i + 3 * W), v_add(a3, b3)));
    }
    for (; i + W <= cols; i += W) {
        vec a = v_set(0);
        for (size_t r = 0; r < n; r++)
            a = v_fma(v_load(row[r] + i), v_set(s[r]), a);
        v_store(y + i, v_add(v_load(y + i), a));
    }
    if (i < cols) {
        vec a = v_set(0);
        for (size_t r = 0; r < n; r++)
            a = v_fma(v_part(row[r] + i, cols - i), v_set(s[r]), a);
        v_store_part(y + i, v_add(v_part(y + i, cols - i), a), cols - i);
    }
}

/* Row pointers of a batch and of the one after it, which takes its place by turns. */
struct walk {
    size_t most;
    const float *rows[2][BATCH];
};

/* Gives the batch that begins at j of k rows; *next points at those that are to be asked for, of
 * which there are `after` behind the last. */
static inline size_t walk_on(struct walk *w, const float *A, size_t stride, const uint32_t *index,
                             size_t j, size_t k, size_t after, const float ***row,
                             const float ***next)
{
    size_t n = k - j < w->most ? k - j : w->most, turn = j / w->most % 2;
    *row = w->rows[turn];
    *next = w->rows[1 - turn];
    if (j == 0)
        point_rows(A, stride, index, k, w->most, *row);
    if (k + after - j > n)
        point_rows(A, stride, index + j + n, k + after - j - n, w->most, *next);
    else
        *next = *row;
    return n;
}

static void gather_apply(const float *A, size_t cols, size_t stride, const uint32_t *index,
                         size_t k, size_t after, const float *w, const float *x, const float *b,
                         float *y)
{
    struct walk walk;
    walk.most = batch_of(cols);
    float s[BATCH];
    for (size_t j = 0; j < k; j += walk.most) {
        const float **row, **next;
        size_t n = walk_on(&walk, A, stride, index, j, k, after, &row, &next);
        for (size_t r = 0; r < n; r += ROWS)
            dots(row + r, next + r, cols, x, s + r);
        for (size_t r = 0; r < n; r += W) {
            vec constant = b ? v_some(b + j + r, n - r) : v_set(0);
            v_store(s + r, v_fma(v_some(w + j + r, n - r), v_load(s + r), constant));
        }
        axpys(row, n, cols, s, y);
    }
}

static void gather_dot(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                       size_t after, const float *x, float *out)
{
    struct walk walk;
    walk.most = batch_of(cols);
    float s[BATCH];
    for (size_t j = 0; j < k; j += walk.most) {
        const float **row, **next;
        size_t n = walk_on(&walk, A, stride, index, j, k, after, &row, &next);
        for (size_t r = 0; r < n; r += ROWS)
            dots(row + r, next + r, cols, x, s + r);
        memcpy(out + j, s, n * sizeof *out);
    }
}

static void gather_axpy(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                        const float *a, float *y)
{
    const float *row[BATCH];
    size_t most = batch_of(cols);
    for (size_t j = 0; j < k; j += most) {
        size_t n = k - j < most ? k - j : most;
        point_rows(A, stride, index + j, n, most, row);
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
        dots(row, NULL, cols, x, s);
        memcpy(y + i, s, (rows - i < ROWS ? rows - i : ROWS) * sizeof *y);
    }
}

#include "math/kernels_dense.h"
#include "math/kernels_sgd.h"

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
        .packed_scores = packed_scores,                                                            \
        .reaching = reaching,                                                                      \
        .count_from = count_from,                                                                  \
        .range = range,                                                                            \
        .ranks = ranks,                                                                            \
        .cholesky_factor = factor,                                                                 \
        .cholesky_solve = solve,                                                                   \
        .cg_begin = start_cg,                                                                      \
        .cg_step = step_cg,                                                                        \
        .sgd_pair = sgd_pair,                                                                      \
        .sgd_targets = sgd_targets,                                                                \
    }
