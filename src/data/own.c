/* Palate's own file of a data set: one tensor per column, so that reading it is copying memory.
 * What comes out of it is checked as input from anyone: offsets ascend, numbers are in range. */
#include "data/dataset.h"
#include "data/tensors.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "all" + ".item" in buf. */
static const char *column(char buf[64], const char *part, const char *name)
{
    snprintf(buf, 64, "%s.%s", part, name);
    return buf;
}

static enum pal_status add_interactions(struct tensors_out *out, const char *part,
                                        const struct interactions *x, struct pal_error *err)
{
    char name[64];
    uint64_t n = interactions_count(x);
    if (!x->start)
        return PAL_OK;
    enum pal_status st = tensors_add(out, column(name, part, "start"), TENSOR_U64,
                                     (uint64_t)x->users + 1, 0, x->start, err);
    if (st == PAL_OK)
        st = tensors_add(out, column(name, part, "item"), TENSOR_U32, n, 0, x->item, err);
    if (st == PAL_OK && x->value)
        st = tensors_add(out, column(name, part, "value"), TENSOR_F32, n, 0, x->value, err);
    if (st == PAL_OK && x->time_s)
        st = tensors_add(out, column(name, part, "time"), TENSOR_U32, n, 0, x->time_s, err);
    if (st == PAL_OK && x->type)
        st = tensors_add(out, column(name, part, "type"), TENSOR_U8, n, 0, x->type, err);
    return st;
}

static enum pal_status add_meta(struct tensors_out *out, const struct dataset *d,
                                struct pal_error *err)
{
    struct str types = {0}, skipped = {0};
    for (size_t i = 0; i < d->types.count; i++)
        str_fmt(&types, "%s%s", i ? "\n" : "", d->types.name[i]);
    str_fmt(&skipped, "%llu", (unsigned long long)d->skipped);
    enum pal_status st = str_ok(&types) && str_ok(&skipped) ? PAL_OK : pal_no_memory(err);
    const char *pairs[][2] = {{"palate.kind", "dataset"},
                              {"name", d->name},
                              {"weights", d->weights},
                              {"types", str_text(&types)},
                              {"skipped", str_text(&skipped)}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && st == PAL_OK; i++)
        st = tensors_meta(out, pairs[i][0], pairs[i][1], err);
    str_done(&types);
    str_done(&skipped);
    return st;
}

static enum pal_status add_catalog(struct tensors_out *out, const struct dataset *d,
                                   struct pal_error *err)
{
    enum pal_status st = tensors_add_intern(out, "users.ids", &d->users.ids, err);
    if (st == PAL_OK)
        st = tensors_add_texts(out, "users.attributes", &d->users.attributes, err);
    return st == PAL_OK ? tensors_add_items(out, &d->items, err) : st;
}

enum pal_status dataset_save(const struct dataset *d, const char *path, struct pal_error *err)
{
    struct tensors_out out = {0};
    enum pal_status st = add_meta(&out, d, err);
    if (st == PAL_OK)
        st = add_catalog(&out, d, err);
    if (st == PAL_OK)
        st = add_interactions(&out, "all", &d->all, err);
    if (st == PAL_OK)
        st = add_interactions(&out, "test", &d->test, err);
    if (st == PAL_OK && d->negatives.item)
        st = tensors_add(&out, "negatives", TENSOR_U32, d->negatives.users, d->negatives.per_user,
                         d->negatives.item, err);
    if (st == PAL_OK)
        st = tensors_write(&out, path, err);
    tensors_out_done(&out);
    return st;
}

/* A copy of a tensor's bytes; NULL (and *st untouched) when the file has no such tensor. */
static enum pal_status copy_column(const struct tensors *file, const char *name,
                                   enum tensor_type type, uint64_t rows, size_t size, void *out,
                                   struct pal_error *err)
{
    struct tensor t;
    if (!tensors_find(file, name))
        return PAL_OK;
    enum pal_status st = tensors_get(file, name, type, rows, 0, &t, err);
    if (st != PAL_OK)
        return st;
    void *copy = mem_alloc(t.shape[0], size);
    if (!copy)
        return pal_no_memory(err);
    memcpy(copy, t.data, t.shape[0] * size);
    memcpy(out, &copy, sizeof copy);
    return PAL_OK;
}

static enum pal_status damaged(const struct tensors *file, const char *what, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s: %s: the file is damaged", tensors_path(file), what);
}

static enum pal_status check_interactions(const struct tensors *file, const struct interactions *x,
                                          size_t types, struct pal_error *err)
{
    uint64_t n = interactions_count(x);
    if (x->start[0] != 0)
        return damaged(file, "histories don't begin at 0", err);
    for (uint32_t u = 0; u < x->users; u++)
        if (x->start[u + 1] < x->start[u])
            return damaged(file, "histories overlap", err);
    for (uint64_t i = 0; i < n; i++)
        if (x->item[i] >= x->items)
            return damaged(file, "an interaction with an item that is not listed", err);
    for (uint64_t i = 0; x->type && i < n; i++)
        if (x->type[i] >= types)
            return damaged(file, "an event type that is not listed", err);
    for (uint64_t i = 0; x->value && i < n; i++)
        if (!isfinite(x->value[i]))
            return damaged(file, "a value that is infinite or no number", err);
    return PAL_OK;
}

