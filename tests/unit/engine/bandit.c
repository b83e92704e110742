/* Counting, fading, orders, forgetting and failure. Expected sums come from a reference here that
 * keeps every event and adds them all up again at each question. */
#include "test.h"

#include "engine/bandit.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#define DAY  INT64_C(86400000)
#define NOON (INT64_C(20000) * DAY)

static struct pal_error err;

/* The defaults, but that counts fade: most tests are about that. */
static struct bandit_options defaults(void)
{
    struct bandit_options o;
    opt_defaults(&bandit_option_table, &o);
    o.half_life_days = o.popular_days = 30;
    return o;
}

static struct bandit *make(const struct bandit_options *o)
{
    struct bandit *b;
    assert_ok(bandit_new(o, &b, &err), &err);
    return b;
}

static void options(void **state)
{
    struct bandit_options o;
    opt_defaults(&bandit_option_table, &o);
    assert_true(o.prior_alpha > 0 && o.prior_beta > 0 && o.half_life_days == 0);
    assert_ok(opt_set(&bandit_option_table, &o, "half_life_days", "7", &err), &err);
    assert_true(o.half_life_days == 7);
    assert_int_equal(opt_set(&bandit_option_table, &o, "prior_alpha", "0", &err), PAL_EUSAGE);
    assert_int_equal(opt_set(&bandit_option_table, &o, "ignored", "2", &err), PAL_EUSAGE);
}

/* ---- fading ---- */

struct event {
    double weight;
    bool reward;
    int64_t time;
};

static double naive_sum(const struct event *e, size_t n, int64_t now, double days, bool likes,
                        bool rewards)
{
    int64_t last = e[0].time;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        last = e[i].time > last ? e[i].time : last;
    now = now > last ? now : last; /* nothing grows by asking about the past */
    for (size_t i = 0; i < n; i++)
        if ((e[i].weight > 0) == likes && (e[i].reward || !rewards))
            sum += fabs(e[i].weight) *
                   (days > 0 ? pow(0.5, (double)(now - e[i].time) / (days * (double)DAY)) : 1);
    return sum;
}

static void sums_fade(void **state)
{
    enum { EVENTS = 400 };
    static const double half_lives[] = {0, 0.01, 7, 400};
    struct rng rng;
    rng_init(&rng, 3, 3);
    for (size_t h = 0; h < 4; h++) {
        struct bandit_options o = defaults();
        struct event e[EVENTS];
        o.half_life_days = o.popular_days = half_lives[h];
        struct bandit *b = make(&o);
        for (size_t i = 0; i < EVENTS; i++) {
            /* mostly in order, some of them years late */
            int64_t back = (int64_t)rng_below(&rng, i % 5 ? 3600000 : 900 * (uint64_t)DAY);
            e[i] = (struct event){rng_real(&rng) * 3 - 1, rng_below(&rng, 2) == 1,
                                  NOON + (int64_t)i * 3600000 - back};
            assert_ok(bandit_count(b, 5, (float)e[i].weight, e[i].reward, e[i].time, &err), &err);
            double alpha, beta, likes, dislikes;
            int64_t now = NOON + (int64_t)rng_below(&rng, 60 * (uint64_t)DAY);
            bandit_posterior(b, 5, now, &alpha, &beta);
            likes = naive_sum(e, i + 1, now, o.half_life_days, true, true);
            dislikes = naive_sum(e, i + 1, now, o.half_life_days, false, true);
            if (likes + dislikes < 1e-5)
                continue; /* where it is taken as none */
            assert_true(fabs(alpha - o.prior_alpha - likes) <= 1e-6 * (1 + likes));
            assert_true(fabs(beta - o.prior_beta - dislikes) <= 1e-6 * (1 + dislikes));
        }
        struct bandit_pick pick;
        size_t found;
        int64_t now = NOON + EVENTS * INT64_C(3600000);
        double popular = naive_sum(e, EVENTS, now, o.popular_days, true, false);
        assert_ok(bandit_refresh(b, now, &err), &err);
        assert_ok(bandit_popular(b, 9, 1, now, NULL, NULL, &pick, &found, &err), &err);
        assert_int_equal(found, 1);
        assert_true(fabs(pick.score - popular) <= 1e-5 * (1 + popular));
        bandit_free(b);
    }
}

