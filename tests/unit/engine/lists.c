/* What is like an item, what is popular, a given list in order, reasons: against naive ones. The
 * ends of what can be asked, and each allocation failing in turn. And with the real content model,
 * before anything was trained: whoever liked comedies is shown comedies at once. */
#include "pipeline_world.h"

#include <math.h>

enum { WORLD = 100 };

static void like(struct world *w, const uint32_t *item, const float *weight, size_t n)
{
    w->in.history = (struct history){.n = n, .item = item, .weight = weight};
}

static bool filtered(const struct world *w, uint32_t item)
{
    return !catalog_available(w->catalog, item) || (w->in.filter && item % 2 == 0);
}

/* Ten unavailable, five excluded, and the odd ones asked for. */
static void restrict_world(struct world *w, const uint32_t *exclude)
{
    struct pal_error err;
    for (uint32_t i = 30; i < 40; i++) {
        world_put(w, i, false, NULL);
        source_note(&w->source[0], w->catalog, i);
        source_note(&w->source[1], w->catalog, i);
    }
    w->in.exclude = exclude;
    w->in.exclude_count = 5;
    assert_ok(filter_parse("odd = 1", &w->filters, &w->in.filter, &err), &err);
}

static const uint32_t excluded[] = {1, 3, 5, 7, 7};

static bool may_show(const struct world *w, uint32_t item)
{
    return !filtered(w, item) && item != 1 && item != 3 && item != 5 && item != 7;
}

static void similar_items_are_the_nearest_allowed(void **state)
{
    struct world *w = world_new(WORLD, 2);
    struct pal_error err;
    int asked = 0;
    restrict_world(w, excluded);
    for (uint32_t item = 0; item < WORLD; item++) {
        static const float one = 1;
        double score, last = INFINITY;
        size_t want = 0;
        like(w, &item, &one, 1);
        if (!world_score(w, 0, item, &score)) {
            enum pal_status st = pipeline_similar(&w->in, item, &w->tmp, w->out, &w->count, &err);
            assert_int_equal(st, PAL_ENOTFOUND);
            continue;
        }
        w->in.n = 1 + item % 60;
        assert_ok(pipeline_similar(&w->in, item, &w->tmp, w->out, &w->count, &err), &err);
        for (uint32_t i = 0; i < WORLD; i++)
            want += may_show(w, i) && i != item && world_score(w, 0, i, &score) && score > 0;
        assert_int_equal(w->count, want < w->in.n ? want : w->in.n);
        for (size_t i = 0; i < w->count; i++) {
            assert_true(may_show(w, w->out[i].item) && w->out[i].item != item);
            assert_true(world_score(w, 0, w->out[i].item, &score));
            assert_true(fabs(score - (double)w->out[i].score) < 1e-6 && score <= last);
            last = score;
        }
        for (uint32_t i = 0; i < WORLD && w->count == w->in.n; i++) {
            bool listed = i == item;
            for (size_t j = 0; j < w->count; j++)
                listed |= w->out[j].item == i;
            if (!listed && may_show(w, i) && world_score(w, 0, i, &score))
                assert_true(score <= last);
        }
        asked++;
    }
    assert_true(asked > WORLD / 2);
    assert_int_equal(pipeline_similar(&w->in, WORLD, &w->tmp, w->out, &w->count, &err), PAL_EUSAGE);
    w->in.model = "ease"; /* can't tell */
    assert_int_equal(pipeline_similar(&w->in, 0, &w->tmp, w->out, &w->count, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "train als"));
    w->in.model = "nobody";
    assert_int_equal(pipeline_similar(&w->in, 0, &w->tmp, w->out, &w->count, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "'nobody'"));
    world_free(w);
}

