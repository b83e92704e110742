/* See ranker.h and rank.h. */
#include "rank/ranker.h"

#include "rank/lists.h"

#include <stdio.h>
#include <string.h>

static const struct ranker_ops *const table[] = {&ranker_trees, &ranker_stars};

enum { RANKERS = sizeof table / sizeof *table };

const struct model_ops *ranker_at(size_t i)
{
    return i < RANKERS ? table[i]->model : NULL;
}

const struct model_ops *ranker_find(const char *name)
{
    for (size_t i = 0; i < RANKERS; i++)
        if (strcmp(table[i]->model->name, name) == 0)
            return table[i]->model;
    return NULL;
}

/* m is a ranker. */
static const struct ranker_ops *ops_of(const struct model *m)
{
    size_t i = 0;
    while (i + 1 < RANKERS && table[i]->model != m->ops)
        i++;
    return table[i];
}

enum pal_status ranker_load(const char *path, struct model **out, struct pal_error *err)
{
    return model_load_by(path, ranker_find, out, err);
}

/* ---- the sources ---- */

enum pal_status ranker_take(struct ranker *r, const struct training *t, struct pal_error *err)
{
    for (size_t i = 0; i < t->source_count; i++) {
        const struct model *s = t->sources[i];
        size_t j = 0;
        while (j < r->sources && strcmp(r->name[j], s->ops->name) != 0)
            j++;
        if (j < r->sources || strlen(s->ops->name) >= sizeof r->name[0])
            continue;
        if (r->sources == RANK_SOURCES)
            return pal_fail(err, PAL_EUSAGE, "%s ranks what %d models put forward, no more",
                            r->model.ops->name, RANK_SOURCES);
        r->source[r->sources] = s;
        snprintf(r->name[r->sources++], sizeof r->name[0], "%s", s->ops->name);
    }
    if (!r->sources)
        return pal_fail(err, PAL_EUSAGE,
                        "%s ranks what other models put forward: name these before it, such as "
                        "als,popular,%s",
                        r->model.ops->name, r->model.ops->name);
    return PAL_OK;
}

static bool same_items(const struct intern *a, const struct intern *b)
{
    return a->count == b->count &&
           (a->count == 0 || (a->start[a->count] == b->start[b->count] &&
                              memcmp(a->bytes, b->bytes, a->start[a->count]) == 0));
}

enum pal_status ranker_attach(struct model *model, const struct model *const *models, size_t count,
                              struct pal_error *err)
{
    struct ranker *r = ranker_self(model);
    const struct model *found[RANK_SOURCES] = {NULL};
    for (size_t i = 0; i < r->sources + r->judges; i++) {
        for (size_t j = 0; j < count && !found[i]; j++)
            if (strcmp(models[j]->ops->name, r->name[i]) == 0)
                found[i] = models[j];
        if (!found[i])
            return pal_fail(err, PAL_ENOTFOUND,
                            "%s was trained to rank what '%s' puts forward, which is not there",
                            model->ops->name, r->name[i]);
        if (!same_items(&found[i]->ids, &model->ids))
            return pal_fail(err, PAL_ENOTFOUND, "%s and its source '%s' know different items",
                            model->ops->name, r->name[i]);
    }
    memcpy(r->source, found, sizeof found);
    return PAL_OK;
}

bool ranker_ready(const struct model *m)
{
    return ranker_self(m)->source[0];
}

bool ranker_wants_had(const struct model *m)
{
    const struct ranker_ops *ops = ops_of(m);
    return ops->again && ops->again(m);
}

const char *ranker_source(const struct model *m, size_t i)
{
    return i < ranker_self(m)->sources ? ranker_self(m)->name[i] : NULL;
}

size_t ranker_quota(const struct model *m)
{
    return ops_of(m)->quota(m);
}

/* ---- answers ---- */

enum pal_status ranker_order(const struct model *m, const struct history *h,
                             const struct rank_list *list, struct arena *tmp,
                             struct ranked_item **out, size_t *count, struct pal_error *err)
{
    return ops_of(m)->order(m, h, list, tmp, out, count, err);
}

