/* The second stage: the pipeline's list is in the order that the ranker has by itself, what it does
 * not know keeps its place, newcomers and requests for one model are left alone, and expected stars
 * take part as the formula says. */
#define event world_event /* the engine has one of its own */
#include "model/world.h"
#undef event

#include "engine/pipeline.h"
#include "rank/boost.h"
#include "rank/rank.h"

#include <math.h>

enum {
    USERS = 400,
    ITEMS = 120,
    NEW = 12,
    ALL = ITEMS + NEW,
    BLOCKS = 4,
    DAY = 86400,
    SOURCES = 4
};

/* Users like what is of their block, cheap things of late; item u's genre is its block. The last
 * NEW items are of nobody's history. */
static struct dataset *make_data(uint32_t items)
{
    static struct world_event events[USERS * 30];
    struct pal_error err;
    struct rng rng;
    char text[64];
    size_t n = 0;
    rng_init(&rng, 3, 0);
    for (uint32_t u = 0; u < USERS; u++)
        for (int i = 0; i < 30; i++) {
            uint32_t item = (uint32_t)rng_below(&rng, ITEMS), t = (uint32_t)rng_below(&rng, 200);
            bool likes = item % BLOCKS == u % BLOCKS && (t < 100 || item / BLOCKS % 2);
            if (likes || rng_below(&rng, 4) == 0)
                events[n++] = (struct world_event){u, item, likes ? 3 : -1, (t + 1) * DAY};
        }
    struct dataset *d = world_of(events, n, USERS, items);
    for (uint32_t i = 0; i < items; i++) {
        int len = snprintf(text, sizeof text, "genre%u", i % BLOCKS);
        assert_ok(labels_add(&d->items.categories, text, (size_t)len, &err), &err);
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
        len = snprintf(text, sizeof text, "{\"price\": %u}", i / BLOCKS % 2 ? 5 : 50);
        assert_ok(texts_add(&d->items.attributes, text, (size_t)len, &err), &err);
    }
    return d;
}

struct scene {
    struct dataset *d, *grown;
    struct weights weights;
    struct training t, later;
    struct model *model[SOURCES], *ranker; /* als, popular, svd, content, which knows all items */
    struct catalog *catalog;
    struct source source[SOURCES], ranks;
    struct pipeline_options options;
    struct rng rng;
    struct arena tmp;
    struct pipeline_item out[ALL];
    size_t count;
};

static const char *const names[SOURCES] = {"als", "popular", "svd", "content"};

static void open_scene(struct scene *s, bool ranker)
{
    struct pal_error err;
    struct run run = {.seed = 2};
    char id[16];
    *s = (struct scene){.d = make_data(ITEMS), .grown = make_data(ALL), .weights = world_weights()};
    assert_ok(training_make(s->d, &s->d->all, &s->weights, &run, &s->t, &err), &err);
    assert_ok(training_make(s->grown, &s->grown->all, &s->weights, &run, &s->later, &err), &err);
    assert_ok(catalog_new(&s->catalog, &err), &err);
    for (uint32_t i = 0; i < ALL; i++) {
        uint32_t number;
        snprintf(id, sizeof id, "i%u", ALL - 1 - i); /* numbers other than the models' */
        struct item_row row = {.item_id = id, .available = true};
        assert_ok(catalog_put(s->catalog, &row, &number, &err), &err);
    }
    for (int m = 0; m < SOURCES; m++) {
        const struct training *t = m == 3 ? &s->later : &s->t;
        assert_ok(model_fit(model_find(names[m]), NULL, t, 0, &run, &s->model[m], &err), &err);
        assert_ok(source_open(s->model[m], s->catalog, &s->source[m], &err), &err);
    }
    s->t.sources = (const struct model *const *)s->model;
    s->t.source_count = 2;
    if (ranker) {
        assert_ok(model_fit(ranker_find("trees"), NULL, &s->t, 0, &run, &s->ranker, &err), &err);
        assert_ok(source_open(s->ranker, s->catalog, &s->ranks, &err), &err);
    }
    opt_defaults(&pipeline_option_table, &s->options);
    s->options.explore = s->options.diversity = 0;
    rng_init(&s->rng, 1, 0);
}

