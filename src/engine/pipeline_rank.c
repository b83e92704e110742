/* Given items in the order that the blend has for them: each source scores them all instead of
 * putting its best forward, so that the order is whole; nothing in it is drawn. A ranker orders
 * those of them that its sources put forward among all items, as it does for a list. */
#include "engine/pipeline_inside.h"

#include "rank/rank.h"

#include <stdlib.h>
#include <string.h>

static int by_score(const void *a, const void *b)
{
    const struct bandit_pick *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum pal_status by_model(const struct ask *a, const struct source *s, const uint32_t *items,
                                size_t count, struct forward *out, struct pal_error *err)
{
    struct history h;
    bool liked = false;
    out->name = s->model->ops->name;
    out->personal = source_personal(s);
    enum pal_status st = ask_history(a, s, &h, &liked, err);
    if (st != PAL_OK || (out->personal && !liked))
        return st;
    float *scores = arena_alloc(a->tmp, model_items(s->model), sizeof *scores);
    if (!scores)
        return pal_no_memory(err);
    st = model_score(s->model, &h, 1, scores, a->tmp, err);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        uint32_t number = source_number(s, items[i]);
        if (number != INTERN_NONE)
            out->pick[out->count++] = (struct bandit_pick){items[i], scores[number], 1};
    }
    return st;
}

/* What is popular or trending among the items, which are all that is not taken. */
static enum pal_status by_counts(struct ask *a, enum source_kind kind, size_t count,
                                 struct forward *out, struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    return kind == FROM_POPULAR ? bandit_popular(in->bandit, a->items, count, in->now_ms,
                                                 ask_allows, a, out->pick, &out->count, err)
                                : bandit_trending(in->bandit, a->items, count, in->now_ms,
                                                  ask_allows, a, out->pick, &out->count, err);
}

/* Puts them in order; an item that was given twice counts once. */
static void sort_picks(struct forward *f)
{
    size_t kept = 0;
    if (f->count)
        qsort(f->pick, f->count, sizeof *f->pick, by_score);
    for (size_t i = 0; i < f->count; i++)
        if (kept == 0 || f->pick[kept - 1].number != f->pick[i].number)
            f->pick[kept++] = f->pick[i];
    f->count = kept;
}

/* One source's order of the items that it knows. */
static enum pal_status order_of(struct ask *a, const struct quota *q, const uint32_t *items,
                                size_t count, struct forward *out, struct pal_error *err)
{
    const struct source *s = ask_source(a, q->name);
    enum pal_status st = PAL_OK;
    *out = (struct forward){.name = q->name};
    out->pick = arena_alloc(a->tmp, count, sizeof *out->pick);
    if (!out->pick)
        return pal_no_memory(err);
    if (q->kind == FROM_RANDOM)
        return PAL_OK;
    if (q->kind == FROM_MODEL || !a->in->bandit)
        st = s ? by_model(a, s, items, count, out, err) : PAL_OK;
    else if (q->kind != FROM_BANDIT)
        return by_counts(a, q->kind, count, out, err);
    else
        for (size_t i = 0; i < count; i++)
            out->pick[out->count++] = (struct bandit_pick){items[i], ask_worth(a, items[i]), 1};
    sort_picks(out);
    return st;
}

struct placed {
    uint32_t item;
    float blend, worth;
    size_t place;
};

static int by_blend(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->blend != y->blend)
        return x->blend > y->blend ? -1 : 1;
    if (x->worth != y->worth)
        return x->worth > y->worth ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static enum pal_status put_all(struct ask *a, const uint32_t *items, size_t count,
                               struct pal_error *err)
{
    struct placed *placed = arena_alloc(a->tmp, count, sizeof *placed);
    a->list = arena_alloc(a->tmp, count, sizeof *a->list);
    if (!placed || !a->list)
        return pal_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const struct candidate *c = blend_find(a, items[i]);
        placed[i] = (struct placed){items[i], c ? c->blend : 0, ask_worth(a, items[i]), i};
    }
    if (count)
        qsort(placed, count, sizeof *placed, by_blend);
    for (size_t i = 0; i < count; i++) {
        const struct candidate *c = blend_find(a, placed[i].item);
        list_put(a, placed[i].item,
                 !c             ? 0
                 : a->in->model ? c->score
                                : c->blend,
                 c ? c->name : "catalog", 1);
    }
    return PAL_OK;
}

/* Takes everything but the items. */
static enum pal_status leave_only(struct ask *a, const uint32_t *items, size_t count,
                                  struct pal_error *err)
{
    if (a->items)
        memset(a->taken, 0xff, ((size_t)a->items + 63) / 64 * sizeof *a->taken);
    for (size_t i = 0; i < count; i++) {
        if (items[i] >= a->items)
            return pal_fail(err, PAL_EUSAGE, "item %u is not in the catalog of %u", items[i],
                            a->items);
        a->taken[items[i] / 64] &= ~((uint64_t)1 << (items[i] % 64));
    }
    return PAL_OK;
}

/* Places among the given items alone would tell the ranker nothing that it has learned: its sources
 * are asked for their best of all. */
static enum pal_status by_ranker(struct ask *a, const struct pipeline_input *in,
                                 struct pal_error *err)
{
    struct quota quota[SOURCES_MOST];
    struct forward forward[SOURCES_MOST];
    struct ask whole;
    size_t count = 0;
    if (!rerank_wanted(a))
        return PAL_OK;
    enum pal_status st = ask_open(&whole, in, true, a->tmp, err);
    if (st == PAL_OK)
        st = rerank_sources(&whole, quota, &count, err);
    for (size_t i = 0; st == PAL_OK && i < count && ranker_source(in->ranker->model, i); i++)
        st = candidates_of(&whole, &quota[i], &forward[i], err);
    return st == PAL_OK ? rerank_by_trees(a, forward, err) : st;
}

enum pal_status pipeline_rank(const struct pipeline_input *in, const uint32_t *items, size_t count,
                              struct arena *tmp, struct pipeline_item *out, struct pal_error *err)
{
    struct quota quota[SOURCES_MOST];
    struct forward forward[SOURCES_MOST];
    struct pipeline_input all = *in;
    struct ask a;
    size_t sources = 0;
    all.n = 1;
    all.filter = NULL;
    enum pal_status st = ask_open(&a, &all, false, tmp, err);
    if (st == PAL_OK)
        st = leave_only(&a, items, count, err);
    if (st == PAL_OK)
        st = ask_sources(&a, quota, &sources, err);
    for (size_t i = 0; st == PAL_OK && i < sources; i++)
        st = order_of(&a, &quota[i], items, count, &forward[i], err);
    if (st == PAL_OK)
        st = blend_all(&a, forward, sources, err);
    if (st == PAL_OK)
        st = by_ranker(&a, &all, err);
    if (st == PAL_OK)
        st = put_all(&a, items, count, err);
    if (st == PAL_OK && in->explain && in->history.n)
        st = list_explain(&a, err);
    if (st == PAL_OK && count)
        memcpy(out, a.list, count * sizeof *out);
    return st;
}
