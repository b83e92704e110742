/* See evaluate.h. What is to be found is collected first (heldout.c); then every user's catalog is
 * scored in batches over threads (scoring.c), what the user had before is struck out, the best k
 * are taken, and each metric of metrics.c is computed into the user's own place. Means come last,
 * in order of users. */
#include "eval/evaluate.h"
#include "base/clock.h"

#include "base/mem.h"
#include "eval/heldout.h"
#include "eval/metrics.h"
#include "eval/ratings.h"
#include "eval/scoring.h"
#include "eval/significance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct scratch { /* of one thread: room for the longest list, and for all negatives */
    struct scored *top;
    uint32_t *item;
    uint8_t *hit;
};

struct judge {
    const struct dataset *d;
    const struct split *split;
    const struct weights *weights;
    const struct eval_options *o;
    struct heldout held;
    struct metric_data data;
    uint32_t *audience; /* data.audience, ours */
    struct ratings ratings;
    bool rates;              /* a rating metric is asked for, and there are ratings */
    bool direct;             /* which the model predicts by itself */
    size_t longest;          /* list that any metric looks at; 0: none does */
    uint32_t **shown;        /* (metrics) (items) for metrics of the whole, else NULL */
    struct scratch *scratch; /* (threads) */
    unsigned threads;
    struct eval_result r;
};

static enum pal_status prepare(struct judge *j, const struct run *run, struct pal_error *err);
static enum pal_status score_all(struct judge *j, const struct model *m, const struct run *run,
                                 struct pal_error *err);
static void sum_up(struct judge *j);
static void judge_done(struct judge *j);

void eval_result_done(struct eval_result *r)
{
    mem_free(r->metrics);
    mem_free(r->value);
    mem_free(r->low);
    mem_free(r->high);
    mem_free(r->user);
    mem_free(r->ratings);
    mem_free(r->per_user);
    memset(r, 0, sizeof *r);
}

enum pal_status evaluate(const struct model *m, const struct dataset *d, const struct split *s,
                         const struct weights *w, const struct eval_options *o,
                         const struct run *run, struct eval_result *out, struct pal_error *err)
{
    int64_t began_ns = clock_steady_ns();
    if (o->protocol == EVAL_NEGATIVES && (!s->negatives || o->part != EVAL_TEST))
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "split %s of %s brings no sampled negatives along: rank the full catalog",
                        s->spec, d->name);
    struct judge j = {.d = d, .split = s, .weights = w, .o = o};
    enum pal_status st = prepare(&j, run, err);
    if (st == PAL_OK)
        st = score_all(&j, m, run, err);
    if (st == PAL_OK) {
        sum_up(&j);
        if (o->bootstrap > 0)
            st = bootstrap_intervals(&j.r, o, run, err);
    }
    if (st == PAL_OK) {
        j.r.seconds = 1e-9 * (double)(clock_steady_ns() - began_ns);
        *out = j.r;
        memset(&j.r, 0, sizeof j.r);
    }
    judge_done(&j);
    return st;
}

/* ---- before ---- */

/* In how many users' training history each item is, and how many users have one. */
static enum pal_status count_audience(struct judge *j, struct pal_error *err)
{
    const struct interactions *x = &j->split->train;
    uint32_t *last = mem_zero(x->items, sizeof *last); /* 1 + the user who was counted last */
    j->audience = mem_zero(x->items, sizeof *j->audience);
    if (!last || !j->audience) {
        mem_free(last);
        return pal_no_memory(err);
    }
    for (uint32_t u = 0; u < x->users; u++) {
        j->data.users += x->start[u + 1] > x->start[u];
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            if (last[x->item[i]] != u + 1) {
                last[x->item[i]] = u + 1;
                j->audience[x->item[i]]++;
            }
    }
    mem_free(last);
    j->data.items = x->items;
    j->data.audience = j->audience;
    j->data.categories = &j->d->items.categories;
    return PAL_OK;
}

