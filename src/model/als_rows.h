/* What als_solve.c and als_cg.c share: how one row's observations enter its system. */
#ifndef MODEL_ALS_ROWS_H
#define MODEL_ALS_ROWS_H

#include "model/als_solve.h"

/* a (n) and b (n) of a row's signed weights. b NULL = not wanted. */
void als_weigh(const struct als_settings *set, const float *weight, size_t n, float *a, float *b);

/* λ_x of a row with n observations against `others` rows on the other side. */
float als_lambda(const struct als_settings *set, size_t n, size_t others);

/* Was the run told to stop? */
static inline int als_stopped(const struct run *run)
{
    return run && run->stop && *run->stop;
}

/* als_half with set.cg_steps > 0; s was turned. */
MUST_USE enum pal_status als_cg_half(const struct als_side *s, const struct csr *R, float *X,
                                     const struct run *run, struct pal_error *err);

/* Its heap bytes, more or less. */
uint64_t als_cg_bytes(uint64_t entries, unsigned threads);

#endif
