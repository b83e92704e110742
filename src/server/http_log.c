/* One JSON line per request. Of the target only the path: a query may say what nobody should keep.
 * Of a key its name, never its secret. */
#include "server/http_inner.h"

#include "base/emit.h"
#include "server/log.h"

#include <stdio.h>
#include <string.h>

static void put_time(struct emit *e)
{
    char text[32];
    log_stamp(text);
    emit_string(e, "time", text);
}

static void put_path(struct emit *e, struct http_request *r)
{
    const struct call *c = &r->call;
    char *path = c->target && c->path_end
                     ? arena_text(&r->arena, c->target, (size_t)(c->path_end - c->target))
                     : NULL;
    emit_string(e, "path", path);
}

void http_log_request(struct http_request *r, int64_t duration_ns)
{
    const struct call *c = &r->call;
    if (!r->server->log)
        return;
    struct emit e = {.text = r->log, .compact = true};
    str_clear(&e.text);
    emit_open(&e, NULL, '{');
    put_time(&e);
    emit_string(&e, "level", c->status >= 500 ? "error" : "info");
    emit_string(&e, "event", "request");
    emit_string(&e, "request_id", c->id);
    emit_string(&e, "method", c->method_name);
    emit_string(&e, "route", c->match.route ? c->match.route->pattern : NULL);
    put_path(&e, r);
    emit_uint(&e, "status", c->sent ? c->status : 0);
    emit_uint(&e, "bytes_in", c->body_bytes);
    emit_uint(&e, "bytes", c->answer_len);
    emit_float(&e, "duration_ms", (float)((double)duration_ns * 1e-6));
    emit_string(&e, "key", c->key_name);
    emit_close(&e, '}');
    size_t len = e.text.len;
    if (len && e.text.text[len - 1] == '\n')
        len--;
    if (str_ok(&e.text))
        r->server->log(r->server->log_ctx, str_text(&e.text), len);
    r->log = e.text;
}

void http_log_say(struct http_server *s, const char *level, const char *message)
{
    struct emit e = {.compact = true};
    if (!s->log)
        return;
    emit_open(&e, NULL, '{');
    put_time(&e);
    emit_string(&e, "level", level);
    emit_string(&e, "event", "http");
    emit_string(&e, "message", message);
    emit_close(&e, '}');
    size_t len = e.text.len;
    if (len && e.text.text[len - 1] == '\n')
        len--;
    if (str_ok(&e.text))
        s->log(s->log_ctx, str_text(&e.text), len);
    str_done(&e.text);
}

/* What libmicrohttpd has to say. A request that it can't read, or whose head is too large, it
 * answers by itself with a small page, and no callback is told: this message is the only trace. So
 * it is counted and logged here; it can't be given a body of ours. (A line that is no request at
 * all it does not answer: see http_watch.c.) */
void http_log_library(void *server, const char *format, va_list args)
{
    static const char refused[] = "Error processing request (HTTP response code is %u";
    struct http_server *s = server;
    char message[100];
    if (strncmp(format, refused, sizeof refused - 1) != 0)
        return;
    unsigned status = va_arg(args, unsigned);
    counters_add(s->counters, 0, s->route_count, status, 0, 0, 0);
    counters_dropped(s->counters, DROPPED_REFUSED);
    snprintf(message, sizeof message, "a request that can't be read was answered with %u", status);
    if (s->o.access_log)
        http_log_say(s, "info", message);
}
