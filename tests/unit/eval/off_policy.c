/* The value of a policy from another's log: against sums written out by hand; against the value
 * that algebra gives for an invented bandit, over many logs, intervals included; and what can't be
 * estimated is refused. */
#include "test.h"

#include "base/rng.h"
#include "eval/off_policy.h"

#include <math.h>

#define NEAR(a, b) assert_true(fabs((a) - (b)) <= 1e-12 * (1 + fabs((double)(b))))

static struct policy_value value_of(const struct policy_log *log, struct policy_options o)
{
    struct pal_error err;
    struct policy_value v;
    assert_ok(policy_evaluate(log, &o, NULL, &v, &err), &err);
    return v;
}

/* Weights 2, 0, ½ and 4 and rewards 1, 1, 0, 3. */
static void by_hand(void **state)
{
    (void)state;
    const double reward[] = {1, 1, 0, 3}, p[] = {.25, .5, .5, .25}, e[] = {.5, 0, .25, 1};
    const double q[] = {.5, .5, 1, 2}, v[] = {1, .5, 1, 2};
    struct policy_log log = {4, reward, p, e, q, v, NULL, 0};
    struct policy_value x = value_of(&log, (struct policy_options){0});
    NEAR(x.value[POLICY_LOGGED], 5.0 / 4);
    NEAR(x.value[POLICY_IPS], (2 * 1 + 4 * 3) / 4.0);
    NEAR(x.value[POLICY_SNIPS], (2 * 1 + 4 * 3) / 6.5);
    NEAR(x.value[POLICY_DM], 4.5 / 4);
    NEAR(x.value[POLICY_DR], (4.5 + 2 * (1 - .5) + .5 * (0 - 1) + 4 * (3 - 2)) / 4);
    NEAR(x.effective, 6.5 * 6.5 / (4 + .25 + 16));
    NEAR(x.mean_weight, 6.5 / 4);
    NEAR(x.most_weight, 4);
    assert_int_equal(x.matched, 3);
    assert_int_equal(x.clipped, 0);
    assert_true(isnan(x.low[POLICY_IPS]) && isnan(x.high[POLICY_DR]));

    x = value_of(&log, (struct policy_options){.clip = 1.5});
    NEAR(x.value[POLICY_IPS], (1.5 * 1 + 1.5 * 3) / 4.0);
    NEAR(x.most_weight, 1.5);
    assert_int_equal(x.clipped, 2);

    log.predicted = log.expected = NULL;
    x = value_of(&log, (struct policy_options){.bootstrap = 50, .confidence = .9});
    assert_true(isnan(x.value[POLICY_DM]) && isnan(x.value[POLICY_DR]) && isnan(x.low[POLICY_DR]));
    assert_true(x.low[POLICY_SNIPS] <= x.value[POLICY_SNIPS]);
}

/* A log of the policy itself: all weights are 1, so every estimate is the log's mean; with one
 * action, too. */
static void on_policy(void **state)
{
    (void)state;
    enum { N = 60 };
    double reward[N], one[N], q[N], v[N];
    uint32_t action[N] = {0}, place[N] = {0};
    const double chance[] = {1};
    struct policy_table policy = {1, 1, chance};
    struct pal_error err;
    for (size_t i = 0; i < N; i++) {
        reward[i] = i % 3 == 0;
        one[i] = 1;
    }
    struct policy_log log = {N, reward, one, one, q, v, NULL, 0};
    assert_ok(reward_model(&policy, action, place, &log, 10, 1, q, v, &err), &err);
    struct policy_value x = value_of(&log, (struct policy_options){0});
    for (size_t e = 0; e < POLICY_ESTIMATORS; e++)
        if (e != POLICY_DM)
            NEAR(x.value[e], 1.0 / 3);
    NEAR(x.effective, N);
}

/* Rows of one unit are drawn together: with one unit there is no spread, with two that earned all
 * and nothing the interval is the widest there is. */
static void units_stay_together(void **state)
{
    (void)state;
    enum { N = 40 };
    double reward[N], p[N];
    uint32_t unit[N] = {0};
    for (size_t i = 0; i < N; i++) {
        reward[i] = i < N / 2;
        p[i] = .5;
    }
    struct policy_log log = {N, reward, p, p, NULL, NULL, unit, 1};
    struct policy_options o = {.bootstrap = 400, .confidence = .95, .seed = 3};
    struct policy_value x = value_of(&log, o);
    NEAR(x.low[POLICY_IPS], .5);
    NEAR(x.high[POLICY_IPS], .5);
    for (size_t i = 0; i < N; i++)
        unit[i] = i < N / 2;
    log.units = 2;
    x = value_of(&log, o);
    NEAR(x.low[POLICY_IPS], 0);
    NEAR(x.high[POLICY_IPS], 1);
}

