/* palate train: models trained, measured if asked for, and published. */
#include "cli/gate.h"
#include "cli/progress_json.h"
#include "cli/publish.h"
#include "cli/source.h"
#include "cli/tracking.h"

#include <math.h>
#include <string.h>

/* Enough for intervals that are looked at now and then; serving wants the cores. */
enum { RESAMPLINGS = 200 };

/* One training: what is known of it when it ends, however it does. */
struct session {
    const struct dataset *d;
    struct plan plan;
    struct trials trials; /* of the plan, on held-out data */
    bool judged;          /* trials are there */
    struct gate gate;
    bool gated; /* gate is filled */
    struct published published;
    size_t removed; /* versions */
    struct tracking tracking;
};

static void say_json(struct console *c, const struct session *s)
{
    const struct published *p = &s->published;
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_uint(&e, "version", p->version.number);
    emit_string(&e, "path", p->version.path);
    emit_string(&e, "data", s->d->name);
    emit_uint(&e, "interactions", interactions_count(&s->d->all));
    emit_string(&e, "split", s->judged ? s->trials.split.spec : NULL);
    emit_uint(&e, "peak_rss_bytes", p->peak_bytes);
    if (s->gated)
        gate_emit(&e, &s->gate);
    emit_open(&e, "models", '[');
    for (size_t i = 0; i < s->plan.count; i++) {
        const struct variant *v = &s->plan.variants[i];
        struct str options_json = {0};
        model_options_json(v->ops, v->options, &options_json);
        emit_open(&e, NULL, '{');
        emit_string(&e, "model", v->ops->name);
        emit_raw(&e, "options", str_text(&options_json));
        emit_number(&e, "train_seconds", p->train_s[i]);
        emit_uint(&e, "bytes", p->bytes[i]);
        if (s->judged)
            trial_emit_metrics(&e, &s->trials.trials[i]);
        emit_close(&e, '}');
        e.text.failed |= options_json.failed;
        str_done(&options_json);
    }
    emit_close(&e, ']');
    emit_close(&e, '}');
    emit_say(&e, c);
}

static uint64_t peak_of(const struct session *s)
{
    uint64_t most = s->published.peak_bytes;
    for (size_t i = 0; s->judged && i < s->trials.count; i++)
        if (s->trials.trials[i].peak_bytes > most)
            most = s->trials.trials[i].peak_bytes;
    return most;
}

/* The last line for a program that watches. */
static void tell_outcome(struct job *job, const struct session *s, enum pal_status st,
                         const struct pal_error *err)
{
    struct emit e = {.compact = true};
    const struct gate *g = &s->gate;
    emit_open(&e, NULL, '{');
    emit_string(&e, "outcome",
                st == PAL_EINTERRUPTED          ? "stopped"
                : st                            ? "failed"
                : s->gated && s->gate.held_back ? "held back"
                                                : "published");
    if (s->d) {
        emit_uint(&e, "events", interactions_count(&s->d->all));
        emit_uint(&e, "items", s->d->items.ids.count);
        emit_uint(&e, "users", s->d->users.ids.count);
    }
    if (!st)
        emit_uint(&e, "version", s->published.version.number);
    if (s->gated) {
        emit_string(&e, "metric", *g->metric ? g->metric : NULL);
        emit_number(&e, "value", g->value);
        emit_uint(&e, "live_version", g->live);
        emit_number(&e, "live_value", g->live_value);
    }
    emit_uint(&e, "peak_bytes", peak_of(s));
    emit_string(&e, "message", st ? err->message : s->gated ? g->message : "");
    emit_close(&e, '}');
    progress_json_line(job, &e);
}

/* By time where there are times: what came last is what has to be foretold. */
static const char *usual_split(const struct dataset *d)
{
    return d->test.start ? "file" : d->all.time_s ? "time:90/10" : "random:90/10";
}

/* Measures the plan's models and lets the gate judge. With a gate, too little data to measure on
 * is no failure. */
