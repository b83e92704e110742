/* See error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void one_line(char *s)
{
    for (; *s; s++)
        if (*s == '\n' || *s == '\r')
            *s = ' ';
}

enum pal_status pal_fail(struct pal_error *err, enum pal_status st, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
        one_line(err->message);
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
        one_line(err->message);
        err->status = st;
    }
    return st;
}

const char *pal_status_name(enum pal_status st)
{
    static const char *const names[] = {"ok", "usage",  "format",      "corrupt",    "not-found",
                                        "io", "memory", "interrupted", "unsupported"};
    return (size_t)st < sizeof names / sizeof names[0] ? names[st] : "unknown";
}
