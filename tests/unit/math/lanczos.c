/* Eigenvectors of AᵀA by Lanczos against LAPACK's of the dense matrix: all of them where the basis
 * is complete, also with repeated and with missing ones; the largest where it is not. */
#include "test.h"

#include "base/rng.h"
#include "math/csr.h"
#include "math/lanczos.h"

#include <math.h>
#include <stdbool.h>

/* Random, with `groups` groups of rows and columns that belong together; twins: every column of the
 * first group occurs again in the second, so that eigenvalues repeat. */
static struct csr grouped(uint32_t rows, uint32_t cols, uint32_t groups, double noise, bool twins)
{
    struct pal_error err;
    struct rng rng;
    struct csr m;
    rng_init(&rng, rows, cols);
    assert_ok(csr_alloc(&m, rows, cols, (uint64_t)rows * cols, &err), &err);
    uint64_t n = 0;
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < cols; c++) {
            bool own = r % groups == c % groups;
            double p = own ? 0.5 / (1 + r % groups) : noise;
            if (twins ? own && (r / groups + c / groups) % 3 == 0 : rng_real(&rng) < p) {
                m.col[n] = c;
                m.val[n++] = twins ? 1 : (float)(1 + 0.3 * rng_normal(&rng));
            }
        }
        m.start[r + 1] = n;
    }
    return m;
}

/* LAPACK's, in (cols, cols): rows by ascending value. */
static float *dense_of(const struct csr *A, float *value)
{
    struct pal_error err;
    size_t n = A->cols;
    float *G = malloc(n * n * sizeof *G);
    assert_ok(csr_gram(A, G, NULL, &err), &err);
    assert_ok(dense_eigen(G, n, value, &err), &err);
    return G;
}

/* |AᵀA v - x v| */
static double residual(const struct csr *A, const float *v, double x)
{
    double *out = calloc(A->cols, sizeof *out), sum = 0;
    for (uint32_t r = 0; r < A->rows; r++) {
        double y = 0;
        for (uint64_t e = A->start[r]; e < A->start[r + 1]; e++)
            y += (double)A->val[e] * v[A->col[e]];
        for (uint64_t e = A->start[r]; e < A->start[r + 1]; e++)
            out[A->col[e]] += y * A->val[e];
    }
    for (uint32_t c = 0; c < A->cols; c++)
        sum += pow(out[c] - x * v[c], 2);
    free(out);
    return sqrt(sum);
}

/* The first `exact` of k pairs are eigenpairs, and of the largest values. */
static void check(struct csr A, size_t k, size_t exact, double tolerance)
{
    struct pal_error err;
    struct csr T;
    size_t n = A.cols, found = 0, rank = 0;
    float *value = malloc(k * sizeof *value), *V = malloc(k * n * sizeof *V), *first = NULL;
    float *want = malloc(n * sizeof *want), *dense = dense_of(&A, want);
    assert_ok(csr_transpose(&A, &T, &err), &err);
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct pool *pool;
        assert_ok(pool_new(threads, &pool, &err), &err);
        assert_ok(lanczos(&A, &T, k, 5, pool, NULL, NULL, value, V, &found, &err), &err);
        pool_free(pool);
        if (!first) {
            first = malloc(k * n * sizeof *first);
            memcpy(first, V, found * n * sizeof *V);
        }
        assert_memory_equal(first, V, found * n * sizeof *V);
    }
    while (rank < n && want[n - 1 - rank] > 1e-4f * want[n - 1])
        rank++;
    assert_true(found <= k && found >= (rank < exact ? rank : exact));
    for (size_t i = 0; i < found; i++) {
        assert_true(i == 0 || value[i] <= value[i - 1]);
        for (size_t j = 0; j <= i; j++) {
            double dot = 0;
            for (size_t c = 0; c < n; c++)
                dot += (double)V[i * n + c] * V[j * n + c];
            assert_true(fabs(dot - (i == j)) < 1e-4);
        }
        if (i < exact && i < rank) {
            assert_true(fabs(value[i] - want[n - 1 - i]) < tolerance * want[n - 1]);
            assert_true(residual(&A, V + i * n, value[i]) < 30 * tolerance * want[n - 1]);
        }
    }
    csr_done(&A);
    csr_done(&T);
    free(value);
    free(V);
    free(first);
    free(want);
    free(dense);
}

static void all_of_a_small_matrix(void **state)
{
    (void)state;
    check(grouped(1, 1, 1, 1, true), 1, 1, 1e-5);
    check(grouped(50, 30, 3, 0.05, false), 30, 30, 1e-5);
    check(grouped(20, 60, 3, 0.05, false), 60, 20, 1e-5); /* rank 20 */
    check(grouped(200, 90, 5, 0.02, false), 40, 40, 1e-5);
}

static void repeated_values(void **state)
{
    (void)state;
    check(grouped(120, 80, 8, 0, true), 20, 20, 1e-5); /* eight blocks that are alike */
}

static void the_largest_of_many(void **state)
{
    (void)state;
    check(grouped(900, 700, 12, 0.01, false), 12, 12, 1e-5);
    check(grouped(900, 700, 12, 0.01, false), 60, 20, 1e-3);
}

static int stop_at(void *ctx, size_t done, size_t total)
{
    assert_true(done < total);
    return done == *(size_t *)ctx;
}

static void may_be_stopped_and_may_fail(void **state)
{
    (void)state;
    struct pal_error err;
    struct csr T, A = grouped(60, 200, 4, 0.05, false);
    float value[20], *V = malloc(20 * 200 * sizeof *V);
    size_t found;
    assert_ok(csr_transpose(&A, &T, &err), &err);
    long live = mem_live();
    for (size_t at = 0; at < 2; at++) {
        assert_int_equal(lanczos(&A, &T, 20, 1, NULL, stop_at, &at, value, V, &found, &err),
                         PAL_EINTERRUPTED);
        assert_int_equal(mem_live(), live);
    }
    for (long at = 1;; at++) {
        mem_fail_at(at);
        enum pal_status st = lanczos(&A, &T, 20, 1, NULL, NULL, NULL, value, V, &found, &err);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
        if (st == PAL_OK) {
            assert_true(at > 9);
            break;
        }
        assert_int_equal(st, PAL_ENOMEM);
    }
    csr_done(&A);
    csr_done(&T);
    free(V);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_small_matrix),
        cmocka_unit_test(repeated_values),
        cmocka_unit_test(the_largest_of_many),
        cmocka_unit_test(may_be_stopped_and_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
