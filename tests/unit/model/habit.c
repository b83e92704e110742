/* Habit by hand: own events that fade, over everybody's likes. */
#include "world.h"

#include <math.h>

enum { DAY = 86400, ITEMS = 4 };

/* Item 0 is liked six times, 1 three times, 2 once, 3 is disliked. */
static struct dataset *world(void)
{
    static const struct event events[] = {{0, 0, 1, DAY}, {1, 0, 1, DAY}, {2, 0, 1, DAY},
                                          {3, 0, 1, DAY}, {4, 0, 1, DAY}, {5, 0, 1, DAY},
                                          {0, 1, 1, DAY}, {1, 1, 1, DAY}, {2, 1, 1, DAY},
                                          {3, 2, 1, DAY}, {0, 3, -1, DAY}};
    return world_of(events, sizeof events / sizeof *events, 6, ITEMS);
}

static void by_hand(void **state)
{
    (void)state;
    static const uint32_t item[] = {2, 0};
    static const float weight[] = {3, -1};
    static const struct had had[] = {{3, 0, 10 * DAY}, {1, 0, 20 * DAY}};
    const struct history h[] = {{2, item, weight, 20 * DAY, NULL, 20 * DAY, had},
                                {2, item, weight, 20 * DAY, NULL, 20 * DAY, NULL},
                                {0}};
    const struct model_ops *ops = model_find("habit");
    struct pal_error err;
    struct dataset *d = world();
    struct weights w = world_weights();
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    float s[3 * ITEMS];
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    assert_ok(model_set(ops, options, "prior", "20", &err), &err);
    assert_ok(model_set(ops, options, "half_life_days", "5", &err), &err);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(model_fit(ops, options, &t, 0, NULL, &m, &err), &err);
    assert_ok(model_score(m, h, 3, s, &tmp, &err), &err);
    const float want[] = {12 - 1, 6, 2 + 3 / 4.f, -2, /* ten days are two half-lives */
                          12 - 1, 6, 2 + 3,       -2, /* when is not known */
                          12,     6, 2,           -2};
    for (int i = 0; i < 3 * ITEMS; i++)
        if (fabsf(s[i] - want[i]) > 1e-5f)
            fail_msg("score %d is %g, not %g", i, s[i], want[i]);
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
    free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
