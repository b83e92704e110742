/* See slim_solve.h. */
#include "model/slim_solve.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum {
    ACTIVE_MOST = 2048, /* the block takes 16 MB then; the least violated stay out */
    JOIN = 64,          /* violators that join at once, and as many as there are */
    SWEEPS = 10,        /* over an active set before all slopes are looked at again */
    ROUNDS = 300,
};

static const float TOLERANCE = 1e-4f; /* of the largest weight: a sweep that moves less is done */

static size_t most_of(size_t n)
{
    return n < ACTIVE_MOST ? n : ACTIVE_MOST;
}

enum pal_status slim_work_init(struct slim_work *w, size_t n, struct pal_error *err)
{
    size_t most = most_of(n);
    *w = (struct slim_work){.n = n, .most = most};
    w->slope = mem_aligned(n, sizeof *w->slope);
    w->steepness = mem_aligned(n, sizeof *w->steepness);
    w->in = mem_zero(n, sizeof *w->in);
    w->item = mem_alloc(most, sizeof *w->item);
    w->weight = mem_aligned(most, sizeof *w->weight);
    w->pull = mem_aligned(most, sizeof *w->pull);
    w->block = mem_aligned(most * most, sizeof *w->block);
    w->join = mem_alloc(most, sizeof *w->join);
    if (w->slope && w->steepness && w->in && w->item && w->weight && w->pull && w->block && w->join)
        return PAL_OK;
    slim_work_done(w);
    return pal_no_memory(err);
}

void slim_work_done(struct slim_work *w)
{
    mem_free(w->slope);
    mem_free(w->steepness);
    mem_free(w->in);
    mem_free(w->item);
    mem_free(w->weight);
    mem_free(w->pull);
    mem_free(w->block);
    mem_free(w->join);
    memset(w, 0, sizeof *w);
}

uint64_t slim_work_bytes(uint64_t n)
{
    uint64_t most = most_of(n);
    return n * (2 * sizeof(float) + 1) + most * (most + 5) * sizeof(float);
}

/* y += a G_i */
static void add_row(const struct slim_gram *G, float a, uint32_t i, float *y)
{
    if (G->dense) {
        kernels()->axpy(a, G->dense + i * G->n, y, G->n);
        return;
    }
    const struct csr *m = G->sparse;
    uint64_t begin = m->start[i], count = m->start[i + 1] - begin;
    kernels()->scatter_axpy(a, m->col + begin, m->val + begin, count, y);
}

static float entry(const struct slim_gram *G, uint32_t i, uint32_t j)
{
    if (G->dense)
        return G->dense[i * G->n + j];
    const struct csr *m = G->sparse;
    uint64_t low = m->start[i], high = m->start[i + 1], end = high;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (m->col[mid] < j)
            low = mid + 1;
        else
            high = mid;
    }
    return low < end && m->col[low] == j ? m->val[low] : 0;
}

/* slope = G_j - G w, and the active set's part of it to pull. */
static void slopes(struct slim_work *w, const struct slim_gram *G, uint32_t j)
{
    memset(w->slope, 0, w->n * sizeof *w->slope);
    add_row(G, 1, j, w->slope);
    for (size_t a = 0; a < w->count; a++)
        if (w->weight[a] != 0)
            add_row(G, -w->weight[a], w->item[a], w->slope);
    for (size_t a = 0; a < w->count; a++)
        w->pull[a] = w->slope[w->item[a]];
}

static void join(struct slim_work *w, const struct slim_gram *G, uint32_t item)
{
    size_t at = w->count++;
    w->in[item] = 1;
    w->item[at] = item;
    w->weight[at] = 0;
    w->pull[at] = w->slope[item];
    for (size_t a = 0; a <= at; a++)
        w->block[at * w->most + a] = w->block[a * w->most + at] = entry(G, item, w->item[a]);
}

/* The items outside the active set whose slope passes l1 come in, the steepest first. */
static size_t join_violators(struct slim_work *w, const struct slim_gram *G,
                             const struct slim_settings *set, uint32_t j, float slack)
{
    float floor = set->l1 + slack;
    size_t room = w->most - w->count, want = JOIN + w->count;
    for (size_t i = 0; i < w->n; i++) {
        float q = set->nonnegative ? w->slope[i] : fabsf(w->slope[i]);
        w->steepness[i] = q > floor && !w->in[i] ? q : -INFINITY;
    }
    w->steepness[j] = -INFINITY;
    size_t n = topk(w->steepness, w->n, want < room ? want : room, w->join);
    for (size_t i = 0; i < n; i++)
        join(w, G, w->join[i].index);
    return n;
}

/* One pass of coordinate descent over the active set. Returns the largest step, relative to the
 * largest weight. */
static float sweep(struct slim_work *w, const struct slim_settings *set)
{
    float largest = 0, step = 0;
    for (size_t a = 0; a < w->count; a++) {
        const float *row = w->block + a * w->most;
        float old = w->weight[a], own = row[a], q = w->pull[a] + own * old, new = 0;
        if (q > set->l1)
            new = (q - set->l1) / (own + set->l2);
        else if (q < -set->l1 && !set->nonnegative)
            new = (q + set->l1) / (own + set->l2);
        if (new != old) {
            w->weight[a] = new;
            kernels()->axpy(old - new, row, w->pull, w->count);
        }
        largest = fmaxf(largest, fabsf(new));
        step = fmaxf(step, fabsf(new - old));
    }
    return step > 0 ? step / fmaxf(largest, 1e-30f) : 0;
}

static size_t keep_largest(struct slim_work *w, size_t k, struct scored *out)
{
    float *size = w->pull; /* not wanted any more */
    for (size_t a = 0; a < w->count; a++) {
        w->in[w->item[a]] = 0;
        size[a] = w->weight[a] != 0 ? fabsf(w->weight[a]) : -INFINITY;
    }
    size_t n = topk(size, w->count, k, out);
    for (size_t i = 0; i < n; i++) {
        size_t a = out[i].index;
        out[i] = (struct scored){w->item[a], w->weight[a]};
    }
    return n;
}

size_t slim_column(struct slim_work *w, const struct slim_gram *G, const struct slim_settings *set,
                   uint32_t j, size_t k, struct scored *out)
{
    float slack = 1e-3f * set->l1 + 1e-6f * entry(G, j, j);
    w->count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        float step = 0;
        for (int i = 0; i < SWEEPS && (i == 0 || step > TOLERANCE); i++)
            step = sweep(w, set);
        slopes(w, G, j);
        if (join_violators(w, G, set, j, slack) == 0 && step <= TOLERANCE)
            break;
    }
    return keep_largest(w, k, out);
}
