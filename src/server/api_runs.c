/* GET /v1/runs: what was trained, tuned and evaluated with this folder of models, by whatever
 * program, as the folder's list of runs has it. Members that a line lacks are null or empty, so
 * that what somebody wrote there by hand breaks no reader. */
#include "registry/registry.h"
#include "server/api_inside.h"
#include "track/track.h"

#include <string.h>

enum { RUNS_MOST = 1000, RUNS = 50 };

struct listing {
    struct emit e;
    struct arena *tmp;
    const char *parent; /* whose runs; NULL = those that are in no other */
    int64_t left;
};

static void emit_object(struct listing *l, const char *key, const json_t *value)
{
    const char *text = json_is_object(value) ? json_compact(value, l->tmp) : "{}";
    emit_raw(&l->e, key, text ? text : "{}");
}

static void emit_text(struct listing *l, const char *key, const json_t *run)
{
    emit_string(&l->e, key, json_string_value(json_object_get(run, key)));
}

static void emit_moment(struct listing *l, const char *key, const json_t *value)
{
    if (json_is_integer(value))
        emit_int(&l->e, key, json_integer_value(value));
    else
        emit_raw(&l->e, key, "null");
}

static void emit_run(struct listing *l, const json_t *run)
{
    const json_t *artifacts = json_object_get(run, "artifacts"), *name;
    size_t i;
    emit_open(&l->e, NULL, '{');
    emit_text(l, "run", run);
    emit_text(l, "parent", run);
    emit_text(l, "command", run);
    emit_text(l, "name", run);
    emit_text(l, "status", run);
    emit_text(l, "message", run);
    emit_moment(l, "began_at", json_object_get(run, "started_ms"));
    emit_moment(l, "ended_at", json_object_get(run, "ended_ms"));
    emit_object(l, "params", json_object_get(run, "params"));
    emit_object(l, "metrics", json_object_get(run, "metrics"));
    emit_object(l, "steps", json_object_get(run, "steps"));
    emit_object(l, "tags", json_object_get(run, "tags"));
    emit_open(&l->e, "artifacts", '[');
    json_array_foreach((json_t *)(uintptr_t)artifacts, i, name)
    {
        if (json_is_string(name))
            emit_string(&l->e, NULL, json_string_value(name));
    }
    emit_close(&l->e, ']');
    emit_close(&l->e, '}');
}

/* A track_line_fn; ctx is the listing. */
static void take_line(void *ctx, const char *line, size_t len)
{
    struct listing *l = ctx;
    json_t *run = l->left > 0 ? json_loadb(line, len, 0, NULL) : NULL;
    const char *parent = json_string_value(json_object_get(run, "parent"));
    bool wanted = l->parent ? parent && strcmp(parent, l->parent) == 0 : !parent;
    if (run && wanted) {
        emit_run(l, run);
        l->left--;
    }
    json_decref(run);
}

static void runs(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct api_query q = {.r = r, .err = &err};
    struct listing l = {.e = {.compact = true}, .tmp = http_arena(r)};
    char root[PATH_MAX];
    size_t count;
    l.parent = query_text(&q, "parent");
    l.left = query_whole(&q, "n", RUNS, 1, RUNS_MOST);
    emit_open(&l.e, NULL, '{');
    emit_open(&l.e, "runs", '[');
    enum pal_status st = query_end(&q);
    if (!st)
        st = registry_local(a->options.models, root, sizeof root, &err);
    if (!st)
        st = track_list(root, SIZE_MAX, take_line, &l, &count, &err);
    emit_close(&l.e, ']');
    emit_close(&l.e, '}');
    if (!st) {
        api_say(r, 200, &l.e);
        return;
    }
    str_done(&l.e.text);
    http_error(r, st, &err);
}

/* The list may have thousands of lines. */
void api_runs(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, runs, a, r);
}
