/* Dense products against plain loops, the inverse against Gauss-Jordan in double precision; both
 * the same to the bit at any thread count. Eigenvectors by what defines them. */
#include "test.h"

#include "base/rng.h"
#include "math/dense.h"

#include <math.h>

static float *random_floats(struct rng *rng, size_t n)
{
    float *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(rng);
    return x;
}

static void check_gemm(size_t m, size_t n, size_t k, int transpose_b, struct pool *pool)
{
    struct rng rng;
    rng_init(&rng, m * 31 + n, k);
    size_t lda = k + 3, ldb = (transpose_b ? k : n) + 2, ldc = n + 1;
    float *A = random_floats(&rng, m * lda), *C = random_floats(&rng, m * ldc);
    float *B = random_floats(&rng, (transpose_b ? n : k) * ldb);
    float *was = malloc((m * ldc + 1) * sizeof *was);
    memcpy(was, C, m * ldc * sizeof *was);
    dense_gemm(m, n, k, 0.5f, A, lda, B, ldb, transpose_b, 2.0f, C, ldc, pool);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 2.0 * was[i * ldc + j];
            for (size_t x = 0; x < k; x++)
                sum += 0.5 * A[i * lda + x] * B[transpose_b ? j * ldb + x : x * ldb + j];
            assert_true(fabs(sum - C[i * ldc + j]) < 1e-3 * (1 + fabs(sum)));
        }
        assert_true(C[i * ldc + n] == was[i * ldc + n]); /* between the rows nothing changes */
    }
    free(A);
    free(B);
    free(C);
    free(was);
}

static void gemm_equals_plain_loops(void **state)
{
    (void)state;
    struct pal_error err;
    struct pool *pool;
    assert_ok(pool_new(2, &pool, &err), &err);
    for (int transpose_b = 0; transpose_b < 2; transpose_b++) {
        check_gemm(1, 1, 1, transpose_b, pool);
        check_gemm(7, 5, 3, transpose_b, NULL);
        check_gemm(300, 40, 9, transpose_b, pool);
        check_gemm(3, 2500, 4, transpose_b, pool);
        check_gemm(0, 5, 3, transpose_b, pool);
    }
    pool_free(pool);
}

/* A⁻¹ by Gauss-Jordan with the diagonal as pivots. */
static void naive_inverse(double *A, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double p = 1 / A[k * n + k];
        A[k * n + k] = 1;
        for (size_t j = 0; j < n; j++)
            A[k * n + j] *= p;
        for (size_t i = 0; i < n; i++) {
            double f = A[i * n + k];
            if (i == k)
                continue;
            A[i * n + k] = 0;
            for (size_t j = 0; j < n; j++)
                A[i * n + j] -= f * A[k * n + j];
        }
    }
}

static void check_inverse(size_t n)
{
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, n, 0);
    float *X = random_floats(&rng, (n + 5) * n), *A = malloc(n * n * sizeof *A);
    float *first = malloc(n * n * sizeof *first), *got = malloc(n * n * sizeof *got);
    double *want = malloc(n * n * sizeof *want);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = i == j ? (double)n / 4 : 0;
            for (size_t r = 0; r < n + 5; r++)
                sum += (double)X[r * n + i] * X[r * n + j];
            A[i * n + j] = (float)sum;
            want[i * n + j] = A[i * n + j];
        }
    naive_inverse(want, n);
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct pool *pool;
        assert_ok(pool_new(threads, &pool, &err), &err);
        for (size_t i = 0; i < n; i++) /* only the lower triangle is read */
            for (size_t j = 0; j < n; j++)
                got[i * n + j] = j <= i ? A[i * n + j] : NAN;
        assert_ok(dense_inverse(got, n, pool, NULL, NULL, &err), &err);
        pool_free(pool);
        if (threads == 1)
            memcpy(first, got, n * n * sizeof *got);
        assert_memory_equal(first, got, n * n * sizeof *got);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            assert_true(fabs(got[i * n + j] - want[i * n + j]) < 1e-4 * want[0]);
            assert_true(got[i * n + j] == got[j * n + i]);
        }
    free(X);
    free(A);
    free(first);
    free(got);
    free(want);
}