static enum pal_status get_interactions(const struct tensors *file, const char *part,
                                        const struct dataset *d, struct interactions *x,
                                        struct pal_error *err)
{
    char name[64];
    x->users = d->users.ids.count;
    x->items = d->items.ids.count;
    enum pal_status st = copy_column(file, column(name, part, "start"), TENSOR_U64,
                                     (uint64_t)x->users + 1, sizeof *x->start, &x->start, err);
    if (st != PAL_OK || !x->start)
        return st;
    uint64_t n = x->start[x->users];
    st = copy_column(file, column(name, part, "item"), TENSOR_U32, n, 4, &x->item, err);
    if (st == PAL_OK && !x->item)
        st = damaged(file, "histories without items", err);
    if (st == PAL_OK)
        st = copy_column(file, column(name, part, "value"), TENSOR_F32, n, 4, &x->value, err);
    if (st == PAL_OK)
        st = copy_column(file, column(name, part, "time"), TENSOR_U32, n, 4, &x->time_s, err);
    if (st == PAL_OK)
        st = copy_column(file, column(name, part, "type"), TENSOR_U8, n, 1, &x->type, err);
    return st == PAL_OK ? check_interactions(file, x, d->types.count, err) : st;
}

static enum pal_status get_meta(const struct tensors *file, struct dataset *d,
                                struct pal_error *err)
{
    const char *kind = tensors_get_meta(file, "palate.kind");
    if (!kind || strcmp(kind, "dataset") != 0)
        return pal_fail(err, PAL_EFORMAT, "%s: not a data set of palate's", tensors_path(file));
    if (!tensors_checked(file))
        return damaged(file, "it has no checksum", err);
    const char *name = tensors_get_meta(file, "name"), *types = tensors_get_meta(file, "types");
    const char *weights = tensors_get_meta(file, "weights");
    const char *skipped = tensors_get_meta(file, "skipped");
    snprintf(d->name, sizeof d->name, "%s", name ? name : "");
    d->skipped = skipped ? strtoull(skipped, NULL, 10) : 0;
    d->format = "palate";
    if (weights) {
        d->weights_own = mem_text(weights, strlen(weights));
        if (!d->weights_own)
            return pal_no_memory(err);
        d->weights = d->weights_own;
    }
    for (const char *p = types; p && *p;) {
        const char *end = strchrnul(p, '\n');
        uint8_t number;
        if (event_type_add(&d->types, p, (size_t)(end - p), &number, err) != PAL_OK)
            return damaged(file, "its event types can't be read", err);
        p = *end ? end + 1 : end;
    }
    return PAL_OK;
}

static enum pal_status get_catalog(const struct tensors *file, struct dataset *d,
                                   struct pal_error *err)
{
    enum pal_status st = tensors_get_intern(file, "users.ids", &d->users.ids, err);
    if (st == PAL_OK)
        st = tensors_get_texts(file, "users.attributes", &d->users.attributes, err);
    if (st == PAL_OK && d->users.attributes.count > d->users.ids.count)
        st = damaged(file, "it describes users that are not listed", err);
    return st == PAL_OK ? tensors_get_items(file, &d->items, err) : st;
}

static enum pal_status get_negatives(const struct tensors *file, struct dataset *d,
                                     struct pal_error *err)
{
    struct tensor t;
    if (!tensors_find(file, "negatives"))
        return PAL_OK;
    enum pal_status st =
        tensors_get(file, "negatives", TENSOR_U32, UINT64_MAX, UINT64_MAX, &t, err);
    if (st != PAL_OK)
        return st;
    uint64_t n = t.shape[0] * t.shape[1];
    const uint32_t *item = t.data;
    if (t.shape[0] > d->users.ids.count || t.shape[1] > UINT32_MAX)
        return damaged(file, "negatives for users that are not listed", err);
    for (uint64_t i = 0; i < n; i++)
        if (item[i] >= d->items.ids.count && item[i] != INTERN_NONE)
            return damaged(file, "a negative item that is not listed", err);
    d->negatives.item = mem_alloc(n, sizeof *item);
    if (!d->negatives.item)
        return pal_no_memory(err);
    memcpy(d->negatives.item, item, n * sizeof *item);
    d->negatives.users = (uint32_t)t.shape[0];
    d->negatives.per_user = (uint32_t)t.shape[1];
    return PAL_OK;
}

enum pal_status dataset_load_own(const char *path, struct dataset **out, struct pal_error *err)
{
    struct tensors *file;
    enum pal_status st = tensors_open(path, &file, err);
    if (st != PAL_OK)
        return st;
    struct dataset *d = dataset_new();
    if (!d)
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = get_meta(file, d, err);
    if (st == PAL_OK)
        st = get_catalog(file, d, err);
    if (st == PAL_OK)
        st = get_interactions(file, "all", d, &d->all, err);
    if (st == PAL_OK && !d->all.start)
        st = damaged(file, "it has no histories", err);
    if (st == PAL_OK)
        st = get_interactions(file, "test", d, &d->test, err);
    if (st == PAL_OK)
        st = get_negatives(file, d, err);
    if (st == PAL_OK) {
        *out = d;
        d = NULL;
    }
    dataset_free(d);
    tensors_close(file);
    return st;
}
