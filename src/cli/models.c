/* palate models: the published versions. */
#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/manifest.h"
#include "cli/runs.h"
#include "cli/table.h"
#include "rank/features.h"
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

/* The live version's number; 0 if there is none. */
static uint32_t live_number(const char *root)
{
    struct registry_version v;
    return registry_current(root, &v, NULL) == PAL_OK ? v.number : 0;
}

/* "als ndcg@10 0.3127": the first model's first metric. */
static void put_metric(struct str *out, const json_t *manifest)
{
    const json_t *first = json_array_get(json_object_get(manifest, "models"), 0);
    json_t *metrics = json_object_get(first, "metrics");
    const char *name;
    json_t *value;
    json_object_foreach(metrics, name, value)
    {
        str_fmt(out, "%s %s %.4f", manifest_text(first, "name"), name, json_number_value(value));
        return;
    }
}

static void put_models(struct str *out, const json_t *manifest)
{
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(manifest, "models"), i, m)
        str_fmt(out, "%s%s", i ? ", " : "", manifest_text(m, "name"));
}

static void put_version(struct table *t, const struct registry_version *v, const json_t *manifest,
                        bool live)
{
    enum style style = live ? GOOD : PLAIN;
    str_fmt(table_open(t, style), "%s%u", live ? "* " : "", v->number);
    table_close(t);
    if (!manifest) {
        table_put(t, BAD, "damaged");
        for (size_t i = 0; i < 4; i++)
            table_put(t, PLAIN, "");
        return;
    }
    put_date(table_open(t, PLAIN), manifest_int(manifest, "created_s"));
    table_close(t);
    table_put(t, PLAIN, manifest_text(manifest, "data"));
    put_count(table_open(t, PLAIN), (uint64_t)manifest_int(manifest, "interactions"));
    table_close(t);
    put_models(table_open(t, PLAIN), manifest);
    table_close(t);
    struct str *measured = table_open(t, PLAIN);
    size_t empty = measured->len;
    put_metric(measured, manifest);
    if (manifest_held_back(manifest))
        str_put(measured, measured->len > empty ? ", held back" : "held back");
    table_close(t);
}

static void list_text(struct job *job, const struct registry_version *versions, size_t count,
                      uint32_t live)
{
    struct table t = {0};
    struct console *c = &job->out;
    if (!count) {
        say(c, "no version in %s yet: palate train makes one\n", job->set.models);
        return;
    }
    table_column(&t, "version", RIGHT, false);
    table_column(&t, "made (UTC)", LEFT, false);
    table_column(&t, "data", LEFT, true);
    table_column(&t, "interactions", RIGHT, false);
    table_column(&t, "models", LEFT, true);
    table_column(&t, "measured", LEFT, false);
    for (size_t i = 0; i < count; i++) {
        json_t *manifest = NULL;
        if (manifest_read(versions[i].path, &manifest, NULL))
            manifest = NULL;
        put_version(&t, &versions[i], manifest, versions[i].number == live);
        json_decref(manifest);
    }
    table_print(&t, c);
    table_done(&t);
    if (live)
        say_text(c, "* live\n");
}

/* The manifest as it is, as the member of an object, and whether it tells of being held back. */
static enum pal_status emit_manifest(struct emit *e, const char *dir, struct pal_error *err)
{
    json_t *manifest = NULL;
    enum pal_status st = manifest_read(dir, &manifest, err);
    if (st == PAL_ECORRUPT) {
        emit_boolean(e, "held_back", false);
        emit_string(e, "manifest", NULL);
        return PAL_OK;
    }
    if (st)
        return st;
    emit_boolean(e, "held_back", manifest_held_back(manifest));
    char *text = json_dumps(manifest, JSON_COMPACT | JSON_REAL_PRECISION(10));
    json_decref(manifest);
    if (!text)
        return pal_no_memory(err);
    emit_raw(e, "manifest", text);
    free(text);
    return PAL_OK;
}

