/* See batch.h. A grain of people is handled by one thread: their histories are made and translated;
 * those whom the model can answer by itself are asked for together (or one by one, where the model
 * finds the best without scoring everything); whoever is left is answered by `recommend`. */
#include "engine/batch.h"

#include "base/mem.h"
#include "engine/joined.h"
#include "rank/rank.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_N = 10, SCORES_BYTES = 2 << 20 };

/* What one thread works in. */
struct lane {
    struct arena tmp, scratch;   /* of a grain; of one question */
    uint8_t *skip;               /* (model items) what must not come */
    float *scores;               /* (rows, model items); NULL where the model retrieves */
    struct scored *best;         /* (n) */
    struct recommendation *list; /* (n) */
    enum pal_status status;
    size_t failed_at;
    struct pal_error err;
};

struct batch {
    const struct recommender *r;
    const struct dataset *d;
    const struct weights *w;
    struct batch_options o;
    struct pool *pool;
    const struct joined *joined; /* the model that can be asked by itself; NULL = none */
    uint32_t *to_catalog;        /* (d's items) INTERN_NONE for what it lacks */
    uint32_t *never;             /* (never_count) what o.never marks, as a list */
    size_t never_count;
    size_t rows; /* scored together */
    struct lane *lane;
};

/* A person at work. */
struct person {
    struct history all;  /* by catalog number */
    struct history know; /* by the model's */
    bool liked;
};

struct job_of_batch {
    struct batch *b;
    const uint32_t *users;
    batch_list_fn *fn;
    void *ctx;
};

/* ---- Making ---- */

static enum pal_status map_items(struct batch *b, struct pal_error *err)
{
    const struct intern *from = &b->d->items.ids, *to = &b->r->items->ids;
    b->to_catalog = mem_alloc(from->count ? from->count : 1, sizeof *b->to_catalog);
    if (!b->to_catalog)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < from->count; i++)
        b->to_catalog[i] = intern_find(to, intern_text(from, i), intern_len(from, i));
    return PAL_OK;
}

static enum pal_status list_never(struct batch *b, struct pal_error *err)
{
    uint32_t items = b->r->items->ids.count;
    for (uint32_t i = 0; b->o.never && i < items; i++)
        b->never_count += b->o.never[i] != 0;
    b->never = mem_alloc(b->never_count ? b->never_count : 1, sizeof *b->never);
    if (!b->never)
        return pal_no_memory(err);
    size_t n = 0;
    for (uint32_t i = 0; b->o.never && i < items; i++)
        if (b->o.never[i])
            b->never[n++] = i;
    return PAL_OK;
}

/* The model that is to answer, if it is one that looks at the history by itself. */
static enum pal_status find_model(struct batch *b, struct pal_error *err)
{
    const struct recommender *r = b->r;
    if (b->o.model && strcmp(b->o.model, "blend") == 0)
        return PAL_OK;
    for (size_t i = 0; i < r->count; i++) {
        const struct model *m = r->joined[i].model;
        if (b->o.model && strcmp(m->ops->name, b->o.model) != 0)
            continue;
        if (m->ops->can & MODEL_PERSONAL && !model_ranks(m))
            b->joined = &r->joined[i];
        return PAL_OK;
    }
    if (!b->o.model)
        return PAL_OK;
    /* recommend has the words for what there is not */
    struct request q = {.model = b->o.model, .n = 1};
    struct recommendation none;
    struct arena tmp = {0};
    size_t count;
    enum pal_status st = recommend(r, &q, &tmp, &none, &count, err);
    arena_done(&tmp);
    return st;
}

static enum pal_status make_lane(struct batch *b, struct lane *l, struct pal_error *err)
{
    arena_init(&l->tmp);
    arena_init(&l->scratch);
    l->best = mem_alloc(b->o.n, sizeof *l->best);
    l->list = mem_alloc(b->o.n, sizeof *l->list);
    if (!l->best || !l->list)
        return pal_no_memory(err);
    if (!b->joined)
        return PAL_OK;
    uint32_t items = model_items(b->joined->model);
    l->skip = mem_zero(items ? items : 1, 1);
    if (b->rows)
        l->scores = mem_aligned(b->rows * items, sizeof *l->scores);
    if (!l->skip || (b->rows && !l->scores))
        return pal_no_memory(err);
    for (uint32_t i = 0; i < items; i++) {
        uint32_t item = joined_to_catalog(b->joined, i);
        l->skip[i] = item == INTERN_NONE || (b->o.never && b->o.never[item]);
    }
    return PAL_OK;
}

