/* Cholesky: that UᵀU is the matrix again and that its solution agrees with Gaussian elimination in
 * double precision, for every variant of the kernels, all d from 1 to 130 and some larger, with and
 * without padding. Conjugate gradients in every variant: the exact solution after d steps of a d x
 * d system, and that no step moves away from it. */
#include "test.h"

#include "base/rng.h"
#include "math/kernels.h"
#include "math/solve.h"

#include <math.h>

static struct rng rng;

/* A (d, d) = MᵀM / d + I / 2, whole and symmetric: condition number about 10. */
static void random_spd(float *A, size_t d, size_t stride)
{
    double *M = mem_alloc(d * d, sizeof *M);
    for (size_t i = 0; i < d * d; i++)
        M[i] = rng_normal(&rng);
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) {
            double sum = i == j ? 0.5 * (double)d : 0;
            for (size_t k = 0; k < d; k++)
                sum += M[k * d + i] * M[k * d + j];
            A[i * stride + j] = A[j * stride + i] = (float)(sum / (double)d);
        }
    mem_free(M);
}

/* x = A⁻¹ b by elimination with row exchanges, in double precision. */
static void eliminate(const float *A, size_t d, size_t stride, const float *b, double *x)
{
    double *M = mem_alloc(d * (d + 1), sizeof *M);
    size_t w = d + 1;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < d; j++)
            M[i * w + j] = A[i * stride + j];
        M[i * w + d] = b[i];
    }
    for (size_t i = 0; i < d; i++) {
        size_t best = i;
        for (size_t r = i + 1; r < d; r++)
            if (fabs(M[r * w + i]) > fabs(M[best * w + i]))
                best = r;
        for (size_t c = 0; c <= d; c++) {
            double t = M[i * w + c];
            M[i * w + c] = M[best * w + c];
            M[best * w + c] = t;
        }
        for (size_t r = i + 1; r < d; r++) {
            double f = M[r * w + i] / M[i * w + i];
            for (size_t c = i; c <= d; c++)
                M[r * w + c] -= f * M[i * w + c];
        }
    }
    for (size_t i = d; i-- > 0;) {
        x[i] = M[i * w + d];
        for (size_t c = i + 1; c < d; c++)
            x[i] -= M[i * w + c] * x[c];
        x[i] /= M[i * w + i];
    }
    mem_free(M);
}

static double largest(const double *x, size_t n)
{
    double m = 0;
    for (size_t i = 0; i < n; i++)
        m = fmax(m, fabs(x[i]));
    return m;
}

/* The product UᵀU of a factor with reciprocals on its diagonal is A, on and above the diagonal. */
static void assert_product(const float *U, const float *A, size_t d, size_t stride)
{
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) {
            double sum = 0;
            for (size_t p = 0; p <= i; p++) {
                double up = p == i ? 1.0 / U[p * stride + p] : U[p * stride + i];
                double uj = p == j ? 1.0 / U[p * stride + p] : U[p * stride + j];
                sum += up * uj;
            }
            if (fabs(sum - A[i * stride + j]) > 3e-5)
                fail_msg("d = %zu: UᵀU(%zu, %zu) = %g, not %g", d, i, j, sum, A[i * stride + j]);
        }
}

static void check_system(size_t d, size_t stride)
{
    float *A = mem_alloc(d * stride, sizeof *A), *U = mem_alloc(d * stride, sizeof *U);
    float *b = mem_alloc(d + 1, sizeof *b);
    double *want = mem_alloc(d, sizeof *want);
    for (size_t i = 0; i < d * stride; i++)
        A[i] = 777;
    random_spd(A, d, stride);
    for (size_t i = 0; i < d; i++)
        b[i] = (float)rng_normal(&rng);
    eliminate(A, d, stride, b, want);
    memcpy(U, A, d * stride * sizeof *A);
    for (size_t i = 0; i < d; i++) /* what lies below the diagonal must not matter */
        for (size_t j = 0; j < i; j++)
            U[i * stride + j] = NAN;
    assert_int_equal(cholesky_factor(U, d, stride), 0);
    assert_product(U, A, d, stride);
    b[d] = 777;
    cholesky_solve(U, d, stride, b);
    for (size_t i = 0; i < d; i++)
        if (!(fabs(b[i] - want[i]) <= 2e-5 * (largest(want, d) + 1)))
            fail_msg("d = %zu: x[%zu] = %g, not %g", d, i, b[i], want[i]);
    assert_true(b[d] == 777);
    for (size_t i = 0; i < d; i++)
        for (size_t j = d; j < stride; j++)
            assert_true(U[i * stride + j] == 777);
    mem_free(A);
    mem_free(U);
    mem_free(b);
    mem_free(want);
}

static void each_variant(void (*check)(void))
{
    struct pal_error err;
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ok(kernels_use(all[i]->name, &err), &err);
        rng_init(&rng, 3, 1);
        check();
    }
    assert_ok(kernels_use("auto", &err), &err);
}

static void check_systems(void)
{
    for (size_t d = 1; d <= 130; d++)
        check_system(d, d % 2 ? d : solve_stride(d));
    check_system(192, solve_stride(192));
    check_system(255, 260);
    check_system(256, solve_stride(256));
}