static enum pal_status list_json(struct job *job, const struct registry_version *versions,
                                 size_t count, uint32_t live, struct pal_error *err)
{
    struct emit e = {0};
    enum pal_status st = PAL_OK;
    emit_open(&e, NULL, '{');
    emit_string(&e, "models", job->set.models);
    if (live)
        emit_uint(&e, "live", live);
    else
        emit_string(&e, "live", NULL);
    emit_open(&e, "versions", '[');
    for (size_t i = 0; i < count && !st; i++) {
        emit_open(&e, NULL, '{');
        emit_uint(&e, "version", versions[i].number);
        emit_string(&e, "path", versions[i].path);
        emit_boolean(&e, "live", versions[i].number == live);
        st = emit_manifest(&e, versions[i].path, err);
        emit_close(&e, '}');
    }
    emit_close(&e, ']');
    emit_close(&e, '}');
    if (!st)
        emit_say(&e, &job->out);
    str_done(&e.text);
    return st;
}

enum { FEATURES_SHOWN = 10 };

/* What one that learns nothing goes by. */
static void say_judge(struct console *c, const char *judge, const json_t *sources)
{
    const json_t *name;
    size_t i;
    say_text(c, "  orders what");
    json_array_foreach(sources, i, name) say(c, "%s %s", i ? "," : "", json_string_value(name));
    say(c, " put forward, by the stars that %s expects besides\n", judge);
}

/* What a ranker learned, and from which features most. */
static void say_ranker(struct console *c, const json_t *ranker)
{
    const char *judge = manifest_text(ranker, "judge");
    json_t *gain = json_object_get(ranker, "ndcg@10"), *share;
    struct table t = {.indent = 2};
    const char *name;
    size_t shown = 0;
    if (*judge)
        say_judge(c, judge, json_object_get(ranker, "sources"));
    if (!ranker || *judge)
        return;
    say(c, "  %d trees lifted NDCG@10 of lists held out from %.4f to %.4f; what they go by:\n",
        (int)manifest_int(ranker, "trees"), json_number_value(json_object_get(gain, "base")),
        json_number_value(json_object_get(gain, "best")));
    table_column(&t, NULL, RIGHT, false);
    table_column(&t, NULL, LEFT, false);
    table_column(&t, NULL, LEFT, true);
    json_object_foreach(json_object_get(ranker, "importance"), name, share)
    {
        if (shown++ == FEATURES_SHOWN)
            break;
        table_cell(&t, "%.1f %%", 100 * json_number_value(share));
        table_put(&t, PLAIN, name);
        table_put(&t, DIM, features_help(name));
    }
    table_print(&t, c);
    table_done(&t);
}

/* One model of a version: its options and metrics, one a line. */
static void say_model(struct console *c, const json_t *model)
{
    static const char *const groups[] = {"options", "metrics"};
    struct table t = {.indent = 2};
    const char *name;
    json_t *value;
    say_heading(c, manifest_text(model, "name"));
    table_column(&t, NULL, LEFT, false);
    table_column(&t, NULL, RIGHT, false);
    for (size_t g = 0; g < 2; g++)
        json_object_foreach(json_object_get(model, groups[g]), name, value)
        {
            table_put(&t, PLAIN, name);
            if (json_is_string(value))
                table_put(&t, PLAIN, json_string_value(value));
            else if (json_is_boolean(value))
                table_put(&t, PLAIN, json_is_true(value) ? "true" : "false");
            else
                table_cell(&t, "%.6g", json_number_value(value));
        }
    table_put(&t, PLAIN, "train");
    put_seconds(table_open(&t, PLAIN), json_number_value(json_object_get(model, "train_seconds")));
    table_close(&t);
    table_print(&t, c);
    table_done(&t);
    say_ranker(c, json_object_get(model, "ranker"));
}