static enum pal_status judge(struct job *job, struct session *s, uint64_t memory,
                             struct pal_error *err)
{
    bool gate = job_given(job, "gate");
    const char *split = job->set.split ? job->set.split : usual_split(s->d);
    struct pal_error why = {0};
    if (!gate && !job->set.split)
        return PAL_OK;
    job->set.compare = true;
    enum pal_status st =
        trials_run(job, s->d, &s->plan, split, job->set.metrics, memory, &s->trials, &why);
    s->judged = !st;
    if (st && !(gate && st == PAL_EUNSUPPORTED))
        return pal_fail(err, st, "%s", why.message);
    if (!gate)
        return PAL_OK;
    st = gate_judge(job, s->judged ? &s->trials : NULL, why.message, job->set.models, memory,
                    &s->gate, err);
    s->gated = !st;
    return st;
}

static void say_trials(struct job *job, const struct session *s, struct pal_error *err)
{
    struct console *c = &job->out;
    say(c, "How good they are, trained on a part of %s:\n\n", s->d->name);
    trials_say(c, &s->trials);
    say(c, "\nTrained on all of it:\n\n");
    enum pal_status shown = job_flush(job, err);
    (void)shown; /* what is trained is published whether or not somebody watches */
}

static enum pal_status train(struct job *job, struct session *s, uint64_t memory,
                             struct pal_error *err)
{
    struct console *c = &job->out;
    bool text = !job->set.json && !job->set.progress_json;
    const struct gate *gate = NULL;
    enum pal_status st = plan_make(job, job->set.model, s->d, memory, &s->plan, err);
    if (!st)
        st = judge(job, s, memory, err);
    if (!st && s->judged && text)
        say_trials(job, s, err);
    if (s->gated)
        gate = &s->gate;
    if (!st)
        st = publish(job, s->d, &s->plan, s->judged ? &s->trials : NULL, gate, job->set.models,
                     memory, &s->published, err);
    if (!st)
        st = publish_prune(job->set.models, job->set.keep, &s->removed, err);
    if (!st && text) {
        publish_say(c, &s->plan, &s->published, gate, job->set.models);
        if (s->removed)
            say(c, "  %zu old version%s deleted\n", s->removed, s->removed == 1 ? "" : "s");
    } else if (!st && job->set.json) {
        say_json(c, s);
    }
    return st;
}

static void record(struct session *s)
{
    struct track_run *run = s->tracking.run;
    tracking_version(&s->tracking, &s->plan, &s->published, s->judged ? &s->trials : NULL);
    track_metric(run, "peak_rss_bytes", (double)peak_of(s), 0);
    if (s->gated)
        track_tag(run, "palate.gate", s->gate.message);
    track_tag(run, "palate.outcome", s->gated && s->gate.held_back ? "held back" : "published");
}

enum pal_status train_run(struct job *job, struct pal_error *err)
{
    struct session s = {0};
    struct dataset *d = NULL;
    uint64_t memory = 0;
    enum pal_status st = source_memory(job, &memory, err);
    if (!st)
        st = source_choose(job, err);
    if (!st)
        st = trials_check(job, err);
    if (!st)
        st = tracking_open(job, &s.tracking, err);
    if (!st)
        st = job_threads(job, err);
    if (!st && job->set.progress_json) {
        progress_json_begin(job);
        if (job->set.bootstrap > RESAMPLINGS)
            job->set.bootstrap = RESAMPLINGS;
        job->set.json = false; /* the environment may ask for it */
    }
    if (!st)
        st = source_load(job, NULL, &d, err);
    s.d = d;
    if (!st)
        tracking_begin(&s.tracking, job, d);
    if (!st)
        st = train(job, &s, memory, err);
    if (!st)
        record(&s);
    if (job->set.progress_json)
        tell_outcome(job, &s, st, err);
    tracking_close(&s.tracking, job, st, err);
    trials_done(&s.trials);
    dataset_free(d);
    return st;
}
