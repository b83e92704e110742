/* Writing JSON in the order in which things are said: indented for people, or compact.
 *
 * Errors are sticky in the text (see base/str.h). Numbers that JSON lacks (NaN, infinities) become
 * null; bytes that are not UTF-8 become U+FFFD. */
#ifndef BASE_EMIT_H
#define BASE_EMIT_H

#include "base/str.h"

struct emit {
    struct str text;
    unsigned depth;
    bool first;   /* of its object or array */
    bool compact; /* no blanks or newlines */
};

/* A text as a JSON string, quotes and all. */
void emit_quoted(struct str *out, const char *text);

/* key NULL inside an array, and for the outermost value. */
void emit_open(struct emit *e, const char *key, char bracket);        /* '{' or '[' */
void emit_close(struct emit *e, char bracket);                        /* '}' or ']' */
void emit_string(struct emit *e, const char *key, const char *value); /* NULL = null */
void emit_uint(struct emit *e, const char *key, uint64_t value);
void emit_int(struct emit *e, const char *key, int64_t value);
void emit_number(struct emit *e, const char *key, double value);
void emit_float(struct emit *e, const char *key, float value); /* no more digits than it has */
void emit_boolean(struct emit *e, const char *key, bool value);
void emit_raw(struct emit *e, const char *key, const char *json); /* a value as it is */
void emit_hex(struct emit *e, const char *key, uint64_t value);   /* as a string of 16 digits */
void emit_time(struct emit *e, const char *key, int64_t time_s);  /* as text; null below 0 */

#endif
