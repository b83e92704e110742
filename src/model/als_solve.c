/* See als_solve.h for the system that each row solves.
 *
 * Nearly all the work of an exact half-step is Σ a_i y_i y_iᵀ, d² operations for each observation,
 * and the Cholesky, d³/3 for each row; both run in registers (math/kernels_simd.h). Rows are handed
 * to threads in small grains. The few rows with very many observations (a popular item has been
 * seen by half the users) would keep one thread busy while the others are done, so these come first
 * and are split: pieces of fixed borders each sum a matrix of their own, and the pieces of a row
 * are added in order. Which pieces there are depends on the data alone, so the result doesn't
 * depend on the number of threads. Conjugate gradients are als_cg.c's. */
#include "model/als_solve.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/dense.h"
#include "math/kernels.h"
#include "math/solve.h"
#include "model/als_rows.h"

#include <math.h>
#include <string.h>

enum {
    GRAIN = 32,          /* rows handed to a thread at a time */
    LONG = 16384,        /* observations from which a row is split… */
    PIECE = 4096,        /* …into pieces of at least so many */
    SLOTS = 16,          /* pieces in flight: each holds a d x d matrix */
    GRAM_PIECES = SLOTS, /* into which the sum YᵀY is split */
};

/* ---- the coefficients of a row ---- */

void als_weigh(const struct als_settings *set, const float *weight, size_t n, float *a, float *b)
{
    float minus = set->objective == ALS_HU ? 1 : 0;
    for (size_t j = 0; j < n; j++) {
        float w = set->alpha * weight[j];
        a[j] = fabsf(w) - minus;
        if (b)
            b[j] = w;
    }
}

float als_lambda(const struct als_settings *set, size_t n, size_t others)
{
    if (set->objective == ALS_HU || set->nu == 0)
        return set->lambda;
    return set->lambda * powf((float)n + set->alpha0 * (float)others, set->nu);
}

/* ---- the side that is held still ---- */

struct gram_job {
    const struct als_side *s;
    float alpha0;
    size_t piece;    /* rows of one */
    float *partial;  /* (GRAM_PIECES, d, ld) */
    uint32_t *index; /* (GRAM_PIECES, GRAM_STEP) */
    float *weight;   /* (GRAM_STEP) all α0 */
};

enum { GRAM_STEP = 512 };

static void sum_pieces(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct gram_job *job = ctx;
    const struct als_side *s = job->s;
    size_t d = s->set.factors;
    for (size_t p = begin; p < end; p++) {
        float *G = job->partial + p * d * s->ld;
        uint32_t *index = job->index + p * GRAM_STEP;
        size_t from = p * job->piece, to = from + job->piece;
        memset(G, 0, d * s->ld * sizeof *G);
        for (to = to < s->rows ? to : s->rows; from < to; from += GRAM_STEP) {
            size_t n = to - from < GRAM_STEP ? to - from : GRAM_STEP;
            for (size_t j = 0; j < n; j++)
                index[j] = (uint32_t)(from + j);
            kernels()->gather_syrk(s->Y, d, d, index, n, job->weight, G, s->ld);
        }
    }
}

/* Adds up the pieces in their order and mirrors the upper triangle. */
static void add_pieces(const struct gram_job *job, size_t pieces, float *gram)
{
    size_t d = job->s->set.factors, ld = job->s->ld;
    memcpy(gram, job->partial, d * ld * sizeof *gram);
    for (size_t p = 1; p < pieces; p++)
        kernels()->axpy(1, job->partial + p * d * ld, gram, d * ld);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++)
            gram[i * ld + j] = gram[j * ld + i];
}

