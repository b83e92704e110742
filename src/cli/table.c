/* See table.h. */
#include "cli/table.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 2, NARROWEST = 12 };

void table_done(struct table *t)
{
    str_done(&t->text);
    mem_free(t->cells);
    mem_free(t->notes);
    memset(t, 0, sizeof *t);
}

struct str *table_open(struct table *t, enum style style)
{
    if (mem_grow(&t->cells, &t->cell_cap, t->cell_count + 1, sizeof *t->cells))
        t->text.failed = true;
    else
        t->cells[t->cell_count++] = (struct table_cell){t->text.len, style};
    return &t->text;
}

void table_close(struct table *t)
{
    str_add(&t->text, "", 1);
}

void table_put(struct table *t, enum style style, const char *text)
{
    str_put(table_open(t, style), text);
    table_close(t);
}

void table_cell(struct table *t, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    table_put(t, PLAIN, text);
}

void table_column(struct table *t, const char *head, enum align align, bool shrinks)
{
    if (t->columns == TABLE_COLUMNS)
        return;
    t->align[t->columns] = align;
    t->shrinks[t->columns] = shrinks;
    t->columns++;
    if (head) {
        t->headed = true;
        table_put(t, DIM, head);
    }
}

void table_note(struct table *t, const char *text)
{
    if (mem_grow(&t->notes, &t->note_cap, t->note_count + 1, sizeof *t->notes)) {
        t->text.failed = true;
        return;
    }
    t->notes[t->note_count++] = (struct table_note){t->cell_count / t->columns - 1, t->text.len};
    str_put(&t->text, text);
    table_close(t);
}

void table_clear_head(struct table *t, size_t column)
{
    if (t->headed && column < t->cell_count && !t->text.failed)
        t->text.text[t->cells[column].start] = 0;
}

static const char *cell_text(const struct table *t, size_t i)
{
    return t->text.text + t->cells[i].start;
}

/* Takes columns from the widest that may shrink until the table fits. */
static void fit(const struct table *t, size_t *width, size_t limit)
{
    size_t total = t->indent;
    for (size_t j = 0; j < t->columns; j++)
        total += width[j] + (j ? GAP : 0);
    while (total > limit) {
        size_t widest = t->columns;
        for (size_t j = 0; j < t->columns; j++)
            if (t->shrinks[j] && width[j] > NARROWEST &&
                (widest == t->columns || width[j] > width[widest]))
                widest = j;
        if (widest == t->columns)
            return;
        width[widest]--;
        total--;
    }
}

static void print_row(const struct table *t, struct console *c, size_t row, const size_t *width)
{
    struct str cell = {0};
    size_t blanks = t->indent; /* owed before the next text, so that no line ends in blanks */
    for (size_t j = 0; j < t->columns; j++) {
        size_t i = row * t->columns + j;
        str_clear(&cell);
        size_t used = text_fit(c, cell_text(t, i), width[j], &cell);
        size_t pad = width[j] - used;
        if (used) {
            say(c, "%*s", (int)(blanks + (t->align[j] == RIGHT ? pad : 0)), "");
            say_styled(c, t->cells[i].style, str_text(&cell));
            blanks = t->align[j] == RIGHT ? 0 : pad;
        } else {
            blanks += pad;
        }
        blanks += GAP;
    }
    say_text(c, "\n");
    str_done(&cell);
}

static void print_note(const struct table *t, struct console *c, size_t i, size_t first_width)
{
    size_t indent = t->indent + first_width + GAP;
    struct str cut = {0};
    text_fit(c, t->text.text + t->notes[i].start,
             c->width > indent + NARROWEST ? c->width - indent : SIZE_MAX, &cut);
    say(c, "%*s", (int)indent, "");
    say_styled(c, DIM, str_text(&cut));
    say_text(c, "\n");
    str_done(&cut);
}

void table_print(const struct table *t, struct console *c)
{
    if (t->text.failed) {
        c->pending.failed = true;
        return;
    }
    if (!t->columns)
        return;
    size_t width[TABLE_COLUMNS] = {0};
    size_t rows = t->cell_count / t->columns;
    for (size_t i = 0; i < rows * t->columns; i++) {
        size_t w = text_columns(cell_text(t, i));
        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
    if (c->width)
        fit(t, width, c->width);
    for (size_t row = 0, note = 0; row < rows; row++) {
        print_row(t, c, row, width);
        for (; note < t->note_count && t->notes[note].row == row; note++)
            print_note(t, c, note, width[0]);
    }
}
