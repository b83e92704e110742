/* A few steps of conjugate gradients for many rows at once; see als_solve.h for the system.
 *
 * Each step multiplies its direction p by (α0 YᵀY + λI + Σ a_i y_i y_iᵀ). The dense part is the
 * same matrix for all rows, so the directions of a block of rows go through it as one product,
 * which reads it from the cache once for all of them. The sparse part touches only a row's observed
 * vectors: one pass over them computes (y_i·p) and adds a_i (y_i·p) y_i while y_i is near. Blocks
 * are made so that all their vectors stay in the second-level cache from one step to the next: the
 * first pass fetches them from memory, the others find them there.
 *
 * A row's result doesn't depend on which rows share its block (kernels.h promises that of gemm), so
 * blocks may be cut anywhere. */
#include "model/als_rows.h"

#include "math/kernels.h"
#include "math/solve.h"

#include <string.h>

enum {
    BLOCK = 32,               /* rows solved together, at most */
    NEAR_BYTES = 1024 * 1024, /* of observed vectors in a block: half of a usual L2 */
};

/* Scratch of a block. */
struct block {
    const struct als_side *s;
    const struct csr *R;
    float *X;
    size_t row[BLOCK], count;
    size_t entries; /* observations of all of them */
    float lambda[BLOCK];
    float rr[BLOCK];
    float *start, *r, *p, *q; /* (BLOCK, d) */
    float *a, *b;             /* (entries) coefficients, row after row */
};

static size_t near_entries(const struct als_settings *set)
{
    return NEAR_BYTES / (set->factors * sizeof(float));
}

size_t als_cg_scratch(const struct als_settings *set, size_t most)
{
    size_t near = near_entries(set), entries = near > most ? near : most;
    return 4 * BLOCK * set->factors + 2 * (entries + 16);
}

/* q = A p - (with_b ? b : 0), row by row */
static void multiply(struct block *k, const float *p, int with_b)
{
    const struct als_side *s = k->s;
    size_t d = s->set.factors, at = 0;
    size_t count = k->count < 4 ? k->count : (k->count + 7) / 8 * 8; /* whole tiles are quicker */
    kernels()->gemm(count, d, d, p, d, s->gram, s->ld, k->q, d);
    for (size_t i = 0; i < k->count; i++) {
        uint64_t start = k->R->start[k->row[i]];
        size_t n = k->R->start[k->row[i] + 1] - start;
        kernels()->axpy(k->lambda[i], p + i * d, k->q + i * d, d);
        kernels()->gather_apply(s->Y, d, d, k->R->col + start, n, k->a + at, p + i * d,
                                with_b ? k->b + at : NULL, k->q + i * d);
        at += n;
    }
}

/* The last step wants no new direction, so of A p only the curvature along p, which takes half of
 * the work: pᵀA p = pᵀ(α0 YᵀY + λI) p + Σ a_i (y_i·p)². Moves each row to its minimum along p. */
static void last_step(struct block *k)
{
    const struct als_side *s = k->s;
    const struct kernels *fast = kernels();
    size_t d = s->set.factors, at = 0;
    size_t count = k->count < 4 ? k->count : (k->count + 7) / 8 * 8;
    fast->gemm(count, d, d, k->p, d, s->gram, s->ld, k->q, d);
    for (size_t i = 0; i < k->count; i++) {
        uint64_t start = k->R->start[k->row[i]];
        size_t n = k->R->start[k->row[i] + 1] - start;
        const float *p = k->p + i * d, *a = k->a + at;
        float *along = k->b + at; /* y_i·p; b has done its work in the first product */
        fast->gather_dot(s->Y, d, d, k->R->col + start, n, p, along);
        float curvature = fast->dot(p, k->q + i * d, d) + k->lambda[i] * fast->dot(p, p, d);
        for (size_t j = 0; j < n; j++)
            curvature += a[j] * along[j] * along[j];
        cg_last_step(d, k->rr[i], curvature, k->X + k->row[i] * d, p);
        at += n;
    }
}

static void gather_coefficients(struct block *k)
{
    const struct als_settings *set = &k->s->set;
    size_t d = set->factors, at = 0;
    for (size_t i = 0; i < k->count; i++) {
        uint64_t start = k->R->start[k->row[i]];
        size_t n = k->R->start[k->row[i] + 1] - start;
        als_weigh(set, k->R->val + start, n, k->a + at, k->b + at);
        for (size_t j = at; j < at + n; j++)
            k->b[j] = -k->b[j];
        k->lambda[i] = als_lambda(set, n, k->s->rows);
        memcpy(k->start + i * d, k->X + k->row[i] * d, d * sizeof *k->X);
        at += n;
    }
}

static void solve_block(struct block *k)
{
    size_t d = k->s->set.factors;
    gather_coefficients(k);
    multiply(k, k->start, 1);
    for (size_t i = 0; i < k->count * d; i++)
        k->r[i] = k->p[i] = -k->q[i];
    for (size_t i = 0; i < k->count; i++)
        k->rr[i] = kernels()->dot(k->r + i * d, k->r + i * d, d);
    for (unsigned step = 1; step < k->s->set.cg_steps; step++) {
        multiply(k, k->p, 0);
        for (size_t i = 0; i < k->count; i++)
            k->rr[i] = cg_step(d, k->rr[i], k->X + k->row[i] * d, k->r + i * d, k->p + i * d,
                               k->q + i * d);
    }
    last_step(k);
    k->count = k->entries = 0;
}

void als_cg_rows(const struct als_side *s, const struct csr *R, size_t begin, size_t end,
                 size_t most, float *X, float *scratch)
{
    size_t d = s->set.factors, near = near_entries(&s->set), room = near > most ? near : most;
    float *vectors = scratch + 2 * (room + 16);
    struct block k = {.s = s,
                      .R = R,
                      .X = X,
                      .a = scratch,
                      .b = scratch + room + 16,
                      .start = vectors,
                      .r = vectors + BLOCK * d,
                      .p = vectors + 2 * BLOCK * d,
                      .q = vectors + 3 * BLOCK * d};
    memset(vectors, 0, 4 * BLOCK * d * sizeof *vectors);
    for (size_t row = begin; row < end; row++) {
        size_t n = R->start[row + 1] - R->start[row];
        if (n >= most)
            continue;
        if (n == 0) {
            memset(X + row * d, 0, d * sizeof *X);
            continue;
        }
        if (k.count == BLOCK || (k.count > 0 && k.entries + n > near))
            solve_block(&k);
        k.row[k.count++] = row;
        k.entries += n;
    }
    if (k.count > 0)
        solve_block(&k);
}
