/* Files with one event per line: most formats differ only in what parts the fields and in which
 * column means what. */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include "data/columns.h"
#include "data/records.h"

struct table {
    struct record_format format;
    struct columns columns;
    const struct event_names *names;
    uint8_t type; /* of events where there is no type column */
};

/* A table without header, of `fields` columns: user, item, value, time as far as there are. */
struct table table_of(enum record_cut_kind kind, char separator, size_t fields, uint8_t type);

/* Adds a file's events to rows. */
MUST_USE enum pal_status table_read(struct loading *l, const char *path, const struct table *t,
                                    struct rows *rows, struct pal_error *err);

/* The same for a file in a folder. */
MUST_USE enum pal_status table_read_in(struct loading *l, const char *folder, const char *name,
                                       const struct table *t, struct rows *rows,
                                       struct pal_error *err);

/* Finds out what kind of table a file is, from its first record and what the caller said about
 * columns, and reads it into rows. Its events are of type `type`, or, for NULL, what its column for
 * types says, else "rating" or "interaction". Sets the data set's weights. */
MUST_USE enum pal_status table_guess_and_read(struct loading *l, const char *path, const char *type,
                                              struct rows *rows, struct pal_error *err);

#endif
