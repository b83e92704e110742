/* Tails against numerical integration of the density, draws against those tails by Kolmogorov and
 * Smirnov's distance. Seeds are fixed: what passes once passes always. */
#include "test.h"

#include "math/beta.h"

#include <math.h>
#include <stdbool.h>

static const struct {
    double a, b;
} shapes[] = {{1, 1},    {2, 5},      {0.5, 0.5}, {0.05, 3},    {3, 0.05},   {40, 2},
              {300, 70}, {1.5, 9000}, {2e4, 3e4}, {1e-3, 1e-3}, {9.25, 4.75}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], DRAWS = 20000 };

/* The density of the logit. */
static double density(double a, double b, double y)
{
    double x = y < 0 ? y - log1p(exp(y)) : -log1p(exp(-y)); /* ln x */
    double z = y < 0 ? -log1p(exp(y)) : -y - log1p(exp(-y));
    return exp(a * x + b * z + lgamma(a + b) - lgamma(a) - lgamma(b));
}

/* Simpson's rule from y to where nothing is left. */
static double naive_above(double a, double b, double y)
{
    double spread = 1 / a + 1 / b, far = log(a / b) + 45 * sqrt(spread) + 45 / b;
    double sum = 0, step;
    if (far <= y)
        far = y + 45 / b;
    enum { PARTS = 400000 };
    step = (far - y) / PARTS;
    for (int i = 0; i <= PARTS; i++)
        sum += density(a, b, y + i * step) * (i == 0 || i == PARTS ? 1 : i % 2 ? 4 : 2);
    return sum * step / 3;
}

static void tails_are_integrals(void **state)
{
    for (size_t s = 0; s < SHAPES; s++) {
        double a = shapes[s].a, b = shapes[s].b, spread = sqrt(1 / a + 1 / b);
        for (int i = -3; i <= 6; i++) {
            double y = log(a / b) + i * spread, below;
            double got = beta_above(a, b, y, &below), want = naive_above(a, b, y);
            if (!(fabs(got - want) <= 1e-6 * want))
                fail_msg("Beta(%g, %g) above %g: %.12g, not %.12g", a, b, y, got, want);
            assert_true(fabs(got + below - 1) < 1e-12);
            /* 1 - X has the shapes the other way round */
            double mirrored = beta_above(b, a, -y, NULL);
            assert_true(fabs(mirrored - below) <= 1e-6 * below);
        }
    }
}

