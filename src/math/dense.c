/* See dense.h.
 *
 * The inverse is the symmetric sweep operator (Goodnight, "A tutorial on the SWEEP operator", 1979)
 * over blocks of b rows. Sweeping block k of a symmetric A means
 *
 *     P = A_kk⁻¹,   A_ij -= A_ik P A_kj,   A_ik = A_ik P,   A_kk = -P      for all i, j but k
 *
 * and after every block was swept once A holds -A⁻¹. Each step is one rank-b update of the lower
 * triangle, cut into tiles that threads take in any order: n³ / 2 multiply-adds altogether, as many
 * as Cholesky + triangular inverse + product take, in one kind of loop and without a second matrix.
 * The pivots A_kk are the Schur complements that Cholesky would meet, so a positive definite A
 * needs no exchange of rows. */
#include "math/dense.h"

#include "base/mem.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

/* LAPACK's Cholesky factor and inverse from it, which OpenBLAS brings along. */
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void spotri_(const char *uplo, const int *n, float *a, const int *lda, int *info);
/* Its eigenvectors of a symmetric matrix, by divide and conquer. */
void ssyevd_(const char *jobz, const char *uplo, const int *n, float *a, const int *lda, float *w,
             float *work, const int *lwork, int *iwork, const int *liwork, int *info);

enum {
    GEMM_ROWS = 256,  /* a tile of dense_gemm */
    GEMM_COLS = 2048, /* and its width */
    BLOCK_MIN = 32,   /* rows swept at once: about n / 32, within these bounds: */
    BLOCK_MAX = 512,  /* larger spares memory traffic, smaller spares work on the diagonal */
    TILE_MIN = 512,   /* a tile of the update has at least so many rows and columns */
    MIRROR = 64,
};

/* BLAS is held to one thread while anyone is inside; the last one out restores. */
static pthread_mutex_t blas_lock = PTHREAD_MUTEX_INITIALIZER;
static int blas_users, blas_threads;

static void blas_enter(void)
{
    pthread_mutex_lock(&blas_lock);
    if (blas_users++ == 0) {
        blas_threads = openblas_get_num_threads();
        if (blas_threads != 1)
            openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&blas_lock);
}

static void blas_leave(void)
{
    pthread_mutex_lock(&blas_lock);
    if (--blas_users == 0 && blas_threads != 1)
        openblas_set_num_threads(blas_threads);
    pthread_mutex_unlock(&blas_lock);
}

struct gemm {
    size_t m, n, k, lda, ldb, ldc, across; /* across = tiles side by side */
    float alpha, beta;
    const float *A, *B;
    float *C;
    int transpose_b;
};

static void gemm_tiles(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gemm *g = ctx;
    for (size_t t = begin; t < end; t++) {
        size_t i = t / g->across * GEMM_ROWS, j = t % g->across * GEMM_COLS;
        size_t rows = g->m - i < GEMM_ROWS ? g->m - i : GEMM_ROWS;
        size_t cols = g->n - j < GEMM_COLS ? g->n - j : GEMM_COLS;
        const float *B = g->B + (g->transpose_b ? j * g->ldb : j);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, g->transpose_b ? CblasTrans : CblasNoTrans,
                    (int)rows, (int)cols, (int)g->k, g->alpha, g->A + i * g->lda, (int)g->lda, B,
                    (int)g->ldb, g->beta, g->C + i * g->ldc + j, (int)g->ldc);
    }
}

void dense_gemm(size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
                const float *B, size_t ldb, int transpose_b, float beta, float *C, size_t ldc,
                struct pool *pool)
{
    assert(lda <= INT32_MAX && ldb <= INT32_MAX && ldc <= INT32_MAX && k <= INT32_MAX);
    struct gemm g = {.m = m,
                     .n = n,
                     .k = k,
                     .lda = lda,
                     .ldb = ldb,
                     .ldc = ldc,
                     .across = (n + GEMM_COLS - 1) / GEMM_COLS,
                     .alpha = alpha,
                     .beta = beta,
                     .A = A,
                     .B = B,
                     .C = C,
                     .transpose_b = transpose_b};
    if (m == 0 || n == 0)
        return;
    blas_enter();
    pool_for(pool, (m + GEMM_ROWS - 1) / GEMM_ROWS * g.across, 1, gemm_tiles, &g);
    blas_leave();
}

struct sweep {
    float *A;
    size_t n, b;    /* rows swept at once */
    size_t tile;    /* rows and columns of a tile of the update: some blocks */
    size_t k, size; /* first row of this block and how many it has */
    float *panel;   /* (n, b) the block's columns of A, as they were */
    float *scaled;  /* (n, b) panel times P */
    float *pivot;   /* (b, b) P */
};

