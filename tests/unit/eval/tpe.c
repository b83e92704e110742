/* The density integrates to one over numbers and choices, draws follow it, and what is proposed
 * lies where good points were and others were not. Seeds are fixed. */
#include "test.h"

#include "eval/tpe.h"

#include <math.h>

static const struct tpe_space mixed = {3, {0, 3, 0}};

/* Midpoint sums over a grid of the two numbers, all choices: 1 within the grid's error. */
static void density_is_one_in_all(void **state)
{
    (void)state;
    enum { N = 60 };
    const double points[] = {0.0, 2, 0.5, 0.9, 0, 1.0, 0.4, 1, 0.03};
    for (size_t n = 0; n <= 3; n++) {
        double sum = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                for (int c = 0; c < 3; c++) {
                    double at[] = {(i + .5) / N, c, (j + .5) / N};
                    sum += tpe_density(&mixed, points, n, at) / (N * N);
                }
        assert_true(fabs(sum - 1) < 1e-3);
    }
}

/* One point, one number: half uniform, half a Gaussian of deviation 0.2 cut off at 0 and 1; at its
 * center exp(0)/(0.2 sqrt(2 pi) (Phi(2.5) - Phi(-2.5))). */
static void density_by_hand(void **state)
{
    (void)state;
    const struct tpe_space one = {1, {0}};
    const double center = 0.5;
    double inside = erf(2.5 / sqrt(2));
    double want = 0.5 + 0.5 / (0.2 * sqrt(2 * acos(-1)) * inside);
    assert_true(fabs(tpe_density(&one, &center, 1, &center) - want) < 1e-12);
    /* Two choices and one point: the kernel lies on it but for 2 * 0.2 / 2 of its weight. */
    const struct tpe_space two = {1, {2}};
    const double on = 1, off = 0;
    assert_true(fabs(tpe_density(&two, &on, 1, &on) - (0.25 + 0.4)) < 1e-12);
    assert_true(fabs(tpe_density(&two, &on, 1, &off) - (0.25 + 0.1)) < 1e-12);
}

/* Good points at .8, bad ones at .2; choice 2 good, 0 bad: proposals are near the good. */
static void goes_where_it_is_good(void **state)
{
    (void)state;
    const struct tpe_space s = {2, {0, 3}};
    double seen[20];
    for (int i = 0; i < 10; i++) {
        seen[2 * i] = i < 3 ? .8 + .01 * i : .2 + .02 * i;
        seen[2 * i + 1] = i < 3 ? 2 : 0;
    }
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (int turn = 0; turn < 50; turn++) {
        double at[2];
        tpe_propose(&s, seen, 10, 3, &rng, at);
        assert_true(at[0] > .55 && at[0] <= 1);
        assert_true(at[1] == 2 || at[1] == 1);
    }
}

static void draws_stay_inside(void **state)
{
    (void)state;
    const struct tpe_space s = {4, {0, 1, 5, 0}};
    const double seen[] = {0, 0, 4, 1, 1, 0, 0, 0};
    struct rng rng;
    rng_init(&rng, 9, 0);
    int choice[5] = {0};
    for (int turn = 0; turn < 400; turn++) {
        double at[4];
        if (turn % 2)
            tpe_random(&s, &rng, at);
        else
            tpe_propose(&s, seen, 2, 1, &rng, at);
        assert_true(at[0] >= 0 && at[0] <= 1 && at[3] >= 0 && at[3] <= 1);
        assert_true(at[1] == 0 && at[2] >= 0 && at[2] < 5 && at[2] == floor(at[2]));
        choice[(int)at[2]]++;
    }
    for (int c = 0; c < 5; c++)
        assert_true(choice[c] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(density_is_one_in_all),
        cmocka_unit_test(density_by_hand),
        cmocka_unit_test(goes_where_it_is_good),
        cmocka_unit_test(draws_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
