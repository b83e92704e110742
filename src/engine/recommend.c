/* Answers: a list is opened, filled in stages, and explained.
 *
 *     the model   items in the order of its scores, and among those that it scores exactly 0 what
 *                 is popular first: neighbourhood models score most items 0, and the order of
 *                 their numbers is no recommendation
 *     the blend   instead of one model: sum over models of 1 / (60 + rank), reciprocal rank fusion
 *                 (Cormack, Clarke and Buettcher, SIGIR 2009), which needs no common scale
 *     the fill    what is popular, then the catalog's order, until the list is as long as asked:
 *                 for people without a history, and for items that no model knows
 *
 * An item enters the list once: `state` says what became of each item of the catalog. */
#include "engine/joined.h"

#include "base/mem.h"
#include "rank/rank.h"

#include <math.h>
#include <string.h>

enum {
    DEFAULT_N = 10,
    BLEND_K = 60,       /* the constant of reciprocal rank fusion */
    BLEND_DEPTH = 1000, /* how far down a list still counts: 1/1060 */
};

enum item_state {
    FREE = 0,
    LOWERED = 1, /* near to what was disliked: last choice when filling up */
    TAKEN = 2,   /* in the history, excluded, or in the list already */
};

/* The answer in the making. */
struct list {
    const struct recommender *r;
    const struct request *q;
    struct arena *tmp;
    size_t n, count;
    struct recommendation *out; /* (n) */
    uint8_t *state;             /* (catalog items) of enum item_state */
};

static void put(struct list *l, uint32_t item, float score, const char *source)
{
    l->out[l->count++] = (struct recommendation){.item = item, .score = score, .source = source};
    l->state[item] = TAKEN;
}

static enum pal_status open_list(const struct recommender *r, const struct request *q,
                                 struct arena *tmp, struct list *l, struct pal_error *err)
{
    uint32_t items = r->items->ids.count;
    *l = (struct list){.r = r, .q = q, .tmp = tmp, .n = q->n ? q->n : DEFAULT_N};
    if (l->n > items)
        l->n = items;
    l->out = arena_alloc(tmp, l->n, sizeof *l->out);
    l->state = arena_zero(tmp, items, 1);
    if (!l->out || !l->state)
        return pal_no_memory(err);
    for (size_t i = 0; i < q->history.n; i++) {
        if (q->history.item[i] >= items)
            return pal_fail(err, PAL_EUSAGE, "the history's item %u is not in the catalog of %u",
                            q->history.item[i], items);
        l->state[q->history.item[i]] = TAKEN;
    }
    for (size_t i = 0; i < q->exclude_count; i++)
        if (q->exclude[i] < items)
            l->state[q->exclude[i]] = TAKEN;
    return PAL_OK;
}

static uint32_t number_in(const void *joined, uint32_t item)
{
    return joined_to_model(joined, item);
}

/* The history in the model's numbers, without what it doesn't know. *liked: whether any of it has
 * a positive weight. */
static enum pal_status translate(const struct list *l, const struct joined *j, struct history *out,
                                 bool *liked, struct pal_error *err)
{
    enum pal_status st = history_renumber(&l->q->history, number_in, j, l->tmp, out, err);
    *liked = false;
    for (size_t i = 0; st == PAL_OK && i < out->n; i++)
        *liked |= out->weight[i] > 0;
    return st;
}

/* The model's scores, by its own numbers, -INFINITY for what is taken or not in the catalog. */
static enum pal_status score_free(const struct list *l, const struct joined *j,
                                  const struct history *h, float **out, struct pal_error *err)
{
    uint32_t n = model_items(j->model);
    float *scores = arena_alloc(l->tmp, n, sizeof *scores);
    if (!scores)
        return pal_no_memory(err);
    enum pal_status st = model_score(j->model, h, 1, scores, l->tmp, err);
    for (uint32_t i = 0; i < n && st == PAL_OK; i++) {
        uint32_t item = joined_to_catalog(j, i);
        if (item == INTERN_NONE || l->state[item] == TAKEN)
            scores[i] = -INFINITY;
    }
    if (st == PAL_OK)
        *out = scores;
    return st;
}

static const struct joined *find_model(const struct recommender *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->joined[i].model->ops->name, name) == 0)
            return &r->joined[i];
    return NULL;
}

/* Appends up to `most` items, most popular first, for which among[item] is set (NULL: all free
 * ones that are not lowered). */
