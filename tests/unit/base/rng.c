/* The generator against a second one written here from the published description of xoshiro256++
 * and splitmix64, the bounded and real numbers against their laws, with seeds fixed: what passes
 * once passes always. The bounds on samples are six or more standard errors wide. */
#include "test.h"

#include "base/rng.h"

#include <math.h>

/* xoshiro256++ in the words of its paper: output rotl(s0 + s3, 23) + s0, then the linear engine. */
static uint64_t naive_rotl(uint64_t x, unsigned k)
{
    uint64_t high = x;
    for (unsigned i = 0; i < k; i++)
        high = (high << 1) | (high >> 63);
    return high;
}

static uint64_t naive_next(uint64_t s[4])
{
    uint64_t out = naive_rotl(s[0] + s[3], 23) + s[0];
    uint64_t s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3];
    s[0] = s0 ^ s3 ^ s1;
    s[1] = s1 ^ s2 ^ s0;
    s[2] = s2 ^ s0 ^ (s1 * 131072u);
    s[3] = naive_rotl(s3 ^ s1, 45);
    return out;
}

static void follows_the_published_steps(void **state)
{
    (void)state;
    struct rng r = {{1, 2, 3, 4}};
    uint64_t s[4] = {1, 2, 3, 4};
    /* by hand: rotl(1 + 4, 23) + 1 = 5 * 2^23 + 1 */
    assert_true(rng_next(&r) == 41943041u);
    naive_next(s);
    for (int i = 0; i < 10000; i++)
        assert_true(rng_next(&r) == naive_next(s));
    assert_memory_equal(r.state, s, sizeof s);
}

static void same_seed_and_stream_give_the_same(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init(&a, 42, 7);
    rng_init(&b, 42, 7);
    for (int i = 0; i < 1000; i++)
        assert_true(rng_next(&a) == rng_next(&b));
}

/* Neighbouring seeds and streams must differ in about half of their bits. */
static void neighbours_are_unlike(void **state)
{
    (void)state;
    uint64_t ones = 0, n = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        for (uint64_t stream = 0; stream < 50; stream++) {
            struct rng a, b, c;
            rng_init(&a, seed, stream);
            rng_init(&b, seed + 1, stream);
            rng_init(&c, seed, stream + 1);
            uint64_t x = rng_next(&a);
            ones += (uint64_t)__builtin_popcountll(x ^ rng_next(&b));
            ones += (uint64_t)__builtin_popcountll(x ^ rng_next(&c));
            n += 2;
        }
    }
    double mean = (double)ones / (double)n; /* 32, standard error 4 / sqrt(5000) = 0.057 */
    assert_true(fabs(mean - 32) < 0.5);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Two streams that began with the same state would make "independent" decisions the same. */
static void streams_never_start_the_same(void **state)
{
    (void)state;
    enum { SEEDS = 100, STREAMS = 1000 };
    uint64_t *first = malloc(SEEDS * STREAMS * sizeof *first);
    assert_non_null(first);
    size_t n = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (uint64_t stream = 0; stream < STREAMS; stream++) {
            struct rng r;
            rng_init(&r, seed, stream);
            first[n++] = rng_next(&r);
        }
    }
    qsort(first, n, sizeof *first, by_value);
    for (size_t i = 1; i < n; i++)
        assert_true(first[i] != first[i - 1]);
    free(first);
}

static void seed_zero_is_a_seed(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 0, 0);
    uint64_t all = r.state[0] | r.state[1] | r.state[2] | r.state[3];
    assert_true(all != 0); /* the one state that the generator can't leave */
}

/* Chi-square of counts against equal shares; with few degrees of freedom its mean is bins - 1. */
static double chi_square(const size_t *counts, size_t bins, size_t draws)
{
    double expect = (double)draws / (double)bins, sum = 0;
    for (size_t i = 0; i < bins; i++) {
        double d = (double)counts[i] - expect;
        sum += d * d / expect;
    }
    return sum;
}

static void below_is_even_and_in_range(void **state)
{
    (void)state;
    const size_t bounds[] = {1, 2, 3, 7, 10, 64, 100};
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        size_t counts[100] = {0}, bound = bounds[b];
        struct rng r;
        rng_init(&r, 1, b);
        for (int i = 0; i < 100000; i++) {
            uint64_t x = rng_below(&r, bound);
            assert_true(x < bound);
            counts[x]++;
        }
        double freedom = (double)bound - 1;
        assert_true(chi_square(counts, bound, 100000) <= freedom + 6 * sqrt(2 * freedom) + 10);
    }
}