enum pal_status als_side_init(struct als_side *s, const struct als_settings *set, const float *Y,
                              uint32_t rows, struct pool *pool, struct pal_error *err)
{
    size_t d = set->factors, ld = solve_stride(d);
    size_t pieces = rows / GRAM_STEP < 1 ? 1 : rows / GRAM_STEP;
    pieces = pieces < GRAM_PIECES ? pieces : GRAM_PIECES;
    struct als_side side = {*set, rows, Y, ld, mem_aligned(d * ld, sizeof(float)), NULL};
    struct gram_job job = {&side,
                           set->objective == ALS_HU ? 1 : set->alpha0,
                           (rows + pieces - 1) / pieces,
                           mem_aligned(pieces * d * ld, sizeof(float)),
                           mem_alloc(pieces * GRAM_STEP, sizeof(uint32_t)),
                           mem_alloc(GRAM_STEP, sizeof(float))};
    enum pal_status st = PAL_OK;
    if (!side.gram || !job.partial || !job.index || !job.weight) {
        st = pal_no_memory(err);
        goto done;
    }
    for (size_t j = 0; j < GRAM_STEP; j++)
        job.weight[j] = job.alpha0;
    pool_for(pool, pieces, 1, sum_pieces, &job);
    add_pieces(&job, pieces, side.gram);
    *s = side;
    side.gram = NULL;
done:
    mem_free(side.gram);
    mem_free(job.partial);
    mem_free(job.index);
    mem_free(job.weight);
    return st;
}

void als_side_done(struct als_side *s)
{
    mem_free(s->gram);
    mem_free(s->diagonal);
    memset(s, 0, sizeof *s);
}

/* ---- the basis in which the gram is diagonal ---- */

enum { TURN_ROWS = 64 }; /* turned at a time */

struct turn_job {
    float *X; /* (any, d) */
    size_t d;
    const float *Q; /* (d, ld) */
    size_t ld;
    float *turned; /* (workers, TURN_ROWS, d) */
};

static void turn_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct turn_job *job = ctx;
    size_t d = job->d;
    float *X = job->X + begin * d, *turned = job->turned + worker * TURN_ROWS * d;
    kernels()->gemm(end - begin, d, d, X, d, job->Q, job->ld, turned, d);
    memcpy(X, turned, (end - begin) * d * sizeof *X);
}

/* The gram becomes the diagonal matrix of its eigenvalues, Q (d, ld) has the eigenvectors as
 * columns. V: room for (d, d). */
static enum pal_status diagonalize(struct als_side *s, float *V, float *Q, struct pal_error *err)
{
    size_t d = s->set.factors, ld = s->ld;
    for (size_t i = 0; i < d; i++)
        memcpy(V + i * d, s->gram + i * ld, d * sizeof *V);
    enum pal_status st = dense_eigen(V, d, s->diagonal, err);
    if (st == PAL_EUSAGE)
        return pal_fail(err, st,
                        "the vectors of iALS have grown past all numbers: weights of events, or "
                        "alpha, are too large");
    if (st != PAL_OK)
        return st;
    memset(s->gram, 0, d * ld * sizeof *s->gram);
    for (size_t i = 0; i < d; i++) {
        s->diagonal[i] = fmaxf(s->diagonal[i], 0); /* less than that is rounding */
        s->gram[i * (ld + 1)] = s->diagonal[i];
        for (size_t j = 0; j < d; j++)
            Q[j * ld + i] = V[i * d + j];
    }
    return PAL_OK;
}

enum pal_status als_side_turn(struct als_side *s, float *Y, float *X, size_t rows,
                              struct pool *pool, struct pal_error *err)
{
    size_t d = s->set.factors;
    enum pal_status st = PAL_OK;
    float *V = mem_aligned(d * d, sizeof *V), *Q = mem_aligned(d * s->ld, sizeof *Q);
    float *turned = mem_aligned(pool_size(pool) * TURN_ROWS * d, sizeof *turned);
    s->diagonal = mem_alloc(d, sizeof *s->diagonal);
    if (!V || !Q || !turned || !s->diagonal) {
        st = pal_no_memory(err);
        goto done;
    }
    st = diagonalize(s, V, Q, err);
    if (st != PAL_OK)
        goto done;
    struct turn_job job = {Y, d, Q, s->ld, turned};
    pool_for(pool, s->rows, TURN_ROWS, turn_rows, &job);
    job.X = X;
    pool_for(pool, rows, TURN_ROWS, turn_rows, &job);
done:
    mem_free(V);
    mem_free(Q);
    mem_free(turned);
    return st;
}

