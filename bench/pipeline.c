/* What an answer costs inside the engine, without HTTP: µs per request on one thread, for a user
 * with a history of 50 who has seen those, n = 10, over catalogs of 20,000 and 100,000 items with
 * one to three of 20 categories and four attributes; als has 64 factors.
 *
 *     bench/pipeline [--quick]
 *
 * "stages" are those of a mix with every kind of source, each with 0.2 µs for the clock; "requests"
 * are whole ones: with one model, with filters that most, a tenth and few items pass, diverse,
 * explained; "model" is als asked for its best 101 alone, which the others contain. Processor time,
 * medians over requests by different users. One JSON object on stdout, a table on stderr. */
#include "base/mem.h"
#include "engine/pipeline_inside.h"
#include "rank/rank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seconds.h"

enum { USERS = 2000, HISTORY = 50, LIKED = 400000, ROUNDS_MOST = 2000 };

static size_t rounds = ROUNDS_MOST;

static void check(enum pal_status st, const struct pal_error *err)
{
    if (st == PAL_OK)
        return;
    fprintf(stderr, "bench/pipeline: %s\n", err->message);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *p = mem_zero(n, size);
    if (!p) {
        fprintf(stderr, "bench/pipeline: out of memory\n");
        exit(1);
    }
    return p;
}

static double now_us(void)
{
    return 1e6 * thread_seconds();
}

/* ---- A world ---- */

struct world {
    uint32_t items;
    struct rng rng;
    struct catalog *catalog;
    struct items copy;
    struct bandit *bandit;
    struct model *model[2];
    struct source source[2];
    struct model *trees; /* over both; NULL without XGBoost */
    struct source ranker;
    uint32_t *history; /* (USERS, HISTORY) */
    float weight[HISTORY];
    struct pipeline_options options;
    struct arena tmp;
    double sample[ROUNDS_MOST];
};

static const int64_t NOW_MS = 1700000000000;

/* Long-tailed: few items have most of the likes. */
static uint32_t popular_item(struct world *w)
{
    double u = rng_real(&w->rng);
    return (uint32_t)((double)w->items * u * u * u);
}

static void make_catalog(struct world *w)
{
    struct pal_error err;
    uint32_t number;
    double start = now_us();
    check(catalog_new(&w->catalog, &err), &err);
    for (uint32_t i = 0; i < w->items; i++) {
        char id[16], categories[64], attributes[128];
        int used = snprintf(categories, sizeof categories, "[\"c%d\"", (int)rng_below(&w->rng, 20));
        for (int c = (int)rng_below(&w->rng, 3); c > 0; c--)
            used += snprintf(categories + used, sizeof categories - (size_t)used, ",\"c%d\"",
                             (int)rng_below(&w->rng, 20));
        strcat(categories, "]");
        snprintf(id, sizeof id, "i%u", i);
        snprintf(attributes, sizeof attributes,
                 "{\"brand\":\"b%d\",\"price\":%d.5,\"sale\":%s,\"year\":%d}",
                 (int)rng_below(&w->rng, 50), (int)rng_below(&w->rng, 100),
                 rng_below(&w->rng, 2) ? "true" : "false", 1970 + (int)rng_below(&w->rng, 50));
        struct item_row row = {id, id, categories, attributes, NULL, true, NOW_MS};
        check(catalog_put(w->catalog, &row, &number, &err), &err);
    }
    fprintf(stderr, "catalog  %7u items  %8.2f us a put  %6.1f MB\n", w->items,
            (now_us() - start) / w->items, (double)catalog_bytes(w->catalog) / 1e6);
}

static void make_bandit(struct world *w)
{
    struct bandit_options o;
    struct pal_error err;
    opt_defaults(&bandit_option_table, &o);
    check(bandit_new(&o, &w->bandit, &err), &err);
    for (int i = 0; i < LIKED; i++)
        check(bandit_count(w->bandit, popular_item(w), rng_below(&w->rng, 3) ? 1 : -1, true,
                           NOW_MS - (int64_t)rng_below(&w->rng, 86400000), &err),
              &err);
    check(bandit_refresh(w->bandit, NOW_MS, &err), &err);
}

