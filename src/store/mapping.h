/* Numbers of a store -> numbers of the data set that is made of it. */
#ifndef STORE_MAPPING_H
#define STORE_MAPPING_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
    uint32_t *to; /* (count) INTERN_NONE where the store has nothing of that number */
    size_t count, cap;
};

/* Numbers ascend. PAL_ECORRUPT, without a sentence: this one does not, or is none. */
MUST_USE enum pal_status mapping_put(struct mapping *m, int64_t from, uint32_t to,
                                     struct pal_error *err);
/* false: there is none of that number. */
bool mapping_get(const struct mapping *m, int64_t from, uint32_t *to);
void mapping_done(struct mapping *m);

#endif
