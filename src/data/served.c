/* See served.h. */
#include "data/served.h"

#include "base/emit.h"
#include "base/text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { EXPLORED = 128, NUMBERS = 1 + 4 + 4, ID_MOST = 256 };

/* ---- Writing ---- */

static char *put_float(char *to, float x)
{
    uint32_t bits;
    x = isfinite(x) ? x : 0;
    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 4; i++)
        *to++ = (char)(bits >> (8 * i) & 0xff);
    return to;
}

/* The names of all sources, each once, in source; returns how many. */
static size_t list_sources(const struct served_item *items, size_t count, const char **source)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t s = 0;
        while (s < n && source[s] != items[i].source && strcmp(source[s], items[i].source) != 0)
            s++;
        if (s == n && n < SERVED_SOURCES_MOST)
            source[n++] = items[i].source;
    }
    return n;
}

static size_t place_of(const char *name, const char *const *source, size_t n)
{
    size_t s = 0;
    while (s + 1 < n && source[s] != name && strcmp(source[s], name) != 0)
        s++;
    return s;
}

void served_pack(const struct served_item *items, size_t count, struct str *out)
{
    const char *source[SERVED_SOURCES_MOST];
    count = count < SERVED_ITEMS_MOST ? count : SERVED_ITEMS_MOST;
    size_t n = list_sources(items, count, source);
    str_char(out, (char)n);
    for (size_t s = 0; s < n; s++)
        str_add(out, source[s], strlen(source[s]) + 1);
    str_char(out, (char)(count & 0xff));
    str_char(out, (char)(count >> 8));
    for (size_t i = 0; i < count; i++) {
        char numbers[NUMBERS], *to = numbers;
        size_t place = place_of(items[i].source, source, n);
        *to++ = (char)(place | (items[i].explored ? EXPLORED : 0));
        to = put_float(to, items[i].score);
        put_float(to, items[i].propensity);
        str_add(out, numbers, sizeof numbers);
        str_add(out, items[i].item_id, strlen(items[i].item_id) + 1);
    }
}

/* ---- Reading ---- */

static float get_float(const unsigned char *p)
{
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Past a text that ends before `end`; NULL if it does not, is too long or is no UTF-8. */
static const unsigned char *past_text(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
    size_t len = nul ? (size_t)(nul - p) : 0;
    if (!nul || len == 0 || len > ID_MOST || !text_is_utf8((const char *)p, len))
        return NULL;
    return nul + 1;
}

const char *served_fault(const void *packed, size_t size)
{
    const unsigned char *p = packed, *end = p + size;
    size_t sources = size ? *p++ : 0;
    if (!size || sources > SERVED_SOURCES_MOST)
        return "has a wrong number of sources";
    for (size_t s = 0; s < sources; s++)
        if (!(p = past_text(p, end)))
            return "has a source without a proper name";
    if (end - p < 2)
        return "ends early";
    size_t count = p[0] | (size_t)p[1] << 8;
    p += 2;
    for (size_t i = 0; i < count; i++) {
        if (end - p < NUMBERS)
            return "ends early";
        if ((size_t)(*p & ~EXPLORED) >= sources)
            return "names a source that it has not";
        if (!isfinite(get_float(p + 1)) || !isfinite(get_float(p + 5)))
            return "has a number that is not finite";
        if (!(p = past_text(p + NUMBERS, end)))
            return "has an item without a proper id";
    }
    return p == end ? NULL : "goes on behind its end";
}

/* A number with nine digits behind the point, or as few as it has. */
static void put_number(struct str *out, double x)
{
    char text[48], digits[24], *to = text;
    size_t n = 0;
    if (x < 0)
        *to++ = '-';
    x = fabs(x) > 1e9 ? 1e9 : fabs(x);
    uint64_t all = (uint64_t)(x * 1e9 + 0.5), whole = all / 1000000000, rest = all % 1000000000;
    do
        digits[n++] = (char)('0' + whole % 10);
    while (whole /= 10);
    while (n)
        *to++ = digits[--n];
    if (rest)
        *to++ = '.';
    for (uint64_t place = 100000000; rest; place /= 10) {
        *to++ = (char)('0' + rest / place);
        rest %= place;
    }
    str_add(out, text, (size_t)(to - text));
}

void served_json(const void *packed, size_t size, struct str *out)
{
    const unsigned char *p = packed;
    const char *source[SERVED_SOURCES_MOST];
    size_t sources = size ? *p++ : 0;
    for (size_t s = 0; s < sources; s++, p += strlen((const char *)p) + 1)
        source[s] = (const char *)p;
    size_t count = p[0] | (size_t)p[1] << 8;
    p += 2;
    str_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        const char *id = (const char *)p + NUMBERS;
        str_put(out, i ? ",{\"item_id\":" : "{\"item_id\":");
        emit_quoted(out, id);
        str_put(out, ",\"source\":");
        emit_quoted(out, source[*p & ~EXPLORED]);
        str_put(out, ",\"score\":");
        put_number(out, (double)get_float(p + 1));
        str_put(out, *p & EXPLORED ? ",\"explored\":true,\"propensity\":" : ",\"propensity\":");
        put_number(out, (double)get_float(p + 5));
        str_char(out, '}');
        p += NUMBERS + strlen(id) + 1;
    }
    str_char(out, ']');
}
