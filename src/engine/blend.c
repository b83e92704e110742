/* One order out of several: reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009), the
 * sum over sources of weight / (10 + rank), which needs no common scale of scores. Items of equal
 * score share the mean of their ranks: a model that can't tell its fifty from each other puts none
 * of them first. Where a source knows the history the sum is multiplied by the share of likes that
 * the bandit has for the item. Equal sums are told apart by the same.
 *
 * The paper's constant is 60, for runs of a thousand results: the first of a hundred then counts
 * 2.6 times the last, here 10 times, and more of a model's order survives the share of likes.
 * NDCG@10 over held-out likes of 500 people of MovieLens 1M, all else as it is: .146 with 60, .150
 * with 20 and with 10; palate simulate's invented people like more with each step down. */
#include "engine/pipeline_inside.h"

#include <math.h>
#include <string.h>

enum { BLEND_K = 10 };

/* What a source that does not look at the history counts where another does: its first is worth as
 * much as the 100th of one that does. Where none does the bandit leads the others. */
static const float IMPERSONAL = 0.1f, BEHIND_BANDIT = 0.5f;

/* How much content counts for an item, by what the bandit has counted of it (α + β; 10 for an item
 * that nobody met, by default): double where nothing is known, half where much is. Content knows
 * today's items and histories; the other models know an item from what people did with it, and
 * where they did much, know it better. (As above: .122 where content counted double for all, .150
 * so; als alone has .148.) */
static const double CONTENT_MOST = 2, CONTENT_LEAST = 0.5, CONTENT_FALL = 63, CONTENT_AT = 30;

static float content_weight(const struct ask *a, uint32_t item)
{
    double alpha, beta, weight;
    if (!a->in->bandit)
        return 1;
    bandit_posterior(a->in->bandit, item, a->in->now_ms, &alpha, &beta);
    weight = CONTENT_LEAST + CONTENT_FALL / (CONTENT_AT + alpha + beta);
    return (float)(weight < CONTENT_MOST ? weight : CONTENT_MOST);
}

/* The slot of the item, or the free one where it belongs. */
static uint32_t *probe(const struct ask *a, uint32_t item)
{
    uint32_t i = (item * 0x9e3779b1u) >> 7 & a->slot_mask;
    while (a->slot[i] && a->candidate[a->slot[i] - 1].item != item)
        i = (i + 1) & a->slot_mask;
    return &a->slot[i];
}

/* Room for `more` candidates, the table at most half full. */
static enum pal_status reserve(struct ask *a, size_t more, struct pal_error *err)
{
    size_t need = a->candidates + more, cap = a->candidate_cap ? a->candidate_cap : 128;
    if (need <= a->candidate_cap)
        return PAL_OK;
    while (cap < need)
        cap *= 2;
    struct candidate *candidate = arena_alloc(a->tmp, cap, sizeof *candidate);
    uint32_t *slot = arena_zero(a->tmp, cap * 2, sizeof *slot);
    if (!candidate || !slot)
        return pal_no_memory(err);
    if (a->candidates)
        memcpy(candidate, a->candidate, a->candidates * sizeof *candidate);
    a->candidate = candidate;
    a->candidate_cap = cap;
    a->slot = slot;
    a->slot_mask = (uint32_t)(cap * 2 - 1);
    for (size_t i = 0; i < a->candidates; i++)
        *probe(a, candidate[i].item) = (uint32_t)(i + 1);
    return PAL_OK;
}

static enum pal_status add(struct ask *a, const struct forward *f, float weight,
                           struct pal_error *err)
{
    enum pal_status st = reserve(a, f->count, err);
    bool content = f->personal && strcmp(f->name, "content") == 0;
    size_t end = 0;
    float of_rank = 0;
    for (size_t i = 0; i < f->count && st == PAL_OK; i++) {
        const struct bandit_pick *x = &f->pick[i];
        if (i == end) {
            while (end < f->count && f->pick[end].score == x->score)
                end++;
            of_rank = weight / ((float)BLEND_K + 0.5f * (float)(i + 1 + end));
        }
        float part = content ? of_rank * content_weight(a, x->number) : of_rank;
        uint32_t *slot = probe(a, x->number);
        if (!*slot) {
            a->candidate[a->candidates] = (struct candidate){.item = x->number};
            if (a->in->bandit)
                bandit_prefetch(a->in->bandit, x->number); /* for weigh */
            *slot = (uint32_t)++a->candidates;
        }
        struct candidate *c = &a->candidate[*slot - 1];
        c->blend += part;
        if (part > c->best) {
            c->best = part;
            c->name = f->name;
            c->score = x->score;
            c->chance = x->propensity;
        }
    }
    return st;
}

