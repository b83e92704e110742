/* Popularity by hand: sums of folded weights, and halves after a half-life. */
#include "test.h"
#include "world.h"

#include "base/arena.h"

#include <math.h>

static const struct event events[] = {
    {0, 0, 1, 86400 * 10}, {0, 1, 2, 86400 * 20}, {1, 0, 1, 86400 * 20}, {1, 1, -1, 86400 * 20},
    {2, 2, -1, 86400 * 5}, {2, 2, 1, 86400 * 20}, /* a change of mind: only the like counts */
    {3, 3, 0, 86400 * 20},                        /* seen, worth nothing */
    {3, 0, 1, 86400 * 10}, {3, 0, 1, 86400 * 20}, /* twice */
};

static void check(const char *half_life, const float want[5])
{
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = world_of(events, sizeof events / sizeof events[0], 4, 5);
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    double options[1];
    float scores[10];
    const struct model_ops *ops = model_find("popular");
    struct history h[2] = {{0}, {.n = 1, .item = (uint32_t[]){2}, .weight = (float[]){1}}};
    assert_int_equal(ops->options_size, sizeof options);
    assert_ok(model_set(ops, options, "half_life_days", half_life, &err), &err);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(model_fit(ops, options, &t, 0, NULL, &m, &err), &err);
    assert_ok(model_score(m, h, 2, scores, &tmp, &err), &err);
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < 5; i++)
            assert_true(fabsf(scores[row * 5 + i] - want[i]) < 1e-6f);
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
}

static void sums_what_people_think(void **state)
{
    (void)state;
    check("0", (float[]){4, 1, 1, 0, 0});
    /* item 0: ½ + 1 + ½ + 1 */
    check("10", (float[]){3, 1, 1, 0, 0});
    check("5", (float[]){2.5f, 1, 1, 0, 0});
}

static void half_life_needs_times(void **state)
{
    (void)state;
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = world_of(events, 4, 4, 5);
    struct training t;
    struct model *m;
    double options[1] = {7};
    mem_free(d->all.time_s);
    d->all.time_s = NULL;
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_int_equal(model_fit(model_find("popular"), options, &t, 0, NULL, &m, &err),
                     PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "half_life_days"));
    training_done(&t);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_what_people_think),
        cmocka_unit_test(half_life_needs_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