static size_t block_of(size_t n)
{
    size_t b = (n / 32 + BLOCK_MIN - 1) / BLOCK_MIN * BLOCK_MIN;
    return b < BLOCK_MIN ? BLOCK_MIN : b > BLOCK_MAX ? BLOCK_MAX : b;
}

/* How many rows block i has. */
static size_t block_size(const struct sweep *s, size_t i)
{
    return s->n - i * s->b < s->b ? s->n - i * s->b : s->b;
}

/* P = A_kk⁻¹, both triangles; -1 when it is not positive definite. LAPACK counts by columns, so
 * its upper triangle is our lower one. */
static int invert_pivot(struct sweep *s)
{
    int n = (int)s->size, ld = (int)s->b, info;
    for (size_t i = 0; i < s->size; i++)
        memcpy(s->pivot + i * s->b, s->A + (s->k + i) * s->n + s->k, (i + 1) * sizeof(float));
    spotrf_("U", &n, s->pivot, &ld, &info);
    if (info == 0)
        spotri_("U", &n, s->pivot, &ld, &info);
    for (size_t i = 0; i < s->size; i++) {
        if (!(s->pivot[i * s->b + i] > 0)) /* NaN comes out of an A with NaN or infinity in it */
            info = 1;
        for (size_t j = 0; j < i; j++)
            s->pivot[j * s->b + i] = s->pivot[i * s->b + j];
    }
    return info ? -1 : 0;
}

/* Blocks [begin, end) of the panel: copied out of A (from the row of A where the column lies above
 * the diagonal), multiplied by P, and the product put back into A. */
static void sweep_panel(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct sweep *s = ctx;
    for (size_t block = begin; block < end; block++) {
        size_t i0 = block * s->b, rows = block_size(s, block);
        if (i0 == s->k)
            continue;
        float *panel = s->panel + i0 * s->b, *scaled = s->scaled + i0 * s->b;
        float *below = s->A + i0 * s->n + s->k, *left = s->A + s->k * s->n + i0;
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < s->size; j++)
                panel[i * s->b + j] = i0 > s->k ? below[i * s->n + j] : left[j * s->n + i];
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)s->size,
                    (int)s->size, 1.0f, panel, (int)s->b, s->pivot, (int)s->b, 0.0f, scaled,
                    (int)s->b);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < s->size; j++)
                *(i0 > s->k ? &below[i * s->n + j] : &left[j * s->n + i]) = scaled[i * s->b + j];
    }
}

/* Tile number t of the lower triangle, by rows: t = i (i + 1) / 2 + j. */
static void tile_place(size_t t, size_t *row, size_t *col)
{
    size_t i = 0, step = (size_t)1 << 31;
    for (; step; step /= 2) /* the largest i with i (i + 1) / 2 <= t */
        if ((i + step) * (i + step + 1) / 2 <= t)
            i += step;
    *row = i;
    *col = t - i * (i + 1) / 2;
}

/* A_ij -= scaled_i panel_jᵀ for rows i of [i0, i1) and columns j of [j0, j1), which lie wholly on
 * one side of the swept block. */
static void update(const struct sweep *s, size_t i0, size_t i1, size_t j0, size_t j1)
{
    if (i0 < i1 && j0 < j1)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(i1 - i0), (int)(j1 - j0),
                    (int)s->size, -1.0f, s->scaled + i0 * s->b, (int)s->b, s->panel + j0 * s->b,
                    (int)s->b, 1.0f, s->A + i0 * s->n + j0, (int)s->n);
}

/* The same for any rectangle: what lies before the swept block and what lies after it. */
static void update_around(const struct sweep *s, size_t i0, size_t i1, size_t j0, size_t j1)
{
    size_t from = s->k, to = s->k + s->size;
    size_t i_end = i1 < from ? i1 : from, i_begin = i0 > to ? i0 : to;
    size_t j_end = j1 < from ? j1 : from, j_begin = j0 > to ? j0 : to;
    update(s, i0, i_end, j0, j_end);
    update(s, i0, i_end, j_begin, j1);
    update(s, i_begin, i1, j0, j_end);
    update(s, i_begin, i1, j_begin, j1);
}

/* The tiles [begin, end) of the lower triangle; one on the diagonal goes by blocks of rows, so that
 * little is computed above it. */