/* Any times at all: sums stay finite and at least the prior. */
static void any_clock(void **state)
{
    static const int64_t times[] = {0,        NOON,          INT64_MAX, INT64_MIN, NOON + 1,
                                    -1,       NOON * 100000, 1,         INT64_MAX, INT64_MIN + 1,
                                    NOON - 9, INT64_MAX - 1};
    enum { TIMES = sizeof times / sizeof times[0] };
    struct bandit_options o = defaults();
    struct bandit *b = make(&o);
    struct rng rng;
    rng_init(&rng, 1, 1);
    for (size_t i = 0; i < TIMES; i++)
        for (size_t j = 0; j < TIMES; j++) {
            struct bandit_pick pick[3];
            size_t found;
            double alpha, beta;
            assert_ok(bandit_count(b, (uint32_t)(i % 3), i % 2 ? 1 : -1, true, times[i], &err),
                      &err);
            if (j % 4 == 0)
                assert_ok(bandit_refresh(b, times[j], &err), &err);
            bandit_posterior(b, (uint32_t)(i % 3), times[j], &alpha, &beta);
            assert_true(isfinite(alpha) && isfinite(beta));
            assert_true(alpha >= o.prior_alpha && beta >= o.prior_beta);
            assert_ok(bandit_draw(b, 3, 3, times[j], &rng, NULL, NULL, pick, &found, &err), &err);
            assert_int_equal(found, 3);
            for (size_t p = 0; p < found; p++) {
                assert_true(pick[p].score >= 0 && pick[p].score <= 1);
                assert_true(pick[p].propensity > 0 && pick[p].propensity <= 1);
            }
            assert_ok(bandit_trending(b, 3, 3, times[j], NULL, NULL, pick, &found, &err), &err);
            for (size_t p = 0; p < found; p++)
                assert_true(isfinite(pick[p].score));
        }
    bandit_free(b);
}

/* An item counted in the far future, before the clock was put right, learns again afterwards. */
static void the_clock_goes_back(void **state)
{
    struct bandit_options o = defaults();
    struct bandit *b = make(&o);
    double alpha, beta;
    int64_t wrong = NOON + 3650 * DAY;
    assert_ok(bandit_count(b, 1, 1, true, wrong, &err), &err);
    assert_ok(bandit_refresh(b, wrong, &err), &err);
    assert_ok(bandit_refresh(b, NOON, &err), &err);
    for (int i = 0; i < 10; i++)
        assert_ok(bandit_count(b, 1, 1, true, NOON + i, &err), &err);
    bandit_posterior(b, 1, NOON + 10, &alpha, &beta);
    assert_true(fabs(alpha - o.prior_alpha - 11) < 1e-3);
    bandit_free(b);
}

static void what_is_not_counted(void **state)
{
    struct bandit_options o = defaults();
    struct bandit *b = make(&o);
    double alpha, beta;
    assert_int_equal(bandit_count(b, 1, NAN, true, NOON, &err), PAL_EUSAGE);
    assert_int_equal(bandit_count(b, 1, INFINITY, true, NOON, &err), PAL_EUSAGE);
    assert_ok(bandit_count(b, 1, 0, true, NOON, &err), &err);
    assert_ok(bandit_count(b, 1, 2, false, NOON, &err), &err); /* popular, no lesson */
    for (uint32_t i = 0; i < 40000; i += 999) {
        bandit_posterior(b, i, NOON, &alpha, &beta);
        assert_true(alpha == o.prior_alpha && beta == o.prior_beta);
    }
    for (int i = 0; i < 100; i++)
        assert_ok(bandit_count(b, 2, 1e6, true, NOON, &err), &err);
    bandit_posterior(b, 2, NOON, &alpha, &beta); /* never surer than a million */
    assert_true(alpha <= 1e6 + o.prior_alpha && beta == o.prior_beta);
    bandit_free(b);
}

/* ---- orders ---- */

static bool odd(void *ctx, uint32_t number)
{
    return number % 2 == 1;
}

/* popular against sorting by the reference sums, while events keep coming. */
static void popular_is_sorted(void **state)
{
    enum { ITEMS = 300, ROUNDS = 40 };
    static double sum[ITEMS];
    struct bandit_options o = defaults();
    struct rng rng;
    o.popular_days = 3;
    struct bandit *b = make(&o);
    rng_init(&rng, 9, 9);
    memset(sum, 0, sizeof sum);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t now = NOON + round * DAY;
        for (uint32_t i = 0; i < ITEMS; i++)
            sum[i] *= pow(0.5, 1 / o.popular_days);
        for (int i = 0; i < 25; i++) {
            uint32_t item = (uint32_t)rng_below(&rng, ITEMS);
            float weight = 0.1f + (float)rng_real(&rng);
            assert_ok(bandit_count(b, item, weight, false, now, &err), &err);
            sum[item] += weight;
        }
        assert_ok(bandit_refresh(b, now, &err), &err);
        for (int only = 0; only < 2; only++) {
            struct bandit_pick pick[ITEMS];
            size_t found, want = 0;
            assert_ok(bandit_popular(b, ITEMS - 20, ITEMS, now, only ? odd : NULL, NULL, pick,
                                     &found, &err),
                      &err);
            for (uint32_t i = 0; i < ITEMS - 20; i++)
                want += sum[i] > 1e-8 && (!only || i % 2);
            assert_int_equal(found, want);
            for (size_t i = 0; i < found; i++) {
                assert_true(pick[i].number < ITEMS - 20);
                assert_true(fabs(pick[i].score - sum[pick[i].number]) < 1e-4);
                assert_true(i == 0 || pick[i].score <= pick[i - 1].score * 1.000001f);
                assert_true(pick[i].propensity == 1);
            }
        }
    }
    bandit_free(b);
}

