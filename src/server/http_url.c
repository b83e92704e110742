/* See http_url.h. */
#include "server/http_url.h"

#include "base/text.h"

#include <string.h>

enum { QUERY_MOST = 256 };

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at p stands for, or -1. */
static int escape(const char *p, const char *end)
{
    if (end - p < 3 || digit(p[1]) < 0 || digit(p[2]) < 0)
        return -1;
    return digit(p[1]) << 4 | digit(p[2]);
}

enum pal_status url_decode(struct arena *a, const char *p, const char *end, bool plus,
                           const char **out, struct pal_error *err)
{
    char *text = arena_alloc(a, (size_t)(end - p) + 1, 1);
    size_t n = 0;
    if (!text)
        return pal_no_memory(err);
    for (const char *at = p; at < end;) {
        int byte = *at == '%' ? escape(at, end) : (unsigned char)(plus && *at == '+' ? ' ' : *at);
        if (byte < 0)
            return pal_fail(err, PAL_EUSAGE,
                            "the URL has a '%%' that no two hexadecimal digits "
                            "follow: write '%%25' for a percent sign");
        if (byte < 0x20 || byte == 0x7F)
            return pal_fail(err, PAL_EUSAGE, "the URL has a control character (%%%02X)", byte);
        text[n++] = (char)byte;
        at += *at == '%' ? 3 : 1;
    }
    text[n] = 0;
    if (!text_is_utf8(text, n))
        return pal_fail(err, PAL_EUSAGE, "the URL has bytes that are not UTF-8");
    *out = text;
    return PAL_OK;
}

static const char *find(const char *p, const char *end, char c)
{
    const char *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;
    return at ? at : end;
}

static size_t count_pairs(const char *p, const char *end)
{
    size_t n = 0;
    while (p < end) {
        const char *stop = find(p, end, '&');
        n += stop > p;
        p = stop + 1;
    }
    return n;
}

enum pal_status url_query(struct arena *a, const char *p, const char *end, struct url_pair **pairs,
                          size_t *count, struct pal_error *err)
{
    size_t n = count_pairs(p, end), i = 0;
    if (n > QUERY_MOST)
        return pal_fail(err, PAL_EUSAGE, "the URL has %zu parameters, %d is the most", n,
                        QUERY_MOST);
    struct url_pair *list = arena_alloc(a, n, sizeof *list);
    if (!list)
        return pal_no_memory(err);
    while (p < end) {
        const char *stop = find(p, end, '&'), *equals = find(p, stop, '=');
        if (stop > p) {
            enum pal_status st = url_decode(a, p, equals, true, &list[i].name, err);
            if (st == PAL_OK)
                st = url_decode(a, equals < stop ? equals + 1 : stop, stop, true, &list[i].value,
                                err);
            if (st != PAL_OK)
                return st;
            i++;
        }
        p = stop + 1;
    }
    *pairs = list;
    *count = n;
    return PAL_OK;
}
