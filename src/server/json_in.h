/* Reading a request's JSON strictly: what is wrong is told with its place ("events[3].user_id"),
 * and what nobody asked for is refused.
 *
 *     struct json_object o;
 *     json_object_begin(&o, json, "events[3]", tmp, err);
 *     event.user_id = json_id(&o, "user_id", JSON_NEEDED);
 *     event.value = (float)json_number(&o, "value", 1);
 *     st = json_object_end(&o);
 *
 * The first failure stays; getters after it return nothing. */
#ifndef SERVER_JSON_IN_H
#define SERVER_JSON_IN_H

#include "base/arena.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* A body as one JSON value, to be given back with json_decref. PAL_EUSAGE with line and column for
 * what is no JSON by RFC 8259, has a member twice, or is nested too deep. */
MUST_USE enum pal_status json_parse(const char *body, size_t len, json_t **out,
                                    struct pal_error *err);

enum { JSON_FIELDS = 24 };
enum json_need { JSON_OPTIONAL, JSON_NEEDED };

struct json_object {
    const json_t *object;
    const char *where; /* "events[3]"; "" for the body itself */
    struct arena *tmp; /* texts that getters make live here */
    struct pal_error *err;
    enum pal_status st;
    const char *field[JSON_FIELDS]; /* asked for so far */
    size_t fields, present;         /* how many, and how many of them were there */
};

/* where: borrowed. */
void json_object_begin(struct json_object *o, const json_t *json, const char *where,
                       struct arena *tmp, struct pal_error *err);

/* PAL_EUSAGE for a member that no getter asked for; else the first failure, or PAL_OK. */
MUST_USE enum pal_status json_object_end(struct json_object *o);

/* Members. null is as good as absent. Texts are borrowed from the parsed value or live in tmp. */
const char *json_text(struct json_object *o, const char *name, enum json_need need);
const char *json_id(struct json_object *o, const char *name, enum json_need need);
double json_number(struct json_object *o, const char *name, double missing);
int64_t json_whole(struct json_object *o, const char *name, int64_t missing, int64_t least,
                   int64_t most);
bool json_flag(struct json_object *o, const char *name, bool missing);
int64_t json_time(struct json_object *o, const char *name); /* milliseconds; 0 = absent */

/* An array or object, or NULL. */
const json_t *json_array_of(struct json_object *o, const char *name, enum json_need need);
const json_t *json_object_of(struct json_object *o, const char *name, enum json_need need);

/* An array of texts as ids: *count of them. */
const char **json_ids(struct json_object *o, const char *name, enum json_need need, size_t *count);

/* An id from a value: a text, or an integer as its decimal text; NULL if it is neither. */
const char *json_id_of(const json_t *json, struct arena *tmp);

/* A value as compact text in tmp, numbers with 15 digits; NULL when memory is out. */
const char *json_compact(const json_t *json, struct arena *tmp);

/* The list of a batch: the body itself if it is an array, its only member `name`, or NULL: the body
 * is one single thing. PAL_EUSAGE for more than `most`. */
MUST_USE enum pal_status json_batch(const json_t *body, const char *name, size_t most,
                                    const json_t **list, struct pal_error *err);

/* "2026-11-22T05:40:12.345Z" or its like as milliseconds; false if it is no such time. */
bool json_iso_time(const char *text, int64_t *ms);

#endif
