/* Metrics for Prometheus, and the server's state. */
#include "base/clock.h"
#include "server/api_inside.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Resident memory in bytes. */
static uint64_t resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void gauge(struct str *out, const char *name, const char *type, const char *help,
                  double value)
{
    str_fmt(out, "# HELP palate_%s %s\n# TYPE palate_%s %s\npalate_%s %.17g\n", name, help, name,
            type, name, value);
}

static void head(struct str *out, const char *name, const char *type, const char *help)
{
    str_fmt(out, "# HELP palate_%s %s\n# TYPE palate_%s %s\n", name, help, name, type);
}

/* A label's value: backslashes, quotes and newlines as the format wants them. */
static void labelled(struct str *out, const char *name, const char *label, const char *value,
                     double number)
{
    str_fmt(out, "palate_%s{%s=\"", name, label);
    for (const char *p = value; *p; p++)
        if (*p == '"' || *p == '\\')
            str_fmt(out, "\\%c", *p);
        else if (*p == '\n')
            str_put(out, "\\n");
        else
            str_char(out, *p);
    str_fmt(out, "\"} %.17g\n", number);
}

static void put_roles(struct str *out, unsigned roles)
{
    head(out, "role", "gauge", "1 for each role that this process has.");
    for (unsigned role = 1; role < ROLE_ALL; role *= 2) {
        char name[ROLES_TEXT];
        roles_text(role, name);
        labelled(out, "role", "role", name, (roles & role) != 0);
    }
}

static void put_stream(struct str *out, const struct live_stream *s)
{
    if (!s->there)
        return;
    gauge(out, "stream_connected", "gauge", "1 while the broker is there.", s->bus.connected);
    gauge(out, "stream_published_total", "counter", "Records that the broker confirmed.",
          (double)s->bus.published);
    gauge(out, "stream_received_total", "counter", "Messages taken out of the stream.",
          (double)s->bus.received);
    gauge(out, "stream_stored_total", "counter", "Records out of the stream that were stored.",
          (double)s->stored);
    gauge(out, "stream_repeated_total", "counter", "Events that came twice.", (double)s->repeated);
    gauge(out, "stream_refused_total", "counter", "Messages put aside, as not to be read.",
          (double)s->refused);
    gauge(out, "stream_reconnects_total", "counter", "Connections made anew.",
          (double)s->bus.reconnects);
    gauge(out, "stream_failing", "gauge", "1 while what is in the stream can't be stored.",
          s->failing);
    if (s->bus.backlog >= 0)
        gauge(out, "stream_backlog", "gauge", "Messages that wait in the stream, about.",
              (double)s->bus.backlog);
}

static void put_follow(struct str *out, const struct live_follow *f)
{
    if (!f->there)
        return;
    gauge(out, "follow_records_total", "counter", "What other processes took in, shown to memory.",
          (double)f->records);
    gauge(out, "follow_lag_seconds", "gauge", "Since memory was last as the store is.", f->lag_s);
    gauge(out, "follow_failing", "gauge", "1 while that can't be read.", f->failing);
}

static void put_shared_trips(struct str *out, const struct state_status *s)
{
    uint64_t sum = 0;
    head(out, "state_trip_seconds", "histogram", "Round trips to the shared state.");
    for (size_t i = 0; i < STATE_BUCKETS; i++) {
        sum += s->bucket[i];
        str_fmt(out, "palate_state_trip_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", state_bucket_s[i],
                sum);
    }
    sum += s->bucket[STATE_BUCKETS];
    str_fmt(out,
            "palate_state_trip_seconds_bucket{le=\"+Inf\"} %" PRIu64
            "\npalate_state_trip_seconds_sum %.17g\npalate_state_trip_seconds_count %" PRIu64 "\n",
            sum, (double)s->ns / 1e9, sum);
}