static void the_top_is_what_was_counted(void **state)
{
    for (int trending = 0; trending < 2; trending++) {
        struct world *w = world_new(WORLD, 4);
        struct pal_error err;
        const float *value = trending ? w->bandit.trending : w->bandit.count;
        restrict_world(w, excluded);
        w->in.seen = excluded + 4;
        w->in.n = 20;
        uint32_t seen[] = {9, 11, 13}; /* what was seen stays */
        w->in.seen = seen;
        w->in.seen_count = 3;
        assert_ok(pipeline_top(&w->in, trending, &w->tmp, w->out, &w->count, &err), &err);
        for (size_t i = 0; i < w->count; i++) {
            assert_true(w->out[i].score == value[w->out[i].item] && may_show(w, w->out[i].item));
            assert_true(i == 0 || w->out[i].score <= w->out[i - 1].score);
            assert_string_equal(w->out[i].source, trending ? "trending" : "popular");
        }
        size_t better = 0;
        for (uint32_t i = 0; i < WORLD; i++)
            better += may_show(w, i) && value[i] > (w->count < 20 ? 0 : w->out[19].score);
        assert_int_equal(better, w->count < 20 ? w->count : 19);
        world_free(w);
    }
}

static void given_items_come_in_order(void **state)
{
    static const uint32_t history[] = {0, 2, 4}, twice[] = {8, 8, 6};
    static const float weight[] = {1, 0.5f, 1};
    struct world *w = world_new(WORLD, 6);
    struct pal_error err;
    uint32_t items[WORLD];
    double score[2], last[2] = {INFINITY, INFINITY};
    for (uint32_t i = 0; i < WORLD; i++)
        items[i] = WORLD - 1 - i;
    restrict_world(w, excluded); /* none of which counts here */
    w->in.seen = history;
    w->in.seen_count = 3;
    w->in.n = 0;
    like(w, history, weight, 3);
    w->in.model = "als";
    assert_ok(pipeline_rank(&w->in, items, WORLD, &w->tmp, w->out, &err), &err);
    bool there[WORLD] = {false}, known = true;
    for (size_t i = 0; i < WORLD; i++) {
        assert_false(there[w->out[i].item]);
        there[w->out[i].item] = true;
        bool knows = world_score(w, 0, w->out[i].item, &score[0]);
        assert_true(known || !knows); /* what it doesn't know comes last, */
        if (knows)
            assert_true(score[0] <= last[0] + 1e-6);
        else if (known)
            last[1] = (double)w->bandit.mean[w->out[i].item];
        else /* by what the bandit makes of it */
            assert_true((double)w->bandit.mean[w->out[i].item] <= last[1]);
        last[0] = score[0];
        last[1] = knows ? last[1] : (double)w->bandit.mean[w->out[i].item];
        known = knows;
    }
    w->in.model = NULL; /* the blend, newcomers, and an item that comes twice */
    assert_ok(pipeline_rank(&w->in, items, WORLD, &w->tmp, w->out, &err), &err);
    for (size_t i = 1; i < WORLD; i++)
        assert_true(w->out[i].score <= w->out[i - 1].score);
    w->in.history.n = 0;
    assert_ok(pipeline_rank(&w->in, items, WORLD, &w->tmp, w->out, &err), &err);
    assert_true(w->bandit.mean[w->out[0].item] > w->bandit.mean[w->out[WORLD - 1].item]);
    assert_ok(pipeline_rank(&w->in, twice, 3, &w->tmp, w->out, &err), &err);
    assert_int_equal((w->out[0].item == 8) + (w->out[1].item == 8) + (w->out[2].item == 8), 2);
    assert_true(w->out[1].item == 8);
    assert_ok(pipeline_rank(&w->in, items, 0, &w->tmp, w->out, &err), &err);
    uint32_t past = WORLD;
    assert_int_equal(pipeline_rank(&w->in, &past, 1, &w->tmp, w->out, &err), PAL_EUSAGE);
    world_free(w);
}

