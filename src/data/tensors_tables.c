/* Texts, interned ids, sets of labels and catalogs of them as tensors; see tensors.h. On reading,
 * every offset must ascend within the bytes and every text end in its NUL, before anything is built
 * from them. */
#include "data/tensors.h"

#include "base/intern.h"
#include "base/mem.h"
#include "data/items.h"

#include <stdio.h>
#include <string.h>

enum { NAME = 128 };

static const uint64_t nothing = 0; /* the offsets of a table without rows */

static const char *with(char buf[NAME], const char *name, const char *suffix)
{
    snprintf(buf, NAME, "%s%s", name, suffix);
    return buf;
}

static enum pal_status add_table(struct tensors_out *t, const char *name, uint32_t count,
                                 const char *bytes, const uint64_t *start, struct pal_error *err)
{
    char buf[NAME];
    enum pal_status st =
        tensors_add(t, name, TENSOR_U8, count ? start[count] : 0, 0, count ? bytes : "", err);
    if (st != PAL_OK)
        return st;
    return tensors_add(t, with(buf, name, ".start"), TENSOR_U64, (uint64_t)count + 1, 0,
                       count ? start : &nothing, err);
}

static enum pal_status bad_table(const struct tensors *t, const char *name, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s: the offsets of '%s' make no sense: the file is damaged",
                    tensors_path(t), name);
}

/* Are these offsets from 0 to end, none before the last? */
static bool ascends(const uint64_t *start, uint64_t count, uint64_t end)
{
    for (uint64_t i = 0; i < count; i++)
        if (start[i] > start[i + 1])
            return false;
    return start[0] == 0 && start[count] == end;
}

/* A checked table: *bytes and *start point into the file. */
static enum pal_status get_table(const struct tensors *t, const char *name, const char **bytes,
                                 const uint64_t **start, uint32_t *count, struct pal_error *err)
{
    char buf[NAME];
    struct tensor text, offsets;
    enum pal_status st = tensors_get(t, name, TENSOR_U8, UINT64_MAX, 0, &text, err);
    if (st == PAL_OK)
        st = tensors_get(t, with(buf, name, ".start"), TENSOR_U64, UINT64_MAX, 0, &offsets, err);
    if (st != PAL_OK)
        return st;
    uint64_t n = offsets.shape[0] - 1;
    if (offsets.shape[0] == 0 || n >= UINT32_MAX)
        return bad_table(t, name, err);
    *bytes = text.data;
    *start = offsets.data;
    *count = (uint32_t)n;
    if (!ascends(*start, n, text.shape[0]))
        return bad_table(t, name, err);
    for (uint64_t i = 0; i < n; i++)
        if ((*start)[i] == (*start)[i + 1] || (*bytes)[(*start)[i + 1] - 1] != 0)
            return bad_table(t, name, err);
    return PAL_OK;
}

enum pal_status tensors_add_intern(struct tensors_out *t, const char *name, const struct intern *x,
                                   struct pal_error *err)
{
    return add_table(t, name, x->count, x->bytes, x->start, err);
}

enum pal_status tensors_get_intern(const struct tensors *t, const char *name, struct intern *out,
                                   struct pal_error *err)
{
    const char *bytes;
    const uint64_t *start;
    uint32_t count = 0, number;
    struct intern made = {0};
    enum pal_status st = get_table(t, name, &bytes, &start, &count, err);
    for (uint32_t i = 0; i < count && st == PAL_OK; i++) {
        st = intern_add(&made, bytes + start[i], start[i + 1] - start[i] - 1, &number, err);
        if (st == PAL_OK && number != i)
            st = pal_fail(err, PAL_ECORRUPT, "%s: '%s' holds one text twice: the file is damaged",
                          tensors_path(t), name);
    }
    if (st != PAL_OK) {
        intern_done(&made);
        return st;
    }
    *out = made;
    return PAL_OK;
}

enum pal_status tensors_add_texts(struct tensors_out *t, const char *name, const struct texts *x,
                                  struct pal_error *err)
{
    return add_table(t, name, x->count, x->bytes, x->start, err);
}

enum pal_status tensors_get_texts(const struct tensors *t, const char *name, struct texts *out,
                                  struct pal_error *err)
{
    const char *bytes;
    const uint64_t *start;
    uint32_t count = 0;
    struct texts made = {0};
    enum pal_status st = get_table(t, name, &bytes, &start, &count, err);
    for (uint32_t i = 0; i < count && st == PAL_OK; i++)
        st = texts_add(&made, bytes + start[i], start[i + 1] - start[i] - 1, err);
    if (st != PAL_OK) {
        texts_done(&made);
        return st;
    }
    *out = made;
    return PAL_OK;
}

