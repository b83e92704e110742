/* Writing JSON, indented, in the order in which things are said.
 *
 * Errors are sticky in the text (see base/str.h). Numbers that JSON lacks (NaN, infinities) become
 * null; bytes that are not UTF-8 become U+FFFD. */
#ifndef CLI_EMIT_H
#define CLI_EMIT_H

#include "cli/console.h"

struct emit {
    struct str text;
    unsigned depth;
    bool first; /* of its object or array */
};

/* key NULL inside an array, and for the outermost value. */
void emit_open(struct emit *e, const char *key, char bracket);        /* '{' or '[' */
void emit_close(struct emit *e, char bracket);                        /* '}' or ']' */
void emit_string(struct emit *e, const char *key, const char *value); /* NULL = null */
void emit_uint(struct emit *e, const char *key, uint64_t value);
void emit_number(struct emit *e, const char *key, double value);
void emit_float(struct emit *e, const char *key, float value); /* no more digits than it has */
void emit_boolean(struct emit *e, const char *key, bool value);
void emit_raw(struct emit *e, const char *key, const char *json); /* a value as it is */
void emit_hex(struct emit *e, const char *key, uint64_t value);   /* as a string of 16 digits */
void emit_time(struct emit *e, const char *key, int64_t time_s);  /* as text; null below 0 */

/* Prints what was written, and frees it. */
void emit_say(struct emit *e, struct console *c);

#endif
