/* TPE: where to look next, from what was seen (Bergstra, Bardenet, Bengio and Kégl, "Algorithms
 * for hyper-parameter optimization", 2011). See tpe.c. */
#ifndef EVAL_TPE_H
#define EVAL_TPE_H

#include "base/rng.h"

#include <stdbool.h>

enum { TPE_DIMS_MOST = 32 };

/* A point's space: for each coordinate 0 = a number in [0, 1], else how many choices, numbered
 * from 0. */
struct tpe_space {
    size_t dims; /* 1 to TPE_DIMS_MOST */
    unsigned choices[TPE_DIMS_MOST];
};

/* A uniform draw into at (dims). */
void tpe_random(const struct tpe_space *s, struct rng *rng, double *at);

/* One draw from the density that n points stand for, into at (dims): near one of them, or anywhere.
 */
void tpe_draw(const struct tpe_space *s, const double *points, size_t n, struct rng *rng,
              double *at);

/* The most promising of some draws, into at (dims). seen (count, dims): best first; the first
 * `good` of them, of which there is at least one, are taken for good ones. Time: 24 * count * dims
 * density evaluations; no heap. */
void tpe_propose(const struct tpe_space *s, const double *seen, size_t count, size_t good,
                 struct rng *rng, double *at);

/* The density that n points stand for: see tpe.c. For tests. */
double tpe_density(const struct tpe_space *s, const double *points, size_t n, const double *at);

#endif
