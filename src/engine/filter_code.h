/* A parsed filter: tests in a row, each telling where to go on when it holds and when not, so that
 * matching is a walk without recursion that looks at no more than it must. */
#ifndef ENGINE_FILTER_CODE_H
#define ENGINE_FILTER_CODE_H

#include "engine/catalog_row.h"
#include "engine/filter.h"

enum { FILTER_BYTES = 4096, FILTER_TERMS = 256, FILTER_VALUES = 1024, FILTER_DEPTH = 64 };

enum filter_field {
    FIELD_ATTRIBUTE,
    FIELD_ID,
    FIELD_TITLE,
    FIELD_CATEGORIES,
    FIELD_AVAILABLE,
    FIELD_CREATED,
};

enum filter_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_HAS, OP_CONTAINS, OP_EXISTS };

struct filter_value {
    enum cell_kind kind; /* CELL_NUMBER, CELL_TEXT or CELL_BOOL */
    double number;       /* CELL_BOOL: 0 or 1 */
    const char *text;    /* size bytes; of OP_CONTAINS in small letters */
    uint32_t size, hash;
    uint32_t bound; /* FIELD_CATEGORIES, FIELD_ID: the category or item; or INTERN_NONE */
};

enum { FILTER_YES = -1, FILTER_NO = -2 }; /* the end of the walk */

struct filter_term {
    enum filter_field field;
    enum filter_op op;
    const char *name; /* of the attribute */
    size_t name_size;
    uint32_t column; /* of it, once bound; INTERN_NONE if no item has it */
    size_t count;
    struct filter_value *value; /* (count) one but for OP_IN; none for OP_EXISTS */
    int16_t yes, no;            /* the next term, or how the walk ends */
};

struct filter {
    size_t count;
    struct filter_term *term; /* (count) in the order of the text */
};

#endif
