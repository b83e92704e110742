/* palate serve: the running recommender behind HTTP. */
#include "cli/running.h"

#include "base/scheme.h"
#include "engine/roles.h"

#include <poll.h>
#include <unistd.h>

enum { LOOK_MS = 100 };

/* A URL without the password that may be in it. */
static void put_url(struct str *line, const char *what, const char *url)
{
    if (!url)
        return;
    str_fmt(line, "%s ", what);
    scheme_show(line, url);
}

static void say_started(struct running *s, const struct log *log, const struct serving *o)
{
    struct str line = {0};
    struct live_status status;
    char roles[ROLES_TEXT];
    live_status(running_live(s), &status);
    roles_text(status.roles, roles);
    str_fmt(&line, "palate " PALATE_VERSION " listens on %s: ", running_url(s));
    if (status.roles != ROLE_ALL)
        str_fmt(&line, "role %s, ", roles);
    if (status.roles & ROLE_RECS)
        str_fmt(&line, "%u items, ", status.items);
    if (status.model_version)
        str_fmt(&line, "model version %u", status.model_version);
    else
        str_put(&line, status.roles & ROLE_RECS ? "no model yet" : "no models");
    if (live_store(running_live(s)))
        put_url(&line, "; store", o->config.live.store);
    put_url(&line, "; stream", o->config.live.stream);
    put_url(&line, "; state", o->config.live.state);
    if (status.roles & (ROLE_RECS | ROLE_PIPELINE))
        put_url(&line, ", models", o->config.live.models);
    log_say(log, LOG_INFO, str_text(&line));
    str_done(&line);
}

/* For whoever started it: one line on standard output. */
static void say_json(struct running *s, struct console *c)
{
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '{');
    emit_string(&e, "url", running_url(s));
    emit_uint(&e, "port", running_port(s));
    emit_uint(&e, "pid", (uint64_t)getpid());
    emit_close(&e, '}');
    emit_say(&e, c);
    say_text(c, "\n");
    console_flush(c);
}

static bool text_wanted(const struct job *job)
{
    return job->set.log == LOG_TEXT || (job->set.log == LOG_AUTO && isatty(STDERR_FILENO));
}

enum pal_status serve_run(struct job *job, struct pal_error *err)
{
    struct serving o;
    struct running *s = NULL;
    const struct log log = {STDERR_FILENO, !text_wanted(job)};
    enum pal_status st = serving_make(job, &o, err);
    if (!st)
        st = running_start(job, &o, &log, &s, err);
    if (st && *interrupt_flag()) {
        log_say(&log, LOG_INFO, "stopped before the store was there");
        interrupt_forget();
        return PAL_OK;
    }
    if (st)
        return st;
    say_started(s, &log, &o);
    if (job->set.json)
        say_json(s, &job->out);
    while (!*interrupt_flag())
        poll(NULL, 0, LOOK_MS);
    log_say(&log, LOG_INFO, "stopping: finishing what began");
    running_stop(s);
    log_say(&log, LOG_INFO, "stopped");
    interrupt_forget();
    return PAL_OK;
}
