/* Which items a user rated says something about the user, whatever the ratings: the implicit
 * feedback of SVD++, in its Bayesian form.
 *
 * The vector of a row (a user, or an item) is normal around μ + n^-½ Σ_j y_j, over the n rows j of
 * the other side that it was seen with: Koren, "Factorization meets the neighborhood", KDD 2008,
 * eq. 15, whose y_j are here normal themselves around 0 with precision λ Λ. That is Macau's link
 * matrix (Simm, Arany et al., MLSP 2017) for the features "was seen with j"; but instead of solving
 * for all y_j at once, each is drawn given all others, in order, which costs one pass over the
 * entries. Dimensions don't interact within such a pass once the noise is drawn, so that it is
 * split over threads by blocks of eight of them. */
#ifndef MODEL_IMPLICIT_H
#define MODEL_IMPLICIT_H

#include "base/pool.h"
#include "math/csr.h"
#include "model/gaussian.h"

enum { IMPLICIT_BLOCK = 8 };

struct implicit {
    size_t d;
    const struct csr *seen; /* (others, rows): with which rows each y goes; borrowed */
    float *Y;               /* (others, d); zeros for those that go with none */
    float *share;           /* (rows) n^-½ */
    float *mass;            /* (others) Σ share² over its rows */
    double *squares;        /* (d, d) λ Σ y yᵀ, upper triangle */
    double precision;       /* λ */
    double count;           /* how many have rows */
    float *noise;           /* (others, d) of the pass in hand */
    double *scratch;        /* (threads, d) */
};

static inline size_t implicit_blocks(size_t d)
{
    return (d + IMPLICIT_BLOCK - 1) / IMPLICIT_BLOCK;
}

/* rows: (rows, others), the transpose of seen. Both must outlive it. */
MUST_USE enum pal_status implicit_init(struct implicit *t, size_t d, const struct csr *rows,
                                       const struct csr *seen, struct pool *pool,
                                       struct pal_error *err);
void implicit_done(struct implicit *t); /* an all-zero struct is fine */

/* Heap bytes of one. */
uint64_t implicit_bytes(size_t d, uint64_t rows, uint64_t others);

/* Draws every y, then λ. E (blocks, rows, IMPLICIT_BLOCK): the rows' vectors without μ and without
 * what the y so far explain; left without what they now do. of: the rows' distribution. Random
 * numbers are of seed and of streams from `stream` to stream + others. */
void implicit_draw(struct implicit *t, float *E, const struct gaussian *of, uint64_t seed,
                   uint64_t stream, struct pool *pool);

#endif