/* ---- an invented bandit: two places, four actions ---- */

enum { ACTIONS = 4, PLACES = 2, ROWS = 1500 };

static const double pays[PLACES][ACTIONS] = {{.1, .3, .5, .2}, {.05, .6, .2, .4}};
static const double logs[PLACES][ACTIONS] = {{.4, .3, .2, .1}, {.25, .25, .25, .25}};
static const double does[PLACES * ACTIONS] = {.1, .2, .6, .1, .05, .5, .05, .4};

static double truth(void)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)PLACES * ACTIONS; i++)
        sum += does[i] * pays[i / ACTIONS][i % ACTIONS] / PLACES;
    return sum;
}

struct sample {
    double reward[ROWS], propensity[ROWS], target[ROWS], predicted[ROWS], expected[ROWS];
    uint32_t action[ROWS], place[ROWS];
};

static struct policy_log draw(struct sample *s, uint64_t seed)
{
    struct rng rng;
    struct pal_error err;
    struct policy_table policy = {ACTIONS, PLACES, does};
    rng_init(&rng, seed, 99);
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t place = (uint32_t)rng_below(&rng, PLACES), a = 0;
        double u = rng_real(&rng);
        while (a + 1 < ACTIONS && u >= logs[place][a])
            u -= logs[place][a++];
        s->action[i] = a;
        s->place[i] = place;
        s->propensity[i] = logs[place][a];
        s->target[i] = does[place * ACTIONS + a];
        s->reward[i] = rng_real(&rng) < pays[place][a];
    }
    struct policy_log log = {ROWS,         s->reward,   s->propensity, s->target,
                             s->predicted, s->expected, NULL,          0};
    assert_ok(
        reward_model(&policy, s->action, s->place, &log, 10, seed, s->predicted, s->expected, &err),
        &err);
    return log;
}

/* Over 200 logs estimates scatter around the truth, by less than three of their mean's standard
 * errors for those without bias; an interval of 90 % holds it about nine times in ten (of 200 draws
 * of .9 fewer than 164 or more than 194 have a chance below 1 : 1000 each); a doubly robust
 * estimate spreads less than a weighted one. */
static void finds_the_truth(void **state)
{
    (void)state;
    enum { LOGS = 200 };
    static struct sample s;
    double sum[POLICY_ESTIMATORS] = {0}, square[POLICY_ESTIMATORS] = {0};
    int held[POLICY_ESTIMATORS] = {0};
    for (uint64_t seed = 1; seed <= LOGS; seed++) {
        struct policy_log log = draw(&s, seed);
        struct policy_value x = value_of(
            &log, (struct policy_options){.bootstrap = 200, .confidence = .9, .seed = seed});
        assert_true(fabs(x.mean_weight - 1) < .25 && x.matched == ROWS);
        for (size_t e = 0; e < POLICY_ESTIMATORS; e++) {
            double off = x.value[e] - truth();
            sum[e] += off;
            square[e] += off * off;
            held[e] += x.low[e] <= truth() && truth() <= x.high[e];
        }
    }
    static const enum policy_estimator fair[] = {POLICY_IPS, POLICY_SNIPS, POLICY_DR};
    for (size_t i = 0; i < 3; i++) {
        enum policy_estimator e = fair[i];
        double error = sqrt(square[e] / LOGS / LOGS);
        if (fabs(sum[e] / LOGS) > 3 * error || held[e] < 164 || held[e] > 194)
            fail_msg("%s: off by %g with an error of %g, %d of %d intervals hold the truth",
                     policy_estimator_name(e), sum[e] / LOGS, error, held[e], LOGS);
    }
    assert_true(square[POLICY_DR] < square[POLICY_IPS]);
    assert_true(held[POLICY_LOGGED] < LOGS / 10); /* the log's own mean is another figure */
}

