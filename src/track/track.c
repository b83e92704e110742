/* See track.h. A run is collected as two things at once: the line that the folder gets when it
 * ends, and the messages that the server gets while it lasts. */
#include "track/track.h"
#include "base/clock.h"

#include "base/emit.h"
#include "base/file.h"
#include "base/mem.h"
#include "track/inside.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    STEPS_MOST = 1000,  /* of a run that the folder keeps */
    PARAMS_MOST = 90,   /* of a message; MLflow takes 100 */
    METRICS_MOST = 900, /* of a message; MLflow takes 1,000, and as many of all kinds together */
    VALUE_MOST = 5000,  /* bytes of a text; MLflow's own limits are 6,000 and 5,000 */
    FLUSH_MS = 1000,    /* how long a metric may wait before it is sent */
};

struct track {
    char *root;
    struct sender *sender; /* NULL = no server */
    pthread_mutex_t lock;  /* guards what follows */
    size_t missing;        /* lines that could not be written */
    char why[512];         /* the first of them */
};

struct track_run {
    struct track *track;
    char id[TRACK_ID], parent[TRACK_ID];
    int64_t began_ms, flushed_ms;
    bool told; /* the server knows of it */
    char *command, *name;
    json_t *params, *metrics, *steps, *tags, *artifacts; /* of the line */
    size_t step_count;
    json_t *batch; /* what the server is not told yet; NULL without one */
};

static void lost_line(struct track *t, const char *why)
{
    pthread_mutex_lock(&t->lock);
    if (!t->missing++)
        snprintf(t->why, sizeof t->why, "%s", why);
    pthread_mutex_unlock(&t->lock);
}