static void put_shared(struct str *out, const struct live_shared *s)
{
    static const char *const found[STATE_FOUNDS] = {"same", "more", "whole", "none"};
    if (!s->there)
        return;
    gauge(out, "state_up", "gauge", "1 while the shared state is there.", s->state.up);
    gauge(out, "state_errors_total", "counter", "Calls of the shared state that failed.",
          (double)s->state.errors);
    gauge(out, "state_fallbacks_total", "counter", "Answers that did without the shared state.",
          (double)s->fallbacks);
    gauge(out, "state_missed_users_total", "counter",
          "Users of whom the shared state was not told something.", (double)s->missed);
    gauge(out, "state_owed_users", "gauge", "Those of whom it still does not know that.",
          (double)s->owed);
    head(out, "state_looks_total", "counter",
         "Profiles asked of the shared state, by what was new: none = asked of the store.");
    for (size_t i = 0; i < STATE_FOUNDS; i++)
        labelled(out, "state_looks_total", "found", found[i], (double)s->state.found[i]);
    put_shared_trips(out, &s->state);
}

static void put_events(struct str *out, const struct live_status *s)
{
    head(out, "events_total", "counter", "Events taken in since the start, by type.");
    for (size_t i = 0; i < s->types.count; i++)
        labelled(out, "events_total", "type", s->types.name[i], (double)s->events_by_type[i]);
    head(out, "recommended_items_total", "counter", "Items recommended, by who put them there.");
    for (size_t i = 0; i < s->served_sources; i++)
        labelled(out, "recommended_items_total", "source", s->served[i].source,
                 (double)s->served[i].items);
    head(out, "taken_items_total", "counter",
         "Of those recommended to users, items that they then did something good with, by who put "
         "them there.");
    for (size_t i = 0; i < s->served_sources; i++)
        labelled(out, "taken_items_total", "source", s->served[i].source,
                 (double)s->served[i].taken);
    gauge(out, "events_repeated_total", "counter",
          "Events that came again under their event_id, and were not counted again.",
          (double)s->events_repeated);
    gauge(out, "served_lost_total", "counter", "Served lists that could not be kept.",
          (double)s->served_lost);
}

static void put_model(struct str *out, const struct live_status *s)
{
    int64_t now = clock_wall_ms();
    gauge(out, "model_version", "gauge", "The version that answers; 0 = none.", s->model_version);
    gauge(out, "model_age_seconds", "gauge", "Since that version was trained.",
          s->model_created_ms ? (double)(now - s->model_created_ms) / 1e3 : 0);
    gauge(out, "model_items", "gauge", "Items that it knows.", s->model_items);
    gauge(out, "catalog_items", "gauge", "Items of the catalog.", s->items);
    gauge(out, "catalog_items_available", "gauge", "Those that may be recommended.",
          s->items_available);
    gauge(out, "events_since_training", "gauge", "New events since the model was trained.",
          (double)s->events_since_training);
}

static void put_journal(struct str *out, const struct live_status *s)
{
    const struct journal_status *j = &s->journal;
    gauge(out, "journal_records_total", "counter", "Records committed since the start.",
          (double)j->records);
    gauge(out, "journal_commits_total", "counter", "Commits since the start.", (double)j->commits);
    gauge(out, "journal_commit_seconds_total", "counter", "Time spent in commits.",
          (double)j->commit_ns / 1e9);
    gauge(out, "journal_sync_seconds_total", "counter", "Of that, in fdatasync.",
          (double)j->sync_ns / 1e9);
    gauge(out, "journal_last_commit_seconds", "gauge", "The last commit took.",
          (double)j->last_commit_ns / 1e9);
    gauge(out, "journal_bytes", "gauge", "Bytes of all segments.", (double)j->bytes);
    gauge(out, "journal_most_bytes", "gauge", "What they may not pass: then events are refused.",
          (double)j->most_bytes);
    gauge(out, "journal_free_bytes", "gauge", "Left on the journal's disk.", (double)j->free_bytes);
    gauge(out, "journal_segments", "gauge", "Segment files.", (double)j->segments);
    gauge(out, "journal_pending_records", "gauge", "Durable, and not in the store yet.",
          (double)(j->committed - j->drained));
    gauge(out, "journal_failing", "gauge", "1 while commits fail.", j->failing);
    gauge(out, "store_failing", "gauge", "1 while the store does not take records.",
          s->store_failing || s->store_away);
    gauge(out, "drained_records_total", "counter", "Records that reached the store.",
          (double)s->drained_records);
    gauge(out, "drain_seconds_total", "counter", "Time spent on that.", (double)s->drain_ns / 1e9);
}

