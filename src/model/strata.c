/* See strata.h. */
#include "model/strata.h"

struct diagonal {
    uint32_t blocks, shift;
    strata_fn *fn;
    void *ctx;
};

static void walk_cells(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct diagonal *d = ctx;
    for (size_t b = begin; b < end; b++)
        d->fn(d->ctx, (uint32_t)b, (uint32_t)((b + d->shift) % d->blocks), worker);
}

void strata_walk(struct pool *pool, uint32_t blocks, strata_fn *fn, void *ctx)
{
    for (uint32_t shift = 0; shift < blocks; shift++) {
        struct diagonal d = {blocks, shift, fn, ctx};
        pool_for(pool, blocks, 1, walk_cells, &d);
    }
}

void strata_mix(uint32_t *order, uint32_t *place, uint32_t n, struct rng *rng)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle(rng, order, n);
    for (uint32_t i = 0; i < n; i++)
        place[order[i]] = i;
}