static enum pal_status make_result(struct judge *j, bool ratings, struct pal_error *err)
{
    struct eval_result *r = &j->r;
    size_t n = j->o->metric_count;
    r->protocol = j->o->protocol == EVAL_FULL ? "full" : "sampled-negatives";
    r->metric_count = n;
    r->users = j->held.users;
    r->ranked = j->held.ranked;
    r->metrics = mem_alloc(n, sizeof *r->metrics);
    r->value = mem_alloc(n, sizeof *r->value);
    r->low = mem_alloc(n, sizeof *r->low);
    r->high = mem_alloc(n, sizeof *r->high);
    r->per_user = mem_alloc(n * r->users, sizeof *r->per_user);
    r->user = mem_alloc(r->users, sizeof *r->user);
    if (!r->metrics || !r->value || !r->low || !r->high || !r->per_user || !r->user)
        return pal_no_memory(err);
    if (ratings) {
        r->ratings = mem_zero(r->users, sizeof *r->ratings);
        if (!r->ratings)
            return pal_no_memory(err);
    }
    memcpy(r->metrics, j->o->metrics, n * sizeof *r->metrics);
    memcpy(r->user, j->held.user, r->users * sizeof *r->user);
    for (size_t m = 0; m < n; m++)
        r->value[m] = r->low[m] = r->high[m] = NAN;
    for (size_t i = 0; i < n * r->users; i++)
        r->per_user[i] = NAN;
    return PAL_OK;
}

static enum pal_status make_scratch(struct judge *j, struct pal_error *err)
{
    size_t room = j->longest;
    if (j->o->protocol == EVAL_NEGATIVES)
        room = (size_t)j->split->negatives->per_user + j->data.items;
    j->scratch = mem_zero(j->threads, sizeof *j->scratch);
    j->shown = mem_zero(j->o->metric_count, sizeof *j->shown);
    if (!j->scratch || !j->shown)
        return pal_no_memory(err);
    for (unsigned t = 0; t < j->threads; t++) {
        struct scratch *s = &j->scratch[t];
        s->top = mem_alloc(room, sizeof *s->top);
        s->item = mem_alloc(room, sizeof *s->item);
        s->hit = mem_alloc(room, sizeof *s->hit);
        if (!s->top || !s->item || !s->hit)
            return pal_no_memory(err);
    }
    for (size_t m = 0; m < j->o->metric_count; m++)
        if (j->o->metrics[m].ops->kind == METRIC_WHOLE) {
            j->shown[m] = mem_zero(j->data.items, sizeof **j->shown);
            if (!j->shown[m])
                return pal_no_memory(err);
        }
    return PAL_OK;
}

static enum pal_status prepare(struct judge *j, const struct run *run, struct pal_error *err)
{
    bool ratings = false;
    for (size_t m = 0; m < j->o->metric_count; m++) {
        ratings |= j->o->metrics[m].ops->kind == METRIC_RATING;
        if (j->o->metrics[m].k > j->longest)
            j->longest = j->o->metrics[m].k;
    }
    j->threads = pool_size(run ? run->pool : NULL);
    enum pal_status st = heldout_make(j->d, j->split, j->weights, j->o, ratings, &j->held, err);
    if (st == PAL_OK)
        st = count_audience(j, err);
    if (st == PAL_OK)
        st = make_result(j, ratings, err);
    if (st == PAL_OK && j->longest > j->data.items)
        j->longest = j->data.items;
    if (st == PAL_OK)
        st = make_scratch(j, err);
    return st;
}

/* ---- each user ---- */

static enum pal_status user_history(void *ctx, size_t i, struct arena *tmp, struct history *out,
                                    struct pal_error *err)
{
    const struct judge *j = ctx;
    uint32_t u = j->held.user[i];
    const struct interactions *part = j->held.part;
    enum pal_status st =
        history_of(heldout_history(j->split, u), &j->d->types, j->weights, u, tmp, out, err);
    if (st == PAL_OK)
        out->now_s = interactions_time(part, part->start[u]);
    return st;
}

