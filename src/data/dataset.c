/* See dataset.h. */
#include "data/dataset.h"

#include "base/mem.h"

#include <string.h>

#include <xxhash.h>

struct dataset *dataset_new(void)
{
    struct dataset *d = mem_zero(1, sizeof *d);
    if (d) {
        d->format = "none";
        d->weights = weights_default;
    }
    return d;
}

void dataset_free(struct dataset *d)
{
    if (!d)
        return;
    items_done(&d->items);
    users_done(&d->users);
    interactions_done(&d->all);
    interactions_done(&d->test);
    mem_free(d->negatives.item);
    mem_free(d->weights_own);
    mem_free(d);
}

static uint64_t hash_column(uint64_t seed, const void *column, uint64_t bytes)
{
    return column ? XXH3_64bits_withSeed(column, bytes, seed) : seed;
}

static uint64_t hash_ids(uint64_t seed, const struct intern *ids)
{
    return ids->count ? hash_column(seed, ids->bytes, ids->start[ids->count]) : seed;
}

static uint64_t hash_interactions(uint64_t h, const struct interactions *x)
{
    uint64_t n = interactions_count(x);
    if (!x->start)
        return h;
    h = hash_column(h, x->start, ((uint64_t)x->users + 1) * sizeof *x->start);
    h = hash_column(h, x->item, n * sizeof *x->item);
    h = hash_column(h, x->value, n * sizeof *x->value);
    h = hash_column(h, x->time_s, n * sizeof *x->time_s);
    return hash_column(h, x->type, n);
}

uint64_t dataset_fingerprint(const struct dataset *d)
{
    uint64_t h = hash_ids(1, &d->users.ids);
    h = hash_ids(h, &d->items.ids);
    for (size_t i = 0; i < d->types.count; i++)
        h = hash_column(h, d->types.name[i], strlen(d->types.name[i]));
    return hash_interactions(hash_interactions(h, &d->all), &d->test);
}
