/* Tables about items and users with a header: movies.csv, products.csv, users.tsv…
 *
 * The id column is found as in tables of events ("movieId", "product_id"; or plain "id"). Of an
 * item's other columns "title" or "name" (or the like) becomes its title; "genres", "categories",
 * "department" (or the like) become categories, several in one field parted by '|' or ';'. Every
 * other column becomes an attribute under its own name. */
#ifndef DATA_CATALOG_H
#define DATA_CATALOG_H

#include "data/records.h"

MUST_USE enum pal_status catalog_read_items(struct loading *l, const char *path,
                                            struct pal_error *err);
MUST_USE enum pal_status catalog_read_users(struct loading *l, const char *path,
                                            struct pal_error *err);

/* For formats without a header: the next item's title and its categories, parted by '|' or ';', and
 * its attributes (one JSON object or ""). The item is the one that loading_new_id just added. */
MUST_USE enum pal_status catalog_put_item(struct loading *l, struct field title,
                                          struct field categories, const struct str *attributes,
                                          struct pal_error *err);
MUST_USE enum pal_status catalog_put_user(struct loading *l, const struct str *attributes,
                                          struct pal_error *err);

/* A category of the next item, unless it says that there is none. */
MUST_USE enum pal_status catalog_put_categories(struct loading *l, struct field names,
                                                struct pal_error *err);

#endif
