/* The addresses of a host, within a time: the system's call can wait for minutes when name servers
 * are away. It runs in a thread of its own, which is waited for as long as is allowed and left
 * alone after that. */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include "base/error.h"

#include <stdint.h>
#include <sys/socket.h>

struct lookup;

enum { LOOKUP_MOST = 8 };

struct lookup_addresses {
    size_t count;
    struct {
        struct sockaddr_storage to;
        socklen_t size;
    } at[LOOKUP_MOST]; /* (count) in the order in which they are to be tried */
};

/* port: a number as text, or NULL. out may be NULL. PAL_EIO when the name is not known or nothing
 * was heard until `until_ms` (of CLOCK_MONOTONIC). *pending (NULL at first) keeps a call that has
 * not ended, and the next one waits for the same, so that never more than one runs: host and port
 * are always the same with it. */
MUST_USE enum pal_status lookup_host(struct lookup **pending, const char *host, const char *port,
                                     int64_t until_ms, struct lookup_addresses *out,
                                     struct pal_error *err);

void lookup_free(struct lookup *l); /* NULL is fine; does not wait */

#endif
