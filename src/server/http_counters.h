/* Counting requests: by route, status and time. Each of libmicrohttpd's threads has a table of its
 * own, so that counting is a few uncontended additions; readers sum the tables. Any thread may call
 * anything here. */
#ifndef SERVER_HTTP_COUNTERS_H
#define SERVER_HTTP_COUNTERS_H

#include "server/http.h"

struct counters;

/* Why a connection ended early. */
enum dropped { DROPPED_REFUSED, DROPPED_REQUEST, DROPPED_ANSWER, DROPPED_IDLE, DROPPED_KINDS };

MUST_USE enum pal_status counters_new(const struct http_route *routes, size_t count, size_t tables,
                                      struct counters **out, struct pal_error *err);
void counters_free(struct counters *c); /* NULL is fine */

/* One request is done. index: its route's, or the number of routes where it had none. */
void counters_add(struct counters *c, size_t table, size_t index, unsigned status,
                  int64_t duration_ns, uint64_t bytes_in, uint64_t bytes_out);
void counters_dropped(struct counters *c, enum dropped why);
void counters_connections(struct counters *c, int more);
int64_t counters_open(const struct counters *c); /* connections now */

void counters_show(const struct counters *c, struct str *out);
size_t counters_traffic(const struct counters *c, struct http_traffic *out, size_t most);

#endif
