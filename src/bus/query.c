/* See query.h. */
#include "bus/query.h"

#include <string.h>

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* In place; false for what is not "%" and two digits, and for a NUL. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high << 4 | low);
        p += 2;
    }
    *to = '\0';
    return true;
}

bool query_next(char **rest, char **name, char **value, bool *bad)
{
    char *word = *rest + strspn(*rest, "&");
    *bad = false;
    if (!*word)
        return false;
    char *end = word + strcspn(word, "&");
    *rest = *end ? end + 1 : end;
    *end = '\0';
    char *equals = strchr(word, '=');
    *name = word;
    *value = equals ? equals + 1 : end;
    if (equals)
        *equals = '\0';
    *bad = !decode(*name) || !decode(*value);
    return !*bad;
}

enum pal_status query_broken(struct pal_error *err)
{
    return pal_fail(err, PAL_EUSAGE,
                    "behind a '%%' stand two hexadecimal digits, not 00 (a '%%' itself is written "
                    "%%25)");
}

enum pal_status query_set(const struct opt_table *t, void *target, char *query,
                          const char *url_shown, struct pal_error *err)
{
    char *name, *value;
    bool bad;
    enum pal_status st = PAL_OK;
    while (!st && query_next(&query, &name, &value, &bad))
        st = opt_set(t, target, name, value, err);
    if (!st && bad)
        st = query_broken(err);
    return st ? pal_within(err, st, "stream '%s'", url_shown) : PAL_OK;
}