static void reasons_are_what_speaks_for_it(void **state)
{
    static const uint32_t history[] = {0, 2, 4, 6, 8, 10};
    static const float weight[] = {1, 1, -1, 2, 0.5f, 1};
    struct world *w = world_new(WORLD, 8);
    int reasons = 0;
    like(w, history, weight, 6);
    w->in.explain = true;
    w->options.sources = "als:50 ease:20";
    world_run(w);
    for (size_t i = 0; i < w->count; i++) {
        struct pipeline_item *x = &w->out[i];
        float last = INFINITY;
        if (strcmp(x->source, "als") != 0)
            assert_int_equal(x->reason_count, 0);
        for (size_t r = 0; r < x->reason_count; r++, reasons++) {
            double part, whole;
            size_t at = 0;
            while (at < 6 && history[at] != x->reason[r].item)
                at++;
            assert_true(at < 6 && weight[at] > 0);
            world_score(w, 0, x->item, &whole);
            like(w, history + at, weight + at, 1);
            assert_true(world_score(w, 0, x->item, &part));
            like(w, history, weight, 6);
            assert_true(fabs(part - (double)x->reason[r].part) < 1e-6);
            assert_true(x->reason[r].part <= last && x->reason[r].part > 0);
            last = x->reason[r].part;
        }
    }
    assert_true(reasons > 5);
    world_free(w);
}

/* ---- The ends ---- */

static void the_ends_of_what_can_be_asked(void **state)
{
    struct world *w = world_new(0, 1);
    struct pal_error err;
    world_run(w); /* an empty catalog */
    assert_int_equal(w->count, 0);
    assert_ok(pipeline_top(&w->in, false, &w->tmp, w->out, &w->count, &err), &err);
    assert_int_equal(w->count, 0);
    assert_ok(pipeline_rank(&w->in, NULL, 0, &w->tmp, w->out, &err), &err);
    world_free(w);

    w = world_new(WORLD, 1);
    static uint32_t all[WORLD];
    static const uint32_t beyond[] = {WORLD, WORLD + 7, 1u << 31};
    static const float weight[] = {1, -1, 1};
    for (uint32_t i = 0; i < WORLD; i++)
        all[i] = i;
    w->in.n = PIPELINE_N_MOST; /* more than there are */
    w->options.explore = 0.5;
    world_run(w);
    assert_int_equal(w->count, WORLD);
    w->in.seen = all; /* everything seen */
    w->in.seen_count = WORLD;
    world_run(w);
    assert_int_equal(w->count, 0);
    w->options.again = true;
    world_run(w);
    assert_int_equal(w->count, WORLD);
    w->in.exclude = all; /* everything excluded */
    w->in.exclude_count = WORLD;
    world_run(w);
    assert_int_equal(w->count, 0);
    w->in.exclude_count = WORLD - 1;
    world_run(w);
    assert_int_equal(w->count, 1);
    assert_int_equal(w->out[0].item, WORLD - 1);
    w->in.exclude = w->in.seen = beyond; /* numbers that are none */
    w->in.exclude_count = w->in.seen_count = 3;
    like(w, beyond, weight, 3);
    w->in.explain = true;
    world_run(w);
    assert_int_equal(w->count, WORLD);
    w->in.source_count = 0; /* no models, no bandit */
    w->in.bandit = NULL;
    world_run(w);
    assert_int_equal(w->count, WORLD);
    assert_string_equal(w->out[0].source, "catalog");
    for (size_t n = 0; n <= PIPELINE_N_MOST + 1; n += PIPELINE_N_MOST + 1) {
        w->in.n = n;
        assert_int_equal(pipeline_run(&w->in, &w->tmp, w->out, &w->count, &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, "from 1 to 1000"));
    }
    world_free(w);
}

static void quota_lists_are_checked(void **state)
{
    static const char *const good[] = {"als:1", " als:1000,  bandit:3\tease:7 ", "random:1",
                                       "popular:2 trending:2 knn:2 content:2"};
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "at least one source is needed"},
        {"als", "'als' must be a source, a colon and a quota of 1 to 1000"},
        {"als:0", "quota of 1 to 1000"},
        {"als:1001", "quota of 1 to 1000"},
        {"als:-1", "quota of 1 to 1000"},
        {"als:1x", "quota of 1 to 1000"},
        {"allz:10", "there is no source 'allz': use random, popular"},
        {":5", "there is no source ''"},
        {"als:1 ease:2 als:3", "als is there twice"},
    };
    struct pipeline_options o;
    struct pal_error err;
    opt_defaults(&pipeline_option_table, &o);
    assert_ok(pipeline_check(&o, &err), &err);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        o.sources = good[i];
        assert_ok(pipeline_check(&o, &err), &err);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.newcomers = bad[i].text;
        assert_int_equal(pipeline_check(&o, &err), PAL_EUSAGE);
        if (!strstr(err.message, bad[i].says) || strncmp(err.message, "newcomers: ", 11) != 0)
            fail_msg("'%s' says: %s", bad[i].text, err.message);
    }
}

