/* Boosting by XGBoost: what is read of its trees gives the very scores that it gives itself, it
 * learns an order, stops by itself, and is the same each time. Without it, it says so. */
#include "test.h"

#include "base/rng.h"
#include "rank/boost.h"

#include <math.h>
#include <stdbool.h>

#ifdef HAVE_XGBOOST
#include <xgboost/c_api.h>
#endif

enum { LISTS = 60, EACH = 30, FEATURES = 6, ROWS = LISTS * EACH };

struct lists {
    float x[ROWS][FEATURES], label[ROWS], base[ROWS];
    uint32_t count[LISTS];
};

/* What is liked has a high x0 unless x1 is high, too; the rest is noise. The base says nothing. */
static struct boost_lists invent(struct lists *l, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t f = 0; f < FEATURES; f++)
            l->x[i][f] = rng_below(&rng, 10) ? (float)rng_normal(&rng) : NAN;
        bool good = l->x[i][0] > 0.5f && !(l->x[i][1] > 0.3f);
        l->label[i] = rng_real(&rng) < (good ? 0.8 : 0.05) ? 1 : 0;
        l->base[i] = 0;
        l->count[i / EACH] = EACH;
    }
    return (struct boost_lists){LISTS, ROWS, FEATURES, l->x[0], l->label, l->base, l->count};
}

static const struct boost_options usual = {.rounds = 40,
                                           .patience = 10,
                                           .leaves = 8,
                                           .rate = .2,
                                           .least = 1,
                                           .lambda = 1,
                                           .sample = .8,
                                           .columns = .8,
                                           .seed = 3};

static void it_learns_an_order(void **state)
{
    (void)state;
    static struct lists a, b;
    struct boost_lists train = invent(&a, 1), held = invent(&b, 2);
    struct arena keep[2] = {{0}, {0}};
    struct boosted made[2];
    struct pal_error err;
    for (int i = 0; i < 2; i++) {
        enum pal_status st = boost_train(&train, &held, &usual, NULL, &keep[i], &made[i], &err);
        if (boost_check(&err) != PAL_OK) {
            assert_int_equal(st, PAL_EUNSUPPORTED);
            assert_non_null(strstr(err.message, "libxgboost-dev"));
            return;
        }
        assert_int_equal(st, PAL_OK);
    }
    const struct forest *f = &made[0].forest, *g = &made[1].forest;
    assert_true(made[0].best > made[0].first + 0.2);
    assert_true(f->trees > 1 && f->trees <= 40);
    for (int i = 2; i < FEATURES; i++)
        assert_true(made[0].gain[0] > made[0].gain[i] && made[0].gain[1] > made[0].gain[i]);
    assert_int_equal(f->trees, g->trees);
    assert_memory_equal(f->start, g->start, (f->trees + 1) * sizeof *f->start);
    assert_memory_equal(f->threshold, g->threshold, f->start[f->trees] * sizeof *f->threshold);
    assert_memory_equal(f->leaf, g->leaf, f->trees * FOREST_LEAVES * sizeof *f->leaf);
    arena_done(&keep[0]);
    arena_done(&keep[1]);
}

/* The mean logistic loss of a lesser like's chance, a half, with so many rows liked. */
static double loss_of(double liked, double p)
{
    return -liked / 2 * log(p) - (1 - liked / 2) * log(1 - p);
}

/* By the logistic loss: before the first tree everything has the chance of all, whatever number the
 * base is off by. */
static void each_row_by_itself(void **state)
{
    (void)state;
    static struct lists a, b;
    struct boost_lists train = invent(&a, 1), held = invent(&b, 2);
    struct boost_options o = usual;
    struct arena keep = {0};
    struct boosted made[2];
    struct pal_error err;
    double likes[2] = {0, 0};
    if (boost_check(&err) != PAL_OK)
        return;
    for (size_t row = 0; row < ROWS; row++) {
        likes[0] += a.label[row] / ROWS;
        likes[1] += b.label[row] / ROWS;
    }
    o.loss = BOOST_LOGISTIC;
    for (int i = 0; i < 2; i++) {
        assert_ok(boost_train(&train, &held, &o, NULL, &keep, &made[i], &err), &err);
        assert_true(fabs(made[i].first - loss_of(likes[1], likes[0] / 2)) < 1e-4);
        assert_true(made[i].best < made[i].first - 0.02);
        assert_true(made[i].gain[0] > made[i].gain[2] && made[i].gain[1] > made[i].gain[2]);
        for (size_t row = 0; row < ROWS; row++)
            a.base[row] = b.base[row] = 8;
    }
    o.all = true;
    o.rounds = 12;
    assert_ok(boost_train(&train, &held, &o, NULL, &keep, &made[0], &err), &err);
    assert_int_equal(made[0].forest.trees, 12);
    arena_done(&keep);
}

