/* See palate.h, "Models by number": many questions to one model at once.
 *
 * Rows go to the pool in batches whose size depends on the catalog alone, so that the arithmetic is
 * the same at any thread count. Models that find the best without scoring everything are asked row
 * by row, others score a batch at a time. Each thread has a mask of what must not come: the one of
 * all answers, in which a row's own items are marked and then unmarked. */
#include "engine/matrix.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BATCH_BYTES = 2 << 20, BATCH_MOST = 32 };

struct lane {            /* what one thread works in */
    uint8_t *skip;       /* (items) */
    float *scores;       /* (batch, items); NULL where the model retrieves */
    struct scored *best; /* (n) */
    struct arena tmp;
    enum pal_status status; /* of the earliest batch that failed here */
    size_t failed_at;
    struct pal_error err;
};

struct asking {
    const struct model *model;
    const struct matrix *histories;
    const struct pal_ask *ask;
    const int32_t *near; /* items that are asked about instead of histories */
    uint8_t *never;      /* (items) what no answer may hold */
    bool limited;        /* whether never marks anything */
    size_t rows, batch, n;
    struct lane *lane; /* (threads) */
    struct pool *pool;
    int32_t *items; /* (rows, ask->n) */
    float *scores;  /* (rows, ask->n), or of pal_model_score (rows, items) */
};

static enum pal_status check_items(const struct model *m, const int32_t *items, size_t count,
                                   const char *what, struct pal_error *err)
{
    if (count > 0 && !items)
        return pal_fail(err, PAL_EUSAGE, "the items %s are missing", what);
    for (size_t i = 0; i < count; i++)
        if (items[i] < 0 || (uint32_t)items[i] >= model_items(m))
            return pal_fail(err, PAL_EUSAGE, "item %d %s: there are %u, from 0", items[i], what,
                            model_items(m));
    return PAL_OK;
}

static enum pal_status make_never(struct asking *a, struct pal_error *err)
{
    const struct pal_ask *q = a->ask;
    uint32_t items = model_items(a->model);
    enum pal_status st = check_items(a->model, q->exclude, q->exclude_count, "to leave out", err);
    if (st == PAL_OK && q->only)
        st = check_items(a->model, q->only, q->only_count, "to choose from", err);
    if (st != PAL_OK)
        return st;
    a->never = mem_zero(items, 1);
    if (!a->never)
        return pal_no_memory(err);
    if (q->only)
        memset(a->never, 1, items);
    for (size_t i = 0; q->only && i < q->only_count; i++)
        a->never[q->only[i]] = 0;
    for (size_t i = 0; i < q->exclude_count; i++)
        a->never[q->exclude[i]] = 1;
    a->limited = q->only || q->exclude_count > 0;
    return PAL_OK;
}

static enum pal_status make_lanes(struct asking *a, bool by_score, unsigned threads,
                                  struct pal_error *err)
{
    uint32_t items = model_items(a->model);
    size_t row_bytes = (size_t)items * sizeof(float);
    a->batch = row_bytes ? BATCH_BYTES / row_bytes : BATCH_MOST;
    a->batch = a->batch < 1 ? 1 : a->batch > BATCH_MOST ? BATCH_MOST : a->batch;
    size_t batches = (a->rows + a->batch - 1) / a->batch;
    threads = threads ? threads : pool_cores();
    threads = batches < threads ? (unsigned)batches : threads;
    enum pal_status st = pool_new(threads ? threads : 1, &a->pool, err);
    if (st != PAL_OK)
        return st;
    threads = pool_size(a->pool);
    a->lane = mem_zero(threads, sizeof *a->lane);
    if (!a->lane)
        return pal_no_memory(err);
    for (unsigned i = 0; i < threads; i++) {
        struct lane *l = &a->lane[i];
        l->skip = mem_alloc(items, 1);
        l->scores = by_score ? mem_aligned(a->batch * items, sizeof *l->scores) : NULL;
        l->best = mem_alloc(a->n, sizeof *l->best);
        if (!l->skip || (by_score && !l->scores) || !l->best)
            return pal_no_memory(err);
        if (a->never)
            memcpy(l->skip, a->never, items);
    }
    return PAL_OK;
}

static void asking_done(struct asking *a)
{
    for (unsigned i = 0; a->lane && i < pool_size(a->pool); i++) {
        mem_free(a->lane[i].skip);
        mem_free(a->lane[i].scores);
        mem_free(a->lane[i].best);
        arena_done(&a->lane[i].tmp);
    }
    mem_free(a->lane);
    mem_free(a->never);
    pool_free(a->pool);
}

static void put_best(const struct asking *a, size_t row, const struct scored *best, size_t count)
{
    int32_t *items = a->items + row * a->ask->n;
    float *scores = a->scores + row * a->ask->n;
    for (size_t i = 0; i < a->ask->n; i++) {
        items[i] = i < count ? (int32_t)best[i].index : -1;
        scores[i] = i < count ? best[i].score : -FLT_MAX;
    }
}