static void put_profiles(struct str *out, const struct live_status *s)
{
    gauge(out, "profiles", "gauge", "Users' profiles in memory.", (double)s->profiles);
    gauge(out, "profile_bytes", "gauge", "Their bytes.", (double)s->profile_bytes);
    gauge(out, "profile_hits_total", "counter", "Profiles found in memory.",
          (double)s->profile_hits);
    gauge(out, "profile_misses_total", "counter", "Profiles read from the store.",
          (double)s->profile_misses);
    gauge(out, "profile_failures_total", "counter",
          "Profiles that the store could not be asked for.", (double)s->profile_failures);
    gauge(out, "profile_evictions_total", "counter", "Profiles dropped for room.",
          (double)s->profile_evictions);
    gauge(out, "memory_bytes", "gauge", "Resident memory of the process.", (double)resident());
}

static void put_training(struct str *out, struct loop *loop)
{
    struct loop_run run;
    uint64_t runs = loop && loop_runs(loop, &run, 1) ? run.run : 0;
    gauge(out, "training_runs_total", "counter", "Training runs since the start.", (double)runs);
    gauge(out, "training_running", "gauge", "1 while one runs.",
          loop && loop_state(loop) == LOOP_RUNNING);
    if (!runs || !run.ended_ms)
        return;
    gauge(out, "training_last_published", "gauge", "1 if the last run was published.",
          run.outcome == LOOP_PUBLISHED);
    gauge(out, "training_last_seconds", "gauge", "The last run took.",
          (double)(run.ended_ms - run.began_ms) / 1e3);
    if (!isfinite(run.metric))
        return;
    head(out, "training_last_metric", "gauge", "What it measured.");
    labelled(out, "training_last_metric", "metric", run.metric_name, run.metric);
}

void api_metrics(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct live_status s;
    struct str out = {0};
    live_status(a->live, &s);
    head(&out, "build_info", "gauge", "The version of the program.");
    labelled(&out, "build_info", "version", PALATE_VERSION, 1);
    gauge(&out, "uptime_seconds", "gauge", "Since the start.",
          (double)(clock_wall_ms() - a->started_ms) / 1e3);
    put_roles(&out, s.roles);
    put_stream(&out, &s.stream);
    put_follow(&out, &s.follow);
    put_shared(&out, &s.shared);
    put_events(&out, &s);
    put_model(&out, &s);
    put_journal(&out, &s);
    put_profiles(&out, &s);
    put_training(&out, a->loop);
    gauge(&out, "slow_calls", "gauge", "Slow calls that wait or run.", (double)work_depth(a->work));
    if (a->http)
        http_metrics(a->http, &out);
    if (str_ok(&out))
        http_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8", str_text(&out), out.len);
    else
        http_error(r, pal_no_memory(NULL), NULL);
    str_done(&out);
}

static void emit_failing(struct emit *e, bool failing, const struct pal_error *err)
{
    emit_string(e, "failing", failing ? err->message : NULL);
}

static void emit_stream(struct emit *e, const struct live_stream *s)
{
    if (!s->there)
        return;
    emit_open(e, "stream", '{');
    emit_boolean(e, "connected", s->bus.connected);
    emit_uint(e, "published", s->bus.published);
    emit_uint(e, "received", s->bus.received);
    emit_uint(e, "stored", s->stored);
    emit_uint(e, "refused", s->refused);
    if (s->bus.backlog >= 0)
        emit_int(e, "backlog", s->bus.backlog);
    emit_failing(e, s->failing || !s->bus.connected, s->failing ? &s->error : &s->bus.error);
    emit_close(e, '}');
}

static void emit_follow(struct emit *e, const struct live_follow *f)
{
    if (!f->there)
        return;
    emit_open(e, "follow", '{');
    emit_uint(e, "records", f->records);
    emit_number(e, "lag_s", f->lag_s);
    emit_failing(e, f->failing, &f->error);
    emit_close(e, '}');
}

