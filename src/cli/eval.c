/* palate eval: models compared on data that was held out. */
#include "base/file.h"
#include "cli/source.h"
#include "cli/tracking.h"

/* Writes the object where --save says. */
static enum pal_status save(const char *path, const struct trials *t, struct pal_error *err)
{
    struct emit e = {0};
    trials_emit(&e, t);
    enum pal_status st = str_ok(&e.text) ? PAL_OK : pal_no_memory(err);
    if (!st)
        st = file_put(path, str_text(&e.text), e.text.len, err);
    str_done(&e.text);
    return st;
}

/* A run for each model, and all of it as --save would write it. */
static void record(struct tracking *tracking, const struct trials *t)
{
    struct emit e = {0};
    tracking_trials(tracking, t);
    trials_emit(&e, t);
    if (str_ok(&e.text))
        track_artifact(tracking->run, "results.json", str_text(&e.text), e.text.len);
    str_done(&e.text);
}

static void print(struct console *c, const struct dataset *d, const struct trials *t, bool json)
{
    if (json) {
        struct emit e = {0};
        trials_emit(&e, t);
        emit_say(&e, c);
        return;
    }
    say_styled(c, BOLD, d->name);
    say(c, "  %s, split %s\n\n", d->format, t->split.spec);
    trials_say(c, t);
}

enum pal_status eval_run(struct job *job, struct pal_error *err)
{
    struct dataset *d = NULL;
    struct plan plan;
    struct trials t = {0};
    struct tracking tracking = {0};
    uint64_t memory = 0;
    enum pal_status st = source_memory(job, &memory, err);
    if (!st)
        st = trials_check(job, err);
    if (!st)
        st = tracking_open(job, &tracking, err);
    if (!st)
        st = job_threads(job, err);
    if (!st)
        st = source_load(job, NULL, &d, err);
    if (!st)
        tracking_begin(&tracking, job, d);
    if (!st)
        st = plan_make(job, job->set.model, d, memory, &plan, err);
    if (!st)
        st = trials_run(job, d, &plan, job->set.split, job->set.metrics, memory, &t, err);
    if (!st)
        record(&tracking, &t);
    if (!st && job->set.save)
        st = save(job->set.save, &t, err);
    if (!st)
        print(&job->out, d, &t, job->set.json);
    tracking_close(&tracking, job, st, err);
    trials_done(&t);
    dataset_free(d);
    return st;
}
