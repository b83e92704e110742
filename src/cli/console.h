/* What a person sees: standard output, with the manners of the terminal or pipe behind it.
 *
 * On a terminal text is fitted to its width, coloured unless NO_COLOR is set, and drawn with
 * Unicode where the locale has it. In a pipe or file it is plain, whole, and as wide as it gets. */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include "base/emit.h"
#include "base/readable.h"

#include <stdbool.h>

enum style { PLAIN, BOLD, DIM, GOOD, BAD };

struct console {
    int fd;
    bool tty, color, utf8;
    unsigned width;     /* columns of the terminal; 0 = no limit */
    struct str pending; /* said, not yet written */
    int error;          /* errno of the first failed write; nothing is written after it */
};

/* Looks at fd 1, the locale (set by the caller), TERM, COLUMNS and NO_COLOR. */
void console_init(struct console *c);

void say(struct console *c, const char *fmt, ...) PRINTF(2, 3);
void say_text(struct console *c, const char *text);

/* Text between the codes of a style, if there are colours. */
void say_styled(struct console *c, enum style style, const char *text);

/* A heading on a line of its own, with an empty line before it unless it comes first. */
void say_heading(struct console *c, const char *text);

/* One paragraph, broken at blanks to the width (80 where there is no limit, 100 at most), every
 * line indented. A newline in it begins a new line; a line that begins with a blank is kept. */
void say_paragraph(struct console *c, unsigned indent, const char *text);

/* Says what was written, and frees it. */
void emit_say(struct emit *e, struct console *c);

/* Writes what was said so far; a failure is kept for console_finish. */
void console_flush(struct console *c);

/* Writes the rest. PAL_EIO if any of it could not be written; a reader who went away (EPIPE) is no
 * failure. */
MUST_USE enum pal_status console_finish(struct console *c, struct pal_error *err);

/* Whether the reader went away: there is nobody to work for. */
bool console_gone(const struct console *c);

/* Columns that UTF-8 text takes. */
size_t text_columns(const char *s);

/* Control characters become blanks: a title must neither break a table nor steer the terminal. */
void text_calm(char *s, size_t len);

/* Appends s cut to at most `columns`, with "…" ("..." without UTF-8) in place of what is lost;
 * returns the columns it takes. */
size_t text_fit(const struct console *c, const char *s, size_t columns, struct str *out);

/* A bar of `columns` at share 1, in eighths of a column where the terminal can draw them. */
void put_bar(const struct console *c, struct str *out, double share, size_t columns);

#endif