static void close_scene(struct scene *s)
{
    for (int m = 0; m < SOURCES; m++) {
        source_close(&s->source[m]);
        model_free(s->model[m]);
    }
    source_close(&s->ranks);
    model_free(s->ranker);
    catalog_free(s->catalog);
    training_done(&s->t);
    training_done(&s->later);
    dataset_free(s->d);
    dataset_free(s->grown);
    arena_done(&s->tmp);
}

/* By the models' numbers; the catalog's run backwards. */
static const uint32_t liked[] = {1, 5, 9, 13, 2};
static const float weight[] = {3, 3, 3, 3, -1};
enum { HISTORY = 5 };

/* item (HISTORY): room for the history by the catalog's numbers. */
static struct pipeline_input input_of(struct scene *s, enum ranker_choice choice, size_t history,
                                      const char *model, size_t n, uint32_t *item)
{
    for (size_t i = 0; i < HISTORY; i++)
        item[i] = ALL - 1 - liked[i];
    s->options.ranker = (int)choice;
    return (struct pipeline_input){
        .options = &s->options,
        .catalog = s->catalog,
        .sources = s->source,
        .source_count = SOURCES,
        .ranker = s->ranker ? &s->ranks : NULL,
        .history =
            {.n = history, .item = item, .weight = weight, .now_s = 230 * DAY, .last_s = 229 * DAY},
        .seen = item,
        .seen_count = HISTORY,
        .n = n,
        .model = model,
        .explore = -1,
        .diversity = -1,
        .rng = &s->rng,
    };
}

static void ask(struct scene *s, enum ranker_choice choice, size_t history, const char *model,
                size_t n)
{
    struct pal_error err;
    uint32_t item[HISTORY];
    const struct pipeline_input in = input_of(s, choice, history, model, n, item);
    arena_reset(&s->tmp);
    assert_ok(pipeline_run(&in, &s->tmp, s->out, &s->count, &err), &err);
    assert_int_equal(s->count, n);
}

/* Item of the answer by the models' numbers. */
static uint32_t number_of(const struct scene *s, size_t place)
{
    return ALL - 1 - s->out[place].item;
}

static void in_the_rankers_own_order(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    size_t n, moved = 0;
    struct scored top[20];
    uint8_t had[ITEMS] = {0};
    const struct history h = {
        .n = HISTORY, .item = liked, .weight = weight, .now_s = 230 * DAY, .last_s = 229 * DAY};
    open_scene(&s, true);
    for (size_t i = 0; i < HISTORY; i++)
        had[liked[i]] = 1;
    s.options.sources = "als:100";
    assert_ok(model_top(s.ranker, &h, had, 20, &tmp, top, &n, &err), &err);
    assert_int_equal(n, 20);
    ask(&s, RANKER_AUTO, HISTORY, NULL, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(number_of(&s, i), top[i].index);
        assert_true(strcmp(s.out[i].source, "als") == 0 || strcmp(s.out[i].source, "popular") == 0);
    }
    ask(&s, RANKER_BLEND, HISTORY, NULL, 20);
    for (size_t i = 0; i < 20; i++)
        moved += number_of(&s, i) != top[i].index;
    assert_true(moved > 5);
    arena_done(&tmp);
    close_scene(&s);
}

/* What the ranker has first, given from last to first: it stands in the ranker's order, as it does
 * among all items, and not in the blend's. */
static void given_items_too(void **state)
{
    (void)state;
    enum { N = 12 };
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    struct scored top[2 * N];
    struct pipeline_item out[2][N];
    uint8_t had[ITEMS] = {0};
    uint32_t past[HISTORY], given[N];
    size_t n, moved = 0;
    const struct history h = {
        .n = HISTORY, .item = liked, .weight = weight, .now_s = 230 * DAY, .last_s = 229 * DAY};
    open_scene(&s, true);
    for (size_t i = 0; i < HISTORY; i++)
        had[liked[i]] = 1;
    assert_ok(model_top(s.ranker, &h, had, 2 * N, &tmp, top, &n, &err), &err);
    for (size_t i = 0; i < N; i++) /* every other one */
        given[N - 1 - i] = ALL - 1 - top[2 * i].index;
    for (int i = 0; i < 2; i++) {
        const struct pipeline_input in =
            input_of(&s, i ? RANKER_BLEND : RANKER_AUTO, HISTORY, NULL, N, past);
        assert_ok(pipeline_rank(&in, given, N, &s.tmp, out[i], &err), &err);
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(out[0][i].item, given[N - 1 - i]);
        moved += out[1][i].item != out[0][i].item;
    }
    assert_true(moved > 2);
    arena_done(&tmp);
    close_scene(&s);
}

