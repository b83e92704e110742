/* Intervals cover what they should on data of a known distribution, p-values are uniform where
 * there is no difference and small where there is one, and both are the same at any thread count.
 * Seeds are fixed: each check either always passes or always fails. */
#include "test.h"

#include "base/rng.h"
#include "eval/metrics.h"
#include "eval/significance.h"

#include <math.h>

enum { USERS = 120 };

/* A result of `n` metrics whose per-user values are left to the caller. */
static struct eval_result blank(const char *metrics, uint32_t users)
{
    struct pal_error err;
    struct metric m[8];
    size_t n = 8;
    assert_ok(metrics_parse(metrics, m, &n, &err), &err);
    struct eval_result r = {.protocol = "full", .metric_count = n, .users = users};
    r.metrics = mem_alloc(n, sizeof *m);
    memcpy(r.metrics, m, n * sizeof *m);
    r.value = mem_zero(n, sizeof *r.value);
    r.low = mem_zero(n, sizeof *r.low);
    r.high = mem_zero(n, sizeof *r.high);
    r.per_user = mem_zero(n * users, sizeof *r.per_user);
    r.user = mem_zero(users, sizeof *r.user);
    r.ratings = mem_zero(users, sizeof *r.ratings);
    for (uint32_t u = 0; u < users; u++)
        r.user[u] = u;
    return r;
}

static const struct eval_options options = {.bootstrap = 400, .confidence = 0.9, .seed = 3};

/* 300 samples of a normal distribution with mean 5: the 90 % interval must hold 5 in 81 to 95 % of
 * them (the percentile interval's true coverage at n = 120 is close to 89 %; 4 sigma = 7 %). */
static void intervals_cover(void **state)
{
    (void)state;
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, 11, 0);
    int inside = 0;
    double width = 0;
    for (int turn = 0; turn < 300; turn++) {
        struct eval_result r = blank("recall@5", USERS);
        for (uint32_t u = 0; u < USERS; u++)
            r.per_user[u] = 5 + 2 * rng_normal(&rng);
        assert_ok(bootstrap_intervals(&r, &options, NULL, &err), &err);
        inside += r.low[0] <= 5 && 5 <= r.high[0];
        width += (r.high[0] - r.low[0]) / 300;
        eval_result_done(&r);
    }
    assert_in_range(inside, 243, 285);
    double want = 2 * 1.6449 * 2 / sqrt(USERS); /* of the normal distribution */
    assert_true(fabs(width - want) < .05 * want);
}

static void means(void **state)
{
    (void)state;
    struct eval_result r = blank("recall@5,diversity@5,rmse,mae", 4);
    const double v[16] = {1, 2, 3, 6, NAN, 2, 4, NAN, 4, 1, NAN, 9, 2, 1, NAN, 3};
    memcpy(r.per_user, v, sizeof v);
    const uint32_t ratings[4] = {1, 3, 0, 2}, times[4] = {2, 0, 1, 1};
    memcpy(r.ratings, ratings, sizeof ratings);
    assert_true(fabs(metric_mean(&r, 0, NULL) - 3) < 1e-12);
    assert_true(fabs(metric_mean(&r, 0, times) - 11.0 / 4) < 1e-12);
    assert_true(fabs(metric_mean(&r, 1, NULL) - 3) < 1e-12);
    assert_true(fabs(metric_mean(&r, 2, NULL) - sqrt((4 + 3 + 18) / 6.0)) < 1e-12);
    assert_true(fabs(metric_mean(&r, 3, times) - (2 * 2 + 2 * 3) / 4.0) < 1e-12);
    const double x[5] = {1, 2, 4, 8, 16};
    assert_true(quantile(x, 5, 0) == 1 && quantile(x, 5, 1) == 16 && quantile(x, 5, .5) == 4);
    assert_true(fabs(quantile(x, 5, .625) - 6) < 1e-12);
    assert_true(quantile(x, 1, .3) == 1);
    eval_result_done(&r);
}

/* Two results that differ by `shift` plus noise of their own. */
static void two(struct rng *rng, double shift, struct eval_result *a, struct eval_result *b)
{
    *a = blank("recall@5", USERS);
    *b = blank("recall@5", USERS);
    for (uint32_t u = 0; u < USERS; u++) {
        double user = rng_normal(rng);
        a->per_user[u] = user + .3 * rng_normal(rng);
        b->per_user[u] = user + .3 * rng_normal(rng) + shift;
    }
}

static void p_values_are_uniform(void **state)
{
    (void)state;
    enum { TURNS = 400 };
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, 12, 0);
    int below[10] = {0}, covered = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        struct eval_result a, b;
        struct comparison c;
        two(&rng, 0, &a, &b);
        assert_ok(eval_compare(&a, &b, 0, &options, &c, &err), &err);
        assert_true(c.p >= 1.0 / 401 && c.p <= 1);
        assert_int_equal(c.resamplings, 400);
        for (int i = 0; i < 10; i++)
            below[i] += c.p <= (i + 1) / 10.0;
        covered += c.low <= 0 && 0 <= c.high;
        eval_result_done(&a);
        eval_result_done(&b);
    }
    for (int i = 0; i < 9; i++) {
        double p = (i + 1) / 10.0;
        assert_true(fabs(below[i] - TURNS * p) < 4 * sqrt(TURNS * p * (1 - p)) + 2);
    }
    assert_in_range(covered, TURNS * .83, TURNS * .95);
}

