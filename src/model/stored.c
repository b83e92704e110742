/* See stored.h. */
#include "model/stored.h"

#include <stdbool.h>
#include <stdio.h>

enum { NAME = 64 };

static const char *part(char buf[NAME], const char *name, const char *suffix)
{
    snprintf(buf, NAME, "%s.%s", name, suffix);
    return buf;
}

enum pal_status stored_csr_add(struct tensors_out *out, const char *name, const struct csr *m,
                               struct pal_error *err)
{
    char buf[NAME];
    uint64_t n = csr_entries(m);
    enum pal_status st = tensors_add(out, part(buf, name, "start"), TENSOR_U64,
                                     (uint64_t)m->rows + 1, 0, m->start, err);
    if (st == PAL_OK)
        st = tensors_add(out, part(buf, name, "col"), TENSOR_U32, n, 0, m->col, err);
    if (st == PAL_OK)
        st = tensors_add(out, part(buf, name, "val"), TENSOR_F32, n, 0, m->val, err);
    return st;
}

/* Whether all are numbers of which a thousand products of two can be added up, which no model's
 * training comes near to. A block at a time without branches, so that the comparisons become
 * vectors. */
static bool all_moderate(const float *x, uint64_t n)
{
    enum { BLOCK = 4096 };
    static const float most = 1e17f;
    for (uint64_t begin = 0; begin < n; begin += BLOCK) {
        uint64_t end = n - begin < BLOCK ? n : begin + BLOCK;
        int bad = 0;
        for (uint64_t i = begin; i < end; i++)
            bad |= !(__builtin_fabsf(x[i]) <= most);
        if (bad)
            return false;
    }
    return true;
}

enum pal_status stored_floats_get(const struct tensors *file, const char *name, uint64_t rows,
                                  uint64_t cols, const float **out, struct pal_error *err)
{
    struct tensor t;
    enum pal_status st = tensors_get(file, name, TENSOR_F32, rows, cols, &t, err);
    if (st != PAL_OK)
        return st;
    if (!all_moderate(t.data, t.shape[0] * t.shape[1]))
        return pal_fail(err, PAL_ECORRUPT, "%s: '%s' holds no number, or one past 1e17",
                        tensors_path(file), name);
    *out = t.data;
    return PAL_OK;
}

static bool is_sound(const struct csr *m, uint64_t entries)
{
    if (m->start[0] != 0 || m->start[m->rows] != entries)
        return false;
    for (uint32_t r = 0; r < m->rows; r++)
        if (m->start[r] > m->start[r + 1] || m->start[r + 1] > entries)
            return false;
    for (uint32_t r = 0; r < m->rows; r++)
        for (uint64_t i = m->start[r]; i < m->start[r + 1]; i++)
            if (m->col[i] >= m->cols || (i > m->start[r] && m->col[i] <= m->col[i - 1]))
                return false;
    return true;
}

enum pal_status stored_csr_get(const struct tensors *file, const char *name, uint32_t rows,
                               uint32_t cols, struct csr *m, struct pal_error *err)
{
    char buf[NAME];
    struct tensor start, col;
    const float *val;
    enum pal_status st =
        tensors_get(file, part(buf, name, "start"), TENSOR_U64, (uint64_t)rows + 1, 0, &start, err);
    if (st == PAL_OK)
        st = tensors_get(file, part(buf, name, "col"), TENSOR_U32, UINT64_MAX, 0, &col, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, part(buf, name, "val"), col.shape[0], 0, &val, err);
    if (st != PAL_OK)
        return st;
    /* csr's arrays are not const, but nobody writes to a view */
    struct csr view = {rows, cols, (uint64_t *)(uintptr_t)start.data,
                       (uint32_t *)(uintptr_t)col.data, (float *)(uintptr_t)val};
    if (!is_sound(&view, col.shape[0]))
        return pal_fail(err, PAL_ECORRUPT, "%s: the rows of '%s' make no sense", tensors_path(file),
                        name);
    *m = view;
    return PAL_OK;
}
