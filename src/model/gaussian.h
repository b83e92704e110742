/* The normal distribution that vectors are drawn from, itself drawn from what the vectors say: the
 * hyperparameters of Bayesian factorization.
 *
 * Vectors x_1 … x_n are taken as normal with mean μ and precision Λ, for which in turn a
 * Normal–Wishart distribution is assumed that knows nearly nothing (degrees of freedom d, scale
 * matrix I / spread, mean 0 as if from STRENGTH vectors). What the vectors then make likely for
 * (μ, Λ) is a Normal–Wishart again, and a draw from it takes O(d³): Salakhutdinov and Mnih,
 * "Bayesian Probabilistic Matrix Factorization using Markov Chain Monte Carlo", ICML 2008, eq. 14.
 *
 * All in double precision; from any thread; draws depend on the generator alone. */
#ifndef MODEL_GAUSSIAN_H
#define MODEL_GAUSSIAN_H

#include "base/error.h"
#include "base/rng.h"

struct gaussian {
    size_t d;
    double *mean;      /* (d) */
    double *precision; /* (d, d) Λ, both triangles */
    double *root;      /* (d, d) lower triangle L with Λ = L Lᵀ */
    double *scratch;   /* (2, d, d) */
};

/* What is known of n vectors. */
struct moments {
    double n;
    double *sum;     /* (d) */
    double *squares; /* (d, d) Σ x xᵀ, its upper triangle */
};

/* Mean 0, precision I * `precision`. */
MUST_USE enum pal_status gaussian_init(struct gaussian *g, size_t d, double precision,
                                       struct pal_error *err);
void gaussian_done(struct gaussian *g); /* an all-zero struct is fine */

/* Draws mean and precision anew. more: (d, d), upper triangle, another Σ x xᵀ of more_n vectors
 * that share the precision but have mean 0; NULL = none. */
void gaussian_draw(struct gaussian *g, const struct moments *of, const double *more, double more_n,
                   double spread, struct rng *rng);

/* x (d) = a draw from the normal distribution of mean 0 and this precision. d² / 2 operations. */
void gaussian_noise(const struct gaussian *g, struct rng *rng, double *x);

/* A draw from the gamma distribution of this shape (> 0) and rate 1: Marsaglia and Tsang, "A Simple
 * Method for Generating Gamma Variables", 2000. */
double gamma_draw(double shape, struct rng *rng);

#endif
