/* Histories cut into baskets: what one user bought in one go. */
#ifndef MODEL_BASKETS_H
#define MODEL_BASKETS_H

#include "model/model.h"

/* *out (baskets, items): 1 where a basket holds the item, -1 where somebody disliked it in that
 * basket; an entry needs a weight of at least `least` by size, after folding.
 *
 * A basket begins with a user's first event and with each that is more than window_s after the
 * first one of the basket at hand. Without times each history is a basket. Baskets of one item are
 * there, too: they count when it is asked how often an item is bought. Linear time. */
MUST_USE enum pal_status baskets_make(const struct training *t, uint32_t window_s, double least,
                                      const struct run *run, struct csr *out,
                                      struct pal_error *err);

#endif
