/* A model whose every answer can be worked out by hand: score(i) = sum of weight * M[item][i] over
 * the history, plus base[i]. Its explanation and its likeness are M too. */
#ifndef FAKE_H
#define FAKE_H

#include "test.h"

#include "model/model.h"

struct fake {
    struct model model; /* first: what palate sees */
    const float *M;     /* (items, items) */
    const float *base;  /* (items) */
};

static enum pal_status fake_score(const struct model *m, const struct history *h, size_t n,
                                  float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct fake *f = (const struct fake *)m;
    uint32_t items = model_items(m);
    for (size_t row = 0; row < n; row++)
        for (uint32_t i = 0; i < items; i++) {
            float s = f->base[i];
            for (size_t j = 0; j < h[row].n; j++)
                s += h[row].weight[j] * f->M[(size_t)h[row].item[j] * items + i];
            scores[row * items + i] = s;
        }
    return PAL_OK;
}

static enum pal_status fake_similar(const struct model *m, uint32_t item, float *scores,
                                    struct arena *tmp, struct pal_error *err)
{
    const struct fake *f = (const struct fake *)m;
    memcpy(scores, f->M + (size_t)item * model_items(m), model_items(m) * sizeof *scores);
    return PAL_OK;
}

static enum pal_status fake_explain(const struct model *m, const struct history *h, uint32_t item,
                                    float *part, struct arena *tmp, struct pal_error *err)
{
    const struct fake *f = (const struct fake *)m;
    for (size_t j = 0; j < h->n; j++)
        part[j] = h->weight[j] * f->M[(size_t)h->item[j] * model_items(m) + item];
    return PAL_OK;
}

static const struct model_ops fake_ops = {
    .name = "fake",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .score = fake_score,
    .similar = fake_similar,
    .explain = fake_explain,
};

static const struct model_ops fake_other_ops = {
    .name = "other",
    .can = MODEL_PERSONAL,
    .score = fake_score,
};

static const struct model_ops fake_popular_ops = {
    .name = "popular",
    .score = fake_score,
};

/* Knows the items with these ids, in this order; M and base stay the caller's. */
static struct model *fake_new(const struct model_ops *ops, const uint32_t *id, uint32_t count,
                              const float *M, const float *base)
{
    struct fake *f = mem_zero(1, sizeof *f);
    struct pal_error err;
    f->model.ops = ops;
    f->M = M;
    f->base = base;
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        uint32_t number;
        int len = snprintf(text, sizeof text, "i%u", id[i]);
        assert_ok(intern_add(&f->model.ids, text, (size_t)len, &number, &err), &err);
    }
    return &f->model;
}

#endif
