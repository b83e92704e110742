/* What happens to a site's data, one thing at a time: the records that the journal keeps and that
 * the store applies, in the same order.
 *
 * All texts end with a NUL and are UTF-8; NULL and "" both mean "none". Ids have 1 to 256 bytes.
 * Times are milliseconds since 1970 UTC. JSON texts are valid and compact. */
#ifndef DATA_RECORD_H
#define DATA_RECORD_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

/* What record_check allows, in bytes. */
enum {
    RECORD_ID_MOST = 256, /* of users, items, events, recommendations */
    RECORD_TYPE_MOST = 31,
    RECORD_TITLE_MOST = 4096,
    RECORD_URL_MOST = 64 << 10,
    RECORD_CATEGORIES_MOST = 64 << 10,
    RECORD_ATTRIBUTES_MOST = 1 << 20,
    RECORD_LIST_MOST = 2 << 20,
};

enum record_kind { /* as written to disk: never renumber */
                   RECORD_EVENT = 1,
                   RECORD_ITEM = 2,        /* put: replaces the whole item */
                   RECORD_ITEM_DELETE = 3, /* its events stay */
                   RECORD_USER = 4,        /* put */
                   RECORD_USER_DELETE =
                       5, /* erases the user, all events and served lists before this record */
                   RECORD_SERVED = 6,        /* a list that was shown */
                   RECORD_CLEAR = 7,         /* forget everything */
                   RECORD_SERVED_PACKED = 8, /* a list that was shown, as served.h packs it */
};

struct event {
    const char *user_id, *item_id;
    const char *type; /* "like"; up to 31 bytes */
    float value;      /* 1 where there is none; finite */
    int64_t time_ms;
    const char *event_id;          /* the client's; makes a retry harmless */
    const char *recommendation_id; /* what it answers */
};

struct item_row {
    const char *item_id;
    const char *title;
    const char *categories; /* a JSON array of texts */
    const char *attributes; /* a JSON object */
    const char *image_url;
    bool available;
    int64_t created_ms;
};

struct user_row {
    const char *user_id;
    const char *attributes; /* a JSON object */
    int64_t created_ms;
};

struct served_row {
    const char *recommendation_id;
    const char *user_id; /* none: it was shown to somebody without an id */
    int64_t time_ms;
    const char *list; /* a JSON array: [{"item_id":…,"source":…,"score":…,"propensity":…},…] */
    const void *packed; /* RECORD_SERVED_PACKED: what there is instead of it */
    size_t packed_size;
};

struct record {
    enum record_kind kind;
    union {
        struct event event;       /* RECORD_EVENT */
        struct item_row item;     /* RECORD_ITEM */
        struct user_row user;     /* RECORD_USER */
        struct served_row served; /* RECORD_SERVED, RECORD_SERVED_PACKED */
        const char *id;           /* RECORD_ITEM_DELETE, RECORD_USER_DELETE */
    };
};

/* Set in the kind of a record whose bytes follow the moment at which it was accepted: 8 bytes,
 * least first, milliseconds. A journal has it where others may erase what lies in it. */
enum { RECORD_DATED = 0x80, RECORD_DATE = 8 };
void record_date(int64_t at_ms, struct str *out); /* appends the moment */
/* 0 for a record without one, or that is damaged. */
int64_t record_accepted(uint8_t kind, const void *data, size_t size);

/* Appends the record's bytes (little endian, texts with their NUL, so that decoding copies
 * nothing); str_ok tells whether memory sufficed. The record is one that record_check accepts; what
 * this writes of it record_decode reads back. */
void record_encode(const struct record *r, struct str *out);

/* The reverse; texts point into data, which outlives *out, and none is NULL. PAL_ECORRUPT for
 * anything that record_encode does not write: every length, NUL, range and character is checked
 * (not what JSON texts say). */
MUST_USE enum pal_status record_decode(uint8_t kind, const void *data, size_t size,
                                       struct record *out, struct pal_error *err);

/* Whether a record from outside is acceptable: ids, lengths, UTF-8, finite numbers, times from 0 to
 * now_ms + 5 minutes. PAL_EUSAGE names the field and what is wrong with it. */
MUST_USE enum pal_status record_check(const struct record *r, int64_t now_ms,
                                      struct pal_error *err);

#endif
