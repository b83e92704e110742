/* What each source puts forward, at most its quota, of items that may be shown.
 *
 * A model speaks with its positive scores; a score of 0 or less says nothing for an item. Where a
 * model can't tell items apart (content, for films of the same genres) and its quota ends among
 * them, those that the bandit makes more of are taken: the order of numbers is no recommendation.
 * Of a great many such items, TIES_MOST evenly spread ones are looked at. */
#include "engine/pipeline_inside.h"

#include <math.h>
#include <string.h>

enum { TIES_MOST = 4096 };

/* The places of items whose score is exactly `tie`, spread over all of them. */
static enum pal_status collect_ties(const struct ask *a, const float *scores, const uint8_t *skip,
                                    uint32_t items, float tie, uint32_t **out, size_t *count,
                                    struct pal_error *err)
{
    size_t all = 0, kept = 0;
    for (uint32_t i = 0; i < items; i++)
        all += scores[i] == tie && !skip[i];
    size_t step = all / TIES_MOST + 1, seen = 0;
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

/* top (count), whose last ones have a score that others outside have too: replaces those by the
 * worthiest of all that have it. */
static enum pal_status break_ties(const struct ask *a, const struct source *s,
                                  const struct history *h, const uint8_t *skip, struct scored *top,
                                  size_t count, struct pal_error *err)
{
    uint32_t items = model_items(s->model), *place = NULL;
    size_t first = count, ties = 0;
    float tie = top[count - 1].score, *scores = arena_alloc(a->tmp, items, sizeof *scores);
    if (!scores)
        return pal_no_memory(err);
    while (first > 0 && top[first - 1].score == tie)
        first--;
    enum pal_status st = model_score(s->model, h, 1, scores, a->tmp, err);
    if (st == PAL_OK)
        st = collect_ties(a, scores, skip, items, tie, &place, &ties, err);
    if (st != PAL_OK || ties < count - first)
        return st;
    float *worth = arena_alloc(a->tmp, ties, sizeof *worth);
    struct scored *best = arena_alloc(a->tmp, count - first, sizeof *best);
    if (!worth || !best)
        return pal_no_memory(err);
    for (size_t i = 0; i < ties; i++)
        worth[i] = ask_worth(a, source_item(s, place[i]));
    size_t found = topk(worth, ties, count - first, best);
    for (size_t i = 0; i < found; i++)
        top[first + i] = (struct scored){place[best[i].index], tie};
    return PAL_OK;
}

static enum pal_status from_model(struct ask *a, const struct source *s, size_t most,
                                  struct forward *out, struct pal_error *err)
{
    struct history h;
    uint8_t *skip;
    bool liked;
    size_t found = 0;
    out->name = s->model->ops->name;
    out->personal = source_personal(s);
    enum pal_status st = ask_history(a, s, &h, &liked, err);
    if (st != PAL_OK || (out->personal && !liked))
        return st;
    st = ask_skip(a, s, &skip, err);
    struct scored *top = arena_alloc(a->tmp, most + 1, sizeof *top);
    out->pick = arena_alloc(a->tmp, most, sizeof *out->pick);
    if (st == PAL_OK && (!top || !out->pick))
        return pal_no_memory(err);
    if (st == PAL_OK)
        st = model_top(s->model, &h, skip, most + 1, a->tmp, top, &found, err);
    if (st != PAL_OK)
        return st;
    if (found > most && top[most].score == top[most - 1].score && top[most].score > 0 &&
        a->in->bandit)
        st = break_ties(a, s, &h, skip, top, most, err);
    for (size_t i = 0; i < found && i < most && top[i].score > 0; i++)
        out->pick[out->count++] =
            (struct bandit_pick){source_item(s, top[i].index), top[i].score, 1};
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