/* Marks (or, with mark false, unmarks) what row must not be answered with. */
static void mark_seen(const struct asking *a, size_t row, uint8_t *skip, bool mark)
{
    const struct pal_rows *seen = a->ask->seen;
    if (!seen)
        return;
    for (int64_t i = seen->start[row]; i < seen->start[row + 1]; i++)
        skip[seen->col[i]] = mark || a->never[seen->col[i]];
}

static void best_of_scores(const struct asking *a, size_t row, const uint8_t *skip, float *scores,
                           struct lane *l)
{
    uint32_t items = model_items(a->model);
    if (a->limited)
        for (uint32_t i = 0; i < items; i++)
            scores[i] = skip[i] ? -INFINITY : scores[i];
    const struct pal_rows *seen = a->ask->seen;
    for (int64_t i = seen ? seen->start[row] : 0; seen && i < seen->start[row + 1]; i++)
        scores[seen->col[i]] = -INFINITY;
    put_best(a, row, l->best, topk(scores, items, a->n, l->best));
}

static enum pal_status retrieve_rows(const struct asking *a, size_t begin, size_t end,
                                     struct lane *l, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t r = begin; r < end && st == PAL_OK; r++) {
        size_t count = 0;
        struct history h = matrix_history(a->histories, r);
        arena_reset(&l->tmp);
        mark_seen(a, r, l->skip, true);
        st = model_top(a->model, &h, l->skip, a->n, &l->tmp, l->best, &count, err);
        mark_seen(a, r, l->skip, false);
        if (st == PAL_OK)
            put_best(a, r, l->best, count);
    }
    return st;
}

static enum pal_status score_rows(const struct asking *a, size_t begin, size_t end, float *scores,
                                  struct lane *l, struct pal_error *err)
{
    arena_reset(&l->tmp);
    struct history *h = arena_alloc(&l->tmp, end - begin, sizeof *h);
    if (!h)
        return pal_no_memory(err);
    for (size_t r = begin; r < end; r++)
        h[r - begin] = matrix_history(a->histories, r);
    return model_score(a->model, h, end - begin, scores, &l->tmp, err);
}

static enum pal_status near_rows(const struct asking *a, size_t begin, size_t end, struct lane *l,
                                 struct pal_error *err)
{
    const struct model *m = a->model;
    enum pal_status st = PAL_OK;
    for (size_t r = begin; r < end && st == PAL_OK; r++) {
        uint32_t item = (uint32_t)a->near[r];
        size_t count = 0;
        arena_reset(&l->tmp);
        if (!a->limited) {
            st = model_similar(m, item, a->n, &l->tmp, l->best, &count, err);
            if (st == PAL_OK)
                put_best(a, r, l->best, count);
            continue;
        }
        st = m->ops->similar(m, item, l->scores, &l->tmp, err);
        l->scores[item] = -INFINITY;
        if (st == PAL_OK)
            best_of_scores(a, r, a->never, l->scores, l);
    }
    return st;
}

static void note_failure(struct lane *l, size_t at, enum pal_status st, const struct pal_error *err)
{
    if (st != PAL_OK && (l->status == PAL_OK || at < l->failed_at)) {
        l->status = st;
        l->failed_at = at;
        l->err = *err;
    }
}

static void top_grain(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct asking *a = ctx;
    struct lane *l = &a->lane[worker];
    struct pal_error err = {.message = ""};
    enum pal_status st;
    if (a->near) {
        st = near_rows(a, begin, end, l, &err);
    } else if (a->model->ops->retrieve) {
        st = retrieve_rows(a, begin, end, l, &err);
    } else {
        uint32_t items = model_items(a->model);
        st = score_rows(a, begin, end, l->scores, l, &err);
        for (size_t r = begin; r < end && st == PAL_OK; r++)
            best_of_scores(a, r, a->never, l->scores + (r - begin) * items, l);
    }
    note_failure(l, begin, st, &err);
}

static void score_grain(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct asking *a = ctx;
    struct lane *l = &a->lane[worker];
    struct pal_error err = {.message = ""};
    float *scores = a->scores + begin * model_items(a->model);
    note_failure(l, begin, score_rows(a, begin, end, scores, l, &err), &err);
}

/* Runs it over all rows; the failure of the earliest row is the one that is told. */
static enum pal_status run_all(struct asking *a, pool_fn *grain, struct pal_error *err)
{
    const struct lane *first = NULL;
    pool_for(a->pool, a->rows, a->batch, grain, a);
    for (unsigned i = 0; i < pool_size(a->pool); i++) {
        const struct lane *l = &a->lane[i];
        if (l->status != PAL_OK && (!first || l->failed_at < first->failed_at))
            first = l;
    }
    return first ? pal_fail(err, first->status, "%s", first->err.message) : PAL_OK;
}

