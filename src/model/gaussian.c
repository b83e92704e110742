/* See gaussian.h. A Wishart matrix is drawn by Bartlett's decomposition: with C Cᵀ the inverse of
 * its scale matrix and A a lower triangle of normal variates whose diagonal holds roots of χ²
 * variates, it is G Gᵀ for G = C⁻ᵀ A. */
#include "model/gaussian.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static const double strength = 2; /* vectors that the prior of the mean counts for */

enum pal_status gaussian_init(struct gaussian *g, size_t d, double precision, struct pal_error *err)
{
    double *all = mem_zero(d + 4 * d * d, sizeof *all);
    if (!all)
        return pal_no_memory(err);
    *g = (struct gaussian){d, all, all + d, all + d + d * d, all + d + 2 * d * d};
    for (size_t i = 0; i < d; i++) {
        g->precision[i * d + i] = precision;
        g->root[i * d + i] = sqrt(precision);
    }
    return PAL_OK;
}

void gaussian_done(struct gaussian *g)
{
    mem_free(g->mean);
    memset(g, 0, sizeof *g);
}

double gamma_draw(double shape, struct rng *rng)
{
    if (shape < 1) /* one shape higher, brought down by a power of a uniform variate */
        return gamma_draw(shape + 1, rng) * pow(1 - rng_real(rng), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(rng), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1 - rng_real(rng)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

/* A (d, d) = L Lᵀ: the lower triangle becomes L. What isn't positive definite by rounding alone is
 * made so. */
static void factor(double *A, size_t d)
{
    for (size_t i = 0; i < d; i++) {
        double *row = A + i * d;
        for (size_t j = 0; j <= i; j++) {
            const double *other = A + j * d;
            double x = row[j];
            for (size_t k = 0; k < j; k++)
                x -= row[k] * other[k];
            if (j < i)
                row[j] = x / other[j];
            else
                row[j] = sqrt(x > 1e-12 ? x : 1e-12);
        }
    }
}

/* x = L⁻ᵀ x */
static void solve_transposed(const double *L, size_t d, double *x)
{
    for (size_t i = d; i-- > 0;) {
        x[i] /= L[i * d + i];
        for (size_t j = 0; j < i; j++)
            x[j] -= L[i * d + j] * x[i];
    }
}

/* The scale matrix's inverse, factored, in g->scratch. */
static void posterior(struct gaussian *g, const struct moments *of, const double *more,
                      double spread)
{
    size_t d = g->d;
    double *S = g->scratch, n = of->n, shrink = n > 0 ? 1 / (strength + n) : 0;
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) {
            double x = of->squares[i * d + j] - shrink * of->sum[i] * of->sum[j];
            if (more)
                x += more[i * d + j];
            S[j * d + i] = x + (i == j ? spread : 0);
        }
    factor(S, d);
}

void gaussian_draw(struct gaussian *g, const struct moments *of, const double *more, double more_n,
                   double spread, struct rng *rng)
{
    size_t d = g->d;
    double *C = g->scratch, *G = C + d * d, freedom = (double)d + of->n + more_n;
    posterior(g, of, more, spread);
    for (size_t k = 0; k < d; k++) { /* row k of Gᵀ is column k of A, solved */
        double *row = G + k * d;
        memset(row, 0, d * sizeof *row);
        row[k] = sqrt(2 * gamma_draw((freedom - (double)k) / 2, rng));
        for (size_t i = k + 1; i < d; i++)
            row[i] = rng_normal(rng);
        solve_transposed(C, d, row);
    }
    memset(g->precision, 0, d * d * sizeof *g->precision);
    for (size_t k = 0; k < d; k++)
        for (size_t i = 0; i < d; i++) {
            double x = G[k * d + i];
            for (size_t j = 0; j < d; j++)
                g->precision[i * d + j] += x * G[k * d + j];
        }
    memcpy(g->root, g->precision, d * d * sizeof *g->root);
    factor(g->root, d);
    gaussian_noise(g, rng, g->mean);
    for (size_t i = 0; i < d; i++)
        g->mean[i] = (of->sum[i] + g->mean[i] * sqrt(strength + of->n)) / (strength + of->n);
}

void gaussian_noise(const struct gaussian *g, struct rng *rng, double *x)
{
    for (size_t i = 0; i < g->d; i++)
        x[i] = rng_normal(rng);
    solve_transposed(g->root, g->d, x);
}
