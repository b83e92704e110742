/* The live catalog: all items with what is known of them, by number.
 *
 * Numbers count from 0 in the order of arrival and never change; a deleted item keeps its number
 * and is not available, and gets it back if it returns. Attributes are kept as typed cells, so that
 * a filter looks at an item in tens of nanoseconds:
 *
 *     {"year": 1995, "sale": true, "cast": ["A", "B"], "maker": {"name": "Acme"}}
 *
 * has the attributes year, sale, cast and maker.name. The first COLUMNS_MOST names that ever came
 * can be filtered by; values under further names, nulls, names past COLUMN_NAME bytes, what lies
 * deeper than COLUMN_DEPTH objects, and lists and objects within lists are kept in the JSON text
 * only. Numbers are doubles.
 *
 * Any number of threads may read while nobody writes; the owner sees to that (see live.c). */
#ifndef ENGINE_CATALOG_H
#define ENGINE_CATALOG_H

#include "data/items.h"
#include "data/record.h"

enum { COLUMNS_MOST = 1000, COLUMN_NAME = 256, COLUMN_DEPTH = 16 };

struct catalog;

MUST_USE enum pal_status catalog_new(struct catalog **out, struct pal_error *err);
void catalog_free(struct catalog *c); /* NULL is fine */

/* Adds the item or replaces all that is known of it. Cost: that of the item. PAL_EUSAGE, and
 * nothing changed, if categories or attributes are not what record.h says. */
MUST_USE enum pal_status catalog_put(struct catalog *c, const struct item_row *row,
                                     uint32_t *number, struct pal_error *err);

/* The number of an item, added with nothing but its id if it is new (an event named it). One that
 * was removed stays removed. */
MUST_USE enum pal_status catalog_touch(struct catalog *c, const char *item_id, uint32_t *number,
                                       struct pal_error *err);

/* What was known of it is forgotten and it is not recommended any more. Unknown: nothing. */
void catalog_remove(struct catalog *c, const char *item_id);

uint32_t catalog_count(const struct catalog *c);                     /* removed ones included */
uint32_t catalog_present(const struct catalog *c);                   /* without them */
uint32_t catalog_find(const struct catalog *c, const char *item_id); /* or INTERN_NONE */

/* Grows with every change. */
uint64_t catalog_version(const struct catalog *c);

/* The ids as an intern table, for mapping models' items; address and numbers stay valid. */
const struct intern *catalog_ids(const struct catalog *c);

/* An item's fields, NULL for a text that it lacks; texts are borrowed until the catalog next
 * changes. False for a number past the end or a removed item. */
bool catalog_item(const struct catalog *c, uint32_t number, struct item_row *out);

/* Whether it may be recommended. */
bool catalog_available(const struct catalog *c, uint32_t number);

/* How many may. */
uint32_t catalog_available_count(const struct catalog *c);

/* One bit per item, number % 64 of word number / 64: set if it may not. The bits past the last item
 * are set too. ((catalog_count + 63) / 64) words, borrowed until the catalog next changes. */
const uint64_t *catalog_unavailable(const struct catalog *c);

/* Its title, or its id where there is none. */
const char *catalog_name(const struct catalog *c, uint32_t number);

/* Brings an item on its way into the cache: for who will soon look at many. */
void catalog_prefetch(const struct catalog *c, uint32_t number);

/* The same for its id and its title. */
void catalog_prefetch_texts(const struct catalog *c, uint32_t number);

/* Its categories, each once, ascending, as numbers that mean the same for the whole catalog, and
 * their names. */
const uint32_t *catalog_categories(const struct catalog *c, uint32_t number, uint32_t *n);
const struct intern *catalog_category_names(const struct catalog *c);

/* Ids, titles and categories as a struct items, for models that learn from them and for finding
 * titles. Removed items are there, with nothing but their id, so that numbers are the same. */
MUST_USE enum pal_status catalog_copy(const struct catalog *c, struct items *out,
                                      struct pal_error *err);

/* Heap bytes. */
uint64_t catalog_bytes(const struct catalog *c);

#endif
