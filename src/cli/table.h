/* Aligned tables. Fill cells from left to right; every row has all columns. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/console.h"

enum { TABLE_COLUMNS = 40 };

enum align { LEFT, RIGHT };

struct table_cell {
    size_t start; /* in text, NUL-terminated */
    enum style style;
};

/* A line under a row. */
struct table_note {
    size_t row, start; /* in text */
};

struct table {
    size_t columns;
    enum align align[TABLE_COLUMNS];
    bool shrinks[TABLE_COLUMNS]; /* may be cut with "…" to fit the terminal */
    bool headed;                 /* the first row of cells is the heading */
    unsigned indent;
    struct str text;
    struct table_cell *cells;
    size_t cell_count, cell_cap;
    struct table_note *notes;
    size_t note_count, note_cap;
};

/* A zeroed struct table is a valid empty one. */
void table_done(struct table *t);

/* Adds a column; call for all before the first cell. head NULL: the table has no headings. A column
 * that shrinks gives way when the table is wider than the terminal. */
void table_column(struct table *t, const char *head, enum align align, bool shrinks);

/* Blanks a heading: its column turned out to have nothing to say. */
void table_clear_head(struct table *t, size_t column);

void table_put(struct table *t, enum style style, const char *text);
void table_cell(struct table *t, const char *fmt, ...) PRINTF(2, 3);

/* A cell written by one of the put_… functions: write to &t->text between the two. */
struct str *table_open(struct table *t, enum style style);
void table_close(struct table *t);

/* A line under the row that was filled last, below its second column. */
void table_note(struct table *t, const char *text);

/* A table that is wider than the terminal is printed in parts, the first column before each. */
void table_print(const struct table *t, struct console *c);

#endif
