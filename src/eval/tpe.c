/* See tpe.h. What was seen is parted into a few good points and the rest, each part is taken for a
 * sample and made a density, l of the good, g of the others; points are drawn from l, and that with
 * the largest l/g is proposed: it is the one of the largest expected improvement (Bergstra et al.,
 * section 4.1).
 *
 * The densities are multivariate: a mixture of one product kernel around each whole point (Falkner,
 * Klein and Hutter, "BOHB", 2018), and not a product over options of mixtures of their own. The
 * latter can't express that one option's good values depend on another's, as those of the
 * regularization do on the weight of what is unobserved. A kernel is a Gaussian cut off at 0 and 1,
 * its width falling with n^(-1/(dims + 4)) as in Scott's rule, and for choices the one of Aitchison
 * and Aitken (1976). One more component, uniform and of the same weight as a point, keeps every
 * place possible. */
#include "eval/tpe.h"

#include <assert.h>
#include <math.h>

enum { DRAWS = 24 };
static const double widest = 0.2; /* a Gaussian's deviation at n = 1 */
static const double root_of_half = 0.70710678118654752440, two_pi = 6.28318530717958647693;

void tpe_random(const struct tpe_space *s, struct rng *rng, double *at)
{
    for (size_t d = 0; d < s->dims; d++)
        at[d] = s->choices[d] ? (double)rng_below(rng, s->choices[d]) : rng_real(rng);
}

static double width_of(const struct tpe_space *s, size_t n)
{
    return widest * pow((double)n, -1.0 / ((double)s->dims + 4));
}

/* How much of a choice's kernel lies on the other choices. */
static double spill_of(unsigned choices, double width)
{
    return 2 * width * (choices - 1) / choices;
}

static double normal_below(double x)
{
    return 0.5 * erfc(-x * root_of_half);
}

static double kernel(unsigned choices, double center, double width, double x)
{
    if (choices) {
        double spill = spill_of(choices, width);
        if (choices == 1)
            return 1;
        return x == center ? 1 - spill : spill / (choices - 1);
    }
    double inside = normal_below((1 - center) / width) - normal_below(-center / width);
    double z = (x - center) / width;
    return exp(-0.5 * z * z) / (width * sqrt(two_pi) * inside);
}

double tpe_density(const struct tpe_space *s, const double *points, size_t n, const double *at)
{
    double width = width_of(s, n ? n : 1), sum = 1;
    for (size_t d = 0; d < s->dims; d++)
        sum /= s->choices[d] ? s->choices[d] : 1;
    for (size_t i = 0; i < n; i++) {
        double product = 1;
        for (size_t d = 0; d < s->dims; d++)
            product *= kernel(s->choices[d], points[i * s->dims + d], width, at[d]);
        sum += product;
    }
    return sum / (double)(n + 1);
}

void tpe_draw(const struct tpe_space *s, const double *points, size_t n, struct rng *rng,
              double *at)
{
    size_t which = rng_below(rng, n + 1);
    double width = width_of(s, n);
    if (which == n) {
        tpe_random(s, rng, at);
        return;
    }
    for (size_t d = 0; d < s->dims; d++) {
        unsigned choices = s->choices[d];
        at[d] = points[which * s->dims + d];
        if (choices > 1 && rng_real(rng) < spill_of(choices, width))
            at[d] = fmod(at[d] + 1 + (double)rng_below(rng, choices - 1), choices);
        if (choices)
            continue;
        double center = at[d];
        do
            at[d] = center + width * rng_normal(rng);
        while (at[d] < 0 || at[d] > 1);
    }
}

void tpe_propose(const struct tpe_space *s, const double *seen, size_t count, size_t good,
                 struct rng *rng, double *at)
{
    assert(s->dims && s->dims <= TPE_DIMS_MOST && good && good <= count);
    double best = -1;
    for (int i = 0; i < DRAWS; i++) {
        double x[TPE_DIMS_MOST];
        tpe_draw(s, seen, good, rng, x);
        double ratio =
            tpe_density(s, seen, good, x) / tpe_density(s, seen + good * s->dims, count - good, x);
        if (ratio > best) {
            best = ratio;
            for (size_t d = 0; d < s->dims; d++)
                at[d] = x[d];
        }
    }
}