/* ---- one row, exactly ---- */

static size_t whole(size_t n)
{
    return (n + 15) / 16 * 16;
}

size_t als_scratch(const struct als_side *s, size_t n)
{
    return s->set.factors * s->ld + 2 * whole(n);
}

static void add_diagonal(float *A, size_t d, size_t ld, float lambda)
{
    for (size_t i = 0; i < d; i++)
        A[i * ld + i] += lambda;
}

/* A row's matrix, factored at last. Where there is next to no regularization, rounding may leave a
 * matrix that is not positive definite: its diagonal is raised, ever more, until it is. Weights
 * past all reason, whose squares are infinite, give -1. a: room for `room` coefficients. */
static int factor_anyway(const struct als_side *s, const uint32_t *index, const float *weight,
                         size_t n, float lambda, float *A, float *a, size_t room)
{
    enum { TRIES = 10 };
    size_t d = s->set.factors;
    float more = 0;
    for (int try = 0; try < TRIES; try++) {
        memcpy(A, s->gram, d * s->ld * sizeof *A);
        for (size_t at = 0; at < n; at += room) {
            size_t count = n - at < room ? n - at : room;
            als_weigh(&s->set, weight + at, count, a, NULL);
            kernels()->gather_syrk(s->Y, d, d, index + at, count, a, A, s->ld);
        }
        for (size_t i = 0; more == 0 && i < d; i++)
            more = fmaxf(more, 1e-6f * A[i * (s->ld + 1)]);
        add_diagonal(A, d, s->ld, lambda + more);
        if (cholesky_factor(A, d, s->ld) == 0)
            return 0;
        more *= 10;
    }
    return -1;
}

/* A (in scratch) becomes the factored matrix of a row; a (n) its coefficients. */
static int factor_row(const struct als_side *s, const uint32_t *index, const float *weight,
                      size_t n, float *A, float *a)
{
    size_t d = s->set.factors;
    float lambda = als_lambda(&s->set, n, s->rows);
    memcpy(A, s->gram, d * s->ld * sizeof *A);
    kernels()->gather_syrk(s->Y, d, d, index, n, a, A, s->ld);
    add_diagonal(A, d, s->ld, lambda);
    if (cholesky_factor(A, d, s->ld) == 0)
        return 0;
    return factor_anyway(s, index, weight, n, lambda, A, a, n);
}

void als_solve_row(const struct als_side *s, const uint32_t *index, const float *weight, size_t n,
                   float *x, float *scratch)
{
    size_t d = s->set.factors;
    float *A = scratch, *a = A + d * s->ld, *b = a + whole(n);
    memset(x, 0, d * sizeof *x);
    if (n == 0)
        return;
    als_weigh(&s->set, weight, n, a, b);
    kernels()->gather_axpy(s->Y, d, d, index, n, b, x);
    if (factor_row(s, index, weight, n, A, a) == 0)
        cholesky_solve(A, d, s->ld, x);
    else
        memset(x, 0, d * sizeof *x);
}

void als_solve_for(const struct als_side *s, const uint32_t *index, const float *weight, size_t n,
                   float *x, float *scratch)
{
    size_t d = s->set.factors;
    float *A = scratch, *a = A + d * s->ld;
    als_weigh(&s->set, weight, n, a, NULL);
    if (n > 0 && factor_row(s, index, weight, n, A, a) == 0)
        cholesky_solve(A, d, s->ld, x);
    else
        memset(x, 0, d * sizeof *x);
}

/* ---- rows that are split ---- */

struct piece {
    size_t row;
    uint64_t begin, end; /* its observations, as positions in R */
};

