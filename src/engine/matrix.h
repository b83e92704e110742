/* Models by number, the inside (see palate.h): sparse matrices of callers made ready for models. */
#ifndef ENGINE_MATRIX_H
#define ENGINE_MATRIX_H

#include "model/model.h"

struct pal_model {
    struct model *model;
    struct model_card card; /* what to write about it; without texts */
};

/* Rows as models want them: ascending, each column once, never 0. */
struct matrix {
    struct csr csr;
    bool own_entries, own_values; /* else borrowed from the caller's rows */
};

/* Checks the rows, which must have `cols` columns and are called `what` in complaints, and makes
 * them ready; rows that are, are borrowed. End with matrix_done. Linear time, n log n for rows that
 * are out of order. */
MUST_USE enum pal_status matrix_read(const struct pal_rows *rows, uint32_t cols, const char *what,
                                     struct matrix *out, struct pal_error *err);
void matrix_done(struct matrix *m);

/* The same check alone; *ready tells whether nothing need be done to them. */
MUST_USE enum pal_status matrix_check(const struct pal_rows *rows, uint32_t cols, const char *what,
                                      bool *ready, struct pal_error *err);

static inline struct history matrix_history(const struct matrix *m, size_t row)
{
    uint64_t begin = m->csr.start[row];
    return (struct history){.n = (size_t)(m->csr.start[row + 1] - begin),
                            .item = m->csr.col + begin,
                            .weight = m->csr.val + begin};
}

#endif
