/* Draws against what theory says of their moments: gamma variates, normal noise of a given
 * precision, and the Normal–Wishart draw, whose mean precision is (degrees of freedom) times the
 * inverse of the scatter, worked out here by Gauss–Jordan. */
#include "test.h"

#include "model/gaussian.h"

#include <math.h>

enum { D = 4, DRAWS = 40000 };

/* A (D, D) becomes its inverse. */
static void invert(double A[D][D])
{
    double B[D][D] = {{0}};
    for (int i = 0; i < D; i++)
        B[i][i] = 1;
    for (int p = 0; p < D; p++) {
        double by = 1 / A[p][p];
        for (int j = 0; j < D; j++) {
            A[p][j] *= by;
            B[p][j] *= by;
        }
        for (int i = 0; i < D; i++) {
            double x = A[i][p];
            for (int j = 0; i != p && j < D; j++) {
                A[i][j] -= x * A[p][j];
                B[i][j] -= x * B[p][j];
            }
        }
    }
    memcpy(A, B, sizeof B);
}

static void about(const char *what, double got, double want, double by)
{
    if (!(fabs(got - want) <= by))
        fail_msg("%s: %g, not %g within %g", what, got, want, by);
}

static void gamma_has_its_moments(void **state)
{
    (void)state;
    const double shapes[] = {0.3, 1, 7.5, 4000};
    for (int k = 0; k < 4; k++) {
        struct rng rng;
        double a = shapes[k], sum = 0, squares = 0;
        rng_init(&rng, 5, (uint64_t)k);
        for (int i = 0; i < DRAWS; i++) {
            double x = gamma_draw(a, &rng);
            assert_true(x >= 0);
            sum += x;
            squares += (x - a) * (x - a);
        }
        about("mean", sum / DRAWS, a, 5 * sqrt(a / DRAWS));
        /* the variance of (x - a)² is 2 a² + 6 a */
        about("variance", squares / DRAWS, a, 5 * sqrt((2 * a * a + 6 * a) / DRAWS));
    }
}

/* n vectors with means and covariances of their own, as moments; more: the scatter of 3 others. */
static void make(double n, struct moments *m, double sum[D], double squares[D * D],
                 double more[D * D])
{
    struct rng rng;
    rng_init(&rng, 9, 0);
    *m = (struct moments){n, sum, squares};
    memset(sum, 0, D * sizeof *sum);
    memset(squares, 0, D * D * sizeof *squares);
    memset(more, 0, D * D * sizeof *more);
    for (int i = 0; i < n + 3; i++) {
        double x[D], shared = rng_normal(&rng);
        for (int a = 0; a < D; a++)
            x[a] = 0.3 * a + shared * (a == 1) + 0.4 * (a + 1) * rng_normal(&rng) + 0.5 * shared;
        for (int a = 0; a < D; a++) {
            sum[a] += i < n ? x[a] : 0;
            for (int b = a; b < D; b++)
                (i < n ? squares : more)[a * D + b] += x[a] * x[b];
        }
    }
}

static void draws_have_their_moments(void **state)
{
    (void)state;
    enum { N = 12 };
    struct pal_error err;
    struct gaussian g;
    struct moments m;
    struct rng rng;
    double sum[D], squares[D * D], more[D * D], S[D][D];
    double precision[D][D] = {{0}}, mean[D] = {0};
    make(N, &m, sum, squares, more);
    assert_ok(gaussian_init(&g, D, 1, &err), &err);
    rng_init(&rng, 1, 1);
    for (int i = 0; i < DRAWS; i++) {
        gaussian_draw(&g, &m, more, 3, 0.7, &rng);
        for (int a = 0; a < D; a++) {
            mean[a] += g.mean[a] / DRAWS;
            for (int b = 0; b < D; b++)
                precision[a][b] += g.precision[a * D + b] / DRAWS;
        }
    }
    for (int a = 0; a < D; a++)
        for (int b = a; b < D; b++)
            S[a][b] = S[b][a] = squares[a * D + b] + more[a * D + b] - sum[a] * sum[b] / (N + 2) +
                                (a == b ? 0.7 : 0);
    invert(S);
    double freedom = D + N + 3;
    for (int a = 0; a < D; a++) {
        about("mean", mean[a], sum[a] / (N + 2), 0.02);
        for (int b = 0; b < D; b++) { /* variance of W_ab: ν (S_ab² + S_aa S_bb) */
            double v = freedom * (S[a][b] * S[a][b] + S[a][a] * S[b][b]);
            about("precision", precision[a][b], freedom * S[a][b], 5 * sqrt(v / DRAWS));
        }
    }
    gaussian_done(&g);
}

/* L Lᵀ is the precision, and what gaussian_noise draws has its inverse as covariance. */
static void noise_has_the_precision(void **state)
{
    (void)state;
    struct pal_error err;
    struct gaussian g;
    struct moments m;
    struct rng rng;
    double sum[D], squares[D * D], more[D * D], want[D][D], got[D][D] = {{0}};
    make(50, &m, sum, squares, more);
    assert_ok(gaussian_init(&g, D, 1, &err), &err);
    rng_init(&rng, 2, 2);
    gaussian_draw(&g, &m, NULL, 0, 1, &rng);
    for (int a = 0; a < D; a++)
        for (int b = 0; b < D; b++) {
            double x = 0;
            for (int k = 0; k <= a && k <= b; k++)
                x += g.root[a * D + k] * g.root[b * D + k];
            about("root", x, g.precision[a * D + b], 1e-9 * (1 + fabs(x)));
            want[a][b] = g.precision[a * D + b];
        }
    invert(want);
    for (int i = 0; i < DRAWS; i++) {
        double x[D];
        gaussian_noise(&g, &rng, x);
        for (int a = 0; a < D; a++)
            for (int b = 0; b < D; b++)
                got[a][b] += x[a] * x[b] / DRAWS;
    }
    for (int a = 0; a < D; a++)
        for (int b = 0; b < D; b++) {
            double v = want[a][b] * want[a][b] + want[a][a] * want[b][b];
            about("covariance", got[a][b], want[a][b], 5 * sqrt(v / DRAWS));
        }
    gaussian_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gamma_has_its_moments),
        cmocka_unit_test(draws_have_their_moments),
        cmocka_unit_test(noise_has_the_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
