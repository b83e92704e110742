/* The best rows found through bytes against the best of all exact products: the same rows, scores
 * and order, to the bit, in every variant, over random and awkward matrices. */
#include "test.h"

#include "base/rng.h"
#include "math/kernels.h"
#include "math/quantized.h"

#include <math.h>

enum { MOST_ROWS = 5003, MOST_K = 200, MOST_COLS = 128 };

static struct rng rng;
static struct pal_error err;
static float A[MOST_ROWS * MOST_COLS], x[MOST_COLS], divisor[MOST_ROWS], scores[MOST_ROWS];
static uint8_t skip[MOST_ROWS];

typedef void fill_fn(float *A, size_t rows, size_t cols);

static void fill_normal(float *m, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows * cols; i++)
        m[i] = (float)rng_normal(&rng);
}

/* Lengths from 1e-6 to 1e6, as popularity gives them, only more so. */
static void fill_lengths(float *m, size_t rows, size_t cols)
{
    fill_normal(m, rows, cols);
    for (size_t r = 0; r < rows; r++) {
        float by = (float)exp(28 * rng_real(&rng) - 14);
        for (size_t c = 0; c < cols; c++)
            m[r * cols + c] *= by;
    }
}

/* Few different rows: ties everywhere, in order of number. */
static void fill_ties(float *m, size_t rows, size_t cols)
{
    fill_normal(m, rows < 9 ? rows : 9, cols);
    for (size_t r = 9; r < rows; r++)
        memcpy(m + r * cols, m + r % 9 * cols, cols * sizeof *m);
}

/* All alike but for the last bits: more candidates than any bound can tell apart. */
static void fill_alike(float *m, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows * cols; i++)
        m[i] = 1 + 1e-6f * (float)rng_normal(&rng);
}

/* One large number in a row leaves the others a byte's lowest bit. */
static void fill_spikes(float *m, size_t rows, size_t cols)
{
    fill_normal(m, rows, cols);
    for (size_t r = 0; r < rows; r++)
        m[r * cols + rng_below(&rng, cols)] = r % 3 ? 300.0f : -1e4f;
}

static void fill_zeros(float *m, size_t rows, size_t cols)
{
    memset(m, 0, rows * cols * sizeof *m);
    for (size_t r = 0; r < rows; r += 5)
        m[r * cols] = r % 2 ? 1 : -1;
}

/* Numbers next to nothing and beyond what floats' products hold. */
static void fill_extremes(float *m, size_t rows, size_t cols)
{
    static const float some[] = {1e-42f, -1e-38f, 1e-25f, 1e-12f, -3, 0, 1e10f};
    for (size_t i = 0; i < rows * cols; i++)
        m[i] = some[rng_below(&rng, 7)] * (float)rng_real(&rng);
}

static void check(const struct quantized *q, size_t cols, const uint8_t *skipped, size_t k,
                  bool must)
{
    struct scored want[MOST_K], got[MOST_K];
    struct arena tmp = {0};
    size_t count = 0, wanted;
    bool done;
    kernels()->gemv(A, q->rows, cols, cols, x, scores);
    for (uint32_t i = 0; i < q->rows; i++) {
        if (q->divisor)
            scores[i] = q->divisor[i] > 0 ? scores[i] / q->divisor[i] : 0;
        scores[i] = skipped && skipped[i] ? -INFINITY : scores[i];
    }
    wanted = topk(scores, q->rows, k, want);
    assert_ok(quantized_top(q, A, x, skipped, k, &tmp, got, &count, &done, &err), &err);
    assert_true(done || !must);
    if (done) {
        assert_int_equal(count, wanted);
        for (size_t i = 0; i < count; i++)
            if (got[i].index != want[i].index || got[i].score != want[i].score)
                fail_msg("%u rows of %zu, k %zu: place %zu is %u (%a), not %u (%a)", q->rows, cols,
                         k, i, got[i].index, got[i].score, want[i].index, want[i].score);
    }
    arena_done(&tmp);
}