static void the_unknown_keeps_its_place(void **state)
{
    (void)state;
    struct scene s;
    uint32_t blend[40];
    size_t fresh = 0, moved = 0;
    open_scene(&s, true);
    s.options.sources = "als:100 popular:100 content:100";
    ask(&s, RANKER_BLEND, HISTORY, NULL, 40);
    for (size_t i = 0; i < 40; i++)
        blend[i] = number_of(&s, i);
    ask(&s, RANKER_TREES, HISTORY, NULL, 40);
    for (size_t i = 0; i < 40; i++) {
        if (blend[i] >= ITEMS || number_of(&s, i) >= ITEMS) {
            assert_int_equal(number_of(&s, i), blend[i]);
            fresh++;
        }
        moved += number_of(&s, i) != blend[i];
    }
    assert_true(fresh > 0 && moved > 0);
    close_scene(&s);
}

static void newcomers_and_single_models_are_left_alone(void **state)
{
    (void)state;
    struct scene s;
    uint32_t list[2][20];
    open_scene(&s, true);
    for (int i = 0; i < 2; i++) {
        ask(&s, i ? RANKER_AUTO : RANKER_BLEND, 0, NULL, 20);
        for (size_t k = 0; k < 20; k++)
            list[i][k] = number_of(&s, k);
    }
    assert_memory_equal(list[0], list[1], sizeof list[0]);
    for (int i = 0; i < 2; i++) {
        ask(&s, i ? RANKER_AUTO : RANKER_BLEND, HISTORY, "als", 20);
        for (size_t k = 0; k < 20; k++)
            list[i][k] = number_of(&s, k);
    }
    assert_memory_equal(list[0], list[1], sizeof list[0]);
    close_scene(&s);
}

static void stars_take_part(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    enum { N = 60 };
    uint32_t blend[N];
    float stars[N];
    double sum[N];
    const struct history h = {
        .n = HISTORY, .item = liked, .weight = weight, .now_s = 230 * DAY, .last_s = 229 * DAY};
    open_scene(&s, false);
    s.options.sources = "als:100 popular:100";
    /* all candidates: als and popular each give what is left of a hundred */
    ask(&s, RANKER_BLEND, HISTORY, NULL, N);
    for (size_t i = 0; i < N; i++)
        blend[i] = number_of(&s, i);
    assert_ok(model_rate(s.model[2], &h, blend, N, stars, &tmp, &err), &err);
    for (size_t i = 0; i < N; i++)
        assert_true(isfinite(stars[i]));
    ask(&s, RANKER_SVD, HISTORY, NULL, N);
    /* an item that both orders put above another stands above it */
    for (size_t i = 0; i < N; i++) {
        sum[i] = -1;
        for (size_t k = 0; k < N; k++)
            if (number_of(&s, k) == blend[i])
                sum[i] = (double)k;
    }
    size_t pairs = 0, moved = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t k = i + 1; k < N; k++)
            if (sum[i] >= 0 && sum[k] >= 0 && stars[i] > stars[k]) {
                assert_true(sum[i] < sum[k]);
                pairs++;
            } else if (sum[i] >= 0 && sum[k] >= 0) {
                moved += sum[i] > sum[k];
            }
    assert_true(pairs > 100 && moved > 10);
    arena_done(&tmp);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_take_part),
        cmocka_unit_test(in_the_rankers_own_order),
        cmocka_unit_test(given_items_too),
        cmocka_unit_test(the_unknown_keeps_its_place),
        cmocka_unit_test(newcomers_and_single_models_are_left_alone),
    };
    const struct CMUnitTest untrained[] = {cmocka_unit_test(stars_take_part)};
    struct pal_error err;
    if (boost_check(&err) != PAL_OK) /* nothing to train a ranker with */
        return cmocka_run_group_tests(untrained, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
