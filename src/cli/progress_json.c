/* See progress_json.h. */
#include "cli/progress_json.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static const double tell_every_s = 0.2;

void progress_json_line(struct job *job, struct emit *e)
{
    str_char(&e->text, '\n');
    if (str_ok(&e->text))
        say_text(&job->out, str_text(&e->text));
    str_done(&e->text);
    console_flush(&job->out);
    if (console_gone(&job->out))
        raise(SIGTERM); /* as if we had been told: nobody waits for the outcome */
}

/* A run_progress_fn; ctx is the job. */
static void tell(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct job *job = ctx;
    struct progress *p = &job->progress;
    double now = now_seconds();
    bool same = strncmp(p->stage, stage, sizeof p->stage - 1) == 0;
    if (same && now - p->last_draw < tell_every_s)
        return;
    snprintf(p->stage, sizeof p->stage, "%s", stage);
    p->last_draw = now;
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '{');
    emit_string(&e, "stage", stage);
    emit_string(&e, "model", p->label);
    emit_uint(&e, "done", done);
    emit_uint(&e, "total", total);
    emit_close(&e, '}');
    progress_json_line(job, &e);
}

void progress_json_begin(struct job *job)
{
    /* One that dies before this line is noticed by the first write to its pipe. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    job->progress.on = false;
    job->run.progress = tell;
    job->run.progress_ctx = job;
}