/* Lowers the candidates that this source finds near to what was disliked, the nearest to a tenth.
 */
static enum pal_status sink_by(struct ask *a, const struct source *s, const struct history *h,
                               struct pal_error *err)
{
    float worst = 0, *scores = arena_alloc(a->tmp, model_items(s->model), sizeof *scores);
    if (!scores)
        return pal_no_memory(err);
    enum pal_status st = model_score(s->model, h, 1, scores, a->tmp, err);
    if (st != PAL_OK)
        return st;
    for (size_t i = 0; i < a->candidates; i++) {
        uint32_t number = source_number(s, a->candidate[i].item);
        if (number != INTERN_NONE && scores[number] < worst)
            worst = scores[number];
    }
    for (size_t i = 0; i < a->candidates && worst < 0; i++) {
        uint32_t number = source_number(s, a->candidate[i].item);
        if (number != INTERN_NONE && scores[number] < 0)
            a->candidate[i].blend *= 1 - 0.9f * scores[number] / worst;
    }
    return PAL_OK;
}

/* By the first model that knows any of the dislikes. */
static enum pal_status sink(struct ask *a, struct pal_error *err)
{
    for (size_t i = 0; i < a->in->source_count; i++) {
        const struct source *s = &a->in->sources[i];
        struct history h;
        bool liked = false;
        if (!source_personal(s))
            continue;
        enum pal_status st = ask_history(a, s, &h, &liked, err);
        if (st == PAL_OK && h.n == 0)
            continue;
        return st == PAL_OK ? sink_by(a, s, &h, err) : st;
    }
    return PAL_OK;
}

static float weight_of(const struct forward *f, bool personal)
{
    if (f->personal)
        return 1;
    if (personal)
        return IMPERSONAL;
    return strcmp(f->name, "bandit") == 0 ? 1 : BEHIND_BANDIT;
}

/* What people make of the item now, of which the models know only what was before the training. */
static void weigh(struct ask *a)
{
    for (size_t i = 0; i < a->candidates && a->in->bandit; i++)
        a->candidate[i].blend *= ask_worth(a, a->candidate[i].item);
}

enum pal_status blend_all(struct ask *a, const struct forward *f, size_t count,
                          struct pal_error *err)
{
    bool personal = false;
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < count; i++)
        personal |= f[i].personal && f[i].count;
    for (size_t i = 0; i < count && st == PAL_OK; i++)
        st = add(a, &f[i], weight_of(&f[i], personal), err);
    if (st == PAL_OK && f == a->ranked)
        st = rerank_by_trees(a, f, err);
    else if (st == PAL_OK)
        st = rerank_by_stars(a, err);
    if (personal && !a->in->model)
        weigh(a);
    if (st == PAL_OK && !a->liked && a->in->history.n)
        st = sink(a, err);
    return st;
}

struct candidate *blend_find(const struct ask *a, uint32_t item)
{
    uint32_t slot = a->slot ? *probe(a, item) : 0;
    return slot ? &a->candidate[slot - 1] : NULL;
}

/* Insertion: runs of equal sums are short but where hardly anything is known. */
static void order_ties(const struct ask *a, struct scored *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        run[i].score = ask_worth(a, a->candidate[run[i].index].item);
    for (size_t i = 1; i < n; i++) {
        struct scored x = run[i];
        size_t at = i;
        for (; at > 0 && run[at - 1].score < x.score; at--)
            run[at] = run[at - 1];
        run[at] = x;
    }
}

enum pal_status blend_order(const struct ask *a, size_t most, uint32_t **out, size_t *count,
                            struct pal_error *err)
{
    size_t n = a->candidates;
    if (most > n)
        most = n;
    float *sum = arena_alloc(a->tmp, n, sizeof *sum);
    struct scored *top = arena_alloc(a->tmp, n, sizeof *top);
    uint32_t *place = arena_alloc(a->tmp, n, sizeof *place);
    if (!sum || !top || !place)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++)
        sum[i] = a->candidate[i].blend;
    size_t found = topk(sum, n, most, top);
    for (size_t i = 0, run; i < found && a->in->bandit; i += run) {
        for (run = 1; i + run < found && top[i + run].score == top[i].score;)
            run++;
        if (run > 1)
            order_ties(a, top + i, run);
    }
    for (size_t i = 0; i < found; i++)
        place[i] = top[i].index;
    *out = place;
    *count = found;
    return PAL_OK;
}
