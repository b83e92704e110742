/* Steps of gradient descent: every variant that this CPU can run against the formulas of kernels.h
 * in double precision, over all lengths from 0 to 130 and some longer ones, at any alignment, with
 * values around every vector that must stay; and the quick sigmoid against the C library's exp. */
#include "test.h"

#include "base/rng.h"
#include "math/kernels.h"
#include "math/sigmoid.h"

#include <math.h>

enum { ROWS = 12, MOST = 520, GUARD = 3 };
static const float untouched = 12345.5f;
static struct rng rng;

static void random_floats(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(&rng) * 0.5f;
}

static void the_sigmoid_is_near(void **state)
{
    double most = 0;
    for (double x = -30; x < 30; x += 1e-4)
        most = fmax(most, fabs(sigmoid((float)x) - 1 / (1 + exp(-(double)(float)x))));
    if (most > 4e-7)
        fail_msg("sigmoid is off by %g", most);
    const float odd[] = {-INFINITY, INFINITY, NAN, -1e30f, 1e30f, -88, 88, 0};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        float s = sigmoid(odd[i]);
        assert_true(s >= 0 && s <= 1);
    }
    assert_true(sigmoid(-INFINITY) < 1e-30f && sigmoid(INFINITY) == 1 && sigmoid(0) == 0.5f);
}

static void assert_close(float got, double want, const char *what, size_t n)
{
    if (!(fabs(got - want) <= 3e-6 * (1 + fabs(want))))
        fail_msg("%s, n = %zu: %.9g instead of %.9g", what, n, got, want);
}

static void check_pair(const struct kernels *k, size_t n)
{
    static float v[3][MOST + 16], old[3][MOST + 16];
    float bias = (float)rng_normal(&rng), rate = 0.3f, keep = 0.9f;
    double score = bias;
    float *p[3], *o[3];
    for (size_t i = 0; i < 3; i++) {
        random_floats(v[i], n + 16);
        p[i] = v[i] + (n + i) % 13;
        p[i][n] = untouched;
        memcpy(old[i], p[i], n * sizeof(float));
        o[i] = old[i];
    }
    for (size_t i = 0; i < n; i++)
        score += (double)o[0][i] * ((double)o[1][i] - o[2][i]);
    double g = rate / (1 + exp(score));
    float got = k->sgd_pair(p[0], p[1], p[2], n, bias, rate, keep);
    assert_close(got, g, "sgd_pair", n);
    for (size_t i = 0; i < n; i++) {
        assert_close(p[0][i], keep * o[0][i] + g * ((double)o[1][i] - o[2][i]), "x", n);
        assert_close(p[1][i], keep * o[1][i] + g * o[0][i], "y", n);
        assert_close(p[2][i], keep * o[2][i] - g * o[0][i], "z", n);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(p[i][n] == untouched);
}

static void check_targets(const struct kernels *k, size_t n, size_t count)
{
    static float C[ROWS * (MOST + GUARD)], x[MOST + 1];
    static double want[ROWS * (MOST + GUARD)], sum[MOST];
    size_t stride = n + GUARD;
    uint32_t index[SGD_TARGETS];
    double g[SGD_TARGETS];
    random_floats(C, ROWS * stride);
    random_floats(x, n);
    x[n] = untouched;
    for (size_t j = 0; j < count; j++)
        index[j] = (uint32_t)rng_below(&rng, ROWS); /* some come twice */
    for (size_t i = 0; i < ROWS * stride; i++)
        want[i] = C[i];
    for (size_t j = 0; j < count; j++) {
        double score = 0;
        for (size_t i = 0; i < n; i++)
            score += (double)x[i] * want[index[j] * stride + i];
        g[j] = 0.2 * ((j == 0) - 1 / (1 + exp(-score)));
    }
    for (size_t i = 0; i < n; i++) {
        sum[i] = x[i];
        for (size_t j = 0; j < count; j++) {
            sum[i] += g[j] * want[index[j] * stride + i];
            want[index[j] * stride + i] += g[j] * x[i];
        }
    }
    k->sgd_targets(x, C, n, stride, index, count, 0.2f);
    for (size_t i = 0; i < n; i++)
        assert_close(x[i], sum[i], "sgd_targets x", n);
    for (size_t i = 0; i < ROWS * stride; i++)
        assert_close(C[i], want[i], "sgd_targets C", n);
    assert_true(x[n] == untouched);
}

static void steps_are_as_written(void **state)
{
    size_t variants;
    const struct kernels *const *all = kernels_all(&variants);
    for (size_t v = 0; v < variants; v++) {
        rng_init(&rng, 3, v);
        for (size_t n = 0; n <= 130; n++) {
            check_pair(all[v], n);
            check_targets(all[v], n, 1 + n % SGD_TARGETS);
        }
        for (size_t n = 131; n <= MOST; n += 43) {
            check_pair(all[v], n);
            check_targets(all[v], n, 6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sigmoid_is_near),
        cmocka_unit_test(steps_are_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
