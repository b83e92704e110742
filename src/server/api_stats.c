/* What the data look like, and the reports of palate simulate. */
#include "server/api_inside.h"

#include "base/mem.h"
#include "data/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CURVE = 100,     /* points of the long-tail curve */
    CATEGORIES = 24, /* shown, the largest ones */
    BUCKETS = 24,    /* of the activity histogram: each twice as wide as the one before */
    SIMULATIONS = 8, /* reports kept */
    DRAIN_MS = 1000, /* how long the newest events are waited for */
};

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Ranks from 1 to n, at most CURVE, as far apart as a logarithmic scale wants them. */
static size_t spread_ranks(uint32_t n, uint32_t *rank)
{
    size_t count = 0;
    for (size_t i = 0; n && i < CURVE; i++) {
        uint32_t next = (uint32_t)lround(pow(n, (double)i / (CURVE - 1)));
        if (!count || next > rank[count - 1])
            rank[count++] = next;
    }
    return count;
}

/* Interactions of the items of some ranks from the first to the last. */
static void emit_popularity(struct emit *e, const struct dataset *d, const struct stats *s)
{
    uint32_t items = d->all.items, n = 0, rank[CURVE];
    uint64_t *count = mem_zero(items, sizeof *count);
    emit_open(e, "popularity", '{');
    for (uint64_t i = 0; count && i < interactions_count(&d->all); i++)
        count[d->all.item[i]]++;
    if (count)
        qsort(count, items, sizeof *count, by_size);
    while (count && n < items && count[n])
        n++;
    size_t points = spread_ranks(n, rank);
    emit_open(e, "ranks", '[');
    for (size_t i = 0; i < points; i++)
        emit_uint(e, NULL, rank[i]);
    emit_close(e, ']');
    emit_open(e, "counts", '[');
    for (size_t i = 0; i < points; i++)
        emit_uint(e, NULL, count[rank[i] - 1]);
    emit_close(e, ']');
    emit_number(e, "long_tail_share", s->long_tail_share);
    emit_number(e, "gini", s->gini);
    emit_close(e, '}');
    mem_free(count);
}

/* How many users have 1, 2–3, 4–7… interactions. */
static void emit_activity(struct emit *e, const struct dataset *d)
{
    uint64_t count[BUCKETS] = {0};
    size_t last = 0;
    for (uint32_t u = 0; d->all.start && u < d->all.users; u++) {
        uint64_t n = d->all.start[u + 1] - d->all.start[u];
        size_t bucket = n ? 63 - (size_t)__builtin_clzll(n) : 0;
        if (!n)
            continue;
        bucket = bucket < BUCKETS ? bucket : BUCKETS - 1;
        count[bucket]++;
        last = bucket + 1 > last ? bucket + 1 : last;
    }
    emit_open(e, "activity", '{');
    emit_open(e, "edges", '[');
    for (size_t i = 0; i < last; i++)
        emit_uint(e, NULL, 1ull << i);
    emit_close(e, ']');
    emit_open(e, "counts", '[');
    for (size_t i = 0; i < last; i++)
        emit_uint(e, NULL, count[i]);
    emit_close(e, ']');
    emit_close(e, '}');
}

/* The numbers of the largest categories, largest first; returns how many. */
static size_t largest_categories(const struct stats *s, uint32_t names, uint32_t *out)
{
    size_t n = 0;
    for (uint32_t c = 0; c < names; c++) {
        size_t at = n < CATEGORIES ? n++ : CATEGORIES;
        for (; at > 0 && s->category_items[c] > s->category_items[out[at - 1]]; at--)
            if (at < CATEGORIES)
                out[at] = out[at - 1];
        if (at < CATEGORIES)
            out[at] = c;
    }
    return n;
}

static uint64_t items_with_both(const struct stats *s, uint32_t a, uint32_t b)
{
    if (a == b)
        return s->category_items[a];
    for (size_t i = 0; i < s->pair_count; i++)
        if ((s->pairs[i].a == a && s->pairs[i].b == b) ||
            (s->pairs[i].a == b && s->pairs[i].b == a))
            return s->pairs[i].items;
    return 0;
}