/* A model that is wrong altogether leaves dr unbiased, and spoils dm. */
static void doubly_robust(void **state)
{
    (void)state;
    enum { LOGS = 100 };
    static struct sample s;
    double dr = 0, square = 0, dm = 0;
    for (uint64_t seed = 1; seed <= LOGS; seed++) {
        struct policy_log log = draw(&s, seed);
        for (size_t i = 0; i < ROWS; i++) {
            s.predicted[i] = 1 - .2 * s.action[i];
            s.expected[i] = 0;
            for (uint32_t a = 0; a < ACTIONS; a++)
                s.expected[i] += does[s.place[i] * ACTIONS + a] * (1 - .2 * a);
        }
        struct policy_value x = value_of(&log, (struct policy_options){0});
        dr += (x.value[POLICY_DR] - truth()) / LOGS;
        square += pow(x.value[POLICY_DR] - truth(), 2) / LOGS;
        dm += (x.value[POLICY_DM] - truth()) / LOGS;
    }
    assert_true(fabs(dr) < 3 * sqrt(square / LOGS));
    assert_true(fabs(dm) > .1);
}

/* The model without a prior is the plain mean of the rows in other folds: written out here. */
static void predicts_from_other_folds(void **state)
{
    (void)state;
    static struct sample s;
    struct pal_error err;
    struct policy_table policy = {ACTIONS, PLACES, does};
    struct policy_log log = draw(&s, 5);
    assert_ok(reward_model(&policy, s.action, s.place, &log, 0, 5, s.predicted, s.expected, &err),
              &err);
    for (size_t i = 0; i < ROWS; i += 37) {
        struct rng rng;
        double reward = 0, rows = 0;
        rng_init(&rng, 5, i);
        uint64_t fold = rng_below(&rng, POLICY_FOLDS);
        for (size_t j = 0; j < ROWS; j++) {
            rng_init(&rng, 5, j);
            if (rng_below(&rng, POLICY_FOLDS) == fold || s.action[j] != s.action[i] ||
                s.place[j] != s.place[i])
                continue;
            reward += s.reward[j];
            rows++;
        }
        assert_true(fabs(s.predicted[i] - reward / rows) < 1e-12);
    }
}

static void same_at_any_thread_count(void **state)
{
    (void)state;
    static struct sample s;
    struct pal_error err;
    struct policy_log log = draw(&s, 8);
    struct policy_options o = {.bootstrap = 300, .confidence = .95, .seed = 8};
    struct policy_value alone = value_of(&log, o), together;
    struct run run = {0};
    assert_ok(pool_new(2, &run.pool, &err), &err);
    assert_ok(policy_evaluate(&log, &o, &run, &together, &err), &err);
    pool_free(run.pool);
    assert_memory_equal(&alone, &together, sizeof alone);
}

static void refuses(struct policy_log log, enum pal_status expected, const char *says)
{
    struct pal_error err;
    struct policy_value v;
    enum pal_status st = policy_evaluate(&log, &(struct policy_options){0}, NULL, &v, &err);
    assert_int_equal(st, expected);
    if (!strstr(err.message, says))
        fail_msg("'%s' does not say '%s'", err.message, says);
}

static void what_cannot_be_told(void **state)
{
    (void)state;
    const double reward[] = {1, 0}, fine[] = {.5, .5}, none[] = {0, 0}, absent[] = {.5, NAN};
    const double zero[] = {.5, 0}, above[] = {1.5, .5}, lost[] = {1, INFINITY};
    refuses((struct policy_log){.n = 0}, PAL_EUNSUPPORTED, "no rows");
    refuses((struct policy_log){2, reward, fine, none, NULL, NULL, NULL, 0}, PAL_EUNSUPPORTED,
            "never shows what the policy would do");
    refuses((struct policy_log){2, reward, zero, fine, NULL, NULL, NULL, 0}, PAL_EUSAGE,
            "row 2 was logged with a propensity of 0");
    refuses((struct policy_log){2, reward, absent, fine, NULL, NULL, NULL, 0}, PAL_EUSAGE,
            "row 2 was logged with a propensity of nan");
    refuses((struct policy_log){2, reward, above, fine, NULL, NULL, NULL, 0}, PAL_EUSAGE, "row 1");
    refuses((struct policy_log){2, reward, fine, above, NULL, NULL, NULL, 0}, PAL_EUSAGE,
            "the policy's chance");
    refuses((struct policy_log){2, lost, fine, fine, NULL, NULL, NULL, 0}, PAL_EUSAGE,
            "row 2 has no finite reward");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(on_policy),
        cmocka_unit_test(units_stay_together),
        cmocka_unit_test(finds_the_truth),
        cmocka_unit_test(doubly_robust),
        cmocka_unit_test(predicts_from_other_folds),
        cmocka_unit_test(same_at_any_thread_count),
        cmocka_unit_test(what_cannot_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
