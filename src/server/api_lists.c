/* Lists of items: recommendations, similar items, popular, trending, rank. */
#include "server/api_inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_USUAL = 10 };

static void emit_listed(struct emit *e, const struct live_item *item, bool details)
{
    emit_open(e, NULL, '{');
    emit_string(e, "item_id", item->row.item_id);
    emit_string(e, "title", item->row.title && *item->row.title ? item->row.title : NULL);
    emit_float(e, "score", item->score);
    emit_string(e, "source", item->source);
    if (item->explored) {
        emit_boolean(e, "explored", true);
        emit_float(e, "propensity", item->propensity);
    }
    if (item->reason_count) {
        emit_open(e, "reasons", '[');
        for (size_t i = 0; i < item->reason_count; i++) {
            emit_open(e, NULL, '{');
            emit_string(e, "item_id", item->reason[i].item_id);
            emit_string(e, "title", item->reason[i].title);
            emit_float(e, "part", item->reason[i].part);
            emit_close(e, '}');
        }
        emit_close(e, ']');
    }
    if (details) {
        const struct item_row *x = &item->row;
        emit_raw(e, "categories", x->categories && *x->categories ? x->categories : "[]");
        emit_raw(e, "attributes", x->attributes && *x->attributes ? x->attributes : "{}");
        emit_string(e, "image_url", x->image_url && *x->image_url ? x->image_url : NULL);
        emit_boolean(e, "available", x->available);
        emit_int(e, "created_at", x->created_ms);
    }
    emit_close(e, '}');
}

void api_emit_list(struct emit *e, const struct live_answer *a, bool details)
{
    emit_uint(e, "model_version", a->model_version);
    if (a->hint)
        emit_string(e, "hint", a->hint);
    emit_open(e, "items", '[');
    for (size_t i = 0; i < a->count; i++)
        emit_listed(e, &a->items[i], details);
    emit_close(e, ']');
}

/* One member before the list, as far as there is anything to say. */
struct about {
    const char *user_id, *item_id;
    bool personal;
};

static void answer(struct http_request *r, const struct live_answer *a, const struct about *about,
                   bool details)
{
    struct emit e = {.text = http_spare(r), .compact = true};
    emit_open(&e, NULL, '{');
    if (*a->recommendation_id)
        emit_string(&e, "recommendation_id", a->recommendation_id);
    if (about->user_id)
        emit_string(&e, "user_id", about->user_id);
    if (about->item_id)
        emit_string(&e, "item_id", about->item_id);
    if (about->personal)
        emit_boolean(&e, "personal", a->personal);
    api_emit_list(&e, a, details);
    emit_close(&e, '}');
    api_say(r, 200, &e);
}

/* What all lists take from the query. */
static struct live_request common(struct api_query *q)
{
    struct live_request ask = {.explore = -1, .diversity = -1};
    ask.n = (size_t)query_whole(q, "n", N_USUAL, 1, PIPELINE_N_MOST);
    ask.filter = query_text(q, "filter");
    ask.exclude = query_ids(q, "exclude", &ask.exclude_count);
    ask.details = query_flag(q, "details");
    return ask;
}

void api_recommend(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_answer list;
    struct api_query q = {.r = r, .err = &err};
    struct live_request ask = common(&q);
    ask.explain = query_flag(&q, "explain");
    ask.model = query_text(&q, "model");
    ask.explore = query_real(&q, "explore", -1, 0, 1);
    ask.diversity = query_real(&q, "diversity", -1, 0, 1);
    ask.user_id = query_id(&q, "user_id");
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_recommend(a->live, &ask, http_arena(r), &list, &err);
    if (st)
        http_error(r, st, &err);
    else
        answer(r, &list, &(struct about){.user_id = ask.user_id, .personal = true}, ask.details);
}

static enum pal_status read_one(const json_t *json, const char *where, struct arena *tmp,
                                struct live_past *out, struct pal_error *err)
{
    struct json_object o;
    *out = (struct live_past){.item_id = json_id_of(json, tmp), .value = 1};
    if (out->item_id && (!*out->item_id || strlen(out->item_id) > RECORD_ID_MOST))
        return pal_fail(err, PAL_EUSAGE, "%s must have 1 to %d bytes", where, RECORD_ID_MOST);
    if (out->item_id)
        return PAL_OK;
    json_object_begin(&o, json, where, tmp, err);
    out->item_id = json_id(&o, "item_id", JSON_NEEDED);
    out->type = json_text(&o, "type", JSON_OPTIONAL);
    out->value = (float)json_number(&o, "value", 1);
    out->time_ms = json_time(&o, "timestamp");
    if (!o.st && out->type && (!*out->type || strlen(out->type) > RECORD_TYPE_MOST))
        o.st =
            pal_fail(err, PAL_EUSAGE, "%s.type must have 1 to %d bytes", where, RECORD_TYPE_MOST);
    return json_object_end(&o);
}

