/* See scoring.h. A batch of histories is one call of model_score and one grain of the pool; its
 * size depends on the catalog alone, so that every model does the same arithmetic at any thread
 * count. Batches are handed to the pool in slabs, between which progress is told. */
#include "eval/scoring.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { BATCH_BYTES = 16 << 20, BATCH_MAX = 128, SLAB_BATCHES = 32 };

struct lane {      /* what one thread works in */
    float *scores; /* (batch, model items) */
    float *row;    /* (catalog), where the model numbers items its own way */
    struct arena tmp;
    enum pal_status status; /* of the earliest batch that failed here */
    size_t failed_at;
    struct pal_error err;
};

struct scoring {
    const struct model *model;
    const struct run *run;
    uint32_t catalog;
    uint32_t *to_model; /* (catalog) number or INTERN_NONE; NULL: the numbers are the same */
    size_t batch;
    unsigned lanes;
    struct lane *lane; /* (lanes) */
    size_t offset;     /* of the slab in work */
    const struct scoring_calls *calls;
};

static bool same_ids(const struct intern *a, const struct intern *b)
{
    return a->count == b->count &&
           (a->count == 0 || (a->start[a->count] == b->start[b->count] &&
                              memcmp(a->bytes, b->bytes, a->start[a->count]) == 0));
}

static enum pal_status map_ids(struct scoring *s, const struct intern *ids, struct pal_error *err)
{
    if (same_ids(&s->model->ids, ids))
        return PAL_OK;
    s->to_model = mem_alloc(s->catalog, sizeof *s->to_model);
    if (!s->to_model)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < s->catalog; i++)
        s->to_model[i] = intern_find(&s->model->ids, intern_text(ids, i), intern_len(ids, i));
    return PAL_OK;
}

enum pal_status scoring_new(const struct model *m, const struct items *items, const struct run *run,
                            struct scoring **out, struct pal_error *err)
{
    struct scoring *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->model = m;
    s->run = run;
    s->catalog = items->ids.count;
    size_t row_bytes = (size_t)model_items(m) * sizeof(float);
    s->batch = row_bytes ? BATCH_BYTES / row_bytes : BATCH_MAX;
    s->batch = s->batch < 1 ? 1 : s->batch > BATCH_MAX ? BATCH_MAX : s->batch;
    s->lanes = pool_size(run ? run->pool : NULL);
    enum pal_status st = map_ids(s, &items->ids, err);
    s->lane = mem_zero(s->lanes, sizeof *s->lane);
    if (st == PAL_OK && !s->lane)
        st = pal_no_memory(err);
    for (unsigned i = 0; st == PAL_OK && i < s->lanes; i++) {
        struct lane *lane = &s->lane[i];
        lane->scores = mem_aligned(s->batch * model_items(m), sizeof(float));
        if (s->to_model)
            lane->row = mem_aligned(s->catalog, sizeof(float));
        if (!lane->scores || (s->to_model && !lane->row))
            st = pal_no_memory(err);
    }
    if (st == PAL_OK)
        *out = s;
    else
        scoring_free(s);
    return st;
}

void scoring_free(struct scoring *s)
{
    if (!s)
        return;
    for (unsigned i = 0; s->lane && i < s->lanes; i++) {
        mem_free(s->lane[i].scores);
        mem_free(s->lane[i].row);
        arena_done(&s->lane[i].tmp);
    }
    mem_free(s->lane);
    mem_free(s->to_model);
    mem_free(s);
}

static uint32_t number_in_model(const void *to_model, uint32_t item)
{
    return ((const uint32_t *)to_model)[item];
}

/* The history in the model's numbers, without the items that it does not know. */
static enum pal_status translate(const struct scoring *s, struct history *h, struct arena *tmp,
                                 struct pal_error *err)
{
    const struct history all = *h;
    return history_renumber(&all, number_in_model, s->to_model, tmp, h, err);
}

