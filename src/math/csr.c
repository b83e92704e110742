/* See csr.h.
 *
 * The Gram matrix AᵀA of a sparse A is summed row by row (Gustavson 1978): row i of G is the sum,
 * over the users who have item i, of their rows of A times their value for i. Only columns up to i
 * are summed: since columns ascend, these are the part of the user's row before and with i itself,
 * whose length the transposition remembers (`reach`). A row of G lies in the second-level cache
 * while it grows, rows of A stream past it, and no two threads write to the same row of G. The
 * upper triangle is copied from the lower one in square tiles afterwards. */
#include "math/csr.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <string.h>

enum { GRAM_GRAIN = 8, TILE = 64 };

enum pal_status csr_alloc(struct csr *m, uint32_t rows, uint32_t cols, uint64_t entries,
                          struct pal_error *err)
{
    struct csr made = {.rows = rows, .cols = cols};
    made.start = mem_zero((size_t)rows + 1, sizeof *made.start);
    made.col = mem_aligned(entries, sizeof *made.col);
    made.val = mem_aligned(entries, sizeof *made.val);
    if (!made.start || !made.col || !made.val) {
        csr_done(&made);
        return pal_no_memory(err);
    }
    *m = made;
    return PAL_OK;
}

void csr_done(struct csr *m)
{
    mem_free(m->start);
    mem_free(m->col);
    mem_free(m->val);
    memset(m, 0, sizeof *m);
}

int csr_is_binary(const struct csr *m)
{
    uint64_t n = csr_entries(m);
    for (uint64_t i = 0; i < n; i++)
        if (m->val[i] != 1.0f)
            return 0;
    return 1;
}

/* Turns start[c] = entries of column c into where each column begins; start[cols] = all. */
static void count_columns(const struct csr *m, uint64_t *start)
{
    uint64_t n = csr_entries(m);
    for (uint64_t i = 0; i < n; i++)
        start[m->col[i] + 1]++;
    for (uint32_t c = 0; c < m->cols; c++)
        start[c + 1] += start[c];
}

/* Fills out, whose start is as count_columns leaves it; reach (entries; may be NULL) receives for
 * each of out's entries how many of its row's entries in m lie at or before it. start[c] serves as
 * the place of column c's next entry and so ends as start[c + 1] was: shifted back at the end. */
static void scatter(const struct csr *m, struct csr *out, uint32_t *reach)
{
    for (uint32_t r = 0; r < m->rows; r++)
        for (uint64_t i = m->start[r]; i < m->start[r + 1]; i++) {
            uint64_t to = out->start[m->col[i]]++;
            out->col[to] = r;
            out->val[to] = m->val[i];
            if (reach)
                reach[to] = (uint32_t)(i - m->start[r] + 1);
        }
    memmove(out->start + 1, out->start, m->cols * sizeof *out->start);
    out->start[0] = 0;
}

enum pal_status csr_transpose(const struct csr *m, struct csr *out, struct pal_error *err)
{
    struct csr made;
    enum pal_status st = csr_alloc(&made, m->cols, m->rows, csr_entries(m), err);
    if (st != PAL_OK)
        return st;
    count_columns(m, made.start);
    scatter(m, &made, NULL);
    *out = made;
    return PAL_OK;
}

struct gram {
    const struct csr *A;
    struct csr by_col;     /* A's transpose */
    const uint32_t *reach; /* (entries) see scatter */
    int binary;
    float *G;
};

static void gram_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gram *g = ctx;
    const struct csr *A = g->A, *T = &g->by_col;
    for (size_t i = begin; i < end; i++) {
        float *row = g->G + i * A->cols;
        memset(row, 0, (i + 1) * sizeof *row);
        for (uint64_t e = T->start[i]; e < T->start[i + 1]; e++) {
            uint64_t from = A->start[T->col[e]];
            kernels()->scatter_axpy(T->val[e], A->col + from, g->binary ? NULL : A->val + from,
                                    g->reach[e], row);
        }
    }
}

