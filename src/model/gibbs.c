/* See gibbs.h. An iteration draws all users, all items, then what both are drawn from. */
#include "model/gibbs.h"

#include "base/mem.h"
#include "math/kernels.h"
#include "math/solve.h"
#include "model/gaussian.h"
#include "model/implicit.h"

#include <math.h>
#include <string.h>

enum {
    GRAIN = 16,
    CHUNKS = 32, /* sums are taken in so many parts */
    REPORT = 4,  /* iterations from one word of progress to the next */
};

/* What random numbers are for: their streams lie apart. */
enum { START, ROWS, HYPER, LINKS, NOISE, KINDS };

struct side { /* users, or items */
    const struct csr *R;
    float *W;    /* (rows, d): vectors with 1 in the place of the bias */
    float *bias; /* (rows) */
    float *E;    /* (blocks, rows, IMPLICIT_BLOCK): vectors without what was seen with them */
    struct gaussian prior;
    float *mean, *precision; /* of prior, as gibbs_half wants them */
    struct implicit seen;    /* d 0: without */
    uint64_t stream;         /* added to the kind of random numbers: 0 or 1 */
};

struct gibbs {
    const struct gibbs_settings *set;
    struct side side[2];
    double noise, error; /* the latter: the sum of squares that the noise was drawn from */
    uint64_t seed, iteration;
    struct pool *pool;
    struct side *at;        /* the side in hand */
    struct gibbs_half half; /* what it is drawn from */
    float *scratch;         /* (threads, scratch_size) */
    size_t scratch_size;
    double *chunk; /* (CHUNKS, chunk_size) */
    size_t chunk_size;
    struct moments moments;
};

static size_t padded(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* A (d, stride), z (d), weights and residuals (n) */
size_t gibbs_scratch(size_t d, size_t n)
{
    return padded(d * solve_stride(d)) + padded(d) + 2 * padded(n);
}

/* x += U⁻¹ z for normal variates z: the deviation of a draw, where A = Uᵀ U. */
static void add_noise(const float *U, size_t d, size_t stride, struct rng *rng, float *z, float *x)
{
    for (size_t i = 0; i < d; i++)
        z[i] = (float)rng_normal(rng);
    for (size_t i = d; i-- > 0;) {
        const float *row = U + i * stride;
        z[i] = (z[i] - kernels()->dot(row + i + 1, z + i + 1, d - i - 1)) * row[i];
        x[i] += z[i];
    }
}

static void find_prior(const struct gibbs_half *h, const uint32_t *index, size_t n, float *prior,
                       float *share)
{
    memcpy(prior, h->mean, h->d * sizeof *prior);
    if (!h->Y || n == 0)
        return;
    float each = 1 / sqrtf((float)n);
    for (size_t i = 0; i < n; i++)
        share[i] = each;
    kernels()->gather_axpy(h->Y, h->d, h->d, index, n, share, prior);
}

void gibbs_row(const struct gibbs_half *h, const uint32_t *index, const float *rating, size_t n,
               struct rng *rng, float *x, float *prior, float *scratch)
{
    size_t d = h->d, stride = solve_stride(d);
    float *A = scratch, *z = A + padded(d * stride), *weight = z + padded(d);
    float *error = weight + padded(n);
    find_prior(h, index, n, prior, weight);
    for (size_t i = 0; i < d; i++) {
        memcpy(A + i * stride, h->precision + i * d, d * sizeof *A);
        x[i] = kernels()->dot(h->precision + i * d, prior, d);
    }
    for (size_t i = 0; i < n; i++) {
        bool rated = !isnan(rating[i]);
        weight[i] = rated ? h->noise : 0;
        error[i] = rated ? h->noise * (rating[i] - h->bias[index[i]]) : 0;
    }
    kernels()->gather_syrk(h->W, d, d, index, n, weight, A, stride);
    kernels()->gather_axpy(h->W, d, d, index, n, error, x);
    if (cholesky_factor(A, d, stride) != 0) { /* no precision that could have been drawn */
        memcpy(x, prior, d * sizeof *x);
        return;
    }
    cholesky_solve(A, d, stride, x);
    if (rng)
        add_noise(A, d, stride, rng, z, x);
}

/* ---- making ---- */

static size_t longest_row(const struct csr *R)
{
    uint64_t most = 0;
    for (uint32_t r = 0; r < R->rows; r++)
        if (R->start[r + 1] - R->start[r] > most)
            most = R->start[r + 1] - R->start[r];
    return (size_t)most;
}

static enum pal_status side_init(struct gibbs *g, struct side *s, const struct csr *R,
                                 const struct csr *by_other, struct pal_error *err)
{
    size_t d = g->set->factors, cells = (size_t)R->rows * implicit_blocks(d) * IMPLICIT_BLOCK;
    s->R = R;
    s->W = mem_aligned((size_t)R->rows * d, sizeof *s->W);
    s->bias = mem_zero(R->rows, sizeof *s->bias);
    s->E = mem_aligned(cells, sizeof *s->E);
    s->mean = mem_zero(d, sizeof *s->mean);
    s->precision = mem_zero(d * d, sizeof *s->precision);
    if (!s->W || !s->bias || !s->E || !s->mean || !s->precision)
        return pal_no_memory(err);
    memset(s->E, 0, cells * sizeof *s->E);
    enum pal_status st = gaussian_init(&s->prior, d, 10, err);
    if (st == PAL_OK && g->set->implicit)
        st = implicit_init(&s->seen, d, R, by_other, g->pool, err);
    for (size_t i = 0; st == PAL_OK && i < d; i++)
        s->precision[i * d + i] = 10;
    return st;
}

static void side_done(struct side *s)
{
    mem_free(s->W);
    mem_free(s->bias);
    mem_free(s->E);
    mem_free(s->mean);
    mem_free(s->precision);
    gaussian_done(&s->prior);
    implicit_done(&s->seen);
}

static struct rng stream(const struct gibbs *g, uint64_t kind, uint64_t row)
{
    struct rng rng;
    rng_init(&rng, g->seed, ((g->iteration * 2 * KINDS + kind) << 33) + row);
    return rng;
}

static void start_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gibbs *g = ctx;
    const struct side *s = g->at;
    size_t d = g->set->factors;
    for (size_t r = begin; r < end; r++) {
        struct rng rng = stream(g, START + s->stream * KINDS, r);
        for (size_t k = 0; k + 1 < d; k++)
            s->W[r * d + k] = 0.1f * (float)rng_normal(&rng);
        s->W[r * d + d - 1] = 1;
    }
}

