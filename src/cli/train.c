/* palate train: models trained, measured if asked for, and published. */
#include "cli/publish.h"
#include "cli/source.h"

static void say_json(struct console *c, const struct dataset *d, const struct plan *plan,
                     const struct trials *trials, const struct published *p)
{
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_uint(&e, "version", p->version.number);
    emit_string(&e, "path", p->version.path);
    emit_string(&e, "data", d->name);
    emit_uint(&e, "interactions", interactions_count(&d->all));
    emit_string(&e, "split", trials ? trials->split.spec : NULL);
    emit_uint(&e, "peak_rss_bytes", p->peak_bytes);
    emit_open(&e, "models", '[');
    for (size_t i = 0; i < plan->count; i++) {
        const struct variant *v = &plan->variants[i];
        struct str options_json = {0};
        model_options_json(v->ops, v->options, &options_json);
        emit_open(&e, NULL, '{');
        emit_string(&e, "model", v->ops->name);
        emit_raw(&e, "options", str_text(&options_json));
        emit_number(&e, "train_seconds", p->train_s[i]);
        emit_uint(&e, "bytes", p->bytes[i]);
        if (trials)
            trial_emit_metrics(&e, &trials->trials[i]);
        emit_close(&e, '}');
        e.text.failed |= options_json.failed;
        str_done(&options_json);
    }
    emit_close(&e, ']');
    emit_close(&e, '}');
    emit_say(&e, c);
}

static enum pal_status train(struct job *job, const struct dataset *d, uint64_t memory,
                             struct pal_error *err)
{
    struct plan plan;
    struct published p;
    struct trials trials = {0};
    struct console *c = &job->out;
    bool judged = job->set.split != NULL, json = job->set.json;
    enum pal_status st = plan_make(job, job->set.model, d, memory, &plan, err);
    if (!st && judged)
        st = trials_run(job, d, &plan, job->set.split, job->set.metrics, memory, &trials, err);
    if (!st && judged && !json) {
        say(c, "How good they are, trained on a part of %s:\n\n", d->name);
        trials_say(c, &trials);
        say(c, "\nTrained on all of it:\n\n");
        enum pal_status shown = job_flush(job, err);
        (void)shown; /* what is trained is published whether or not somebody watches */
    }
    if (!st)
        st = publish(job, d, &plan, judged ? &trials : NULL, job->set.models, memory, &p, err);
    if (!st && json)
        say_json(c, d, &plan, judged ? &trials : NULL, &p);
    else if (!st)
        publish_say(c, &plan, &p, job->set.models);
    trials_done(&trials);
    return st;
}

enum pal_status train_run(struct job *job, struct pal_error *err)
{
    struct dataset *d = NULL;
    uint64_t memory = 0;
    enum pal_status st = source_memory(job, &memory, err);
    if (!st)
        st = trials_check(job, err);
    if (!st)
        st = job_threads(job, err);
    if (!st)
        st = source_load(job, NULL, &d, err);
    if (!st)
        st = train(job, d, memory, err);
    dataset_free(d);
    return st;
}
