/* Events out of a request's body, strictly: what is wrong is told with its place.
 *
 * The reference of events_json.h, which reads the same out of plain bodies, faster. */
#ifndef SERVER_EVENTS_READ_H
#define SERVER_EVENTS_READ_H

#include "data/record.h"
#include "server/json_in.h"

/* One event, an array of them, or {"events": [...]}, at most `most`. Texts are in tmp or in *json,
 * which is the caller's to json_decref. PAL_EUSAGE "events[3].user_id is missing". */
MUST_USE enum pal_status events_read(const char *body, size_t len, size_t most, struct arena *tmp,
                                     json_t **json, struct record **out, size_t *count,
                                     struct pal_error *err);

#endif
