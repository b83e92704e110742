/* Records as messages of an event stream: a JSON object each, which says where it comes from and
 * then, as its last member, what happened.
 *
 *     {"journal":"1f0c22aa90de","seq":42,"at":1760000000000,"event":{…}}
 *
 * journal is the name of the journal that the record came through (12 hex digits), seq its number
 * there, at when it was published, in milliseconds. What happened is as record_json.h writes it
 * ("event", "item", "user", "served"), or one of
 *
 *     "item_delete":{"item_id":…}    "user_delete":{"user_id":…}    "clear":{}
 *
 * Every event has an event_id. Others than palate may publish, too: without journal, seq and at,
 * which then are "", 0 and the moment of reading. */
#ifndef DATA_STREAM_JSON_H
#define DATA_STREAM_JSON_H

#include "base/arena.h"
#include "base/str.h"
#include "data/record.h"

enum { STREAM_JOURNAL = 13 }; /* with its NUL */

struct stream_origin {
    char journal[STREAM_JOURNAL]; /* "" = none */
    uint64_t seq;
    int64_t at_ms;
};

/* Appends the message, without a line's end; str_ok tells whether memory sufficed. A packed list is
 * unpacked. */
void stream_json_write(const struct record *r, const struct stream_origin *from, struct str *out);

/* What messages are kept in order by: the user's id, an item's, a list's; NULL for RECORD_CLEAR,
 * which concerns everybody. */
const char *stream_key(const struct record *r);

struct stream_reader;
MUST_USE enum pal_status stream_reader_new(struct stream_reader **out, struct pal_error *err);
void stream_reader_free(struct stream_reader *r); /* NULL is fine */

/* Reads a message; texts of *out live in `texts`. PAL_EFORMAT, and err says what is wrong, for what
 * is none, or a record that record_check refuses; *from is filled all the same where that names a
 * journal. */
MUST_USE enum pal_status stream_json_read(struct stream_reader *r, const char *body, size_t size,
                                          int64_t now_ms, struct arena *texts, struct record *out,
                                          struct stream_origin *from, struct pal_error *err);

#endif