/* The ratings that are wanted of one history, which is in the model's numbers. */
static enum pal_status rate(const struct scoring *s, size_t at, const struct history *h,
                            struct arena *tmp, struct pal_error *err)
{
    const uint32_t *items;
    size_t n, known = 0;
    enum pal_status st = s->calls->wanted(s->calls->ctx, at, tmp, &items, &n, err);
    if (st != PAL_OK || n == 0)
        return st;
    uint32_t *number = arena_alloc(tmp, n, sizeof *number);
    float *stars = arena_alloc(tmp, n, sizeof *stars);
    if (!number || !stars)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        uint32_t model = s->to_model ? s->to_model[items[i]] : items[i];
        if (model != INTERN_NONE)
            number[known++] = model;
    }
    st = model_rate(s->model, h, number, known, stars, tmp, err);
    if (st != PAL_OK)
        return st;
    for (size_t i = n; i-- > 0;) { /* from the end: those that are known spread out */
        bool knows = !s->to_model || s->to_model[items[i]] != INTERN_NONE;
        stars[i] = knows ? stars[--known] : NAN;
    }
    s->calls->rated(s->calls->ctx, at, stars);
    return PAL_OK;
}

static enum pal_status score_batch(struct scoring *s, size_t begin, size_t n, struct lane *lane,
                                   unsigned worker, struct pal_error *err)
{
    arena_reset(&lane->tmp);
    struct history *h = arena_alloc(&lane->tmp, n, sizeof *h);
    if (!h)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        enum pal_status st = s->calls->history(s->calls->ctx, begin + i, &lane->tmp, &h[i], err);
        if (st == PAL_OK && s->to_model)
            st = translate(s, &h[i], &lane->tmp, err);
        if (st == PAL_OK && s->calls->wanted)
            st = rate(s, begin + i, &h[i], &lane->tmp, err);
        if (st)
            return st;
    }
    if (!s->calls->visit)
        return PAL_OK;
    enum pal_status st = model_score(s->model, h, n, lane->scores, &lane->tmp, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        float *scores = lane->scores + i * model_items(s->model);
        if (s->to_model) {
            for (uint32_t j = 0; j < s->catalog; j++)
                lane->row[j] = s->to_model[j] == INTERN_NONE ? -INFINITY : scores[s->to_model[j]];
            scores = lane->row;
        }
        s->calls->visit(s->calls->ctx, begin + i, scores, worker);
    }
    return PAL_OK;
}

static void score_grain(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct scoring *s = ctx;
    struct lane *lane = &s->lane[worker];
    struct pal_error err = {0};
    enum pal_status st = score_batch(s, s->offset + begin, end - begin, lane, worker, &err);
    if (st && (lane->status == PAL_OK || begin < lane->failed_at)) {
        lane->status = st;
        lane->failed_at = begin;
        lane->err = err;
    }
}

static enum pal_status first_failure(struct scoring *s, struct pal_error *err)
{
    const struct lane *first = NULL;
    for (unsigned i = 0; i < s->lanes; i++) {
        const struct lane *lane = &s->lane[i];
        if (lane->status && (!first || lane->failed_at < first->failed_at))
            first = lane;
    }
    if (first && err)
        *err = first->err;
    return first ? first->status : PAL_OK;
}

enum pal_status scoring_run(struct scoring *s, size_t n, const char *stage,
                            const struct scoring_calls *calls, struct pal_error *err)
{
    s->calls = calls;
    for (unsigned i = 0; i < s->lanes; i++)
        s->lane[i].status = PAL_OK;
    enum pal_status st = PAL_OK;
    size_t slab = s->batch * (s->lanes > 4 ? s->lanes * 8 : SLAB_BATCHES);
    for (s->offset = 0; st == PAL_OK && s->offset < n; s->offset += slab) {
        st = run_step(s->run, stage, s->offset, n, err);
        if (st)
            break;
        size_t count = n - s->offset < slab ? n - s->offset : slab;
        pool_for(s->run ? s->run->pool : NULL, count, s->batch, score_grain, s);
        st = first_failure(s, err);
    }
    if (st == PAL_OK)
        st = run_step(s->run, stage, n, n, err);
    return st;
}
