/* What an answer costs before HTTP: the best 100 items for a history of 50 events, and the 100 most
 * similar to one, by als with 64 and 128 factors as model_top finds them (through bytes) and by
 * scoring every item; the fold-in by itself; the other models by model_top. Invented catalogs of
 * 5,000, 20,000 and 100,000 items; ease on the smallest only, as it wants the square of that. One
 * JSON object on stdout; a table for people on stderr. One thread, processor time, the best of
 * several tries.
 *
 *     bench/retrieve [--quick] [MODEL]
 */
#include "base/mem.h"
#include "data/synth.h"
#include "math/kernels.h"
#include "model/als_solve.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seconds.h"

enum { HISTORIES = 64, LENGTH = 50, K = 100 };

static double seconds_per_try = 0.3;
static const char *only;

static void check(enum pal_status st, const struct pal_error *err)
{
    if (st == PAL_OK)
        return;
    fprintf(stderr, "bench/retrieve: %s\n", err->message);
    exit(1);
}

struct asked {
    const struct model *model;
    struct history history[HISTORIES];
    uint8_t *skip; /* what the first history has */
    float *scores;
    struct als_side side;
    struct arena tmp;
    size_t turn;
};

/* ---- what is measured ---- */

typedef void body_fn(struct asked *a);

static void top(struct asked *a)
{
    struct scored out[K];
    struct pal_error err;
    size_t count;
    const struct history *h = &a->history[a->turn++ % HISTORIES];
    check(model_top(a->model, h, a->skip, K, &a->tmp, out, &count, &err), &err);
}

/* What model_top would do without its short way. */
static void top_of_all(struct asked *a)
{
    struct scored out[K];
    struct pal_error err;
    const struct history *h = &a->history[a->turn++ % HISTORIES];
    uint32_t n = model_items(a->model);
    check(model_score(a->model, h, 1, a->scores, &a->tmp, &err), &err);
    for (uint32_t i = 0; i < n; i++)
        a->scores[i] = a->skip[i] ? -INFINITY : a->scores[i];
    topk(a->scores, n, K, out);
}

static void similar(struct asked *a)
{
    struct scored out[K];
    struct pal_error err;
    size_t count;
    uint32_t item = a->history[a->turn++ % HISTORIES].item[0];
    check(model_similar(a->model, item, K, &a->tmp, out, &count, &err), &err);
}

static void fold_in(struct asked *a)
{
    float x[1024];
    const struct history *h = &a->history[a->turn++ % HISTORIES];
    float *scratch = arena_alloc(&a->tmp, als_scratch(&a->side, h->n), sizeof *scratch);
    if (scratch)
        als_solve_row(&a->side, h->item, h->weight, h->n, x, scratch);
}

/* Microseconds a call. */
static double time_of(body_fn *body, struct asked *a)
{
    double best = 1e9;
    for (int try = 0; try < 5; try++) {
        double start = thread_seconds(), used;
        long n = 0;
        do {
            body(a);
            arena_reset(&a->tmp);
            n++;
            used = thread_seconds() - start;
        } while (used < seconds_per_try / 5);
        best = fmin(best, used / (double)n);
    }
    return best * 1e6;
}

static void report(const struct asked *a, const char *options, const char *what, double us)
{
    static int later;
    printf("%s\n  {\"model\": \"%s\", \"options\": \"%s\", \"items\": %u, \"what\": \"%s\", "
           "\"us\": %.2f}",
           later++ ? "," : "", a->model->ops->name, options, model_items(a->model), what, us);
    fprintf(stderr, "%-8s %-14s %7u items  %-28s %9.1f us\n", a->model->ops->name, options,
            model_items(a->model), what, us);
}

/* ---- models ---- */

static void find_histories(struct asked *a, const struct dataset *d, const struct weights *w,
                           struct arena *keep)
{
    struct pal_error err;
    size_t found = 0;
    for (uint32_t u = 0; u < d->users.ids.count && found < HISTORIES; u++) {
        struct history *h = &a->history[found];
        check(history_of(&d->all, &d->types, w, u, keep, h, &err), &err);
        h->n = h->n < LENGTH ? h->n : LENGTH;
        found += h->n == LENGTH;
    }
    if (found < HISTORIES) {
        fprintf(stderr, "bench/retrieve: too few long histories\n");
        exit(1);
    }
    for (size_t i = 0; i < LENGTH; i++)
        a->skip[a->history[0].item[i]] = 1;
}

