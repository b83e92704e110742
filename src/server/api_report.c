/* GET /v1/models/{version}/report: how the models of a version compare, as palate report tells it:
 * a few sentences, how it was measured, and figures ready to be drawn. They come from the
 * comparison that palate train left in the manifest. A version that was not measured has none; what
 * a ranker goes by it tells all the same. */
#include "server/api_inside.h"

#include "base/mem.h"
#include "registry/registry.h"
#include "report/report.h"

#include <limits.h>
#include <stdio.h>

static void take_figure(void *ctx, const struct figure *f)
{
    figure_emit(ctx, NULL, f);
}

struct figures api_figures_into(struct emit *e, struct arena *tmp)
{
    return (struct figures){.take = take_figure, .ctx = e, .arena = tmp};
}

/* A report_fact_fn; ctx is the emit. */
static void take_fact(void *ctx, const char *name, const char *text)
{
    emit_open(ctx, NULL, '{');
    emit_string(ctx, "name", name);
    emit_string(ctx, "text", text);
    emit_close(ctx, '}');
}

static void emit_text(struct emit *e, const char *key, const struct results *r)
{
    struct str text = {0};
    report_summary(&text, r, false);
    e->text.failed |= text.failed;
    emit_string(e, key, str_text(&text));
    str_done(&text);
}

/* What rankers of a version that was not measured go by. */
static void put_rankers(struct figures *to, const json_t *manifest)
{
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(manifest, "models"), i, model)
    {
        const char *name = json_string_value(json_object_get(model, "name"));
        report_ranker(to, figure_text(to, "ranker-%zu", i + 1), name ? name : "it",
                      json_object_get(model, "ranker"));
    }
}

static enum pal_status emit_report(struct emit *e, uint32_t version, const json_t *manifest,
                                   const char *path, struct arena *tmp, struct pal_error *err)
{
    struct figures to = api_figures_into(e, tmp);
    struct results results = {0};
    json_t *comparison = json_object_get(manifest, "comparison");
    if (comparison) {
        enum pal_status st = results_take(comparison, path, &results, err);
        if (st)
            return st;
    }
    emit_open(e, NULL, '{');
    emit_uint(e, "version", version);
    emit_boolean(e, "measured", comparison != NULL);
    if (comparison)
        emit_text(e, "summary", &results);
    else
        emit_raw(e, "summary", "null");
    emit_open(e, "facts", '[');
    if (comparison)
        report_protocol(&results, take_fact, e);
    emit_close(e, ']');
    emit_open(e, "figures", '[');
    if (comparison)
        report_models(&to, &results);
    else
        put_rankers(&to, manifest);
    emit_close(e, ']');
    emit_close(e, '}');
    results_done(&results);
    return to.failed ? pal_no_memory(err) : PAL_OK;
}

static enum pal_status find_manifest(const char *root, uint32_t version, char path[PATH_MAX + 32],
                                     json_t **out, struct pal_error *err)
{
    struct registry_version *versions = NULL;
    json_error_t where;
    size_t count = 0, i = 0;
    enum pal_status st = registry_list(root, &versions, &count, err);
    if (st)
        return st;
    while (i < count && versions[i].number != version)
        i++;
    if (i < count)
        snprintf(path, PATH_MAX + 32, "%s/manifest.json", versions[i].path);
    mem_free(versions);
    if (i == count)
        return pal_fail(err, PAL_ENOTFOUND, "there is no version %u: GET /v1/models lists them",
                        version);
    *out = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    return *out ? PAL_OK
                : pal_fail(err, PAL_ECORRUPT, "%s: line %d: %s", path, where.line, where.text);
}

static void report(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct emit e = {.compact = true};
    struct api_query q = {.r = r, .err = &err};
    char path[PATH_MAX + 32];
    uint32_t version = 0;
    json_t *manifest = NULL;
    enum pal_status st = query_end(&q);
    if (!st)
        st = api_version(r, &version, &err);
    if (!st)
        st = find_manifest(a->options.models, version, path, &manifest, &err);
    if (!st)
        st = emit_report(&e, version, manifest, path, http_arena(r), &err);
    json_decref(manifest);
    if (!st) {
        api_say(r, 200, &e);
        return;
    }
    str_done(&e.text);
    http_error(r, st, &err);
}

/* Reads files. */
void api_report(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    work_add(a->work, report, a, r);
}