/* With a bound of 3/4 of the range each three results share four draws: without rejection one of
 * the three would come twice as often. */
static void below_has_no_bias_for_huge_bounds(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 5, 0);
    uint64_t bound = 3ull << 62;
    size_t quarters[3] = {0}, remainders[3] = {0};
    for (int i = 0; i < 90000; i++) {
        uint64_t x = rng_below(&r, bound);
        assert_true(x < bound);
        quarters[x >> 62]++;
        remainders[x % 3]++;
    }
    assert_true(chi_square(quarters, 3, 90000) < 30);
    assert_true(chi_square(remainders, 3, 90000) < 30);
}

static void real_is_in_its_interval(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct rng r;
    rng_init(&r, 9, 0);
    size_t tenths[10] = {0};
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = rng_real(&r);
        assert_true(x >= 0 && x < 1);
        tenths[(int)(x * 10)]++;
        sum += x;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 6 * sqrt(1.0 / 12 / DRAWS));
    assert_true(chi_square(tenths, 10, DRAWS) < 9 + 6 * sqrt(18) + 10);
}

/* The top 53 bits and nothing else: the largest state gives the largest double below one. */
static void real_uses_the_top_bits(void **state)
{
    (void)state;
    struct rng most = {{0, 0, 0, 0}}; /* rotl(0 + s3, 23) + 0 = all ones */
    most.state[3] = UINT64_MAX;
    assert_true(rng_real(&most) == 1 - 0x1p-53);
    struct rng least = {{0, 1, 0, 0}};
    assert_true(rng_real(&least) == 0.0);
}

static void normal_has_the_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    struct rng r;
    rng_init(&r, 11, 0);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    size_t inside = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = rng_normal(&r);
        assert_true(isfinite(x));
        m1 += x;
        m2 += x * x;
        m3 += x * x * x;
        m4 += x * x * x * x;
        inside += fabs(x) < 1;
    }
    double n = DRAWS, se = sqrt(1 / n);
    assert_true(fabs(m1 / n) < 6 * se);
    assert_true(fabs(m2 / n - 1) < 6 * se * sqrt(2));
    assert_true(fabs(m3 / n) < 6 * se * sqrt(15));
    assert_true(fabs(m4 / n - 3) < 6 * se * sqrt(96));
    assert_true(fabs((double)inside / n - 0.682689492) < 6 * se * 0.466);
}

static void shuffle_keeps_every_number(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, 0);
    for (size_t n = 0; n <= 64; n++) {
        uint32_t a[64];
        uint64_t seen = 0;
        for (size_t i = 0; i < n; i++)
            a[i] = (uint32_t)i;
        rng_shuffle(&r, a, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(a[i] < n);
            seen |= 1ull << a[i];
        }
        assert_true(seen == (n == 64 ? UINT64_MAX : (1ull << n) - 1));
    }
}

/* All 24 orders of four cards must be equally likely: the usual wrong shuffle fails this. */
static void shuffle_is_fair(void **state)
{
    (void)state;
    enum { DRAWS = 240000 };
    struct rng r;
    rng_init(&r, 4, 0);
    size_t counts[256] = {0}, orders[24], found = 0;
    for (int i = 0; i < DRAWS; i++) {
        uint32_t a[4] = {0, 1, 2, 3};
        rng_shuffle(&r, a, 4);
        counts[a[0] << 6 | a[1] << 4 | a[2] << 2 | a[3]]++;
    }
    for (int i = 0; i < 256; i++) {
        if (counts[i]) {
            assert_true(found < 24);
            orders[found++] = counts[i];
        }
    }
    assert_int_equal(found, 24);
    assert_true(chi_square(orders, 24, DRAWS) < 23 + 6 * sqrt(46) + 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_published_steps),
        cmocka_unit_test(same_seed_and_stream_give_the_same),
        cmocka_unit_test(neighbours_are_unlike),
        cmocka_unit_test(streams_never_start_the_same),
        cmocka_unit_test(seed_zero_is_a_seed),
        cmocka_unit_test(below_is_even_and_in_range),
        cmocka_unit_test(below_has_no_bias_for_huge_bounds),
        cmocka_unit_test(real_is_in_its_interval),
        cmocka_unit_test(real_uses_the_top_bits),
        cmocka_unit_test(normal_has_the_moments),
        cmocka_unit_test(shuffle_keeps_every_number),
        cmocka_unit_test(shuffle_is_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