/* A month of even demand, then one item rises and one falls silent. */
static void trending_rises(void **state)
{
    struct bandit_options o = defaults();
    struct bandit *b = make(&o);
    struct bandit_pick pick[8];
    size_t found;
    int64_t now = NOON;
    for (int hour = 0; hour < 24 * 60; hour++, now += 3600000)
        for (uint32_t i = 0; i < 4; i++)
            for (int n = 0; n < 2; n++)
                assert_ok(bandit_count(b, i, 1, false, now, &err), &err);
    assert_ok(bandit_refresh(b, now, &err), &err);
    assert_ok(bandit_trending(b, 10, 8, now, NULL, NULL, pick, &found, &err), &err);
    assert_int_equal(found, 4);
    for (size_t i = 0; i < 4; i++) /* 48 a day as ever: somewhat above 1, as the memory of the */
        assert_true(pick[i].score > 0.9 && pick[i].score < 1.5); /* long run is not yet full */
    for (int hour = 0; hour < 72; hour++, now += 3600000) {
        for (uint32_t i = 0; i < 4; i++)
            for (int n = 0; n < (i == 2 ? 12 : i == 3 ? 0 : 2); n++)
                assert_ok(bandit_count(b, i, 1, false, now, &err), &err);
        assert_ok(bandit_refresh(b, now, &err), &err);
    }
    assert_ok(bandit_count(b, 7, 1, false, now, &err), &err); /* one event is no trend */
    assert_ok(bandit_refresh(b, now, &err), &err);
    assert_ok(bandit_trending(b, 10, 8, now, NULL, NULL, pick, &found, &err), &err);
    assert_int_equal(found, 5);
    assert_int_equal(pick[0].number, 2);
    assert_true(pick[0].score > 2);
    assert_true(pick[1].number < 2 && pick[2].number < 2);
    assert_true(pick[3].score < 0.7 && pick[4].score < 0.7);
    bandit_free(b);
}

/* ---- forgetting, failing ---- */

static void forgets(void **state)
{
    struct bandit_options o = defaults();
    struct bandit *b = make(&o);
    struct bandit_pick pick[4];
    struct rng rng;
    double alpha, beta;
    size_t found;
    rng_init(&rng, 1, 1);
    for (int again = 0; again < 2; again++) {
        for (uint32_t i = 0; i < 5000; i++)
            assert_ok(bandit_count(b, i, 1, true, NOON, &err), &err);
        assert_ok(bandit_refresh(b, NOON, &err), &err);
        assert_ok(bandit_popular(b, 5000, 4, NOON, NULL, NULL, pick, &found, &err), &err);
        assert_int_equal(found, 4);
        bandit_forget(b);
        assert_ok(bandit_popular(b, 5000, 4, NOON, NULL, NULL, pick, &found, &err), &err);
        assert_int_equal(found, 0);
        bandit_posterior(b, 77, NOON, &alpha, &beta);
        assert_true(alpha == o.prior_alpha && beta == o.prior_beta);
        assert_ok(bandit_draw(b, 9, 4, NOON, &rng, NULL, NULL, pick, &found, &err), &err);
        assert_int_equal(found, 4);
    }
    bandit_free(b);
}

static enum pal_status live(struct bandit *b, uint32_t item)
{
    struct bandit_pick pick[12];
    struct rng rng;
    size_t found;
    rng_init(&rng, 1, 1);
    enum pal_status st = bandit_count(b, item, 1, true, NOON, &err);
    if (st == PAL_OK)
        st = bandit_refresh(b, NOON, &err);
    if (st == PAL_OK)
        st = bandit_draw(b, item + 70, 12, NOON, &rng, odd, NULL, pick, &found, &err);
    if (st == PAL_OK)
        st = bandit_trending(b, 9000, 3, NOON, NULL, NULL, pick, &found, &err);
    return st;
}

