/* See words.h. No tables of Unicode: a character that no rule knows counts as a letter unless it
 * lies in the blocks of punctuation. */
#include "model/words.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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
    const char *p = text, *end = p + len;
    char word[WORD_MOST];
    size_t used = 0;
    int stop = 0;
    while (p < end && !stop) {
        size_t n;
        uint32_t c = text_decode(p, end, &n);
        if (is_letter(c)) {
            if (used + 4 <= sizeof word)
                used += text_encode(text_lower(c), word + used);
        } else if (!is_apostrophe(c) || used == 0) {
            if (used)
                stop = fn(ctx, word, used);
            used = 0;
            if (!stop && is_year(p, end)) {
                stop = year(p, fn, ctx);
                n = 6;
            }
        }
        p += n;
    }
    return used && !stop ? fn(ctx, word, used) : stop;
}
