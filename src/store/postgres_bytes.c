/* See postgres_bytes.h. The format: COPY begins with eleven bytes by which it is known, flags, and
 * the length of what else the head may hold; a row is the number of its fields (2 bytes) and of
 * each its length (4 bytes, -1 for NULL) and its bytes; -1 fields are the end. */
#include "store/postgres_bytes.h"

#include <string.h>

static const char signature[11] = "PGCOPY\n\377\r\n";

static int64_t big_endian(const char *p, int bytes)
{
    uint64_t v = (unsigned char)*p & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)p[i];
    return (int64_t)v;
}

static void put_number(struct str *out, uint64_t v, int bytes)
{
    char b[8];
    for (int i = bytes; i-- > 0; v >>= 8)
        b[i] = (char)(v & 0xff);
    str_add(out, b, (size_t)bytes);
}

/* Passes over the head; NULL if there is none. */
static char *behind_head(char *p, const char *end)
{
    if (end - p < 19 || memcmp(p, signature, sizeof signature) != 0)
        return NULL;
    int64_t more = big_endian(p + 15, 4);
    return more < 0 || more > end - p - 19 ? NULL : p + 19 + more;
}

int pg_row_read(char *data, size_t size, bool first, struct pg_row *out)
{
    char *p = data, *end = data + size;
    if (first && !(p = behind_head(p, end)))
        return -1;
    if (end - p < 2)
        return -1;
    int64_t count = big_endian(p, 2);
    p += 2;
    if (count == -1)
        return p == end ? 0 : -1;
    if (count < 0 || count > PG_FIELDS_MOST)
        return -1;
    for (int i = 0; i < count; i++) {
        if (end - p < 4)
            return -1;
        int64_t len = big_endian(p, 4);
        p += 4;
        if (len < -1 || len > end - p)
            return -1;
        out->field[i].p = p;
        out->field[i].len = (int)len;
        p += len > 0 ? len : 0;
    }
    if (p != end)
        return -1;
    out->count = (int)count;
    for (int i = 0; i < count; i++) /* over the next one's length, which was read */
        if (out->field[i].len >= 0)
            out->field[i].p[out->field[i].len] = 0;
    return 1;
}

bool pg_row_is(const struct pg_row *r, const char *shape)
{
    if (r->count != (int)strlen(shape))
        return false;
    for (int i = 0; i < r->count; i++) {
        int len = r->field[i].len;
        char kind = shape[i] | 0x20;
        if (len < 0 && kind != shape[i])
            continue;
        if (len < 0 || (kind == 'i' && len != 1 && len != 2 && len != 4 && len != 8) ||
            (kind == 'r' && len != 4) ||
            (kind == 't' && memchr(r->field[i].p, 0, (size_t)len) != NULL))
            return false;
    }
    return true;
}

int64_t pg_int(const struct pg_row *r, int i)
{
    return r->field[i].len > 0 ? big_endian(r->field[i].p, r->field[i].len) : 0;
}

float pg_real(const struct pg_row *r, int i)
{
    uint32_t bits = (uint32_t)pg_int(r, i);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

const char *pg_text(const struct pg_row *r, int i)
{
    return r->field[i].len > 0 ? r->field[i].p : "";
}

/* ---- What goes ---- */

void pg_params_done(struct pg_params *p)
{
    str_done(&p->bytes);
    memset(p, 0, sizeof *p);
}

void pg_params_clear(struct pg_params *p)
{
    str_clear(&p->bytes);
    p->count = 0;
}

static void add_param(struct pg_params *p, size_t at, int len)
{
    p->param[p->count].at = at;
    p->param[p->count++].len = len;
}

void pg_put_int(struct pg_params *p, int64_t v)
{
    size_t at = p->bytes.len;
    put_number(&p->bytes, (uint64_t)v, 8);
    add_param(p, at, 8);
}

void pg_put_whole(struct pg_params *p, const char *s)
{
    size_t at = p->bytes.len, len = strlen(s);
    str_add(&p->bytes, s, len);
    add_param(p, at, (int)len);
}

void pg_put_text(struct pg_params *p, const char *s)
{
    if (s && *s)
        pg_put_whole(p, s);
    else
        add_param(p, 0, -1);
}

enum { ARRAY_HEAD = 20, COUNT_AT = 12 };

/* One dimension, no notion of NULLs before it is known, the type; how many; counted from 1. */
void pg_array_begin(struct pg_params *p, enum pg_type type)
{
    p->array = p->bytes.len;
    p->elements = 0;
    p->type = type;
    put_number(&p->bytes, 1, 4);
    put_number(&p->bytes, 1, 4); /* there may be NULLs */
    put_number(&p->bytes, (uint64_t)type, 4);
    put_number(&p->bytes, 0, 4);
    put_number(&p->bytes, 1, 4);
}

void pg_array_text(struct pg_params *p, const char *s)
{
    p->elements++;
    pg_copy_text(&p->bytes, s);
}

void pg_array_int(struct pg_params *p, int64_t v)
{
    p->elements++;
    pg_copy_int(&p->bytes, v, p->type == PG_INT8 ? 8 : p->type == PG_INT4 ? 4 : 1);
}

void pg_array_end(struct pg_params *p)
{
    for (int i = 0; i < 4 && str_ok(&p->bytes); i++)
        p->bytes.text[p->array + COUNT_AT + (size_t)i] = (char)(p->elements >> (24 - 8 * i));
    add_param(p, p->array, (int)(p->bytes.len - p->array));
}

void pg_copy_begin(struct str *out)
{
    str_add(out, signature, sizeof signature);
    put_number(out, 0, 4);
    put_number(out, 0, 4);
}

void pg_copy_row(struct str *out, int fields)
{
    put_number(out, (uint64_t)fields, 2);
}

void pg_copy_int(struct str *out, int64_t v, int bytes)
{
    put_number(out, (uint64_t)bytes, 4);
    put_number(out, (uint64_t)v, bytes);
}

void pg_copy_real(struct str *out, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    pg_copy_int(out, (int64_t)bits, 4);
}

void pg_copy_bytes(struct str *out, const void *p, size_t size)
{
    put_number(out, size, 4);
    str_add(out, p, size);
}

void pg_copy_text(struct str *out, const char *s)
{
    if (s && *s)
        pg_copy_bytes(out, s, strlen(s));
    else
        pg_copy_null(out);
}

void pg_copy_null(struct str *out)
{
    put_number(out, UINT32_MAX, 4);
}

void pg_copy_end(struct str *out)
{
    put_number(out, UINT16_MAX, 2);
}
