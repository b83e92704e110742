/* See forest.h. */
#include "rank/forest.h"

#include "math/kernels.h"

#include <math.h>
#include <string.h>

typedef float reals __attribute__((vector_size(FOREST_ROWS * 4), aligned(4)));
typedef int32_t words __attribute__((vector_size(FOREST_ROWS * 4), aligned(4)));

/* Sixteen rows through all trees; inlined into one function per instruction set. The sums are the
 * same to the bit in each: a lane does nothing but compare, mask and add in order. */
static inline __attribute__((always_inline)) void add_block(const struct forest *f, const float *x,
                                                            size_t stride, float sum[FOREST_ROWS])
{
    for (uint32_t t = 0; t < f->trees; t++) {
        words left = ~(words){0};
        for (uint32_t i = f->start[t]; i < f->start[t + 1]; i++) {
            const reals *at = (const reals *)(x + (f->feature[i] & ~FOREST_MISSING) * stride);
            words passed = *at < f->threshold[i];
            if (f->feature[i] & FOREST_MISSING)
                passed |= ~(words)(*at == *at);
            left &= passed | (int32_t)f->kept[i];
        }
        const float *leaf = f->leaf + (size_t)t * FOREST_LEAVES;
        /* the highest bit ends the search where a damaged tree has cleared them all */
        for (size_t i = 0; i < FOREST_ROWS; i++)
            sum[i] += leaf[__builtin_ctz((uint32_t)left[i] | 1u << (FOREST_LEAVES - 1))];
    }
}

typedef void add_fn(const struct forest *f, const float *x, size_t stride, float sum[FOREST_ROWS]);

static void add_plain(const struct forest *f, const float *x, size_t stride, float sum[FOREST_ROWS])
{
    add_block(f, x, stride, sum);
}

#ifdef __x86_64__
__attribute__((target("avx2,bmi"))) static void add_avx2(const struct forest *f, const float *x,
                                                         size_t stride, float sum[FOREST_ROWS])
{
    add_block(f, x, stride, sum);
}

__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi"))) static void
add_avx512(const struct forest *f, const float *x, size_t stride, float sum[FOREST_ROWS])
{
    add_block(f, x, stride, sum);
}
#endif

/* As math's kernels were chosen: they may be pinned. */
static add_fn *choose(void)
{
#ifdef __x86_64__
    if (strcmp(kernels()->name, "avx512") == 0)
        return add_avx512;
    if (strcmp(kernels()->name, "avx2") == 0)
        return add_avx2;
#endif
    return add_plain;
}

void forest_add(const struct forest *f, const float *x, size_t stride, size_t rows, float *out)
{
    add_fn *add = choose();
    for (size_t row = 0; row < rows; row += FOREST_ROWS) {
        size_t n = rows - row < FOREST_ROWS ? rows - row : FOREST_ROWS;
        float sum[FOREST_ROWS] = {0};
        memcpy(sum, out + row, n * sizeof *out);
        add(f, x + row, stride, sum);
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
