/* Each metric against cases worked out by hand and against a slow second definition over random
 * lists; names are parsed and refused. */
#include "test.h"

#include "base/rng.h"
#include "eval/metrics.h"

#include <math.h>

static struct metric get(const char *name)
{
    struct pal_error err;
    struct metric m;
    size_t n = 1;
    assert_ok(metrics_parse(name, &m, &n, &err), &err);
    assert_int_equal(n, 1);
    return m;
}

static double ask(const char *name, const struct metric_data *d, const struct ranked *r)
{
    struct metric m = get(name);
    return m.ops->user(d, r, m.k);
}

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want))))
        fail_msg("got %.17g, want %.17g", got, want);
}

/* Hits at positions 2 and 4 of 5, three items relevant. */
static void by_hand(void **state)
{
    (void)state;
    uint32_t item[5] = {7, 3, 1, 4, 0};
    uint8_t hit[5] = {0, 1, 0, 1, 0};
    struct ranked r = {5, item, hit, 3};
    near(ask("precision@5", NULL, &r), 0.4);
    near(ask("precision@1", NULL, &r), 0);
    near(ask("precision@10", NULL, &r), 0.2); /* a short list still divides by k */
    near(ask("recall@5", NULL, &r), 2.0 / 3);
    near(ask("recall@2", NULL, &r), 1.0 / 3);
    near(ask("hit@1", NULL, &r), 0);
    near(ask("hit@2", NULL, &r), 1);
    near(ask("mrr@5", NULL, &r), 0.5);
    near(ask("mrr@1", NULL, &r), 0);
    near(ask("map@5", NULL, &r), (1.0 / 2 + 2.0 / 4) / 3);
    near(ask("map@2", NULL, &r), (1.0 / 2) / 2);
    double dcg = 1 / log2(3) + 1 / log2(5), ideal3 = 1 + 1 / log2(3) + 1 / log2(4);
    near(ask("ndcg@5", NULL, &r), dcg / ideal3);
    near(ask("ndcg@2", NULL, &r), (1 / log2(3)) / (1 + 1 / log2(3)));
    uint8_t all[5] = {1, 1, 1, 1, 1};
    struct ranked best = {5, item, all, 9};
    near(ask("ndcg@5", NULL, &best), 1);
    near(ask("map@5", NULL, &best), 1);
    near(ask("recall@5", NULL, &best), 5.0 / 9);
}

static double naive_ndcg(const uint8_t *hit, size_t n, uint32_t relevant, uint32_t k)
{
    double sum = 0, best = 0;
    for (size_t i = 0; i < n && i < k; i++)
        sum += hit[i] * log(2) / log((double)i + 2);
    for (size_t i = 0; i < (relevant < k ? relevant : k); i++)
        best += log(2) / log((double)i + 2);
    return sum / best;
}

/* AP@k as the mean over the k best possible hits of the precision at their place. */
static double naive_map(const uint8_t *hit, size_t n, uint32_t relevant, uint32_t k)
{
    double sum = 0;
    for (size_t i = 0; i < n && i < k; i++) {
        double before = 0;
        for (size_t j = 0; j <= i; j++)
            before += hit[j];
        sum += hit[i] ? before / (double)(i + 1) : 0;
    }
    return sum / fmin(relevant, k);
}

static void random_lists(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (int turn = 0; turn < 3000; turn++) {
        uint32_t item[60];
        uint8_t hit[60];
        size_t n = rng_below(&rng, 61);
        uint32_t hits = 0;
        for (size_t i = 0; i < n; i++) {
            item[i] = (uint32_t)i;
            hit[i] = rng_below(&rng, 4) == 0;
            hits += hit[i];
        }
        struct ranked r = {n, item, hit, hits + (uint32_t)rng_below(&rng, 5)};
        if (r.relevant == 0)
            continue;
        uint32_t k = 1 + (uint32_t)rng_below(&rng, 70);
        char name[32];
        double found = 0, first = 0;
        for (size_t i = n < k ? n : k; i-- > 0;)
            if (hit[i]) {
                found++;
                first = 1 / (double)(i + 1);
            }
        snprintf(name, sizeof name, "precision@%u", k);
        near(ask(name, NULL, &r), found / k);
        snprintf(name, sizeof name, "recall@%u", k);
        near(ask(name, NULL, &r), found / r.relevant);
        snprintf(name, sizeof name, "hit@%u", k);
        near(ask(name, NULL, &r), found > 0);
        snprintf(name, sizeof name, "mrr@%u", k);
        near(ask(name, NULL, &r), first);
        snprintf(name, sizeof name, "ndcg@%u", k);
        near(ask(name, NULL, &r), naive_ndcg(hit, n, r.relevant, k));
        snprintf(name, sizeof name, "map@%u", k);
        near(ask(name, NULL, &r), naive_map(hit, n, r.relevant, k));
    }
}

