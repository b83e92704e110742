/* The inside of the catalog, for the files of this folder: an item as one block of memory. */
#ifndef ENGINE_CATALOG_ROW_H
#define ENGINE_CATALOG_ROW_H

#include "engine/catalog.h"

enum cell_kind { CELL_NUMBER, CELL_TEXT, CELL_BOOL, CELL_LIST };

/* One value of an attribute. */
struct cell {
    uint16_t column; /* of the catalog's columns; of a list's elements: the list's */
    uint8_t kind;    /* enum cell_kind */
    uint32_t size;   /* a text's bytes, a list's elements */
    union {
        double number; /* CELL_NUMBER; CELL_BOOL: 0 or 1 */
        struct {
            uint32_t hash; /* CELL_TEXT: catalog_hash */
            uint32_t at;   /* CELL_TEXT: byte of the block; CELL_LIST: first element's cell */
        };
    };
};

/* An item: this head, its cells, its categories, its texts. Places are bytes from the head's
 * beginning; 0 = none. */
struct catalog_row {
    int64_t created_ms;
    uint32_t bytes;      /* of the block; 0 for the two below, which are nobody's block */
    uint32_t cells;      /* one per attribute, by column, ascending; list elements follow */
    uint32_t cells_all;  /* with them */
    uint32_t categories; /* ascending */
    uint32_t title, image_url, categories_json, attributes_json;
    struct cell cell[];
};

/* What stands where nothing but the id is known, and where an item was removed. */
extern const struct catalog_row catalog_row_bare, catalog_row_removed;

struct catalog {
    struct intern ids;
    struct intern columns; /* names of attributes */
    struct intern categories;
    const struct catalog_row **row; /* (ids.count) */
    uint64_t *unavailable;          /* bits, see catalog_unavailable */
    size_t row_cap, unavailable_cap;
    uint32_t available, removed;
    uint64_t version;
    uint64_t row_bytes; /* of all blocks */
};

static inline const char *catalog_row_text(const struct catalog_row *r, uint32_t place)
{
    return place ? (const char *)r + place : NULL;
}

static inline const uint32_t *catalog_row_categories(const struct catalog_row *r)
{
    return (const uint32_t *)(r->cell + r->cells_all);
}

/* The row's value of an attribute, NULL if it has none. Rows have a dozen cells, so that a walk
 * over them beats a search. */
static inline const struct cell *catalog_row_cell(const struct catalog_row *r, uint32_t column)
{
    for (uint32_t i = 0; i < r->cells && r->cell[i].column <= column; i++)
        if (r->cell[i].column == column)
            return &r->cell[i];
    return NULL;
}

/* Texts of unequal hash differ. */
uint32_t catalog_hash(const char *s, size_t len);

/* The item as a block (mem_free), its new names added to the tables. PAL_EUSAGE for JSON that is
 * not what record.h says. */
MUST_USE enum pal_status catalog_row_make(const struct item_row *row, struct intern *columns,
                                          struct intern *categories, struct catalog_row **out,
                                          struct pal_error *err);

#endif
