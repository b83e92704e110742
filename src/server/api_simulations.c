/* The reports of palate simulate, for the page: notes of the store. */
#include "base/clock.h"
#include "server/api_inside.h"

#include "base/mem.h"

#include <stdio.h>

enum { SIMULATIONS = 8 /* reports kept */ };

static int64_t time_of(const json_t *report)
{
    return json_integer_value(json_object_get(report, "at"));
}

/* The reports there are ("simulation-0" on, used in turn), newest first, in all (SIMULATIONS);
 * returns how many. */
static size_t read_reports(struct api *a, json_t **all, size_t *free_slot)
{
    size_t n = 0;
    int64_t oldest = INT64_MAX;
    *free_slot = 0;
    for (size_t i = SIMULATIONS; i-- > 0;) {
        char name[32], *text = NULL;
        snprintf(name, sizeof name, "simulation-%zu", i);
        json_t *report = NULL;
        if (store_note(live_store(a->live), name, &text, NULL) == PAL_OK)
            report = json_loads(text, 0, NULL);
        mem_free(text);
        int64_t at = report ? time_of(report) : -1;
        if (at <= oldest) {
            oldest = at;
            *free_slot = i;
        }
        if (!report)
            continue;
        size_t place = n++;
        for (; place > 0 && time_of(all[place - 1]) < at; place--)
            all[place] = all[place - 1];
        all[place] = report;
    }
    return n;
}

static void simulations(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    json_t *all[SIMULATIONS];
    size_t slot;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    size_t n = read_reports(a, all, &slot);
    emit_open(&e, NULL, '{');
    emit_open(&e, "simulations", '[');
    for (size_t i = 0; i < n; i++) {
        const char *text = json_compact(all[i], http_arena(r));
        emit_raw(&e, NULL, text ? text : "{}");
        json_decref(all[i]);
    }
    emit_close(&e, ']');
    emit_close(&e, '}');
    api_say(r, 200, &e);
}

void api_simulations(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, simulations, a, r);
}

/* Series: names, each with an array of numbers or nulls. */
static enum pal_status check_series(const json_t *series, struct pal_error *err)
{
    const char *name;
    json_t *list, *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)series, name, list)
    {
        if (!json_is_array(list))
            return pal_fail(err, PAL_EUSAGE, "series.%s must be an array", name);
        json_array_foreach(
            list, i,
            value) if (!json_is_number(value) &&
                       !json_is_null(
                           value)) return pal_fail(err, PAL_EUSAGE,
                                                   "series.%s[%zu] must be a number or null", name,
                                                   i);
    }
    return PAL_OK;
}

static enum pal_status check_report(json_t *report, struct arena *tmp, struct pal_error *err)
{
    struct json_object o;
    json_object_begin(&o, report, "", tmp, err);
    int64_t at = json_time(&o, "at");
    json_text(&o, "world", JSON_NEEDED);
    json_whole(&o, "users", 0, 0, UINT32_MAX);
    json_whole(&o, "items", 0, 0, UINT32_MAX);
    json_whole(&o, "n", 0, 0, UINT32_MAX);
    json_array_of(&o, "rounds", JSON_NEEDED);
    const json_t *series = json_object_of(&o, "series", JSON_NEEDED);
    enum pal_status st = json_object_end(&o);
    if (!st)
        st = check_series(series, err);
    if (!st && json_object_set_new(report, "at", json_integer(at ? at : clock_wall_ms())))
        st = pal_no_memory(err);
    return st;
}

static void add_simulation(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    json_t *report = NULL, *all[SIMULATIONS];
    size_t slot;
    char name[32];
    const char *text = NULL;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_body(r, &report, &err);
    if (!st)
        st = check_report(report, http_arena(r), &err);
    if (!st && !(text = json_compact(report, http_arena(r))))
        st = pal_no_memory(&err);
    if (!st) {
        pthread_mutex_lock(&a->simulations_lock);
        for (size_t n = read_reports(a, all, &slot); n-- > 0;)
            json_decref(all[n]);
        snprintf(name, sizeof name, "simulation-%zu", slot);
        st = store_put_note(live_store(a->live), name, text, &err);
        pthread_mutex_unlock(&a->simulations_lock);
    }
    json_decref(report);
    if (st)
        http_error(r, st, &err);
    else
        http_answer(r, 200, "application/json", "{\"accepted\":1}", 14);
}

void api_add_simulation(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, add_simulation, a, r);
}
