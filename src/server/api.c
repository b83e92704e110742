/* The table of routes, and what the calls share. See api.h. */
#include "base/clock.h"
#include "server/api_inside.h"

#include "base/mem.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 3, WORK_MOST = 256, SMALL_BODY = 64 * 1024, NOTE_BODY = 1 << 20 };

/* clang-format off */
enum {
    RECS = ROLE_RECS,
    TAKES = ROLE_COLLECTOR,
    TRAINS = ROLE_PIPELINE,
    EITHER = RECS | TRAINS,
    ANY = ROLE_ALL,
    EARLY = ANY | (ROLE_ALL + 1), /* also before there is anything to answer from */
};

/* Each call, and the roles that answer it. */
static const struct {
    struct http_route route;
    unsigned roles;
} routes[] = {
    {{"POST",   "/v1/events", HTTP_WRITE, api_add_events, API_BODY_MOST, NULL}, TAKES},
    {{"GET",    "/v1/items", HTTP_READ, api_list_items, 0, NULL}, RECS},
    {{"POST",   "/v1/items", HTTP_WRITE, api_put_items, API_BODY_MOST, NULL}, TAKES},
    {{"PUT",    "/v1/items/{item_id}", HTTP_WRITE, api_put_item, NOTE_BODY, NULL}, TAKES},
    {{"GET",    "/v1/items/{item_id}", HTTP_READ, api_get_item, 0, NULL}, RECS},
    {{"DELETE", "/v1/items/{item_id}", HTTP_WRITE, api_delete_item, 0, NULL}, TAKES},
    {{"GET",    "/v1/items/{item_id}/similar", HTTP_READ, api_similar, 0, NULL}, RECS},
    {{"PUT",    "/v1/users/{user_id}", HTTP_WRITE, api_put_user, NOTE_BODY, NULL}, TAKES},
    {{"GET",    "/v1/users/{user_id}", HTTP_READ, api_get_user, 0, NULL}, RECS},
    {{"DELETE", "/v1/users/{user_id}", HTTP_WRITE, api_delete_user, 0, NULL}, TAKES},
    {{"GET",    "/v1/users/{user_id}/events", HTTP_READ, api_user_events, 0, NULL}, RECS},
    {{"GET",    "/v1/users/{user_id}/recommendations", HTTP_READ, api_recommend, 0, NULL},
     RECS},
    {{"POST",   "/v1/recommendations", HTTP_READ, api_recommend_for, NOTE_BODY, NULL}, RECS},
    {{"GET",    "/v1/popular", HTTP_READ, api_popular, 0, NULL}, RECS},
    {{"GET",    "/v1/trending", HTTP_READ, api_trending, 0, NULL}, RECS},
    {{"POST",   "/v1/rank", HTTP_READ, api_rank, NOTE_BODY, NULL}, RECS},
    {{"GET",    "/v1/models", HTTP_READ, api_models, 0, NULL}, EITHER},
    {{"GET",    "/v1/models/{version}/report", HTTP_READ, api_report, 0, NULL}, EITHER},
    {{"GET",    "/v1/runs", HTTP_READ, api_runs, 0, NULL}, EITHER},
    {{"POST",   "/v1/models/reload", HTTP_ADMIN, api_reload, SMALL_BODY, NULL}, EITHER},
    {{"POST",   "/v1/models/{version}/activate", HTTP_ADMIN, api_activate, SMALL_BODY, NULL},
     EITHER},
    {{"POST",   "/v1/train", HTTP_ADMIN, api_train, SMALL_BODY, NULL}, TRAINS},
    {{"GET",    "/v1/train", HTTP_READ, api_training, 0, NULL}, TRAINS},
    {{"GET",    "/v1/stats", HTTP_READ, api_stats, 0, NULL}, RECS},
    {{"GET",    "/v1/status", HTTP_READ, api_status, 0, NULL}, ANY},
    {{"GET",    "/v1/simulations", HTTP_READ, api_simulations, 0, NULL}, RECS},
    {{"POST",   "/v1/simulations", HTTP_ADMIN, api_add_simulation, NOTE_BODY, NULL}, RECS},
    {{"GET",    "/health/live", HTTP_OPEN, api_live, 0, NULL}, EARLY},
    {{"GET",    "/health/ready", HTTP_OPEN, api_ready, 0, NULL}, EARLY},
    {{"GET",    "/metrics", HTTP_READ, api_metrics, 0, NULL}, ANY},
    {{"GET",    "/openapi.json", HTTP_OPEN, api_openapi, 0, NULL}, EARLY},
    {{"GET",    "/healthcheck", HTTP_OPEN, api_live, 0, NULL}, EARLY},
    {{"POST",   "/add_items", HTTP_WRITE, api_add_items_classic, API_BODY_MOST, NULL}, TAKES},
    {{"POST",   "/interact", HTTP_WRITE, api_interact, API_BODY_MOST, NULL}, TAKES},
    {{"GET",    "/recs/{user_id}", HTTP_READ, api_recs, 0, NULL}, RECS},
    {{"GET",    "/cleanup", HTTP_ADMIN, api_cleanup, 0, NULL}, TAKES},
    {{"POST",   "/cleanup", HTTP_ADMIN, api_cleanup, SMALL_BODY, NULL}, TAKES},
    {{"GET",    "/", HTTP_OPEN, api_page, 0, NULL}, EARLY},
    {{"GET",    "/favicon.ico", HTTP_OPEN, api_icon, 0, NULL}, EARLY},
    {{"GET",    "/assets/{file}", HTTP_OPEN, api_page, 0, NULL}, EARLY},
};
/* clang-format on */

