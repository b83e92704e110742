/* Beta distributions, seen through the logit: y = ln(x / (1 − x)) keeps its precision where x is
 * next to 0 or 1, and its density is log-concave for every a, b > 0, which makes exact sampling
 * from a tail cheap. All functions may be called from any thread; none allocates. */
#ifndef MATH_BETA_H
#define MATH_BETA_H

#include "base/rng.h"

/* x of its logit, and the logit of x in (0, 1). */
double beta_from_logit(double y);
double beta_to_logit(double x);

/* P(logit X > y) for X ~ Beta(a, b), a relative 1e-8 or better; *below (may be NULL) receives
 * P(logit X <= y), with the same precision however small. Steps: about the root of a + b near the
 * mean, a handful in the tails; 0.1 to 0.5 µs for a + b below 1,000. */
double beta_above(double a, double b, double y, double *below);

/* The logit of one draw from Beta(a, b). 80 ns. */
double beta_logit(double a, double b, struct rng *rng);

/* The logit of one draw given that it lies above y; p is the chance of that, roughly (it chooses
 * between two exact methods). */
double beta_logit_above(double a, double b, double y, double p, struct rng *rng);

/* The logit of one draw given that it lies in (low, high], low below high; p as above, for low.
 * low may be -INFINITY, high INFINITY. Ends soon however little lies there: 30 µs at worst. */
double beta_logit_between(double a, double b, double low, double high, double p, struct rng *rng);

#endif
