/* See str.h. */
#include "base/str.h"

#include "base/mem.h"
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool room(struct str *s, size_t more)
{
    size_t need;
    if (more < s->cap - s->len && !s->failed) /* with the NUL */
        return true;
    if (s->failed || __builtin_add_overflow(s->len, more, &need) ||
        __builtin_add_overflow(need, (size_t)1, &need) || mem_grow(&s->text, &s->cap, need, 1))
        s->failed = true;
    return !s->failed;
}

void str_done(struct str *s)
{
    mem_free(s->text);
    memset(s, 0, sizeof *s);
}

void str_clear(struct str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->text)
        s->text[0] = 0;
}

void str_add(struct str *s, const char *text, size_t len)
{
    if (!room(s, len))
        return;
    if (len)
        memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = 0;
}

void str_put(struct str *s, const char *text)
{
    str_add(s, text, strlen(text));
}

void str_char(struct str *s, char c)
{
    if (!room(s, 1))
        return;
    s->text[s->len++] = c;
    s->text[s->len] = 0;
}

char *str_more(struct str *s, size_t len)
{
    if (!room(s, len))
        return NULL;
    char *at = s->text + s->len;
    s->len += len;
    s->text[s->len] = 0;
    return at;
}

void str_fmt(struct str *s, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        s->failed = true;
    else if (room(s, (size_t)n)) {
        vsnprintf(s->text + s->len, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

void str_real(struct str *s, double x)
{
    char text[40];
    char point = *localeconv()->decimal_point;
    if (fabs(x) < 1e15 && x == floor(x)) { /* 10, not 1e+01 */
        str_fmt(s, "%.0f", x);
        return;
    }
    for (int precision = 1; precision <= 17; precision++) {
        int n = snprintf(text, sizeof text, "%.*g", precision, x);
        char *p = point == '.' ? NULL : strchr(text, point);
        double back;
        if (p)
            *p = '.';
        if (text_real(text, text + n, &back) && back == x)
            break;
    }
    str_put(s, text);
}
