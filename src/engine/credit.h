/* Which source put an item before a user, remembered until something comes of it, so that what each
 * source earns can be counted. A table of fixed size: what was shown long ago makes room for what
 * is shown now. It holds hashes, no ids; what is served by one process and acted upon through
 * another counts where both are known. Any thread. */
#ifndef ENGINE_CREDIT_H
#define ENGINE_CREDIT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { CREDIT_NONE = -1, CREDIT_WAYS = 8 };

struct credit;

/* Room for `items` shown items, rounded up to a power of two, 8 bytes each, taken as they are used.
 * Some that were shown later than others may go first: one place has CREDIT_WAYS. */
MUST_USE enum pal_status credit_new(size_t items, struct credit **out, struct pal_error *err);
void credit_free(struct credit *c); /* NULL is fine */

/* The items (n) were put before the user by these sources (0 to 254), the last ones last; what was
 * put there before by another one, by that one no more. Each touches a line that is in no cache;
 * all of them are on their way before the first is looked at, which makes it some 50 ns an item. */
void credit_note(struct credit *c, const char *user_id, const uint32_t *items,
                 const uint8_t *sources, size_t n);

/* The source that put the item before the user, which is forgotten; CREDIT_NONE if not known. */
int credit_take(struct credit *c, const char *user_id, uint32_t item);

void credit_clear(struct credit *c);

#endif
