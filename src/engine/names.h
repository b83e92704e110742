/* Titles as people type them. */
#ifndef ENGINE_NAMES_H
#define ENGINE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { NAME_KEY = 256 };

/* A title reduced to what people agree on: lower case without accents or punctuation, an article
 * behind a comma moved to the front, the year taken off.
 *
 *     "Matrix, The (1999)"           "the matrix", 1999
 *     "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)"
 *                                    "amelie", 2001; also "le fabuleux destin damelie poulain" */
struct name {
    char key[NAME_KEY]; /* words with one space between them; cut at NAME_KEY - 1 bytes */
    size_t len;
    int year;     /* 0 = none given */
    bool aliased; /* other names stand in parentheses: see name_alias */
};

/* The main name of title [text, text + size): what is before the first parenthesis, if anything. */
void name_make(const char *text, size_t size, struct name *out);

/* The i-th name in parentheses; false past the last. Years are no names. */
bool name_alias(const char *text, size_t size, size_t i, struct name *out);

/* The whole title, parentheses and all, with the year as its last word: to search in. */
void name_whole(const char *text, size_t size, struct name *out);

/* How many bytes of the key are a leading "the ", "a " or "an ". */
size_t name_article(const struct name *n);

/* How like two names are, 0 to 1: by the letters that differ, or by the words they share. */
double name_likeness(const struct name *asked, const struct name *other);

#endif
