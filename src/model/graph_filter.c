/* See graph_filter.h.
 *
 * The plateau. Kim et al. want few frequencies near the middle to be told apart, and with
 * y = 1 - 2x, which runs from 1 at the highest frequency to -1 at the lowest, they aim at
 *
 *     1/2 - sign(y) |y|^flatness / 2
 *
 * They take its values at y = cos(i π / 8), the extremes of Chebyshev's polynomial of order 8, and
 * lay a polynomial through them as if they stood at cos((i + 1/2) π / 9), the roots of that of
 * order 9. So the highest frequencies get about half of what is aimed at, the lowest a little more.
 * We do as they do, since that is what their figures were measured with.
 *
 * A polynomial through given points is found in Newton's form, by divided differences. */
#include "model/graph_filter.h"

#include <math.h>
#include <string.h>

enum { POINTS = GRAPH_ORDER + 2, PLACES = 64 };

static const double NEAR_ENOUGH = 0.02; /* of one filter to another, in parts of x */

/* coef (n): the polynomial of order n - 1 with these n values at these places. */
static void through(const double *place, const double *value, size_t n, double *coef)
{
    double slope[POINTS];
    memcpy(slope, value, n * sizeof *slope);
    for (size_t i = 1; i < n; i++)
        for (size_t j = n - 1; j >= i; j--)
            slope[j] = (slope[j] - slope[j - 1]) / (place[j] - place[j - i]);
    memset(coef, 0, n * sizeof *coef);
    for (size_t i = n; i-- > 0;) {
        for (size_t j = n - 1; j > 0; j--)
            coef[j] = coef[j - 1] - place[i] * coef[j];
        coef[0] = slope[i] - place[i] * coef[0];
    }
}

void graph_sharpened(double t, struct graph_filter *out)
{
    *out = (struct graph_filter){.coef = {1}, .order = t > 0 ? 4 : 0};
    for (size_t o = 1; o <= out->order; o++)
        out->coef[o] = out->coef[o - 1] * -t / (double)o;
}

void graph_plateau(double flatness, struct graph_filter *out)
{
    double place[POINTS], value[POINTS], coef[POINTS];
    for (size_t i = 0; i < POINTS; i++) {
        double y = cos((double)i * M_PI / (POINTS - 1));
        value[i] = 0.5 - copysign(0.5 * pow(fabs(y), flatness), y);
        place[i] = 0.5 - 0.5 * cos(((double)i + 0.5) * M_PI / POINTS);
    }
    through(place, value, POINTS, coef);
    out->order = GRAPH_ORDER;
    memcpy(out->coef, coef + 1, sizeof out->coef);
}

double graph_filter_at(const struct graph_filter *f, double x)
{
    double sum = 0;
    for (size_t o = f->order + 1; o-- > 0;)
        sum = sum * x + f->coef[o];
    return sum;
}

/* Of order `order`, equal to f at the nodes of Chebyshev on [0, upto]. */
static void interpolate(const struct graph_filter *f, double upto, size_t order,
                        struct graph_filter *out)
{
    double place[POINTS], value[POINTS];
    for (size_t i = 0; i <= order; i++) {
        place[i] = 0.5 * upto * (1 - cos(M_PI * ((double)i + 0.5) / ((double)order + 1)));
        value[i] = graph_filter_at(f, place[i]);
    }
    *out = (struct graph_filter){.order = order};
    through(place, value, order + 1, out->coef);
}

void graph_filter_shorten(const struct graph_filter *f, double upto, struct graph_filter *out)
{
    for (size_t order = 0; order < f->order; order++) {
        double worst = 0;
        interpolate(f, upto, order, out);
        for (int i = 0; i <= PLACES; i++) {
            double x = upto * i / PLACES;
            worst = fmax(worst, fabs(graph_filter_at(f, x) - graph_filter_at(out, x)));
        }
        if (worst <= NEAR_ENOUGH)
            return;
    }
    *out = *f;
}
