/* The k best against a full sort, over lengths around the scan's block, with ties, infinities and
 * NaN, in random, rising and falling order. */
#include "test.h"

#include "base/rng.h"
#include "math/topk.h"

#include <math.h>
#include <stdbool.h>

static int naive_order(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static size_t naive(const float *scores, size_t n, size_t k, struct scored *out)
{
    struct scored *all = malloc((n + 1) * sizeof *all);
    size_t held = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(scores[i]) && scores[i] != -INFINITY)
            all[held++] = (struct scored){(uint32_t)i, scores[i]};
    qsort(all, held, sizeof *all, naive_order);
    if (held > k)
        held = k;
    memcpy(out, all, held * sizeof *all);
    free(all);
    return held;
}

static void check(const float *scores, size_t n, size_t k)
{
    struct scored *want = malloc((k + 1) * sizeof *want), *got = malloc((k + 1) * sizeof *got);
    got[k].index = 4711; /* nothing is written past k */
    size_t m = naive(scores, n, k, want);
    assert_int_equal(topk(scores, n, k, got), m);
    for (size_t i = 0; i < m; i++) {
        assert_int_equal(got[i].index, want[i].index);
        assert_true(got[i].score == want[i].score);
    }
    assert_int_equal(got[k].index, 4711);
    free(want);
    free(got);
}

static void equals_a_full_sort(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7, 0);
    const size_t lengths[] = {0, 1, 2, 31, 32, 33, 63, 64, 65, 100, 1000, 4099, 20001};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (int kind = 0; kind < 6; kind++) {
            size_t n = lengths[l];
            float *scores = malloc((n + 1) * sizeof *scores);
            for (size_t i = 0; i < n; i++) {
                float x = (float)rng_real(&rng);
                float few = (float)rng_below(&rng, 4); /* many ties */
                float odd = rng_below(&rng, 3) == 0 ? NAN : rng_below(&rng, 3) ? -INFINITY : x;
                const float kinds[] = {x, few, odd, (float)i, -(float)i, INFINITY};
                scores[i] = kinds[kind];
            }
            const size_t ks[] = {0, 1, 2, 10, 12, 33, 101, n / 2, n, n + 5};
            for (size_t k = 0; k < sizeof ks / sizeof ks[0]; k++)
                check(scores, n, ks[k]);
            free(scores);
        }
}

static void hides_what_is_skipped(void **state)
{
    (void)state;
    float scores[37], hidden[37];
    uint8_t skip[37];
    for (size_t i = 0; i < 37; i++) {
        scores[i] = (float)i - 3;
        skip[i] = i % 3 == 0 ? (uint8_t)(i + 1) : 0;
    }
    topk_hide(scores, skip, 37, hidden);
    topk_hide(scores, skip, 37, scores);
    for (size_t i = 0; i < 37; i++) {
        assert_true(hidden[i] == (i % 3 == 0 ? -INFINITY : (float)i - 3));
        assert_true(scores[i] == hidden[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_a_full_sort),
                                       cmocka_unit_test(hides_what_is_skipped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
