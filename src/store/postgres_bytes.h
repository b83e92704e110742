/* PostgreSQL's binary format: rows as it sends them, parameters and rows as it takes them. Knows
 * nothing of connections. Numbers are big endian. */
#ifndef STORE_POSTGRES_BYTES_H
#define STORE_POSTGRES_BYTES_H

#include "base/str.h"

#include <stdint.h>

/* ---- Rows that come ---- */

enum { PG_FIELDS_MOST = 16 };

/* A row; its bytes belong to whoever gave it. Texts end with a NUL. */
struct pg_row {
    int count;
    struct {
        char *p;
        int len; /* -1 = NULL */
    } field[PG_FIELDS_MOST];
};

/* Reads one message of a binary COPY: a row (1), the end (0), or neither (-1). `first`: the head of
 * all stands before it. data (size) is written to, and may be written to one byte behind. */
int pg_row_read(char *data, size_t size, bool first, struct pg_row *out);

/* Whether the row has these fields: i = a number of 2, 4 or 8 bytes, or a boolean; r = a float of 4
 * bytes; t = a text, b = bytes; capitals: may be NULL. Texts must hold no NUL. */
bool pg_row_is(const struct pg_row *r, const char *shape);

/* Of a row that is as it should be. NULL is 0 and "". */
int64_t pg_int(const struct pg_row *r, int i);
float pg_real(const struct pg_row *r, int i);
const char *pg_text(const struct pg_row *r, int i);

/* ---- What goes ---- */

enum { PG_PARAMS_MOST = 12 };
enum pg_type { PG_BOOL = 16, PG_BYTEA = 17, PG_INT8 = 20, PG_INT4 = 23, PG_TEXT = 25 };

/* The parameters of a statement. A zeroed one has none; done with pg_params_done. */
struct pg_params {
    struct str bytes;
    int count;
    struct {
        size_t at;
        int len; /* -1 = NULL */
    } param[PG_PARAMS_MOST];
    size_t array; /* where the open array begins */
    uint32_t elements;
    enum pg_type type;
};

void pg_params_done(struct pg_params *p);
void pg_params_clear(struct pg_params *p); /* none again, memory kept */

void pg_put_int(struct pg_params *p, int64_t v);       /* a bigint */
void pg_put_text(struct pg_params *p, const char *s);  /* "" and NULL are NULL */
void pg_put_whole(struct pg_params *p, const char *s); /* "" is "" */

/* A parameter that is an array: begin, its elements, end. */
void pg_array_begin(struct pg_params *p, enum pg_type type);
void pg_array_text(struct pg_params *p, const char *s); /* "" and NULL are NULL */
void pg_array_int(struct pg_params *p, int64_t v);      /* bool, int4 or int8 */
void pg_array_end(struct pg_params *p);

/* Rows for a binary COPY, appended to out; str_ok tells whether memory sufficed. */
void pg_copy_begin(struct str *out);
void pg_copy_row(struct str *out, int fields);
void pg_copy_int(struct str *out, int64_t v, int bytes);
void pg_copy_real(struct str *out, float v);
void pg_copy_text(struct str *out, const char *s); /* "" and NULL are NULL */
void pg_copy_bytes(struct str *out, const void *p, size_t size);
void pg_copy_null(struct str *out);
void pg_copy_end(struct str *out);

#endif
