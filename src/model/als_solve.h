/* The numerical core of iALS: given the vectors of one side, the best vectors of the other.
 *
 * A model of d factors predicts x·y for a user x and an item y. With the items Y (m, d) held still,
 * each user's vector is the minimum of a quadratic of its own,
 *
 *     α0 Σ_all (x·y_i)²  +  Σ_observed [ a_i (x·y_i)² − 2 b_i x·y_i ]  +  λ_x |x|²,
 *
 * which is one d x d system, (α0 YᵀY + Σ a_i y_i y_iᵀ + λ_x I) x = Σ b_i y_i; then the sides change
 * places. "Side" here is whichever is held still, "row" whatever is solved for. */
#ifndef MODEL_ALS_SOLVE_H
#define MODEL_ALS_SOLVE_H

#include "base/run.h"
#include "math/csr.h"

enum als_objective {
    /* a = |w|, b = w, λ_x = λ (n_x + α0 m)^ν: Rendle, Krichene, Zhang, Koren, "Revisiting the
     * Performance of iALS on Item Recommendation Benchmarks", RecSys 2022, eq. 3 and 8 */
    ALS_RENDLE,
    /* confidence c = |w| at an observed pair and 1 elsewhere, so a = c − 1, b = ±c; α0 = 1 and
     * λ_x = λ: Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets",
     * ICDM 2008, eq. 3, as the package `implicit` has it */
    ALS_HU,
};

struct als_settings {
    size_t factors; /* d */
    enum als_objective objective;
    float alpha;  /* w = alpha times the weight of the event */
    float alpha0; /* weight of a pair that was not observed (ALS_RENDLE) */
    float lambda, nu;
    unsigned cg_steps; /* steps of conjugate gradients for each row; 0 = solve exactly */
};

/* One side, held still. Read by any number of threads. */
struct als_side {
    struct als_settings set;
    uint32_t rows;
    const float *Y;  /* (rows, d), borrowed */
    size_t ld;       /* floats from row to row of gram: solve_stride(d) */
    float *gram;     /* (d, ld) α0 YᵀY, both triangles */
    float *diagonal; /* (d) of gram, ascending, once the side was turned; else NULL */
};

/* Computes the gram: rows * d² operations. Y must outlive the side. */
MUST_USE enum pal_status als_side_init(struct als_side *s, const struct als_settings *set,
                                       const float *Y, uint32_t rows, struct pool *pool,
                                       struct pal_error *err);
void als_side_done(struct als_side *s); /* an all-zero struct is fine */

/* Turns the vectors of both sides into the basis in which α0 YᵀY is diagonal: Y (s->rows, d), which
 * must be the side's, becomes Y Q and X (rows, d) becomes X Q with an orthogonal Q, so that every
 * x·y stays what it is but for rounding. als_half with CG wants it. Cost: 2 (s->rows + rows) d²
 * operations and those of dense_eigen. */
MUST_USE enum pal_status als_side_turn(struct als_side *s, float *Y, float *X, size_t rows,
                                       struct pool *pool, struct pal_error *err);

/* Floats of scratch that als_solve_row wants for a row of n observations. */
size_t als_scratch(const struct als_side *s, size_t n);

/* x (d) = the exact minimum for one row: observations index (n) with signed weights (n). An empty
 * row gives zeros. 16-float aligned scratch (als_scratch(s, n)). Cost: n d² + d³ / 3. This is what
 * training does for the same row, to the bit, unless the row is long enough to be split. */
void als_solve_row(const struct als_side *s, const uint32_t *index, const float *weight, size_t n,
                   float *x, float *scratch);

/* x (d) becomes A⁻¹ x for the matrix A of such a row; scratch as above. */
void als_solve_for(const struct als_side *s, const uint32_t *index, const float *weight, size_t n,
                   float *x, float *scratch);

/* Solves all rows of R (rows, s->rows) into X (R->rows, d): exactly, or with CG steps that start
 * from what X holds, for which the side must have been turned. Deterministic at any thread count.
 * PAL_EINTERRUPTED leaves X half renewed. */
MUST_USE enum pal_status als_half(const struct als_side *s, const struct csr *R, float *X,
                                  const struct run *run, struct pal_error *err);

/* X (rows, d): row r gets normal variates of deviation sigma / √d from a stream of its own. */
void als_random(float *X, uint32_t rows, size_t d, float sigma, uint64_t seed, uint64_t stream,
                struct pool *pool);

/* Heap bytes that als_half and als_side_init take at the same time, besides X, Y and R. */
uint64_t als_half_bytes(const struct als_settings *set, uint64_t entries, unsigned threads);

#endif
