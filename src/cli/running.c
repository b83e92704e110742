/* See running.h. */
#include "cli/running.h"
#include "base/clock.h"

#include "base/mem.h"
#include "server/api.h"

#include <poll.h>
#include <string.h>

enum { DRAIN_MS = 10000, LOOKS = 5, LOOK_MS = 100 /* between two tries for the store */ };

struct running {
    const struct log *log;
    struct live *live;
    struct loop *loop;
    struct api *api;
    struct http_server *http;
    struct http_route routes[API_ROUTES_MOST];
    struct str url, line;
    bool serving;
    int64_t wait_s, wait_until_ms; /* for the store; 0 = it was there at once */
};

static void on_log(void *ctx, enum live_level level, const char *message)
{
    log_say(ctx, (enum log_level)level, message);
}

static void on_line(void *ctx, const char *line, size_t len)
{
    log_line(ctx, line, len);
}

/* Where others reach it: the address that was asked for with the port that was got. */
static void put_url(struct running *s, const struct serving *o)
{
    const char *colon = strrchr(o->http.listen, ':');
    int len = colon ? (int)(colon - o->http.listen) : (int)strlen(o->http.listen);
    str_fmt(&s->url, "http%s://%.*s:%u", o->http.tls_cert ? "s" : "", len, o->http.listen,
            http_port(s->http));
}

/* Answers from now on, if only that there is nothing to answer from yet. */
static enum pal_status begin_serving(struct running *s, struct pal_error *err)
{
    if (s->serving)
        return PAL_OK;
    api_serve(s->api, s->http);
    s->serving = true;
    return http_serve(s->http, s->api, err);
}

/* The store does not answer: see live_config.again. */
static bool wait_for_store(void *ctx, const struct pal_error *why)
{
    struct running *s = ctx;
    struct pal_error err;
    if (!s->wait_until_ms) {
        s->wait_until_ms = clock_steady_ms() + s->wait_s * 1000;
        if (!s->wait_s || begin_serving(s, &err))
            return false;
        str_clear(&s->line);
        str_fmt(&s->line, "%s. %s waits for it, %lld s at most (--wait)", why->message,
                str_text(&s->url), (long long)s->wait_s);
        log_say(s->log, LOG_WARNING, str_text(&s->line));
    }
    for (int i = 0; i < LOOKS && !*interrupt_flag(); i++)
        poll(NULL, 0, LOOK_MS);
    return !*interrupt_flag() && clock_steady_ms() < s->wait_until_ms;
}

static enum pal_status start(struct running *s, const struct job *job, const struct serving *o,
                             struct pal_error *err)
{
    struct live_config config = o->config;
    size_t count = api_routes(s->routes);
    const struct api_options api = {config.roles, job->set.models, job->set.allow_cleanup};
    void *log = (void *)(uintptr_t)s->log;
    s->wait_s = job->set.wait;
    config.again = wait_for_store;
    config.again_ctx = s;
    /* first what costs nothing: a port that is taken is told before a store is opened */
    enum pal_status st = http_open(&o->http, s->routes, count, on_line, log, &s->http, err);
    if (!st)
        put_url(s, o);
    if (!st && !str_ok(&s->url))
        st = pal_no_memory(err);
    if (!st)
        st = api_new(&api, &s->api, err);
    if (!st)
        st = live_open(&config, on_log, log, &s->live, err);
    if (!st && (config.roles & ROLE_PIPELINE))
        st = loop_start(s->live, &o->loop, &config.live, NULL, on_log, log, &s->loop, err);
    if (st)
        return st;
    api_open(s->api, s->live, s->loop);
    return begin_serving(s, err);
}

enum pal_status running_start(const struct job *job, const struct serving *o, const struct log *log,
                              struct running **out, struct pal_error *err)
{
    struct running *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->log = log;
    enum pal_status st = start(s, job, o, err);
    if (st)
        running_stop(s);
    else
        *out = s;
    return st;
}

const char *running_url(const struct running *s)
{
    return str_text(&s->url);
}

unsigned running_port(const struct running *s)
{
    return http_port(s->http);
}

struct live *running_live(struct running *s)
{
    return s->live;
}

void running_stop(struct running *s)
{
    if (!s)
        return;
    loop_stop(s->loop);
    http_stop(s->http);
    api_free(s->api);
    live_close(s->live, DRAIN_MS);
    str_done(&s->url);
    str_done(&s->line);
    mem_free(s);
}