static void known_values(void **state)
{
    /* Beta(1, 1) is uniform, Beta(2, 1) has P(X > x) = 1 - x², Beta(1, 3) (1 - x)³ */
    for (double x = 0.05; x < 1; x += 0.05) {
        double y = beta_to_logit(x);
        assert_true(fabs(beta_from_logit(y) - x) < 1e-14);
        assert_true(fabs(beta_above(1, 1, y, NULL) - (1 - x)) < 1e-10);
        assert_true(fabs(beta_above(2, 1, y, NULL) - (1 - x * x)) < 1e-10);
        assert_true(fabs(beta_above(1, 3, y, NULL) - pow(1 - x, 3)) < 1e-10);
    }
    assert_true(beta_above(1, 1, 1e4, NULL) == 0);
    assert_true(beta_above(1, 1, -1e4, NULL) == 1);
    assert_true(beta_from_logit(-1e4) == 0 && beta_from_logit(1e4) == 1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The distance of a sample from the law of logits above `floor`. */
static double distance(double a, double b, double floor, double *sample, size_t n)
{
    double worst = 0, all = beta_above(a, b, floor, NULL);
    qsort(sample, n, sizeof *sample, ascending);
    for (size_t i = 0; i < n; i++) {
        double below = 1 - beta_above(a, b, sample[i], NULL) / all;
        worst = fmax(worst, fmax(fabs(below - (double)i / (double)n),
                                 fabs(below - (double)(i + 1) / (double)n)));
    }
    return worst;
}

static void draws_follow_their_law(void **state)
{
    static double sample[DRAWS];
    struct rng rng;
    rng_init(&rng, 11, 1);
    for (size_t s = 0; s < SHAPES; s++) {
        double a = shapes[s].a, b = shapes[s].b, spread = sqrt(1 / a + 1 / b);
        for (size_t i = 0; i < DRAWS; i++)
            sample[i] = beta_logit(a, b, &rng);
        double d = distance(a, b, -1e300, sample, DRAWS);
        if (!(d < 2.3 / sqrt(DRAWS))) /* one in 20,000 is farther */
            fail_msg("Beta(%g, %g): draws are %g from it", a, b, d);
        for (int i = -1; i <= 4; i++) {
            double floor = log(a / b) + i * spread, p = beta_above(a, b, floor, NULL);
            if (p < 1e-9)
                continue;
            for (size_t j = 0; j < DRAWS; j++) {
                /* whatever p is claimed, the law must not change */
                sample[j] = beta_logit_above(a, b, floor, j % 2 || p < 1e-3 ? p : 0, &rng);
                assert_true(sample[j] > floor);
            }
            d = distance(a, b, floor, sample, DRAWS);
            if (!(d < 2.3 / sqrt(DRAWS)))
                fail_msg("Beta(%g, %g) above %g: draws are %g from it", a, b, floor, d);
        }
    }
}

/* A wrong p, as when evidence changes under way, costs time but ends, and keeps the law. */
static void wrong_promises_end(void **state)
{
    static double sample[2000];
    struct rng rng;
    rng_init(&rng, 12, 1);
    for (size_t i = 0; i < 2000; i++)
        sample[i] = beta_logit_above(50, 1000, 0, 0.9, &rng);
    assert_true(distance(50, 1000, 0, sample, 2000) < 2.3 / sqrt(2000));
}

/* Kolmogorov's distance within (low, high], by the tail that is the thinner there. */
static double distance_between(double a, double b, double low, double high, double *sample,
                               size_t n)
{
    double worst = 0, under_low = 0, above_low = 1, under_high, above_high;
    above_high = beta_above(a, b, high, &under_high);
    if (low > -INFINITY)
        above_low = beta_above(a, b, low, &under_low);
    bool lower = under_high < above_high;
    double all = lower ? under_high - under_low : above_low - above_high;
    qsort(sample, n, sizeof *sample, ascending);
    for (size_t i = 0; i < n; i++) {
        double under, above = beta_above(a, b, sample[i], &under);
        double below = (lower ? under - under_low : above_low - above) / all;
        worst = fmax(worst, fmax(fabs(below - (double)i / (double)n),
                                 fabs(below - (double)(i + 1) / (double)n)));
    }
    return worst;
}

/* Where much lies between the bounds and where next to nothing does: the last of them below 1e-9,
 * which plain draws would not end in. */
static void draws_between_follow_their_law(void **state)
{
    static const struct {
        double a, b, low, high;
    } cases[] = {
        {2, 5, -INFINITY, 0},      {2, 5, -2, -0.5},          {9.25, 4.75, 0, 0.1},
        {51, 12, 1.4, INFINITY},   {51, 12, -INFINITY, 1.5},  {51, 12, -INFINITY, -0.5485},
        {51, 12, -2, -0.5485},     {300, 70, 3, 3.001},       {2e4, 3e4, -INFINITY, -0.5},
        {1.5, 9000, -3, INFINITY}, {0.5, 0.5, -INFINITY, -9},
    };
    enum { FEWER = 4000 };
    static double sample[FEWER];
    struct rng rng;
    rng_init(&rng, 13, 1);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double a = cases[c].a, b = cases[c].b, low = cases[c].low, high = cases[c].high;
        double p = low > -INFINITY ? beta_above(a, b, low, NULL) : 1;
        for (size_t i = 0; i < FEWER; i++) {
            sample[i] = beta_logit_between(a, b, low, high, p, &rng);
            assert_true(sample[i] >= low && sample[i] <= high);
        }
        double d = distance_between(a, b, low, high, sample, FEWER);
        if (!(d < 2.3 / sqrt(FEWER)))
            fail_msg("Beta(%g, %g) in (%g, %g]: draws are %g from it", a, b, low, high, d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_are_integrals),
        cmocka_unit_test(known_values),
        cmocka_unit_test(draws_follow_their_law),
        cmocka_unit_test(wrong_promises_end),
        cmocka_unit_test(draws_between_follow_their_law),
    };
    return cmocka_run_group_tests_name("math/beta", tests, NULL, NULL);
}
