/* The classic calls: /add_items, /interact, /recs/{user_id}, /cleanup.
 *
 * Ids come back as they were given: an item whose id was an integer carries the attribute
 * "integer_id": true, which lives as long as the item does, wherever it is kept. */
#include "server/api_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char marker[] = "integer_id";

/* Whether the id is an integer's decimal text; the attribute alone may come from anybody. */
static bool is_integer(const char *id)
{
    char again[24];
    snprintf(again, sizeof again, "%lld", strtoll(id, NULL, 10));
    return strcmp(id, again) == 0;
}

static bool is_marked(const struct item_row *item)
{
    json_t *attributes =
        item->attributes && *item->attributes ? json_loads(item->attributes, 0, NULL) : NULL;
    bool marked = json_is_true(json_object_get(attributes, marker));
    json_decref(attributes);
    return marked;
}

/* The item's attributes with or without the mark. */
static enum pal_status set_mark(struct item_row *item, bool integer, struct arena *tmp,
                                struct pal_error *err)
{
    if (is_marked(item) == integer)
        return PAL_OK;
    json_t *attributes = item->attributes && *item->attributes
                             ? json_loads(item->attributes, 0, NULL)
                             : json_object();
    bool ok = attributes && (integer ? json_object_set_new(attributes, marker, json_true()) == 0
                                     : json_object_del(attributes, marker) == 0);
    item->attributes = ok ? json_compact(attributes, tmp) : NULL;
    json_decref(attributes);
    return item->attributes ? PAL_OK : pal_no_memory(err);
}

/* The genres of item i as a JSON array; NULL: nothing was said. */
static enum pal_status read_genres(const json_t *genres, size_t i, struct arena *tmp,
                                   const char **out, struct pal_error *err)
{
    const json_t *list = json_array_get(genres, i);
    *out = NULL;
    if (!list || json_is_null(list))
        return PAL_OK;
    if (!json_is_array(list))
        return pal_fail(err, PAL_EUSAGE, "genres[%zu] must be an array of texts or null", i);
    for (size_t j = 0; j < json_array_size(list); j++)
        if (!json_is_string(json_array_get(list, j)))
            return pal_fail(err, PAL_EUSAGE, "genres[%zu][%zu] must be a text", i, j);
    *out = json_compact(list, tmp);
    return *out ? PAL_OK : pal_no_memory(err);
}

/* What is known of the item, with what is said of it now. */
static enum pal_status classic_item(struct api *a, const json_t *id, const char *genres,
                                    struct arena *tmp, struct record *out, struct pal_error *err)
{
    struct item_row item;
    const char *text = json_id_of(id, tmp);
    if (!text)
        return pal_fail(err, PAL_EUSAGE, "item_ids must hold texts and integers only");
    enum pal_status st = live_item(a->live, text, tmp, &item, err);
    if (st == PAL_ENOTFOUND) {
        item = (struct item_row){.item_id = text, .available = true};
        st = PAL_OK;
    }
    if (!st && genres)
        item.categories = genres;
    if (!st)
        st = set_mark(&item, json_is_integer(id), tmp, err);
    *out = (struct record){.kind = RECORD_ITEM, .item = item};
    return st;
}

static enum pal_status read_items(struct api *a, const json_t *body, struct arena *tmp,
                                  struct record **out, size_t *count, struct pal_error *err)
{
    struct json_object o;
    json_object_begin(&o, body, "", tmp, err);
    const json_t *ids = json_array_of(&o, "item_ids", JSON_NEEDED);
    const json_t *genres = json_array_of(&o, "genres", JSON_OPTIONAL);
    enum pal_status st = json_object_end(&o);
    size_t n = json_array_size(ids);
    if (!st && n > API_BATCH_MOST)
        return pal_fail(err, PAL_EUSAGE, "%zu items: send at most %d at once", n, API_BATCH_MOST);
    if (!st && genres && json_array_size(genres) != n)
        return pal_fail(err, PAL_EUSAGE, "%zu item_ids, but %zu genres", n,
                        json_array_size(genres));
    struct record *records = arena_alloc(tmp, n, sizeof *records);
    if (!records)
        return pal_no_memory(err);
    for (size_t i = 0; i < n && !st; i++) {
        const char *text;
        st = read_genres(genres, i, tmp, &text, err);
        if (!st)
            st = classic_item(a, json_array_get(ids, i), text, tmp, &records[i], err);
    }
    *out = records;
    *count = n;
    return st;
}

