/* palate models runs: what was trained, tuned and evaluated lately, from the list of runs that the
 * folder of models keeps. */
#include "cli/runs.h"

#include "cli/manifest.h"
#include "cli/table.h"
#include "registry/registry.h"
#include "track/track.h"

#include <stdlib.h>
#include <string.h>

struct listing {
    struct job *job;
    struct table table;
    struct emit json;
    size_t shown;
};

/* Runs inside a run are told by --json only. */
static bool is_inner(const json_t *run)
{
    return json_is_string(json_object_get(run, "parent"));
}

static void put_metric(struct str *out, const json_t *run)
{
    const char *name = manifest_text(json_object_get(run, "tags"), "palate.metric");
    const json_t *value = json_object_get(json_object_get(run, "metrics"), name);
    if (json_is_number(value))
        str_fmt(out, "%s %.4f", name, json_number_value(value));
}

static void put_run(struct table *t, const json_t *run)
{
    const char *status = manifest_text(run, "status"), *message = manifest_text(run, "message");
    int64_t began = manifest_int(run, "started_ms"), ended = manifest_int(run, "ended_ms");
    bool good = strcmp(status, "finished") == 0;
    put_date(table_open(t, PLAIN), began / 1000);
    table_close(t);
    table_put(t, PLAIN, manifest_text(run, "name"));
    table_put(t, good ? PLAIN : BAD, status);
    put_seconds(table_open(t, PLAIN), (double)(ended - began) / 1000);
    table_close(t);
    if (good)
        put_metric(table_open(t, PLAIN), run);
    else
        str_put(table_open(t, PLAIN), message);
    table_close(t);
    table_put(t, PLAIN, manifest_text(json_object_get(run, "tags"), "palate.best"));
}

static void take_line(void *ctx, const char *line, size_t len)
{
    struct listing *l = ctx;
    json_t *run = json_loadb(line, len, 0, NULL);
    if (run && l->shown < (size_t)l->job->set.count && (l->job->set.json || !is_inner(run))) {
        char *text =
            l->job->set.json ? json_dumps(run, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
        if (text)
            emit_raw(&l->json, NULL, text);
        else if (!l->job->set.json)
            put_run(&l->table, run);
        free(text);
        l->shown++;
    }
    json_decref(run);
}

enum pal_status runs_list(struct job *job, struct pal_error *err)
{
    struct listing l = {.job = job};
    size_t count;
    table_column(&l.table, "began (UTC)", LEFT, false);
    table_column(&l.table, "run", LEFT, true);
    table_column(&l.table, "ended", LEFT, false);
    table_column(&l.table, "took", RIGHT, false);
    table_column(&l.table, "measured", LEFT, true);
    table_column(&l.table, "best", LEFT, true);
    emit_open(&l.json, NULL, '{');
    emit_string(&l.json, "models", job->set.models);
    emit_open(&l.json, "runs", '[');
    char root[PATH_MAX];
    enum pal_status st = registry_local(job->set.models, root, sizeof root, err);
    if (!st)
        st = track_list(root, SIZE_MAX, take_line, &l, &count, err);
    emit_close(&l.json, ']');
    emit_close(&l.json, '}');
    if (!st && job->set.json)
        emit_say(&l.json, &job->out);
    else if (!st && !l.shown)
        say(&job->out, "no run in %s yet: train, tune and eval are written down there\n",
            job->set.models);
    else if (!st)
        table_print(&l.table, &job->out);
    str_done(&l.json.text);
    table_done(&l.table);
    return st;
}
