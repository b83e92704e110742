/* palate report: what the data look like and how models compare, as one HTML file.
 *
 * Styles, the chart library and the script that draws stand inside the file; its own policy lets
 * nothing else run and nothing be fetched. The comparison is read from what palate eval would have
 * written, be it from a file or from memory, so that both look alike. */
#include "report/report.h"

#include "base/file.h"
#include "cli/source.h"
#include "cli/tracking.h"
#include "server/web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usual_metrics[] =
    "ndcg@10,precision@10,recall@10,map@10,coverage@10,novelty@10,diversity@10";
static const char usual_output[] = "report.html";

/* ---- The page around the figures ---- */

static const struct web_asset *library(void)
{
    return web_asset_find("/assets/chart.js");
}

static const struct web_asset *figures(void)
{
    return web_asset_find("/assets/figures.js");
}

/* Only these styles and scripts, told by their hashes. */
static void put_policy(struct str *out)
{
    const struct web_asset *css = web_asset_find("/assets/report.css"), *chart = library();
    const struct web_asset *script = web_asset_find("/assets/report.js"), *draws = figures();
    str_fmt(out,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri "
            "'none'; form-action 'none'; img-src data:; style-src 'sha256-%s'; script-src "
            "'sha256-%s' 'sha256-%s'",
            css->sha256, script->sha256, draws->sha256);
    if (chart)
        str_fmt(out, " 'sha256-%s'", chart->sha256);
    str_put(out, "\">\n");
}

static void put_asset(struct str *out, const char *element, const struct web_asset *a)
{
    str_fmt(out, "<%s>", element);
    str_add(out, (const char *)a->data, a->len);
    str_fmt(out, "</%s>\n", element);
}

static void put_top(struct str *out, const struct dataset *d)
{
    str_put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    put_policy(out);
    str_put(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta name=\"generator\" content=\"palate " PALATE_VERSION "\">\n<title>");
    html_text(out, d->name);
    str_put(out, ": a report</title>\n<link rel=\"icon\" href=\"data:,\">\n");
    put_asset(out, "style", web_asset_find("/assets/report.css"));
    str_put(out, "</head>\n<body>\n<main>\n<header>\n<h1>");
    html_text(out, d->name);
    str_put(out, "</h1>\n");
}

static void put_bottom(struct str *out)
{
    str_put(out, "</main>\n");
    if (library()) {
        put_asset(out, "script", library());
        put_asset(out, "script", figures());
        put_asset(out, "script", web_asset_find("/assets/report.js"));
    }
    str_put(out, "</body>\n</html>\n");
}

/* ---- What was done, so that it can be done again ---- */

/* A report_fact_fn; ctx is the page. */
static void take_fact(void *ctx, const char *name, const char *text)
{
    struct str *out = ctx;
    if (!*text)
        return;
    str_put(out, "<div><dt>");
    html_text(out, name);
    str_put(out, "</dt><dd>");
    html_text(out, text);
    str_put(out, "</dd></div>\n");
}

