/* The inside of a draw of the bandit, for bandit_draw.c, which says how it goes, and for
 * bandit_propensity.c. */
#ifndef ENGINE_BANDIT_DRAWING_H
#define ENGINE_BANDIT_DRAWING_H

#include "engine/bandit_inside.h"

enum { DRAWING_FEW = 64 }; /* hits, picks for which nothing is allocated */

struct drawing {
    const struct bandit *b;
    const struct view *v;
    uint32_t count;
    size_t k;
    int64_t now_ms;
    struct rng *rng;
    bandit_allow_fn *allow;
    void *ctx;
    struct drawn *hit; /* (hits, room for cap) whatever lies above the threshold so far */
    size_t hits, cap;
    uint32_t *decided; /* (settled) their numbers from earlier thresholds, ascending */
    size_t settled;
    double above; /* what has not been hit is not above this */
    struct drawn *out;
    size_t found, asked;
    size_t first, left; /* hits [first, first + left) are a heap of those not taken yet */
    size_t next;        /* rung to visit */
    size_t freshes;
    uint64_t fresh_bits;           /* by number % 64: whose bit is not set is not among them */
    struct drawn fresh[FRESH];     /* from here on not zeroed */
    struct drawn few[DRAWING_FEW]; /* where hits begins */
};

/* Whether it has any evidence, and its posterior. */
bool drawing_posterior(const struct drawing *d, uint32_t number, int64_t now_ms, double *alpha,
                       double *beta);

/* The item among those counted since the view was made; NULL if it is none of them. */
const struct drawn *drawing_fresh(const struct drawing *d, uint32_t number);

/* Goes on from where the draw stands, until `want` are found or there are no more. */
MUST_USE enum pal_status drawing_go_on(struct drawing *d, size_t want, struct pal_error *err);

/* What was found, with propensities. */
MUST_USE enum pal_status drawing_picks(struct drawing *d, struct bandit_pick *out,
                                       struct pal_error *err);

#endif
