/* What a graph filter makes of each frequency, as a polynomial. See graph.c for the method. */
#ifndef MODEL_GRAPH_FILTER_H
#define MODEL_GRAPH_FILTER_H

#include <stddef.h>

enum { GRAPH_ORDER = 7 }; /* the longest polynomial */

/* A filter turns an eigenvalue x of P, from 0 to 1, into x Σ coef[o] x^o for o up to order;
 * coefficients above it are 0. What it does to x = 0 concerns items with themselves alone. */
struct graph_filter {
    double coef[GRAPH_ORDER + 1];
    size_t order;
};

/* x e^(-t x): the Taylor polynomial of order 4 in place of e. Choi et al. 2023. */
void graph_sharpened(double t, struct graph_filter *out);

/* A plateau in the middle: the order-8 polynomial that Kim et al. 2025 lay through it. */
void graph_plateau(double flatness, struct graph_filter *out);

/* Σ coef[o] x^o */
double graph_filter_at(const struct graph_filter *f, double x);

/* The shortest one that differs from f by no more than 2 % of x at each x in [0, upto]. */
void graph_filter_shorten(const struct graph_filter *f, double upto, struct graph_filter *out);

#endif
