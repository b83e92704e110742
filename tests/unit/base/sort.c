/* Radix sort against the C library's, of every length around where it changes its way, over few and
 * many values, and stable. */
#include "test.h"

#include "base/rng.h"
#include "base/sort.h"

static int by_upper(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a >> 32, y = *(const uint64_t *)b >> 32;
    if (x != y)
        return x < y ? -1 : 1;
    x = *(const uint64_t *)a & UINT32_MAX; /* places: stable means that they ascend */
    y = *(const uint64_t *)b & UINT32_MAX;
    return x < y ? -1 : x > y;
}

static void as_the_library_sorts(void **state)
{
    (void)state;
    enum { MOST = 700 };
    static uint64_t keys[MOST], expected[MOST], other[MOST];
    struct rng rng;
    rng_init(&rng, 1, 1);
    for (int bytes = 1; bytes <= 4; bytes++)
        for (size_t n = 0; n < MOST; n += n < 60 ? 1 : 37)
            for (int few = 0; few < 3; few++) {
                uint64_t values = few == 2 ? 1 : few ? 5 : (uint64_t)1 << (8 * bytes);
                uint64_t same = bytes < 4 ? (uint64_t)0x5a << 56 : 0; /* not looked at */
                for (size_t i = 0; i < n; i++)
                    expected[i] = keys[i] = same | rng_below(&rng, values) << 32 | i;
                sort_upper(keys, other, n, bytes);
                qsort(expected, n, sizeof *expected, by_upper);
                assert_memory_equal(keys, expected, n * sizeof *keys);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_library_sorts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
