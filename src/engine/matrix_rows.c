/* See matrix.h. Rows of SciPy's are usually in order already, so they are looked at once and then
 * borrowed: signed and unsigned numbers of one size share their bits as long as none is negative,
 * which the check has seen to. Others are sorted row by row into a copy. */
#include "engine/matrix.h"

#include "base/mem.h"
#include "data/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum pal_status check_row(const struct pal_rows *rows, uint32_t r, const char *what,
                                 bool *ready, struct pal_error *err)
{
    for (int64_t i = rows->start[r]; i < rows->start[r + 1]; i++) {
        if (rows->col[i] < 0 || (uint32_t)rows->col[i] >= rows->cols)
            return pal_fail(err, PAL_EUSAGE, "row %u of %s names item %d: there are %u, from 0", r,
                            what, rows->col[i], rows->cols);
        if (i > rows->start[r] && rows->col[i] <= rows->col[i - 1])
            *ready = false;
        if (!rows->val)
            continue;
        if (!(fabsf(rows->val[i]) <= (float)WEIGHT_MOST)) /* NaN neither */
            return pal_fail(err, PAL_EUSAGE,
                            "row %u of %s holds the value %g: finite ones up to %d are allowed", r,
                            what, (double)rows->val[i], WEIGHT_MOST);
        if (rows->val[i] == 0)
            *ready = false;
    }
    return PAL_OK;
}

enum pal_status matrix_check(const struct pal_rows *rows, uint32_t cols, const char *what,
                             bool *ready, struct pal_error *err)
{
    *ready = true;
    if (!rows || !rows->start)
        return pal_fail(err, PAL_EUSAGE, "%s are missing", what);
    if (rows->cols != cols)
        return pal_fail(err, PAL_EUSAGE, "%s have %u columns, and there are %u items", what,
                        rows->cols, cols);
    if (rows->start[0] != 0)
        return pal_fail(err, PAL_EUSAGE, "the offsets of %s begin with %lld, not with 0", what,
                        (long long)rows->start[0]);
    for (uint32_t r = 0; r < rows->rows; r++)
        if (rows->start[r + 1] < rows->start[r])
            return pal_fail(err, PAL_EUSAGE, "row %u of %s ends before it begins", r, what);
    if (rows->start[rows->rows] > 0 && !rows->col)
        return pal_fail(err, PAL_EUSAGE, "the columns of %s are missing", what);
    for (uint32_t r = 0; r < rows->rows; r++) {
        enum pal_status st = check_row(rows, r, what, ready, err);
        if (st != PAL_OK)
            return st;
    }
    return PAL_OK;
}

struct entry {
    int32_t col;
    uint32_t place; /* in its row, so that sums have one order */
    float val;
};

static int by_column(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->col != y->col)
        return x->col < y->col ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

/* Writes the row, sorted, columns added up, zeros left out, to `to` and its end to to->start. */
static void put_row(const struct pal_rows *rows, uint32_t r, struct entry *sorted, struct csr *to)
{
    uint64_t at = to->start[r];
    size_t n = (size_t)(rows->start[r + 1] - rows->start[r]);
    for (size_t i = 0; i < n; i++) {
        size_t from = (size_t)rows->start[r] + i;
        sorted[i] =
            (struct entry){rows->col[from], (uint32_t)i, rows->val ? rows->val[from] : 1.0f};
    }
    qsort(sorted, n, sizeof *sorted, by_column);
    for (size_t i = 0; i < n;) {
        double sum = 0;
        int32_t col = sorted[i].col;
        for (; i < n && sorted[i].col == col; i++)
            sum += (double)sorted[i].val;
        float val = (float)fmax(-WEIGHT_MOST, fmin(WEIGHT_MOST, sum));
        if (val == 0)
            continue;
        to->col[at] = (uint32_t)col;
        to->val[at++] = val;
    }
    to->start[r + 1] = at;
}

static enum pal_status sort_rows(const struct pal_rows *rows, struct matrix *out,
                                 struct pal_error *err)
{
    struct csr csr = {0};
    int64_t longest = 0;
    for (uint32_t r = 0; r < rows->rows; r++) {
        int64_t n = rows->start[r + 1] - rows->start[r];
        longest = n > longest ? n : longest;
    }
    if (longest > INT32_MAX)
        return pal_fail(err, PAL_EUNSUPPORTED, "a row of %lld entries is too long",
                        (long long)longest);
    enum pal_status st =
        csr_alloc(&csr, rows->rows, rows->cols, (uint64_t)rows->start[rows->rows], err);
    if (st != PAL_OK)
        return st;
    struct entry *sorted = mem_alloc((size_t)longest, sizeof *sorted);
    if (!sorted) {
        csr_done(&csr);
        return pal_no_memory(err);
    }
    for (uint32_t r = 0; r < rows->rows; r++)
        put_row(rows, r, sorted, &csr);
    mem_free(sorted);
    *out = (struct matrix){csr, true, true};
    return PAL_OK;
}

enum pal_status matrix_read(const struct pal_rows *rows, uint32_t cols, const char *what,
                            struct matrix *out, struct pal_error *err)
{
    bool ready;
    enum pal_status st = matrix_check(rows, cols, what, &ready, err);
    if (st != PAL_OK)
        return st;
    if (!ready)
        return sort_rows(rows, out, err);
    /* A csr has no const of its own; what is borrowed is not written to. */
    struct matrix m = {.csr = {.rows = rows->rows,
                               .cols = rows->cols,
                               .start = (uint64_t *)(uintptr_t)rows->start,
                               .col = (uint32_t *)(uintptr_t)rows->col,
                               .val = (float *)(uintptr_t)rows->val},
                       .own_values = !rows->val};
    if (m.own_values) {
        size_t n = (size_t)rows->start[rows->rows];
        m.csr.val = mem_alloc(n, sizeof *m.csr.val);
        if (!m.csr.val)
            return pal_no_memory(err);
        for (size_t i = 0; i < n; i++)
            m.csr.val[i] = 1;
    }
    *out = m;
    return PAL_OK;
}

void matrix_done(struct matrix *m)
{
    if (m->own_entries)
        csr_done(&m->csr);
    else if (m->own_values)
        mem_free(m->csr.val);
    *m = (struct matrix){.own_entries = false};
}
