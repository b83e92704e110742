/* A catalog, fake models and a fake bandit that the tests of the pipeline ask. */
#ifndef PIPELINE_WORLD_H
#define PIPELINE_WORLD_H

#include "fake.h"
#include "fake_bandit.h"

#include "engine/pipeline.h"

static const struct model_ops world_als = {
    .name = "als",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .score = fake_score,
    .similar = fake_similar,
    .explain = fake_explain,
};
static const struct model_ops world_ease = {
    .name = "ease",
    .can = MODEL_PERSONAL,
    .score = fake_score,
};

static const struct model_ops world_content = {
    .name = "content",
    .can = MODEL_PERSONAL,
    .score = fake_score,
};

enum { WORLD_MODELS = 2 };

struct world {
    uint32_t items;
    struct catalog *catalog;
    struct bandit bandit;
    struct model *model[WORLD_MODELS]; /* each knows some of the items, in an order of its own */
    float *M[WORLD_MODELS];            /* (items, items) by the model's numbers */
    float *base[WORLD_MODELS];         /* (items) zeros */
    struct source source[WORLD_MODELS];
    struct pipeline_options options;
    struct pipeline_input in; /* asks for 10, nothing seen, no history */
    struct rng rng;
    struct arena tmp, filters; /* the second outlives a request */
    struct pipeline_item out[PIPELINE_N_MOST];
    size_t count;
};

static void world_put(struct world *w, uint32_t i, bool available, const char *categories)
{
    char id[16], attributes[32];
    struct pal_error err;
    uint32_t number;
    snprintf(id, sizeof id, "i%u", i);
    snprintf(attributes, sizeof attributes, "{\"n\":%u,\"odd\":%u}", i, i % 2);
    struct item_row row = {
        .item_id = id, .categories = categories, .attributes = attributes, .available = available};
    assert_ok(catalog_put(w->catalog, &row, &number, &err), &err);
    assert_int_equal(number, i);
}

/* Model m knows each item with chance 3 of 4; its matrix is random in [-1, 1). */
static void world_model(struct world *w, int m, const struct model_ops *ops)
{
    uint32_t *known = calloc(w->items + 1, sizeof *known), n = 0;
    for (uint32_t i = 0; i < w->items; i++)
        if (rng_below(&w->rng, 4))
            known[n++] = i;
    rng_shuffle(&w->rng, known, n);
    w->M[m] = calloc((size_t)n * n + 1, sizeof(float));
    w->base[m] = calloc(n + 1, sizeof(float));
    for (size_t i = 0; i < (size_t)n * n; i++)
        w->M[m][i] = (float)(rng_real(&w->rng) * 2 - 1);
    w->model[m] = fake_new(ops, known, n, w->M[m], w->base[m]);
    free(known);
}

static struct world *world_new(uint32_t items, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct pal_error err;
    w->items = items;
    rng_init(&w->rng, seed, 0);
    assert_ok(catalog_new(&w->catalog, &err), &err);
    for (uint32_t i = 0; i < items; i++) {
        static const char *const categories[] = {"[\"A\"]", "[\"A\",\"B\"]", "[\"B\",\"C\",\"D\"]",
                                                 "[\"D\"]", "[]"};
        world_put(w, i, true, categories[rng_below(&w->rng, 5)]);
        w->bandit.mean[i] = (float)rng_real(&w->rng);
        w->bandit.count[i] = rng_below(&w->rng, 3) ? (float)(1 + rng_below(&w->rng, 1000)) : 0;
        w->bandit.trending[i] = rng_below(&w->rng, 2) ? (float)rng_real(&w->rng) : 0;
    }
    world_model(w, 0, &world_als);
    world_model(w, 1, &world_ease);
    for (int m = 0; m < WORLD_MODELS; m++)
        assert_ok(source_open(w->model[m], w->catalog, &w->source[m], &err), &err);
    opt_defaults(&pipeline_option_table, &w->options);
    w->options.explore = w->options.diversity = 0;
    w->in = (struct pipeline_input){.options = &w->options,
                                    .catalog = w->catalog,
                                    .bandit = &w->bandit,
                                    .sources = w->source,
                                    .source_count = WORLD_MODELS,
                                    .n = 10,
                                    .explore = -1,
                                    .diversity = -1,
                                    .rng = &w->rng};
    return w;
}

static void world_free(struct world *w)
{
    for (int m = 0; m < WORLD_MODELS; m++) {
        source_close(&w->source[m]);
        intern_done(&w->model[m]->ids);
        mem_free(w->model[m]);
        free(w->M[m]);
        free(w->base[m]);
    }
    catalog_free(w->catalog);
    arena_done(&w->tmp);
    arena_done(&w->filters);
    free(w);
}

static void world_run(struct world *w)
{
    struct pal_error err;
    arena_reset(&w->tmp);
    w->count = 12345;
    assert_ok(pipeline_run(&w->in, &w->tmp, w->out, &w->count, &err), &err);
    assert_true(w->count <= w->in.n);
    for (size_t i = 0; i < w->count; i++) {
        assert_true(w->out[i].item < w->items);
        assert_true(w->out[i].propensity > 0 && w->out[i].propensity <= 1);
        assert_true(w->out[i].score == w->out[i].score); /* no NaN */
        assert_non_null(w->out[i].source);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(w->out[i].item, w->out[j].item);
    }
}

/* What model m makes of an item for the history; false if it doesn't know the item. */
static bool world_score(const struct world *w, int m, uint32_t item, double *score)
{
    const struct model *model = w->model[m];
    char id[16];
    int len = snprintf(id, sizeof id, "i%u", item);
    uint32_t x = intern_find(&model->ids, id, (size_t)len);
    *score = x != INTERN_NONE ? (double)w->base[m][x] : 0;
    for (size_t i = 0; i < w->in.history.n && x != INTERN_NONE; i++) {
        len = snprintf(id, sizeof id, "i%u", w->in.history.item[i]);
        uint32_t y = intern_find(&model->ids, id, (size_t)len);
        if (y != INTERN_NONE)
            *score += (double)w->in.history.weight[i] * w->M[m][(size_t)y * model_items(model) + x];
    }
    return x != INTERN_NONE;
}

#endif