static void sweep_tiles(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct sweep *s = ctx;
    for (size_t t = begin; t < end; t++) {
        size_t i, j;
        tile_place(t, &i, &j);
        size_t i0 = i * s->tile, i1 = i0 + s->tile < s->n ? i0 + s->tile : s->n;
        if (i != j) {
            update_around(s, i0, i1, j * s->tile, (j + 1) * s->tile);
            continue;
        }
        for (size_t r = i0; r < i1; r += s->b) {
            size_t r1 = r + s->b < i1 ? r + s->b : i1;
            update_around(s, r, r1, i0, r1);
        }
    }
}

/* Turns -A⁻¹ in the lower triangle into A⁻¹ in both. */
static void negate_and_mirror(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct sweep *s = ctx;
    size_t n = s->n;
    for (size_t i0 = begin * MIRROR; i0 < end * MIRROR && i0 < n; i0 += MIRROR)
        for (size_t j0 = 0; j0 <= i0; j0 += MIRROR)
            for (size_t i = i0; i < i0 + MIRROR && i < n; i++)
                for (size_t j = j0; j < j0 + MIRROR && j <= i; j++)
                    s->A[j * n + i] = s->A[i * n + j] = -s->A[i * n + j];
}

static enum pal_status sweep_all(struct sweep *s, struct pool *pool, dense_step_fn *step,
                                 void *step_ctx, struct pal_error *err)
{
    size_t blocks = (s->n + s->b - 1) / s->b, tiles = (s->n + s->tile - 1) / s->tile;
    for (size_t block = 0; block < blocks; block++) {
        if (step && step(step_ctx, block, blocks))
            return pal_fail(err, PAL_EINTERRUPTED, "interrupted while inverting a matrix");
        s->k = block * s->b;
        s->size = block_size(s, block);
        if (invert_pivot(s))
            return pal_fail(err, PAL_EUSAGE, "the matrix is not positive definite");
        pool_for(pool, blocks, 1, sweep_panel, s);
        pool_for(pool, tiles * (tiles + 1) / 2, 1, sweep_tiles, s);
        for (size_t i = 0; i < s->size; i++)
            for (size_t j = 0; j < s->size; j++)
                s->A[(s->k + i) * s->n + s->k + j] = -s->pivot[i * s->b + j];
    }
    pool_for(pool, (s->n + MIRROR - 1) / MIRROR, 1, negate_and_mirror, s);
    return PAL_OK;
}

uint64_t dense_inverse_bytes(uint64_t n)
{
    uint64_t b = block_of(n);
    return (2 * n + b) * b * sizeof(float);
}

enum pal_status dense_inverse(float *A, size_t n, struct pool *pool, dense_step_fn *step,
                              void *step_ctx, struct pal_error *err)
{
    assert(n <= INT32_MAX);
    struct sweep s = {.A = A, .n = n, .b = block_of(n)};
    s.tile = (TILE_MIN + s.b - 1) / s.b * s.b;
    if (n == 0)
        return PAL_OK;
    s.panel = mem_aligned(n * s.b, sizeof(float));
    s.scaled = mem_aligned(n * s.b, sizeof(float));
    s.pivot = mem_aligned(s.b * s.b, sizeof(float));
    enum pal_status st;
    if (s.panel && s.scaled && s.pivot) {
        blas_enter();
        st = sweep_all(&s, pool, step, step_ctx, err);
        blas_leave();
    } else {
        st = pal_no_memory(err);
    }
    mem_free(s.panel);
    mem_free(s.scaled);
    mem_free(s.pivot);
    return st;
}

uint64_t dense_eigen_bytes(uint64_t n)
{
    return (1 + 6 * n + 2 * n * n) * sizeof(float) + (3 + 5 * n) * sizeof(int);
}

enum pal_status dense_eigen(float *A, size_t n, float *value, struct pal_error *err)
{
    assert(n <= 16384); /* the sizes of work are ints */
    int order = (int)n, works = 1 + 6 * order + 2 * order * order, iworks = 3 + 5 * order, info;
    enum pal_status st = PAL_OK;
    float *work = mem_aligned((size_t)works, sizeof *work);
    int *iwork = mem_alloc((size_t)iworks, sizeof *iwork);
    if (!work || !iwork) {
        st = pal_no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(A[i])) {
            st = pal_fail(err, PAL_EUSAGE, "the matrix has infinite numbers in it");
            goto done;
        }
    blas_enter();
    ssyevd_("V", "L", &order, A, &order, value, work, &works, iwork, &iworks, &info);
    blas_leave();
    if (info)
        st = pal_fail(err, PAL_EUSAGE, "the eigenvectors of a matrix can't be found");
done:
    mem_free(work);
    mem_free(iwork);
    return st;
}
