/* See publish.h. */
#include "cli/publish.h"

#include "base/file.h"
#include "cli/manifest.h"
#include "cli/source.h"
#include "cli/table.h"
#include "engine/version.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* {"ndcg@10":0.31,…}; NULL when nothing was measured. */
static const char *metrics_json(struct job *job, const struct trials *t, size_t i)
{
    struct str text = {0};
    const char *kept = NULL;
    for (size_t m = 0; t && m < t->metric_count; m++)
        if (!isnan(t->trials[i].result.value[m]))
            str_fmt(&text, "%s\"%s\":%.10g", text.len ? "," : "{", t->metrics[m].name,
                    t->trials[i].result.value[m]);
    if (text.len) {
        str_char(&text, '}');
        kept = str_ok(&text) ? arena_text(&job->arena, text.text, text.len) : NULL;
    }
    str_done(&text);
    return kept;
}

/* Fits all variants; parts get the models, which the caller frees. */
static enum pal_status fit_all(struct job *job, const struct dataset *d, const struct plan *plan,
                               const struct trials *trials, uint64_t memory,
                               struct version_part *parts, struct published *out,
                               struct pal_error *err)
{
    struct weights weights;
    const char *weights_text;
    struct training training;
    const struct model *source[PLAN_MOST];
    enum pal_status st = source_weights(job, d, &weights, &weights_text, err);
    if (!st)
        st = training_make(d, &d->all, &weights, &job->run, &training, err);
    if (st)
        return st;
    training.sources = source;
    for (size_t i = 0; i < plan->count && !st; i++) {
        double began = now_seconds();
        st = plan_fit(job, &plan->variants[i], &training, memory, &parts[i].model, err);
        out->train_s[i] = now_seconds() - began;
        if (!plan_ranks(&plan->variants[i]))
            source[training.source_count++] = parts[i].model;
        parts[i].card = (struct model_card){
            .data = d->name,
            .fingerprint = dataset_fingerprint(d),
            .weights = weights_text,
            .seed = job->run.seed,
            .metrics_json = metrics_json(job, trials, i),
            .interactions = interactions_count(&d->all),
        };
    }
    training_done(&training);
    return st;
}

static void measure_files(const struct plan *plan, struct published *out)
{
    for (size_t i = 0; i < plan->count; i++) {
        char path[PATH_MAX + 64];
        snprintf(path, sizeof path, "%s/%s.safetensors", out->version.path,
                 plan->variants[i].ops->name);
        int64_t size = file_size(path);
        out->bytes[i] = size > 0 ? (uint64_t)size : 0;
    }
}

/* A version has one model of a kind; better said before training than after. */
static enum pal_status check_kinds(const struct plan *plan, struct pal_error *err)
{
    for (size_t i = 0; i < plan->count; i++)
        for (size_t j = 0; j < i; j++)
            if (plan->variants[i].ops == plan->variants[j].ops)
                return pal_fail(err, PAL_EUSAGE,
                                "--model names %s twice: a version holds one of a kind",
                                plan->variants[i].ops->name);
    return PAL_OK;
}

static uint32_t newest_event(const struct dataset *d)
{
    uint32_t newest = 0;
    for (uint64_t i = 0; i < interactions_count(&d->all); i++)
        if (interactions_time(&d->all, i) > newest)
            newest = interactions_time(&d->all, i);
    return newest;
}

static enum pal_status describe(const struct job *job, const struct dataset *d,
                                const struct trials *trials, const struct gate *gate,
                                const char *root, const struct published *p, struct pal_error *err)
{
    struct registry_version live;
    struct manifest_extra extra = {
        .train_s = p->train_s,
        .split = trials ? trials->split.spec : NULL,
        .compared = trials,
        .newest_s = newest_event(d),
        .gate = gate,
    };
    if (!(gate && gate->held_back) && registry_current(root, &live, NULL) == PAL_OK)
        extra.replaces = live.number;
    return manifest_complete(p->version.path, job, &extra, err);
}

enum pal_status publish(struct job *job, const struct dataset *d, const struct plan *plan,
                        const struct trials *trials, const struct gate *gate, const char *root,
                        uint64_t memory, struct published *out, struct pal_error *err)
{
    struct version_part parts[PLAN_MOST] = {0};
    memset(out, 0, sizeof *out);
    enum pal_status st = check_kinds(plan, err);
    if (!st)
        st = registry_begin(root, &out->version, err);
    if (st)
        return st;
    peak_reset();
    st = fit_all(job, d, plan, trials, memory, parts, out, err);
    progress_label(&job->progress, "");
    if (!st)
        st = run_step(&job->run, "writing", 0, 0, err);
    if (!st)
        st = version_write(out->version.path, &d->items, parts, plan->count, err);
    if (!st)
        st = describe(job, d, trials, gate, root, out, err);
    if (!st)
        st = run_step(&job->run, "publishing", 0, 0, err);
    if (!st)
        st = registry_publish(root, &out->version, !(gate && gate->held_back), err);
    if (!st)
        measure_files(plan, out);
    else
        registry_abandon(root, &out->version);
    out->peak_bytes = peak_bytes();
    for (size_t i = 0; i < plan->count; i++)
        model_free(parts[i].model);
    return st;
}

void publish_say(struct console *c, const struct plan *plan, const struct published *p,
                 const struct gate *gate, const char *root)
{
    struct table t = {.indent = 2};
    table_column(&t, "model", LEFT, false);
    table_column(&t, "train", RIGHT, false);
    table_column(&t, "file", RIGHT, false);
    table_column(&t, "options that are not the usual", LEFT, true);
    bool told = false;
    for (size_t i = 0; i < plan->count; i++) {
        table_put(&t, PLAIN, plan->variants[i].ops->name);
        put_seconds(table_open(&t, PLAIN), p->train_s[i]);
        table_close(&t);
        put_bytes(table_open(&t, PLAIN), p->bytes[i]);
        table_close(&t);
        struct str text = {0};
        put_options(&plan->variants[i], &text);
        told |= text.len > 0;
        table_put(&t, PLAIN, str_text(&text));
        str_done(&text);
    }
    if (!told)
        table_clear_head(&t, 3);
    table_print(&t, c);
    table_done(&t);
    bool held_back = gate && gate->held_back;
    say(c, "  version %u in %s is %s", p->version.number, root,
        held_back ? "kept, but not live" : "live");
    struct str peak = {0};
    put_bytes(&peak, p->peak_bytes);
    say(c, "; %s of memory at most\n", str_text(&peak));
    str_done(&peak);
    if (gate)
        say_paragraph(c, 2, gate->message);
}
