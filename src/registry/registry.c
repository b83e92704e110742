/* See registry.h: finds the kind of place by the root and passes everything on to it; and the
 * sentences that all kinds say alike. */
#include "registry/backend.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { LISTED = 8 }; /* how many versions an error names */

/* Filled before there are threads. */
static struct scheme_kinds kinds = {.what = "models", .kind = {&registry_folder.kind}, .count = 1};

void registry_add_kind(const struct registry_ops *ops)
{
    scheme_add(&kinds, &ops->kind);
}

/* The kind for a root: that of its scheme, or a folder. */
static enum pal_status find_kind(const char *root, const struct registry_ops **out,
                                 struct pal_error *err)
{
    const struct scheme_kind *kind = &registry_folder.kind;
    enum pal_status st = strstr(root, "://") ? scheme_find(&kinds, root, &kind, err) : PAL_OK;
    if (st == PAL_OK)
        *out = (const struct registry_ops *)kind;
    return st;
}

enum pal_status registry_begin(const char *root, struct registry_version *out,
                               struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->begin(root, out, err) : st;
}

enum pal_status registry_publish(const char *root, struct registry_version *v, int activate,
                                 struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->publish(root, v, activate, err) : st;
}

void registry_abandon(const char *root, struct registry_version *v)
{
    const struct registry_ops *ops;
    if (v->number && find_kind(root, &ops, NULL) == PAL_OK)
        ops->abandon(root, v);
}

enum pal_status registry_current(const char *root, struct registry_version *out,
                                 struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->current(root, out, err) : st;
}

enum pal_status registry_last(const char *root, struct registry_version *out, struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->last(root, out, err) : st;
}

enum pal_status registry_find(const char *root, uint32_t number, struct registry_version *out,
                              struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->find(root, number, out, err) : st;
}

enum pal_status registry_activate(const char *root, uint32_t number, struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->activate(root, number, err) : st;
}

enum pal_status registry_remove(const char *root, uint32_t number, struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->remove(root, number, err) : st;
}

enum pal_status registry_list(const char *root, struct registry_version **out, size_t *count,
                              struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->list(root, out, count, err) : st;
}

enum pal_status registry_local(const char *root, char *out, size_t size, struct pal_error *err)
{
    const struct registry_ops *ops;
    enum pal_status st = find_kind(root, &ops, err);
    return st == PAL_OK ? ops->folder(root, out, size, err) : st;
}

/* ---- what kinds say alike ---- */

uint32_t registry_number(const char *text, const char *end)
{
    uint64_t number;
    return text_u64(text, end, &number) && number > 0 && number < UINT32_MAX ? (uint32_t)number : 0;
}

/* "1, 2, 5" for an error; the newest ones if there are many. */
static void name_versions(const char *root, struct str *out)
{
    struct registry_version *all = NULL;
    size_t count = 0;
    if (registry_list(root, &all, &count, NULL) != PAL_OK)
        return;
    if (count > LISTED)
        str_put(out, "…, ");
    for (size_t i = count > LISTED ? count - LISTED : 0; i < count; i++)
        str_fmt(out, "%u%s", all[i].number, i + 1 < count ? ", " : "");
    mem_free(all);
}

enum pal_status registry_missing(const char *root, uint32_t number, struct pal_error *err)
{
    struct str names = {0};
    enum pal_status st;
    name_versions(root, &names);
    if (names.len)
        st = pal_fail(err, PAL_ENOTFOUND, "%s has no version %u; it has %s", root, number,
                      str_text(&names));
    else
        st =
            pal_fail(err, PAL_ENOTFOUND,
                     "%s has no version %u, nor any other: `palate train` makes one", root, number);
    str_done(&names);
    return st;
}

enum pal_status registry_none_live(const char *root, struct pal_error *err)
{
    struct str names = {0};
    enum pal_status st;
    name_versions(root, &names);
    if (names.len)
        st = pal_fail(err, PAL_ENOTFOUND,
                      "no version in %s is live; it has %s: activate one of them", root,
                      str_text(&names));
    else
        st = pal_fail(err, PAL_ENOTFOUND, "%s holds no trained model: run `palate train` first",
                      root);
    str_done(&names);
    return st;
}

enum pal_status registry_check_whole(const struct registry_version *v, struct pal_error *err)
{
    return folder_holds(v->path, REGISTRY_MANIFEST)
               ? PAL_OK
               : pal_fail(err, PAL_EUSAGE, "%s has no " REGISTRY_MANIFEST ": it is not whole",
                          v->path);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct registry_version *)a)->number;
    uint32_t y = ((const struct registry_version *)b)->number;
    return x < y ? -1 : x > y;
}

void registry_sort(struct registry_version *all, size_t n)
{
    if (n)
        qsort(all, n, sizeof *all, by_number);
}
