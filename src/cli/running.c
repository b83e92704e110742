/* See running.h. */
#include "cli/running.h"

#include "base/mem.h"
#include "server/api.h"

#include <string.h>

enum { DRAIN_MS = 10000 };

struct running {
    const struct log *log;
    struct live *live;
    struct loop *loop;
    struct api *api;
    struct http_server *http;
    struct http_route routes[API_ROUTES_MOST];
    struct str url;
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

static enum pal_status start(struct running *s, const struct job *job, const struct serving *o,
                             struct pal_error *err)
{
    unsigned roles = o->config.roles;
    size_t count = api_routes(roles, s->routes);
    struct api_options api = {
        .roles = roles, .models = job->set.models, .allow_cleanup = job->set.allow_cleanup};
    void *log = (void *)(uintptr_t)s->log;
    /* first what costs nothing: a port that is taken is told before a store is opened */
    enum pal_status st = http_open(&o->http, s->routes, count, on_line, log, &s->http, err);
    if (!st)
        st = live_open(&o->config, on_log, log, &s->live, err);
    if (!st && (roles & ROLE_PIPELINE))
        st = loop_start(s->live, &o->loop, &o->config.live, NULL, on_log, log, &s->loop, err);
    api.live = s->live;
    api.loop = s->loop;
    if (!st)
        st = api_new(&api, &s->api, err);
    if (st)
        return st;
    api_serve(s->api, s->http);
    st = http_serve(s->http, s->api, err);
    if (st)
        return st;
    put_url(s, o);
    return str_ok(&s->url) ? PAL_OK : pal_no_memory(err);
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
    mem_free(s);
}
