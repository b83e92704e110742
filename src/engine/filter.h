/* The filter language: which items of the catalog qualify.
 *
 *     categories has "Comedy" and year >= 1990
 *     not (price > 20 or brand in ["acme", "other"]) and title contains "star"
 *     created_at > "2024-01-01" and exists(director) and maker.name != "Acme"
 *
 * or, and, not; parentheses; = != < <= > >=; `in [..]`; `has` (a list attribute or categories holds
 * the value), `contains` (text, ignoring case); `not in`, `not has`, `not contains`; exists(name).
 * Words of the language may be written in capitals.
 *
 * Names: item_id, title, categories, available, created_at (milliseconds, or a date in quotes),
 * else an attribute: letters, digits, "_", "-" and "." (maker.name is inside maker), anything else
 * in quotes; a quoted name is always an attribute.
 *
 * Values: "text" or 'text' (\\, \" and \' within), numbers, true, false. Texts are compared byte by
 * byte, so that dates such as "2024-12-31" have their order.
 *
 * A comparison with something that the item lacks, or of another type, is false, != too:
 * `brand != "acme"` holds for items with another brand, `not brand = "acme"` also for those without
 * any.
 *
 * Errors name the place ("at character 14") and what was expected. Bounded: at most 4,096 bytes,
 * 256 conditions, 1,024 values, 64 deep. */
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

/* Whether the item qualifies; number is below catalog_count. 10 to 50 ns; a `contains` reads its
 * text. */
bool filter_match(const struct filter *f, const struct catalog *c, uint32_t number);

/* A sentence in tmp if the filter asks for an attribute or category that no item has, with the one
 * that may have been meant and some of those there are; else NULL. While the catalog is held for
 * reading. */
const char *filter_hint(const struct filter *f, const struct catalog *c, struct arena *tmp);

#endif