static void count_rows(struct batch *b)
{
    const struct model *m = b->joined ? b->joined->model : NULL;
    if (!m || m->ops->retrieve)
        return;
    size_t row = (size_t)model_items(m) * sizeof(float);
    b->rows = row ? SCORES_BYTES / row : 1;
    b->rows = b->rows < 1 ? 1 : b->rows > BATCH_GRAIN ? BATCH_GRAIN : b->rows;
}

enum pal_status batch_new(const struct recommender *r, const struct dataset *d,
                          const struct weights *w, const struct batch_options *o, struct pool *pool,
                          struct batch **out, struct pal_error *err)
{
    struct batch *b = mem_zero(1, sizeof *b);
    if (!b)
        return pal_no_memory(err);
    uint32_t items = r->items->ids.count;
    *b = (struct batch){.r = r, .d = d, .w = w, .o = *o, .pool = pool};
    b->o.n = o->n ? o->n : DEFAULT_N;
    b->o.n = b->o.n < items ? b->o.n : items ? items : 1;
    b->lane = mem_zero(pool_size(pool), sizeof *b->lane);
    enum pal_status st = b->lane ? find_model(b, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = map_items(b, err);
    if (st == PAL_OK)
        st = list_never(b, err);
    count_rows(b);
    for (unsigned i = 0; st == PAL_OK && i < pool_size(pool); i++)
        st = make_lane(b, &b->lane[i], err);
    if (st == PAL_OK)
        *out = b;
    else
        batch_free(b);
    return st;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    for (unsigned i = 0; b->lane && i < pool_size(b->pool); i++) {
        struct lane *l = &b->lane[i];
        arena_done(&l->tmp);
        arena_done(&l->scratch);
        mem_free(l->skip);
        mem_free(l->scores);
        mem_free(l->best);
        mem_free(l->list);
    }
    mem_free(b->lane);
    mem_free(b->to_catalog);
    mem_free(b->never);
    mem_free(b);
}

/* ---- People ---- */

static uint32_t number_in_catalog(const void *batch, uint32_t item)
{
    return ((const struct batch *)batch)->to_catalog[item];
}

static uint32_t number_in_model(const void *batch, uint32_t item)
{
    return joined_to_model(((const struct batch *)batch)->joined, item);
}

static enum pal_status read_person(const struct batch *b, uint32_t user, struct lane *l,
                                   struct person *p, struct pal_error *err)
{
    struct history raw;
    *p = (struct person){.liked = false};
    enum pal_status st = history_of(&b->d->all, &b->d->types, b->w, user, &l->tmp, &raw, err);
    if (st == PAL_OK)
        st = history_renumber(&raw, number_in_catalog, b, &l->tmp, &p->all, err);
    if (st == PAL_OK && b->joined)
        st = history_renumber(&p->all, number_in_model, b, &l->tmp, &p->know, err);
    for (size_t i = 0; i < p->know.n; i++)
        p->liked = p->liked || p->know.weight[i] > 0;
    return st;
}

/* The best of the model as a list; false if they are too few, or a score of 0 says nothing. */
static bool list_best(const struct batch *b, struct lane *l, size_t count)
{
    if (count < b->o.n)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (l->best[i].score == 0)
            return false;
        l->list[i] = (struct recommendation){
            .item = joined_to_catalog(b->joined, l->best[i].index),
            .score = l->best[i].score,
            .source = b->joined->model->ops->name,
        };
    }
    return true;
}

static bool never_comes(const struct batch *b, uint32_t model_item)
{
    uint32_t item = joined_to_catalog(b->joined, model_item);
    return item == INTERN_NONE || (b->o.never && b->o.never[item]);
}

/* *done: l->list holds the answer. */
static enum pal_status retrieve(const struct batch *b, const struct person *p, struct lane *l,
                                bool *done, struct pal_error *err)
{
    size_t count = 0;
    const struct history *h = &p->know;
    arena_reset(&l->scratch);
    for (size_t i = 0; i < h->n; i++)
        l->skip[h->item[i]] = 1;
    enum pal_status st =
        model_top(b->joined->model, h, l->skip, b->o.n, &l->scratch, l->best, &count, err);
    for (size_t i = 0; i < h->n; i++)
        l->skip[h->item[i]] = never_comes(b, h->item[i]);
    *done = st == PAL_OK && list_best(b, l, count);
    return st;
}