static enum pal_status gibbs_init(struct gibbs *g, const struct csr *R, const struct csr *by_item,
                                  struct pal_error *err)
{
    size_t d = g->set->factors, users = longest_row(R), items = longest_row(by_item);
    g->scratch_size = gibbs_scratch(d, users > items ? users : items);
    g->scratch = mem_aligned(g->scratch_size * pool_size(g->pool), sizeof *g->scratch);
    g->chunk_size = d + d * d;
    g->chunk = mem_alloc((CHUNKS + 1) * g->chunk_size, sizeof *g->chunk);
    if (!g->scratch || !g->chunk)
        return pal_no_memory(err);
    g->moments.sum = g->chunk + CHUNKS * g->chunk_size;
    g->moments.squares = g->moments.sum + d;
    g->side[1].stream = 1;
    enum pal_status st = side_init(g, &g->side[0], R, by_item, err);
    if (st == PAL_OK)
        st = side_init(g, &g->side[1], by_item, R, err);
    for (int i = 0; i < 2 && st == PAL_OK; i++) {
        g->at = &g->side[i];
        pool_for(g->pool, g->at->R->rows, GRAIN, start_rows, g);
    }
    return st;
}

static void gibbs_free(struct gibbs *g)
{
    side_done(&g->side[0]);
    side_done(&g->side[1]);
    mem_free(g->scratch);
    mem_free(g->chunk);
}

