/* See recommender.h. Each model numbers its items in its own way; the catalog has another. Where
 * the two agree (a model fitted on this very catalog, which may have grown since) no map is kept.
 */
#include "engine/joined.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/version.h"
#include "rank/rank.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Whether the model's items are the catalog's first ones in the same order. */
static bool same_numbers(const struct intern *model, const struct intern *catalog)
{
    if (model->count > catalog->count)
        return false;
    for (uint32_t i = 0; i < model->count; i++)
        if (intern_len(model, i) != intern_len(catalog, i) ||
            memcmp(intern_text(model, i), intern_text(catalog, i), intern_len(model, i)) != 0)
            return false;
    return true;
}

static enum pal_status join(struct joined *j, struct model *m, const struct items *items,
                            struct pal_error *err)
{
    const struct intern *ids = &m->ids, *catalog = &items->ids;
    struct joined joined = {.model = m, .mapped = catalog->count};
    if (!same_numbers(ids, catalog)) {
        joined.to_catalog = mem_alloc(ids->count, sizeof *joined.to_catalog);
        joined.to_model = mem_alloc(catalog->count, sizeof *joined.to_model);
        if (!joined.to_catalog || !joined.to_model) {
            mem_free(joined.to_catalog);
            mem_free(joined.to_model);
            return pal_no_memory(err);
        }
        memset(joined.to_model, 0xff, catalog->count * sizeof *joined.to_model);
        for (uint32_t i = 0; i < ids->count; i++) {
            uint32_t number = intern_find(catalog, intern_text(ids, i), intern_len(ids, i));
            joined.to_catalog[i] = number;
            if (number != INTERN_NONE)
                joined.to_model[number] = i;
        }
    }
    *j = joined;
    return PAL_OK;
}

static void unjoin(struct joined *j)
{
    mem_free(j->to_catalog);
    mem_free(j->to_model);
}

/* Frees everything but the models. */
static void drop(struct recommender *r)
{
    for (size_t i = 0; i < r->count; i++)
        unjoin(&r->joined[i]);
    mem_free(r->joined);
    items_done(&r->own);
    mem_free(r);
}

static enum pal_status make(const struct items *items, bool copy, struct model **models,
                            size_t count, struct recommender **out, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct recommender *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    r->items = copy ? &r->own : items;
    r->joined = mem_zero(count, sizeof *r->joined);
    if (!r->joined)
        st = pal_no_memory(err);
    else if (copy)
        st = items_copy(items, &r->own, err);
    while (st == PAL_OK && r->count < count) {
        st = join(&r->joined[r->count], models[r->count], r->items, err);
        if (st == PAL_OK)
            r->count++;
    }
    if (st != PAL_OK) {
        drop(r);
        return st;
    }
    *out = r;
    return PAL_OK;
}

enum pal_status recommender_new(const struct items *items, struct model **models, size_t count,
                                struct recommender **out, struct pal_error *err)
{
    return make(items, true, models, count, out, err);
}

enum pal_status recommender_over(const struct items *items, struct model **models, size_t count,
                                 struct recommender **out, struct pal_error *err)
{
    return make(items, false, models, count, out, err);
}

/* Which of the first `count` is a model of that name; count if none is. */
static size_t place_of(const struct joined *joined, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcmp(joined[i].model->ops->name, name) != 0)
        i++;
    return i;
}

enum pal_status recommender_put(struct recommender *r, struct model **models, size_t count,
                                struct pal_error *err)
{
    struct joined *fresh = mem_zero(count, sizeof *fresh);
    struct joined *all = mem_zero(r->count + count, sizeof *all);
    enum pal_status st = fresh && all ? PAL_OK : pal_no_memory(err);
    size_t made = 0, total = r->count;
    for (; st == PAL_OK && made < count; made++)
        if ((st = join(&fresh[made], models[made], r->items, err)) != PAL_OK)
            break;
    if (st != PAL_OK) {
        while (made)
            unjoin(&fresh[--made]);
        mem_free(fresh);
        mem_free(all);
        return st;
    }
    if (r->count)
        memcpy(all, r->joined, r->count * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        size_t at = place_of(all, total, models[i]->ops->name);
        if (at < total) {
            unjoin(&all[at]);
            model_free(all[at].model);
        } else {
            total++;
        }
        all[at] = fresh[i];
    }
    mem_free(fresh);
    mem_free(r->joined);
    r->joined = all;
    r->count = total;
    return PAL_OK;
}

