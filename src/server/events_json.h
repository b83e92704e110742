/* Events out of a request's body at the speed of memory: the usual shapes only, by simdjson.
 *
 * What is not plain (an unknown or repeated field, a fraction as an id, a body that is no JSON) is
 * left to the strict reader of api_events.c, whose errors tell the place. */
#ifndef SERVER_EVENTS_JSON_H
#define SERVER_EVENTS_JSON_H

#include "base/arena.h"
#include "data/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads one event, an array of them, or {"events": [...]}, at most `most`. True if all were plain:
 * *out (*count) lives in tmp, its texts in tmp or in memory of the thread, until it next calls
 * this.
 */
bool events_json(const char *body, size_t len, size_t most, struct arena *tmp, struct record **out,
                 size_t *count);

#ifdef __cplusplus
}
#endif
#endif
