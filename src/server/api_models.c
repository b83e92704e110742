/* The learning loop by hand: versions, reload, activate, train. */
#include "server/api_inside.h"

#include "base/mem.h"
#include "base/text.h"
#include "registry/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RUNS_SHOWN = 20 };

/* The value of an object's member as compact JSON; missing or out of memory: null. */
static void emit_json(struct emit *e, const char *key, const json_t *value, struct arena *tmp)
{
    const char *text = value ? json_compact(value, tmp) : NULL;
    emit_raw(e, key, text ? text : "null");
}

static void emit_manifest(struct emit *e, const json_t *m, struct arena *tmp)
{
    size_t i;
    json_t *model;
    const json_t *created = json_object_get(m, "created_s");
    if (json_is_integer(created))
        emit_int(e, "created_at", json_integer_value(created) * 1000);
    emit_json(e, "data", json_object_get(m, "data"), tmp);
    emit_json(e, "interactions", json_object_get(m, "interactions"), tmp);
    emit_json(e, "items", json_object_get(m, "items"), tmp);
    emit_json(e, "split", json_object_get(json_object_get(m, "source"), "split"), tmp);
    emit_json(e, "gate", json_object_get(m, "gate"), tmp);
    emit_boolean(e, "measured", json_is_object(json_object_get(m, "comparison")));
    emit_boolean(e, "held_back",
                 json_is_false(json_object_get(json_object_get(m, "gate"), "published")));
    emit_open(e, "models", '[');
    json_array_foreach(json_object_get(m, "models"), i, model)
    {
        emit_open(e, NULL, '{');
        emit_string(e, "model", json_string_value(json_object_get(model, "name")));
        emit_json(e, "options", json_object_get(model, "options"), tmp);
        emit_json(e, "train_seconds", json_object_get(model, "train_seconds"), tmp);
        emit_json(e, "metrics", json_object_get(model, "metrics"), tmp);
        emit_close(e, '}');
    }
    emit_close(e, ']');
}

static void emit_version(struct emit *e, const struct registry_version *v, uint32_t live,
                         uint32_t loaded, struct arena *tmp)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/manifest.json", v->path);
    json_t *manifest = json_load_file(path, 0, NULL);
    emit_open(e, NULL, '{');
    emit_uint(e, "version", v->number);
    emit_boolean(e, "live", v->number == live);
    emit_boolean(e, "loaded", v->number == loaded);
    emit_manifest(e, manifest, tmp);
    emit_close(e, '}');
    json_decref(manifest);
}

static void models(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct registry_version *versions = NULL, current;
    struct live_status status;
    size_t count = 0;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = registry_list(a->options.models, &versions, &count, &err);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    uint32_t live = registry_current(a->options.models, &current, NULL) ? 0 : current.number;
    live_status(a->live, &status);
    emit_open(&e, NULL, '{');
    if (live)
        emit_uint(&e, "current", live);
    else
        emit_raw(&e, "current", "null");
    emit_open(&e, "versions", '[');
    for (size_t i = count; i-- > 0;)
        emit_version(&e, &versions[i], live, status.model_version, http_arena(r));
    emit_close(&e, ']');
    emit_close(&e, '}');
    mem_free(versions);
    api_say(r, 200, &e);
}

void api_models(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, models, a, r);
}

static void say_version(struct http_request *r, uint32_t version)
{
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '{');
    emit_uint(&e, "version", version);
    emit_close(&e, '}');
    api_say(r, 200, &e);
}

static void reload(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    uint32_t version;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_no_body(r, &err);
    if (!st)
        st = live_reload(a->live, &version, &err);
    if (st)
        http_error(r, st, &err);
    else
        say_version(r, version);
}

/* Loading takes its time. */
void api_reload(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, reload, a, r);
}

enum pal_status api_version(struct http_request *r, uint32_t *out, struct pal_error *err)
{
    uint64_t number;
    const char *text = http_param(r, "version");
    if (!text_u64(text, text + strlen(text), &number) || !number || number > UINT32_MAX)
        return pal_fail(err, PAL_EUSAGE, "'%s' is no version: GET /v1/models lists them", text);
    *out = (uint32_t)number;
    return PAL_OK;
}

static void activate(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    uint32_t number = 0;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_version(r, &number, &err);
    if (!st)
        st = api_no_body(r, &err);
    if (!st)
        st = live_activate(a->live, number, &err);
    if (st)
        http_error(r, st, &err);
    else
        say_version(r, number);
}

void api_activate(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, activate, a, r);
}

void api_train(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    uint64_t run;
    char text[160];
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_no_body(r, &err);
    if (!st)
        st = loop_train(a->loop, &run, &err);
    if (st == PAL_EFULL) {
        snprintf(text, sizeof text, "training run %llu is under way: GET /v1/train tells how far",
                 (unsigned long long)run);
        http_problem(r, 409, "already_training", text);
    } else if (st) {
        http_error(r, st, &err);
    } else {
        emit_open(&e, NULL, '{');
        emit_uint(&e, "run", run);
        emit_string(&e, "state", "running");
        emit_close(&e, '}');
        api_say(r, 202, &e);
    }
}

/* A time, or null where it is 0. */
static void emit_when(struct emit *e, const char *key, int64_t ms)
{
    if (ms)
        emit_int(e, key, ms);
    else
        emit_raw(e, key, "null");
}

static void emit_run(struct emit *e, const struct loop_run *run)
{
    static const char *const outcomes[] = {"running", "published", "held_back", "failed",
                                           "stopped"};
    emit_open(e, NULL, '{');
    emit_uint(e, "run", run->run);
    emit_string(e, "cause", run->cause);
    emit_int(e, "began_at", run->began_ms);
    emit_when(e, "ended_at", run->ended_ms);
    emit_string(e, "stage", run->stage);
    emit_string(e, "model", run->model);
    emit_number(e, "share", run->share < 0 ? NAN : run->share);
    emit_string(e, "outcome", run->ended_ms ? outcomes[run->outcome] : "running");
    if (run->version)
        emit_uint(e, "version", run->version);
    else
        emit_raw(e, "version", "null");
    emit_uint(e, "events", run->events);
    emit_uint(e, "items", run->items);
    emit_uint(e, "users", run->users);
    emit_string(e, "metric_name", run->metric_name);
    emit_number(e, "metric", run->metric);
    emit_number(e, "live_metric", run->live_metric);
    emit_uint(e, "peak_bytes", run->peak_bytes);
    emit_string(e, "message", run->message);
    emit_close(e, '}');
}

void api_training(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    struct loop_run *runs = arena_alloc(http_arena(r), RUNS_SHOWN, sizeof *runs);
    if (!st && !runs)
        st = pal_no_memory(&err);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    size_t count = loop_runs(a->loop, runs, RUNS_SHOWN);
    emit_open(&e, NULL, '{');
    emit_string(&e, "state", loop_state(a->loop) == LOOP_RUNNING ? "running" : "idle");
    emit_when(&e, "next_at", loop_next_ms(a->loop));
    emit_open(&e, "runs", '[');
    for (size_t i = 0; i < count; i++)
        emit_run(&e, &runs[i]);
    emit_close(&e, ']');
    emit_close(&e, '}');
    api_say(r, 200, &e);
}