enum pal_status tensors_add_labels(struct tensors_out *t, const char *name, const struct labels *x,
                                   struct pal_error *err)
{
    char buf[NAME];
    enum pal_status st = tensors_add_intern(t, with(buf, name, ".names"), &x->names, err);
    if (st == PAL_OK)
        st = tensors_add(t, with(buf, name, ".rows"), TENSOR_U64, (uint64_t)x->rows + 1, 0,
                         x->rows ? x->start : &nothing, err);
    if (st == PAL_OK)
        st = tensors_add(t, name, TENSOR_U32, x->rows ? x->start[x->rows] : 0, 0,
                         x->rows ? (const void *)x->label : &nothing, err);
    return st;
}

/* Rows of label numbers, checked, through the same calls that built them. */
static enum pal_status get_rows(const struct tensors *t, const char *name, struct labels *out,
                                struct pal_error *err)
{
    char buf[NAME];
    struct tensor rows, label;
    enum pal_status st =
        tensors_get(t, with(buf, name, ".rows"), TENSOR_U64, UINT64_MAX, 0, &rows, err);
    if (st == PAL_OK)
        st = tensors_get(t, name, TENSOR_U32, UINT64_MAX, 0, &label, err);
    if (st != PAL_OK)
        return st;
    uint64_t n = rows.shape[0] - 1;
    const uint64_t *start = rows.data;
    const uint32_t *number = label.data;
    if (rows.shape[0] == 0 || n >= UINT32_MAX || !ascends(start, n, label.shape[0]))
        return bad_table(t, name, err);
    for (uint64_t i = 0; i < label.shape[0]; i++)
        if (number[i] >= out->names.count)
            return pal_fail(err, PAL_ECORRUPT, "%s: '%s' names a label that is not listed",
                            tensors_path(t), name);
    for (uint64_t row = 0; row < n && st == PAL_OK; row++) {
        for (uint64_t i = start[row]; i < start[row + 1] && st == PAL_OK; i++)
            st = labels_add(out, intern_text(&out->names, number[i]),
                            intern_len(&out->names, number[i]), err);
        if (st == PAL_OK)
            st = labels_end_row(out, err);
    }
    return st;
}

enum pal_status tensors_get_labels(const struct tensors *t, const char *name, struct labels *out,
                                   struct pal_error *err)
{
    char buf[NAME];
    struct labels made = {0};
    enum pal_status st = tensors_get_intern(t, with(buf, name, ".names"), &made.names, err);
    if (st == PAL_OK)
        st = get_rows(t, name, &made, err);
    if (st != PAL_OK) {
        labels_done(&made);
        return st;
    }
    *out = made;
    return PAL_OK;
}

enum pal_status tensors_add_items(struct tensors_out *t, const struct items *x,
                                  struct pal_error *err)
{
    enum pal_status st = tensors_add_intern(t, "items.ids", &x->ids, err);
    if (st == PAL_OK)
        st = tensors_add_texts(t, "items.titles", &x->titles, err);
    if (st == PAL_OK)
        st = tensors_add_texts(t, "items.attributes", &x->attributes, err);
    if (st == PAL_OK)
        st = tensors_add_labels(t, "items.categories", &x->categories, err);
    if (st == PAL_OK)
        st = tensors_add_labels(t, "items.tags", &x->tags, err);
    return st;
}

enum pal_status tensors_get_items(const struct tensors *t, struct items *out, struct pal_error *err)
{
    struct items made = {0};
    enum pal_status st = tensors_get_intern(t, "items.ids", &made.ids, err);
    if (st == PAL_OK)
        st = tensors_get_texts(t, "items.titles", &made.titles, err);
    if (st == PAL_OK)
        st = tensors_get_texts(t, "items.attributes", &made.attributes, err);
    if (st == PAL_OK)
        st = tensors_get_labels(t, "items.categories", &made.categories, err);
    if (st == PAL_OK)
        st = tensors_get_labels(t, "items.tags", &made.tags, err);
    uint32_t n = made.ids.count;
    if (st == PAL_OK && (made.titles.count > n || made.attributes.count > n ||
                         made.categories.rows > n || made.tags.rows > n))
        st = pal_fail(err, PAL_ECORRUPT,
                      "%s: it describes items that are not listed: the file is damaged",
                      tensors_path(t));
    if (st != PAL_OK) {
        items_done(&made);
        return st;
    }
    *out = made;
    return PAL_OK;
}