/* The vectors' values don't matter to the fold-in's time. */
static void make_side(struct asked *a, const char *options, float **Y)
{
    struct pal_error err;
    struct als_settings set = {.factors = strstr(options, "128") ? 128 : 64,
                               .objective = ALS_RENDLE,
                               .alpha = 1,
                               .alpha0 = 0.1f,
                               .lambda = 0.35f,
                               .nu = 0.5f};
    uint32_t items = model_items(a->model);
    *Y = mem_aligned((size_t)items * set.factors, sizeof **Y);
    if (!*Y)
        check(pal_no_memory(&err), &err);
    als_random(*Y, items, set.factors, 1, 1, 1, NULL);
    check(als_side_init(&a->side, &set, *Y, items, NULL, &err), &err);
}

static void measure_als(struct asked *a, const char *options)
{
    float *Y;
    report(a, options, "top 100, all items scored", time_of(top_of_all, a));
    make_side(a, options, &Y);
    report(a, options, "of that the fold-in", time_of(fold_in, a));
    als_side_done(&a->side);
    mem_free(Y);
}

/* options: "name=value", or "" */
static void measure(struct asked *a, const struct training *t, const char *name,
                    const char *options)
{
    const struct model_ops *ops;
    struct model *model;
    struct pal_error err;
    char key[32] = "";
    check(model_named(name, &ops, &err), &err);
    void *set = mem_zero(1, ops->options_size);
    if (!set)
        check(pal_no_memory(&err), &err);
    opt_defaults(&ops->options, set);
    if (sscanf(options, "%31[^=]", key) == 1)
        check(opt_set(&ops->options, set, key, strchr(options, '=') + 1, &err), &err);
    if (strcmp(name, "als") == 0) {
        check(opt_set(&ops->options, set, "epochs", "3", &err), &err);
        check(opt_set(&ops->options, set, "solver", "cg", &err), &err);
    }
    struct pool *pool;
    check(pool_new(0, &pool, &err), &err);
    struct run run = {.pool = pool, .seed = 1};
    check(model_fit(ops, set, t, 0, &run, &model, &err), &err);
    pool_free(pool);
    mem_free(set);
    a->model = model;
    report(a, options, "top 100", time_of(top, a));
    if (strcmp(name, "als") == 0)
        measure_als(a, options);
    if (ops->can & MODEL_SIMILAR)
        report(a, options, "100 similar", time_of(similar, a));
    model_free(model);
}

static void measure_catalog(const char *items, const char *events)
{
    struct synth_options o;
    struct world *world;
    struct dataset *d;
    struct training t;
    struct weights w;
    struct pal_error err;
    struct asked a = {0};
    struct arena keep = {0};
    opt_defaults(&synth_table, &o);
    check(opt_set(&synth_table, &o, "items", items, &err), &err);
    check(opt_set(&synth_table, &o, "users", "20000", &err), &err);
    check(opt_set(&synth_table, &o, "events", events, &err), &err);
    check(world_new(&o, 1, NULL, &world, &err), &err);
    check(world_dataset(world, &d, &err), &err);
    world_free(world);
    check(weights_parse(weights_default, &w, &err), &err);
    check(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    uint32_t n = d->items.ids.count;
    a.skip = mem_zero(n, 1);
    a.scores = mem_aligned(n, sizeof *a.scores);
    if (!a.skip || !a.scores)
        check(pal_no_memory(&err), &err);
    find_histories(&a, d, &w, &keep);
    static const char *const models[][2] = {{"als", "factors=64"}, {"als", "factors=128"},
                                            {"knn", ""},           {"popular", ""},
                                            {"content", ""},       {"ease", ""}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if ((!only || strcmp(only, models[i][0]) == 0) &&
            (n < 10000 || strcmp(models[i][0], "ease") != 0))
            measure(&a, &t, models[i][0], models[i][1]);
    training_done(&t);
    dataset_free(d);
    mem_free(a.skip);
    mem_free(a.scores);
    arena_done(&a.tmp);
    arena_done(&keep);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--quick") == 0)
            seconds_per_try = 0.05;
        else
            only = argv[i];
    printf("{\"bench\": \"retrieve\", \"threads\": 1, \"variant\": \"%s\", \"history\": %d, "
           "\"k\": %d, \"results\": [",
           kernels()->name, LENGTH, K);
    measure_catalog("5000", "1500000");
    measure_catalog("20000", "2000000");
    measure_catalog("100000", "3000000");
    printf("\n]}\n");
    return 0;
}
