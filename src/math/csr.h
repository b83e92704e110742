/* Sparse matrices by compressed rows: users x items and its transpose. */
#ifndef MATH_CSR_H
#define MATH_CSR_H

#include "base/error.h"
#include "base/pool.h"

/* 8 bytes per entry and 8 per row. Columns ascend within a row, none twice. */
struct csr {
    uint32_t rows, cols;
    uint64_t *start; /* (rows + 1) */
    uint32_t *col;   /* (start[rows]) */
    float *val;      /* (start[rows]) */
};

/* Room for rows and entries; start is all zero, col and val uninitialized. */
MUST_USE enum pal_status csr_alloc(struct csr *m, uint32_t rows, uint32_t cols, uint64_t entries,
                                   struct pal_error *err);

/* Frees what m owns and leaves it empty; an all-zero struct is fine. */
void csr_done(struct csr *m);

static inline uint64_t csr_entries(const struct csr *m)
{
    return m->start ? m->start[m->rows] : 0;
}

/* Is every value 1? Then kernels need not read them. */
int csr_is_binary(const struct csr *m);

/* *out = transpose of m; linear time. */
MUST_USE enum pal_status csr_transpose(const struct csr *m, struct csr *out, struct pal_error *err);

/* G = AᵀA, dense: G (cols, cols) row-major, both triangles written. Sums run in the order of A's
 * rows, at any thread count. Takes another 12 bytes per entry while it works; time is the sum over
 * rows of their length squared, halved. */
MUST_USE enum pal_status csr_gram(const struct csr *A, float *G, struct pool *pool,
                                  struct pal_error *err);

/* The same by its entries, those that are not 0: *out (cols, cols), both triangles. Twice the sum
 * over rows of their length squared; takes what the transpose takes and cols floats a thread. */
MUST_USE enum pal_status csr_gram_sparse(const struct csr *A, struct csr *out, struct pool *pool,
                                         struct pal_error *err);

#endif