/* Tiles of rows [begin, end): what is below the diagonal goes above it. */
static void mirror_tiles(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct gram *g = ctx;
    size_t n = g->A->cols;
    for (size_t i0 = begin * TILE; i0 < end * TILE && i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < i0 + TILE && i < n; i++)
                for (size_t j = j0; j < j0 + TILE && j < i; j++)
                    g->G[j * n + i] = g->G[i * n + j];
}

enum pal_status csr_gram(const struct csr *A, float *G, struct pool *pool, struct pal_error *err)
{
    struct gram g = {.A = A, .G = G, .binary = csr_is_binary(A)};
    uint32_t *reach = mem_alloc(csr_entries(A), sizeof *reach);
    if (!reach)
        return pal_no_memory(err);
    enum pal_status st = csr_alloc(&g.by_col, A->cols, A->rows, csr_entries(A), err);
    if (st != PAL_OK)
        goto done;
    count_columns(A, g.by_col.start);
    scatter(A, &g.by_col, reach);
    g.reach = reach;
    pool_for(pool, A->cols, GRAM_GRAIN, gram_rows, &g);
    pool_for(pool, (A->cols + TILE - 1) / TILE, 1, mirror_tiles, &g);
done:
    csr_done(&g.by_col);
    mem_free(reach);
    return st;
}

struct sparse_gram {
    const struct csr *A;
    struct csr by_col;
    int binary;
    float *sums;     /* (threads, cols) */
    struct csr out;  /* once its rows are counted */
    uint64_t *count; /* (cols + 1), row i's at i + 1; NULL then */
};

/* Each row is summed twice, once to count what is not 0 and once to write it down: that costs less
 * than to keep rows of unknown length. */
static void sparse_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct sparse_gram *g = ctx;
    const struct csr *A = g->A, *T = &g->by_col;
    size_t n = A->cols;
    float *sum = g->sums + worker * n;
    for (size_t i = begin; i < end; i++) {
        memset(sum, 0, n * sizeof *sum);
        for (uint64_t e = T->start[i]; e < T->start[i + 1]; e++) {
            uint64_t from = A->start[T->col[e]], length = A->start[T->col[e] + 1] - from;
            kernels()->scatter_axpy(T->val[e], A->col + from, g->binary ? NULL : A->val + from,
                                    length, sum);
        }
        uint64_t to = g->count ? 0 : g->out.start[i];
        for (size_t j = 0; j < n; j++) {
            if (!g->count && sum[j] != 0) {
                g->out.col[to] = (uint32_t)j;
                g->out.val[to] = sum[j];
            }
            to += sum[j] != 0;
        }
        if (g->count)
            g->count[i + 1] = to;
    }
}

enum pal_status csr_gram_sparse(const struct csr *A, struct csr *out, struct pool *pool,
                                struct pal_error *err)
{
    struct sparse_gram g = {.A = A, .binary = csr_is_binary(A)};
    size_t n = A->cols;
    g.sums = mem_aligned(n * pool_size(pool), sizeof *g.sums);
    g.count = mem_zero(n + 1, sizeof *g.count);
    uint64_t *count = g.count;
    enum pal_status st = g.sums && count ? csr_transpose(A, &g.by_col, err) : pal_no_memory(err);
    if (st != PAL_OK)
        goto done;
    pool_for(pool, n, GRAM_GRAIN, sparse_rows, &g);
    for (size_t i = 0; i < n; i++)
        count[i + 1] += count[i];
    st = csr_alloc(&g.out, A->cols, A->cols, count[n], err);
    if (st != PAL_OK)
        goto done;
    memcpy(g.out.start, count, (n + 1) * sizeof *count);
    g.count = NULL;
    pool_for(pool, n, GRAM_GRAIN, sparse_rows, &g);
    *out = g.out;
done:
    csr_done(&g.by_col);
    mem_free(g.sums);
    mem_free(count);
    return st;
}
