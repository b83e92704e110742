/* A model and a data set made up for the tests of evaluation, small enough to be recomputed by
 * hand: every score is a sum of whole numbers, so that many are equal and none is inexact. */
#ifndef TEST_EVAL_FAKE_H
#define TEST_EVAL_FAKE_H

#include "test.h"

#include "base/rng.h"
#include "eval/evaluate.h"

#include <math.h>

enum { USERS = 90, ITEMS = 47 };

/* A model that adds up a row of its table for each item of the history. */
struct fake {
    struct model model;
    float table[ITEMS][ITEMS];
    float boost; /* added to items of the history */
};

static inline enum pal_status fake_score(const struct model *m, const struct history *h, size_t n,
                                         float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct fake *f = (const struct fake *)m;
    uint32_t items = model_items(m);
    if (!arena_alloc(tmp, 8, n))
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        float *row = scores + i * items;
        for (uint32_t j = 0; j < items; j++) {
            row[j] = .01f * f->table[0][j];
            for (size_t k = 0; k < h[i].n; k++)
                row[j] += h[i].weight[k] * f->table[h[i].item[k]][j];
        }
        for (size_t k = 0; k < h[i].n; k++)
            row[h[i].item[k]] += f->boost;
    }
    return PAL_OK;
}

static const struct model_ops fake_ops = {.name = "fake", .score = fake_score};

static inline uint32_t add_id(struct intern *ids, uint32_t number)
{
    struct pal_error err;
    char text[16];
    uint32_t at;
    int len = snprintf(text, sizeof text, "i%u", number);
    assert_ok(intern_add(ids, text, (size_t)len, &at, &err), &err);
    return at;
}

static inline struct fake *make_fake(uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, 0);
    struct fake *f = calloc(1, sizeof *f);
    f->model.ops = &fake_ops;
    for (uint32_t i = 0; i < ITEMS; i++) {
        add_id(&f->model.ids, i);
        for (uint32_t j = 0; j < ITEMS; j++)
            f->table[i][j] = (float)(int)rng_below(&r, 9); /* many equal scores */
    }
    return f;
}

static inline void free_fake(struct fake *f)
{
    intern_done(&f->model.ids);
    free(f);
}

static inline struct dataset *make_data(uint64_t seed)
{
    struct pal_error err;
    struct rng r;
    struct rows *rows;
    uint8_t rating, view;
    rng_init(&r, seed, 1);
    struct dataset *d = dataset_new();
    snprintf(d->name, sizeof d->name, "invented");
    assert_ok(event_type_add(&d->types, "rating", 6, &rating, &err), &err);
    assert_ok(event_type_add(&d->types, "view", 4, &view, &err), &err);
    for (uint32_t i = 0; i < ITEMS; i++) {
        add_id(&d->items.ids, i);
        for (uint32_t c = 0; c < i % 4; c++) {
            char name = (char)('a' + rng_below(&r, 6));
            assert_ok(labels_add(&d->items.categories, &name, 1, &err), &err);
        }
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
    }
    assert_ok(rows_new(&rows, &err), &err);
    for (uint32_t u = 0; u < USERS; u++) {
        char text[16];
        uint32_t at;
        int len = snprintf(text, sizeof text, "u%u", u);
        assert_ok(intern_add(&d->users.ids, text, (size_t)len, &at, &err), &err);
        for (uint32_t n = u % 31; n; n--) {
            uint32_t a = (uint32_t)rng_below(&r, ITEMS), b = (uint32_t)rng_below(&r, ITEMS);
            bool seen = rng_below(&r, 8) == 0;
            struct row row = {u, a < b ? a : b, seen ? 1 : (float)(1 + rng_below(&r, 5)),
                              1000 + (uint32_t)rng_below(&r, 900)};
            assert_ok(rows_add(rows, row, seen ? view : rating, &err), &err);
        }
    }
    assert_ok(rows_finish(rows, USERS, ITEMS, true, &d->all, &err), &err);
    rows_free(rows);
    return d;
}

static inline struct weights make_weights(void)
{
    struct pal_error err;
    struct weights w;
    assert_ok(weights_parse("rating>=4:1,rating>=3:0,rating:-0.5,view:0.1", &w, &err), &err);
    return w;
}

static inline struct eval_options make_options(struct metric *m, size_t *n, const char *names)
{
    struct pal_error err;
    assert_ok(metrics_parse(names, m, n, &err), &err);
    return (struct eval_options){m, *n, EVAL_FULL, EVAL_TEST, .5, 0, .95, 1, NULL, false};
}

static inline bool has(const struct interactions *x, uint32_t u, uint32_t item)
{
    if (!x->start)
        return false;
    for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
        if (x->item[i] == item)
            return true;
    return false;
}

static inline void near(const char *name, double got, double want)
{
    if (!(fabs(got - want) < 1e-9))
        fail_msg("%s: got %.15g, want %.15g", name, got, want);
}

#endif
