/* Records as JSON lines: what `palate export` writes and `palate import` reads.
 *
 *     {"item":{"item_id":…,"title":…,"categories":[…],"attributes":{…},"image_url":…,
 *              "available":true,"created_at":ms}}
 *     {"user":{"user_id":…,"attributes":{…},"created_at":ms}}
 *     {"event":{"user_id":…,"item_id":…,"type":…,"value":…,"timestamp":ms,"event_id":…,
 *               "recommendation_id":…}}
 *     {"served":{"recommendation_id":…,"user_id":…,"timestamp":ms,"items":[{…},…]}}
 *
 * Members without a value are left out. Read back, a line gives the same record, and a record the
 * same line. */
#ifndef DATA_RECORD_JSON_H
#define DATA_RECORD_JSON_H

#include "base/arena.h"
#include "data/lines.h"
#include "data/record.h"

/* Appends the record as one line with its end; nothing for kinds that are none of the four. */
void record_json_write(const struct record *r, struct str *out);

struct record_reader;
MUST_USE enum pal_status record_reader_new(struct record_reader **out, struct pal_error *err);
void record_reader_free(struct record_reader *r); /* NULL is fine */

/* Whether the line at hand begins like one of these. */
bool record_json_looks(const struct lines *l);

/* Whether the file's first line does. */
bool record_json_file(const char *path);

/* Reads the line at hand; texts of *out live in `texts`. Ids may be whole numbers. Without them,
 * type is "like", value 1, available true, and times are now_ms, past which (by 5 minutes) no time
 * may lie. A line that is none of the above, or whose record record_check refuses: PAL_OK, and *bad
 * says what is wrong, or PAL_EUSAGE, and err does. */
MUST_USE enum pal_status record_json_read(struct record_reader *r, const struct lines *l,
                                          int64_t now_ms, struct arena *texts, struct record *out,
                                          struct complaint *bad, struct pal_error *err);

#endif
