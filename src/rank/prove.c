/* See prove.h. */
#include "rank/prove.h"

#include "math/topk.h"

#include <math.h>
#include <string.h>

enum { LOOK = 10 };

double ndcg_at_10(const float *label, const float *score, size_t n)
{
    size_t rank[LOOK], found = 0, count[3] = {0};
    double got = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        count[(int)label[i]]++;
        if (found == LOOK && score[rank[LOOK - 1]] >= score[i])
            continue;
        size_t at = found < LOOK ? found++ : LOOK - 1;
        for (; at > 0 && score[rank[at - 1]] < score[i]; at--)
            rank[at] = rank[at - 1];
        rank[at] = i;
    }
    for (size_t i = 0; i < LOOK; i++) {
        double gain = i < count[2] ? 3 : i < count[2] + count[1] ? 1 : 0;
        got += i < found ? (exp2(label[rank[i]]) - 1) / log2((double)i + 2) : 0;
        most += gain / log2((double)i + 2);
    }
    return most > 0 ? got / most : 0;
}

/* The base and the trees for one list, whose features come row by row. */
static enum pal_status score_list(const struct forest *f, const float *x, const float *base,
                                  size_t rows, struct arena *tmp, float **out,
                                  struct pal_error *err)
{
    size_t stride = (rows + FOREST_ROWS - 1) / FOREST_ROWS * FOREST_ROWS;
    float *by_feature = arena_zero(tmp, f->features * stride, sizeof *by_feature);
    float *sum = arena_alloc(tmp, rows, sizeof *sum);
    if (!by_feature || !sum)
        return pal_no_memory(err);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < f->features; k++)
            by_feature[k * stride + i] = x[i * f->features + k];
    memcpy(sum, base, rows * sizeof *sum);
    forest_add(f, by_feature, stride, rows, sum);
    *out = sum;
    return PAL_OK;
}

enum pal_status prove_trees(const struct boost_lists *held, double errors, struct arena *tmp,
                            struct boosted *b, struct pal_error *err)
{
    double n = (double)held->lists, before = 0, after = 0, square = 0;
    const float *x = held->x, *label = held->label, *base = held->base;
    for (size_t l = 0; l < held->lists; l++) {
        uint32_t rows = held->count[l];
        float *sum = NULL;
        enum pal_status st = score_list(&b->forest, x, base, rows, tmp, &sum, err);
        if (st != PAL_OK)
            return st;
        double was = ndcg_at_10(label, base, rows), is = ndcg_at_10(label, sum, rows);
        before += was;
        after += is;
        square += (is - was) * (is - was);
        x += (size_t)rows * held->features;
        label += rows;
        base += rows;
    }
    double gain = (after - before) / n, variance = square / n - gain * gain;
    b->first = before / n;
    b->best = after / n;
    if (!(gain > errors * sqrt(variance / n))) {
        b->forest.trees = 0;
        b->best = b->first;
    }
    return PAL_OK;
}
