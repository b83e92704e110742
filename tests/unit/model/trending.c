/* Trending by hand: rates over two windows and what is made of them. */
#include "test.h"
#include "world.h"

#include "base/arena.h"

#include <math.h>

enum { DAY = 86400, ITEMS = 4, USERS = 40 };

/* 0: liked every day by somebody. 1: by the same number of people, all of them lately. 2: by as
 * many, long ago. 3: disliked lately. */
static struct dataset *world(void)
{
    struct event events[4 * USERS];
    for (uint32_t u = 0; u < USERS; u++) {
        events[4 * u] = (struct event){u, 0, 1, DAY * (1000 + u)};
        events[4 * u + 1] = (struct event){u, 1, 1, DAY * (1030 + u / 4)};
        events[4 * u + 2] = (struct event){u, 2, 1, DAY * (1000 + u / 4)};
        events[4 * u + 3] = (struct event){u, 3, u % 2 ? -1 : 0, DAY * 1039};
    }
    return world_of(events, sizeof events / sizeof *events, USERS, ITEMS);
}

static enum pal_status scores_with(struct dataset *d, const char *rise, float *scores,
                                   struct pal_error *err)
{
    const struct model_ops *ops = model_find("trending");
    struct weights w = world_weights();
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    struct history h = {0};
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    assert_ok(model_set(ops, options, "days", "2", err), err);
    assert_ok(model_set(ops, options, "long_days", "20", err), err);
    assert_ok(model_set(ops, options, "rise", rise, err), err);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, err), err);
    enum pal_status st = model_fit(ops, options, &t, 0, NULL, &m, err);
    if (st == PAL_OK) {
        assert_ok(model_score(m, &h, 1, scores, &tmp, err), err);
        model_free(m);
    }
    training_done(&t);
    arena_done(&tmp);
    free(options);
    return st;
}

/* r (r + f)^rise / (l + f)^rise, from the definition */
static double want(uint32_t item, double rise)
{
    double rate[2];
    for (int i = 0; i < 2; i++) {
        double days = i ? 20 : 2, sum = 0;
        for (uint32_t u = 0; u < USERS; u++) {
            double age = item == 0 ? 39 - u : item == 1 ? 9 - u / 4 : item == 2 ? 39 - u / 4 : 0;
            sum += (item < 3 ? 1 : u % 2 ? -1 : 0) * pow(2, -age / days);
        }
        rate[i] = sum * log(2) / days;
    }
    double f = log(2) / 20;
    return rate[0] <= 0 ? rate[0] : rate[0] * pow((rate[0] + f) / (rate[1] + f), rise);
}

static void compares_two_windows(void **state)
{
    struct pal_error err;
    struct dataset *d = world();
    const char *rises[] = {"0", "0.5", "2"};
    for (size_t i = 0; i < 3; i++) {
        float s[ITEMS];
        assert_ok(scores_with(d, rises[i], s, &err), &err);
        for (uint32_t item = 0; item < ITEMS; item++)
            if (fabs(s[item] - want(item, atof(rises[i]))) > 1e-4 * (1 + fabs((double)s[item])))
                fail_msg("rise %s, item %u: %g instead of %g", rises[i], item, (double)s[item],
                         want(item, atof(rises[i])));
        assert_true(s[1] > s[0] && s[0] > s[2] && s[2] > s[3] && s[3] < 0);
    }
    dataset_free(d);
}

static void needs_times(void **state)
{
    struct pal_error err;
    struct dataset *d = world();
    float s[ITEMS];
    mem_free(d->all.time_s);
    d->all.time_s = NULL;
    assert_int_equal(scores_with(d, "1", s, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "use popular"));
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_two_windows),
        cmocka_unit_test(needs_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
