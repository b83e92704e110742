/* RowBinary: integers and floats little endian, texts behind their length, no names, no end. It
 * comes in pieces; a row that is not whole waits for the next one. */
#include "store/clickhouse_inside.h"

#include <string.h>

enum { TEXT_MOST = 1 << 20, ROW_MOST = 4 << 20 };
static const uint64_t PLACE_MOST = (uint64_t)1 << 60;

enum got { GOT, MORE, BROKEN };

/* A length of 7 bits a byte. */
static enum got take_length(const char **p, const char *end, size_t *out)
{
    size_t n = 0;
    if (*p < end && (unsigned char)**p < 128) { /* nearly always */
        *out = (unsigned char)*(*p)++;
        return GOT;
    }
    for (unsigned shift = 0;; shift += 7) {
        if (*p == end)
            return MORE;
        unsigned char c = (unsigned char)*(*p)++;
        n |= (size_t)(c & 127) << shift;
        if (n > TEXT_MOST || shift > 21)
            return BROKEN;
        if (c < 128)
            break;
    }
    *out = n;
    return GOT;
}

/* Gives texts a NUL behind them, in a copy of the row: there it may take the place of what was read
 * by then. */
static void copy_texts(struct ch_rows *r, const char *row, size_t size,
                       union ch_field fields[CH_FIELDS])
{
    str_clear(&r->row);
    str_add(&r->row, row, size);
    for (size_t i = 0; r->kinds[i] && str_ok(&r->row); i++) {
        if (r->kinds[i] != 's')
            continue;
        char *text = r->row.text + (fields[i].words.p - row);
        text[fields[i].words.size] = 0;
        fields[i].text = text;
    }
}

/* One row from *at, which moves behind it. */
static enum got take_row(struct ch_rows *r, const char **at, const char *end,
                         union ch_field fields[CH_FIELDS])
{
    const char *p = *at;
    bool texts = false;
    for (size_t i = 0; r->kinds[i]; i++) {
        bool words = r->kinds[i] == 's' || r->kinds[i] == 't';
        size_t size = r->kinds[i] == 'f' ? 4 : 8;
        if (words) {
            enum got got = take_length(&p, end, &size);
            if (got != GOT)
                return got;
        }
        if ((size_t)(end - p) < size)
            return MORE;
        if (words && memchr(p, 0, size))
            return BROKEN;
        if (words)
            fields[i].words = (struct ch_words){p, size};
        else if (size == 4)
            memcpy(&fields[i], p, 4);
        else
            memcpy(&fields[i], p, 8);
        texts = texts || r->kinds[i] == 's';
        p += size;
    }
    if (texts)
        copy_texts(r, *at, (size_t)(p - *at), fields);
    *at = p;
    return GOT;
}

static enum pal_status broken(struct pal_error *err)
{
    return pal_fail(err, PAL_EIO, "ClickHouse broke off in the middle of an answer");
}

static enum pal_status give_row(struct ch_rows *r, const union ch_field *fields,
                                struct pal_error *err)
{
    if (!str_ok(&r->row))
        return pal_no_memory(err);
    if (fields[1].u64 >= PLACE_MOST)
        return broken(err);
    return r->fn(r->ctx, fields, err);
}

enum pal_status ch_rows_take(void *rows, const char *data, size_t size, struct pal_error *err)
{
    struct ch_rows *r = rows;
    union ch_field fields[CH_FIELDS] = {{0}};
    bool joined = r->rest.len > 0;
    if (joined) {
        str_add(&r->rest, data, size);
        if (!str_ok(&r->rest))
            return pal_no_memory(err);
        data = r->rest.text;
        size = r->rest.len;
    }
    const char *p = data, *end = data + size;
    enum got got = MORE;
    while (p < end && (got = take_row(r, &p, end, fields)) == GOT) {
        enum pal_status st = give_row(r, fields, err);
        if (st != PAL_OK)
            return st;
    }
    size_t left = (size_t)(end - p);
    if (got == BROKEN || left > ROW_MOST)
        return broken(err);
    if (joined) {
        memmove(r->rest.text, p, left);
        r->rest.len = left;
    } else {
        str_add(&r->rest, p, left);
    }
    return str_ok(&r->rest) ? PAL_OK : pal_no_memory(err);
}

enum pal_status ch_rows_end(const struct ch_rows *r, struct pal_error *err)
{
    return r->rest.len == 0 ? PAL_OK : broken(err);
}

void ch_rows_done(struct ch_rows *r)
{
    str_done(&r->rest);
    str_done(&r->row);
}

void ch_put_bytes(struct str *out, const void *data, size_t size)
{
    str_add(out, data, size);
}

void ch_put_text(struct str *out, const char *text)
{
    size_t len = text ? strlen(text) : 0, n = len;
    do {
        str_char(out, (char)((n & 127) | (n > 127 ? 128 : 0)));
        n >>= 7;
    } while (n);
    str_add(out, text, len);
}