static struct model *fit(struct world *w, const char *name, struct csr *by_user)
{
    const struct model_ops *ops = model_find(name);
    struct training t = {.items = &w->copy, .by_user = *by_user};
    struct model *m;
    struct pal_error err;
    void *options = allocate(1, ops->options_size);
    opt_defaults(&ops->options, options);
    if (strcmp(name, "als") == 0) /* its quality is not what is measured */
        check(model_set(ops, options, "epochs", "1", &err), &err);
    check(model_fit(ops, options, &t, 0, NULL, &m, &err), &err);
    mem_free(options);
    return m;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void make_models(struct world *w)
{
    static const char *const names[] = {"als", "content"};
    struct csr by_user;
    struct pal_error err;
    w->history = allocate((size_t)USERS * HISTORY, sizeof *w->history);
    check(csr_alloc(&by_user, USERS, w->items, (uint64_t)USERS * HISTORY, &err), &err);
    for (uint32_t u = 0; u < USERS; u++) {
        uint32_t *h = w->history + (size_t)u * HISTORY;
        for (int i = 0; i < HISTORY; i++) { /* one out of each fiftieth: no item twice */
            h[i] = popular_item(w) / HISTORY * HISTORY + (uint32_t)i;
            h[i] = h[i] < w->items ? h[i] : (uint32_t)i;
        }
        qsort(h, HISTORY, sizeof *h, by_number);
        for (uint32_t i = 0; i < HISTORY; i++) {
            by_user.col[u * HISTORY + i] = h[i];
            by_user.val[u * HISTORY + i] = 1;
        }
        by_user.start[u + 1] = (uint64_t)(u + 1) * HISTORY;
    }
    for (int i = 0; i < HISTORY; i++)
        w->weight[i] = i % 5 ? 1 : -1;
    check(catalog_copy(w->catalog, &w->copy, &err), &err);
    for (int m = 0; m < 2; m++) {
        w->model[m] = fit(w, names[m], &by_user);
        check(source_open(w->model[m], w->catalog, &w->source[m], &err), &err);
    }
    csr_done(&by_user);
}

/* What users did, in order of time: a day for each item of the history, users a minute apart. */
static struct interactions make_log(const struct world *w)
{
    uint64_t n = (uint64_t)USERS * HISTORY;
    struct interactions x = {.users = USERS, .items = w->items, .item = w->history};
    x.start = allocate(USERS + 1, sizeof *x.start);
    x.time_s = allocate(n, sizeof *x.time_s);
    for (uint64_t u = 0; u <= USERS; u++)
        x.start[u] = u * HISTORY;
    for (uint64_t i = 0; i < n; i++)
        x.time_s[i] =
            (uint32_t)(NOW_MS / 1000 - 86400 * (HISTORY - i % HISTORY) + 60 * (i / HISTORY));
    return x;
}

/* Trees, as many as may be, whatever they are worth: only what they cost is measured. */
static void make_ranker(struct world *w)
{
    struct event_types types = {1, {"like"}};
    struct weights weights;
    struct pal_error err;
    struct interactions log = make_log(w);
    struct training t = {.items = &w->copy,
                         .log = &log,
                         .types = &types,
                         .weights = &weights,
                         .sources = (const struct model *const *)w->model,
                         .source_count = 2};
    struct csr by_user = {.rows = USERS, .cols = w->items};
    t.by_user = by_user;
    check(weights_parse("like:1", &weights, &err), &err);
    if (model_fit(ranker_find("trees"), NULL, &t, 0, NULL, &w->trees, &err) == PAL_OK)
        check(source_open(w->trees, w->catalog, &w->ranker, &err), &err);
    else
        fprintf(stderr, "bench/pipeline: no ranker: %s\n", err.message);
    mem_free(log.start);
    mem_free(log.time_s);
}

static struct world *world_new(uint32_t items)
{
    struct world *w = allocate(1, sizeof *w);
    w->items = items;
    rng_init(&w->rng, 1, items);
    opt_defaults(&pipeline_option_table, &w->options);
    make_catalog(w);
    make_bandit(w);
    make_models(w);
    make_ranker(w);
    return w;
}

static void world_free(struct world *w)
{
    for (int m = 0; m < 2; m++) {
        source_close(&w->source[m]);
        model_free(w->model[m]);
    }
    source_close(&w->ranker);
    model_free(w->trees);
    bandit_free(w->bandit);
    items_done(&w->copy);
    catalog_free(w->catalog);
    arena_done(&w->tmp);
    mem_free(w->history);
    mem_free(w);
}

/* ---- Measuring ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int first_row = 1;

static void report(struct world *w, const char *kind, const char *name)
{
    qsort(w->sample, rounds, sizeof *w->sample, by_value);
    double median = w->sample[rounds / 2], p99 = w->sample[rounds * 99 / 100];
    printf("%s\n  {\"items\": %u, \"%s\": \"%s\", \"us\": %.2f, \"p99_us\": %.2f}",
           first_row ? "" : ",", w->items, kind, name, median, p99);
    fprintf(stderr, "%-8s %7u items  %8.2f us  p99 %8.2f  %s\n", kind, w->items, median, p99, name);
    first_row = 0;
}

static struct pipeline_input input_of(struct world *w, size_t user)
{
    const uint32_t *h = w->history + user % USERS * HISTORY;
    return (struct pipeline_input){.options = &w->options,
                                   .catalog = w->catalog,
                                   .bandit = w->bandit,
                                   .sources = w->source,
                                   .source_count = 2,
                                   .history = {.n = HISTORY,
                                               .item = h,
                                               .weight = w->weight,
                                               .now_s = (uint32_t)(NOW_MS / 1000)},
                                   .seen = h,
                                   .seen_count = HISTORY,
                                   .n = 10,
                                   .explore = -1,
                                   .diversity = -1,
                                   .now_ms = NOW_MS,
                                   .rng = &w->rng};
}

/* Each stage after those before it. */
enum {
    OPEN,
    SOURCE_ALS,
    SOURCE_CONTENT,
    SOURCE_BANDIT,
    SOURCE_POPULAR,
    BLEND,
    DIVERSIFY,
    EXPLORE,
    STAGES
};
static const char *const stage_names[] = {"open",       "als:100", "content:50", "bandit:20",
                                          "popular:20", "blend",   "diversify",  "explore"};

static void run_stages(struct world *w, size_t user, double *us)
{
    static const struct quota quota[] = {{FROM_MODEL, "als", 100},
                                         {FROM_MODEL, "content", 50},
                                         {FROM_BANDIT, "bandit", 20},
                                         {FROM_POPULAR, "popular", 20}};
    struct pipeline_input in = input_of(w, user);
    struct forward forward[4];
    struct pal_error err;
    struct ask a;
    double before = now_us(), now;
    for (int s = 0; s < STAGES; s++) {
        enum pal_status st = PAL_OK;
        if (s == OPEN)
            st = ask_open(&a, &in, true, &w->tmp, &err);
        else if (s < BLEND)
            st = candidates_of(&a, &quota[s - SOURCE_ALS], &forward[s - SOURCE_ALS], &err);
        else if (s == BLEND)
            st = blend_all(&a, forward, 4, &err);
        else if (s == DIVERSIFY)
            st = list_diversify(&a, w->options.diversity, &err);
        else
            st = list_explore(&a, w->options.explore, &err);
        check(st, &err);
        now = now_us();
        us[s] = now - before;
        before = now;
    }
    arena_reset(&w->tmp);
}

static void measure_stages(struct world *w)
{
    double *us = allocate(rounds * STAGES, sizeof *us);
    for (size_t i = 0; i < 50 + rounds; i++)
        run_stages(w, i, us + (i < 50 ? 0 : i - 50) * STAGES);
    for (int s = 0; s < STAGES; s++) {
        for (size_t i = 0; i < rounds; i++)
            w->sample[i] = us[i * STAGES + (size_t)s];
        report(w, "stage", stage_names[s]);
    }
    mem_free(us);
}

struct request {
    const char *name, *sources, *filter;
    double diversity, explore;
    bool explain, nobody, ranked;
};

static const struct request requests[] = {
    {"als", "als:100", NULL, 0, 0, false, false, false},
    {"als, diverse, exploring", "als:100", NULL, 0.1, 0.1, false, false, false},
    {"als content", "als:100 content:50", NULL, 0.1, 0, false, false, false},
    {"the default mix", NULL, NULL, -1, -1, false, false, false},
    {"newcomer", NULL, NULL, -1, -1, false, true, false},
    {"als content, 100 each", "als:100 content:100", NULL, 0, 0, false, false, false},
    {"als content, ranked by trees", "als:100 content:100", NULL, 0, 0, false, false, true},
    {"als, explained", "als:100", NULL, 0, 0, true, false, false},
    {"als, filter passes 80 %", "als:100", "year >= 1980", 0, 0, false, false, false},
    {"als, filter passes 14 %", "als:100", "categories has \"c3\" and price < 99", 0, 0, false,
     false, false},
    {"als, filter passes 1 %", "als:100", "brand = \"b7\" and sale = true", 0, 0, false, false,
     false},
};

static void measure_request(struct world *w, const struct request *q)
{
    struct pipeline_options options = w->options;
    struct pipeline_item out[10];
    struct pal_error err;
    if (q->ranked && !w->trees)
        return;
    if (q->sources)
        options.sources = q->sources;
    for (size_t i = 0; i < 50 + rounds; i++) {
        struct pipeline_input in = input_of(w, i);
        size_t count = 0;
        in.options = &options;
        in.diversity = q->diversity;
        in.explore = q->explore;
        in.explain = q->explain;
        in.ranker = q->ranked ? &w->ranker : NULL;
        if (q->nobody)
            in.history.n = in.seen_count = 0;
        double start = now_us();
        if (q->filter)
            check(filter_parse(q->filter, &w->tmp, &in.filter, &err), &err);
        check(pipeline_run(&in, &w->tmp, out, &count, &err), &err);
        if (count != 10) {
            fprintf(stderr, "bench/pipeline: %zu items instead of 10\n", count);
            exit(1);
        }
        if (i >= 50)
            w->sample[i - 50] = now_us() - start;
        arena_reset(&w->tmp);
    }
    report(w, "request", q->name);
}

/* What als takes of a request. */
static void measure_model(struct world *w)
{
    uint8_t *skip = allocate(w->items, 1);
    struct scored top[101];
    struct pal_error err;
    for (size_t i = 0; i < 50 + rounds; i++) {
        struct pipeline_input in = input_of(w, i);
        size_t found;
        double start = now_us();
        check(model_top(w->model[0], &in.history, skip, 101, &w->tmp, top, &found, &err), &err);
        if (i >= 50)
            w->sample[i - 50] = now_us() - start;
        arena_reset(&w->tmp);
    }
    report(w, "model", "als");
    mem_free(skip);
}

/* µs for 1,000 items of a filter that looks at two attributes. */
static void measure_filter(struct world *w)
{
    struct pal_error err;
    struct filter *f;
    uint32_t yes = 0;
    check(filter_parse("year >= 1995 and brand in [\"b1\",\"b2\",\"b3\"]", &w->tmp, &f, &err),
          &err);
    check(filter_bind(f, w->catalog, &w->tmp, &err), &err);
    for (size_t r = 0; r < rounds; r++) {
        size_t tries = 1000;
        double start = now_us();
        for (size_t i = 0; i < tries; i++)
            yes += filter_match(f, w->catalog, (uint32_t)((r * tries + i) % w->items));
        w->sample[r] = now_us() - start;
    }
    report(w, "filter", yes ? "1,000 items" : "none passes");
    arena_reset(&w->tmp);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {20000, 100000};
    if (argc > 1 && strcmp(argv[1], "--quick") == 0)
        rounds = 200;
    printf("{\"bench\": \"pipeline\", \"threads\": 1, \"results\": [");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct world *w = world_new(sizes[s]);
        measure_model(w);
        measure_stages(w);
        for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
            measure_request(w, &requests[i]);
        measure_filter(w);
        world_free(w);
    }
    printf("\n]}\n");
    return 0;
}