static void track_free(struct track *t)
{
    if (!t)
        return;
    mem_free(t->root);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

enum pal_status track_open(const struct track_options *o, struct track **out, struct pal_error *err)
{
    struct track *t = mem_zero(1, sizeof *t);
    if (!t)
        return pal_no_memory(err);
    pthread_mutex_init(&t->lock, NULL);
    t->root = mem_text(o->root, strlen(o->root));
    enum pal_status st = t->root ? PAL_OK : pal_no_memory(err);
    if (!st && o->url)
        st = sender_new(o->root, o->url, &t->sender, err);
    if (st) {
        track_free(t);
        return st;
    }
    *out = t;
    return PAL_OK;
}

void track_close(struct track *t, char *note, size_t size)
{
    if (size)
        *note = 0;
    if (!t)
        return;
    if (t->sender)
        sender_close(t->sender, note, size);
    if (t->missing && size && !*note)
        snprintf(note, size, "this run is not in the list of runs: %s", t->why);
    track_free(t);
}

/* ---- a run ---- */

static void make_id(char id[TRACK_ID])
{
    uint64_t number = 0;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = (uint64_t)clock_wall_ms() * 2654435761u ^ (uint64_t)(uintptr_t)id;
    snprintf(id, TRACK_ID, "%016llx", (unsigned long long)number);
}

static void run_free(struct track_run *r)
{
    if (!r)
        return;
    mem_free(r->command);
    mem_free(r->name);
    json_decref(r->params);
    json_decref(r->metrics);
    json_decref(r->steps);
    json_decref(r->tags);
    json_decref(r->artifacts);
    json_decref(r->batch);
    mem_free(r);
}

static void tell_of(struct track_run *r);

struct track_run *track_begin(struct track *t, struct track_run *parent, const char *command,
                              const char *name)
{
    struct track_run *r = t ? mem_zero(1, sizeof *r) : NULL;
    if (!r)
        return NULL;
    r->track = t;
    make_id(r->id);
    if (parent) {
        memcpy(r->parent, parent->id, sizeof r->parent);
        tell_of(parent); /* the server has to know it first */
    }
    r->began_ms = r->flushed_ms = clock_wall_ms();
    r->command = mem_text(command, strlen(command));
    r->name = mem_text(name, strlen(name));
    r->params = json_object();
    r->metrics = json_object();
    r->steps = json_object();
    r->tags = json_object();
    r->artifacts = json_array();
    r->batch = t->sender ? json_object() : NULL;
    if (!r->command || !r->name || !r->params || !r->metrics || !r->steps || !r->tags ||
        !r->artifacts || (t->sender && !r->batch)) {
        run_free(r);
        return NULL;
    }
    return r;
}

void track_began(struct track_run *r, int64_t began_ms)
{
    if (r)
        r->began_ms = began_ms;
}

/* A text as JSON: cut where it is too long, and without what is not UTF-8. */
static json_t *to_text(const char *value)
{
    struct str quoted = {0};
    size_t len = strnlen(value, VALUE_MOST);
    while (len && ((unsigned char)value[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    char *cut = mem_text(value, len);
    json_t *text = NULL;
    if (cut)
        emit_quoted(&quoted, cut);
    if (cut && str_ok(&quoted))
        text = json_loads(str_text(&quoted), JSON_DECODE_ANY, NULL);
    mem_free(cut);
    str_done(&quoted);
    return text;
}

/* ---- telling the server ---- */

static json_t *message(const struct track_run *r, const char *op)
{
    json_t *m = json_object();
    json_object_set_new(m, "op", json_string(op));
    json_object_set_new(m, "run", json_string(r->id));
    return m;
}

static void add_pair(json_t *list, const char *key, json_t *value)
{
    json_t *pair = json_object();
    json_object_set_new(pair, "key", json_string(key));
    json_object_set_new(pair, "value", value);
    json_array_append_new(list, pair);
}

static void tell_of(struct track_run *r)
{
    if (r->told || !r->batch)
        return;
    r->told = true;
    json_t *m = message(r, "create"), *body = json_object(), *tags = json_array();
    add_pair(tags, "mlflow.source.name", json_string("palate"));
    add_pair(tags, "mlflow.source.type", json_string("LOCAL"));
    add_pair(tags, "palate.command", json_string(r->command));
    add_pair(tags, "palate.run", json_string(r->id));
    add_pair(tags, "palate.version", json_string(PALATE_VERSION));
    json_object_set_new(body, "run_name", to_text(r->name));
    json_object_set_new(body, "start_time", json_integer(r->began_ms));
    json_object_set_new(body, "tags", tags);
    if (*r->parent)
        json_object_set_new(m, "parent", json_string(r->parent));
    json_object_set_new(m, "body", body);
    sender_put(r->track->sender, m);
}

static void flush(struct track_run *r)
{
    if (!r->batch)
        return;
    tell_of(r);
    r->flushed_ms = clock_wall_ms();
    if (!json_object_size(r->batch))
        return;
    json_t *m = message(r, "batch"), *next = json_object();
    json_object_set_new(m, "body", r->batch);
    r->batch = next; /* NULL when memory is out: nothing more is told */
    sender_put(r->track->sender, m);
}

/* The list of that name in the batch, flushed first if it is full. */
static json_t *list_in_batch(struct track_run *r, const char *name, size_t most)
{
    if (json_array_size(json_object_get(r->batch, name)) >= most)
        flush(r);
    if (r->batch && !json_object_get(r->batch, name))
        json_object_set_new(r->batch, name, json_array());
    return json_object_get(r->batch, name);
}

/* ---- what a run has ---- */

void track_param(struct track_run *r, const char *name, const char *value)
{
    if (!r || json_object_get(r->params, name)) /* a server takes each but once */
        return;
    json_object_set_new(r->params, name, to_text(value));
    if (r->batch)
        add_pair(list_in_batch(r, "params", PARAMS_MOST), name, to_text(value));
}

void track_tag(struct track_run *r, const char *name, const char *value)
{
    if (!r)
        return;
    json_object_set_new(r->tags, name, to_text(value));
    if (r->batch)
        add_pair(list_in_batch(r, "tags", PARAMS_MOST), name, to_text(value));
}

static void keep_step(struct track_run *r, const char *name, double value, int64_t step)
{
    json_t *steps = json_object_get(r->steps, name), *pair = json_array();
    if (r->step_count++ < STEPS_MOST) {
        if (!steps) {
            json_object_set_new(r->steps, name, json_array());
            steps = json_object_get(r->steps, name);
        }
        json_array_append_new(pair, json_integer(step));
        json_array_append_new(pair, json_real(value));
        json_array_append(steps, pair);
    }
    json_decref(pair);
}

void track_metric(struct track_run *r, const char *name, double value, int64_t step)
{
    if (!r || !isfinite(value))
        return;
    json_object_set_new(r->metrics, name, json_real(value));
    if (step > 0)
        keep_step(r, name, value, step);
    if (!r->batch)
        return;
    json_t *list = list_in_batch(r, "metrics", METRICS_MOST), *metric = json_object();
    int64_t now = clock_wall_ms();
    json_object_set_new(metric, "key", json_string(name));
    json_object_set_new(metric, "value", json_real(value));
    json_object_set_new(metric, "timestamp", json_integer(now));
    json_object_set_new(metric, "step", json_integer(step));
    json_array_append_new(list, metric);
    if (now - r->flushed_ms > FLUSH_MS)
        flush(r);
}

void track_artifact(struct track_run *r, const char *name, const char *text, size_t len)
{
    if (!r || len > ARTIFACT_MOST)
        return;
    json_array_append_new(r->artifacts, json_string(name));
    if (!r->batch)
        return;
    flush(r);
    json_t *m = message(r, "artifact");
    json_object_set_new(m, "name", json_string(name));
    json_object_set_new(m, "text", json_stringn(text, len));
    sender_put(r->track->sender, m);
}

/* ---- its end ---- */

static char *line_of(const struct track_run *r, const char *status, const char *why, int64_t now)
{
    json_t *all = json_object();
    json_object_set_new(all, "run", json_string(r->id));
    json_object_set_new(all, "parent", *r->parent ? json_string(r->parent) : json_null());
    json_object_set_new(all, "command", json_string(r->command));
    json_object_set_new(all, "name", to_text(r->name));
    json_object_set_new(all, "status", json_string(status));
    json_object_set_new(all, "message", why ? to_text(why) : json_null());
    json_object_set_new(all, "palate", json_string(PALATE_VERSION));
    json_object_set_new(all, "started_ms", json_integer(r->began_ms));
    json_object_set_new(all, "ended_ms", json_integer(now));
    json_object_set(all, "params", r->params);
    json_object_set(all, "metrics", r->metrics);
    json_object_set(all, "steps", r->steps);
    json_object_set(all, "tags", r->tags);
    json_object_set(all, "artifacts", r->artifacts);
    char *line = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(all);
    return line;
}

void track_end(struct track_run *r, enum track_end how, const char *why)
{
    static const char *const words[] = {"finished", "failed", "killed"};
    static const char *const statuses[] = {"FINISHED", "FAILED", "KILLED"};
    struct pal_error err;
    if (!r)
        return;
    int64_t now = clock_wall_ms();
    char *line = line_of(r, words[how], why, now);
    if (!line)
        lost_line(r->track, "out of memory");
    else if (runs_add(r->track->root, line, &err))
        lost_line(r->track, err.message);
    free(line);
    if (r->batch) {
        if (why)
            track_tag(r, "palate.message", why);
        flush(r);
        json_t *m = message(r, "end"), *body = json_object();
        json_object_set_new(body, "status", json_string(statuses[how]));
        json_object_set_new(body, "end_time", json_integer(now));
        json_object_set_new(m, "body", body);
        sender_put(r->track->sender, m);
    }
    run_free(r);
}