static void a_difference_is_found(void **state)
{
    (void)state;
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, 13, 0);
    struct eval_result a, b;
    struct comparison c, back;
    two(&rng, .25, &a, &b);
    assert_ok(eval_compare(&a, &b, 0, &options, &c, &err), &err);
    double want = 0;
    for (uint32_t u = 0; u < USERS; u++)
        want += (b.per_user[u] - a.per_user[u]) / USERS;
    assert_true(fabs(c.difference - want) < 1e-12);
    assert_true(c.p == 1.0 / 401); /* none of 400 exchanges comes near */
    assert_true(c.low > 0 && c.low < want && want < c.high);
    assert_ok(eval_compare(&b, &a, 0, &options, &back, &err), &err);
    assert_true(fabs(back.difference + want) < 1e-12 && back.p == c.p);
    assert_ok(eval_compare(&a, &a, 0, &options, &c, &err), &err);
    assert_true(c.difference == 0 && c.p == 1 && c.low == 0 && c.high == 0);
    struct eval_options none = {.bootstrap = 0, .confidence = .95, .seed = 1};
    assert_ok(eval_compare(&a, &b, 0, &none, &c, &err), &err);
    assert_int_equal(c.resamplings, 1000);
    eval_result_done(&a);
    eval_result_done(&b);
}

/* All 2^n exchanges of four users, by hand: differences 1, 2, 3, 4 (mean 2.5). Only two of the 16
 * sign patterns reach it, so p comes near 1/8. */
static void small_cases(void **state)
{
    (void)state;
    struct pal_error err;
    struct eval_result a = blank("recall@5", 4), b = blank("recall@5", 4);
    for (uint32_t u = 0; u < 4; u++)
        b.per_user[u] = u + 1;
    struct eval_options o = {.bootstrap = 20000, .confidence = .9, .seed = 2};
    struct comparison c;
    assert_ok(eval_compare(&a, &b, 0, &o, &c, &err), &err);
    assert_true(fabs(c.p - 1 / 8.0) < .01);
    b.per_user[3] = NAN; /* left out in both: 1, 2, 3 with 8 patterns, two of them extreme */
    assert_ok(eval_compare(&a, &b, 0, &o, &c, &err), &err);
    assert_true(fabs(c.p - 1 / 4.0) < .01 && fabs(c.difference - 2) < 1e-12);
    b.user[3] = 9;
    assert_int_equal(eval_compare(&a, &b, 0, &o, &c, &err), PAL_EUSAGE);
    assert_int_equal(eval_compare(&a, &a, 1, &o, &c, &err), PAL_EUSAGE);
    eval_result_done(&a);
    eval_result_done(&b);
    a = blank("gini@5", 4);
    for (uint32_t u = 0; u < 4; u++)
        a.per_user[u] = NAN;
    a.value[0] = .5;
    assert_ok(eval_compare(&a, &a, 0, &o, &c, &err), &err);
    assert_true(c.difference == 0 && isnan(c.p) && isnan(c.low));
    eval_result_done(&a);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, 14, 0);
    struct eval_result r = blank("recall@5,coverage@5,rmse", USERS);
    for (uint32_t u = 0; u < USERS; u++) {
        r.per_user[u] = rng_real(&rng);
        r.per_user[USERS + u] = NAN;
        r.per_user[2 * USERS + u] = rng_real(&rng);
        r.ratings[u] = (uint32_t)rng_below(&rng, 4);
    }
    double low[3], high[3];
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct run run = {0};
        assert_ok(pool_new(threads, &run.pool, &err), &err);
        assert_ok(bootstrap_intervals(&r, &options, &run, &err), &err);
        pool_free(run.pool);
        assert_true(isnan(r.low[1]) && r.low[0] < r.high[0] && r.low[2] < r.high[2]);
        if (threads > 1) {
            assert_true(low[0] == r.low[0] && high[0] == r.high[0]);
            assert_true(low[2] == r.low[2] && high[2] == r.high[2]);
        }
        memcpy(low, r.low, sizeof low);
        memcpy(high, r.high, sizeof high);
    }
    eval_result_done(&r);
}

static void out_of_memory(void **state)
{
    (void)state;
    struct pal_error err;
    struct eval_result r = blank("recall@5", USERS);
    long live = mem_live();
    for (long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(bootstrap_intervals(&r, &options, NULL, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    for (long n = 1; n <= 3; n++) {
        struct comparison c;
        mem_fail_at(n);
        assert_int_equal(eval_compare(&r, &r, 0, &options, &c, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    mem_fail_at(0);
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    assert_int_equal(bootstrap_intervals(&r, &options, &run, &err), PAL_EINTERRUPTED);
    assert_int_equal(mem_live(), live);
    eval_result_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(p_values_are_uniform),
        cmocka_unit_test(a_difference_is_found),
        cmocka_unit_test(small_cases),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
