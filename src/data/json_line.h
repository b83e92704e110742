/* One line of JSON as a flat list of members: the C side of a thin layer over simdjson. */
#ifndef DATA_JSON_LINE_H
#define DATA_JSON_LINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum json_kind {
    JSON_NULL_VALUE,
    JSON_TEXT,     /* a string: text */
    JSON_WHOLE,    /* a whole number: text (its digits) and number */
    JSON_FRACTION, /* any other number: number */
    JSON_NESTED,   /* true, false, an array or an object */
};

struct json_member {
    const char *key, *text; /* UTF-8, not NUL-terminated; valid until the next line is parsed */
    size_t key_len, text_len;
    double number;
    enum json_kind kind;
    char digits[24];
};

enum json_outcome {
    JSON_LINE_OK,
    JSON_LINE_BAD,       /* no valid JSON (RFC 8259, UTF-8), or longer than JSON_LINE_BYTES */
    JSON_LINE_NO_OBJECT, /* valid, but something else than an object */
    JSON_LINE_CROWDED,   /* more than JSON_MEMBERS members */
    JSON_LINE_MEMORY,
};

enum { JSON_MEMBERS = 128, JSON_LINE_BYTES = 16 << 20 };

struct json_reader;

struct json_reader *json_reader_new(void);    /* NULL when memory is out */
void json_reader_free(struct json_reader *r); /* NULL is fine */

/* Parses [p, p + len). `room`: how many bytes behind it may be read too; if they are few, the line
 * is copied first. member holds JSON_MEMBERS. */
enum json_outcome json_line_parse(struct json_reader *r, const char *p, size_t len, size_t room,
                                  struct json_member *member, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
