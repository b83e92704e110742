/* Sparse matrices against dense ones: transposition, and AᵀA summed in double precision. */
#include "test.h"

#include "base/rng.h"
#include "math/csr.h"

#include <math.h>
#include <stdbool.h>

/* A random matrix with about one entry in `sparse`, dense beside it in *full. */
static struct csr random_csr(uint32_t rows, uint32_t cols, unsigned sparse, bool binary,
                             float **full)
{
    struct pal_error err;
    struct rng rng;
    struct csr m;
    rng_init(&rng, rows, cols);
    *full = calloc((size_t)rows * cols + 1, sizeof **full);
    assert_ok(csr_alloc(&m, rows, cols, (uint64_t)rows * cols, &err), &err);
    uint64_t n = 0;
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < cols; c++)
            if (rng_below(&rng, sparse) == 0) {
                float v = binary ? 1.0f : (float)rng_normal(&rng);
                (*full)[(size_t)r * cols + c] = v;
                m.col[n] = c;
                m.val[n++] = v;
            }
        m.start[r + 1] = n;
    }
    return m;
}

static void transposes(void **state)
{
    (void)state;
    struct pal_error err;
    const uint32_t sizes[][2] = {{1, 1}, {5, 3}, {0, 4}, {4, 0}, {60, 90}, {200, 17}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        float *full;
        struct csr t, m = random_csr(sizes[s][0], sizes[s][1], 4, false, &full);
        assert_ok(csr_transpose(&m, &t, &err), &err);
        assert_int_equal(t.rows, m.cols);
        assert_int_equal(t.cols, m.rows);
        assert_int_equal(csr_entries(&t), csr_entries(&m));
        for (uint32_t r = 0; r < t.rows; r++)
            for (uint64_t i = t.start[r]; i < t.start[r + 1]; i++) {
                assert_true(i == t.start[r] || t.col[i] > t.col[i - 1]);
                assert_true(t.val[i] == full[(size_t)t.col[i] * m.cols + r]);
            }
        csr_done(&m);
        csr_done(&t);
        free(full);
    }
}

/* By entries it is the same, less the zeros; sums run in the same order, so to the bit. */
static void check_entries(const struct csr *m, const float *G, struct pool *pool)
{
    struct pal_error err;
    struct csr by_entry;
    uint64_t filled = 0;
    assert_ok(csr_gram_sparse(m, &by_entry, pool, &err), &err);
    assert_int_equal(by_entry.rows, m->cols);
    assert_int_equal(by_entry.cols, m->cols);
    for (size_t i = 0; i < (size_t)m->cols * m->cols; i++)
        filled += G[i] != 0;
    assert_int_equal(csr_entries(&by_entry), filled);
    for (uint32_t i = 0; i < by_entry.rows; i++)
        for (uint64_t e = by_entry.start[i]; e < by_entry.start[i + 1]; e++) {
            assert_true(e == by_entry.start[i] || by_entry.col[e] > by_entry.col[e - 1]);
            assert_true(by_entry.val[e] == G[(size_t)i * m->cols + by_entry.col[e]]);
        }
    csr_done(&by_entry);
}

static void check_gram(uint32_t rows, uint32_t cols, unsigned sparse, bool binary)
{
    struct pal_error err;
    float *full, *first = malloc((size_t)cols * cols * sizeof *first + 1);
    float *G = malloc((size_t)cols * cols * sizeof *G + 1);
    struct csr m = random_csr(rows, cols, sparse, binary, &full);
    assert_true(csr_is_binary(&m) == (binary || csr_entries(&m) == 0));
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct pool *pool;
        assert_ok(pool_new(threads, &pool, &err), &err);
        memset(G, 0xff, (size_t)cols * cols * sizeof *G); /* NaN: all of it must be written */
        assert_ok(csr_gram(&m, G, pool, &err), &err);
        if (threads == 1)
            memcpy(first, G, (size_t)cols * cols * sizeof *G);
        assert_memory_equal(first, G, (size_t)cols * cols * sizeof *G);
        check_entries(&m, G, pool);
        pool_free(pool);
    }
    for (uint32_t i = 0; i < cols; i++)
        for (uint32_t j = 0; j < cols; j++) {
            double sum = 0;
            for (uint32_t r = 0; r < rows; r++)
                sum += (double)full[(size_t)r * cols + i] * full[(size_t)r * cols + j];
            assert_true(fabs(sum - G[(size_t)i * cols + j]) <= 1e-4 * (1 + fabs(sum)));
        }
    csr_done(&m);
    free(full);
    free(G);
    free(first);
}

static void gram_equals_the_dense_product(void **state)
{
    (void)state;
    check_gram(1, 1, 1, true);
    check_gram(0, 5, 1, true);
    check_gram(30, 7, 2, true);
    check_gram(30, 7, 2, false);
    check_gram(200, 65, 5, false);
    check_gram(100, 130, 10, true);
    check_gram(100, 199, 1, true);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct pal_error err;
    float *full, G[9];
    struct csr t, m = random_csr(8, 3, 2, false, &full);
    long live = mem_live();
    for (long at = 1; at <= 3; at++) {
        mem_fail_at(at);
        assert_int_equal(csr_transpose(&m, &t, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    for (long at = 1; at <= 4; at++) {
        mem_fail_at(at);
        assert_int_equal(csr_gram(&m, G, NULL, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    for (long at = 1; at <= 8; at++) {
        mem_fail_at(at);
        assert_int_equal(csr_gram_sparse(&m, &t, NULL, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    mem_fail_at(0);
    csr_done(&m);
    free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transposes),
        cmocka_unit_test(gram_equals_the_dense_product),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
