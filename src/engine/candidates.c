/* What each source puts forward, at most its quota, of items that may be shown.
 *
 * A model speaks with its positive scores; a score of 0 or less says nothing for an item. Where a
 * model can't tell items apart (content, for films of the same genres) and its quota ends among
 * them, those that the bandit makes more of are taken: the order of numbers is no recommendation.
 * Of a great many such items TIES_MOST are looked at, evenly spread from a random one on, so that
 * over requests each has its turn. */
#include "engine/pipeline_inside.h"

#include <math.h>
#include <string.h>

enum { TIES_MOST = 2048 };

/* The places of items whose score is exactly `tie`, spread over all of them. */
static enum pal_status collect_ties(const struct ask *a, const float *scores, const uint8_t *skip,
                                    uint32_t items, float tie, uint32_t **out, size_t *count,
                                    struct pal_error *err)
{
    size_t all = 0, kept = 0;
    for (uint32_t i = 0; i < items; i++)
        all += scores[i] == tie && !skip[i];
    size_t step = all / TIES_MOST + 1, seen = step > 1 ? rng_below(a->in->rng, step) : 0;
    uint32_t *place = arena_alloc(a->tmp, all / step + 1, sizeof *place);
    if (!place)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < items; i++)
        if (scores[i] == tie && !skip[i] && seen++ % step == 0)
            place[kept++] = i;
    *out = place;
    *count = kept;
    return PAL_OK;
}

/* The best of a model's items in the making. */
struct best {
    const struct source *s;
    struct history h;
    uint8_t *skip;
    const float *scores; /* (model items), where they were needed whole */
    struct scored *top;  /* (count) */
    size_t count;
    bool more; /* it stops at what was asked for */
};

static enum pal_status score_all(const struct ask *a, struct best *b, struct pal_error *err)
{
    float *scores = arena_alloc(a->tmp, model_items(b->s->model), sizeof *scores);
    if (b->scores)
        return PAL_OK;
    if (!scores)
        return pal_no_memory(err);
    b->scores = scores;
    return model_score(b->s->model, &b->h, 1, scores, a->tmp, err);
}

/* The best k of all that skip lets through. */
static enum pal_status best_of(const struct ask *a, struct best *b, size_t k, struct pal_error *err)
{
    uint32_t items = model_items(b->s->model);
    b->top = arena_alloc(a->tmp, k, sizeof *b->top);
    if (!b->top)
        return pal_no_memory(err);
    if (!(b->s->model->ops->can & MODEL_COARSE)) {
        enum pal_status st =
            model_top(b->s->model, &b->h, b->skip, k, a->tmp, b->top, &b->count, err);
        b->more = st == PAL_OK && b->count == k;
        return st;
    }
    float *scores = arena_alloc(a->tmp, items, sizeof *scores);
    enum pal_status st = score_all(a, b, err);
    if (!scores || st != PAL_OK)
        return st == PAL_OK ? pal_no_memory(err) : st;
    topk_hide(b->scores, b->skip, items, scores);
    b->count = topk(scores, items, k, b->top);
    b->more = b->count == k;
    return PAL_OK;
}

/* Drops what the filter leaves out and what has no positive score; at most `most` remain. */
static void keep_allowed(struct ask *a, struct best *b, size_t most)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count && kept < most; i++) {
        if (!(b->top[i].score > 0)) {
            b->more = false; /* nor have those beyond */
            break;
        }
        if (a->filtered || ask_allows(a, source_item(b->s, b->top[i].index)))
            b->top[kept++] = b->top[i];
    }
    b->count = kept;
}

/* The best `most` that may be shown; where that is cheaper, without asking the filter about
 * everything: asking a model for many of its items costs, too. */
static enum pal_status best_allowed(struct ask *a, struct best *b, size_t most,
                                    struct pal_error *err)
{
    uint32_t items = model_items(b->s->model);
    for (;;) {
        size_t k = a->filtered ? most : (size_t)(1.5 * (double)most / a->share) + 64;
        if (!a->filtered && k > items / 16) {
            ask_filter(a);
            k = most;
        }
        bool whole = a->filtered;
        enum pal_status st = ask_skip(a, b->s, &b->skip, err);
        if (st == PAL_OK)
            st = best_of(a, b, k < items ? k : items, err);
        if (st != PAL_OK)
            return st;
        keep_allowed(a, b, most);
        if (whole || b->count == most || !b->more)
            return PAL_OK;
        ask_filter(a);
    }
}

