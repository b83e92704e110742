/* The filter language: which items of the catalog qualify.
 *
 *     categories has "Comedy" and year >= 1990
 *     not (price > 20 or brand in ["acme", "other"]) and title contains "star"
 *     available = true and created_at > 1700000000000 and exists(director)
 *
 * or, and, not; parentheses; = != < <= > >=; `in [..]`; `has` (a list attribute or categories holds
 * the value), `contains` (text, ignoring case); exists(name). Names: item_id, title, categories,
 * available, created_at, else an attribute ("quoted name" for one with blanks; a.b for nested
 * ones). Values: "text", 'text', numbers, true, false. A comparison with an attribute that the item
 * lacks, or of another type, is false. Errors name the place ("at character 14") and what was
 * expected.
 *
 * Bounded: at most 4,096 bytes, 256 terms, 64 deep. */
#ifndef ENGINE_FILTER_H
#define ENGINE_FILTER_H

#include "engine/catalog.h"

struct filter;

/* Parses; the result lives in tmp and does not depend on a catalog. PAL_EUSAGE with the place. */
MUST_USE enum pal_status filter_parse(const char *text, struct arena *tmp, struct filter **out,
                                      struct pal_error *err);

/* Looks up names and values in the catalog as it is now; before filter_match, while the catalog is
 * held for reading. */
MUST_USE enum pal_status filter_bind(struct filter *f, const struct catalog *c, struct arena *tmp,
                                     struct pal_error *err);
bool filter_match(const struct filter *f, const struct catalog *c, uint32_t number);

#endif
