/* The high frequencies of a graph filter, item by item. See graph.c for the method. */
#ifndef MODEL_GRAPH_ROWS_H
#define MODEL_GRAPH_ROWS_H

#include "base/run.h"
#include "math/csr.h"
#include "math/topk.h"
#include "model/graph_filter.h"

struct graph_rows {
    const struct csr *A, *T; /* the normalized matrix (users, items) and its transpose */
    size_t factors;
    const float *V;      /* (items, factors) eigenvectors of P = AᵀA, in columns */
    const float *low;    /* (factors) what the filter makes of each: taken off */
    const float *source; /* (items) how much each counts in a history; NULL = 1 */
    struct graph_filter filter;
    size_t k;
};

/* For each item i the k largest entries by size of row i of (F(P) - V low Vᵀ) diag(source): to best
 * (items, k) and count (items). The diagonal is left in. */
MUST_USE enum pal_status graph_rows(const struct graph_rows *g, const struct run *run,
                                    uint64_t done, uint64_t total, struct scored *best,
                                    uint32_t *count, struct pal_error *err);
uint64_t graph_rows_steps(uint64_t items); /* of progress, from done on */
uint64_t graph_rows_bytes(uint64_t users, uint64_t items, uint64_t factors, unsigned threads);

#endif
