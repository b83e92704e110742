/* See tracking.h. */
#include "cli/tracking.h"
#include "base/clock.h"

#include "base/file.h"
#include "base/mem.h"
#include "registry/registry.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MOST = 4000 }; /* that models may tell of all together */

enum pal_status tracking_open(const struct job *job, struct tracking *out, struct pal_error *err)
{
    const char *url = job->set.track;
    char root[PATH_MAX];
    struct track_options o = {.root = root, .url = url && *url ? url : NULL};
    *out = (struct tracking){.began_ms = clock_wall_ms()};
    if (url && strcmp(url, "none") == 0)
        return PAL_OK;
    enum pal_status st = registry_local(job->set.models, root, sizeof root, err);
    return st ? st : track_open(&o, &out->track, err);
}

static void param_uint(struct track_run *r, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    track_param(r, name, text);
}

/* A run_metric_fn; ctx is the tracking. A variant that is trained again replaces what it told. */
static void on_metric(void *ctx, const char *name, uint64_t step, double value)
{
    struct tracking *t = ctx;
    size_t i = 0;
    progress_figure(t->progress, name, step, value);
    while (i < t->count && (t->steps[i].step != step || strcmp(t->steps[i].name, name) != 0 ||
                            strcmp(t->steps[i].label, t->progress->label) != 0))
        i++;
    if (i == t->count && (i == STEPS_MOST || mem_grow(&t->steps, &t->cap, i + 1, sizeof *t->steps)))
        return;
    t->count += i == t->count;
    t->steps[i] = (struct tracking_step){.step = step, .value = value};
    snprintf(t->steps[i].label, sizeof t->steps[i].label, "%s", t->progress->label);
    snprintf(t->steps[i].name, sizeof t->steps[i].name, "%s", name);
}

/* What the variant told. */
static void add_steps(const struct tracking *t, struct track_run *r, const struct variant *v)
{
    size_t most = sizeof t->steps->label - 1;
    for (size_t i = 0; r && i < t->count; i++)
        if (strncmp(t->steps[i].label, v->label, most) == 0)
            track_metric(r, t->steps[i].name, t->steps[i].value, (int64_t)t->steps[i].step);
}

void tracking_begin(struct tracking *t, struct job *job, const struct dataset *d)
{
    char name[200], print[32];
    snprintf(name, sizeof name, "%s %.150s", job->command->name, d->name);
    snprintf(print, sizeof print, "%016llx", (unsigned long long)dataset_fingerprint(d));
    t->run = track_begin(t->track, NULL, job->command->name, name);
    track_began(t->run, t->began_ms);
    t->progress = &job->progress;
    if (t->run) {
        job->run.metric = on_metric;
        job->run.metric_ctx = t;
    }
    track_param(t->run, "data", d->name);
    track_param(t->run, "fingerprint", print);
    param_uint(t->run, "users", d->users.ids.count);
    param_uint(t->run, "items", d->items.ids.count);
    param_uint(t->run, "interactions", interactions_count(&d->all));
    param_uint(t->run, "seed", (uint64_t)job->set.seed);
}

void tracking_judge(struct tracking *t, const struct trials *judged)
{
    track_param(t->run, "split", judged->split.spec);
    track_param(t->run, "part", judged->options.part == EVAL_VALID ? "valid" : "test");
    track_param(t->run, "weights", judged->weights_text);
    track_tag(t->run, "palate.metric", judged->metrics[0].name);
}

struct track_run *tracking_model(struct tracking *t, const struct variant *v, const char *name,
                                 double seconds)
{
    struct track_run *r = t->run ? track_begin(t->track, t->run, "model", name) : NULL;
    struct str value = {0};
    track_began(r, clock_wall_ms() - (int64_t)(seconds * 1000));
    track_param(r, "model", v->ops->name);
    for (size_t i = 0; r && i < v->ops->options.count; i++) {
        str_clear(&value);
        opt_show(&v->ops->options.rows[i], v->options, &value);
        track_param(r, v->ops->options.rows[i].name, str_text(&value));
    }
    add_steps(t, r, v);
    str_done(&value);
    return r;
}

void tracking_metrics(struct track_run *r, const struct metric *metrics, size_t count,
                      const double *value, int64_t step)
{
    for (size_t m = 0; m < count; m++)
        track_metric(r, metrics[m].name, value[m], step);
}

void tracking_trials(struct tracking *t, const struct trials *trials)
{
    for (size_t i = 0; i < trials->count; i++) {
        const struct trial *trial = &trials->trials[i];
        struct track_run *r = tracking_model(t, trial->variant, trial->variant->label,
                                             trial->train_s + trial->eval_s);
        tracking_metrics(r, trials->metrics, trials->metric_count, trial->result.value, 0);
        track_metric(r, "train_seconds", trial->train_s, 0);
        track_metric(r, "eval_seconds", trial->eval_s, 0);
        track_metric(r, "peak_rss_bytes", (double)trial->peak_bytes, 0);
        track_end(r, TRACK_FINISHED, NULL);
    }
    tracking_best(t, trials);
}

void tracking_best(struct tracking *t, const struct trials *trials)
{
    const struct trial *best = &trials->trials[trials->best];
    tracking_judge(t, trials);
    track_tag(t->run, "palate.best", best->variant->label);
    tracking_metrics(t->run, trials->metrics, trials->metric_count, best->result.value, 0);
}

void tracking_version(struct tracking *t, const struct plan *plan, const struct published *p,
                      const struct trials *judged)
{
    char path[PATH_MAX + 16];
    if (judged)
        tracking_best(t, judged);
    for (size_t i = 0; i < plan->count; i++) {
        const struct variant *v = &plan->variants[i];
        char name[96];
        snprintf(name, sizeof name, "%.60s, version %u", v->ops->name, p->version.number);
        struct track_run *r = tracking_model(t, v, name, p->train_s[i]);
        track_metric(r, "train_seconds", p->train_s[i], 0);
        track_metric(r, "bytes", (double)p->bytes[i], 0);
        if (judged) {
            const struct trial *trial = &judged->trials[i];
            tracking_metrics(r, judged->metrics, judged->metric_count, trial->result.value, 0);
            track_metric(r, "peak_rss_bytes", (double)trial->peak_bytes, 0);
        }
        track_end(r, TRACK_FINISHED, NULL);
    }
    track_metric(t->run, "version", p->version.number, 0);
    snprintf(path, sizeof path, "%s/manifest.json", p->version.path);
    tracking_file(t->run, "model-card.json", path);
}

void tracking_file(struct track_run *r, const char *name, const char *path)
{
    struct file_map text;
    if (!r || file_map(path, &text, NULL))
        return;
    track_artifact(r, name, text.data, text.size);
    file_unmap(&text);
}

void tracking_close(struct tracking *t, struct job *job, enum pal_status st,
                    const struct pal_error *err)
{
    char note[600] = "";
    track_metric(t->run, "seconds", (double)(clock_wall_ms() - t->began_ms) / 1000, 0);
    track_end(t->run,
              st == PAL_EINTERRUPTED ? TRACK_KILLED
              : st                   ? TRACK_FAILED
                                     : TRACK_FINISHED,
              st ? err->message : NULL);
    progress_clear(&job->progress);
    track_close(t->track, note, sizeof note);
    if (*note && (job->set.track || !job->set.quiet))
        fprintf(stderr, "palate: %s\n", note);
    job->run.metric = NULL;
    mem_free(t->steps);
    *t = (struct tracking){0};
}
