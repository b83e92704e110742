/* POST /v1/events, GET /v1/users/{id}/events. */
#include "server/api_inside.h"
#include "server/events_json.h"
#include "server/events_read.h"

#include <inttypes.h>
#include <stdio.h>

void api_add_events(void *ctx, struct http_request *r)
{
    struct pal_error err;
    struct record *records;
    size_t count, len;
    json_t *body = NULL;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    const char *text = http_body(r, &len);
    bool plain = !st && events_json(text, len, API_BATCH_MOST, http_arena(r), &records, &count);
    if (!st && !plain)
        st = events_read(text, len, API_BATCH_MOST, http_arena(r), &body, &records, &count, &err);
    if (st)
        http_error(r, st, &err);
    else
        api_write(ctx, r, records, count, api_accepted(r, count)); /* copies the texts */
    json_decref(body);
}

void api_emit_event(struct emit *e, const struct event *event)
{
    emit_open(e, NULL, '{');
    emit_string(e, "user_id", event->user_id);
    emit_string(e, "item_id", event->item_id);
    emit_string(e, "type", event->type);
    emit_float(e, "value", event->value);
    emit_int(e, "timestamp", event->time_ms);
    if (event->event_id && *event->event_id)
        emit_string(e, "event_id", event->event_id);
    if (event->recommendation_id && *event->recommendation_id)
        emit_string(e, "recommendation_id", event->recommendation_id);
    emit_close(e, '}');
}

static void user_events(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct api_query q = {.r = r, .err = &err};
    struct emit e = {.compact = true};
    struct event *events;
    size_t count;
    uint64_t next;
    const char *user = query_id(&q, "user_id");
    int64_t limit = query_whole(&q, "limit", API_PAGE, 1, API_PAGE_MOST);
    int64_t before = query_whole(&q, "cursor", 0, 1, INT64_MAX);
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_user_events(a->live, user, (uint64_t)before, (size_t)limit, http_arena(r),
                              &events, &count, &next, &err);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    emit_open(&e, NULL, '{');
    emit_open(&e, "events", '[');
    for (size_t i = 0; i < count; i++)
        api_emit_event(&e, &events[i]);
    emit_close(&e, ']');
    char cursor[24];
    snprintf(cursor, sizeof cursor, "%" PRIu64, next);
    emit_string(&e, "next", next ? cursor : NULL);
    emit_close(&e, '}');
    api_say(r, 200, &e);
}

/* It may have to wait for the drain. */
void api_user_events(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, user_events, a, r);
}
