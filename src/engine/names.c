/* See names.h. Folding knows ASCII, Latin-1 and Latin Extended-A (Western and Central European
 * titles), and lowers Greek and Cyrillic capitals; other scripts stay as they are. Anything may
 * come in, even what is not UTF-8: such bytes are kept as they are. */
#include "engine/names.h"

#include "base/options.h"

#include <string.h>

/* U+00C0 to U+017F: two bytes each, the letters without their accents, lower case; "  " = none. */
static const char latin[] = "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thss"
                            "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thy "
                            "a a a a a a c c c c c c c c d d d d e e e e e e e e e e g g g g "
                            "g g g g h h h h i i i i i i i i i i ijijj j k k k l l l l l l l "
                            "l l l n n n n n n n n n o o o o o o oeoer r r r r r s s s s s s "
                            "s s t t t t t t u u u u u u u u u u u u w w y y y z z z z z z s ";

static bool letter_or_digit(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Appends bytes to the key if there is room for all of them. */
static void add(struct name *n, const char *bytes, size_t len)
{
    if (n->len + len < NAME_KEY) {
        memcpy(n->key + n->len, bytes, len);
        n->len += len;
    }
}

static void end_word(struct name *n)
{
    if (n->len && n->key[n->len - 1] != ' ')
        add(n, " ", 1);
}

/* Appends code point c of two bytes, folded. */
static void add_two_bytes(struct name *n, unsigned c)
{
    if (c >= 0xc0 && c <= 0x17f && c != 0xd7 && c != 0xf7) {
        const char *fold = latin + 2 * (c - 0xc0);
        add(n, fold, 1 + (fold[1] != ' '));
        return;
    }
    if (c < 0xc0 || c == 0xd7 || c == 0xf7) {
        end_word(n); /* « » ¿ ¡ × and the like */
        return;
    }
    if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        c += 0x20;
    else if (c >= 0x400 && c <= 0x40f)
        c += 0x50;
    char bytes[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
    add(n, bytes, 2);
}

/* Appends the character at p and returns how many bytes it took. */
static size_t add_character(struct name *n, const unsigned char *p, const unsigned char *end)
{
    unsigned c = *p;
    if (c >= 'A' && c <= 'Z')
        c += 'a' - 'A';
    if (letter_or_digit(c)) {
        add(n, (char[]){(char)c}, 1);
        return 1;
    }
    if (c == '\'' || c == '`')
        return 1;
    if (c == '&') {
        end_word(n);
        add(n, "and ", 4);
        return 1;
    }
    if (c < 0x80) {
        end_word(n);
        return 1;
    }
    if (c >= 0xc2 && c <= 0xdf && end - p >= 2 && (p[1] & 0xc0) == 0x80) {
        add_two_bytes(n, (c & 0x1f) << 6 | (p[1] & 0x3f));
        return 2;
    }
    if (c == 0xe2 && end - p >= 3 && p[1] == 0x80 && (p[2] & 0xc0) == 0x80) {
        if (p[2] != 0x98 && p[2] != 0x99) /* ‘ and ’ are apostrophes */
            end_word(n);                  /* dashes, quotes, dots */
        return 3;
    }
    add(n, (const char *)p, 1);
    return 1;
}

static void add_text(struct name *n, const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    end_word(n);
    while (p < end)
        p += add_character(n, p, end);
}

static void close_key(struct name *n)
{
    while (n->len && n->key[n->len - 1] == ' ')
        n->len--;
    n->key[n->len] = 0;
}

static size_t trim(const char **text, size_t size)
{
    while (size && strchr(" \t", **text))
        (*text)++, size--;
    while (size && strchr(" \t", (*text)[size - 1]))
        size--;
    return size;
}

/* "1999": four digits of a year in which there were films. */
static int year_of(const char *p, size_t size)
{
    if (size != 4 || strspn(p, "0123456789") < 4)
        return 0;
    int year = (p[0] - '0') * 1000 + (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
    return year >= 1800 && year < 2200 ? year : 0;
}

/* Takes "(1999)" off the end; returns what is left. */
static size_t cut_year(const char **text, size_t size, int *year)
{
    *year = 0;
    size = trim(text, size);
    const char *end = *text + size;
    if (size > 6 && end[-1] == ')' && end[-6] == '(' && (*year = year_of(end - 5, 4)) != 0)
        size = trim(text, size - 6);
    return size;
}

/* Whether [p, p + size) is an article that catalogs put behind a comma. */
static bool is_article(const char *p, size_t size)
{
    static const char *const articles[] = {"the", "a",   "an",  "le",  "la",  "les", "l'",
                                           "un",  "une", "der", "die", "das", "ein", "eine",
                                           "el",  "los", "las", "il",  "lo",  "i",   "gli",
                                           "una", "uno", "o",   "os",  "as",  "de",  "het"};
    for (size_t i = 0; i < sizeof articles / sizeof articles[0]; i++)
        if (strlen(articles[i]) == size && strncasecmp(articles[i], p, size) == 0)
            return true;
    return false;
}

/* One name without a year: "Matrix, The" becomes "the matrix". */
static void make_key(const char *text, size_t size, struct name *out)
{
    size = trim(&text, size);
    const char *comma = size ? memrchr(text, ',', size) : NULL;
    if (comma) {
        const char *article = comma + 1;
        size_t len = trim(&article, size - (size_t)(article - text));
        if (is_article(article, len)) {
            add_text(out, article, len);
            if (article[len - 1] == '\'')
                close_key(out);
            else
                end_word(out);
            const unsigned char *p = (const unsigned char *)text, *end = (const void *)comma;
            while (p < end)
                p += add_character(out, p, end);
            close_key(out);
            return;
        }
    }
    add_text(out, text, size);
    close_key(out);
}

void name_make(const char *text, size_t size, struct name *out)
{
    out->len = 0;
    size = cut_year(&text, size, &out->year);
    const char *open = memchr(text, '(', size);
    out->aliased = open && open > text;
    make_key(text, out->aliased ? (size_t)(open - text) : size, out);
}

bool name_alias(const char *text, size_t size, size_t i, struct name *out)
{
    const char *end = text + size;
    for (const char *open = text; (open = memchr(open, '(', (size_t)(end - open))); open++) {
        const char *inner = open + 1, *close = memchr(inner, ')', (size_t)(end - inner));
        if (!close)
            return false;
        size_t len = trim(&inner, (size_t)(close - inner));
        if (year_of(inner, len))
            continue;
        if (i-- > 0)
            continue;
        if (len > 7 && strncasecmp(inner, "a.k.a. ", 7) == 0)
            inner += 7, len -= 7;
        *out = (struct name){0};
        make_key(inner, len, out);
        return true;
    }
    return false;
}

void name_whole(const char *text, size_t size, struct name *out)
{
    struct name main;
    name_make(text, size, &main);
    *out = (struct name){.year = main.year};
    if (main.aliased) {
        const char *open = memchr(text, '(', size);
        add(out, main.key, main.len);
        add_text(out, open, (size_t)(text + size - open)); /* its last word is the year */
    } else {
        add(out, main.key, main.len);
        if (main.year) {
            char digits[5] = {(char)('0' + main.year / 1000), (char)('0' + main.year / 100 % 10),
                              (char)('0' + main.year / 10 % 10), (char)('0' + main.year % 10), 0};
            add_text(out, digits, 4);
        }
    }
    close_key(out);
}

size_t name_article(const struct name *n)
{
    static const char *const articles[] = {"the ", "a ", "an "};
    for (size_t i = 0; i < sizeof articles / sizeof articles[0]; i++) {
        size_t len = strlen(articles[i]);
        if (n->len > len && memcmp(n->key, articles[i], len) == 0)
            return len;
    }
    return 0;
}

/* The part of a's words that are among b's. */
static double shared_words(const struct name *a, const struct name *b)
{
    size_t words = 0, shared = 0;
    for (const char *p = a->key; *p;) {
        size_t len = strcspn(p, " ");
        words++;
        for (const char *q = b->key; *q;) {
            size_t other = strcspn(q, " ");
            if (other == len && memcmp(p, q, len) == 0) {
                shared++;
                break;
            }
            q += other;
            q += *q == ' ';
        }
        p += len;
        p += *p == ' ';
    }
    return words ? (double)shared / (double)words : 0;
}

/* No fewer changes than this turn a into b: by how often each letter occurs. */
static size_t least_distance(const struct name *a, const struct name *b)
{
    int count[32] = {0};
    size_t more = 0, fewer = 0;
    for (size_t i = 0; i < a->len; i++)
        count[(unsigned char)a->key[i] & 31]++;
    for (size_t i = 0; i < b->len; i++)
        count[(unsigned char)b->key[i] & 31]--;
    for (size_t i = 0; i < 32; i++) {
        more += count[i] > 0 ? (size_t)count[i] : 0;
        fewer += count[i] < 0 ? (size_t)-count[i] : 0;
    }
    return more > fewer ? more : fewer;
}

double name_likeness(const struct name *asked, const struct name *other)
{
    size_t longest = asked->len > other->len ? asked->len : other->len;
    if (longest == 0)
        return 0;
    /* shared words say less than equal letters, since short words are shared by chance */
    double words = 0.8 * shared_words(asked, other) + 0.1 * shared_words(other, asked);
    double bound = 1 - (double)least_distance(asked, other) / (double)longest;
    if (bound <= words || bound < 0.5)
        return words;
    double letters = 1 - (double)opt_distance(asked->key, other->key) / (double)longest;
    return letters > words ? letters : words;
}