/* "history": ids, or objects that say more. */
static void read_history(struct json_object *o, enum json_need need, struct live_request *ask)
{
    const json_t *list = json_array_of(o, "history", need);
    size_t n = json_array_size(list);
    if (!list)
        return;
    if (n > API_BATCH_MOST) {
        o->st =
            pal_fail(o->err, PAL_EUSAGE, "a history of %zu: send at most %d", n, API_BATCH_MOST);
        return;
    }
    struct live_past *past = arena_alloc(o->tmp, n, sizeof *past);
    if (!past)
        o->st = pal_no_memory(o->err);
    for (size_t i = 0; i < n && !o->st; i++) {
        char where[32];
        snprintf(where, sizeof where, "history[%zu]", i);
        o->st = read_one(json_array_get(list, i), where, o->tmp, &past[i], o->err);
    }
    ask->past = past;
    ask->past_count = n;
}

static double read_share(struct json_object *o, const char *name)
{
    double value = json_number(o, name, NAN);
    if (isnan(value))
        return -1; /* by the options */
    if (!o->st && !(value >= 0 && value <= 1))
        o->st = pal_fail(o->err, PAL_EUSAGE, "%s must be a number from 0 to 1", name);
    return value;
}

void api_recommend_for(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_answer list;
    struct json_object o;
    json_t *body = NULL;
    struct live_request ask = {.explore = -1, .diversity = -1};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &body, &err);
    if (!st) {
        json_object_begin(&o, body, "", http_arena(r), &err);
        read_history(&o, JSON_NEEDED, &ask);
        ask.n = (size_t)json_whole(&o, "n", N_USUAL, 1, PIPELINE_N_MOST);
        ask.filter = json_text(&o, "filter", JSON_OPTIONAL);
        ask.exclude = json_ids(&o, "exclude", JSON_OPTIONAL, &ask.exclude_count);
        ask.explain = json_flag(&o, "explain", false);
        ask.details = json_flag(&o, "details", false);
        ask.model = json_text(&o, "model", JSON_OPTIONAL);
        ask.explore = read_share(&o, "explore");
        ask.diversity = read_share(&o, "diversity");
        st = json_object_end(&o);
    }
    if (!st)
        st = live_recommend(a->live, &ask, http_arena(r), &list, &err);
    if (st)
        http_error(r, st, &err);
    else
        answer(r, &list, &(struct about){.personal = true}, ask.details);
    json_decref(body);
}

void api_similar(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_answer list;
    struct api_query q = {.r = r, .err = &err};
    const char *id = query_id(&q, "item_id");
    struct live_request ask = common(&q);
    ask.model = query_text(&q, "model");
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_similar(a->live, id, &ask, http_arena(r), &list, &err);
    if (st)
        http_error(r, st, &err);
    else
        answer(r, &list, &(struct about){.item_id = id}, ask.details);
}

static void top(struct api *a, struct http_request *r, bool trending)
{
    struct pal_error err;
    struct live_answer list;
    struct api_query q = {.r = r, .err = &err};
    struct live_request ask = common(&q);
    enum pal_status st = query_end(&q);
    if (!st)
        st = live_top(a->live, trending, &ask, http_arena(r), &list, &err);
    if (st)
        http_error(r, st, &err);
    else
        answer(r, &list, &(struct about){0}, ask.details);
}

void api_popular(void *ctx, struct http_request *r)
{
    top(ctx, r, false);
}

void api_trending(void *ctx, struct http_request *r)
{
    top(ctx, r, true);
}

void api_rank(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_answer list;
    struct json_object o;
    json_t *body = NULL;
    const char **ids = NULL;
    size_t count = 0;
    struct live_request ask = {.n = 1, .explore = -1, .diversity = -1};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &body, &err);
    if (!st) {
        json_object_begin(&o, body, "", http_arena(r), &err);
        ask.user_id = json_id(&o, "user_id", JSON_OPTIONAL);
        read_history(&o, JSON_OPTIONAL, &ask);
        ids = json_ids(&o, "item_ids", JSON_NEEDED, &count);
        ask.explain = json_flag(&o, "explain", false);
        ask.details = json_flag(&o, "details", false);
        ask.model = json_text(&o, "model", JSON_OPTIONAL);
        st = json_object_end(&o);
    }
    if (!st && (count == 0 || count > API_BATCH_MOST))
        st = pal_fail(&err, PAL_EUSAGE, "item_ids must hold 1 to %d items", API_BATCH_MOST);
    if (!st && ask.user_id && ask.past)
        st = pal_fail(&err, PAL_EUSAGE, "give either user_id or history, not both");
    if (!st)
        st = live_rank(a->live, &ask, ids, count, http_arena(r), &list, &err);
    if (st)
        http_error(r, st, &err);
    else
        answer(r, &list, &(struct about){.user_id = ask.user_id}, ask.details);
    json_decref(body);
}
