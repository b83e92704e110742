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
    size_t start = t->text.len;
    while (start > 0 && t->text.text[start - 1])
        start--;
    if (start < t->text.len)
        text_calm(t->text.text + start, t->text.len - start);
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

/* The widest column that may still give way, or t->columns. */
static size_t widest(const struct table *t, const size_t *width, size_t least)
{
    size_t best = t->columns;
    for (size_t j = 0; j < t->columns; j++)
        if (t->shrinks[j] && width[j] > least && (best == t->columns || width[j] > width[best]))
            best = j;
    return best;
}

/* Takes from the widest columns until the table fits. If it can't, it is printed in parts, and only
 * what takes more than half of the terminal gives way. */
static void fit(const struct table *t, size_t *width, size_t limit)
{
    size_t total = t->indent, spare = 0, least = NARROWEST, j;
    for (j = 0; j < t->columns; j++) {
        total += width[j] + (j ? GAP : 0);
        spare += t->shrinks[j] && width[j] > NARROWEST ? width[j] - NARROWEST : 0;
    }
    if (total > limit && total - spare > limit)
        least = limit / 2;
    for (; total > limit && (j = widest(t, width, least)) < t->columns; total--)
        width[j]--;
}

/* A run of columns that is printed with the first one before it. */
struct block {
    size_t from, to;
};

static size_t glued(const struct table *t, size_t j)
{
    return t->headed && j + 1 < t->columns && !*cell_text(t, j + 1) ? 2 : 1;
}

/* As many columns from b->to on as fit beside the first; one at least, and what has no heading of
 * its own stays with what it belongs to. */
static void next_block(const struct table *t, const size_t *width, size_t limit, struct block *b)
{
    size_t used = t->indent + width[0];
    b->from = b->to;
    while (b->to < t->columns) {
        size_t n = glued(t, b->to), more = 0;
        for (size_t j = b->to; j < b->to + n; j++)
            more += width[j] + GAP;
        if (used + more > limit && b->to > b->from)
            return;
        used += more;
        b->to += n;
    }
}

/* blanks: owed before the next text, so that no line ends in them. */
static void print_cell(const struct table *t, struct console *c, size_t i, size_t width,
                       size_t *blanks)
{
    struct str cell = {0};
    bool right = t->align[i % t->columns] == RIGHT;
    size_t used = text_fit(c, cell_text(t, i), width, &cell), pad = width - used;
    if (used) {
        say(c, "%*s", (int)(*blanks + (right ? pad : 0)), "");
        say_styled(c, t->cells[i].style, str_text(&cell));
        *blanks = right ? 0 : pad;
    } else {
        *blanks += pad;
    }
    *blanks += GAP;
    c->pending.failed |= cell.failed;
    str_done(&cell);
}

/* Whole: in one line or, on a terminal, in as many as it takes. */
static void print_note(const struct table *t, struct console *c, size_t i, size_t first_width)
{
    const char *text = t->text.text + t->notes[i].start;
    size_t indent = t->indent + first_width + GAP;
    struct console lines = *c;
    lines.pending = (struct str){0};
    if (c->width > indent + NARROWEST)
        say_paragraph(&lines, (unsigned)indent, text);
    else
        say(&lines, "%*s%s\n", (int)indent, "", text);
    say_styled(c, DIM, str_text(&lines.pending));
    c->pending.failed |= lines.pending.failed;
    str_done(&lines.pending);
}

static void print_block(const struct table *t, struct console *c, const size_t *width,
                        struct block b)
{
    for (size_t row = 0, note = 0; row < t->cell_count / t->columns; row++) {
        size_t blanks = t->indent, first = row * t->columns;
        print_cell(t, c, first, width[0], &blanks);
        for (size_t j = b.from; j < b.to; j++)
            print_cell(t, c, first + j, width[j], &blanks);
        say_text(c, "\n");
        for (; b.to == t->columns && note < t->note_count && t->notes[note].row == row; note++)
            print_note(t, c, note, width[0]);
    }
}

void table_print(const struct table *t, struct console *c)
{
    size_t width[TABLE_COLUMNS] = {0}, limit = c->width ? c->width : SIZE_MAX;
    if (t->text.failed) {
        c->pending.failed = true;
        return;
    }
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t w = text_columns(cell_text(t, i));
        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
    fit(t, width, limit);
    struct block b = {1, 1};
    do {
        say_text(c, b.to > 1 ? "\n" : "");
        next_block(t, width, limit, &b);
        print_block(t, c, width, b);
    } while (b.to < t->columns);
}