/* A word of a command line: in quotes where the shell would read something else. */
static void put_word(struct str *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=.,:/@%";
    if (*word && word[strspn(word, plain)] == 0) {
        str_put(out, word);
        return;
    }
    str_char(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            str_put(out, "'\\''");
        else
            str_char(out, *word);
    str_char(out, '\'');
}

/* The command with every option that had not its default, by whatever way it was set. */
static void put_command(struct str *out, const struct job *job)
{
    struct str value = {0};
    str_put(out, "palate report");
    for (size_t i = 0; i < option_count; i++) {
        if (job->origin[i] == FROM_DEFAULT || options[i].repeat == EACH ||
            !command_takes(job->command, (int)i))
            continue;
        str_clear(&value);
        opt_show(&options[i].row, &job->set, &value);
        bool flag = options[i].row.kind == OPT_BOOL;
        if (flag && strcmp(str_text(&value), "true") != 0)
            continue;
        str_fmt(out, " --%s", options[i].row.name);
        if (flag)
            continue;
        str_char(out, ' ');
        put_word(out, str_text(&value));
    }
    for (size_t i = 0; i < job->set_count; i++) {
        str_put(out, " --set ");
        put_word(out, job->sets[i].text);
    }
    out->failed |= value.failed;
    str_done(&value);
}

/* "2026-01-31 12:00 UTC" */
static const char *now_text(char buf[32])
{
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M UTC", &tm))
        *buf = 0;
    return buf;
}

static void put_models_options(struct str *out, const struct results *r)
{
    struct str text = {0};
    str_put(out, "<details open class=\"options\"><summary>The models' options</summary>\n"
                 "<dl class=\"facts\">\n");
    for (size_t i = 0; i < r->models; i++) {
        const char *name;
        json_t *value;
        str_clear(&text);
        json_object_foreach(json_object_get(r->model[i], "options"), name, value)
        {
            char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            str_fmt(&text, "%s%s=%s", text.len ? " " : "", name, shown ? shown : "");
            free(shown);
        }
        take_fact(out, r->label[i], text.len ? str_text(&text) : "none");
    }
    str_put(out, "</dl>\n</details>\n");
    out->failed |= text.failed;
    str_done(&text);
}

static void put_facts(struct str *out, const struct job *job, const struct dataset *d,
                      const char *weights, const struct results *r)
{
    char text[200];
    struct str command = {0};
    str_put(out, "<dl class=\"facts\">\n");
    snprintf(text, sizeof text, "%.128s, read as %s, fingerprint %016llx", d->name, d->format,
             (unsigned long long)dataset_fingerprint(d));
    take_fact(out, "Data", text);
    take_fact(out, "Weights", weights);
    if (r)
        report_protocol(r, take_fact, out);
    snprintf(text, sizeof text, "palate %s, %s", PALATE_VERSION, now_text((char[32]){0}));
    take_fact(out, "Made by", text);
    put_command(&command, job);
    str_put(out, "<div><dt>Again by</dt><dd><code>");
    html_text(out, str_text(&command));
    str_put(out, "</code></dd></div>\n</dl>\n");
    out->failed |= command.failed;
    str_done(&command);
}

/* ---- The command ---- */

static void put_tile(struct str *out, const char *name, struct str *value)
{
    str_put(out, "<div><dt>");
    html_text(out, name);
    str_put(out, "</dt><dd>");
    html_text(out, str_text(value));
    str_put(out, "</dd></div>\n");
    out->failed |= value->failed;
    str_clear(value);
}

static void put_day(struct str *out, int64_t time_s)
{
    struct str time = {0};
    put_date(&time, time_s);
    str_add(out, str_text(&time), strcspn(str_text(&time), " "));
    str_done(&time);
}

static void put_tiles(struct str *out, const struct stats *s)
{
    const uint64_t count[] = {s->users, s->items_known, s->interactions};
    static const char *const names[] = {"Users", "Items", "Events"};
    struct str value = {0};
    str_put(out, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < 3; i++) {
        put_count(&value, count[i]);
        put_tile(out, names[i], &value);
    }
    put_percent(&value, s->density);
    put_tile(out, "Filled, of all pairs", &value);
    if (s->last_s) {
        put_day(&value, s->first_s);
        str_put(&value, " to ");
        put_day(&value, s->last_s);
        put_tile(out, "Time, UTC", &value);
    }
    str_put(out, "</dl>\n");
    str_done(&value);
}

static void take_figure(void *ctx, const struct figure *f)
{
    html_figure(ctx, f);
}

/* The whole body: who is best, what was done, the models, the data. */
static void put_body(struct str *out, struct job *job, const struct dataset *d,
                     const struct results *r, const struct stats *stats, const struct shape *shape,
                     const char *weights)
{
    struct figures to = {.take = take_figure, .ctx = out, .arena = &job->arena};
    if (r) {
        str_put(out, "<p class=\"summary\">");
        report_summary(out, r, true);
        str_put(out, "</p>\n");
    }
    put_facts(out, job, d, weights, r);
    if (r)
        put_models_options(out, r);
    str_put(out, "</header>\n");
    if (r) {
        str_put(out, "<section id=\"models\" aria-labelledby=\"models-head\">\n"
                     "<h2 id=\"models-head\">The models</h2>\n<div class=\"panels\">\n");
        report_models(&to, r);
        str_put(out, "</div>\n</section>\n");
    }
    str_put(out, "<section id=\"data\" aria-labelledby=\"data-head\">\n"
                 "<h2 id=\"data-head\">The data</h2>\n");
    put_tiles(out, stats);
    str_put(out, "<div class=\"panels\">\n");
    report_data(
        &to, d, stats, shape,
        figure_text(&to, "events that weigh at least %g by %s", job->set.relevant, weights));
    str_put(out, "</div>\n</section>\n");
    out->failed |= to.failed;
}

static enum pal_status page_make(struct job *job, const struct dataset *d, const struct results *r,
                                 struct str *out, struct pal_error *err)
{
    struct stats stats;
    struct shape *shape = arena_alloc(&job->arena, 1, sizeof *shape);
    struct weights weights;
    const char *text = NULL;
    enum pal_status st = shape ? source_weights(job, d, &weights, &text, err) : pal_no_memory(err);
    if (!st)
        st = shape_make(d, &weights, job->set.relevant, shape, err);
    if (!st)
        st = stats_make(d, &job->run, &stats, err);
    if (st)
        return st;
    put_top(out, d);
    put_body(out, job, d, r, &stats, shape, text);
    put_bottom(out);
    stats_done(&stats);
    return str_ok(out) ? PAL_OK : pal_no_memory(err);
}

/* What was saved is of these very data, or it is no comparison on them. */
static enum pal_status results_open(const char *path, const struct dataset *d, struct results *out,
                                    struct pal_error *err)
{
    struct file_map text;
    char print[20];
    enum pal_status st = file_map(path, &text, err);
    if (st)
        return st;
    st = results_parse(text.data, text.size, path, out, err);
    file_unmap(&text);
    if (st)
        return st;
    snprintf(print, sizeof print, "%016llx", (unsigned long long)dataset_fingerprint(d));
    if (strcmp(results_text(out, "fingerprint"), print) == 0)
        return PAL_OK;
    st = pal_fail(err, PAL_EUSAGE, "%s is of other data (%s) than %s: give --data those", path,
                  results_text(out, "data"), d->name);
    results_done(out);
    return st;
}

static enum pal_status compare(struct job *job, const struct dataset *d, uint64_t memory,
                               struct tracking *tracking, struct results *out,
                               struct pal_error *err)
{
    struct plan plan;
    struct trials t = {0};
    struct emit e = {.compact = true};
    enum pal_status st = plan_make(job, job->set.model, d, memory, &plan, err);
    if (!st)
        st = trials_run(job, d, &plan, job->set.split,
                        job->set.metrics ? job->set.metrics : usual_metrics, memory, &t, err);
    if (st)
        return st;
    tracking_trials(tracking, &t);
    trials_emit(&e, &t);
    st = str_ok(&e.text) ? results_parse(str_text(&e.text), e.text.len, "results", out, err)
                         : pal_no_memory(err);
    str_done(&e.text);
    trials_done(&t);
    return st;
}

static bool wants_models(const struct job *job)
{
    return !job->set.model || strcmp(job->set.model, "none") != 0;
}

static enum pal_status check(struct job *job, struct pal_error *err)
{
    if (job->set.results && job->set.model)
        return pal_fail(err, PAL_EUSAGE,
                        "--results brings its models along: leave --model out, or --results");
    return wants_models(job) && !job->set.results ? trials_check(job, err) : PAL_OK;
}

static enum pal_status make(struct job *job, const struct dataset *d, uint64_t memory,
                            struct tracking *tracking, struct pal_error *err)
{
    struct results results = {0};
    struct str page = {0};
    const char *path = job->set.output ? job->set.output : usual_output;
    bool models = job->set.results || wants_models(job);
    enum pal_status st = PAL_OK;
    if (job->set.results)
        st = results_open(job->set.results, d, &results, err);
    else if (models)
        st = compare(job, d, memory, tracking, &results, err);
    if (!st)
        st = page_make(job, d, models ? &results : NULL, &page, err);
    if (!st)
        st = file_put(path, str_text(&page), page.len, err);
    if (!st) {
        track_artifact(tracking->run, "report.html", str_text(&page), page.len);
        say(&job->out, "%s: ", path);
        put_bytes(&job->out.pending, page.len);
        say_text(&job->out, ", one file that needs nothing else\n");
    }
    str_done(&page);
    results_done(&results);
    return st;
}

enum pal_status report_run(struct job *job, struct pal_error *err)
{
    struct dataset *d = NULL;
    struct tracking tracking = {0};
    uint64_t memory = 0;
    job->set.compare = true;
    enum pal_status st = source_memory(job, &memory, err);
    if (!st)
        st = check(job, err);
    if (!st && wants_models(job) && !job->set.results)
        st = tracking_open(job, &tracking, err);
    if (!st)
        st = job_threads(job, err);
    if (!st)
        st = source_load(job, NULL, &d, err);
    if (!st)
        tracking_begin(&tracking, job, d);
    if (!st)
        st = make(job, d, memory, &tracking, err);
    tracking_close(&tracking, job, st, err);
    dataset_free(d);
    return st;
}