struct half_job {
    const struct als_side *s;
    const struct csr *R;
    float *X;
    const struct run *run;
    size_t longest;        /* observations of the longest row or piece that isn't split */
    size_t scratch_floats; /* per worker */
    float *scratch;        /* (workers, scratch_floats) */
    size_t pieces;
    struct piece piece[SLOTS];
    float *sums; /* (SLOTS, d, ld) their matrices */
    float *rhs;  /* (SLOTS, d) and right sides */
};

static uint64_t row_length(const struct csr *R, size_t row)
{
    return R->start[row + 1] - R->start[row];
}

static void sum_piece(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct half_job *job = ctx;
    const struct als_side *s = job->s;
    size_t d = s->set.factors;
    float *a = job->scratch + worker * job->scratch_floats, *b = a + whole(job->longest);
    for (size_t p = begin; p < end && !als_stopped(job->run); p++) {
        const struct piece *piece = &job->piece[p];
        const uint32_t *index = job->R->col + piece->begin;
        size_t n = piece->end - piece->begin;
        float *A = job->sums + p * d * s->ld, *x = job->rhs + p * d;
        memset(A, 0, d * s->ld * sizeof *A);
        memset(x, 0, d * sizeof *x);
        als_weigh(&s->set, job->R->val + piece->begin, n, a, b);
        kernels()->gather_syrk(s->Y, d, d, index, n, a, A, s->ld);
        kernels()->gather_axpy(s->Y, d, d, index, n, b, x);
    }
}

/* x (right side) = A⁻¹ x, where A is all of the row's matrix but λ. */
static void solve_joined(const struct half_job *job, size_t row, float *A, float *x, float *scratch)
{
    const struct als_side *s = job->s;
    uint64_t n = row_length(job->R, row), at = job->R->start[row];
    size_t d = s->set.factors;
    float lambda = als_lambda(&s->set, n, s->rows);
    add_diagonal(A, d, s->ld, lambda);
    if (cholesky_factor(A, d, s->ld) == 0 || factor_anyway(s, job->R->col + at, job->R->val + at, n,
                                                           lambda, A, scratch, job->longest) == 0)
        cholesky_solve(A, d, s->ld, x);
    else
        memset(x, 0, d * sizeof *x);
}

/* [begin, end) are pieces: whoever has the first piece of a row solves that row. */
static void join_pieces(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct half_job *job = ctx;
    const struct als_side *s = job->s;
    size_t d = s->set.factors, square = d * s->ld;
    for (size_t p = begin; p < end && !als_stopped(job->run); p++) {
        size_t row = job->piece[p].row;
        if (p > 0 && job->piece[p - 1].row == row)
            continue;
        float *A = job->sums + p * square, *x = job->X + row * d;
        memcpy(x, job->rhs + p * d, d * sizeof *x);
        for (size_t q = p + 1; q < job->pieces && job->piece[q].row == row; q++) {
            kernels()->axpy(1, job->sums + q * square, A, square);
            kernels()->axpy(1, job->rhs + q * d, x, d);
        }
        kernels()->axpy(1, s->gram, A, square);
        solve_joined(job, row, A, x, job->scratch + worker * job->scratch_floats);
    }
}

static void solve_pieces(struct half_job *job)
{
    pool_for(job->run ? job->run->pool : NULL, job->pieces, 1, sum_piece, job);
    pool_for(job->run ? job->run->pool : NULL, job->pieces, 1, join_pieces, job);
    job->pieces = 0;
}

static size_t pieces_of(uint64_t n)
{
    size_t pieces = n / PIECE;
    return pieces < SLOTS ? pieces : SLOTS;
}

static void solve_long_rows(struct half_job *job)
{
    const struct csr *R = job->R;
    for (size_t row = 0; row < R->rows && !als_stopped(job->run); row++) {
        uint64_t n = row_length(R, row);
        if (n < LONG)
            continue;
        size_t pieces = pieces_of(n);
        if (job->pieces + pieces > SLOTS)
            solve_pieces(job);
        for (size_t i = 0; i < pieces; i++)
            job->piece[job->pieces++] = (struct piece){row, R->start[row] + n * i / pieces,
                                                       R->start[row] + n * (i + 1) / pieces};
    }
    if (job->pieces > 0)
        solve_pieces(job);
}