static void check_matrix(uint32_t rows, size_t cols, bool must)
{
    static const size_t ks[] = {1, 2, 7, 10, 100, MOST_K};
    struct quantized q, divided;
    assert_ok(quantized_init(&q, A, rows, cols, &err), &err);
    for (uint32_t i = 0; i < rows; i++) {
        divisor[i] = i % 37 ? sqrtf(kernels()->dot(A + i * cols, A + i * cols, cols)) : 0;
        skip[i] = rng_below(&rng, 3) == 0;
    }
    assert_ok(quantized_divided(&divided, &q, divisor, &err), &err);
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < cols; i++)
            x[i] = (float)rng_normal(&rng) * (turn == 1 ? 1e-7f : 3);
        if (turn == 2) /* a row of its own: what similar asks */
            memcpy(x, A + rng_below(&rng, rows) * cols, cols * sizeof *x);
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
            bool room = ks[i] <= rows / 48;
            check(&q, cols, NULL, ks[i], must && room);
            check(&q, cols, skip, ks[i], must && room && rows > 1000);
            check(&divided, cols, turn ? skip : NULL, ks[i], false);
        }
    }
    quantized_done(&q);
    quantized_done(&divided);
}

static void every_variant(void **state)
{
    static const struct {
        fill_fn *fill;
        bool must; /* not be declined */
    } fills[] = {{fill_normal, true},   {fill_lengths, true}, {fill_ties, true},
                 {fill_alike, true},    {fill_spikes, true},  {fill_zeros, false},
                 {fill_extremes, false}};
    static const size_t cols[] = {1, 4, 31, 64, 128};
    static const uint32_t rows[] = {1, 15, 100, 1600, MOST_ROWS};
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    for (size_t v = 0; v < n; v++) {
        assert_ok(kernels_use(all[v]->name, &err), &err);
        for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++)
            for (size_t c = 0; c < sizeof cols / sizeof cols[0]; c++)
                for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
                    rng_init(&rng, f, c * 8 + r);
                    fills[f].fill(A, rows[r], cols[c]);
                    check_matrix(rows[r], cols[c], fills[f].must);
                }
    }
    assert_ok(kernels_use("auto", &err), &err);
}

/* Whole numbers and 127 in the first column, so that the scale is 1, and 0.49 more in every column
 * of odd rows, less in even ones: rounding loses 31 of each product with ones. By what is left even
 * rows are 31 ahead; in truth they are on a par. */
static void fill_rows_that_lose(size_t rows, size_t cols)
{
    for (size_t c = 0; c < cols; c++)
        x[c] = 127;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            float whole = (float)rng_below(&rng, 3);
            A[r * cols + c] = c == 0 ? 127 : r % 2 ? whole + 0.49f : whole + (float)(c % 2) - 0.49f;
        }
}

/* The same the other way round: x is 0.49 off whole numbers, now up, now down; odd rows go along
 * with that, even ones against it. */
static void fill_for_x_that_loses(size_t rows, size_t cols)
{
    for (size_t c = 0; c < cols; c++)
        x[c] = c == 0 ? 127 : c % 2 ? 50.49f : 49.51f;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            float whole = (float)rng_below(&rng, 2), along = c == cols - 1 ? 0 : c % 2 ? 60 : -60;
            A[r * cols + c] = c == 0  ? 127
                              : r % 2 ? whole + along
                                      : whole - along + 1 + (c % 6 == 0);
        }
}

static void rounding_conspires(void **state)
{
    enum { ROWS = 3200, COLS = 64 };
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    for (int of_x = 0; of_x < 2; of_x++)
        for (size_t v = 0; v < n; v++) {
            struct quantized q;
            rng_init(&rng, 4, (uint64_t)of_x);
            assert_ok(kernels_use(all[v]->name, &err), &err);
            (of_x ? fill_for_x_that_loses : fill_rows_that_lose)(ROWS, COLS);
            assert_ok(quantized_init(&q, A, ROWS, COLS, &err), &err);
            check(&q, COLS, NULL, 40, true);
            check(&q, COLS, NULL, 1, true);
            quantized_done(&q);
        }
    assert_ok(kernels_use("auto", &err), &err);
}