static void emit_categories(struct emit *e, const struct dataset *d, const struct stats *s)
{
    const struct intern *names = &d->items.categories.names;
    uint32_t top[CATEGORIES + 1];
    size_t n = largest_categories(s, names->count, top);
    emit_open(e, "categories", '[');
    for (size_t i = 0; i < n; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "name", intern_text(names, top[i]));
        emit_uint(e, "items", s->category_items[top[i]]);
        emit_uint(e, "events", s->category_interactions[top[i]]);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_open(e, "co_occurrence", '{');
    emit_open(e, "names", '[');
    for (size_t i = 0; i < n; i++)
        emit_string(e, NULL, intern_text(names, top[i]));
    emit_close(e, ']');
    emit_open(e, "counts", '[');
    for (size_t i = 0; i < n; i++) {
        emit_open(e, NULL, '[');
        for (size_t j = 0; j < n; j++)
            emit_uint(e, NULL, items_with_both(s, top[i], top[j]));
        emit_close(e, ']');
    }
    emit_close(e, ']');
    emit_close(e, '}');
}

static void emit_stats(struct emit *e, const struct dataset *d, const struct stats *s)
{
    emit_open(e, NULL, '{');
    emit_uint(e, "users", s->users);
    emit_uint(e, "items", s->items_known);
    emit_uint(e, "items_with_events", s->items);
    emit_uint(e, "events", s->interactions);
    emit_number(e, "density", s->density);
    emit_open(e, "types", '{');
    for (size_t i = 0; i < d->types.count; i++)
        emit_uint(e, d->types.name[i], s->type_count[i]);
    emit_close(e, '}');
    emit_activity(e, d);
    emit_popularity(e, d, s);
    emit_open(e, "values", '[');
    for (size_t i = 0; i < s->value_count; i++) {
        emit_open(e, NULL, '{');
        emit_float(e, "value", s->values[i].value);
        emit_uint(e, "count", s->values[i].count);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_categories(e, d, s);
    emit_int(e, "first_at", (int64_t)s->first_s * 1000);
    emit_int(e, "last_at", (int64_t)s->last_s * 1000);
    emit_int(e, "as_of", api_now_ms());
    emit_close(e, '}');
}

/* Reads the store whole and counts. */
static enum pal_status make_stats(struct api *a, char **out, struct pal_error *err)
{
    struct dataset *d = NULL;
    struct stats s = {0};
    struct emit e = {.compact = true};
    enum pal_status st = store_dataset(live_store(a->options.live), NULL, 0, NULL, &d, NULL, err);
    if (!st)
        st = stats_make(d, NULL, &s, err);
    if (!st)
        emit_stats(&e, d, &s);
    if (!st && !str_ok(&e.text))
        st = pal_no_memory(err);
    stats_done(&s);
    dataset_free(d);
    if (st)
        str_done(&e.text);
    else
        *out = e.text.text;
    return st;
}

/* One count at a time; as long as nothing new is in the store the last one still holds. */
static void stats(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_status status;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (!st && live_drain(a->options.live, DRAIN_MS, NULL))
        (void)0; /* a store that is behind is counted as it is */
    pthread_mutex_lock(&a->stats_lock);
    live_status(a->options.live, &status);
    if (!st && (!a->stats || a->stats_position != status.store_position)) {
        char *fresh = NULL;
        st = make_stats(a, &fresh, &err);
        if (!st) {
            mem_free(a->stats);
            a->stats = fresh;
            a->stats_position = status.store_position;
        }
    }
    if (!st)
        http_answer(r, 200, "application/json", a->stats, strlen(a->stats));
    pthread_mutex_unlock(&a->stats_lock);
    if (st)
        http_error(r, st, &err);
}

void api_stats(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, stats, a, r);
}

/* ---- Simulations: notes of the store, "simulation-0" on, used in turn ---- */

static int64_t time_of(const json_t *report)
{
    return json_integer_value(json_object_get(report, "at"));
}

/* The reports there are, newest first, in all (SIMULATIONS); returns how many. */
static size_t read_reports(struct api *a, json_t **all, size_t *free_slot)
{
    size_t n = 0;
    int64_t oldest = INT64_MAX;
    *free_slot = 0;
    for (size_t i = SIMULATIONS; i-- > 0;) {
        char name[32], *text = NULL;
        snprintf(name, sizeof name, "simulation-%zu", i);
        json_t *report = NULL;
        if (store_note(live_store(a->options.live), name, &text, NULL) == PAL_OK)
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
    if (!st && json_object_set_new(report, "at", json_integer(at ? at : api_now_ms())))
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
        pthread_mutex_lock(&a->stats_lock);
        for (size_t n = read_reports(a, all, &slot); n-- > 0;)
            json_decref(all[n]);
        snprintf(name, sizeof name, "simulation-%zu", slot);
        st = store_put_note(live_store(a->options.live), name, text, &err);
        pthread_mutex_unlock(&a->stats_lock);
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
