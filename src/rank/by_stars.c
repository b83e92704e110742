/* The light ranker: what other models put forward, in the mean of two orders, theirs and that of
 * the stars which a model of ratings expects.
 *
 * Both orders enter by reciprocal rank (Cormack, Clarke, Büttcher, SIGIR 2009): a candidate gets
 * 1 / (60 + its rank) of the lists, joined in the same way, and `weight` times as much of the
 * stars. Expected stars alone order lists badly, since what people choose to rate at all says more
 * than how they rate it; beside an order that knows that they tell the liked from the merely met.
 *
 * Nothing is learned here, so it needs neither times nor a holdout: the last model of ratings named
 * before it (svd, svdpp) judges and puts nothing forward, the others do. Where that model has
 * learned from likes and knows no stars, or the history holds no like, the lists stand as they are.
 */
#include "rank/ranker.h"

#include "base/mem.h"
#include "model/stored.h"
#include "rank/lists.h"

#include <math.h>
#include <string.h>

enum { FUSE_K = 60 };

struct stars_options {
    int64_t quota;
    double weight;
};

struct stars_ranker {
    struct ranker ranker;
    const float *rest; /* (items) scores of what nobody puts forward: own, or in the file */
    float *own;
};

#define FIELD(name) offsetof(struct stars_options, name)
static const struct opt rows[] = {
    {"quota", OPT_INT, FIELD(quota), "100", 10, 1000, OPT_LOG, NULL,
     "candidates that each source puts forward"},
    {"weight", OPT_REAL, FIELD(weight), "0.5", 0, 100, OPT_LOG, NULL,
     "how much the order by stars counts beside that of the sources"},
};
#undef FIELD

static struct stars_ranker *self(const struct model *m)
{
    return (struct stars_ranker *)(uintptr_t)m;
}

static uint64_t stars_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    return items * (sizeof(float) + sizeof(uint32_t));
}

/* The last source that rates becomes the judge, behind the others. */
static enum pal_status choose_judge(struct ranker *r, struct pal_error *err)
{
    size_t at = r->sources;
    while (at > 0 && !(r->source[at - 1]->ops->can & MODEL_RATES))
        at--;
    if (at == 0 || r->sources < 2)
        return pal_fail(err, PAL_EUSAGE,
                        "%s orders what models put forward by the stars that another expects: "
                        "name both before it, such as als,svdpp,%s",
                        r->model.ops->name, r->model.ops->name);
    const struct model *judge = r->source[at - 1];
    char name[sizeof r->name[0]];
    memcpy(name, r->name[at - 1], sizeof name);
    for (; at < r->sources; at++) {
        r->source[at - 1] = r->source[at];
        memcpy(r->name[at - 1], r->name[at], sizeof name);
    }
    r->source[at - 1] = judge;
    memcpy(r->name[at - 1], name, sizeof name);
    r->sources--;
    r->judges = 1;
    return PAL_OK;
}

/* From -1 to -½, the more people liked the item the higher. */
static enum pal_status score_rest(struct stars_ranker *m, const struct csr *R,
                                  struct pal_error *err)
{
    uint32_t most = 1, *likes = mem_zero(R->cols, sizeof *likes);
    m->rest = m->own = mem_alloc(R->cols, sizeof *m->own);
    if (!likes || !m->own) {
        mem_free(likes);
        return pal_no_memory(err);
    }
    for (uint64_t e = 0; e < csr_entries(R); e++)
        likes[R->col[e]] += R->val[e] > 0;
    for (uint32_t i = 0; i < R->cols; i++)
        most = likes[i] > most ? likes[i] : most;
    for (uint32_t i = 0; i < R->cols; i++)
        m->own[i] = -1 + 0.5f * (float)likes[i] / (float)most;
    mem_free(likes);
    return PAL_OK;
}

static enum pal_status stars_fit(struct model *model, const struct training *t,
                                 const struct run *run, struct pal_error *err)
{
    struct stars_ranker *m = self(model);
    enum pal_status st = ranker_take(&m->ranker, t, err);
    if (st == PAL_OK)
        st = choose_judge(&m->ranker, err);
    return st == PAL_OK ? score_rest(m, &t->by_user, err) : st;
}

/* ---- answers ---- */

