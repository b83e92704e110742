/* The event ids that came last, so that a client's retry changes nothing: the newest RECENT_IDS of
 * them. What is older than that the store still knows; it then counts twice in memory until the
 * profile is loaded anew, and once for good. Any thread. */
#ifndef ENGINE_RECENT_H
#define ENGINE_RECENT_H

#include "base/error.h"

#include <stdbool.h>

enum { RECENT_IDS = 1 << 17 };

struct recent;
MUST_USE enum pal_status recent_new(struct recent **out, struct pal_error *err);
void recent_free(struct recent *r); /* NULL is fine */

/* Remembers an id; true if it was among the recent ones already. */
bool recent_add(struct recent *r, const char *id);
void recent_clear(struct recent *r);

#endif