/* The last of the best (count) have a score that others outside have too: replaces those by the
 * worthiest of all that have it. */
static enum pal_status break_ties(struct ask *a, struct best *b, size_t count,
                                  struct pal_error *err)
{
    uint32_t items = model_items(b->s->model), *place = NULL;
    size_t first = count, ties = 0;
    float tie = b->top[count - 1].score;
    while (first > 0 && b->top[first - 1].score == tie)
        first--;
    ask_filter(a);
    enum pal_status st = ask_skip(a, b->s, &b->skip, err);
    if (st == PAL_OK)
        st = score_all(a, b, err);
    if (st == PAL_OK)
        st = collect_ties(a, b->scores, b->skip, items, tie, &place, &ties, err);
    if (st != PAL_OK || ties < count - first)
        return st;
    float *worth = arena_alloc(a->tmp, ties, sizeof *worth);
    struct scored *best = arena_alloc(a->tmp, count - first, sizeof *best);
    if (!worth || !best)
        return pal_no_memory(err);
    for (size_t i = 0; i < ties; i++)
        worth[i] = ask_worth(a, source_item(b->s, place[i]));
    size_t found = topk(worth, ties, count - first, best);
    for (size_t i = 0; i < found; i++)
        b->top[first + i] = (struct scored){place[best[i].index], tie};
    return PAL_OK;
}

static enum pal_status from_model(struct ask *a, const struct source *s, size_t most,
                                  struct forward *out, struct pal_error *err)
{
    struct best b = {.s = s};
    bool liked = false;
    out->name = s->model->ops->name;
    out->personal = source_personal(s);
    enum pal_status st = ask_history(a, s, &b.h, &liked, err);
    if (st != PAL_OK || (out->personal && !liked))
        return st;
    out->pick = arena_alloc(a->tmp, most, sizeof *out->pick);
    if (!out->pick)
        return pal_no_memory(err);
    st =
        best_allowed(a, &b, most + 1, err); /* one more tells whether the quota ends among equals */
    if (st == PAL_OK && b.count > most && b.top[most].score == b.top[most - 1].score &&
        a->in->bandit)
        st = break_ties(a, &b, most, err);
    for (size_t i = 0; i < b.count && i < most && st == PAL_OK; i++)
        out->pick[out->count++] =
            (struct bandit_pick){source_item(s, b.top[i].index), b.top[i].score, 1};
    return st;
}

/* Items drawn blindly; few tries may find none where little is left. */
static enum pal_status from_nowhere(struct ask *a, size_t most, struct forward *out,
                                    struct pal_error *err)
{
    out->pick = arena_alloc(a->tmp, most, sizeof *out->pick);
    if (!out->pick)
        return pal_no_memory(err);
    for (size_t i = 0; i < 4 * most && out->count < most && a->items; i++) {
        uint32_t item = (uint32_t)rng_below(a->in->rng, a->items);
        if (ask_allows(a, item))
            out->pick[out->count++] = (struct bandit_pick){item, 0, 1};
    }
    return PAL_OK;
}

enum pal_status candidates_of(struct ask *a, const struct quota *q, struct forward *out,
                              struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    const struct source *s = ask_source(a, q->name);
    size_t most = q->most > a->n ? q->most : a->n;
    *out = (struct forward){.name = q->name};
    if (q->kind == FROM_RANDOM)
        return from_nowhere(a, most, out, err);
    if (q->kind == FROM_MODEL || !in->bandit)
        return s ? from_model(a, s, most, out, err) : PAL_OK;
    out->pick = arena_alloc(a->tmp, most, sizeof *out->pick);
    if (!out->pick)
        return pal_no_memory(err);
    if (q->kind == FROM_BANDIT)
        return bandit_draw(in->bandit, a->items, most, in->now_ms, in->rng, ask_allows, a,
                           out->pick, &out->count, err);
    if (q->kind == FROM_POPULAR)
        return bandit_popular(in->bandit, a->items, most, in->now_ms, ask_allows, a, out->pick,
                              &out->count, err);
    return bandit_trending(in->bandit, a->items, most, in->now_ms, ask_allows, a, out->pick,
                           &out->count, err);
}
