/* A list that was served, packed: what the journal and the store keep of an answer, since every
 * answer leaves one. About 15 bytes an item where JSON takes 75.
 *
 * The bytes: how many sources there are (1 byte), their names with their NULs; how many items (2
 * bytes); of each item its source's place among those names (1 byte; 128 more where it was
 * explored), its score and its propensity (4 bytes each, floats), its id with its NUL. Numbers are
 * little endian. */
#ifndef DATA_SERVED_H
#define DATA_SERVED_H

#include "base/str.h"

struct served_item {
    const char *item_id, *source;
    float score, propensity; /* finite */
    bool explored;
};

enum { SERVED_ITEMS_MOST = 65535, SERVED_SOURCES_MOST = 127 };

/* Appends the list (count); str_ok tells whether memory sufficed. What is past SERVED_ITEMS_MOST
 * items is left out, a source past SERVED_SOURCES_MOST takes the name of the last. */
void served_pack(const struct served_item *items, size_t count, struct str *out);

/* What is wrong with bytes that should be a packed list, or NULL. */
const char *served_fault(const void *packed, size_t size);

/* Appends [{"item_id":…,"source":…,"score":…,"explored":true,"propensity":…},…], for a list without
 * fault; numbers have up to nine digits behind the point. */
void served_json(const void *packed, size_t size, struct str *out);

#endif
