/* The alias method: the chances that its table gives each place, added up exactly, are those asked
 * for; and draws come out in those proportions. */
#include "test.h"

#include "base/rng.h"
#include "math/alias.h"

#include <math.h>

enum { MOST = 500 };

static void chances_are_those_asked_for(void **state)
{
    static double asked[MOST], weight[MOST], got[MOST];
    static struct alias table[MOST];
    static uint32_t stack[MOST];
    struct rng rng;
    rng_init(&rng, 1, 1);
    for (uint32_t n = 1; n <= MOST; n += n < 20 ? 1 : 37) {
        double sum = 0;
        for (uint32_t i = 0; i < n; i++) {
            sum += weight[i] = asked[i] = i % 7 == 3 ? 40 : 0.01 + rng_real(&rng);
            got[i] = 0;
        }
        alias_make(weight, n, table, stack);
        for (uint32_t i = 0; i < n; i++) {
            double keep = table[i].keep == UINT32_MAX ? 1 : table[i].keep / 4294967296.0;
            assert_true(table[i].other < n);
            got[i] += keep / n;
            got[table[i].other] += (1 - keep) / n;
        }
        for (uint32_t i = 0; i < n; i++)
            if (fabs(got[i] - asked[i] / sum) > 1e-8)
                fail_msg("place %u of %u: %g instead of %g", i, n, got[i], asked[i] / sum);
    }
}

static void draws_follow_the_table(void **state)
{
    enum { N = 5, DRAWS = 200000 };
    double weight[N] = {1, 2, 3, 4, 10};
    struct alias table[N];
    uint32_t stack[N], count[N] = {0}, even[N] = {0};
    struct rng rng;
    rng_init(&rng, 2, 2);
    alias_make(weight, N, table, stack);
    for (int i = 0; i < DRAWS; i++) {
        count[alias_draw(table, N, rng_next(&rng))]++;
        even[alias_draw(NULL, N, rng_next(&rng))]++;
    }
    for (int i = 0; i < N; i++) { /* five deviations */
        double p = (i < 4 ? i + 1 : 10) / 20.0, q = 1.0 / N;
        assert_true(fabs(count[i] - p * DRAWS) < 5 * sqrt(DRAWS * p * (1 - p)));
        assert_true(fabs(even[i] - q * DRAWS) < 5 * sqrt(DRAWS * q * (1 - q)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chances_are_those_asked_for),
        cmocka_unit_test(draws_follow_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
