/* Kinds: what items share beside categories. A textual or whole-numbered attribute (brand, maker,
 * size, year), and the title where titles name a sort of thing instead of a thing, part the items
 * into groups; how much of what a user liked lies in an item's group says how near it is. */
#ifndef RANK_ALIKE_H
#define RANK_ALIKE_H

#include "model/model.h"

enum { ALIKE_MOST = 6 };

struct alike {
    struct intern names;   /* of the attributes: at most ALIKE_MOST */
    uint32_t values;       /* of all of them together */
    const uint32_t *value; /* (names.count, items) an item's, INTERN_NONE where it has none */
    const float *share; /* (values) above 0, at most 1: (s + 1) / (S + v), where s = likes of items
                           with the value, S = those of items with any, v = how many values the
                           kind has */
};

/* Those that a tenth of the items or more have, and whose values have two items or more on the
 * mean: the title, then attributes, the most frequent first. liked (items): how often each was
 * liked. Arrays lie in `keep`. */
MUST_USE enum pal_status alike_make(const struct items *items, const float *liked,
                                    struct arena *keep, struct alike *out, struct pal_error *err);
void alike_done(struct alike *k); /* the names; an all-zero struct is fine */

/* As tensors "kinds.…"; what is read points into the file. */
MUST_USE enum pal_status alike_save(const struct alike *k, uint32_t items, struct tensors_out *out,
                                    struct pal_error *err);
MUST_USE enum pal_status alike_load(const struct tensors *file, uint32_t items, struct alike *out,
                                    struct pal_error *err);

#endif