/* Adds weight / (60 + rank), ranks by the stars that the judge expects. */
static enum pal_status add_stars(const struct stars_ranker *m, const struct history *h,
                                 const uint32_t *item, size_t n, float *sum, struct arena *tmp,
                                 struct pal_error *err)
{
    const struct stars_options *o = m->ranker.model.options;
    const struct model *judge = m->ranker.source[m->ranker.sources];
    float *stars = arena_alloc(tmp, n, sizeof *stars);
    struct scored *best = arena_alloc(tmp, n, sizeof *best);
    if (!stars || !best)
        return pal_no_memory(err);
    enum pal_status st = model_rate(judge, h, item, n, stars, tmp, err);
    if (st != PAL_OK || isnan(stars[0]))
        return st;
    topk(stars, n, n, best);
    for (size_t i = 0; i < n; i++)
        sum[best[i].index] += (float)o->weight / (float)(FUSE_K + i + 1);
    return PAL_OK;
}

/* From 0 to 1. */
static float scale(float sum)
{
    return sum / (1 + sum);
}

static enum pal_status stars_order(const struct model *model, const struct history *h,
                                   const struct rank_list *list, struct arena *tmp,
                                   struct ranked_item **out, size_t *count, struct pal_error *err)
{
    const struct stars_ranker *m = self(model);
    const struct known items = {.items = model_items(model)};
    const struct history nothing = {0}; /* places are all that is wanted */
    struct rank_view v;
    enum pal_status st = rank_view_make(&items, &nothing, list, m->ranker.sources, tmp, &v, err);
    if (st != PAL_OK)
        return st;
    float *sum = arena_alloc(tmp, v.count, sizeof *sum);
    if (!sum)
        return pal_no_memory(err);
    st = rank_base(&v, v.sources, tmp, sum, err);
    for (size_t i = 0; i < v.count && st == PAL_OK; i++)
        sum[i] = 1 / (FUSE_K + expf(-sum[i])); /* it was the logarithm of 1 / rank */
    if (st == PAL_OK && v.count && lists_liked(h))
        st = add_stars(m, h, v.item, v.count, sum, tmp, err);
    *count = v.count;
    return st == PAL_OK ? ranker_sort(v.item, sum, v.count, scale, tmp, out, err) : st;
}

static size_t stars_quota(const struct model *m)
{
    return (size_t)((const struct stars_options *)m->options)->quota;
}

static void stars_rest(const struct model *m, float *scores)
{
    memcpy(scores, self(m)->rest, model_items(m) * sizeof *scores);
}

static void stars_describe(const struct model *m, struct str *out)
{
    const struct ranker *r = &self(m)->ranker;
    str_put(out, "{");
    ranker_put_sources(m, out);
    str_fmt(out, ",\"judge\":\"%s\"}", r->name[r->sources]);
}

/* ---- files ---- */

static enum pal_status stars_save(const struct model *m, struct tensors_out *out,
                                  struct pal_error *err)
{
    enum pal_status st = ranker_save_names(&self(m)->ranker, out, err);
    return st == PAL_OK
               ? tensors_add(out, "rest", TENSOR_F32, model_items(m), 0, self(m)->rest, err)
               : st;
}

static enum pal_status stars_load(struct model *model, const struct tensors *file,
                                  struct pal_error *err)
{
    struct stars_ranker *m = self(model);
    enum pal_status st = ranker_load_names(&m->ranker, file, err);
    if (st == PAL_OK && (m->ranker.sources < 2 || !model_items(model)))
        st = ranker_damaged(file, "it names no judge, or knows no items", err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "rest", model_items(model), 0, &m->rest, err);
    if (st != PAL_OK)
        return st;
    m->ranker.sources--;
    m->ranker.judges = 1;
    for (size_t i = 0; i < model_items(model); i++)
        if (!(m->rest[i] >= -1 && m->rest[i] < 0))
            return ranker_damaged(file, "a score is not below 0", err);
    return PAL_OK;
}

static void stars_done(struct model *m)
{
    mem_free(self(m)->own);
}

static const struct model_ops operations = {
    .name = "stars",
    .title = "what other models put forward, by the stars that svd or svdpp expect too",
    .paper = "Cormack, Clarke, Büttcher, Reciprocal rank fusion, SIGIR 2009",
    .can = MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .options_size = sizeof(struct stars_options),
    .model_size = sizeof(struct stars_ranker),
    .memory = stars_memory,
    .fit = stars_fit,
    .score = ranker_score,
    .save = stars_save,
    .load = stars_load,
    .done = stars_done,
};

const struct ranker_ops ranker_stars = {
    .model = &operations,
    .quota = stars_quota,
    .order = stars_order,
    .describe = stars_describe,
    .rest = stars_rest,
};
