/* The schedule that lets gradient descent run on many threads and still give the same bytes.
 *
 * Rows and columns are cut into `blocks` blocks each, which makes blocks x blocks cells. Cells on
 * one (wrapped) diagonal have neither a row nor a column in common, so that they can be worked
 * through at the same time without touching each other's vectors; then comes the next diagonal
 * (Gemulla, Nijkamp, Haas, Sismanis, "Large-scale matrix factorization with distributed stochastic
 * gradient descent", KDD 2011). Within a cell steps are taken one after the other. Nothing depends
 * on which thread takes which cell, so it is not Hogwild's race, and no gradient is late.
 *
 * A cell's vectors are a `blocks`-th of all: they stay in the second-level cache where a walk over
 * everything would wait for memory. */
#ifndef MODEL_STRATA_H
#define MODEL_STRATA_H

#include "base/pool.h"
#include "base/rng.h"

enum { STRATA = 16 }; /* blocks at most: threads beyond that have nothing to do */

/* How many blocks suit so many columns, from data alone: `least` columns or more in each. */
static inline uint32_t strata_blocks(uint32_t cols, uint32_t least)
{
    uint32_t blocks = cols / least;
    return blocks < 1 ? 1 : blocks > STRATA ? STRATA : blocks;
}

/* Where block b of n things begins. */
static inline uint32_t strata_begin(uint32_t n, uint32_t blocks, uint32_t b)
{
    return (uint32_t)((uint64_t)n * b / blocks);
}

/* One cell: a block of rows, a block of columns. worker < pool_size. */
typedef void strata_fn(void *ctx, uint32_t rows, uint32_t cols, unsigned worker);

/* All cells, diagonal by diagonal; fn may run for several cells of one diagonal at once. */
void strata_walk(struct pool *pool, uint32_t blocks, strata_fn *fn, void *ctx);

/* What the steps of an epoch came to. Each cell has its own, whoever walks it, and they are added
 * up in order: so the sums are the same at any thread count. */
struct strata_tally {
    double weight, loss, right;
};

/* tally (blocks * blocks). */
struct strata_tally strata_total(const struct strata_tally *tally, uint32_t blocks);

/* n things in a random order, by which blocks are cut: what was in different blocks meets in one
 * some other time. All three (n), by the thing's number but for order. */
struct strata_order {
    uint32_t *order, *place; /* the thing at each place; its reverse */
    uint8_t *block;          /* where each thing is */
};

MUST_USE enum pal_status strata_order_init(struct strata_order *o, uint32_t n,
                                           struct pal_error *err);
void strata_order_done(struct strata_order *o); /* an all-zero struct is fine */
void strata_mix(struct strata_order *o, uint32_t n, uint32_t blocks, struct rng *rng);

enum { STRATA_ORDER_BYTES = 9 }; /* of heap for each thing */

/* A whole number in [0, bound) out of 32 random bits: some are likelier than others by one part in
 * 2^32 / bound, which is nothing here, and there is no division. */
static inline uint32_t strata_below(uint32_t bits, uint32_t bound)
{
    return (uint32_t)((uint64_t)bits * bound >> 32);
}

#endif