static void emit_shared(struct emit *e, const struct live_shared *s)
{
    if (!s->there)
        return;
    emit_open(e, "state", '{');
    emit_boolean(e, "up", s->state.up);
    emit_uint(e, "trips", s->state.trips);
    emit_uint(e, "errors", s->state.errors);
    emit_uint(e, "fallbacks", s->fallbacks);
    emit_uint(e, "missed", s->missed);
    emit_uint(e, "owed", s->owed);
    emit_failing(e, !s->state.up, &s->state.error);
    emit_close(e, '}');
}

static void emit_parts(struct emit *e, const struct live_status *s)
{
    emit_open(e, "model", '{');
    emit_uint(e, "version", s->model_version);
    emit_int(e, "created_at", s->model_created_ms);
    emit_int(e, "loaded_at", s->model_loaded_ms);
    emit_uint(e, "items", s->model_items);
    emit_close(e, '}');
    emit_open(e, "catalog", '{');
    emit_uint(e, "items", s->items);
    emit_uint(e, "available", s->items_available);
    emit_close(e, '}');
    emit_open(e, "journal", '{');
    emit_uint(e, "next", s->journal.next);
    emit_uint(e, "committed", s->journal.committed);
    emit_uint(e, "drained", s->journal.drained);
    emit_uint(e, "pending", s->pending_events);
    emit_uint(e, "bytes", s->journal.bytes);
    emit_uint(e, "segments", s->journal.segments);
    emit_failing(e, s->journal.failing, &s->journal.error);
    emit_close(e, '}');
    emit_open(e, "store", '{');
    emit_uint(e, "position", s->store_position);
    emit_failing(e, s->store_failing || s->store_away, &s->store_error);
    emit_close(e, '}');
    emit_stream(e, &s->stream);
    emit_follow(e, &s->follow);
    emit_shared(e, &s->shared);
    emit_open(e, "profiles", '{');
    emit_uint(e, "count", s->profiles);
    emit_uint(e, "bytes", s->profile_bytes);
    emit_uint(e, "hits", s->profile_hits);
    emit_uint(e, "misses", s->profile_misses);
    emit_close(e, '}');
    emit_open(e, "events_by_type", '{');
    for (size_t i = 0; i < s->types.count; i++)
        emit_uint(e, s->types.name[i], s->events_by_type[i]);
    emit_close(e, '}');
    emit_open(e, "served_by_source", '{');
    for (size_t i = 0; i < s->served_sources; i++)
        emit_uint(e, s->served[i].source, s->served[i].items);
    emit_close(e, '}');
}

static void emit_traffic(struct emit *e, struct http_server *http)
{
    struct http_traffic traffic[64];
    size_t n = http ? http_traffic(http, traffic, sizeof traffic / sizeof traffic[0]) : 0;
    emit_open(e, "routes", '[');
    for (size_t i = 0; i < n; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "method", traffic[i].route->method);
        emit_string(e, "route", traffic[i].route->pattern);
        emit_uint(e, "requests", traffic[i].requests);
        emit_uint(e, "errors", traffic[i].errors);
        emit_number(e, "p50_ms", traffic[i].p50 * 1e3);
        emit_number(e, "p99_ms", traffic[i].p99 * 1e3);
        emit_number(e, "mean_ms", traffic[i].mean * 1e3);
        emit_close(e, '}');
    }
    emit_close(e, ']');
}

void api_status(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct live_status s;
    struct pal_error err;
    char roles[ROLES_TEXT];
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    live_status(a->live, &s);
    roles_text(s.roles, roles);
    emit_open(&e, NULL, '{');
    emit_string(&e, "version", PALATE_VERSION);
    emit_string(&e, "role", roles);
    emit_number(&e, "uptime_s", (double)(clock_wall_ms() - a->started_ms) / 1e3);
    emit_parts(&e, &s);
    emit_uint(&e, "memory_bytes", resident());
    emit_traffic(&e, a->http);
    emit_boolean(&e, "classic_cleanup", a->options.allow_cleanup);
    emit_close(&e, '}');
    api_say(r, 200, &e);
}
