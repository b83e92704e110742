/* Products of users' vectors with all items: see vectors.h. One user takes one pass over Y; many
 * go through a tile of gemm, so that a stretch of Y is read once for all of them. */
#include "model/vectors.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum {
    TOGETHER = 48, /* users scored at once: what the tile of gemm is wide */
    ITEMS = 64,    /* by so many items */
};

uint64_t vectors_bytes(uint64_t items, uint64_t cols)
{
    return items * sizeof(float) + quantized_bytes(items, cols, false) +
           quantized_bytes(items, 0, true);
}

enum pal_status vectors_init(struct vectors *v, const float *Y, uint32_t items, size_t cols,
                             size_t near, struct pal_error *err)
{
    v->items = items;
    v->cols = cols;
    v->near = near;
    v->Y = Y;
    v->length = mem_alloc(items, sizeof *v->length);
    if (!v->length)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < items; i++) {
        const float *y = Y + i * cols;
        v->length[i] = sqrtf(kernels()->dot(y, y, near));
    }
    enum pal_status st = quantized_init(&v->bytes, Y, items, cols, err);
    return st == PAL_OK ? quantized_divided(&v->angles, &v->bytes, v->length, err) : st;
}

void vectors_done(struct vectors *v)
{
    quantized_done(&v->bytes);
    quantized_done(&v->angles);
    mem_free(v->length);
    v->length = NULL;
}

static void score_one(const struct vectors *v, const float *x, float *scores)
{
    kernels()->gemv(v->Y, v->items, v->cols, v->cols, x, scores);
}

/* Scores of n <= TOGETHER users. turned (cols, TOGETHER): column i is the vector of user i. */
static void score_together(const struct vectors *v, const float *turned, size_t n, float *scores)
{
    size_t d = v->cols, items = v->items;
    float part[ITEMS * TOGETHER] __attribute__((aligned(64)));
    for (size_t at = 0; at < items; at += ITEMS) {
        size_t count = items - at < ITEMS ? items - at : ITEMS;
        kernels()->gemm(count, TOGETHER, d, v->Y + at * d, d, turned, TOGETHER, part, TOGETHER);
        for (size_t row = 0; row < n; row++)
            for (size_t i = 0; i < count; i++)
                scores[row * items + at + i] = part[i * TOGETHER + row];
    }
}

enum pal_status vectors_score(const struct vectors *v, const float *users, size_t n, float *scores,
                              struct arena *tmp, struct pal_error *err)
{
    float *turned = arena_zero(tmp, v->cols * TOGETHER, sizeof *turned);
    if (!turned)
        return pal_no_memory(err);
    for (size_t at = 0; at < n; at += TOGETHER) {
        size_t count = n - at < TOGETHER ? n - at : TOGETHER;
        const float *x = users + at * v->cols;
        if (count == 1) {
            score_one(v, x, scores + at * v->items);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < v->cols; k++)
                turned[k * TOGETHER + i] = x[i * v->cols + k];
        score_together(v, turned, count, scores + at * v->items);
    }
    return PAL_OK;
}

enum pal_status vectors_top(const struct vectors *v, const float *x, const uint8_t *skip, size_t k,
                            struct arena *tmp, struct scored *out, size_t *count, bool *done,
                            struct pal_error *err)
{
    return quantized_top(&v->bytes, v->Y, x, skip, k, tmp, out, count, done, err);
}

/* y / |y|, zeros past `near`; all zeros for an item without a vector. NULL when memory is out. */
static const float *direction(const struct vectors *v, uint32_t item, struct arena *tmp)
{
    float *x = arena_zero(tmp, v->cols, sizeof *x);
    for (size_t i = 0; x && i < v->near; i++)
        x[i] = v->length[item] > 0 ? v->Y[item * v->cols + i] / v->length[item] : 0;
    return x;
}

enum pal_status vectors_similar(const struct vectors *v, uint32_t item, float *scores,
                                struct arena *tmp, struct pal_error *err)
{
    const float *x = direction(v, item, tmp);
    if (!x)
        return pal_no_memory(err);
    score_one(v, x, scores);
    for (uint32_t i = 0; i < v->items; i++)
        scores[i] = v->length[i] > 0 ? scores[i] / v->length[i] : 0;
    return PAL_OK;
}

enum pal_status vectors_nearest(const struct vectors *v, uint32_t item, size_t k, struct arena *tmp,
                                struct scored *out, size_t *count, bool *done,
                                struct pal_error *err)
{
    const float *x = direction(v, item, tmp);
    struct scored *found = arena_alloc(tmp, k + 1, sizeof *found); /* one of them may be itself */
    size_t n;
    if (!x || !found)
        return pal_no_memory(err);
    enum pal_status st = quantized_top(&v->angles, v->Y, x, NULL, k + 1, tmp, found, &n, done, err);
    if (st != PAL_OK || !*done)
        return st;
    *count = 0;
    for (size_t i = 0; i < n && *count < k; i++)
        if (found[i].index != item)
            out[(*count)++] = found[i];
    return PAL_OK;
}
