/* What the suite's programs share: every model of the table, fitted on a small world of blocks. */
#ifndef EACH_H
#define EACH_H

#include "model/world.h"

#include "base/file.h"

#include <math.h>
#include <stdbool.h>
#include <unistd.h>

enum { USERS = 90, ITEMS = 40, BLOCKS = 4 };

struct fitted {
    struct dataset *data;
    struct training training;
    struct model *model;
    struct arena tmp;
};

/* The defaults, but for what is meant for catalogs of thousands. The caller frees them. */
static inline void *small_options(const struct model_ops *ops)
{
    struct pal_error err;
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    if (strcmp(ops->name, "als") == 0) {
        assert_ok(model_set(ops, options, "factors", "8", &err), &err);
        assert_ok(model_set(ops, options, "regularization", "0.05", &err), &err);
    }
    if (strcmp(ops->name, "slim") == 0) {
        assert_ok(model_set(ops, options, "l1", "0.1", &err), &err);
        assert_ok(model_set(ops, options, "l2", "10", &err), &err);
    }
    if (strcmp(ops->name, "together") == 0) /* a history is spread over a day */
        assert_ok(model_set(ops, options, "window_minutes", "1440", &err), &err);
    if (ops->can & MODEL_RATES) {
        assert_ok(model_set(ops, options, "factors", "6", &err), &err);
        assert_ok(model_set(ops, options, "samples", "8", &err), &err);
        assert_ok(model_set(ops, options, "burn", "20", &err), &err);
        assert_ok(model_set(ops, options, "every", "2", &err), &err);
    }
    return options;
}

/* The world of blocks for a model: one that predicts ratings has nothing to learn where all are
 * alike, so half of the items of other blocks that a user did not like got a -1 there. */
static inline struct dataset *blocks_for(const struct model_ops *ops, uint32_t users,
                                         uint32_t items, uint32_t blocks, double noise,
                                         uint64_t seed)
{
    if (!(ops->can & MODEL_RATES))
        return world_of_blocks(users, items, blocks, noise, seed);
    struct pal_error err;
    struct dataset *d = world_of_blocks(users, items, blocks, noise, seed);
    struct interactions *x = &d->all;
    struct rows *rows;
    struct rng rng;
    rng_init(&rng, seed, 1);
    assert_ok(rows_new(&rows, &err), &err);
    for (uint32_t u = 0; u < users; u++) {
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            assert_ok(rows_add(rows, (struct row){u, x->item[i], 1, 1000}, 0, &err), &err);
        for (uint32_t i = 0; i < items; i++) {
            bool had = i % blocks == u % blocks || rng_next(&rng) & 1;
            for (uint64_t e = x->start[u]; e < x->start[u + 1]; e++)
                had |= x->item[e] == i;
            if (!had)
                assert_ok(rows_add(rows, (struct row){u, i, -1, 1000}, 0, &err), &err);
        }
    }
    interactions_done(x);
    assert_ok(rows_finish(rows, users, items, true, x, &err), &err);
    rows_free(rows);
    return d;
}

/* Fits on what `d`, which it takes over, holds. */
static inline struct fitted fit_on(const struct model_ops *ops, struct dataset *d, unsigned threads,
                                   uint64_t seed)
{
    struct pal_error err;
    struct fitted f = {.data = d};
    struct weights w = world_weights();
    struct run run = {.seed = seed};
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(training_make(d, &d->all, &w, &run, &f.training, &err), &err);
    void *options = small_options(ops);
    if (model_fit(ops, options, &f.training, 0, &run, &f.model, &err) != PAL_OK)
        fail_msg("%s: %s", ops->name, err.message);
    pool_free(run.pool);
    free(options);
    return f;
}

static inline struct fitted fit_blocks(const struct model_ops *ops, unsigned threads)
{
    return fit_on(ops, blocks_for(ops, USERS, ITEMS, BLOCKS, 0.03, 3), threads, 11);
}

static inline void fitted_done(struct fitted *f)
{
    model_free(f->model);
    training_done(&f->training);
    dataset_free(f->data);
    arena_done(&f->tmp);
}

/* A history of n items of a block, from the block's item `first` on, all of one weight. */
static inline struct history history_in(struct arena *tmp, uint32_t block, size_t first, size_t n,
                                        float weight)
{
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    float *weights = arena_alloc(tmp, n, sizeof *weights);
    for (size_t i = 0; i < n; i++) {
        item[i] = block + (uint32_t)(first + i) * BLOCKS;
        weights[i] = weight;
    }
    return (struct history){.n = n, .item = item, .weight = weights};
}

static inline float *scores_of(struct fitted *f, const struct history *h, size_t n)
{
    struct pal_error err;
    uint32_t items = model_items(f->model);
    float *scores = arena_alloc(&f->tmp, n * items, sizeof *scores);
    memset(scores, 0xff, n * items * sizeof *scores);
    assert_ok(model_score(f->model, h, n, scores, &f->tmp, &err), &err);
    for (size_t i = 0; i < n * items; i++)
        if (!isfinite(scores[i]))
            fail_msg("%s: the score of item %zu is not finite", f->model->ops->name, i % items);
    return scores;
}

/* Mean score of a block's items from its item `first` on. */
static inline double block_mean(const float *scores, uint32_t block, uint32_t first)
{
    double sum = 0;
    int n = 0;
    for (uint32_t i = block + first * BLOCKS; i < ITEMS; i += BLOCKS, n++)
        sum += scores[i];
    return sum / n;
}

/* A file of this process's own. */
static inline const char *temp_path(int which)
{
    static char path[3][64];
    snprintf(path[which], sizeof path[which], "/tmp/palate-suite-%ld-%d", (long)getpid(), which);
    return path[which];
}

static inline char *read_whole(const char *path, size_t *size)
{
    struct pal_error err;
    struct file_map map;
    assert_ok(file_map(path, &map, &err), &err);
    char *copy = malloc(map.size + 1);
    memcpy(copy, map.data, map.size);
    *size = map.size;
    file_unmap(&map);
    return copy;
}

#endif