static enum pal_status put_popular(struct list *l, const uint8_t *among, size_t most,
                                   struct pal_error *err)
{
    const struct joined *j = find_model(l->r, "popular");
    struct history nobody = {.now_s = l->q->history.now_s};
    float *scores;
    if (!j || most == 0)
        return PAL_OK;
    enum pal_status st = score_free(l, j, &nobody, &scores, err);
    if (st != PAL_OK)
        return st;
    uint32_t n = model_items(j->model);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t item = joined_to_catalog(j, i);
        if (scores[i] != -INFINITY && (among ? !among[item] : l->state[item] == LOWERED))
            scores[i] = -INFINITY;
    }
    struct scored *top = arena_alloc(l->tmp, most, sizeof *top);
    if (!top)
        return pal_no_memory(err);
    size_t count = topk(scores, n, most, top);
    for (size_t i = 0; i < count; i++)
        put(l, joined_to_catalog(j, top[i].index), top[i].score, "popular");
    return PAL_OK;
}

/* Fills up to n: what is popular, then the catalog in its order; lowered items after the rest. */
static enum pal_status fill(struct list *l, struct pal_error *err)
{
    uint32_t items = l->r->items->ids.count;
    for (int last = 0; last < 2; last++) {
        enum pal_status st = put_popular(l, NULL, l->n - l->count, err);
        if (st != PAL_OK)
            return st;
        for (uint32_t i = 0; i < items && l->count < l->n; i++)
            if (l->state[i] == FREE)
                put(l, i, 0, "catalog");
        for (uint32_t i = 0; i < items; i++)
            if (l->state[i] == LOWERED)
                l->state[i] = FREE;
    }
    return PAL_OK;
}

/* Appends up to `most` of the model's items of score 0: popular ones first, then by number. */
static enum pal_status put_zeros(struct list *l, const struct joined *j, const float *scores,
                                 size_t most, struct pal_error *err)
{
    size_t full = l->count + most;
    uint32_t n = model_items(j->model);
    uint8_t *among = arena_zero(l->tmp, l->r->items->ids.count, 1);
    if (!among)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < n; i++)
        if (scores[i] == 0)
            among[joined_to_catalog(j, i)] = 1;
    if (strcmp(j->model->ops->name, "popular") != 0) {
        enum pal_status st = put_popular(l, among, most, err);
        if (st != PAL_OK)
            return st;
    }
    for (uint32_t i = 0; i < n && l->count < full; i++) {
        uint32_t item = joined_to_catalog(j, i);
        if (scores[i] == 0 && l->state[item] != TAKEN)
            put(l, item, 0, j->model->ops->name);
    }
    return PAL_OK;
}

/* Appends the model's items in the order of their scores. */
static enum pal_status put_ranked(struct list *l, const struct joined *j, const float *scores,
                                  struct pal_error *err)
{
    size_t most = l->n - l->count;
    struct scored *top = arena_alloc(l->tmp, most, sizeof *top);
    if (!top)
        return pal_no_memory(err);
    size_t count = topk(scores, model_items(j->model), most, top);
    for (size_t i = 0; i < count;) {
        size_t zeros = 0;
        while (i + zeros < count && top[i + zeros].score == 0)
            zeros++;
        if (zeros) {
            enum pal_status st = put_zeros(l, j, scores, zeros, err);
            if (st != PAL_OK)
                return st;
            i += zeros;
            continue;
        }
        put(l, joined_to_catalog(j, top[i].index), top[i].score, j->model->ops->name);
        i++;
    }
    return PAL_OK;
}

/* Nothing was liked: items that the model finds near to the dislikes are to come last. */
static enum pal_status lower(struct list *l, const struct joined *j, const struct history *h,
                             struct pal_error *err)
{
    float *scores;
    if (h->n == 0)
        return PAL_OK;
    enum pal_status st = score_free(l, j, h, &scores, err);
    for (uint32_t i = 0; i < model_items(j->model) && st == PAL_OK; i++)
        if (scores[i] < 0 && scores[i] != -INFINITY)
            l->state[joined_to_catalog(j, i)] = LOWERED;
    return st;
}

static bool personal(const struct joined *j)
{
    return j->model->ops->can & MODEL_PERSONAL && !model_ranks(j->model);
}

