/* What stands in a request's target: percent-decoding and the query's parameters. Pure functions.
 */
#ifndef SERVER_HTTP_URL_H
#define SERVER_HTTP_URL_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>

struct url_pair {
    const char *name, *value;
};

/* Decodes %XX (and, if plus, '+' as a blank) into the arena, with a NUL behind. PAL_EUSAGE for an
 * escape that is none, a NUL, another control character or bytes that are not UTF-8: nothing that
 * means one thing here and another elsewhere gets through. */
MUST_USE enum pal_status url_decode(struct arena *a, const char *p, const char *end, bool plus,
                                    const char **out, struct pal_error *err);

/* The pairs of "a=1&b=2&c" in their order; "c" has the value "". PAL_EUSAGE as above and past 256
 * parameters. */
MUST_USE enum pal_status url_query(struct arena *a, const char *p, const char *end,
                                   struct url_pair **pairs, size_t *count, struct pal_error *err);

#endif
