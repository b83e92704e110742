/* The inner loops, in the fastest variant this CPU can run.
 *
 * Plain C (kernels_plain.c) is the reference that is obviously right; kernels_avx2.c and
 * kernels_avx512.c do the same with wider registers, so their sums differ in the last bits: within
 * one variant every result is the same on every run and at any thread count. Vectors may start
 * anywhere and have any length. All functions may be called from any thread; none allocates.
 *
 * "Gathered" kernels walk the rows of a matrix that a list of row numbers names, as a user's
 * history names rows of the item factors, and prefetch the rows that come next. */
#ifndef MATH_KERNELS_H
#define MATH_KERNELS_H

#include "base/error.h"

enum { SGD_TARGETS = 64 };

struct kernels {
    const char *name; /* "plain", "avx2", "avx512" */

    /* sum of x[i] * y[i] over n */
    float (*dot)(const float *x, const float *y, size_t n);

    /* y += a * x; (n) both, not overlapping */
    void (*axpy)(float a, const float *x, float *y, size_t n);

    /* y = A x; A (rows, cols) row-major with `stride` floats from row to row; x (cols); y (rows) */
    void (*gemv)(const float *A, size_t rows, size_t cols, size_t stride, const float *x, float *y);

    /* C = A B for matrices that fit the cache (larger ones: dense.h); A (m, k), B (k, n), C (m, n),
     * row-major with lda, ldb, ldc floats from row to row. A row of C depends on its row of A
     * alone, to the bit, however many rows there are. */
    void (*gemm)(size_t m, size_t n, size_t k, const float *A, size_t lda, const float *B,
                 size_t ldb, float *C, size_t ldc);

    /* out[j] = dot(x, A row index[j]) for j < k: gemv over gathered rows.
     * A (any, cols), stride floats from row to row; x (cols); out (k). index goes on for `after`
     * more rows, which will be wanted next: the first of them are asked for. */
    void (*gather_dot)(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                       size_t after, const float *x, float *out);

    /* y += sum over j < k of a[j] * A row index[j]: its transpose. y (cols) */
    void (*gather_axpy)(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                        const float *a, float *y);

    /* y += sum over j < k of (w[j] * dot(x, A row index[j]) + b[j]) * A row index[j]: both of the
     * above with one pass over the rows; the matrix of gather_syrk times x. x, y (cols); w (k);
     * b (k), NULL = zeros; `after` as above */
    void (*gather_apply)(const float *A, size_t cols, size_t stride, const uint32_t *index,
                         size_t k, size_t after, const float *w, const float *x, const float *b,
                         float *y);

    /* G += sum over j < k of w[j] * outer(A row index[j]): symmetric rank-k update.
     * G (d, d) row-major, ldg floats from row to row; its upper triangle (column >= row) is
     * updated, what lies below is unspecified after the call. A (any, d), stride floats from row
     * to row; w (k) */
    void (*gather_syrk)(const float *A, size_t d, size_t stride, const uint32_t *index, size_t k,
                        const float *w, float *G, size_t ldg);

    /* acc[index[j]] += a * value[j] for j < k; no index twice. value NULL = all one */
    void (*scatter_axpy)(float a, const uint32_t *index, const float *value, size_t k, float *acc);

    /* Products of bytes, exact and so the same in every variant; see quantized.h for what they are
     * for. A (blocks, groups, 16, 4): sixteen rows at a time, four columns together, each byte the
     * value + 128, values from -127 to 127. x (4 groups) from -127 to 127. With dot the sum of
     * value * x over a row: out[row] = dot * (scale[row] * t), best[block] = the largest of its
     * sixteen. A, out and scale (16 blocks) on 64-byte borders; 4 groups up to 1024. */
    void (*packed_scores)(const uint8_t *A, size_t blocks, size_t groups, const int8_t *x,
                          const float *scale, float t, float *out, float *best);

    /* Which of sixteen have about[i] + norm[i] * by_norm + error[i] * by_error >= floor: bit i.
     * about, norm, error on 64-byte borders */
    unsigned (*reaching)(const float *about, const float *norm, const float *error, float by_norm,
                         float by_error, float floor);

    /* How many of x (n) are at least floor; x on a 64-byte border. No NaN */
    size_t (*count_from)(const float *x, size_t n, float floor);

    /* The smallest above -INFINITY and the largest of x (n) on a 64-byte border; INFINITY and
     * -INFINITY where there is none. No NaN */
    void (*range)(const float *x, size_t n, float *low, float *high);

    /* rank[i] = how many of x (n) come before x[i] when they are sorted, the largest first, equal
     * ones as they stand. n * n comparisons. No NaN */
    void (*ranks)(const float *x, size_t n, uint32_t *rank);

    /* One step of BPR (see model/bpr.c), by which user x comes to prefer item y to item z: with
     * g = rate * sigmoid(-(x·(y - z) + bias)), x becomes keep x + g (y - z), y keep y + g x, z
     * keep z - g x, all from what they were. Returns g. x, y, z (n), none overlapping. */
    float (*sgd_pair)(float *x, float *y, float *z, size_t n, float bias, float rate, float keep);

    /* One step of skip-gram with negative sampling (see model/item2vec.c): target 0 of the k rows
     * of C is what was met, the others are not. With g[j] = rate * ((j == 0) - sigmoid(x·C_j)),
     * computed first, one target after the other enters x += g[j] C_j and C_j += g[j] x, the
     * latter with x as it was. C (any, n), stride floats from row to row; x (n), not in C; index
     * (k), rows may occur twice; 1 <= k <= SGD_TARGETS */
    void (*sgd_targets)(float *x, float *C, size_t n, size_t stride, const uint32_t *index,
                        size_t k, float rate);

    /* See solve.h, whose functions call these. */
    int (*cholesky_factor)(float *A, size_t d, size_t stride);
    void (*cholesky_solve)(const float *U, size_t d, size_t stride, float *x);
    float (*cg_begin)(size_t d, float *r, float *p, float *q, const float *w);
    float (*cg_step)(size_t d, float rz, float *x, float *r, float *p, float *q, const float *m,
                     const float *w);
};

/* The table in use: the best that the CPU can run, chosen at the first call. */
const struct kernels *kernels(void);

/* Pins a variant by name ("auto", "plain", "avx2", "avx512") for the whole process; call before
 * other threads work. PAL_EUNSUPPORTED if this CPU or build can't run it. */
MUST_USE enum pal_status kernels_use(const char *name, struct pal_error *err);

/* Every variant that this CPU can run, plain first; *n receives how many. For tests and bench. */
const struct kernels *const *kernels_all(size_t *n);

#endif
