/* The second stage: candidates in the order of a ranker (engine.ranker) instead of the blend's.
 *
 *     trees   the version's ranker (rank/rank.h). Its sources are asked with its quotas, the others
 *             of engine.sources besides.
 *     svd     by the mean of two reciprocal ranks, the blend's and that of the stars which a model
 *             that rates expects: the light alternative, which needs no training of its own.
 *
 * The order alone is taken: the best candidate gets the greatest of the blend's sums, the next the
 * next, so that what comes after (the bandit's share of likes, what was left, diversity) weighs as
 * it does for the blend. What the ranker does not know, an item newer than it, keeps its place. */
#include "engine/pipeline_inside.h"

#include "rank/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FUSE_K = 60 };

bool rerank_wanted(const struct ask *a)
{
    const struct pipeline_input *in = a->in;
    bool trees = in->options->ranker == RANKER_AUTO || in->options->ranker == RANKER_TREES;
    return trees && in->ranker && a->liked && !in->model;
}

enum pal_status rerank_sources(const struct ask *a, struct quota *out, size_t *count,
                               struct pal_error *err)
{
    const struct model *m = a->in->ranker->model;
    struct quota asked[SOURCES_MOST];
    const char *name;
    size_t n = 0, others = 0;
    enum pal_status st = quotas_parse(a->in->options->sources, "sources", asked, &others, err);
    for (; st == PAL_OK && n < SOURCES_MOST && (name = ranker_source(m, n)); n++) {
        quota_named(name, strlen(name), &out[n]);
        out[n].kind = FROM_MODEL; /* "popular" as it was trained with, not as it is now */
        out[n].most = ranker_quota(m);
    }
    size_t own = n;
    for (size_t i = 0; i < others && n < SOURCES_MOST; i++) {
        size_t j = 0;
        while (j < own && strcmp(out[j].name, asked[i].name) != 0)
            j++;
        if (j == own)
            out[n++] = asked[i];
    }
    *count = n;
    return st;
}

/* A source's list as the ranker wants it. */
static enum pal_status list_of(const struct ask *a, const struct forward *f, struct rank_list *out,
                               struct pal_error *err)
{
    uint32_t *item = arena_alloc(a->tmp, f->count, sizeof *item);
    float *score = arena_alloc(a->tmp, f->count, sizeof *score);
    if (!item || !score)
        return pal_no_memory(err);
    for (size_t i = 0; i < f->count; i++) {
        item[i] = source_number(a->in->ranker, f->pick[i].number);
        score[i] = f->pick[i].score;
    }
    *out = (struct rank_list){f->count, item, score};
    return PAL_OK;
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Deals the sums of these candidates (n), best first, out to them in this order. */
static enum pal_status deal(struct ask *a, struct candidate *const *order, size_t n,
                            struct pal_error *err)
{
    float *sum = arena_alloc(a->tmp, n, sizeof *sum);
    if (!sum)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++)
        sum[i] = order[i]->blend;
    qsort(sum, n, sizeof *sum, falling);
    for (size_t i = 0; i < n; i++)
        order[i]->blend = sum[i];
    return PAL_OK;
}

enum pal_status rerank_by_trees(struct ask *a, const struct forward *f, struct pal_error *err)
{
    const struct source *ranker = a->in->ranker;
    struct rank_list list[RANK_SOURCES];
    struct ranked_item *ranked = NULL;
    struct history h;
    bool liked;
    size_t n = 0, kept = 0;
    enum pal_status st = ask_history(a, ranker, &h, &liked, err);
    for (size_t i = 0; st == PAL_OK && ranker_source(ranker->model, i); i++)
        st = list_of(a, &f[i], &list[i], err);
    if (st == PAL_OK)
        st = ranker_order(ranker->model, &h, list, a->tmp, &ranked, &n, err);
    if (st != PAL_OK)
        return st;
    struct candidate **order = arena_alloc(a->tmp, n, sizeof *order);
    if (!order)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        order[kept] = blend_find(a, source_item(ranker, ranked[i].item));
        kept += order[kept] != NULL;
    }
    return deal(a, order, kept, err);
}

/* ---- By stars ---- */

static const struct source *rating_source(const struct ask *a)
{
    for (size_t i = 0; i < a->in->source_count; i++)
        if (a->in->sources[i].model->ops->can & MODEL_RATES)
            return &a->in->sources[i];
    return NULL;
}

/* Adds 1 / (60 + rank) in the order of `by` (n) to sum. */
static enum pal_status fuse(const struct ask *a, const float *by, size_t n, float *sum,
                            struct pal_error *err)
{
    struct scored *top = arena_alloc(a->tmp, n, sizeof *top);
    if (!top)
        return pal_no_memory(err);
    size_t found = topk(by, n, n, top);
    for (size_t i = 0; i < found; i++)
        sum[top[i].index] += 1 / (float)(FUSE_K + i + 1);
    return PAL_OK;
}

/* The candidates that the model knows, and the stars it expects for them. */
static enum pal_status expect(const struct ask *a, const struct source *s, struct candidate **known,
                              float *stars, size_t *count, struct pal_error *err)
{
    struct history h;
    bool liked;
    uint32_t *item = arena_alloc(a->tmp, a->candidates, sizeof *item);
    size_t n = 0;
    if (!item)
        return pal_no_memory(err);
    for (size_t i = 0; i < a->candidates; i++) {
        item[n] = source_number(s, a->candidate[i].item);
        known[n] = &a->candidate[i];
        n += item[n] != INTERN_NONE;
    }
    enum pal_status st = ask_history(a, s, &h, &liked, err);
    if (st == PAL_OK && n)
        st = model_rate(s->model, &h, item, n, stars, a->tmp, err);
    *count = n;
    return st;
}

enum pal_status rerank_by_stars(struct ask *a, struct pal_error *err)
{
    const struct source *s = rating_source(a);
    size_t all = a->candidates, n = 0;
    if (a->in->options->ranker != RANKER_SVD || !s || !a->liked || a->in->model)
        return PAL_OK;
    struct candidate **known = arena_alloc(a->tmp, all, sizeof *known);
    struct candidate **order = arena_alloc(a->tmp, all, sizeof *order);
    struct scored *top = arena_alloc(a->tmp, all, sizeof *top);
    float *stars = arena_alloc(a->tmp, all, sizeof *stars);
    float *blend = arena_alloc(a->tmp, all, sizeof *blend);
    float *sum = arena_zero(a->tmp, all, sizeof *sum);
    if (!known || !order || !top || !stars || !blend || !sum)
        return pal_no_memory(err);
    enum pal_status st = expect(a, s, known, stars, &n, err);
    for (size_t i = 0; i < n; i++)
        blend[i] = known[i]->blend;
    if (st != PAL_OK || !n || isnan(stars[0]))
        return st; /* it learned from weights: it has no stars to go by */
    st = fuse(a, blend, n, sum, err);
    if (st == PAL_OK)
        st = fuse(a, stars, n, sum, err);
    if (st != PAL_OK)
        return st;
    n = topk(sum, n, n, top);
    for (size_t i = 0; i < n; i++)
        order[i] = known[top[i].index];
    return deal(a, order, n, err);
}
