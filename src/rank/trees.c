/* The ranker by boosted trees: its options, and answers. trees_fit.c trains it, trees_file.c keeps
 * it; boost.h says by which method. */
#include "rank/trees.h"
#include "rank/lists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct trees_options, name)
static const struct opt rows[] = {
    {"quota", OPT_INT, FIELD(quota), "100", 10, 1000, OPT_LOG, NULL,
     "candidates that each source puts forward"},
    {"holdout", OPT_INT, FIELD(holdout), "20", 1, 50, OPT_LINEAR, NULL,
     "per cent of the events, the newest, that it learns from; its sources learn from the rest"},
    {"folds", OPT_INT, FIELD(folds), "1", 1, 8, OPT_LINEAR, NULL,
     "such parts, one before the other, as far as a quarter of the events is left to begin with; "
     "for each the sources learn anew from what lies before it"},
    {"moments", OPT_INT, FIELD(moments), "1", 1, 20, OPT_LOG, NULL,
     "at how many points of a user's newest events it is asked what comes next"},
    {"lists", OPT_INT, FIELD(lists), "6000", 10, 1000000, OPT_LOG, NULL,
     "such points in all; 25 kB of memory each"},
    {"base", OPT_CHOICE, FIELD(base), "best", 0, 0, OPT_LINEAR, "best|score|popularity",
     "what the trees are added to: places in the best list, its scores, or how popular an item is"},
    {"again", OPT_BOOL, FIELD(again), "no", 0, 0, OPT_LINEAR, NULL,
     "rank what users had before, too: for data in which they come back to things"},
    {"whole", OPT_BOOL, FIELD(whole), "no", 0, 0, OPT_LINEAR, NULL,
     "each source scores what the others put forward, too, which costs it all of its items"},
    {"loss", OPT_CHOICE, FIELD(boost.loss), "ndcg", 0, 0, OPT_LINEAR, "ndcg|logistic",
     "what is learned: pairs within a list (LambdaMART), or each candidate by itself"},
    {"rounds", OPT_INT, FIELD(boost.rounds), "300", 1, 5000, OPT_LOG, NULL, "trees at most"},
    {"patience", OPT_INT, FIELD(boost.patience), "30", 1, 1000, OPT_LOG, NULL,
     "rounds without getting better on held-out users, then it ends"},
    {"leaves", OPT_INT, FIELD(boost.leaves), "16", 2, FOREST_LEAVES, OPT_LOG2, NULL,
     "leaves of a tree"},
    {"rate", OPT_REAL, FIELD(boost.rate), "0.05", 0.001, 1, OPT_LOG, NULL,
     "how much each tree counts"},
    {"least", OPT_REAL, FIELD(boost.least), "5", 0, 1000, OPT_LINEAR, NULL,
     "weight of pairs that a leaf must have (min_child_weight)"},
    {"lambda", OPT_REAL, FIELD(boost.lambda), "1", 0, 1000, OPT_LINEAR, NULL,
     "how strongly leaves are kept small"},
    {"sample", OPT_REAL, FIELD(boost.sample), "0.8", 0.05, 1, OPT_LINEAR, NULL,
     "share of the candidates that each tree looks at"},
    {"columns", OPT_REAL, FIELD(boost.columns), "0.6", 0.05, 1, OPT_LINEAR, NULL,
     "share of the features that each tree looks at"},
};
#undef FIELD

/* Lists in training, which dwarf what is kept: features twice, and what XGBoost makes of them. The
 * sources that are fitted along check their own memory. */
static uint64_t trees_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    const struct trees_options *o = options;
    uint64_t lists = users * (uint64_t)o->moments;
    lists = lists < (uint64_t)o->lists ? lists : (uint64_t)o->lists;
    uint64_t candidates = 3 * (uint64_t)o->quota, features = 50;
    return lists * candidates * features * 12 + entries * 24 + items * 128;
}

static size_t trees_quota(const struct model *m)
{
    return (size_t)((const struct trees_options *)m->options)->quota;
}

/* ---- answers ---- */

/* The base and the trees for each candidate. Who liked nothing yet has no taste to go by: the lists
 * of what ignores it stand as they are. */
static enum pal_status sum_up(const struct trees_model *m, const struct rank_view *v,
                              struct arena *tmp, float **out, struct pal_error *err)
{
    bool liked = lists_liked(v->history);
    size_t stride = (v->count + FOREST_ROWS - 1) / FOREST_ROWS * FOREST_ROWS;
    float *x = arena_zero(tmp, m->forest.features * stride, sizeof *x);
    float *sum = arena_alloc(tmp, v->count, sizeof *sum);
    if (!x || !sum)
        return pal_no_memory(err);
    *out = sum;
    enum pal_status st = rank_base(v, liked ? m->base : m->ranker.sources, tmp, sum, err);
    if (st != PAL_OK || !liked || !m->forest.trees)
        return st;
    features_fill(v, x, stride);
    forest_add(&m->forest, x, stride, v->count, sum);
    return PAL_OK;
}

static float chance(float sum)
{
    return 1 / (1 + expf(-sum));
}

static enum pal_status trees_order(const struct model *model, const struct history *h,
                                   const struct rank_list *list, struct arena *tmp,
                                   struct ranked_item **out, size_t *count, struct pal_error *err)
{
    const struct trees_model *m = trees_self(model);
    bool whole = ((const struct trees_options *)model->options)->whole && ranker_ready(model);
    struct rank_view v;
    float *sum = NULL;
    enum pal_status st = rank_view_make(&m->known, h, list, m->ranker.sources, tmp, &v, err);
    if (st == PAL_OK && whole && lists_liked(h))
        st = rank_view_complete(&v, m->ranker.source, tmp, err);
    if (st == PAL_OK)
        st = sum_up(m, &v, tmp, &sum, err);
    if (st != PAL_OK)
        return st;
    *count = v.count;
    return ranker_sort(v.item, sum, v.count, chance, tmp, out, err);
}

/* Below 0 for what no source puts forward, the more popular the nearer to it. */
static void trees_rest(const struct model *m, float *scores)
{
    const struct known *k = &trees_self(m)->known;
    const float *ever = k->popularity + (size_t)(KNOWN_HALVES - 1) * k->items;
    for (uint32_t i = 0; i < k->items; i++)
        scores[i] = -1 + 0.5f / (1 - ever[i]);
}

static bool trees_again(const struct model *m)
{
    return trees_self(m)->known.again;
}

static void trees_done(struct model *m)
{
    known_done(&trees_self(m)->known);
    arena_done(&trees_self(m)->own);
}

static const struct model_ops operations = {
    .name = "trees",
    .title = "boosted trees over what other models put forward (LambdaMART)",
    .paper = "Burges 2010; Chen, Guestrin 2016",
    .can = MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .options_size = sizeof(struct trees_options),
    .model_size = sizeof(struct trees_model),
    .memory = trees_memory,
    .fit = trees_fit,
    .score = ranker_score,
    .save = trees_save,
    .load = trees_load,
    .done = trees_done,
};

const struct ranker_ops ranker_trees = {
    .model = &operations,
    .quota = trees_quota,
    .order = trees_order,
    .describe = trees_describe,
    .rest = trees_rest,
    .again = trees_again,
};