static void what_the_list_holds(void **state)
{
    (void)state;
    struct pal_error err;
    uint32_t audience[4] = {8, 4, 1, 0}, item[4] = {0, 1, 2, 3};
    uint8_t hit[4] = {0};
    struct labels l = {0};
    /* categories: a b | a | c | none */
    assert_ok(labels_add(&l, "a", 1, &err), &err);
    assert_ok(labels_add(&l, "b", 1, &err), &err);
    assert_ok(labels_end_row(&l, &err), &err);
    assert_ok(labels_add(&l, "a", 1, &err), &err);
    assert_ok(labels_end_row(&l, &err), &err);
    assert_ok(labels_add(&l, "c", 1, &err), &err);
    assert_ok(labels_end_row(&l, &err), &err);
    assert_ok(labels_end_row(&l, &err), &err);
    struct metric_data d = {4, 16, audience, &l};
    struct ranked r = {4, item, hit, 1};
    near(ask("novelty@2", &d, &r), (1 + 2) / 2.0);
    near(ask("novelty@4", &d, &r), (1 + 2 + 4 + 4) / 4.0); /* never seen = seen once */
    near(ask("popularity@2", &d, &r), (0.5 + 0.25) / 2);
    near(ask("popularity@9", &d, &r), (8 + 4 + 1) / 16.0 / 4);
    near(ask("diversity@2", &d, &r), 1 - 1 / sqrt(2));
    near(ask("diversity@3", &d, &r), 1 - (1 / sqrt(2)) / 3);
    near(ask("diversity@4", &d, &r), 1 - (1 / sqrt(2)) / 3); /* item 3 has none: not counted */
    assert_true(isnan(ask("diversity@1", &d, &r)));
    struct labels none = {0};
    d.categories = &none;
    assert_true(isnan(ask("diversity@4", &d, &r)));
    labels_done(&l);
}

/* The mean absolute difference of all pairs, over twice the mean: Gini's own definition, with the
 * factor n / (n - 1) that makes the most unequal case 1. */
static double naive_gini(const uint32_t *x, uint32_t n)
{
    double pairs = 0, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i];
        for (uint32_t j = 0; j < n; j++)
            pairs += fabs((double)x[i] - x[j]);
    }
    return pairs / (2.0 * n * sum) * n / (n - 1);
}

static void of_the_whole(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 6, 0);
    struct metric gini = get("gini@10"), coverage = get("coverage@10");
    for (int turn = 0; turn < 300; turn++) {
        uint32_t n = 2 + (uint32_t)rng_below(&rng, 40), x[42], some = 0, sum = 0;
        for (uint32_t i = 0; i < n; i++) {
            x[i] = rng_below(&rng, 3) ? (uint32_t)rng_below(&rng, 20) : 0;
            some += x[i] > 0;
            sum += x[i];
        }
        struct metric_data d = {.items = n};
        near(coverage.ops->whole(&d, x), (double)some / n);
        double want = naive_gini(x, n);
        if (sum)
            near(gini.ops->whole(&d, x), want);
    }
    uint32_t one[5] = {0, 0, 9, 0, 0}, same[5] = {3, 3, 3, 3, 3}, none[5] = {0};
    struct metric_data d = {.items = 5};
    near(gini.ops->whole(&d, one), 1);
    near(gini.ops->whole(&d, same), 0);
    assert_true(isnan(gini.ops->whole(&d, none)));
}

static void names_are_parsed(void **state)
{
    (void)state;
    struct pal_error err;
    struct metric m[8];
    size_t n = 8;
    assert_ok(metrics_parse("Precision@10,recall@5,10,20,rmse,ndcg@20,recall@10", m, &n, &err),
              &err);
    static const char *const want[] = {"precision@10", "recall@5", "recall@10",
                                       "recall@20",    "rmse",     "ndcg@20"};
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(m[i].name, want[i]);
    assert_int_equal(m[3].k, 20);
    assert_int_equal(m[4].k, 0);
    assert_true(metric_falls(&m[4]));
    assert_false(metric_falls(&m[5]));
    for (size_t i = 0; metric_name(i); i++) {
        char name[40];
        assert_non_null(metric_help(i));
        bool rating = !strcmp(metric_name(i), "rmse") || !strcmp(metric_name(i), "mae");
        snprintf(name, sizeof name, rating ? "%s" : "%s@7", metric_name(i));
        assert_string_equal(get(name).name, name);
    }
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        "recal@10", "recall", "recall@0",     "recall@",   "recall@x",  "recall@10,",
        "rmse@10", "rmse,5",   "10",     "recall@10001", ",recall@5", "recall@-1", "@5"};
    struct pal_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct metric m[4];
        size_t n = 4;
        if (metrics_parse(bad[i], m, &n, &err) != PAL_EUSAGE)
            fail_msg("'%s' was accepted", bad[i]);
        assert_int_equal(n, 4);
    }
    struct metric m[2];
    size_t n = 2;
    assert_int_equal(metrics_parse("recall@1,2,3", m, &n, &err), PAL_EUSAGE);
    assert_int_equal(metrics_parse("recal@10", m, &n, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "ndcg@k"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(random_lists),
        cmocka_unit_test(what_the_list_holds),
        cmocka_unit_test(of_the_whole),
        cmocka_unit_test(names_are_parsed),
        cmocka_unit_test(bad_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