static void inverse_equals_gauss_jordan(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 2, 31, 32, 33, 64, 100, 129, 300, 545, 1100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_inverse(sizes[i]);
}

static void what_has_no_inverse_is_an_error(void **state)
{
    (void)state;
    struct pal_error err;
    float none[] = {1, 2, 2, 1}, nan[] = {NAN, 0, 0, 1}, inf[] = {1, 0, 0, INFINITY};
    assert_int_equal(dense_inverse(none, 2, NULL, NULL, NULL, &err), PAL_EUSAGE);
    assert_int_equal(dense_inverse(nan, 2, NULL, NULL, NULL, &err), PAL_EUSAGE);
    (void)!dense_inverse(inf, 2, NULL, NULL, NULL, &err); /* whatever it is, no crash */
    assert_ok(dense_inverse(none, 0, NULL, NULL, NULL, &err), &err);
}

static int stop_at(void *ctx, size_t done, size_t total)
{
    return done == *(size_t *)ctx;
}

static void can_be_stopped_and_starved(void **state)
{
    (void)state;
    struct pal_error err;
    float A[100 * 100] = {0};
    long live = mem_live();
    for (size_t i = 0; i < 100; i++)
        A[i * 101] = 2;
    size_t step = 2;
    assert_int_equal(dense_inverse(A, 100, NULL, stop_at, &step, &err), PAL_EINTERRUPTED);
    for (long at = 1; at <= 3; at++) {
        mem_fail_at(at);
        assert_int_equal(dense_inverse(A, 100, NULL, NULL, NULL, &err), PAL_ENOMEM);
    }
    mem_fail_at(0);
    assert_int_equal(mem_live(), live);
}

/* Rows V of length 1, at right angles, with A v = value v, ascending. rank < n: A has value 0 more
 * than once. */
static void check_eigen(size_t n, size_t rank)
{
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, n, rank);
    float *X = random_floats(&rng, rank * n), *A = malloc(n * n * sizeof *A);
    float *V = malloc(n * n * sizeof *V), *value = malloc(n * sizeof *value);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t r = 0; r < rank; r++)
                sum += (double)X[r * n + i] * X[r * n + j];
            V[i * n + j] = A[i * n + j] = (float)sum;
        }
    assert_ok(dense_eigen(V, n, value, &err), &err);
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || value[i] >= value[i - 1]);
        for (size_t j = 0; j < n; j++) {
            double product = 0, image = 0;
            for (size_t k = 0; k < n; k++) {
                product += (double)V[i * n + k] * V[j * n + k];
                image += (double)A[j * n + k] * V[i * n + k];
            }
            assert_true(fabs(product - (i == j)) < 1e-5);
            assert_true(fabs(image - (double)value[i] * V[i * n + j]) < 1e-5 * (value[n - 1] + 1));
        }
    }
    free(X);
    free(A);
    free(V);
    free(value);
}

static void eigenvectors_by_definition(void **state)
{
    check_eigen(1, 1);
    check_eigen(2, 3);
    check_eigen(17, 40);
    check_eigen(40, 9);
    check_eigen(64, 0);
    check_eigen(130, 300);
}

static void what_has_no_eigenvectors_is_an_error(void **state)
{
    struct pal_error err;
    float nan[] = {NAN, 0, 0, 1}, inf[] = {1, 0, 0, INFINITY}, good[] = {1, 0, 0, 2}, value[2];
    long live = mem_live();
    assert_int_equal(dense_eigen(nan, 2, value, &err), PAL_EUSAGE);
    assert_int_equal(dense_eigen(inf, 2, value, &err), PAL_EUSAGE);
    for (long at = 1; at <= 2; at++) {
        mem_fail_at(at);
        assert_int_equal(dense_eigen(good, 2, value, &err), PAL_ENOMEM);
    }
    mem_fail_at(0);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_equals_plain_loops),
        cmocka_unit_test(inverse_equals_gauss_jordan),
        cmocka_unit_test(what_has_no_inverse_is_an_error),
        cmocka_unit_test(can_be_stopped_and_starved),
        cmocka_unit_test(eigenvectors_by_definition),
        cmocka_unit_test(what_has_no_eigenvectors_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
