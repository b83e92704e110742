/* One column of SLIM: an elastic net by coordinate descent on a Gram matrix, over an active set.
 * See slim.c for the method and its papers. */
#ifndef MODEL_SLIM_SOLVE_H
#define MODEL_SLIM_SOLVE_H

#include "math/csr.h"
#include "math/topk.h"

#include <stdbool.h>

/* G = XᵀX, symmetric, one way or the other. */
struct slim_gram {
    size_t n;
    const float *dense;       /* (n, n), or NULL: */
    const struct csr *sparse; /* (n, n), both triangles */
};

struct slim_settings {
    float l1, l2;
    bool nonnegative;
};

/* What a thread needs; nothing in it lasts from one column to the next. */
struct slim_work {
    size_t n, most;   /* items; the largest active set */
    float *slope;     /* (n) q */
    float *steepness; /* (n) by how much an item's slope passes l1; -INFINITY where it does not */
    uint8_t *in;      /* (n) is it in the active set? */
    uint32_t *item;   /* (most) the active set */
    float *weight;    /* (most) w */
    float *pull;      /* (most) the slopes of the active set, as descent goes on */
    float *block;     /* (most, most) its part of G */
    struct scored *join; /* (most) */
    size_t count;
};

MUST_USE enum pal_status slim_work_init(struct slim_work *w, size_t n, struct pal_error *err);
void slim_work_done(struct slim_work *w);
uint64_t slim_work_bytes(uint64_t n);

/* Solves column j; the k weights of the largest size go to out, the largest first. Returns how
 * many there are, none of them 0. */
size_t slim_column(struct slim_work *w, const struct slim_gram *G, const struct slim_settings *set,
                   uint32_t j, size_t k, struct scored *out);

#endif