static void cholesky_solves(void **state)
{
    each_variant(check_systems);
}

/* With one eigenvalue pushed below zero the factorization must say so, wherever it is. */
static void check_indefinite(void)
{
    enum { D = 70 };
    float A[D * D];
    for (size_t bad = 0; bad < D; bad++) {
        random_spd(A, D, D);
        A[bad * D + bad] = -0.01f;
        assert_int_equal(cholesky_factor(A, D, D), -1);
    }
    random_spd(A, D, D);
    A[3 * D + 3] = NAN;
    assert_int_equal(cholesky_factor(A, D, D), -1);
}

static void cholesky_refuses(void **state)
{
    each_variant(check_indefinite);
}

static void strides(void **state)
{
    for (size_t d = 1; d <= 1024; d++) {
        size_t stride = solve_stride(d);
        assert_true(stride >= d && stride < d + 32);
        assert_int_equal(stride % 16, 0);
        assert_true(stride % 64 != 0);
    }
}

static double distance(const float *x, const double *want, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += (x[i] - want[i]) * (x[i] - want[i]);
    return sqrt(sum);
}

/* A system of d unknowns and a preconditioner of any positive numbers. */
static void check_cg(size_t d)
{
    float A[70 * 70], b[70], x[71] = {0}, r[71], p[71], q[71], m[70], w[70];
    double want[70];
    random_spd(A, d, d);
    for (size_t i = 0; i < d; i++) {
        b[i] = (float)rng_normal(&rng);
        q[i] = -b[i];
        m[i] = 0.5f + (float)rng_real(&rng);
        w[i] = 1 / m[i];
    }
    x[d] = r[d] = p[d] = q[d] = 777;
    eliminate(A, d, d, b, want);
    float rz = cg_begin(d, r, p, q, w);
    for (size_t i = 0; i < d; i++) {
        assert_true(r[i] == b[i]);
        assert_true(fabsf(p[i] - b[i] * w[i]) <= 1e-6f * fabsf(p[i]));
    }
    double before = distance(x, want, d);
    for (size_t step = 0; step < d + 5; step++) { /* some more, because of rounding */
        double product = 0;
        for (size_t i = 0; i < d; i++) {
            product += (double)r[i] * r[i] * w[i];
            if (rz > 1e-20f) /* else the step was not taken */
                assert_true(fabsf(q[i] - m[i] * p[i]) <= 1e-6f * fabsf(q[i]));
        }
        assert_true(fabs(rz - product) <= 1e-5 * product + 1e-30);
        kernels()->gemv(A, d, d, d, p, q);
        rz = cg_step(d, rz, x, r, p, q, m, w);
        double now = distance(x, want, d); /* the error falls in every step (Hestenes, Stiefel) */
        assert_true(now <= before + 1e-5);
        before = now;
        for (size_t i = 0; i < d; i++) /* r is still the residual */
            assert_true(fabsf(b[i] - kernels()->dot(A + i * d, x, d) - r[i]) < 1e-4f);
    }
    assert_true(before <= 2e-5 * (largest(want, d) + 1));
    assert_true(x[d] == 777 && r[d] == 777 && p[d] == 777 && q[d] == 777);
    float still[70];
    memcpy(still, x, d * sizeof *x);
    memset(p, 0, sizeof p);
    assert_true(cg_step(d, 0, x, r, p, q, m, w) == 0); /* nothing left to do: no 0 / 0 */
    assert_memory_equal(still, x, d * sizeof *x);
}

static void check_all_cg(void)
{
    for (size_t d = 1; d <= 70; d++)
        check_cg(d);
}

static void conjugate_gradients(void **state)
{
    each_variant(check_all_cg);
}

/* The last step moves x as a whole one does, from the curvature alone. */
static void last_step(void **state)
{
    enum { D = 24 };
    float A[D * D], x[D] = {0}, same[D] = {0}, r[D], p[D], q[D], m[D], w[D];
    rng_init(&rng, 6, 1);
    random_spd(A, D, D);
    for (size_t i = 0; i < D; i++) {
        q[i] = (float)rng_normal(&rng);
        m[i] = w[i] = 1;
    }
    float rz = cg_begin(D, r, p, q, w);
    kernels()->gemv(A, D, D, D, p, q);
    cg_last_step(D, rz, kernels()->dot(p, q, D), same, p);
    cg_step(D, rz, x, r, p, q, m, w);
    for (size_t i = 0; i < D; i++)
        assert_true(x[i] != 0 && fabsf(x[i] - same[i]) <= 1e-6f * fabsf(x[i]));
    memcpy(same, x, sizeof x);
    cg_last_step(D, rz, 0, same, p);        /* no curvature, */
    cg_last_step(D, INFINITY, 1, same, p);  /* no length: */
    assert_memory_equal(same, x, sizeof x); /* stays */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cholesky_solves), cmocka_unit_test(cholesky_refuses),
        cmocka_unit_test(strides),         cmocka_unit_test(conjugate_gradients),
        cmocka_unit_test(last_step),
    };
    return cmocka_run_group_tests_name("math/solve", tests, NULL, NULL);
}