/* Mean loss of each rating metric over the user's held-out ratings. stars: what the model said of
 * them; NULL = it has scores alone. */
static void judge_ratings(struct judge *j, size_t row, const float *scores, const float *stars)
{
    const struct heldout *h = &j->held;
    uint64_t begin = h->rated[row], end = h->rated[row + 1];
    if (begin == end)
        return;
    uint32_t u = h->user[row];
    double user = ratings_user(&j->ratings, heldout_history(j->split, u), u, UINT64_MAX);
    struct standard z = stars ? (struct standard){0} : ratings_standard(scores, j->data.items);
    j->r.ratings[row] = (uint32_t)(end - begin);
    for (size_t m = 0; m < j->r.metric_count; m++) {
        const struct metric_ops *ops = j->r.metrics[m].ops;
        double sum = 0;
        if (ops->kind != METRIC_RATING)
            continue;
        for (uint64_t i = begin; i < end; i++) {
            uint32_t item = h->part->item[h->rating[i]];
            double said = interactions_value(h->part, h->rating[i]);
            float score = stars ? -INFINITY : scores[item];
            double rating = stars && !isnan(stars[i - begin])
                                ? fmin(fmax(stars[i - begin], j->ratings.low), j->ratings.high)
                                : ratings_predict(&j->ratings, user, item, z, score);
            sum += ops->loss(rating - said);
        }
        j->r.per_user[m * j->r.users + row] = sum / (double)(end - begin);
    }
}

static enum pal_status wanted_ratings(void *ctx, size_t row, struct arena *tmp,
                                      const uint32_t **items, size_t *n, struct pal_error *err)
{
    const struct judge *j = ctx;
    const struct heldout *h = &j->held;
    *n = (size_t)(h->rated[row + 1] - h->rated[row]);
    uint32_t *item = arena_alloc(tmp, *n, sizeof *item);
    if (!item)
        return pal_no_memory(err);
    for (size_t i = 0; i < *n; i++)
        item[i] = h->part->item[h->rating[h->rated[row] + i]];
    *items = item;
    return PAL_OK;
}

static void judge_stars(void *ctx, size_t row, const float *stars)
{
    judge_ratings(ctx, row, NULL, stars);
}

