/* See load.h. The table of formats, finding out which one a path holds, and the common end of every
 * load: rows become histories. */
#include "data/loading.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order in which they are tried: the more a format demands the earlier. */
static const struct loader *const loaders[] = {
    &loader_own,          &loader_export,          &loader_jsonl,       &loader_movielens_100k,
    &loader_movielens_1m, &loader_movielens_csv,   &loader_ncf,         &loader_lists,
    &loader_sasrec,       &loader_completejourney, &loader_open_bandit, &loader_folder,
    &loader_table,
};
enum { LOADERS = sizeof loaders / sizeof loaders[0] };

const char *load_format_name(size_t i)
{
    return i < LOADERS ? loaders[i]->name : NULL;
}

const char *load_format_help(size_t i)
{
    return i < LOADERS ? loaders[i]->help : NULL;
}

static enum pal_status by_name(const char *name, const struct loader **out, struct pal_error *err)
{
    struct str known = {0};
    for (size_t i = 0; i < LOADERS; i++) {
        if (strcmp(loaders[i]->name, name) == 0) {
            *out = loaders[i];
            str_done(&known);
            return PAL_OK;
        }
        str_fmt(&known, "%s%s", i ? ", " : "", loaders[i]->name);
    }
    enum pal_status st = pal_fail(err, PAL_EUSAGE, "there is no format '%.80s': give one of %s",
                                  name, str_text(&known));
    str_done(&known);
    return st;
}

static enum pal_status find_loader(const char *path, const char *format, const struct loader **out,
                                   struct pal_error *err)
{
    if (access(path, F_OK))
        return pal_fail(err, errno == ENOENT || errno == ENOTDIR ? PAL_ENOTFOUND : PAL_EIO,
                        "cannot open %s: %s", path, strerror(errno));
    if (file_is_dir(path) && access(path, R_OK | X_OK))
        return pal_fail(err, PAL_EIO, "cannot read folder %s: %s", path, strerror(errno));
    if (format)
        return by_name(format, out, err);
    for (size_t i = 0; i < LOADERS; i++)
        if (loaders[i]->fits(path)) {
            *out = loaders[i];
            return PAL_OK;
        }
    char inner[256];
    folder_inner(path, inner, sizeof inner);
    return pal_fail(err, PAL_EFORMAT,
                    "%s: no known data set is in this folder: expected u.data, ratings.dat, "
                    "ratings.csv, train.txt, NAME.train.rating, events.csv, events.jsonl or a "
                    "single file of events%s",
                    path, inner);
}

/* The last part of the path, also for "." and for one that ends in a slash. */
static void name_of(const char *path, char name[128])
{
    char real[PATH_MAX];
    const char *p = realpath(path, real) ? real : path;
    const char *slash = strrchr(p, '/');
    snprintf(name, 128, "%.127s", slash && slash[1] ? slash + 1 : p);
}

/* Rows into histories; metadata of as many rows as there are ids. */
static enum pal_status finish(struct loading *l, struct pal_error *err)
{
    struct dataset *d = l->d;
    uint32_t users = d->users.ids.count, items = d->items.ids.count;
    struct {
        struct texts *texts;
        uint32_t rows;
    } texts[] = {
        {&d->items.titles, items}, {&d->items.attributes, items}, {&d->users.attributes, users}};
    struct labels *labels[] = {&d->items.categories, &d->items.tags};
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < 3 && st == PAL_OK; i++)
        if (texts[i].texts->count && texts[i].texts->count < texts[i].rows)
            st = texts_put(texts[i].texts, texts[i].rows - 1, "", 0, err);
    for (size_t i = 0; i < 2 && st == PAL_OK; i++)
        if (labels[i]->rows)
            st = labels_fill(labels[i], items, err);
    if (st == PAL_OK)
        st = rows_finish(l->all, users, items, l->has_times, &d->all, err);
    if (st == PAL_OK && l->test)
        st = rows_finish(l->test, users, items, l->has_times, &d->test, err);
    d->skipped = l->reading.skipped;
    return st;
}

static enum pal_status load_with(const struct loader *loader, struct loading *l, const char *path,
                                 struct dataset **out, struct pal_error *err)
{
    enum pal_status st = PAL_ENOMEM;
    l->d = dataset_new();
    if (!l->d) {
        st = pal_no_memory(err);
        goto done;
    }
    name_of(path, l->d->name);
    l->d->format = loader->name;
    st = rows_new(&l->all, err);
    if (st == PAL_OK)
        st = loader->read(l, path, err);
    if (st == PAL_OK)
        st = finish(l, err);
    if (st == PAL_OK)
        st = run_step(l->reading.run, "loading", l->reading.done, l->reading.total, err);
    if (st != PAL_OK)
        goto done;
    *out = l->d;
    l->d = NULL;
done:
    dataset_free(l->d);
    rows_free(l->all);
    rows_free(l->test);
    return st;
}

enum pal_status dataset_load(const char *path, const struct load_options *options,
                             const struct run *run, struct dataset **out, struct pal_error *err)
{
    static const struct load_options defaults = {0};
    const struct loader *loader = NULL;
    struct loading l = {.options = options ? options : &defaults,
                        .lowest = INFINITY,
                        .highest = -INFINITY,
                        .last_user = INTERN_NONE};
    l.reading.run = run;
    l.reading.allowed = l.options->skip_bad;
    enum pal_status st = find_loader(path, l.options->format, &loader, err);
    if (st != PAL_OK)
        return st;
    if (l.options->fold && loader != &loader_movielens_100k)
        return pal_fail(err, PAL_EUSAGE,
                        "%s is %s: only MovieLens 100K (a folder with u.data) has folds", path,
                        loader->name);
    if (l.options->columns && !loader->columns)
        return pal_fail(err, PAL_EUSAGE, "%s is %s, whose columns are known: leave columns out",
                        path, loader->name);
    if (loader == &loader_own)
        return dataset_load_own(path, out, err);
    return load_with(loader, &l, path, out, err);
}

/* palate's own file has a safetensors header: 8 bytes of length, then a JSON object. */
static bool own_fits(const char *path)
{
    char head[9];
    FILE *f = file_is_dir(path) ? NULL : fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    size_t len = strlen(path);
    bool named = f && len > 7 && strcmp(path + len - 7, ".palate") == 0; /* even if cut short */
    return named || (n == sizeof head && head[8] == '{' && memchr(head, 0, 8) != NULL);
}

const struct loader loader_own = {"palate", "palate's own file, as written by import", own_fits,
                                  NULL, false};