/* Seconds (a fraction, too) or milliseconds since 1970, or a time as text; 0 = not given. */
static int64_t classic_time(struct json_object *o)
{
    const json_t *json = json_object_get(o->object, "timestamp");
    if (!json_is_number(json))
        return json_time(o, "timestamp");
    double t = json_number(o, "timestamp", 0);
    if (!(t >= 0 && t < 1e15)) {
        o->st =
            pal_fail(o->err, PAL_EUSAGE, "timestamp must be seconds or milliseconds since 1970");
        return 0;
    }
    return t < 1e11 ? llround(t * 1000) : llround(t);
}

/* The events, and before them the items that came as integers and are not known. */
static enum pal_status read_actions(struct api *a, const json_t *body, struct arena *tmp,
                                    struct record **out, size_t *count, struct pal_error *err)
{
    struct json_object o;
    json_object_begin(&o, body, "", tmp, err);
    const char *user = json_id(&o, "user_id", JSON_NEEDED);
    const json_t *ids = json_array_of(&o, "item_ids", JSON_NEEDED);
    const json_t *actions = json_array_of(&o, "actions", JSON_NEEDED);
    int64_t time_ms = classic_time(&o);
    enum pal_status st = json_object_end(&o);
    size_t n = json_array_size(ids), written = 0;
    if (!st && (n != json_array_size(actions) || n > API_BATCH_MOST))
        return pal_fail(err, PAL_EUSAGE,
                        "%zu item_ids and %zu actions: there must be as many of "
                        "both, %d at most",
                        n, json_array_size(actions), API_BATCH_MOST);
    struct record *records = arena_alloc(tmp, 2 * n, sizeof *records);
    if (!records)
        return pal_no_memory(err);
    for (size_t i = 0; i < n && !st; i++) {
        struct item_row known;
        const json_t *id = json_array_get(ids, i);
        const char *item = json_id_of(id, tmp);
        const char *action = json_string_value(json_array_get(actions, i));
        if (!item)
            return pal_fail(err, PAL_EUSAGE, "item_ids[%zu] must be a text or an integer", i);
        if (!action || (strcmp(action, "like") != 0 && strcmp(action, "dislike") != 0))
            return pal_fail(err, PAL_EUSAGE, "actions[%zu] must be \"like\" or \"dislike\"", i);
        if (json_is_integer(id) && live_alone(a->live) &&
            live_item(a->live, item, tmp, &known, NULL) == PAL_ENOTFOUND)
            st = classic_item(a, id, NULL, tmp, &records[written++], err);
        records[written++] = (struct record){
            .kind = RECORD_EVENT,
            .event =
                {.user_id = user, .item_id = item, .type = action, .value = 1, .time_ms = time_ms},
        };
    }
    *out = records;
    *count = written;
    return st;
}

/* Both calls: what `read` makes of the body is written, and answered by how many item_ids it had.
 */
static void write_body(struct api *a, struct http_request *r,
                       enum pal_status (*read)(struct api *a, const json_t *body, struct arena *tmp,
                                               struct record **out, size_t *count,
                                               struct pal_error *err))
{
    struct pal_error err;
    struct record *records = NULL;
    size_t count = 0;
    json_t *body = NULL;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &body, &err);
    if (!st)
        st = read(a, body, http_arena(r), &records, &count, &err);
    if (st)
        http_error(r, st, &err);
    else
        api_write(a, r, records, count,
                  api_accepted(r, json_array_size(json_object_get(body, "item_ids"))));
    json_decref(body);
}

void api_add_items_classic(void *ctx, struct http_request *r)
{
    write_body(ctx, r, read_items);
}

void api_interact(void *ctx, struct http_request *r)
{
    write_body(ctx, r, read_actions);
}

void api_recs(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_answer list;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    struct live_request ask = {.user_id = query_id(&q, "user_id"),
                               .n = 10,
                               .explore = -1,
                               .diversity = -1,
                               .details = true};
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_recommend(a->live, &ask, http_arena(r), &list, &err);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    emit_open(&e, NULL, '{');
    emit_open(&e, "item_ids", '[');
    for (size_t i = 0; i < list.count; i++)
        if (is_integer(list.items[i].row.item_id) && is_marked(&list.items[i].row))
            emit_raw(&e, NULL, list.items[i].row.item_id);
        else
            emit_string(&e, NULL, list.items[i].row.item_id);
    emit_close(&e, ']');
    emit_close(&e, '}');
    api_say(r, 200, &e);
}

void api_cleanup(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct record record = {.kind = RECORD_CLEAR};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_no_body(r, &err);
    if (st)
        http_error(r, st, &err);
    else if (!a->options.allow_cleanup)
        http_problem(r, 403, "cleanup_not_allowed",
                     "nothing is forgotten: the server was started without --allow-cleanup");
    else
        api_write(a, r, &record, 1, api_accepted(r, 1));
}