uint64_t gibbs_bytes(const struct gibbs_settings *set, uint64_t users, uint64_t items,
                     uint64_t entries, unsigned threads)
{
    uint64_t d = set->factors, rows = users + items, longest = users > items ? users : items;
    uint64_t cells = rows * (d + 1 + implicit_blocks(d) * IMPLICIT_BLOCK) * sizeof(float);
    if (longest > entries)
        longest = entries;
    uint64_t scratch = gibbs_scratch(d, longest) * threads * sizeof(float);
    uint64_t dense = (CHUNKS + 16) * (d + 1) * d * sizeof(double);
    uint64_t implicit = set->implicit ? 2 * implicit_bytes(d, longest, longest) : 0;
    return cells + scratch + dense + implicit;
}

/* ---- an iteration ---- */

static struct gibbs_half half_of(const struct gibbs *g, const struct side *s,
                                 const struct side *other)
{
    return (struct gibbs_half){.d = g->set->factors,
                               .W = other->W,
                               .bias = other->bias,
                               .Y = s->seen.Y,
                               .mean = s->mean,
                               .precision = s->precision,
                               .noise = (float)g->noise};
}

/* A row that nothing is known of gets the mean, and says nothing about the distribution. */
static void draw_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gibbs *g = ctx;
    const struct side *s = g->at;
    size_t d = g->set->factors;
    float x[GIBBS_FACTORS], prior[GIBBS_FACTORS], *scratch = g->scratch + worker * g->scratch_size;
    for (size_t r = begin; r < end; r++) {
        uint64_t at = s->R->start[r];
        size_t n = (size_t)(s->R->start[r + 1] - at);
        struct rng rng = stream(g, ROWS + s->stream * KINDS, r);
        gibbs_row(&g->half, s->R->col + at, s->R->val + at, n, n ? &rng : NULL, x, prior, scratch);
        memcpy(s->W + r * d, x, (d - 1) * sizeof *x);
        s->W[r * d + d - 1] = 1;
        s->bias[r] = x[d - 1];
        for (size_t k = 0; k < d; k++)
            s->E[(k / IMPLICIT_BLOCK * s->R->rows + r) * IMPLICIT_BLOCK + k % IMPLICIT_BLOCK] =
                n ? x[k] - prior[k] + s->mean[k] : 0;
    }
}

/* Part c of the sums over E. */
static void sum_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gibbs *g = ctx;
    const struct side *s = g->at;
    size_t d = g->set->factors, rows = s->R->rows;
    double x[GIBBS_FACTORS];
    for (size_t c = begin; c < end; c++) {
        double *sum = g->chunk + c * g->chunk_size, *squares = sum + d;
        memset(sum, 0, g->chunk_size * sizeof *sum);
        for (size_t r = rows * c / CHUNKS; r < rows * (c + 1) / CHUNKS; r++) {
            if (s->R->start[r] == s->R->start[r + 1])
                continue;
            for (size_t k = 0; k < d; k++)
                x[k] = s->E[(k / IMPLICIT_BLOCK * rows + r) * IMPLICIT_BLOCK + k % IMPLICIT_BLOCK];
            for (size_t a = 0; a < d; a++) {
                sum[a] += x[a];
                for (size_t b = a; b < d; b++)
                    squares[a * d + b] += x[a] * x[b];
            }
        }
    }
}

static void take_mean_off(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gibbs *g = ctx;
    struct side *s = g->at;
    size_t d = g->set->factors, rows = s->R->rows;
    for (size_t r = begin; r < end; r++)
        for (size_t k = 0; k < d; k++)
            s->E[(k / IMPLICIT_BLOCK * rows + r) * IMPLICIT_BLOCK + k % IMPLICIT_BLOCK] -=
                s->mean[k];
}

/* What the rows of a side are drawn from. */
static void draw_prior(struct gibbs *g, struct side *s)
{
    size_t d = g->set->factors;
    struct rng rng = stream(g, HYPER + s->stream * KINDS, 0);
    pool_for(g->pool, CHUNKS, 1, sum_rows, g);
    memset(g->moments.sum, 0, g->chunk_size * sizeof *g->moments.sum);
    for (size_t c = 0; c < CHUNKS; c++) /* squares lie behind the sum, in both */
        for (size_t i = 0; i < g->chunk_size; i++)
            g->moments.sum[i] += g->chunk[c * g->chunk_size + i];
    g->moments.n = 0;
    for (uint32_t r = 0; r < s->R->rows; r++)
        g->moments.n += s->R->start[r] < s->R->start[r + 1];
    gaussian_draw(&s->prior, &g->moments, s->seen.squares, s->seen.count, g->set->spread, &rng);
    for (size_t i = 0; i < d; i++)
        s->mean[i] = (float)s->prior.mean[i];
    for (size_t i = 0; i < d * d; i++)
        s->precision[i] = (float)s->prior.precision[i];
    if (!g->set->implicit)
        return;
    pool_for(g->pool, s->R->rows, GRAIN, take_mean_off, g);
    uint64_t links = (g->iteration * 2 * KINDS + LINKS + s->stream * KINDS) << 33;
    implicit_draw(&s->seen, s->E, &s->prior, g->seed, links, g->pool);
}

