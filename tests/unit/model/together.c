/* Bought together against pairs counted one by one in the test: how histories fall into baskets,
 * each measure, support, and which of a history's items count. */
#include "test.h"
#include "world.h"

#include "model/baskets.h"

#include <math.h>

enum { USERS = 30, ITEMS = 9, EVENTS = 600, BASKETS_MOST = EVENTS };

/* Minutes: visits of a few events at a time, some close to each other. */
static struct dataset *shop(void)
{
    static struct event events[EVENTS];
    struct rng rng;
    rng_init(&rng, 6, 0);
    for (size_t i = 0; i < EVENTS; i++) {
        uint32_t item = (uint32_t)(rng_below(&rng, ITEMS) * rng_below(&rng, ITEMS) / ITEMS);
        uint32_t time = 1000000 + 60 * (uint32_t)(rng_below(&rng, 12) * 45 + rng_below(&rng, 8));
        float value = rng_below(&rng, 10) == 0 ? -1 : rng_below(&rng, 6) == 0 ? 0 : 1;
        events[i] = (struct event){(uint32_t)rng_below(&rng, USERS), item, value, time};
    }
    return world_of(events, EVENTS, USERS, ITEMS);
}

/* Baskets by walking over each history: +1 or -1 by the last sign, 0 where there is nothing. */
static size_t naive_baskets(const struct interactions *x, uint32_t window_s,
                            int basket[BASKETS_MOST][ITEMS])
{
    size_t n = 0;
    for (uint32_t u = 0; u < x->users; u++) {
        uint32_t began = 0;
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            if (i == x->start[u] || x->time_s[i] > began + window_s) {
                began = x->time_s[i];
                memset(basket[n++], 0, sizeof basket[0]);
            }
            if (interactions_value(x, i) != 0)
                basket[n - 1][x->item[i]] = interactions_value(x, i) > 0 ? 1 : -1;
        }
    }
    return n;
}

static void cuts_histories_into_baskets(void **state)
{
    (void)state;
    static int want[BASKETS_MOST][ITEMS];
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = shop();
    struct training t;
    struct csr got;
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    for (uint32_t window_s = 0; window_s < 7200; window_s += 420) {
        size_t n = naive_baskets(&d->all, window_s, want);
        assert_ok(baskets_make(&t, window_s, .5, NULL, &got, &err), &err);
        assert_int_equal(got.rows, n);
        for (uint32_t b = 0; b < n; b++) {
            int row[ITEMS] = {0};
            for (uint64_t e = got.start[b]; e < got.start[b + 1]; e++)
                row[got.col[e]] = (int)got.val[e];
            assert_memory_equal(row, want[b], sizeof row);
        }
        csr_done(&got);
    }
    /* less weight than asked for is nothing; without times a history is one basket */
    assert_ok(baskets_make(&t, 0, 1e6, NULL, &got, &err), &err);
    assert_int_equal(csr_entries(&got), 0);
    csr_done(&got);
    mem_free(d->all.time_s);
    d->all.time_s = NULL;
    assert_ok(baskets_make(&t, 0, .5, NULL, &got, &err), &err);
    assert_int_equal(got.rows, USERS);
    csr_done(&got);
    training_done(&t);
    dataset_free(d);
}

/* Sets "support=3 recent=2"-like pairs. */
static struct model *fit(const struct training *t, const char *const (*set)[2], size_t n)
{
    struct pal_error err;
    const struct model_ops *ops = model_find("together");
    void *options = calloc(1, ops->options_size);
    struct model *m;
    opt_defaults(&ops->options, options);
    for (size_t i = 0; i < n; i++)
        assert_ok(model_set(ops, options, set[i][0], set[i][1], &err), &err);
    assert_ok(model_fit(ops, options, t, 0, NULL, &m, &err), &err);
    free(options);
    return m;
}

static double naive_measure(const char *measure, double both, double i, double j, double all)
{
    if (strcmp(measure, "confidence") == 0)
        return both / j;
    return strcmp(measure, "lift") == 0 ? all * both / (i * j) : both / sqrt(i * j);
}

static void check(const char *measure, int support)
{
    static int basket[BASKETS_MOST][ITEMS];
    char text[16];
    snprintf(text, sizeof text, "%d", support);
    const char *const set[][2] = {
        {"measure", measure}, {"support", text}, {"window_minutes", "20"}, {"recent", "3"}};
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = shop();
    struct training t;
    struct arena tmp = {0};
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    struct model *m = fit(&t, set, 4);
    size_t n = naive_baskets(&d->all, 1200, basket);
    double link[ITEMS][ITEMS]; /* from j to i */
    for (int j = 0; j < ITEMS; j++)
        for (int i = 0; i < ITEMS; i++) {
            double both = 0, with_i = 0, with_j = 0;
            for (size_t b = 0; b < n; b++) {
                both += basket[b][i] * basket[b][j];
                with_i += basket[b][i] != 0;
                with_j += basket[b][j] != 0;
            }
            link[j][i] = i != j && both >= support
                             ? naive_measure(measure, both, with_i, with_j, (double)n)
                             : 0;
        }
    int linked = 0, none = 0;
    for (uint32_t j = 0; j < ITEMS; j++) {
        float s[ITEMS];
        assert_ok(m->ops->similar(m, j, s, &tmp, &err), &err);
        for (int i = 0; i < ITEMS; i++) {
            none += link[j][i] == 0;
            linked += link[j][i] > 0;
            if (link[j][i] == 0)
                assert_true(s[i] == -INFINITY);
            else
                assert_true(fabs(s[i] - link[j][i]) < 1e-5 * link[j][i]);
        }
    }
    assert_true(linked > 10 && none > ITEMS); /* support leaves out some, not all */
    uint32_t items[] = {0, 5, 2, 1, 3};
    float weights[] = {9, 9, 1, -1, 2}, s[ITEMS], part[5];
    struct history h = {.n = 5, .item = items, .weight = weights};
    assert_ok(model_score(m, &h, 1, s, &tmp, &err), &err);
    for (uint32_t i = 0; i < ITEMS; i++) { /* the first two are too long ago */
        double want = link[2][i] - link[1][i] + 2 * link[3][i];
        assert_true(fabs(s[i] - want) < 1e-5 * (1 + fabs(want)));
        assert_ok(model_explain(m, &h, i, part, &tmp, &err), &err);
        assert_true(part[0] == 0 && part[1] == 0 && fabs(part[4] - 2 * link[3][i]) < 1e-4);
    }
    model_free(m);
    arena_done(&tmp);
    training_done(&t);
    dataset_free(d);
}

static void measures(void **state)
{
    (void)state;
    check("confidence", 4);
    check("lift", 5);
    check("cosine", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_histories_into_baskets),
        cmocka_unit_test(measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