/* Everything skipped but a few: found, or left to the caller; never others. */
static void next_to_everything_skipped(void **state)
{
    struct quantized q;
    rng_init(&rng, 2, 2);
    fill_normal(A, 3000, 16);
    fill_normal(x, 1, 16);
    assert_ok(quantized_init(&q, A, 3000, 16, &err), &err);
    memset(skip, 1, sizeof skip);
    check(&q, 16, skip, 5, false);
    skip[2999] = skip[7] = 0;
    check(&q, 16, skip, 5, false);
    check(&q, 16, skip, 1, true);
    check(&q, 16, skip, 2, true);
    quantized_done(&q);
}

/* What a user has seen are the rows with the best products: from none of them to more than are
 * allowed for, among rows of one length and of many. */
static void the_best_are_skipped(void **state)
{
    static const size_t seen[] = {1, 30, 60, 64, 65, 120, 400};
    struct scored best[400];
    rng_init(&rng, 4, 2);
    for (int turn = 0; turn < 6; turn++) {
        struct quantized q;
        if (turn % 2)
            fill_lengths(A, MOST_ROWS, 32);
        else
            fill_normal(A, MOST_ROWS, 32);
        fill_normal(x, 1, 32);
        assert_ok(quantized_init(&q, A, MOST_ROWS, 32, &err), &err);
        kernels()->gemv(A, MOST_ROWS, 32, 32, x, scores);
        assert_int_equal(topk(scores, MOST_ROWS, 400, best), 400);
        for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
            memset(skip, 0, sizeof skip);
            for (size_t j = 0; j < seen[i]; j++)
                skip[best[j].index] = 1;
            check(&q, 32, skip, 1, turn % 2 == 0);
            check(&q, 32, skip, 100, turn % 2 == 0);
        }
        quantized_done(&q);
    }
}

static void a_quarter_of_the_memory(void **state)
{
    assert_true(quantized_bytes(20000, 64, false) < 20000 * 64 * 4 / 2);
    assert_true(quantized_bytes(20000, 64, false) >= 20000 * (64 + 12));
    assert_true(quantized_bytes(20000, 64, true) < 20000 * 16);
}

static void memory_runs_out(void **state)
{
    long before = mem_live();
    fill_normal(A, 3000, 16);
    fill_normal(x, 1, 16);
    for (long n = 1; n < 100; n++) {
        struct quantized q = {0}, divided = {0};
        struct arena tmp = {0};
        struct scored out[5];
        size_t count;
        bool done;
        for (uint32_t i = 0; i < 3000; i++)
            divisor[i] = 1;
        mem_fail_at(n);
        enum pal_status st = quantized_init(&q, A, 3000, 16, &err);
        if (st == PAL_OK)
            st = quantized_divided(&divided, &q, divisor, &err);
        if (st == PAL_OK)
            st = quantized_top(&divided, A, x, NULL, 5, &tmp, out, &count, &done, &err);
        mem_fail_at(0);
        assert_true(st == PAL_OK || st == PAL_ENOMEM);
        quantized_done(&divided);
        quantized_done(&q);
        arena_done(&tmp);
        assert_int_equal(mem_live(), before);
        if (st == PAL_OK) {
            assert_true(n > 8);
            return;
        }
    }
    fail_msg("no end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variant),
        cmocka_unit_test(rounding_conspires),
        cmocka_unit_test(next_to_everything_skipped),
        cmocka_unit_test(the_best_are_skipped),
        cmocka_unit_test(a_quarter_of_the_memory),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests_name("math/quantized", tests, NULL, NULL);
}
