/* Boosted regression trees: what is left of them once they are trained, and their sum for a block
 * of rows.
 *
 * A tree is not walked. Each of its nodes is a test "feature < threshold" and a word with a bit for
 * each leaf: where the test fails, the leaves of its left branch can't be the one, and their bits
 * are cleared. After all nodes the lowest bit that is left is the leaf (Lucchese et al.,
 * "QuickScorer", SIGIR 2015). Nodes come in any order, nothing branches, and sixteen rows go
 * through each node at once. */
#ifndef RANK_FOREST_H
#define RANK_FOREST_H

#include "data/tensors.h"

enum { FOREST_LEAVES = 32, FOREST_ROWS = 16 }; /* leaves of a tree; rows of a block */

/* In `feature`: a missing value (NaN) passes the test. Without it, it fails. */
#define FOREST_MISSING 0x80000000u

struct forest {
    uint32_t trees, features;
    const uint32_t *start;   /* (trees + 1) where a tree's nodes begin */
    const uint32_t *feature; /* (start[trees]) | FOREST_MISSING */
    const float *threshold;  /* (start[trees]) */
    const uint32_t *kept;    /* (start[trees]) the leaves that remain where the test fails */
    const float *leaf;       /* (trees, FOREST_LEAVES) */
};

/* Adds the leaves of each row to out (rows), tree by tree. x (features, stride): feature f of
 * row i at [f * stride + i]; stride and x's length beyond rows: up to the next multiple of
 * FOREST_ROWS is read. x on a 64-byte border, stride a multiple of FOREST_ROWS. */
void forest_add(const struct forest *f, const float *x, size_t stride, size_t rows, float *out);

/* As tensors "forest.…"; what is read points into the file and was checked. */
MUST_USE enum pal_status forest_save(const struct forest *f, struct tensors_out *out,
                                     struct pal_error *err);
MUST_USE enum pal_status forest_load(const struct tensors *file, uint32_t features,
                                     struct forest *out, struct pal_error *err);

#endif