/* An arena that has `left` bytes and then needs the heap, which refuses: so that as `left` grows
 * each piece of memory on the way is the one that is not there. Returns whether that was enough. */
static bool run_with(int call, size_t left)
{
    static const uint32_t history[] = {0, 2, 4}, items[] = {5, 6, 7};
    static const float weight[] = {1, 1, 1};
    struct world *w = world_new(20, 3);
    struct pal_error err = {.message = ""};
    size_t count = 777, chunk = 1 << 14;
    like(w, history, weight, 3);
    w->in.explain = true;
    w->options.category_cap = 2;
    w->options.diversity = w->options.explore = 0.2;
    w->in.n = 18;
    assert_non_null(arena_alloc(&w->tmp, chunk - left, 1));
    mem_fail_at(1);
    enum pal_status st = call == 0   ? pipeline_run(&w->in, &w->tmp, w->out, &count, &err)
                         : call == 1 ? pipeline_rank(&w->in, items, 3, &w->tmp, w->out, &err)
                         : call == 2 ? pipeline_similar(&w->in, 2, &w->tmp, w->out, &count, &err)
                                     : pipeline_top(&w->in, false, &w->tmp, w->out, &count, &err);
    mem_fail_at(0);
    assert_true(st == PAL_OK || (st == PAL_ENOMEM && count == 777));
    world_free(w);
    return st == PAL_OK;
}

static void every_allocation_may_fail(void **state)
{
    long before = mem_live();
    for (int call = 0; call < 4; call++) {
        int failed = 0;
        for (size_t left = 0; left < 1 << 14; left += 64)
            failed += !run_with(call, left);
        assert_in_range(failed, 3, 255);
        assert_int_equal(mem_live(), before);
    }
    struct world *w = world_new(20, 3);
    for (int n = 1; n <= 3; n++) {
        struct source s = {0};
        struct pal_error err;
        mem_fail_at(n);
        assert_int_equal(source_open(w->model[0], w->catalog, &s, &err), PAL_ENOMEM);
        mem_fail_at(0);
        assert_null(s.skip);
    }
    world_free(w);
    assert_int_equal(mem_live(), before);
}

/* ---- Before any training ---- */

enum { FILMS = 400 };
static const char *const genres[] = {"Comedy", "Drama", "Horror", "War"};

/* Films of one genre each, a fifth of them with a second one; no titles: what the classic calls
 * know. */
static struct catalog *films(struct rng *rng)
{
    struct catalog *c;
    struct pal_error err;
    uint32_t number;
    assert_ok(catalog_new(&c, &err), &err);
    for (int i = 0; i < FILMS; i++) {
        char id[16], categories[64];
        snprintf(id, sizeof id, "f%d", i);
        int second = (i + 1 + (int)rng_below(rng, 3)) % 4;
        snprintf(categories, sizeof categories, rng_below(rng, 5) ? "[\"%s\"]" : "[\"%s\",\"%s\"]",
                 genres[i % 4], genres[second]);
        struct item_row row = {.item_id = id, .categories = categories, .available = true};
        assert_ok(catalog_put(c, &row, &number, &err), &err);
    }
    return c;
}

/* A content model, made as serving makes it: from the catalog alone. */
static struct model *content_of(const struct catalog *c, struct items *items)
{
    struct model *m;
    struct pal_error err;
    assert_ok(catalog_copy(c, items, &err), &err);
    struct training t = {.items = items, .by_user = {.cols = items->ids.count}};
    uint64_t start[1] = {0};
    t.by_user.start = start;
    assert_ok(model_fit(model_find("content"), NULL, &t, 0, NULL, &m, &err), &err);
    return m;
}

