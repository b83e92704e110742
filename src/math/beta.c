/* See beta.h.
 *
 * Tails: the continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8),
 * evaluated by the modified method of Lentz, always on the side of the mean where it converges
 * fast. Draws: two gamma variates (Marsaglia and Tsang, "A simple method for generating gamma
 * variables", 2000), kept as logarithms so that small shapes don't underflow. Draws from a tail:
 * the log-density h of the logit is concave, so its tangent at y is an upper bound: an exponential
 * variate beyond y, accepted with the ratio of density to tangent. */
#include "math/beta.h"

#include <math.h>
#include <stdbool.h>

enum {
    STEPS = 20000, /* of a continued fraction: never reached with a + b up to 10^8 */
    TRIES = 200,   /* of a plain draw, where p promises that a few are enough */
    HALVINGS = 60,
};

static double softplus(double y)
{
    return y > 0 ? y + log1p(exp(-y)) : log1p(exp(y));
}

double beta_from_logit(double y)
{
    return y > 0 ? 1 / (1 + exp(-y)) : exp(y) / (1 + exp(y));
}

double beta_to_logit(double x)
{
    return log(x) - log1p(-x);
}

/* ln of the density of the logit, without its constant */
static double log_density(double a, double b, double y)
{
    return -a * softplus(-y) - b * softplus(y);
}

static double log_beta(double a, double b)
{
    int sign; /* lgamma would write a global */
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

static double away_from_zero(double x)
{
    return fabs(x) < 1e-300 ? 1e-300 : x;
}

/* The continued fraction for I_x(a, b) at x < (a + 1) / (a + b + 2). */
static double fraction(double a, double b, double x)
{
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), value = d;
    for (int step = 1; step < STEPS; step++) {
        double m = step, even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        value *= d * c;
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        double change = d * c;
        value *= change;
        if (fabs(change - 1) < 1e-10)
            break;
    }
    return value;
}

double beta_above(double a, double b, double y, double *below)
{
    double x = beta_from_logit(y), low, high;
    double front = exp(log_density(a, b, y) - log_beta(a, b));
    if (x < (a + 1) / (a + b + 2)) {
        low = front * fraction(a, b, x) / a;
        low = low < 1 ? low : 1;
        high = 1 - low;
    } else {
        high = front * fraction(b, a, beta_from_logit(-y)) / b;
        high = high < 1 ? high : 1;
        low = 1 - high;
    }
    if (below)
        *below = low;
    return high;
}

/* A real number in (0, 1]. */
static double above_zero(struct rng *rng)
{
    return 1 - rng_real(rng);
}

/* The logarithm of a gamma variate. */
static double log_gamma_variate(double shape, struct rng *rng)
{
    double boost = 0;
    if (shape < 1) {
        boost = log(above_zero(rng)) / shape;
        shape += 1;
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(rng), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = above_zero(rng), square = x * x;
        if (u < 1 - 0.0331 * square * square || log(u) < 0.5 * square + d * (1 - v + log(v)))
            return log(d * v) + boost;
    }
}

double beta_logit(double a, double b, struct rng *rng)
{
    double x = log_gamma_variate(a, rng);
    return x - log_gamma_variate(b, rng);
}

double beta_logit_above(double a, double b, double y, double p, struct rng *rng)
{
    double x = beta_from_logit(y), slope = b * x - a * (1 - x); /* of the tangent, downwards */
    double curve = (a + b) * x * (1 - x);
    /* near the top of the density the tangent is flat and of no use, but then much lies above y */
    long tries = p > 0.35 || slope * slope < 0.1 * curve ? TRIES : 0;
    while (tries > 0 || !(slope > 0)) {
        double drawn = beta_logit(a, b, rng);
        if (drawn > y)
            return drawn;
        tries--;
    }
    double top = log_density(a, b, y);
    for (;;) {
        double step = -log(above_zero(rng)) / slope, u = log(above_zero(rng));
        /* the curve leaves its tangent by no more than its greatest curvature, (a + b) / 4, allows
         */
        if (step > 0 && u <= -0.125 * (a + b) * step * step)
            return y + step;
        if (step > 0 && u <= log_density(a, b, y + step) - top + slope * step)
            return y + step;
    }
}

/* By inversion. Of the two tails the one is followed that is the thinner at `high`, where its
 * chances are as exact as they are small. */
static double invert_between(double a, double b, double low, double high, struct rng *rng)
{
    double under_low = 0, under_high, above = beta_above(a, b, high, &under_high), above_low = 1;
    bool lower = under_high < above;
    if (low > -INFINITY)
        above_low = beta_above(a, b, low, &under_low);
    double u = rng_real(rng), bottom = low > -INFINITY ? low : high - 1, top = high;
    double target =
        lower ? under_low + u * (under_high - under_low) : above_low - u * (above_low - above);
    for (double step = 1, under; low == -INFINITY && step < 1e4; step *= 2, bottom -= step) {
        double over = beta_above(a, b, bottom, &under);
        if (lower ? under <= target : over >= target)
            break;
    }
    for (int i = 0; i < HALVINGS; i++) {
        double under, middle = bottom + (top - bottom) / 2;
        double over = beta_above(a, b, middle, &under);
        if (lower ? under < target : over > target)
            bottom = middle;
        else
            top = middle;
    }
    return top;
}

double beta_logit_between(double a, double b, double low, double high, double p, struct rng *rng)
{
    for (int i = 0; i < TRIES; i++) {
        double y = low > -INFINITY ? beta_logit_above(a, b, low, p, rng) : beta_logit(a, b, rng);
        if (y <= high)
            return y;
    }
    return invert_between(a, b, low, high, rng);
}
