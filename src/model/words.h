/* The words of a title, for models that read text. */
#ifndef MODEL_WORDS_H
#define MODEL_WORDS_H

#include <stddef.h>

/* Called with one lowercased word, not NUL-terminated. Not 0 = stop. */
typedef int word_fn(void *ctx, const char *word, size_t len);

enum { WORD_MOST = 64 }; /* bytes; longer words are cut between two characters */

/* The words of UTF-8 text: runs of letters and digits, in lower case (Latin, Greek, Cyrillic;
 * other scripts as they are), apostrophes within dropped. A year in parentheses, as film titles
 * have it, gives "(1995)" and its decade "(199_)" instead of "1995". Returns what fn returned last.
 */
int words_of(const char *text, size_t len, word_fn *fn, void *ctx);

#endif