static bool is_relevant(const struct heldout *h, size_t row, uint32_t item)
{
    uint64_t low = h->start[row], high = h->start[row + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (h->item[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->start[row + 1] && h->item[low] == item;
}

static void strike_out(const struct heldout *h, uint32_t user, float *scores)
{
    for (size_t p = 0; p < h->had_count; p++)
        for (uint64_t i = h->had[p]->start[user]; i < h->had[p]->start[user + 1]; i++)
            if (heldout_counts(h, h->had[p], i))
                scores[h->had[p]->item[i]] = -INFINITY;
}

static size_t rank_catalog(const struct judge *j, size_t row, const float *scores,
                           struct scratch *s)
{
    size_t n = topk(scores, j->data.items, j->longest, s->top);
    for (size_t i = 0; i < n; i++) {
        s->item[i] = s->top[i].index;
        s->hit[i] = is_relevant(&j->held, row, s->item[i]);
    }
    return n;
}

static int best_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The relevant items among the listed negatives. Sorted by score; equal scores keep the order in
 * which they are collected, negatives first, so that a model can't win by saying nothing. What is
 * struck out or unknown to the model comes last. */
static size_t rank_negatives(const struct judge *j, size_t row, const float *scores,
                             struct scratch *s)
{
    const struct negatives *neg = j->split->negatives;
    const struct heldout *h = &j->held;
    uint32_t user = h->user[row], *candidate = s->item;
    size_t n = 0;
    for (uint32_t i = 0; user < neg->users && i < neg->per_user; i++) {
        uint32_t item = neg->item[(uint64_t)user * neg->per_user + i];
        if (item < j->data.items && !is_relevant(h, row, item))
            candidate[n++] = item;
    }
    size_t negatives = n;
    for (uint64_t i = h->start[row]; i < h->start[row + 1]; i++)
        candidate[n++] = h->item[i];
    for (size_t i = 0; i < n; i++)
        s->top[i] = (struct scored){(uint32_t)i, scores[candidate[i]]};
    qsort(s->top, n, sizeof *s->top, best_first);
    for (size_t i = 0; i < n; i++)
        s->hit[i] = s->top[i].index >= negatives;
    return n;
}

static void judge_user(void *ctx, size_t row, float *scores, unsigned worker)
{
    struct judge *j = ctx;
    struct scratch *s = &j->scratch[worker];
    bool full = j->o->protocol == EVAL_FULL;
    if (j->rates && !j->direct)
        judge_ratings(j, row, scores, NULL);
    uint32_t relevant = (uint32_t)(j->held.start[row + 1] - j->held.start[row]);
    if (relevant == 0 || j->longest == 0)
        return;
    strike_out(&j->held, j->held.user[row], scores);
    size_t n = full ? rank_catalog(j, row, scores, s) : rank_negatives(j, row, scores, s);
    struct ranked list = {n, s->item, s->hit, relevant};
    for (size_t m = 0; m < j->r.metric_count; m++) {
        const struct metric *metric = &j->r.metrics[m];
        enum metric_kind kind = metric->ops->kind;
        if (kind == METRIC_RANK || (kind == METRIC_LIST && full))
            j->r.per_user[m * j->r.users + row] = metric->ops->user(&j->data, &list, metric->k);
        else if (kind == METRIC_WHOLE && full)
            for (size_t i = 0; i < n && i < metric->k; i++)
                __atomic_fetch_add(&j->shown[m][s->item[i]], 1, __ATOMIC_RELAXED);
    }
}

static enum pal_status score_all(struct judge *j, const struct model *m, const struct run *run,
                                 struct pal_error *err)
{
    struct scoring *scoring = NULL;
    struct scoring_calls calls = {.history = user_history, .visit = judge_user, .ctx = j};
    enum pal_status st = scoring_new(m, &j->d->items, run, &scoring, err);
    j->direct = m->ops->can & MODEL_RATES;
    if (st == PAL_OK && j->held.rated)
        st = ratings_fit(j->d, j->split, j->weights, j->o->seed, j->direct ? NULL : scoring,
                         &j->ratings, err);
    j->rates = j->ratings.count != NULL;
    if (j->rates && j->direct) {
        calls.wanted = wanted_ratings;
        calls.rated = judge_stars;
        if (j->longest == 0)
            calls.visit = NULL;
    }
    if (st == PAL_OK)
        st = scoring_run(scoring, j->held.users, "evaluating", &calls, err);
    scoring_free(scoring);
    return st;
}

/* ---- after ---- */

static void sum_up(struct judge *j)
{
    for (size_t m = 0; m < j->r.metric_count; m++) {
        const struct metric_ops *ops = j->r.metrics[m].ops;
        if (ops->kind != METRIC_WHOLE)
            j->r.value[m] = metric_mean(&j->r, m, NULL);
        else if (j->o->protocol == EVAL_FULL)
            j->r.value[m] = ops->whole(&j->data, j->shown[m]);
    }
}

static void judge_done(struct judge *j)
{
    heldout_done(&j->held);
    mem_free(j->audience);
    ratings_done(&j->ratings);
    for (unsigned t = 0; j->scratch && t < j->threads; t++) {
        mem_free(j->scratch[t].top);
        mem_free(j->scratch[t].item);
        mem_free(j->scratch[t].hit);
    }
    mem_free(j->scratch);
    for (size_t m = 0; j->shown && m < j->o->metric_count; m++)
        mem_free(j->shown[m]);
    mem_free(j->shown);
    eval_result_done(&j->r);
}
