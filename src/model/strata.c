/* See strata.h. */
#include "model/strata.h"

#include "base/mem.h"

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

struct strata_tally strata_total(const struct strata_tally *tally, uint32_t blocks)
{
    struct strata_tally all = {0};
    for (uint32_t i = 0; i < blocks * blocks; i++) {
        all.weight += tally[i].weight;
        all.loss += tally[i].loss;
        all.right += tally[i].right;
    }
    return all;
}

enum pal_status strata_order_init(struct strata_order *o, uint32_t n, struct pal_error *err)
{
    o->order = mem_alloc(n, sizeof *o->order);
    o->place = mem_alloc(n, sizeof *o->place);
    o->block = mem_alloc(n, sizeof *o->block);
    return o->order && o->place && o->block ? PAL_OK : pal_no_memory(err);
}

void strata_order_done(struct strata_order *o)
{
    mem_free(o->order);
    mem_free(o->place);
    mem_free(o->block);
}

void strata_mix(struct strata_order *o, uint32_t n, uint32_t blocks, struct rng *rng)
{
    for (uint32_t i = 0; i < n; i++)
        o->order[i] = i;
    rng_shuffle(rng, o->order, n);
    for (uint32_t b = 0; b < blocks; b++)
        for (uint32_t i = strata_begin(n, blocks, b); i < strata_begin(n, blocks, b + 1); i++) {
            o->place[o->order[i]] = i;
            o->block[o->order[i]] = (uint8_t)b;
        }
}
