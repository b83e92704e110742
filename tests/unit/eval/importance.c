/* Shares known by construction: an option that decides all, one that decides nothing, and a choice
 * that decides half of the variance. */
#include "test.h"

#include "base/rng.h"
#include "eval/importance.h"

#include <math.h>

enum { N = 400 };

static void shares(void **state)
{
    (void)state;
    static double value[N], all[N], none[N], some[N], u_shaped[N];
    double share;
    struct rng rng;
    rng_init(&rng, 3, 0);
    for (int i = 0; i < N; i++) {
        all[i] = rng_real(&rng);
        none[i] = rng_real(&rng);
        value[i] = exp(9 * all[i]); /* only its order counts */
        some[i] = all[i] > .5;
        u_shaped[i] = all[i] < .5 ? .5 - all[i] : all[i];
    }
    /* Four groups in a row leave 1/16 of the variance of an even spread inside them. */
    assert_true(importance(value, all, N, false, &share) && fabs(share - 15. / 16) < .01);
    assert_true(importance(value, none, N, false, &share) && share < .02);
    /* Halves: 1/4 of it stays inside. */
    assert_true(importance(value, some, N, true, &share) && fabs(share - .75) < .01);
    /* Not in a line, yet it matters. */
    assert_true(importance(value, u_shaped, N, false, &share) && share > .5);
}

static void nothing_to_say(void **state)
{
    (void)state;
    double value[20] = {0}, at[20] = {0}, share = 7;
    assert_false(importance(value, at, 19, false, &share));
    assert_true(share == 7);
    assert_true(importance(value, at, 20, true, &share) && share == 0);
    mem_fail_at(1);
    assert_false(importance(value, at, 20, true, &share));
    mem_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares),
        cmocka_unit_test(nothing_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
