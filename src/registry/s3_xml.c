/* As much XML as S3's answers need: elements without attributes, looked for by name. */
#include "registry/s3_inside.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const char *p, const char *end, const char *word)
{
    return p < end ? memmem(p, (size_t)(end - p), word, strlen(word)) : NULL;
}

bool s3_xml_inside(const char **p, const char *end, const char *tag, const char **from,
                   const char **to)
{
    char open[64], close[64];
    if ((size_t)snprintf(open, sizeof open, "<%s>", tag) >= sizeof open)
        return false;
    snprintf(close, sizeof close, "</%s>", tag);
    const char *a = find(*p, end, open), *b = a ? find(a, end, close) : NULL;
    if (!b)
        return false;
    *from = a + strlen(open);
    *to = b;
    *p = b + strlen(close);
    return true;
}

/* "&#34;", "&#x22;": the character it stands for; 0 if none. */
static uint32_t numbered(const char *p, const char *end)
{
    bool hex = end - p > 1 && (*p == 'x' || *p == 'X');
    uint32_t c = 0;
    if (hex)
        p++;
    if (p == end || end - p > 7)
        return 0;
    for (; p < end; p++) {
        int digit = *p >= '0' && *p <= '9'          ? *p - '0'
                    : hex && *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
                    : hex && *p >= 'A' && *p <= 'F' ? *p - 'A' + 10
                                                    : -1;
        if (digit < 0)
            return 0;
        c = c * (hex ? 16 : 10) + (uint32_t)digit;
    }
    return c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? c : 0;
}

/* Appends what the reference [p, end) between '&' and ';' stands for. */
static bool decode(struct str *out, const char *p, const char *end)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    char bytes[4];
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strlen(named[i].name) == (size_t)(end - p) &&
            memcmp(named[i].name, p, (size_t)(end - p)) == 0) {
            str_char(out, named[i].c);
            return true;
        }
    uint32_t c = p < end && *p == '#' ? numbered(p + 1, end) : 0;
    if (c)
        str_add(out, bytes, text_encode(c, bytes));
    return c != 0;
}

bool s3_xml_text(const char **p, const char *end, const char *tag, struct str *out)
{
    const char *at = *p, *from, *to;
    size_t before = out->len;
    if (!s3_xml_inside(&at, end, tag, &from, &to) || memchr(from, '<', (size_t)(to - from)))
        return false;
    while (from < to) {
        const char *ref = memchr(from, '&', (size_t)(to - from));
        str_add(out, from, (size_t)((ref ? ref : to) - from));
        if (!ref)
            break;
        const char *semicolon = memchr(ref, ';', (size_t)(to - ref));
        if (!semicolon || !decode(out, ref + 1, semicolon)) {
            out->len = before;
            if (out->text)
                out->text[before] = 0;
            return false;
        }
        from = semicolon + 1;
    }
    *p = at;
    return true;
}
