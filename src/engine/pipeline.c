/* See pipeline.h: the stages in their order, and the three lists that need only some of them. */
#include "engine/pipeline_inside.h"

#include <string.h>

/* *personal: whether anything that looks at the history had something to put forward. */
static enum pal_status ask_all(struct ask *a, struct forward *forward, size_t *count,
                               bool *personal, struct pal_error *err)
{
    struct quota quota[SOURCES_MOST];
    enum pal_status st =
        rerank_wanted(a) ? rerank_sources(a, quota, count, err) : ask_sources(a, quota, count, err);
    a->ranked = rerank_wanted(a) ? forward : NULL;
    *personal = false;
    for (size_t i = 0; st == PAL_OK && i < *count; i++) {
        st = candidates_of(a, &quota[i], &forward[i], err);
        *personal |= st == PAL_OK && forward[i].personal && forward[i].count;
    }
    return st;
}

static enum pal_status gather(struct ask *a, struct pal_error *err)
{
    struct forward forward[SOURCES_MOST];
    size_t count;
    bool personal;
    enum pal_status st = ask_all(a, forward, &count, &personal, err);
    if (st == PAL_OK && a->liked && !personal && !a->in->model) {
        a->liked = false; /* nothing that any model knows: a newcomer to all of them */
        st = ask_all(a, forward, &count, &personal, err);
    }
    return st == PAL_OK ? blend_all(a, forward, count, err) : st;
}

static double set_or(double given, double otherwise)
{
    return given >= 0 ? given : otherwise;
}

enum pal_status pipeline_run(const struct pipeline_input *in, struct arena *tmp,
                             struct pipeline_item *out, size_t *count, struct pal_error *err)
{
    struct ask a;
    double diversity = set_or(in->diversity, in->model ? 0 : in->options->diversity);
    double chance = in->model ? 0 : set_or(in->explore, in->options->explore);
    enum pal_status st = ask_open(&a, in, true, tmp, err);
    if (st == PAL_OK && !in->model)
        st = ask_rest(&a, err);
    if (st == PAL_OK)
        st = gather(&a, err);
    if (st == PAL_OK && !in->model)
        blend_discount(&a);
    if (st == PAL_OK)
        st = list_diversify(&a, diversity, err);
    if (st == PAL_OK)
        st = list_fill(&a, err);
    if (st == PAL_OK)
        st = list_explore(&a, chance, err);
    if (st == PAL_OK && in->explain && in->history.n)
        st = list_explain(&a, err);
    if (st != PAL_OK)
        return st;
    if (a.count)
        memcpy(out, a.list, a.count * sizeof *out);
    *count = a.count;
    return PAL_OK;
}

enum pal_status pipeline_top(const struct pipeline_input *in, bool trending, struct arena *tmp,
                             struct pipeline_item *out, size_t *count, struct pal_error *err)
{
    struct quota quota = {trending ? FROM_TRENDING : FROM_POPULAR,
                          trending ? "trending" : "popular", 1};
    struct forward f;
    struct ask a;
    enum pal_status st = ask_open(&a, in, false, tmp, err);
    if (st == PAL_OK)
        st = candidates_of(&a, &quota, &f, err);
    for (size_t i = 0; st == PAL_OK && i < f.count && a.count < a.n; i++)
        list_put(&a, f.pick[i].number, f.pick[i].score, f.name, 1);
    if (st != PAL_OK)
        return st;
    if (a.count)
        memcpy(out, a.list, a.count * sizeof *out);
    *count = a.count;
    return PAL_OK;
}

static enum pal_status find_similar(const struct ask *a, uint32_t item, const struct source **out,
                                    struct pal_error *err)
{
    bool able = false;
    for (size_t i = 0; i < a->in->source_count; i++) {
        const struct source *s = &a->in->sources[i];
        if ((a->in->model && strcmp(s->model->ops->name, a->in->model) != 0) ||
            !(s->model->ops->can & MODEL_SIMILAR))
            continue;
        able = true;
        if (source_number(s, item) != INTERN_NONE) {
            *out = s;
            return PAL_OK;
        }
    }
    if (a->in->model && !ask_source(a, a->in->model))
        return ask_no_model(a, err);
    if (!able)
        return pal_fail(err, PAL_ENOTFOUND,
                        "no model here can tell which items are alike: train "
                        "als, ease, knn or content");
    return pal_fail(err, PAL_ENOTFOUND, "'%s' is newer than the models, which do not know it yet",
                    catalog_name(a->in->catalog, item));
}

enum pal_status pipeline_similar(const struct pipeline_input *in, uint32_t item, struct arena *tmp,
                                 struct pipeline_item *out, size_t *count, struct pal_error *err)
{
    const struct source *s = NULL;
    struct ask a;
    size_t found = 0;
    enum pal_status st = ask_open(&a, in, false, tmp, err);
    if (st == PAL_OK && item >= a.items)
        return pal_fail(err, PAL_EUSAGE, "item %u is not in the catalog of %u", item, a.items);
    if (st == PAL_OK)
        st = find_similar(&a, item, &s, err);
    if (st != PAL_OK)
        return st;
    /* what must not come may be among the nearest: as many more are asked for, at first */
    uint32_t all = model_items(s->model), most = (uint32_t)(4 * a.n + 100);
    struct scored *top = NULL;
    for (;; most = all) {
        most = most < all ? most : all;
        top = arena_alloc(tmp, most, sizeof *top);
        if (!top)
            return pal_no_memory(err);
        st = model_similar(s->model, source_number(s, item), most, tmp, top, &found, err);
        if (st != PAL_OK)
            return st;
        size_t good = 0;
        for (size_t i = 0; i < found && top[i].score > 0; i++)
            good += ask_allows(&a, source_item(s, top[i].index));
        if (good >= a.n || found < most || most == all)
            break;
    }
    for (size_t i = 0; i < found && a.count < a.n && top[i].score > 0; i++)
        if (ask_allows(&a, source_item(s, top[i].index)))
            list_put(&a, source_item(s, top[i].index), top[i].score, s->model->ops->name, 1);
    if (a.count)
        memcpy(out, a.list, a.count * sizeof *out);
    *count = a.count;
    return PAL_OK;
}
