/* The same digits as printf's, for numbers of all sizes and for the awkward ones. */
#include "test.h"

#include "base/digits.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static void check_real(double x)
{
    for (int precision = 1; precision <= 17; precision++) {
        char ours[DIGITS_MOST + 1], theirs[64];
        ours[digits_real(ours, x, precision)] = 0;
        snprintf(theirs, sizeof theirs, "%.*g", precision, x);
        assert_string_equal(ours, theirs);
    }
}

static void awkward_reals(void **state)
{
    static const double numbers[] = {0,       0.5,     0.1,      1e-4,    1e-5,    9.9999995,
                                     1e7,     9999999, 99999995, 0.00001, 1e22,    123456789,
                                     DBL_MAX, DBL_MIN, 5e-324,   FLT_MAX, FLT_MIN, 2.5,
                                     1e15,    1e16,    1e17,     0.25,    9.5,     1000000.5};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        check_real(numbers[i]);
        check_real(-numbers[i]);
        check_real(nextafter(numbers[i], 1));
    }
}

static void reals_of_all_sizes(void **state)
{
    struct rng rng;
    (void)state;
    rng_init(&rng, 3, 4);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&rng);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x))
            check_real(x);
        check_real((double)(float)(rng_real(&rng) * pow(10, (double)rng_below(&rng, 16) - 8)));
    }
}

static void whole_numbers(void **state)
{
    struct rng rng;
    (void)state;
    rng_init(&rng, 5, 6);
    for (int i = 0; i < 20000; i++) {
        char ours[DIGITS_MOST + 1], theirs[64];
        uint64_t x = i == 0 ? 0 : i == 1 ? UINT64_MAX : i == 2 ? (uint64_t)1 << 63 : rng_next(&rng);
        x >>= i > 2 ? i % 64 : 0;
        ours[digits_uint(ours, x)] = 0;
        snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)x);
        assert_string_equal(ours, theirs);
        ours[digits_int(ours, (int64_t)x)] = 0;
        snprintf(theirs, sizeof theirs, "%lld", (long long)x);
        assert_string_equal(ours, theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(awkward_reals),
        cmocka_unit_test(reals_of_all_sizes),
        cmocka_unit_test(whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
