/* Asking the sources: what each of them puts forward for a history. */
#ifndef RANK_LISTS_H
#define RANK_LISTS_H

#include "rank/features.h"

/* Is there anything in it that was liked? Without, there is nothing to rank by. */
bool lists_liked(const struct history *h);

/* The best `quota` of each source (count) with a positive score, without the items whose number has
 * skip[item] set (NULL = none). Sources that look at the history say nothing where nothing in it
 * was liked. list (count); what it points to lives in tmp. */
MUST_USE enum pal_status lists_ask(const struct model *const *source, size_t count,
                                   const struct history *h, const uint8_t *skip, size_t quota,
                                   struct arena *tmp, struct rank_list *list,
                                   struct pal_error *err);

#endif
