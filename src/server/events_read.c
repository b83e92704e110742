/* See events_read.h. */
#include "server/events_read.h"

#include <stdio.h>

/* One event's fields. */
static enum pal_status read_event(const json_t *json, const char *where, struct arena *tmp,
                                  struct record *out, struct pal_error *err)
{
    struct json_object o;
    struct event e = {0};
    json_object_begin(&o, json, where, tmp, err);
    e.user_id = json_id(&o, "user_id", JSON_NEEDED);
    e.item_id = json_id(&o, "item_id", JSON_NEEDED);
    e.type = json_text(&o, "type", JSON_OPTIONAL);
    e.value = (float)json_number(&o, "value", 1);
    e.time_ms = json_time(&o, "timestamp");
    e.event_id = json_text(&o, "event_id", JSON_OPTIONAL);
    e.recommendation_id = json_text(&o, "recommendation_id", JSON_OPTIONAL);
    enum pal_status st = json_object_end(&o);
    if (!e.type)
        e.type = "like";
    *out = (struct record){.kind = RECORD_EVENT, .event = e};
    return st;
}

static enum pal_status read_all(const json_t *body, size_t most, struct arena *tmp,
                                struct record **out, size_t *count, struct pal_error *err)
{
    const json_t *list;
    enum pal_status st = json_batch(body, "events", most, &list, err);
    if (st)
        return st;
    size_t n = list ? json_array_size(list) : 1;
    struct record *records = arena_alloc(tmp, n, sizeof *records);
    if (!records)
        return pal_no_memory(err);
    if (!list)
        st = read_event(body, "", tmp, &records[0], err);
    for (size_t i = 0; list && i < n && !st; i++) {
        char where[32];
        snprintf(where, sizeof where, "events[%zu]", i);
        st = read_event(json_array_get(list, i), where, tmp, &records[i], err);
    }
    *out = records;
    *count = n;
    return st;
}

enum pal_status events_read(const char *body, size_t len, size_t most, struct arena *tmp,
                            json_t **json, struct record **out, size_t *count,
                            struct pal_error *err)
{
    json_t *root;
    enum pal_status st = json_parse(body, len, &root, err);
    if (st)
        return st;
    st = read_all(root, most, tmp, out, count, err);
    if (st)
        json_decref(root);
    else
        *json = root;
    return st;
}
