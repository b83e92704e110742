/* See error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What was cut in the middle of a character loses the rest of it, and what would break a line or
 * steer a terminal (a message may quote a damaged file) becomes a space. */
static void clean(char *s, size_t room, size_t wanted)
{
    if (wanted >= room) {
        size_t end = room - 1, lead = end;
        while (lead > 0 && end - lead < 3 && ((unsigned char)s[lead - 1] & 0xc0) == 0x80)
            lead--;
        if (lead > 0) {
            unsigned char c = (unsigned char)s[lead - 1];
            size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
            if (need > end - lead + 1)
                s[lead - 1] = 0;
        }
    }
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = ' ';
}

enum pal_status pal_fail(struct pal_error *err, enum pal_status st, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
        clean(err->message, sizeof err->message, n < 0 ? 0 : (size_t)n);
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
        clean(err->message, sizeof err->message, used + 2 + strlen(inner));
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