static enum pal_status answer_by(struct list *l, const struct joined *j, struct pal_error *err)
{
    struct history h;
    float *scores;
    bool liked;
    enum pal_status st = translate(l, j, &h, &liked, err);
    if (st != PAL_OK)
        return st;
    if (personal(j) && !liked)
        return lower(l, j, &h, err);
    st = score_free(l, j, &h, &scores, err);
    return st == PAL_OK ? put_ranked(l, j, scores, err) : st;
}

/* Adds one model's list to the blend: its positive scores only, since the rest speaks for nothing.
 * best (catalog items): the model whose rank is the highest so far, as its place + 1. */
static enum pal_status blend_in(struct list *l, size_t place, float *sum, float *share,
                                uint8_t *best, struct pal_error *err)
{
    const struct joined *j = &l->r->joined[place];
    struct history h;
    float *scores;
    bool liked;
    enum pal_status st = translate(l, j, &h, &liked, err);
    if (st != PAL_OK || (personal(j) && !liked))
        return st == PAL_OK ? lower(l, j, &h, err) : st;
    st = score_free(l, j, &h, &scores, err);
    if (st != PAL_OK)
        return st;
    size_t depth = l->n > BLEND_DEPTH ? l->n : BLEND_DEPTH;
    struct scored *top = arena_alloc(l->tmp, depth, sizeof *top);
    if (!top)
        return pal_no_memory(err);
    size_t count = topk(scores, model_items(j->model), depth, top);
    for (size_t i = 0; i < count && top[i].score > 0; i++) {
        uint32_t item = joined_to_catalog(j, top[i].index);
        float part = 1.0f / (float)(BLEND_K + 1 + i);
        sum[item] += part;
        if (part > share[item]) {
            share[item] = part;
            best[item] = (uint8_t)(place + 1);
        }
    }
    return PAL_OK;
}

/* The personal models, or all if there are none: what does not look at the history would only
 * push towards what is popular. */
static enum pal_status answer_by_blend(struct list *l, struct pal_error *err)
{
    uint32_t items = l->r->items->ids.count;
    float *sum = arena_zero(l->tmp, items, sizeof *sum);
    float *share = arena_zero(l->tmp, items, sizeof *share);
    uint8_t *best = arena_zero(l->tmp, items, 1);
    struct scored *top = arena_alloc(l->tmp, l->n, sizeof *top);
    bool any = false;
    if (!sum || !share || !best || !top)
        return pal_no_memory(err);
    for (size_t i = 0; i < l->r->count; i++)
        any |= personal(&l->r->joined[i]);
    for (size_t i = 0; i < l->r->count; i++) {
        if (any && !personal(&l->r->joined[i]))
            continue;
        enum pal_status st = blend_in(l, i, sum, share, best, err);
        if (st != PAL_OK)
            return st;
    }
    size_t count = topk(sum, items, l->n, top);
    for (size_t i = 0; i < count && top[i].score > 0; i++) {
        uint32_t item = top[i].index;
        put(l, item, top[i].score, l->r->joined[best[item] - 1].model->ops->name);
    }
    return PAL_OK;
}

static enum pal_status explain(const struct list *l, struct pal_error *err)
{
    float *part = arena_alloc(l->tmp, l->q->history.n, sizeof *part);
    enum pal_status st = PAL_OK;
    if (!part)
        return pal_no_memory(err);
    for (size_t m = 0; m < l->r->count && st == PAL_OK; m++) {
        const struct joined *j = &l->r->joined[m];
        struct history h;
        bool liked;
        if (!(j->model->ops->can & MODEL_EXPLAIN))
            continue;
        st = translate(l, j, &h, &liked, err);
        for (size_t i = 0; i < l->count && liked && st == PAL_OK; i++) {
            struct recommendation *x = &l->out[i];
            uint32_t item = joined_to_model(j, x->item);
            if (strcmp(x->source, j->model->ops->name) != 0 || item == INTERN_NONE)
                continue;
            st = model_explain(j->model, &h, item, part, l->tmp, err);
            if (st == PAL_OK)
                x->reason_count = reasons_pick(part, h.item, h.weight, h.n, x->reason);
            for (size_t k = 0; k < x->reason_count; k++)
                x->reason[k].item = joined_to_catalog(j, x->reason[k].item);
        }
    }
    return st;
}

