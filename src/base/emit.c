/* See emit.h. */
#include "base/emit.h"

#include "base/digits.h"
#include "base/text.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* How many bytes from s on stand in JSON as they are. */
static size_t plain(const char *s)
{
    size_t n = 0;
    while ((unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x80 && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

/* A text that stands as it is, which nearly all do, and what comes before and behind it. */
static void put_plain(struct str *out, const char *before, const char *s, size_t n,
                      const char *behind)
{
    size_t first = strlen(before), last = strlen(behind);
    char *to = str_more(out, first + n + last);
    if (!to)
        return;
    memcpy(to, before, first);
    memcpy(to + first, s, n);
    memcpy(to + first + n, behind, last);
}

void emit_quoted(struct str *out, const char *s)
{
    size_t all = plain(s);
    if (!s[all]) {
        put_plain(out, "\"", s, all, "\"");
        return;
    }
    str_char(out, '"');
    while (*s) {
        size_t n = plain(s);
        str_add(out, s, n);
        s += n;
        unsigned char b = (unsigned char)*s;
        size_t size = b >= 0x80 ? text_utf8_char(s, s + strnlen(s, 4)) : 1;
        if (!b)
            break;
        if (b == '"' || b == '\\')
            str_fmt(out, "\\%c", b);
        else if (b < 0x20)
            str_fmt(out, "\\u%04x", b);
        else if (size)
            str_add(out, s, size);
        else
            str_put(out, "\xEF\xBF\xBD");
        s += size ? size : 1;
    }
    str_char(out, '"');
}

static void new_line(struct emit *e, unsigned depth)
{
    static const char blanks[] = "                                ";
    if (e->compact)
        return;
    str_char(&e->text, '\n');
    for (size_t left = 2 * depth; left;) {
        size_t n = left < sizeof blanks - 1 ? left : sizeof blanks - 1;
        str_add(&e->text, blanks, n);
        left -= n;
    }
}

static void begin(struct emit *e, const char *key)
{
    bool comma = e->depth && !e->first;
    size_t n = key ? plain(key) : 0;
    e->first = false;
    if (key && !key[n] && e->compact) {
        put_plain(&e->text, comma ? ",\"" : "\"", key, n, "\":");
        return;
    }
    if (comma)
        str_char(&e->text, ',');
    if (e->depth)
        new_line(e, e->depth);
    if (key) {
        emit_quoted(&e->text, key);
        str_put(&e->text, e->compact ? ":" : ": ");
    }
}

void emit_open(struct emit *e, const char *key, char bracket)
{
    begin(e, key);
    str_char(&e->text, bracket);
    e->depth++;
    e->first = true;
}

void emit_close(struct emit *e, char bracket)
{
    e->depth--;
    if (!e->first)
        new_line(e, e->depth);
    str_char(&e->text, bracket);
    if (!e->depth && !e->compact)
        str_char(&e->text, '\n');
    e->first = false;
}

void emit_string(struct emit *e, const char *key, const char *value)
{
    begin(e, key);
    if (value)
        emit_quoted(&e->text, value);
    else
        str_put(&e->text, "null");
}

void emit_uint(struct emit *e, const char *key, uint64_t value)
{
    char text[DIGITS_MOST];
    begin(e, key);
    str_add(&e->text, text, digits_uint(text, value));
}

void emit_int(struct emit *e, const char *key, int64_t value)
{
    char text[DIGITS_MOST];
    begin(e, key);
    str_add(&e->text, text, digits_int(text, value));
}

static void put_real(struct emit *e, const char *key, double value, int precision)
{
    char text[DIGITS_MOST];
    begin(e, key);
    if (isfinite(value))
        str_add(&e->text, text, digits_real(text, value, precision));
    else
        str_put(&e->text, "null");
}

void emit_number(struct emit *e, const char *key, double value)
{
    put_real(e, key, value, 10);
}

void emit_float(struct emit *e, const char *key, float value)
{
    put_real(e, key, (double)value, 7);
}

void emit_boolean(struct emit *e, const char *key, bool value)
{
    begin(e, key);
    str_put(&e->text, value ? "true" : "false");
}

void emit_raw(struct emit *e, const char *key, const char *json)
{
    begin(e, key);
    str_put(&e->text, json);
}

void emit_hex(struct emit *e, const char *key, uint64_t value)
{
    begin(e, key);
    str_fmt(&e->text, "\"%016llx\"", (unsigned long long)value);
}

void emit_time(struct emit *e, const char *key, int64_t time_s)
{
    time_t t = (time_t)time_s;
    struct tm tm;
    char text[40];
    bool ok =
        time_s >= 0 && gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    emit_string(e, key, ok ? text : NULL);
}