enum pal_status ranker_sort(const uint32_t *item, const float *sum, size_t n, float (*scale)(float),
                            struct arena *tmp, struct ranked_item **out, struct pal_error *err)
{
    struct ranked_item *ranked = arena_alloc(tmp, n, sizeof *ranked);
    struct scored *best = arena_alloc(tmp, n, sizeof *best);
    if (!ranked || !best)
        return pal_no_memory(err);
    topk(sum, n, n, best); /* all of them: sums are finite */
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked_item){item[best[i].index], scale(best[i].score)};
    *out = ranked;
    return PAL_OK;
}

static enum pal_status order_all(const struct model *m, const struct history *h,
                                 const uint8_t *skip, struct arena *tmp, struct ranked_item **out,
                                 size_t *count, struct pal_error *err)
{
    const struct ranker *r = ranker_self(m);
    struct rank_list list[RANK_SOURCES];
    if (!ranker_ready(m))
        return pal_fail(err, PAL_EUNSUPPORTED, "%s can't be asked without its sources",
                        m->ops->name);
    enum pal_status st = lists_ask(r->source, r->sources, h, skip, ranker_quota(m), tmp, list, err);
    return st == PAL_OK ? ranker_order(m, h, list, tmp, out, count, err) : st;
}

enum pal_status ranker_score(const struct model *m, const struct history *h, size_t n,
                             float *scores, struct arena *tmp, struct pal_error *err)
{
    size_t items = model_items(m);
    enum pal_status st = PAL_OK;
    uint8_t *had = arena_zero(tmp, items, 1);
    if (!had)
        return pal_no_memory(err);
    for (size_t row = 0; row < n && st == PAL_OK; row++) {
        struct ranked_item *ranked = NULL;
        size_t count = 0;
        for (size_t i = 0; i < h[row].n; i++)
            had[h[row].item[i]] = 1;
        ops_of(m)->rest(m, scores + row * items);
        st = order_all(m, &h[row], ranker_wants_had(m) ? NULL : had, tmp, &ranked, &count, err);
        for (size_t i = 0; i < count; i++)
            scores[row * items + ranked[i].item] = ranked[i].score;
        for (size_t i = 0; i < h[row].n; i++)
            had[h[row].item[i]] = 0;
    }
    return st;
}

/* ---- what it says of itself ---- */

enum pal_status ranker_damaged(const struct tensors *file, const char *what, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s: %s: the file is damaged", tensors_path(file), what);
}

enum pal_status ranker_save_names(const struct ranker *r, struct tensors_out *out,
                                  struct pal_error *err)
{
    struct str names = {0};
    for (size_t i = 0; i < r->sources + r->judges; i++)
        str_fmt(&names, "%s%s", i ? " " : "", r->name[i]);
    enum pal_status st = str_ok(&names) ? tensors_meta(out, "palate.sources", str_text(&names), err)
                                        : pal_no_memory(err);
    str_done(&names);
    return st;
}

enum pal_status ranker_load_names(struct ranker *r, const struct tensors *file,
                                  struct pal_error *err)
{
    const char *at = tensors_get_meta(file, "palate.sources");
    while (at && *at) {
        size_t len = strcspn(at, " ");
        if (!len || len >= sizeof r->name[0] || r->sources == RANK_SOURCES)
            return ranker_damaged(file, "its sources can't be read", err);
        memcpy(r->name[r->sources], at, len);
        r->name[r->sources++][len] = 0;
        at += len + (at[len] == ' ');
    }
    return r->sources ? PAL_OK : ranker_damaged(file, "it names no sources", err);
}

void ranker_put_sources(const struct model *m, struct str *out)
{
    const char *name;
    str_put(out, "\"sources\":[");
    for (size_t i = 0; (name = ranker_source(m, i)); i++)
        str_fmt(out, "%s\"%s\"", i ? "," : "", name);
    str_fmt(out, "],\"quota\":%zu", ranker_quota(m));
}

void ranker_describe(const struct model *m, struct str *out)
{
    ops_of(m)->describe(m, out);
}