static enum pal_status check_seen(const struct model *m, const struct pal_rows *histories,
                                  const struct pal_rows *seen, struct pal_error *err)
{
    bool ready;
    if (!seen || seen == histories)
        return PAL_OK;
    struct pal_rows alone = *seen;
    alone.val = NULL;
    if (seen->rows != histories->rows)
        return pal_fail(err, PAL_EUSAGE, "%u rows of seen items for %u histories: as many as these",
                        seen->rows, histories->rows);
    return matrix_check(&alone, model_items(m), "the seen items", &ready, err);
}

static enum pal_status begin_ask(struct asking *a, const struct pal_ask *ask, struct pal_error *err)
{
    if (!ask || ask->n == 0)
        return pal_fail(err, PAL_EUSAGE, "say how many items are wanted: at least one");
    a->ask = ask;
    a->n = ask->n < model_items(a->model) ? ask->n : model_items(a->model);
    return make_never(a, err);
}

enum pal_status pal_model_top(const struct pal_model *m, const struct pal_rows *histories,
                              const struct pal_ask *ask, int32_t *items, float *scores,
                              struct pal_error *err)
{
    struct asking a = {.model = m->model, .items = items, .scores = scores};
    struct matrix x;
    enum pal_status st = matrix_read(histories, model_items(m->model), "the histories", &x, err);
    if (st != PAL_OK)
        return st;
    a.histories = &x;
    a.rows = histories->rows;
    st = begin_ask(&a, ask, err);
    if (st == PAL_OK)
        st = check_seen(m->model, histories, ask->seen, err);
    if (st == PAL_OK)
        st = make_lanes(&a, !m->model->ops->retrieve, ask->threads, err);
    if (st == PAL_OK)
        st = run_all(&a, top_grain, err);
    asking_done(&a);
    matrix_done(&x);
    return st;
}

enum pal_status pal_model_near(const struct pal_model *m, const int32_t *items, size_t count,
                               const struct pal_ask *ask, int32_t *near, float *scores,
                               struct pal_error *err)
{
    struct asking a = {.model = m->model, .near = items, .rows = count};
    a.items = near;
    a.scores = scores;
    if (!(m->model->ops->can & MODEL_SIMILAR))
        return pal_fail(err, PAL_EUNSUPPORTED, "%s can't tell which items are similar",
                        m->model->ops->name);
    if (ask && ask->seen)
        return pal_fail(err, PAL_EUSAGE, "similar items have no history to be left out");
    enum pal_status st = check_items(m->model, items, count, "asked about", err);
    if (st == PAL_OK)
        st = begin_ask(&a, ask, err);
    if (st == PAL_OK)
        st = make_lanes(&a, a.limited, ask->threads, err);
    if (st == PAL_OK)
        st = run_all(&a, top_grain, err);
    asking_done(&a);
    return st;
}

enum pal_status pal_model_score(const struct pal_model *m, const struct pal_rows *histories,
                                unsigned threads, float *scores, struct pal_error *err)
{
    struct asking a = {.model = m->model, .scores = scores};
    struct matrix x;
    enum pal_status st = matrix_read(histories, model_items(m->model), "the histories", &x, err);
    if (st != PAL_OK)
        return st;
    a.histories = &x;
    a.rows = histories->rows;
    st = make_lanes(&a, false, threads, err);
    if (st == PAL_OK)
        st = run_all(&a, score_grain, err);
    asking_done(&a);
    matrix_done(&x);
    return st;
}

enum pal_status pal_model_explain(const struct pal_model *m, const struct pal_rows *history,
                                  int32_t item, float *part, struct pal_error *err)
{
    struct arena tmp = {0};
    struct matrix x;
    if (history && history->rows != 1)
        return pal_fail(err, PAL_EUSAGE, "%u histories: give one", history->rows);
    enum pal_status st = check_items(m->model, &item, 1, "to explain", err);
    if (st == PAL_OK)
        st = matrix_read(history, model_items(m->model), "the history", &x, err);
    if (st != PAL_OK)
        return st;
    struct history h = matrix_history(&x, 0);
    float *by_item = arena_zero(&tmp, model_items(m->model), sizeof *by_item);
    float *parts = arena_alloc(&tmp, h.n, sizeof *parts);
    st = by_item && parts ? model_explain(m->model, &h, (uint32_t)item, parts, &tmp, err)
                          : pal_no_memory(err);
    for (size_t i = 0; st == PAL_OK && i < h.n; i++)
        by_item[h.item[i]] = parts[i];
    for (int64_t i = 0; st == PAL_OK && i < history->start[1]; i++)
        part[i] = !history->val || history->val[i] != 0 ? by_item[history->col[i]] : 0;
    arena_done(&tmp);
    matrix_done(&x);
    return st;
}
