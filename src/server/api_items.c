/* The catalog: /v1/items. */
#include "base/clock.h"
#include "server/api_inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ["Comedy","Drama"] as compact text; every element must be a text. */
static const char *read_categories(struct json_object *o)
{
    const json_t *list = json_array_of(o, "categories", JSON_OPTIONAL);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)))
            o->st = pal_fail(o->err, PAL_EUSAGE, "%s%scategories[%zu] must be a text", o->where,
                             *o->where ? "." : "", i);
    if (!json_array_size(list) || o->st)
        return NULL;
    const char *text = json_compact(list, o->tmp);
    if (!text)
        o->st = pal_no_memory(o->err);
    return text;
}

/* An item's fields; id NULL: it is a field, too. */
static enum pal_status read_item(const json_t *json, const char *where, const char *id,
                                 struct arena *tmp, struct record *out, struct pal_error *err)
{
    struct json_object o;
    struct item_row item = {.item_id = id};
    json_object_begin(&o, json, where, tmp, err);
    if (!id)
        item.item_id = json_id(&o, "item_id", JSON_NEEDED);
    item.title = json_text(&o, "title", JSON_OPTIONAL);
    item.categories = read_categories(&o);
    const json_t *attributes = json_object_of(&o, "attributes", JSON_OPTIONAL);
    item.image_url = json_text(&o, "image_url", JSON_OPTIONAL);
    item.available = json_flag(&o, "available", true);
    item.created_ms = json_time(&o, "created_at");
    enum pal_status st = json_object_end(&o);
    if (!st && json_object_size(attributes) && !(item.attributes = json_compact(attributes, tmp)))
        st = pal_no_memory(err);
    *out = (struct record){.kind = RECORD_ITEM, .item = item};
    return st;
}

void api_put_items(void *ctx, struct http_request *r)
{
    struct pal_error err;
    struct arena *tmp = http_arena(r);
    json_t *body = NULL;
    const json_t *list = NULL;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &body, &err);
    if (!st)
        st = json_batch(body, "items", API_BATCH_MOST, &list, &err);
    size_t n = list ? json_array_size(list) : 1;
    struct record *records = arena_alloc(tmp, n, sizeof *records);
    if (!st && !records)
        st = pal_no_memory(&err);
    if (!st && !list)
        st = read_item(body, "", NULL, tmp, &records[0], &err);
    for (size_t i = 0; list && i < n && !st; i++) {
        char where[32];
        snprintf(where, sizeof where, "items[%zu]", i);
        st = read_item(json_array_get(list, i), where, NULL, tmp, &records[i], &err);
    }
    if (st)
        http_error(r, st, &err);
    else
        api_write(ctx, r, records, n, api_accepted(r, n));
    json_decref(body);
}

void api_emit_item(struct emit *e, const char *key, const struct item_row *item)
{
    emit_open(e, key, '{');
    emit_string(e, "item_id", item->item_id);
    emit_string(e, "title", item->title && *item->title ? item->title : NULL);
    emit_raw(e, "categories", item->categories && *item->categories ? item->categories : "[]");
    emit_raw(e, "attributes", item->attributes && *item->attributes ? item->attributes : "{}");
    emit_string(e, "image_url", item->image_url && *item->image_url ? item->image_url : NULL);
    emit_boolean(e, "available", item->available);
    emit_int(e, "created_at", item->created_ms);
    emit_close(e, '}');
}

/* The item as it will be, for the answer that waits until it is durable. */
static const char *item_text(const struct item_row *item, struct arena *tmp)
{
    struct emit e = {.compact = true};
    api_emit_item(&e, NULL, item);
    const char *text = str_ok(&e.text) ? arena_text(tmp, e.text.text, e.text.len) : NULL;
    str_done(&e.text);
    return text;
}

void api_put_item(void *ctx, struct http_request *r)
{
    struct pal_error err;
    struct record record;
    json_t *body = NULL;
    struct api_query q = {.r = r, .err = &err};
    const char *id = query_id(&q, "item_id");
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &body, &err);
    if (!st)
        st = read_item(body, "", id, http_arena(r), &record, &err);
    if (!st && !record.item.created_ms)
        record.item.created_ms = clock_wall_ms();
    if (st)
        http_error(r, st, &err);
    else
        api_write(ctx, r, &record, 1, item_text(&record.item, http_arena(r)));
    json_decref(body);
}

void api_get_item(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct item_row item;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    const char *id = query_id(&q, "item_id");
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_item(a->live, id, http_arena(r), &item, &err);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    api_emit_item(&e, NULL, &item);
    api_say(r, 200, &e);
}

void api_delete_item(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct item_row item;
    struct api_query q = {.r = r, .err = &err};
    struct record record = {.kind = RECORD_ITEM_DELETE, .id = query_id(&q, "item_id")};
    enum pal_status st = query_end(&q);
    if (!st && live_alone(a->live)) /* else another process may have taken it in */
        st = live_item(a->live, record.id, http_arena(r), &item, &err);
    if (st == PAL_ENOTFOUND)
        http_answer(r, 200, "application/json", "{\"deleted\":false}", 17);
    else if (st)
        http_error(r, st, &err);
    else
        api_write(a, r, &record, 1, "{\"deleted\":true}");
}

void api_list_items(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct api_query q = {.r = r, .err = &err};
    struct emit e = {.compact = true};
    struct live_page page;
    int64_t limit = query_whole(&q, "limit", API_PAGE, 1, API_PAGE_MOST);
    int64_t from = query_whole(&q, "cursor", 0, 0, UINT32_MAX - 1);
    const char *search = query_text(&q, "search"), *filter = query_text(&q, "filter");
    enum pal_status st = query_end(&q);
    if (!st && search && strlen(search) > RECORD_ID_MOST)
        st = pal_fail(&err, PAL_EUSAGE, "'search' must have at most %d bytes", RECORD_ID_MOST);
    if (!st)
        st = live_items(a->live, search, filter, (uint32_t)from, (size_t)limit, http_arena(r),
                        &page, &err);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    emit_open(&e, NULL, '{');
    emit_open(&e, "items", '[');
    for (size_t i = 0; i < page.count; i++)
        api_emit_item(&e, NULL, &page.items[i]);
    emit_close(&e, ']');
    char cursor[16];
    snprintf(cursor, sizeof cursor, "%" PRIu32, page.next);
    emit_string(&e, "next", page.next ? cursor : NULL);
    emit_uint(&e, "total", page.total);
    if (page.hint)
        emit_string(&e, "hint", page.hint);
    emit_close(&e, '}');
    api_say(r, 200, &e);
}
