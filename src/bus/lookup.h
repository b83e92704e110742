/* Whether a host's name can be looked up, within a time: the system's call can wait for minutes
 * when name servers are away. It runs in a thread of its own, which is waited for as long as is
 * allowed and left alone after that. */
#ifndef BUS_LOOKUP_H
#define BUS_LOOKUP_H

#include "base/error.h"

#include <stdint.h>

struct lookup;

/* PAL_EIO when the name is not known or nothing was heard until `until` (bus_now_ms). *pending
 * (NULL at first) keeps a call that has not ended, and the next one waits for the same, so that
 * never more than one runs. */
MUST_USE enum pal_status lookup_host(struct lookup **pending, const char *host, int64_t until,
                                     struct pal_error *err);

void lookup_free(struct lookup *l); /* NULL is fine; does not wait */

#endif