/* Labels that nothing foretells: the base is left as it is. */
static void noise_leaves_the_base_alone(void **state)
{
    (void)state;
    static struct lists a, b;
    struct boost_lists train = invent(&a, 1), held = invent(&b, 2);
    struct arena keep = {0};
    struct boosted made;
    struct pal_error err;
    if (boost_check(&err) != PAL_OK)
        return;
    for (size_t i = 0; i < ROWS; i++) {
        a.label[i] = b.label[i] = i % EACH == 7;
        b.base[i] = i % EACH == 7; /* perfect already */
    }
    assert_ok(boost_train(&train, &held, &usual, NULL, &keep, &made, &err), &err);
    assert_int_equal(made.forest.trees, 0);
    assert_true(made.first == 1 && made.best == 1);
    arena_done(&keep);
}

#ifdef HAVE_XGBOOST
static void check(int failed)
{
    if (failed)
        fail_msg("XGBoost: %s", XGBGetLastError());
}

static void scores_are_those_of_xgboost(void **state)
{
    (void)state;
    static struct lists a;
    static float x[FEATURES][ROWS + FOREST_ROWS] __attribute__((aligned(64)));
    static float sum[ROWS];
    struct boost_lists l = invent(&a, 9);
    struct arena keep = {0};
    struct forest f;
    struct pal_error err;
    float gain[FEATURES];
    const float *want;
    const char *json, *params[][2] = {{"objective", "rank:ndcg"}, {"base_score", "0"},
                                      {"tree_method", "hist"},    {"grow_policy", "lossguide"},
                                      {"max_depth", "0"},         {"max_leaves", "32"},
                                      {"nthread", "1"},           {"verbosity", "0"}};
    bst_ulong len;
    DMatrixHandle matrix;
    BoosterHandle booster;
    check(XGDMatrixCreateFromMat(l.x, ROWS, FEATURES, NAN, &matrix));
    check(XGDMatrixSetFloatInfo(matrix, "label", l.label, ROWS));
    check(XGDMatrixSetUIntInfo(matrix, "group", l.count, LISTS));
    check(XGBoosterCreate(&matrix, 1, &booster));
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        check(XGBoosterSetParam(booster, params[i][0], params[i][1]));
    for (int i = 0; i < 25; i++)
        check(XGBoosterUpdateOneIter(booster, i, matrix));
    check(XGBoosterPredict(booster, matrix, 1, 0, 0, &len, &want));
    assert_int_equal(len, ROWS);
    float *kept = malloc(ROWS * sizeof *kept);
    memcpy(kept, want, ROWS * sizeof *kept);
    check(XGBoosterSaveModelToBuffer(booster, "{\"format\": \"json\"}", &len, &json));
    assert_ok(boost_read(json, len, FEATURES, UINT32_MAX, &keep, &f, gain, &err), &err);
    assert_int_equal(f.trees, 25);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < FEATURES; k++)
            x[k][i] = a.x[i][k];
    forest_add(&f, x[0], ROWS + FOREST_ROWS, ROWS, sum);
    for (size_t i = 0; i < ROWS; i++)
        if (sum[i] != kept[i])
            fail_msg("row %zu: %.9g, XGBoost has %.9g", i, sum[i], kept[i]);
    free(kept);
    XGBoosterFree(booster);
    XGDMatrixFree(matrix);
    arena_done(&keep);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_an_order),
        cmocka_unit_test(each_row_by_itself),
        cmocka_unit_test(noise_leaves_the_base_alone),
#ifdef HAVE_XGBOOST
        cmocka_unit_test(scores_are_those_of_xgboost),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
