/* A growing piece of text. Errors are sticky: append freely, ask str_ok once at the end. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/error.h"

#include <stdbool.h>

struct str {
    char *text; /* NUL-terminated, or NULL while empty */
    size_t len, cap;
    bool failed; /* memory ran out: the text is incomplete */
};

/* A zeroed struct str is a valid empty one. */
void str_done(struct str *s);
void str_clear(struct str *s); /* empty again, its memory kept */

void str_add(struct str *s, const char *text, size_t len); /* text NULL is fine with len 0 */
void str_put(struct str *s, const char *text);
void str_char(struct str *s, char c);

/* Makes it longer by len bytes, which the caller fills; NULL where it has failed. */
char *str_more(struct str *s, size_t len);

void str_fmt(struct str *s, const char *fmt, ...) PRINTF(2, 3);

/* A decimal with as few digits as text_real needs to read back exactly x; with a point in every
 * locale. x is finite. */
void str_real(struct str *s, double x);

static inline bool str_ok(const struct str *s)
{
    return !s->failed;
}

/* Never NULL. */
static inline const char *str_text(const struct str *s)
{
    return s->text ? s->text : "";
}

#endif