static bool pick(const struct batch *b, const struct person *p, float *scores, struct lane *l)
{
    uint32_t items = model_items(b->joined->model);
    for (uint32_t i = 0; i < items; i++)
        scores[i] = l->skip[i] ? -INFINITY : scores[i];
    for (size_t i = 0; i < p->know.n; i++)
        scores[p->know.item[i]] = -INFINITY;
    return list_best(b, l, topk(scores, items, b->o.n, l->best));
}

static enum pal_status long_way(const struct batch *b, const struct person *p, struct lane *l,
                                size_t *count, struct pal_error *err)
{
    struct request q = {
        .history = p->all,
        .model = b->o.model,
        .n = b->o.n,
        .exclude = b->never,
        .exclude_count = b->never_count,
    };
    arena_reset(&l->scratch);
    return recommend(b->r, &q, &l->scratch, l->list, count, err);
}

/* Scores of the people from `begin` on whom the model can answer, together: a row for each. */
static enum pal_status score_some(const struct batch *b, const struct person *p, size_t n,
                                  struct lane *l, struct pal_error *err)
{
    size_t rows = 0;
    arena_reset(&l->scratch);
    struct history *h = arena_alloc(&l->scratch, n, sizeof *h);
    if (!h)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (p[i].liked)
            h[rows++] = p[i].know;
    return rows ? model_score(b->joined->model, h, rows, l->scores, &l->scratch, err) : PAL_OK;
}

/* People [begin, begin + n) of the job; n is at most b->rows where rows are scored together. */
static enum pal_status answer_some(const struct job_of_batch *job, size_t begin, size_t n,
                                   unsigned worker, struct pal_error *err)
{
    const struct batch *b = job->b;
    struct lane *l = &b->lane[worker];
    struct person person[BATCH_GRAIN];
    enum pal_status st = PAL_OK;
    size_t row = 0;
    arena_reset(&l->tmp);
    for (size_t i = 0; i < n && st == PAL_OK; i++)
        st = read_person(b, job->users[begin + i], l, &person[i], err);
    if (st == PAL_OK && b->rows)
        st = score_some(b, person, n, l, err);
    for (size_t i = 0; i < n && st == PAL_OK; i++) {
        bool done = false;
        size_t count = b->o.n;
        if (person[i].liked && b->rows)
            done = pick(b, &person[i], l->scores + row++ * model_items(b->joined->model), l);
        else if (person[i].liked)
            st = retrieve(b, &person[i], l, &done, err);
        if (st == PAL_OK && !done)
            st = long_way(b, &person[i], l, &count, err);
        if (st == PAL_OK)
            job->fn(job->ctx, begin + i, l->list, count, worker);
    }
    return st;
}

static void answer_grain(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct job_of_batch *job = ctx;
    struct lane *l = &job->b->lane[worker];
    size_t step = job->b->rows ? job->b->rows : BATCH_GRAIN;
    struct pal_error err = {.message = ""};
    enum pal_status st = PAL_OK;
    if (l->status != PAL_OK && l->failed_at < begin)
        return;
    for (size_t i = begin; i < end && st == PAL_OK; i += step)
        st = answer_some(job, i, end - i < step ? end - i : step, worker, &err);
    if (st == PAL_OK)
        return;
    l->status = st;
    l->failed_at = begin;
    l->err = err;
}

enum pal_status batch_run(struct batch *b, const uint32_t *users, size_t count, batch_list_fn *fn,
                          void *ctx, struct pal_error *err)
{
    struct job_of_batch job = {b, users, fn, ctx};
    const struct lane *first = NULL;
    for (unsigned i = 0; i < pool_size(b->pool); i++)
        b->lane[i].status = PAL_OK;
    pool_for(b->pool, count, BATCH_GRAIN, answer_grain, &job);
    for (unsigned i = 0; i < pool_size(b->pool); i++) {
        const struct lane *l = &b->lane[i];
        if (l->status != PAL_OK && (!first || l->failed_at < first->failed_at))
            first = l;
    }
    return first ? pal_fail(err, first->status, "%s", first->err.message) : PAL_OK;
}