/* ---- all rows ---- */

static void solve_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct half_job *job = ctx;
    const struct als_side *s = job->s;
    const struct csr *R = job->R;
    size_t d = s->set.factors;
    float *scratch = job->scratch + worker * job->scratch_floats;
    for (size_t row = begin; row < end && !als_stopped(job->run); row++) {
        uint64_t n = row_length(R, row), at = R->start[row];
        if (n < LONG)
            als_solve_row(s, R->col + at, R->val + at, n, job->X + row * d, scratch);
    }
}

/* The longest run of observations that one thread handles at once. */
static size_t longest_piece(const struct csr *R)
{
    size_t longest = 0;
    for (size_t row = 0; row < R->rows; row++) {
        uint64_t n = row_length(R, row);
        n = n < LONG ? n : n / pieces_of(n) + 1;
        longest = n > longest ? n : longest;
    }
    return longest;
}

static enum pal_status exact_half(const struct als_side *s, const struct csr *R, float *X,
                                  const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    size_t d = s->set.factors;
    struct half_job job = {.s = s, .R = R, .X = X, .run = run, .longest = longest_piece(R)};
    enum pal_status st = PAL_OK;
    job.scratch_floats = whole(als_scratch(s, job.longest));
    job.scratch = mem_aligned(job.scratch_floats * pool_size(pool), sizeof *job.scratch);
    job.sums = mem_aligned(SLOTS * d * s->ld, sizeof *job.sums);
    job.rhs = mem_aligned(SLOTS * d, sizeof *job.rhs);
    if (!job.scratch || !job.sums || !job.rhs) {
        st = pal_no_memory(err);
        goto done;
    }
    solve_long_rows(&job);
    pool_for(pool, R->rows, GRAIN, solve_rows, &job);
    if (als_stopped(run))
        st = run_step(run, "training", 0, 0, err);
done:
    mem_free(job.scratch);
    mem_free(job.sums);
    mem_free(job.rhs);
    return st;
}

enum pal_status als_half(const struct als_side *s, const struct csr *R, float *X,
                         const struct run *run, struct pal_error *err)
{
    return s->set.cg_steps ? als_cg_half(s, R, X, run, err) : exact_half(s, R, X, run, err);
}

/* ---- the start ---- */

struct random_job {
    float *X;
    size_t d;
    double sigma;
    uint64_t seed, stream;
};

static void random_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct random_job *job = ctx;
    for (size_t row = begin; row < end; row++) {
        struct rng rng;
        rng_init(&rng, job->seed, job->stream + row);
        for (size_t i = 0; i < job->d; i++)
            job->X[row * job->d + i] = (float)(job->sigma * rng_normal(&rng));
    }
}

void als_random(float *X, uint32_t rows, size_t d, float sigma, uint64_t seed, uint64_t stream,
                struct pool *pool)
{
    struct random_job job = {X, d, sigma / sqrt((double)d), seed, stream};
    pool_for(pool, rows, 256, random_rows, &job);
}

uint64_t als_half_bytes(const struct als_settings *set, uint64_t entries, unsigned threads)
{
    struct als_side s = {.set = *set, .ld = solve_stride(set->factors)};
    uint64_t longest = entries < LONG ? entries : LONG;
    uint64_t square = (uint64_t)set->factors * s.ld;
    uint64_t exact = SLOTS * square + threads * (uint64_t)whole(als_scratch(&s, longest));
    uint64_t turn = dense_eigen_bytes(set->factors) + sizeof(float) * square * 2;
    if (set->cg_steps == 0)
        return sizeof(float) * (2 * square + exact);
    return sizeof(float) * square + turn + als_cg_bytes(entries, threads);
}