void recommender_free(struct recommender *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        model_free(r->joined[i].model);
    drop(r);
}

/* With a ranker among the chosen, the rest of the version behind them: its sources are there. */
static void add_sources(const struct version_names *have, struct version_names *chosen)
{
    bool ranks = false;
    for (size_t i = 0; i < chosen->count; i++)
        ranks |= ranker_find(chosen->name[i]) != NULL;
    for (size_t i = 0; i < have->count && ranks; i++) {
        size_t j = 0;
        while (j < chosen->count && strcmp(chosen->name[j], have->name[i]) != 0)
            j++;
        if (j == chosen->count)
            memcpy(chosen->name[chosen->count++], have->name[i], VERSION_NAME);
    }
}

/* The names in "als,ease", each of which the version must have. */
static enum pal_status choose(const struct version_names *have, const char *only, const char *dir,
                              struct version_names *out, struct pal_error *err)
{
    struct version_names chosen = {0};
    for (const char *p = only; *p;) {
        size_t len = strcspn(p, ","), i = 0, j = 0;
        while (i < have->count &&
               (strlen(have->name[i]) != len || memcmp(have->name[i], p, len) != 0))
            i++;
        if (i == have->count) {
            struct str names = {0};
            for (i = 0; i < have->count; i++)
                str_fmt(&names, "%s%s", i ? ", " : "", have->name[i]);
            enum pal_status st = pal_fail(err, PAL_ENOTFOUND, "%s has no model '%.*s'; it has %s",
                                          dir, (int)len, p, str_text(&names));
            str_done(&names);
            return st;
        }
        while (j < chosen.count && strcmp(chosen.name[j], have->name[i]) != 0)
            j++;
        if (j == chosen.count)
            memcpy(chosen.name[chosen.count++], have->name[i], VERSION_NAME);
        p += len;
        p += *p == ',';
    }
    if (chosen.count == 0)
        return pal_fail(err, PAL_EUSAGE, "name at least one model to open in %s", dir);
    add_sources(have, &chosen);
    *out = chosen;
    return PAL_OK;
}

enum pal_status recommender_open(const char *dir, const char *only, struct recommender **out,
                                 struct pal_error *err)
{
    char path[PATH_MAX];
    struct version_names names;
    struct model *models[VERSION_MODELS];
    size_t loaded = 0;
    struct items items = {0};
    enum pal_status st = version_models(dir, &names, err);
    if (st == PAL_OK && only)
        st = choose(&names, only, dir, &names, err);
    if (st == PAL_OK)
        st = file_join(path, sizeof path, dir, "catalog.palate", err);
    if (st == PAL_OK)
        st = catalog_read(path, &items, err);
    while (st == PAL_OK && loaded < names.count) {
        st = version_load(dir, names.name[loaded], &models[loaded], err);
        loaded += st == PAL_OK;
    }
    version_attach(models, loaded, NULL);
    struct recommender *r = NULL;
    if (st == PAL_OK)
        st = recommender_over(&items, models, loaded, &r, err);
    if (st != PAL_OK) {
        while (loaded)
            model_free(models[--loaded]);
        items_done(&items);
        return st;
    }
    r->own = items; /* handed over */
    r->items = &r->own;
    *out = r;
    return PAL_OK;
}

const struct items *recommender_items(const struct recommender *r)
{
    return r->items;
}

size_t recommender_models(const struct recommender *r)
{
    return r->count;
}

const struct model *recommender_model(const struct recommender *r, size_t i)
{
    return r->joined[i].model;
}

struct model *recommender_own(struct recommender *r, size_t i)
{
    return r->joined[i].model;
}

enum pal_status recommender_rebase(struct recommender *r, const struct items *like,
                                   const struct items *items, struct pal_error *err)
{
    struct joined *fresh = mem_zero(r->count, sizeof *fresh);
    if (!fresh)
        return pal_no_memory(err);
    for (size_t made = 0; made < r->count; made++) {
        enum pal_status st = join(&fresh[made], r->joined[made].model, like, err);
        if (st != PAL_OK) {
            while (made)
                unjoin(&fresh[--made]);
            mem_free(fresh);
            return st;
        }
    }
    for (size_t i = 0; i < r->count; i++)
        unjoin(&r->joined[i]);
    mem_free(r->joined);
    r->joined = fresh;
    items_done(&r->own);
    r->items = items;
    return PAL_OK;
}
