/* See words.h. No locale and no tables of Unicode: the alphabets that have case follow a few rules,
 * and a character of any other script counts as a letter unless it lies in the blocks of
 * punctuation. */
#include "model/words.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The character at p and how many bytes it takes; a byte that begins none stands for itself. */
static uint32_t decode(const unsigned char *p, const unsigned char *end, size_t *len)
{
    size_t need = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    *len = 1;
    if (need <= 1 || (size_t)(end - p) < need)
        return *p;
    uint32_t c = *p & (0xffu >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return *p;
        c = c << 6 | (p[i] & 0x3f);
    }
    *len = need;
    return c;
}

static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> len & 0xff) | c);
    return len;
}

static uint32_t lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    if (c >= 0x400 && c <= 0x40f)
        return c + 80;
    /* Latin Extended-A and Cyrillic beyond the basic letters: capital and small in turn */
    bool odd_capital = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
    bool even_capital = (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) ||
                        (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x4bf);
    if (c == 0x178)
        return 0xff;
    if (odd_capital)
        return c + (c & 1);
    return even_capital ? c | 1 : c;
}

static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return c >= 0xc0 && c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c <= 0x2bff) &&
           !(c >= 0x3000 && c <= 0x303f) && !(c >= 0xff00 && c <= 0xff0f);
}

static bool is_apostrophe(uint32_t c)
{
    return c == '\'' || c == 0x2019;
}

/* "(1995)" at p? */
static bool is_year(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '(' || p[5] != ')' || (p[1] != '1' && p[1] != '2'))
        return false;
    for (int i = 2; i < 5; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

static int year(const char *p, word_fn *fn, void *ctx)
{
    char decade[6];
    memcpy(decade, p, sizeof decade);
    decade[4] = '_';
    int stop = fn(ctx, p, sizeof decade);
    return stop ? stop : fn(ctx, decade, sizeof decade);
}

int words_of(const char *text, size_t len, word_fn *fn, void *ctx)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + len;
    char word[WORD_MOST];
    size_t used = 0;
    int stop = 0;
    while (p < end && !stop) {
        size_t n;
        uint32_t c = decode(p, end, &n);
        if (is_letter(c)) {
            if (used + 4 <= sizeof word)
                used += encode(lower(c), word + used);
        } else if (!is_apostrophe(c) || used == 0) {
            if (used)
                stop = fn(ctx, word, used);
            used = 0;
            if (!stop && is_year((const char *)p, (const char *)end)) {
                stop = year((const char *)p, fn, ctx);
                n = 6;
            }
        }
        p += n;
    }
    return used && !stop ? fn(ctx, word, used) : stop;
}
