/* What als_solve.c and als_cg.c share: how one row's observations enter its system. */
#ifndef MODEL_ALS_ROWS_H
#define MODEL_ALS_ROWS_H

#include "model/als_solve.h"

/* a (n) and b (n) of a row's signed weights. b NULL = not wanted. */
void als_weigh(const struct als_settings *set, const float *weight, size_t n, float *a, float *b);

/* λ_x of a row with n observations against `others` rows on the other side. */
float als_lambda(const struct als_settings *set, size_t n, size_t others);

/* Solves rows [begin, end) of R with CG, none of them with more than `most` observations.
 * scratch: als_cg_scratch floats. */
void als_cg_rows(const struct als_side *s, const struct csr *R, size_t begin, size_t end,
                 size_t most, float *X, float *scratch);
size_t als_cg_scratch(const struct als_settings *set, size_t most);

#endif
