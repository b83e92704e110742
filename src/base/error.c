/* See error.h. */
#include "base/error.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message may quote a damaged file, and goes to terminals and into JSON. What would break a line
 * or steer a terminal becomes a space, what is not UTF-8 a question mark; the rest of a character
 * that was cut is dropped. */
static void clean(char *s, bool cut)
{
    for (char *end = s + strlen(s); s < end;) {
        size_t n = text_utf8_char(s, end);
        if (n == 0 && cut && end - s < 4 && (unsigned char)*s >= 0xc0) {
            *s = 0;
            return;
        }
        if (n == 0)
            *s = '?';
        else if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = ' ';
        s += n ? n : 1;
    }
}

enum pal_status pal_fail(struct pal_error *err, enum pal_status st, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
        clean(err->message, n >= (int)sizeof err->message);
        err->status = st;
    }
    return st;
}

enum pal_status pal_no_memory(struct pal_error *err)
{
    return pal_fail(err, PAL_ENOMEM, "out of memory");
}

enum pal_status pal_within(struct pal_error *err, enum pal_status st, const char *fmt, ...)
{
    if (err) {
        char inner[sizeof err->message];
        memcpy(inner, err->message, sizeof inner);
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
        size_t used = n < 0 ? 0 : (size_t)n;
        if (used < sizeof err->message)
            snprintf(err->message + used, sizeof err->message - used, ": %s", inner);
        clean(err->message, used + 2 + strlen(inner) >= sizeof err->message);
        err->status = st;
    }
    return st;
}

const char *pal_status_name(enum pal_status st)
{
    static const char *const names[] = {"ok", "usage",  "format",      "corrupt",     "not-found",
                                        "io", "memory", "interrupted", "unsupported", "full"};
    return (size_t)st < sizeof names / sizeof names[0] ? names[st] : "unknown";
}