/* Part c of the squared errors, with the users in hand. */
static void sum_errors(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gibbs *g = ctx;
    const struct side *s = g->at;
    size_t d = g->set->factors, rows = s->R->rows;
    float x[GIBBS_FACTORS], *said = g->scratch + worker * g->scratch_size;
    for (size_t c = begin; c < end; c++) {
        double sum = 0;
        for (size_t r = rows * c / CHUNKS; r < rows * (c + 1) / CHUNKS; r++) {
            uint64_t at = s->R->start[r];
            size_t n = (size_t)(s->R->start[r + 1] - at);
            memcpy(x, s->W + r * d, d * sizeof *x);
            x[d - 1] = s->bias[r];
            kernels()->gather_dot(g->half.W, d, d, s->R->col + at, n, 0, x, said);
            for (size_t i = 0; i < n; i++) {
                float rating = s->R->val[at + i];
                float error = rating - g->half.bias[s->R->col[at + i]] - said[i];
                sum += isnan(rating) ? 0 : (double)error * error;
            }
        }
        g->chunk[c] = sum;
    }
}

static void draw_noise(struct gibbs *g, double ratings)
{
    struct rng rng = stream(g, NOISE, 0);
    double sum = 0;
    g->at = &g->side[0];
    g->half = half_of(g, &g->side[0], &g->side[1]);
    pool_for(g->pool, CHUNKS, 1, sum_errors, g);
    for (size_t c = 0; c < CHUNKS; c++)
        sum += g->chunk[c];
    g->error = sum;
    g->noise = gamma_draw((1 + ratings) / 2, &rng) / ((1 + sum) / 2);
}

static void iterate(struct gibbs *g, double ratings)
{
    for (int i = 0; i < 2; i++) {
        g->at = &g->side[i];
        g->half = half_of(g, &g->side[i], &g->side[1 - i]);
        pool_for(g->pool, g->at->R->rows, GRAIN, draw_rows, g);
    }
    draw_noise(g, ratings);
    for (int i = 0; i < 2; i++) {
        g->at = &g->side[i];
        draw_prior(g, g->at);
    }
}

enum pal_status gibbs_run(const struct gibbs_settings *set, const struct csr *R,
                          const struct csr *by_item, const struct run *run, gibbs_keep_fn *keep,
                          void *ctx, struct pal_error *err)
{
    struct gibbs g = {
        .set = set, .noise = 1, .seed = run ? run->seed : 0, .pool = run ? run->pool : NULL};
    uint64_t total = set->burn + set->every * set->samples, kept = 0;
    double ratings = 0;
    for (uint64_t i = 0; i < csr_entries(R); i++)
        ratings += !isnan(R->val[i]);
    enum pal_status st = gibbs_init(&g, R, by_item, err);
    while (st == PAL_OK && g.iteration < total) {
        if (g.iteration % REPORT == 0)
            st = run_step(run, "training", g.iteration, total, err);
        if (st != PAL_OK)
            break;
        g.iteration++;
        iterate(&g, ratings);
        run_metric(run, "rmse", g.iteration, set->deviation * sqrt(g.error / ratings));
        if (g.iteration > set->burn && (g.iteration - set->burn) % set->every == 0) {
            g.half = half_of(&g, &g.side[0], &g.side[1]);
            keep(ctx, kept++, &g.half);
        }
    }
    gibbs_free(&g);
    return st == PAL_OK ? run_step(run, "training", total, total, err) : st;
}
