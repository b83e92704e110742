/* What is known of items and users beside who did what: ids, titles, categories, tags, attributes.
 *
 * Everything but the ids may be missing. Texts are UTF-8. */
#ifndef DATA_ITEMS_H
#define DATA_ITEMS_H

#include "base/intern.h"

#include <stdbool.h>

/* One text per row, by number; rows without one have length 0. */
struct texts {
    uint32_t count;
    char *bytes;     /* each text followed by a NUL */
    uint64_t *start; /* (count + 1) */
    size_t bytes_cap, start_cap;
};

void texts_done(struct texts *t);

/* Appends the next row's text. */
MUST_USE enum pal_status texts_add(struct texts *t, const char *s, size_t len,
                                   struct pal_error *err);

/* Row i's text, "" for a row that has none or that is past the end. */
static inline const char *texts_at(const struct texts *t, uint32_t i)
{
    return i < t->count ? t->bytes + t->start[i] : "";
}

/* Each row's set of labels (categories, tags): labels as numbers, in the order given. */
struct labels {
    struct intern names;
    uint32_t rows;
    uint64_t *start; /* (rows + 1) */
    uint32_t *label; /* (start[rows]) */
    size_t start_cap, label_cap;
};

void labels_done(struct labels *l);

/* Appends a label to the row being built (as often as it is given); labels_end_row begins the next.
 */
MUST_USE enum pal_status labels_add(struct labels *l, const char *s, size_t len,
                                    struct pal_error *err);
MUST_USE enum pal_status labels_end_row(struct labels *l, struct pal_error *err);

/* Adds the texts of a JSON array (NULL or "" = none) to the row being built, and ends it. */
MUST_USE enum pal_status labels_add_json(struct labels *l, const char *json, struct pal_error *err);

/* Row i's labels; *n = 0 for a row past the end. */
const uint32_t *labels_at(const struct labels *l, uint32_t i, uint32_t *n);

struct items {
    struct intern ids;
    struct texts titles;      /* (ids.count), or empty */
    struct texts attributes;  /* one JSON object each, or empty */
    struct labels categories; /* a movie's genres, a product's department */
    struct labels tags;       /* what users called it; repeated in proportion to how often */
};

struct users {
    struct intern ids;
    struct texts attributes; /* one JSON object each: age, gender, occupation… */
};

void items_done(struct items *i);
void users_done(struct users *u);

/* What to call an item when talking to people: its title, else its id. */
static inline const char *items_name(const struct items *i, uint32_t item)
{
    const char *title = texts_at(&i->titles, item);
    return *title ? title : intern_text(&i->ids, item);
}

/* *out = a copy of items. */
MUST_USE enum pal_status items_copy(const struct items *items, struct items *out,
                                    struct pal_error *err);

#endif
