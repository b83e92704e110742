/* Lists for many people at once, as fast as the machine goes: what `recommend` would answer to
 * each, for sites that serve from a database of their own.
 *
 * The same items, scores and order as by recommend (recommender.h) for each person's whole history,
 * at any thread count. Most people cost a fold-in and a retrieval; only those whom the model has
 * nothing to say about, or too little to fill the list, go the longer way. */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "data/dataset.h"
#include "engine/recommender.h"

struct batch;

struct batch_options {
    const char *model;    /* as in struct request: NULL = the first, a name, "blend" */
    size_t n;             /* length of a list; 0 = 10 */
    const uint8_t *never; /* (catalog items) what is in nobody's list; NULL = nothing is left out */
};

/* All that is given is borrowed and outlives *out. d: whose histories count, by the rules w; its
 * items need not be the catalog's. PAL_ENOTFOUND for a model that r lacks. */
MUST_USE enum pal_status batch_new(const struct recommender *r, const struct dataset *d,
                                   const struct weights *w, const struct batch_options *o,
                                   struct pool *pool, struct batch **out, struct pal_error *err);
void batch_free(struct batch *b); /* NULL is fine */

/* What is done with a list, from any of the pool's threads; `list` (count) is lent for the call. i
 * is the person's place in `users`, and worker < pool_size. */
typedef void batch_list_fn(void *ctx, size_t i, const struct recommendation *list, size_t count,
                           unsigned worker);

/* Makes lists for users (count), numbers in d. Lists of one grain of BATCH_GRAIN consecutive places
 * come from one thread, in order. The failure of the earliest is the one that is told. */
enum { BATCH_GRAIN = 64 };
MUST_USE enum pal_status batch_run(struct batch *b, const uint32_t *users, size_t count,
                                   batch_list_fn *fn, void *ctx, struct pal_error *err);

#endif
