/* See emit.h. */
#include "cli/emit.h"

#include "base/text.h"

#include <math.h>
#include <string.h>
#include <time.h>

static void put_string(struct str *out, const char *s)
{
    str_char(out, '"');
    for (size_t len = strlen(s); len;) {
        unsigned char b = (unsigned char)*s;
        size_t n = b < 0x80 ? 1 : b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
        if (b == '"' || b == '\\')
            str_fmt(out, "\\%c", b);
        else if (b < 0x20)
            str_fmt(out, "\\u%04x", b);
        else if (n <= len && text_is_utf8(s, n))
            str_add(out, s, n);
        else
            n = (str_put(out, "\xEF\xBF\xBD"), 1);
        s += n;
        len -= n;
    }
    str_char(out, '"');
}

static void begin(struct emit *e, const char *key)
{
    if (e->depth) {
        str_put(&e->text, e->first ? "\n" : ",\n");
        str_fmt(&e->text, "%*s", (int)e->depth * 2, "");
    }
    e->first = false;
    if (key) {
        put_string(&e->text, key);
        str_put(&e->text, ": ");
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
        str_fmt(&e->text, "\n%*s", (int)e->depth * 2, "");
    str_char(&e->text, bracket);
    if (!e->depth)
        str_char(&e->text, '\n');
    e->first = false;
}

void emit_string(struct emit *e, const char *key, const char *value)
{
    begin(e, key);
    if (value)
        put_string(&e->text, value);
    else
        str_put(&e->text, "null");
}

void emit_uint(struct emit *e, const char *key, uint64_t value)
{
    begin(e, key);
    str_fmt(&e->text, "%llu", (unsigned long long)value);
}

void emit_number(struct emit *e, const char *key, double value)
{
    begin(e, key);
    if (isfinite(value))
        str_fmt(&e->text, "%.10g", value);
    else
        str_put(&e->text, "null");
}

void emit_float(struct emit *e, const char *key, float value)
{
    begin(e, key);
    if (isfinite(value))
        str_fmt(&e->text, "%.7g", (double)value);
    else
        str_put(&e->text, "null");
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

void emit_say(struct emit *e, struct console *c)
{
    c->pending.failed |= e->text.failed;
    say_text(c, str_text(&e->text));
    str_done(&e->text);
}
