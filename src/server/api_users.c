/* What is known of users: /v1/users/{user_id}. */
#include "base/clock.h"
#include "server/api_inside.h"

#include <string.h>

enum { SERVED_MOST = 100000 }; /* lists of one user, in an export */

static void emit_user(struct emit *e, const struct user_row *user)
{
    emit_string(e, "user_id", user->user_id);
    emit_raw(e, "attributes", user->attributes && *user->attributes ? user->attributes : "{}");
    emit_int(e, "created_at", user->created_ms);
}

void api_put_user(void *ctx, struct http_request *r)
{
    struct pal_error err;
    struct arena *tmp = http_arena(r);
    struct json_object o;
    struct emit e = {.compact = true};
    json_t *body = NULL;
    struct api_query q = {.r = r, .err = &err};
    struct user_row user = {.user_id = query_id(&q, "user_id"), .created_ms = clock_wall_ms()};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &body, &err);
    if (!st) {
        json_object_begin(&o, body, "", tmp, &err);
        const json_t *attributes = json_object_of(&o, "attributes", JSON_OPTIONAL);
        st = json_object_end(&o);
        if (!st && json_object_size(attributes) &&
            !(user.attributes = json_compact(attributes, tmp)))
            st = pal_no_memory(&err);
    }
    json_decref(body);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    emit_open(&e, NULL, '{');
    emit_user(&e, &user);
    emit_close(&e, '}');
    const char *text = str_ok(&e.text) ? arena_text(tmp, e.text.text, e.text.len) : NULL;
    str_done(&e.text);
    api_write(ctx, r, &(struct record){.kind = RECORD_USER, .user = user}, 1, text);
}

/* All events, page by page, and the lists that were served. */
static enum pal_status emit_everything(struct api *a, const char *user, struct arena *tmp,
                                       struct emit *e, struct pal_error *err)
{
    struct event *events;
    struct served_row *served;
    size_t count;
    uint64_t before = 0;
    enum pal_status st = PAL_OK;
    emit_open(e, "events", '[');
    do {
        st = live_user_events(a->live, user, before, API_PAGE_MOST, tmp, &events, &count, &before,
                              err);
        for (size_t i = 0; i < count && !st; i++)
            api_emit_event(e, &events[i]);
    } while (before && !st);
    emit_close(e, ']');
    if (!st)
        st = live_user_served(a->live, user, SERVED_MOST, tmp, &served, &count, err);
    emit_open(e, "served", '[');
    for (size_t i = 0; i < count && !st; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "recommendation_id", served[i].recommendation_id);
        emit_int(e, "timestamp", served[i].time_ms);
        emit_raw(e, "items", served[i].list);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    return st;
}

static void get_user(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct user_row user;
    uint64_t events;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    const char *id = query_id(&q, "user_id");
    bool everything = query_flag(&q, "export");
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_user(a->live, id, http_arena(r), &user, &events, &err);
    if (!st) {
        emit_open(&e, NULL, '{');
        emit_user(&e, &user);
        emit_uint(&e, "event_count", events);
        if (everything)
            st = emit_everything(a, user.user_id, http_arena(r), &e, &err);
        emit_close(&e, '}');
    }
    if (st) {
        str_done(&e.text);
        http_error(r, st, &err);
    } else {
        api_say(r, 200, &e);
    }
}

/* It may have to wait for the drain. */
void api_get_user(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, get_user, a, r);
}

void api_delete_user(void *ctx, struct http_request *r)
{
    struct pal_error err;
    struct api_query q = {.r = r, .err = &err};
    struct record record = {.kind = RECORD_USER_DELETE, .id = query_id(&q, "user_id")};
    enum pal_status st = query_end(&q);
    if (st)
        http_error(r, st, &err);
    else
        api_write(ctx, r, &record, 1, "{\"deleted\":true}");
}
