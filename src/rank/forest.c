/* See forest.h. */
#include "rank/forest.h"

#include <math.h>
#include <string.h>

typedef float reals __attribute__((vector_size(FOREST_ROWS * 4), aligned(4)));
typedef int32_t words __attribute__((vector_size(FOREST_ROWS * 4), aligned(4)));

/* One tree for sixteen rows: which leaves they end in. */
static inline void leaves_of(const struct forest *f, uint32_t tree, const float *x, size_t stride,
                             words *out)
{
    words left = {0};
    left = ~left;
    for (uint32_t i = f->start[tree]; i < f->start[tree + 1]; i++) {
        uint32_t feature = f->feature[i] & ~FOREST_MISSING;
        const reals *at = (const reals *)(x + feature * stride);
        words passed = *at < f->threshold[i];
        if (f->feature[i] & FOREST_MISSING)
            passed |= ~(words)(*at == *at);
        left &= passed | (int32_t)f->kept[i];
    }
    *out = left;
}

void forest_add(const struct forest *f, const float *x, size_t stride, size_t rows, float *out)
{
    for (size_t row = 0; row < rows; row += FOREST_ROWS) {
        size_t n = rows - row < FOREST_ROWS ? rows - row : FOREST_ROWS;
        float sum[FOREST_ROWS] = {0};
        memcpy(sum, out + row, n * sizeof *out);
        for (uint32_t t = 0; t < f->trees; t++) {
            words left;
            leaves_of(f, t, x + row, stride, &left);
            const float *leaf = f->leaf + (size_t)t * FOREST_LEAVES;
            /* the highest bit ends the search where a damaged tree has cleared them all */
            for (size_t i = 0; i < FOREST_ROWS; i++)
                sum[i] += leaf[__builtin_ctz((uint32_t)left[i] | 1u << (FOREST_LEAVES - 1))];
        }
        memcpy(out + row, sum, n * sizeof *out);
    }
}

enum pal_status forest_save(const struct forest *f, struct tensors_out *out, struct pal_error *err)
{
    uint64_t nodes = f->start[f->trees];
    enum pal_status st =
        tensors_add(out, "forest.start", TENSOR_U32, (uint64_t)f->trees + 1, 0, f->start, err);
    if (st == PAL_OK)
        st = tensors_add(out, "forest.feature", TENSOR_U32, nodes, 0, f->feature, err);
    if (st == PAL_OK)
        st = tensors_add(out, "forest.threshold", TENSOR_F32, nodes, 0, f->threshold, err);
    if (st == PAL_OK)
        st = tensors_add(out, "forest.kept", TENSOR_U32, nodes, 0, f->kept, err);
    if (st == PAL_OK)
        st = tensors_add(out, "forest.leaf", TENSOR_F32, f->trees, FOREST_LEAVES, f->leaf, err);
    return st;
}

/* So that sums stay finite. */
static const float LEAF_MOST = 1e6f;

static enum pal_status check(const struct forest *f, uint64_t nodes, const char *path,
                             struct pal_error *err)
{
    if (f->start[0] != 0 || f->start[f->trees] != nodes)
        return pal_fail(err, PAL_ECORRUPT, "%s: 'forest.start' does not fit its nodes", path);
    for (uint32_t t = 0; t < f->trees; t++)
        if (f->start[t] > f->start[t + 1])
            return pal_fail(err, PAL_ECORRUPT, "%s: 'forest.start' goes back", path);
    for (uint64_t i = 0; i < nodes; i++)
        if ((f->feature[i] & ~FOREST_MISSING) >= f->features || isnan(f->threshold[i]))
            return pal_fail(err, PAL_ECORRUPT, "%s: a node tests what there is not", path);
    for (uint64_t i = 0; i < (uint64_t)f->trees * FOREST_LEAVES; i++)
        if (!(fabsf(f->leaf[i]) <= LEAF_MOST))
            return pal_fail(err, PAL_ECORRUPT, "%s: a leaf is not a number that trees have", path);
    return PAL_OK;
}

enum pal_status forest_load(const struct tensors *file, uint32_t features, struct forest *out,
                            struct pal_error *err)
{
    struct tensor start, feature, threshold, kept, leaf;
    uint64_t nodes = 0;
    enum pal_status st = tensors_get(file, "forest.start", TENSOR_U32, UINT64_MAX, 0, &start, err);
    if (st == PAL_OK)
        st = tensors_get(file, "forest.feature", TENSOR_U32, UINT64_MAX, 0, &feature, err);
    if (st != PAL_OK)
        return st;
    nodes = feature.shape[0];
    if (start.shape[0] == 0 || start.shape[0] > UINT32_MAX || nodes > UINT32_MAX)
        return pal_fail(err, PAL_ECORRUPT, "%s: its trees can't be read", tensors_path(file));
    struct forest f = {.trees = (uint32_t)(start.shape[0] - 1), .features = features};
    st = tensors_get(file, "forest.threshold", TENSOR_F32, nodes, 0, &threshold, err);
    if (st == PAL_OK)
        st = tensors_get(file, "forest.kept", TENSOR_U32, nodes, 0, &kept, err);
    if (st == PAL_OK)
        st = tensors_get(file, "forest.leaf", TENSOR_F32, f.trees, FOREST_LEAVES, &leaf, err);
    if (st != PAL_OK)
        return st;
    f.start = start.data;
    f.feature = feature.data;
    f.threshold = threshold.data;
    f.kept = kept.data;
    f.leaf = leaf.data;
    st = check(&f, nodes, tensors_path(file), err);
    if (st == PAL_OK)
        *out = f;
    return st;
}
