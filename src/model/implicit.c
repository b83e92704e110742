/* See implicit.h. */
#include "model/implicit.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 64 };

enum pal_status implicit_init(struct implicit *t, size_t d, const struct csr *rows,
                              const struct csr *seen, struct pool *pool, struct pal_error *err)
{
    size_t others = seen->rows;
    *t = (struct implicit){.d = d, .seen = seen, .precision = 10};
    t->Y = mem_aligned(others * d, sizeof *t->Y);
    t->noise = mem_aligned(others * d, sizeof *t->noise);
    t->share = mem_zero(rows->rows, sizeof *t->share);
    t->mass = mem_zero(others, sizeof *t->mass);
    t->squares = mem_zero(d * d, sizeof *t->squares);
    t->scratch = mem_alloc(d * pool_size(pool), sizeof *t->scratch);
    if (!t->Y || !t->noise || !t->share || !t->mass || !t->squares || !t->scratch) {
        implicit_done(t);
        return pal_no_memory(err);
    }
    memset(t->Y, 0, others * d * sizeof *t->Y);
    memset(t->noise, 0, others * d * sizeof *t->noise);
    for (uint32_t r = 0; r < rows->rows; r++)
        if (rows->start[r + 1] > rows->start[r])
            t->share[r] = 1 / sqrtf((float)(rows->start[r + 1] - rows->start[r]));
    for (uint32_t j = 0; j < seen->rows; j++) {
        t->count += seen->start[j + 1] > seen->start[j];
        for (uint64_t e = seen->start[j]; e < seen->start[j + 1]; e++)
            t->mass[j] += t->share[seen->col[e]] * t->share[seen->col[e]];
    }
    return PAL_OK;
}

void implicit_done(struct implicit *t)
{
    mem_free(t->Y);
    mem_free(t->noise);
    mem_free(t->share);
    mem_free(t->mass);
    mem_free(t->squares);
    mem_free(t->scratch);
    memset(t, 0, sizeof *t);
}

uint64_t implicit_bytes(size_t d, uint64_t rows, uint64_t others)
{
    return others * (2 * d + 1) * sizeof(float) + rows * sizeof(float) + d * d * sizeof(double);
}

struct pass {
    struct implicit *t;
    float *E;
    const struct gaussian *of;
    uint64_t seed, stream;
};

static void draw_noise(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct pass *p = ctx;
    const struct implicit *t = p->t;
    double *z = t->scratch + worker * t->d;
    for (size_t j = begin; j < end; j++) {
        if (t->seen->start[j] == t->seen->start[j + 1])
            continue;
        struct rng rng;
        rng_init(&rng, p->seed, p->stream + j);
        gaussian_noise(p->of, &rng, z);
        double deviation = 1 / sqrt(t->mass[j] + t->precision);
        for (size_t k = 0; k < t->d; k++)
            t->noise[j * t->d + k] = (float)(z[k] * deviation);
    }
}

/* One block of dimensions of every y, in order. E (rows, IMPLICIT_BLOCK) is the block's. */
static void draw_block(const struct implicit *t, size_t first, float *E)
{
    size_t wide = t->d - first < IMPLICIT_BLOCK ? t->d - first : IMPLICIT_BLOCK;
    const struct csr *s = t->seen;
    for (uint32_t j = 0; j < s->rows; j++) {
        float by[IMPLICIT_BLOCK] = {0}, *y = t->Y + j * t->d + first;
        const float *noise = t->noise + j * t->d + first;
        for (uint64_t e = s->start[j]; e < s->start[j + 1]; e++) {
            const float *x = E + (size_t)s->col[e] * IMPLICIT_BLOCK, a = t->share[s->col[e]];
            for (size_t k = 0; k < IMPLICIT_BLOCK; k++)
                by[k] += a * x[k];
        }
        float certain = 1 / (t->mass[j] + (float)t->precision);
        for (size_t k = 0; k < wide; k++) {
            float drawn = (by[k] + t->mass[j] * y[k]) * certain + noise[k];
            by[k] = y[k] - drawn;
            y[k] = drawn;
        }
        for (uint64_t e = s->start[j]; e < s->start[j + 1]; e++) {
            float *x = E + (size_t)s->col[e] * IMPLICIT_BLOCK, a = t->share[s->col[e]];
            for (size_t k = 0; k < IMPLICIT_BLOCK; k++)
                x[k] += a * by[k];
        }
    }
}

static void draw_blocks(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct pass *p = ctx;
    for (size_t b = begin; b < end; b++)
        draw_block(p->t, b * IMPLICIT_BLOCK, p->E + b * p->t->seen->cols * IMPLICIT_BLOCK);
}

/* Row a of λ Σ y yᵀ. */
static void sum_squares(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct implicit *t = ((const struct pass *)ctx)->t;
    for (size_t a = begin; a < end; a++) {
        double *row = t->squares + a * t->d;
        memset(row, 0, t->d * sizeof *row);
        for (size_t j = 0; j < t->seen->rows; j++) {
            const float *y = t->Y + j * t->d;
            for (size_t b = a; b < t->d; b++)
                row[b] += (double)y[a] * y[b];
        }
    }
}

void implicit_draw(struct implicit *t, float *E, const struct gaussian *of, uint64_t seed,
                   uint64_t stream, struct pool *pool)
{
    struct pass p = {t, E, of, seed, stream};
    size_t d = t->d;
    pool_for(pool, t->seen->rows, GRAIN, draw_noise, &p);
    pool_for(pool, implicit_blocks(d), 1, draw_blocks, &p);
    pool_for(pool, d, 1, sum_squares, &p);
    double length = 0; /* Σ yᵀ Λ y */
    for (size_t a = 0; a < d; a++)
        for (size_t b = a; b < d; b++)
            length += (a == b ? 1 : 2) * t->squares[a * d + b] * of->precision[a * d + b];
    struct rng rng;
    rng_init(&rng, seed, stream + t->seen->rows);
    t->precision = gamma_draw((1 + t->count * (double)d) / 2, &rng) / ((1 + length) / 2);
    for (size_t i = 0; i < d * d; i++)
        t->squares[i] *= t->precision;
}