_Static_assert(sizeof routes / sizeof routes[0] <= API_ROUTES_MOST, "a caller has no room");

/* ---- What this process does not do ---- */

static void elsewhere(const struct api *a, struct http_request *r, unsigned roles)
{
    unsigned role = roles & ROLE_RECS        ? ROLE_RECS
                    : roles & ROLE_COLLECTOR ? ROLE_COLLECTOR
                                             : ROLE_PIPELINE;
    const char *what = role == ROLE_RECS ? "it recommends nothing and looks nothing up"
                       : role == ROLE_COLLECTOR
                           ? "events, items, users and erasures go to a collector"
                           : "training is the pipeline's";
    char here[ROLES_TEXT], there[ROLES_TEXT], detail[200];
    roles_text(a->options.roles, here);
    roles_text(role, there);
    snprintf(detail, sizeof detail,
             "this process has the role %s: %s. Call one that runs with --role %s", here, what,
             there);
    http_problem(r, 409, "other_role", detail);
}

/* Every call comes in here. */
static void call(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    unsigned roles = routes[http_route_index(r)].roles;
    if (!(roles & a->options.roles))
        elsewhere(a, r, roles);
    else if (roles != EARLY && !api_is_open(a))
        api_starting(r);
    else
        routes[http_route_index(r)].route.handler(ctx, r);
}

size_t api_routes(struct http_route out[API_ROUTES_MOST])
{
    size_t count = sizeof routes / sizeof routes[0];
    for (size_t i = 0; i < count; i++) {
        out[i] = routes[i].route;
        out[i].handler = call;
    }
    return count;
}

enum pal_status api_new(const struct api_options *o, struct api **out, struct pal_error *err)
{
    struct api *a = mem_zero(1, sizeof *a);
    if (!a)
        return pal_no_memory(err);
    a->options = *o;
    a->started_ms = clock_wall_ms();
    pthread_mutex_init(&a->figures.lock, NULL);
    pthread_mutex_init(&a->simulations_lock, NULL);
    enum pal_status st = work_new(WORKERS, WORK_MOST, &a->work, err);
    if (st) {
        api_free(a);
        return st;
    }
    *out = a;
    return PAL_OK;
}

void api_open(struct api *a, struct live *live, struct loop *loop)
{
    a->live = live;
    a->loop = loop;
    if (live_store(live) && (a->options.roles & ROLE_RECS))
        api_stats_recall(a);
    atomic_store(&a->open, true);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    work_free(a->work);
    pthread_mutex_destroy(&a->figures.lock);
    pthread_mutex_destroy(&a->simulations_lock);
    mem_free(a->figures.text);
    mem_free(a);
}

void api_serve(struct api *a, struct http_server *server)
{
    a->http = server;
}

/* ---- Query parameters ---- */

const char *query_text(struct api_query *q, const char *name)
{
    if (q->names < sizeof q->name / sizeof q->name[0])
        q->name[q->names++] = name;
    if (!q->st && http_query_at(q->r, name, 1) && http_query(q->r, name))
        q->st = pal_fail(q->err, PAL_EUSAGE, "'%s' is given twice", name);
    return q->st ? NULL : http_query(q->r, name);
}

const char *query_id(struct api_query *q, const char *name)
{
    const char *id = http_param(q->r, name);
    size_t len = strlen(id);
    if (!q->st && (len == 0 || len > RECORD_ID_MOST))
        q->st = pal_fail(q->err, PAL_EUSAGE, "the %s in the path must have 1 to %d bytes", name,
                         RECORD_ID_MOST);
    return q->st ? "" : id;
}

int64_t query_whole(struct api_query *q, const char *name, int64_t missing, int64_t least,
                    int64_t most)
{
    uint64_t value;
    const char *text = query_text(q, name);
    if (!text)
        return missing;
    if (text_u64(text, text + strlen(text), &value) && value <= INT64_MAX &&
        (int64_t)value >= least && (int64_t)value <= most)
        return (int64_t)value;
    q->st = pal_fail(q->err, PAL_EUSAGE,
                     "'%s' must be a whole number from %" PRId64 " to %" PRId64 ", not '%s'", name,
                     least, most, text);
    return missing;
}