static void put_line(struct table *t, const char *name, const char *value)
{
    if (!*value)
        return;
    table_put(t, PLAIN, name);
    table_put(t, PLAIN, value);
}

static void show_text(struct job *job, const struct registry_version *v, const json_t *manifest)
{
    const json_t *source = json_object_get(manifest, "source"), *model;
    struct table t = {.indent = 2};
    struct console *c = &job->out;
    size_t i;
    say(c, "version %u%s%s\n", v->number, live_number(job->set.models) == v->number ? ", live" : "",
        manifest_held_back(manifest) ? ", held back by the gate when it was made" : "");
    table_column(&t, NULL, LEFT, false);
    table_column(&t, NULL, LEFT, true);
    put_line(&t, "folder", v->path);
    table_put(&t, PLAIN, "made");
    put_date(table_open(&t, PLAIN), manifest_int(manifest, "created_s"));
    str_fmt(&t.text, " UTC by palate %s", manifest_text(manifest, "palate"));
    table_close(&t);
    put_line(&t, "data", manifest_text(manifest, "data"));
    put_line(&t, "from", manifest_text(source, "path"));
    put_line(&t, "fingerprint", manifest_text(manifest, "fingerprint"));
    table_put(&t, PLAIN, "interactions");
    put_count(table_open(&t, PLAIN), (uint64_t)manifest_int(manifest, "interactions"));
    table_close(&t);
    put_line(&t, "weights", manifest_text(manifest, "weights"));
    put_line(&t, "measured by", manifest_text(source, "split"));
    put_line(&t, "gate", manifest_text(json_object_get(manifest, "gate"), "message"));
    table_print(&t, c);
    table_done(&t);
    json_array_foreach(json_object_get(manifest, "models"), i, model) say_model(c, model);
}

static enum pal_status show(struct job *job, uint32_t number, struct pal_error *err)
{
    struct registry_version v;
    json_t *manifest = NULL;
    struct emit e = {0};
    enum pal_status st = registry_find(job->set.models, number, &v, err);
    if (!st)
        st = manifest_read(v.path, &manifest, err);
    if (!st && job->set.json) {
        emit_open(&e, NULL, '{');
        emit_uint(&e, "version", v.number);
        emit_string(&e, "path", v.path);
        emit_boolean(&e, "live", live_number(job->set.models) == v.number);
        st = emit_manifest(&e, v.path, err);
        emit_close(&e, '}');
        if (!st)
            emit_say(&e, &job->out);
        str_done(&e.text);
    } else if (!st) {
        show_text(job, &v, manifest);
    }
    json_decref(manifest);
    return st;
}

static enum pal_status list(struct job *job, struct pal_error *err)
{
    struct registry_version *versions = NULL;
    size_t count = 0;
    enum pal_status st = registry_list(job->set.models, &versions, &count, err);
    if (st)
        return st;
    uint32_t live = live_number(job->set.models);
    if (job->set.json)
        st = list_json(job, versions, count, live, err);
    else
        list_text(job, versions, count, live);
    mem_free(versions);
    return st;
}

enum pal_status models_run(struct job *job, struct pal_error *err)
{
    uint64_t number = 0;
    if (job->set.activate) {
        enum pal_status st = registry_activate(job->set.models, (uint32_t)job->set.activate, err);
        return st ? st : list(job, err);
    }
    if (!job->operand_count)
        return list(job, err);
    if (job->operand_count == 1 && strcmp(job->operands[0], "runs") == 0)
        return runs_list(job, err);
    const char *text = job->operand_count > 1 ? job->operands[1] : "";
    if (strcmp(job->operands[0], "show") != 0)
        return pal_fail(err, PAL_EUSAGE,
                        "palate models does not know '%s': palate models show N, or runs",
                        job->operands[0]);
    if (!text_u64(text, text + strlen(text), &number) || number > UINT32_MAX)
        return pal_fail(err, PAL_EUSAGE, "which version? palate models show N");
    return show(job, (uint32_t)number, err);
}