static enum pal_status no_such_model(const struct recommender *r, const char *name,
                                     struct pal_error *err)
{
    struct str names = {0};
    for (size_t i = 0; i < r->count; i++)
        str_fmt(&names, "%s%s", i ? ", " : "", r->joined[i].model->ops->name);
    enum pal_status st = pal_fail(err, PAL_ENOTFOUND, "there is no model '%s' here, only %s", name,
                                  r->count ? str_text(&names) : "what is popular");
    str_done(&names);
    return st;
}

enum pal_status recommend(const struct recommender *r, const struct request *q, struct arena *tmp,
                          struct recommendation *out, size_t *count, struct pal_error *err)
{
    const struct joined *j = r->count ? &r->joined[0] : NULL;
    bool blend = q->model && strcmp(q->model, "blend") == 0;
    struct list l;
    if (q->model && !blend && !(j = find_model(r, q->model)))
        return no_such_model(r, q->model, err);
    enum pal_status st = open_list(r, q, tmp, &l, err);
    if (st == PAL_OK && blend)
        st = answer_by_blend(&l, err);
    else if (st == PAL_OK && j)
        st = answer_by(&l, j, err);
    if (st == PAL_OK)
        st = fill(&l, err);
    if (st == PAL_OK && q->explain && q->history.n)
        st = explain(&l, err);
    if (st == PAL_OK) {
        memcpy(out, l.out, l.count * sizeof *out);
        *count = l.count;
    }
    return st;
}

static enum pal_status none_can_tell(struct pal_error *err)
{
    struct str names = {0};
    for (size_t i = 0; model_at(i); i++)
        if (model_at(i)->can & MODEL_SIMILAR)
            str_fmt(&names, "%s%s", names.len ? ", " : "", model_at(i)->name);
    enum pal_status st =
        pal_fail(err, PAL_EUNSUPPORTED,
                 "no model here can tell which items are alike: train one of %s", str_text(&names));
    str_done(&names);
    return st;
}

/* The model to ask what is like the item. */
static enum pal_status find_similar(const struct recommender *r, uint32_t item, const char *name,
                                    const struct joined **out, struct pal_error *err)
{
    const struct joined *j = name ? find_model(r, name) : NULL;
    bool able = false;
    if (name && !j)
        return no_such_model(r, name, err);
    if (name && !(j->model->ops->can & MODEL_SIMILAR))
        return pal_fail(err, PAL_EUNSUPPORTED, "the model '%s' can't tell which items are alike",
                        name);
    for (size_t i = 0; i < r->count; i++) {
        const struct joined *x = &r->joined[i];
        if ((name && x != j) || !(x->model->ops->can & MODEL_SIMILAR))
            continue;
        able = true;
        if (joined_to_model(x, item) != INTERN_NONE) {
            *out = x;
            return PAL_OK;
        }
    }
    if (!able)
        return none_can_tell(err);
    return pal_fail(err, PAL_ENOTFOUND, "'%s' is newer than the model, which does not know it yet",
                    items_name(r->items, item));
}

enum pal_status recommend_similar(const struct recommender *r, uint32_t item, const char *model,
                                  size_t n, struct arena *tmp, struct recommendation *out,
                                  size_t *count, struct pal_error *err)
{
    const struct joined *j = NULL;
    if (item >= r->items->ids.count)
        return pal_fail(err, PAL_EUSAGE, "item %u is not in the catalog of %u", item,
                        r->items->ids.count);
    enum pal_status st = find_similar(r, item, model, &j, err);
    if (st != PAL_OK)
        return st;
    if (n == 0)
        n = DEFAULT_N;
    size_t found = 0, written = 0;
    /* some of the model's items may be gone from the catalog: then it is asked for all of them */
    size_t room = n < model_items(j->model) && !j->to_catalog ? n : model_items(j->model);
    struct scored *top = arena_alloc(tmp, room, sizeof *top);
    if (!top)
        return pal_no_memory(err);
    st = model_similar(j->model, joined_to_model(j, item), room, tmp, top, &found, err);
    for (size_t i = 0; i < found && written < n && st == PAL_OK && top[i].score > 0; i++) {
        uint32_t other = joined_to_catalog(j, top[i].index);
        if (other != INTERN_NONE)
            out[written++] = (struct recommendation){
                .item = other, .score = top[i].score, .source = j->model->ops->name};
    }
    if (st == PAL_OK)
        *count = written;
    return st;
}