/* Each allocation in turn fails; what comes after it works, and nothing counted is lost. */
static void memory_runs_out(void **state)
{
    struct bandit_options o = defaults();
    long before = mem_live(), failed = 0;
    for (long n = 1; n < 500; n++) {
        struct bandit *b = NULL;
        mem_fail_at(n);
        enum pal_status st = bandit_new(&o, &b, &err);
        for (uint32_t i = 0; i < 2 && st == PAL_OK; i++)
            st = live(b, i * 1100);
        bool over = st == PAL_OK;
        mem_fail_at(0);
        failed += !over;
        assert_true(over || st == PAL_ENOMEM);
        if (b) {
            struct bandit_pick pick[3];
            size_t found;
            for (uint32_t i = 0; i < 2; i++)
                assert_ok(live(b, i * 1100), &err);
            assert_ok(bandit_popular(b, 9000, 3, NOON, NULL, NULL, pick, &found, &err), &err);
            assert_int_equal(found, 2);
        }
        bandit_free(b);
        assert_int_equal(mem_live(), before);
        if (over)
            break;
    }
    assert_true(failed > 20 && failed < 499);
}

/* ---- threads ---- */

enum { THREAD_ITEMS = 3000, THREAD_EVENTS = 6000 };

struct job {
    struct bandit *b;
    uint64_t seed;
    atomic_int *left; /* counting threads still at work */
    long draws;
};

static void *counting(void *ctx)
{
    struct job *j = ctx;
    struct pal_error e;
    struct rng rng;
    rng_init(&rng, j->seed, 0);
    for (int i = 0; i < THREAD_EVENTS; i++)
        if (bandit_count(j->b, (uint32_t)rng_below(&rng, THREAD_ITEMS), 1, true, NOON, &e) !=
            PAL_OK)
            abort();
    atomic_fetch_sub(j->left, 1);
    return NULL;
}

static void *drawing(void *ctx)
{
    struct job *j = ctx;
    struct bandit_pick pick[10];
    struct pal_error e;
    struct rng rng;
    size_t found;
    rng_init(&rng, j->seed, 0);
    do {
        if (bandit_draw(j->b, THREAD_ITEMS, 10, NOON, &rng, NULL, NULL, pick, &found, &e) != PAL_OK)
            abort();
        if (found != 10)
            abort();
        if (bandit_popular(j->b, THREAD_ITEMS, 3, NOON, NULL, NULL, pick, &found, &e) != PAL_OK)
            abort();
        j->draws++;
    } while (atomic_load(j->left) > 0);
    return NULL;
}

/* Counting, drawing and refreshing at once: every event is there in the end. */
static void all_at_once(void **state)
{
    struct bandit_options o = defaults();
    o.half_life_days = 0;
    struct bandit *b = make(&o);
    atomic_int left = 2;
    struct job jobs[4];
    pthread_t thread[4];
    double all = 0;
    for (size_t i = 0; i < 4; i++) {
        jobs[i] = (struct job){.b = b, .seed = i, .left = &left};
        assert_int_equal(pthread_create(&thread[i], NULL, i < 2 ? counting : drawing, &jobs[i]), 0);
    }
    while (atomic_load(&left) > 0)
        assert_ok(bandit_refresh(b, NOON, &err), &err);
    for (size_t i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_true(jobs[2].draws > 0 && jobs[3].draws > 0);
    for (uint32_t i = 0; i < THREAD_ITEMS; i++) {
        double alpha, beta;
        bandit_posterior(b, i, NOON, &alpha, &beta);
        all += alpha - o.prior_alpha;
    }
    assert_true(all == 2.0 * THREAD_EVENTS);
    bandit_free(b);
}

/* What was liked a lifetime ago is liked by nobody now, and still in order. */
static void faded_order(void **state)
{
    struct bandit_options o;
    struct bandit *b;
    struct bandit_pick pick[9];
    size_t found;
    int64_t century = (int64_t)100 * 365 * 86400000;
    (void)state;
    o = defaults();
    assert_ok(bandit_new(&o, &b, &err), &err);
    for (uint32_t i = 0; i < 9; i++)
        for (uint32_t n = 0; n <= i; n++)
            assert_ok(bandit_count(b, i, 1, true, NOON, &err), &err);
    assert_ok(bandit_popular(b, 9, 9, NOON + century, NULL, NULL, pick, &found, &err), &err);
    assert_int_equal(found, 9);
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(pick[i].number, 8 - i);
    for (uint32_t i = 1; i < 9; i++)
        assert_true(pick[i].score < pick[i - 1].score && pick[i].score > 0);
    bandit_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faded_order),
        cmocka_unit_test(options),
        cmocka_unit_test(sums_fade),
        cmocka_unit_test(any_clock),
        cmocka_unit_test(the_clock_goes_back),
        cmocka_unit_test(what_is_not_counted),
        cmocka_unit_test(popular_is_sorted),
        cmocka_unit_test(trending_rises),
        cmocka_unit_test(forgets),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(all_at_once),
    };
    return cmocka_run_group_tests_name("engine/bandit", tests, NULL, NULL);
}