static void who_liked_comedies_is_shown_comedies(void **state)
{
    struct rng rng;
    struct arena tmp = {0};
    struct items items;
    struct pal_error err;
    struct pipeline_options options;
    struct source source;
    static struct bandit bandit;
    rng_init(&rng, 3, 0);
    opt_defaults(&pipeline_option_table, &options);
    struct catalog *c = films(&rng);
    struct model *content = content_of(c, &items);
    assert_ok(source_open(content, c, &source, &err), &err);
    for (int i = 0; i < FILMS; i++)
        bandit.count[i] = bandit.mean[i] = i % 4 == 2 ? 0.9f : 0.2f; /* the crowd likes horror */
    for (int liked = 0; liked < 4; liked++) { /* of each genre in turn, three films and one not */
        uint32_t history[4], comedies = 0, other = (uint32_t)(liked + 1) % 4;
        float weight[4] = {1, 1, 1, -1};
        for (uint32_t i = 0; i < 3; i++)
            history[i] = i * 40 + (uint32_t)liked;
        history[3] = 200 + other;
        struct pipeline_input in = {.options = &options,
                                    .catalog = c,
                                    .bandit = &bandit,
                                    .sources = &source,
                                    .source_count = 1,
                                    .history = {.n = 4, .item = history, .weight = weight},
                                    .seen = history,
                                    .seen_count = 4,
                                    .n = 10,
                                    .explore = -1,
                                    .diversity = -1,
                                    .rng = &rng};
        struct pipeline_item out[10];
        size_t count, shown = 0;
        for (int round = 0; round < 20; round++) {
            assert_ok(pipeline_run(&in, &tmp, out, &count, &err), &err);
            assert_int_equal(count, 10);
            for (size_t i = 0; i < count; i++, shown++) {
                uint32_t n;
                const uint32_t *category = catalog_categories(c, out[i].item, &n);
                for (uint32_t k = 0; k < n; k++)
                    comedies +=
                        !strcmp(intern_text(catalog_category_names(c), category[k]), genres[liked]);
            }
            arena_reset(&tmp);
        }
        assert_true(comedies >= shown * 8 / 10); /* a tenth of the slots explores */
    }
    source_close(&source);
    model_free(content);
    items_done(&items);
    catalog_free(c);
    arena_done(&tmp);
}

/* Films of one genre are all alike to the model: the better liked ones come first, whatever their
 * numbers. */
static void among_equals_the_better_liked_come_first(void **state)
{
    struct rng rng;
    struct arena tmp = {0};
    struct items items;
    struct pal_error err;
    struct pipeline_options options;
    struct source source;
    static struct bandit bandit;
    static const uint32_t history[] = {0};
    static const float weight[] = {1};
    rng_init(&rng, 4, 0);
    opt_defaults(&pipeline_option_table, &options);
    struct catalog *c = films(&rng);
    struct model *content = content_of(c, &items);
    assert_ok(source_open(content, c, &source, &err), &err);
    for (int i = 0; i < FILMS; i++)
        bandit.mean[i] = (float)i / FILMS; /* the last ones are liked best */
    options.sources = "content:10";
    options.explore = options.diversity = 0;
    struct pipeline_input in = {.options = &options,
                                .catalog = c,
                                .bandit = &bandit,
                                .sources = &source,
                                .source_count = 1,
                                .history = {.n = 1, .item = history, .weight = weight},
                                .seen = history,
                                .seen_count = 1,
                                .n = 10,
                                .explore = -1,
                                .diversity = -1,
                                .rng = &rng};
    struct pipeline_item out[10];
    size_t count;
    assert_ok(pipeline_run(&in, &tmp, out, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(out[i].item % 4, 0);
        assert_true(out[i].item > FILMS / 2);
        assert_true(i == 0 || out[i].item < out[i - 1].item);
    }
    source_close(&source);
    model_free(content);
    items_done(&items);
    catalog_free(c);
    arena_done(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similar_items_are_the_nearest_allowed),
        cmocka_unit_test(the_top_is_what_was_counted),
        cmocka_unit_test(given_items_come_in_order),
        cmocka_unit_test(reasons_are_what_speaks_for_it),
        cmocka_unit_test(the_ends_of_what_can_be_asked),
        cmocka_unit_test(quota_lists_are_checked),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(who_liked_comedies_is_shown_comedies),
        cmocka_unit_test(among_equals_the_better_liked_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