double query_real(struct api_query *q, const char *name, double missing, double least, double most)
{
    double value;
    const char *text = query_text(q, name);
    if (!text)
        return missing;
    if (text_real(text, text + strlen(text), &value) && value >= least && value <= most)
        return value;
    q->st = pal_fail(q->err, PAL_EUSAGE, "'%s' must be a number from %g to %g, not '%s'", name,
                     least, most, text);
    return missing;
}

bool query_flag(struct api_query *q, const char *name)
{
    const char *text = query_text(q, name);
    if (!text || strcmp(text, "0") == 0 || strcmp(text, "false") == 0)
        return false;
    if (strcmp(text, "1") != 0 && strcmp(text, "true") != 0)
        q->st = pal_fail(q->err, PAL_EUSAGE, "'%s' must be 1 or 0, not '%s'", name, text);
    return true;
}

const char **query_ids(struct api_query *q, const char *name, size_t *count)
{
    size_t n = 0;
    if (q->names < sizeof q->name / sizeof q->name[0])
        q->name[q->names++] = name;
    while (http_query_at(q->r, name, n))
        n++;
    const char **all = arena_alloc(http_arena(q->r), n, sizeof *all);
    for (size_t i = 0; all && i < n; i++)
        all[i] = http_query_at(q->r, name, i);
    if (!all && !q->st)
        q->st = pal_no_memory(q->err);
    for (size_t i = 0; all && i < n && !q->st; i++)
        if (!*all[i] || strlen(all[i]) > RECORD_ID_MOST || n > API_PAGE_MOST)
            q->st = pal_fail(q->err, PAL_EUSAGE,
                             "'%s' must be given at most %d times, with 1 to %d bytes", name,
                             API_PAGE_MOST, RECORD_ID_MOST);
    *count = all ? n : 0;
    return all;
}

enum pal_status query_end(struct api_query *q)
{
    const char *given;
    for (size_t i = 0; !q->st && (given = http_query_name(q->r, i)); i++) {
        size_t known = 0;
        while (known < q->names && strcmp(q->name[known], given) != 0)
            known++;
        if (known == q->names)
            q->st = pal_fail(q->err, PAL_EUSAGE,
                             "there is no parameter '%s' here: see /openapi.json", given);
    }
    return q->st;
}

/* ---- Bodies ---- */

enum pal_status api_body(struct http_request *r, json_t **out, struct pal_error *err)
{
    size_t len;
    const char *body = http_body(r, &len);
    return json_parse(body, len, out, err);
}

enum pal_status api_no_body(struct http_request *r, struct pal_error *err)
{
    size_t len;
    json_t *json;
    const char *body = http_body(r, &len);
    enum pal_status st = len ? json_parse(body, len, &json, err) : PAL_OK;
    if (st || !len)
        return st;
    if (!json_is_object(json) || json_object_size(json))
        st = pal_fail(err, PAL_EUSAGE, "this call takes no fields: send {} or no body");
    json_decref(json);
    return st;
}

/* ---- Writing ---- */

/* A request that waits for its records to be durable. */
struct waiting {
    struct http_request *r;
    const char *done;
};

static void written(void *ctx, enum pal_status st, const struct pal_error *err)
{
    struct waiting *w = ctx;
    if (st == PAL_EIO) { /* a full or failing disk; it may get better */
        http_set_header(w->r, "Retry-After", "5");
        http_problem(w->r, 503, "journal_failing", err->message);
    } else if (st)
        http_error(w->r, st, err);
    else
        http_answer(w->r, 200, "application/json", w->done, strlen(w->done));
}

void api_write(struct api *a, struct http_request *r, struct record *records, size_t count,
               const char *done)
{
    struct pal_error err;
    enum pal_status st = PAL_OK;
    struct waiting *w = done ? arena_alloc(http_arena(r), 1, sizeof *w) : NULL;
    if (!w)
        st = pal_no_memory(&err);
    else if (!count)
        written(&(struct waiting){r, done}, PAL_OK, NULL);
    else {
        *w = (struct waiting){r, done};
        st = live_write(a->live, records, count, written, w, &err);
    }
    if (st)
        http_error(r, st, &err);
}

const char *api_accepted(struct http_request *r, size_t count)
{
    char text[48];
    int n = snprintf(text, sizeof text, "{\"accepted\":%zu}", count);
    return arena_text(http_arena(r), text, (size_t)n);
}

void api_say(struct http_request *r, unsigned status, struct emit *e)
{
    http_json(r, status, &e->text);
}
