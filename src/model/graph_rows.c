/* See graph_rows.h.
 *
 * WIDTH items at a time: their rows of P, P², … are columns of an (items, WIDTH) block. Those of P
 * are summed entry by entry; each power after is gotten from the one before by a product with A and
 * one with Aᵀ, for which an entry of A meets WIDTH numbers that lie together. Threads take groups
 * of items, each with blocks of its own, so they share nothing but A. */
#include "model/graph_rows.h"

#include "base/mem.h"
#include "math/dense.h"
#include "math/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { WIDTH = 32, LINE = 16, CHUNK = 16 }; /* CHUNK: groups of WIDTH items between two reports */

struct work {
    const struct graph_rows *g;
    struct scored *best;
    uint32_t *count;
    size_t first; /* group of the chunk that is being worked on */
    size_t bytes; /* floats of a thread's scratch */
    float *scratch;
};

/* A thread's scratch. */
struct blocks {
    float *users; /* (users, WIDTH) */
    float *power; /* (items, WIDTH) */
    float *sum;   /* (items, WIDTH) */
    float *rows;  /* (WIDTH, items) */
    float *low;   /* (WIDTH, factors) */
    float *size;  /* (items) */
};

static size_t floats_of(size_t users, size_t items, size_t factors)
{
    return users * WIDTH + 3 * items * WIDTH + WIDTH * factors + items + 64;
}

uint64_t graph_rows_bytes(uint64_t users, uint64_t items, uint64_t factors, unsigned threads)
{
    return threads * floats_of(users, items, factors) * sizeof(float);
}

uint64_t graph_rows_steps(uint64_t items)
{
    return (items + WIDTH * CHUNK - 1) / (WIDTH * CHUNK);
}

static struct blocks blocks_of(const struct work *w, unsigned worker)
{
    const struct graph_rows *g = w->g;
    size_t users = g->A->rows, items = g->A->cols;
    struct blocks b = {.users = w->scratch + worker * w->bytes};
    b.power = b.users + users * WIDTH;
    b.sum = b.power + items * WIDTH;
    b.rows = b.sum + items * WIDTH;
    b.low = b.rows + items * WIDTH;
    b.size = b.low + WIDTH * g->factors;
    return b;
}

/* out (M->rows, WIDTH) = M in */
static void multiply(const struct csr *M, const float *in, float *out)
{
    for (size_t r = 0; r < M->rows; r++) {
        uint64_t from = M->start[r];
        memset(out + r * WIDTH, 0, WIDTH * sizeof *out);
        kernels()->gather_axpy(in, WIDTH, WIDTH, M->col + from, M->start[r + 1] - from,
                               M->val + from, out + r * WIDTH);
    }
}

/* sum += a power, which sets it when first. */
static void add_power(const struct blocks *b, size_t items, float a, bool first)
{
    if (first)
        memset(b->sum, 0, items * WIDTH * sizeof *b->sum);
    kernels()->axpy(a, b->power, b->sum, items * WIDTH);
}

/* rows = transpose of sum, a cache line at a time */
static void turn(const struct blocks *b, size_t items)
{
    for (size_t i0 = 0; i0 < items; i0 += LINE)
        for (size_t c = 0; c < WIDTH; c++)
            for (size_t i = i0; i < i0 + LINE && i < items; i++)
                b->rows[c * items + i] = b->sum[i * WIDTH + c];
}

/* power = columns [item, item + n) of P, entry by entry: those of rare items are short. */
static void first_power(const struct graph_rows *g, const struct blocks *b, size_t item, size_t n)
{
    const struct csr *A = g->A, *T = g->T;
    memset(b->power, 0, (size_t)A->cols * WIDTH * sizeof *b->power);
    for (size_t c = 0; c < n; c++)
        for (uint64_t e = T->start[item + c]; e < T->start[item + c + 1]; e++)
            for (uint64_t i = A->start[T->col[e]]; i < A->start[T->col[e] + 1]; i++)
                b->power[(size_t)A->col[i] * WIDTH + c] += T->val[e] * A->val[i];
}

/* Rows [item, item + n) of the filter, to b->rows. */
static void filter_rows(const struct graph_rows *g, const struct blocks *b, size_t item, size_t n)
{
    size_t items = g->A->cols;
    for (size_t o = 0; o <= g->filter.order; o++) {
        if (o == 0) {
            first_power(g, b, item, n);
        } else {
            multiply(g->A, b->power, b->users);
            multiply(g->T, b->users, b->power);
        }
        add_power(b, items, (float)g->filter.coef[o], o == 0);
    }
    turn(b, items);
    if (!g->factors)
        return;
    for (size_t c = 0; c < n; c++)
        for (size_t f = 0; f < g->factors; f++)
            b->low[c * g->factors + f] = g->V[(item + c) * g->factors + f] * g->low[f];
    dense_gemm(n, items, g->factors, -1, b->low, g->factors, g->V, g->factors, 1, 1, b->rows, items,
               NULL);
}

static void groups(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct work *w = ctx;
    struct blocks b = blocks_of(w, worker);
    size_t items = w->g->A->cols, k = w->g->k;
    for (size_t group = begin; group < end; group++) {
        size_t item = (w->first + group) * WIDTH, n = items - item < WIDTH ? items - item : WIDTH;
        filter_rows(w->g, &b, item, n);
        for (size_t c = 0; c < n; c++) {
            float *row = b.rows + c * items;
            struct scored *best = w->best + (item + c) * k;
            for (size_t i = 0; i < items && w->g->source; i++)
                row[i] *= w->g->source[i];
            for (size_t i = 0; i < items; i++)
                b.size[i] = row[i] != 0 ? fabsf(row[i]) : -INFINITY;
            w->count[item + c] = (uint32_t)topk(b.size, items, k, best);
            for (uint32_t x = 0; x < w->count[item + c]; x++)
                best[x].score = row[best[x].index];
        }
    }
}

enum pal_status graph_rows(const struct graph_rows *g, const struct run *run, uint64_t done,
                           uint64_t total, struct scored *best, uint32_t *count,
                           struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    size_t items = g->A->cols, all = (items + WIDTH - 1) / WIDTH;
    struct work w = {.g = g, .best = best, .count = count};
    w.bytes = floats_of(g->A->rows, items, g->factors);
    w.scratch = mem_aligned(w.bytes * pool_size(pool), sizeof *w.scratch);
    enum pal_status st = w.scratch ? PAL_OK : pal_no_memory(err);
    while (st == PAL_OK && w.first < all) {
        size_t now = all - w.first < CHUNK ? all - w.first : CHUNK;
        st = run_step(run, "training", done++, total, err);
        if (st == PAL_OK)
            pool_for(pool, now, 1, groups, &w);
        w.first += now;
    }
    mem_free(w.scratch);
    return st;
}
