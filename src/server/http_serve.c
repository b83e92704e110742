/* A request's way through libmicrohttpd's callbacks, all on the thread that its connection belongs
 * to. See http_inner.h for the order in which they come. */
#include "base/clock.h"
#include "server/http_inner.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void make_id(struct http_request *r)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t x = rng_next(&r->ids);
    for (int i = 0; i < 16; i++, x >>= 4)
        r->call.id[i] = digits[x & 15];
    r->call.id[16] = 0;
}

void *serve_line(void *server, const char *target, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *r = info ? info->socket_context : NULL;
    if (!r)
        return NULL;
    memset(&r->call, 0, sizeof r->call);
    atomic_store_explicit(&r->state, PENDING, memory_order_relaxed);
    watch_phase(r, PHASE_REQUEST);
    make_id(r);
    if (!target)
        target = "";
    r->call.began_ns = clock_steady_ns();
    r->call.match.index = r->server->route_count;
    r->call.raw = target;
    r->call.target_len = strlen(target);
    r->call.target = arena_text(&r->arena, target, r->call.target_len);
    r->call.line_ok = r->call.target != NULL;
    return r;
}

/* ---- The head ---- */

static bool sane_id(const char *id)
{
    size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-");
    return len > 0 && len <= ID_MOST && !id[len];
}

static void take_id(struct http_request *r)
{
    const char *id = http_header(r, "X-Request-Id");
    if (id && sane_id(id))
        memcpy(r->call.id, id, strlen(id) + 1);
}

static const char *given_secret(struct http_request *r)
{
    const char *value = http_header(r, "Authorization");
    if (value && text_is(value, value + strcspn(value, " "), "Bearer")) {
        value += strlen("Bearer");
        return value + strspn(value, " ");
    }
    return http_header(r, "X-API-Key");
}

/* Whether the caller may; else it has been told. */
static bool check_right(struct http_request *r)
{
    const struct keys *keys = r->server->keys;
    enum http_right needed = r->call.match.route->right, right = HTTP_OPEN;
    static const char *const words[] = {"", "read", "write", "admin"};
    char detail[120];
    if (!keys || needed == HTTP_OPEN)
        return true;
    const char *secret = given_secret(r);
    if (secret)
        right = keys_find(keys, secret, &r->call.key_name);
    if (right >= needed)
        return true;
    if (right == HTTP_OPEN) {
        http_set_header(r, "WWW-Authenticate", "Bearer realm=\"palate\"");
        http_problem(r, 401, "unauthorized",
                     secret ? "no such API key: check the secret"
                            : "this call needs an API key: send Authorization: Bearer SECRET");
        return false;
    }
    snprintf(detail, sizeof detail, "this call needs the right '%s', the key has '%s'",
             words[needed], words[right]);
    http_problem(r, 403, "forbidden", detail);
    return false;
}

/* The media type of a Content-Type against "a/b,c/d". */
static bool is_among(const char *types, const char *given)
{
    const char *end = given + strcspn(given, "; \t");
    for (const char *p = types; *p;) {
        size_t len = strcspn(p, ",");
        if (len == (size_t)(end - given) && strncasecmp(p, given, len) == 0)
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

static bool is_utf8(const char *given)
{
    const char *charset = strcasestr(given, "charset=");
    if (!charset)
        return true;
    charset += strlen("charset=");
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0 || strncasecmp(charset, "utf8", 4) == 0;
}

static bool check_type(struct http_request *r)
{
    const char *types = r->call.match.route->body_types, *given = http_header(r, "Content-Type");
    const char *coding = http_header(r, "Content-Encoding");
    char detail[200];
    if (!types)
        types = "application/json";
    if (coding) {
        http_problem(r, 415, "unsupported_encoding",
                     "this server reads no compressed bodies: send it without Content-Encoding");
        return false;
    }
    if (given && is_among(types, given) && is_utf8(given))
        return true;
    snprintf(detail, sizeof detail, "send the body with Content-Type: %s, in UTF-8", types);
    http_problem(r, 415, "unsupported_media_type", detail);
    return false;
}

static bool too_large(struct http_request *r)
{
    char detail[120];
    size_t most = r->call.match.route->body_most;
    if (most)
        snprintf(detail, sizeof detail,
                 "the body is larger than the %zu bytes that this call takes", most);
    else
        snprintf(detail, sizeof detail, "this call takes no body");
    http_problem(r, 413, "body_too_large", detail);
    return false;
}

static bool check_body(struct http_request *r)
{
    uint64_t len;
    if (!guard_has_body(r, &len))
        return true;
    if (r->call.match.route->body_most == 0 ||
        (len != UINT64_MAX && len > r->call.match.route->body_most))
        return too_large(r);
    return check_type(r);
}

/* 404, 405 and OPTIONS. */
static void answer_without_route(struct http_request *r)
{
    const struct call *c = &r->call;
    struct str list = {0};
    if (cors_preflight(r))
        return;
    if (!c->match.allow && strcmp(c->target, "*") != 0) {
        http_problem(r, 404, "no_such_path", "there is nothing at this path: see /openapi.json");
        return;
    }
    method_list(c->match.allow ? c->match.allow : METHOD_OPTIONS, &list);
    http_set_header(r, "Allow", str_text(&list));
    if (c->method == METHOD_OPTIONS)
        http_answer(r, 204, NULL, "", 0);
    else
        http_problem(r, 405, "method_not_allowed",
                     "this path does not take this method: see Allow");
    str_done(&list);
}

static bool check_host(struct http_request *r)
{
    if (hosts_serve(r))
        return true;
    http_problem(r, 421, "unknown_host",
                 "without keys this server answers to localhost and to addresses in numbers only: "
                 "name this host (--set http.hosts=NAME), set keys (--keys FILE), or say "
                 "--insecure");
    return false;
}

/* Finds the route; true if the request may go on to its handler, else it has its answer. */
static bool find_route(struct http_request *r)
{
    struct call *c = &r->call;
    struct pal_error err;
    const char *end = c->target + c->target_len, *mark = memchr(c->target, '?', c->target_len);
    c->path_end = mark ? mark : end;
    if (!check_host(r))
        return false;
    enum pal_status st = router_match(r->server->router, c->method, c->target, c->path_end,
                                      &r->arena, &c->match, &err);
    if (st == PAL_OK && mark)
        st = url_query(&r->arena, mark + 1, end, &c->query, &c->query_count, &err);
    if (st != PAL_OK)
        http_error(r, st, &err);
    else if (!c->match.route)
        answer_without_route(r);
    else if (cors_foreign(r))
        http_problem(r, 403, "foreign_origin",
                     "pages of other origins may not call this: allow the origin (--cors ORIGIN)");
    else
        return check_right(r) && check_body(r);
    return false;
}

/* The first call for a request. An answer that is given here, before the body, ends the connection;
 * so a body of moderate size is let in and dropped. */
static enum MHD_Result take_head(struct http_request *r, const char *method, const char *version)
{
    struct call *c = &r->call;
    unsigned status = 503;
    const char *code = "out_of_memory", *wrong = "memory is out for now: try again";
    uint64_t body;
    c->head_done = true;
    c->method = method_of(method);
    if (c->line_ok)
        wrong = guard_head(r, method, version, &status, &code);
    if (wrong) {
        counters_dropped(r->server->counters, DROPPED_REFUSED);
        c->close = true;
        c->path_end = c->target;
        http_problem(r, status, code, wrong);
        return answer_send(r);
    }
    memcpy(c->method_name, method, strlen(method) + 1);
    take_id(r);
    c->origin = http_header(r, "Origin");
    if (find_route(r) || !guard_has_body(r, &body))
        return MHD_YES;
    if (http_header(r, "Expect") || (body != UINT64_MAX && body > DRAIN_BYTES)) {
        c->close = true;
        return answer_send(r);
    }
    c->discard = true;
    return MHD_YES;
}

/* ---- The body ---- */

static bool keep(struct http_request *r, const char *data, size_t len)
{
    struct http_server *s = r->server;
    struct call *c = &r->call;
    if (r->body.len + len > c->match.route->body_most)
        return too_large(r);
    str_add(&r->body, data, len);
    size_t more = r->body.cap - r->body_charged;
    r->body_charged += more;
    if (!str_ok(&r->body) ||
        atomic_fetch_add(&s->body_memory, more) + more > (size_t)s->o.body_memory_most) {
        http_set_header(r, "Retry-After", "1");
        http_problem(r, 503, "busy", "too many large requests at once: try again");
        return false;
    }
    return true;
}

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t *size)
{
    struct call *c = &r->call;
    c->body_bytes += *size;
    if (!c->discard && !keep(r, data, *size))
        c->discard = true;
    *size = 0;
    if (!c->discard ||
        c->body_bytes <= (c->match.route ? c->match.route->body_most : 0) + DRAIN_BYTES)
        return MHD_YES;
    counters_dropped(r->server->counters, DROPPED_REFUSED);
    return MHD_NO;
}

/* ---- The answer ---- */

/* The handler has returned without an answer: no thread waits for it. */
static void suspend(struct http_request *r)
{
    int old = PENDING;
    atomic_fetch_add(&r->server->suspended, 1);
    MHD_suspend_connection(r->mhd);
    if (!atomic_compare_exchange_strong(&r->state, &old, SUSPENDED)) {
        MHD_resume_connection(r->mhd); /* answered meanwhile */
        atomic_fetch_sub(&r->server->suspended, 1);
    } else if (atomic_load(&r->server->closing))
        watch_abandon(r);
}

static enum MHD_Result dispatch(struct http_request *r)
{
    if (hold_back(r))
        return MHD_YES;
    r->call.dispatched = true;
    watch_phase(r, PHASE_HANDLER);
    r->call.match.route->handler(r->server->ctx, r);
    if (atomic_load(&r->state) == ANSWERED)
        hold(r);
    else
        suspend(r);
    return MHD_YES;
}

enum MHD_Result serve_request(void *server, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *size, void **request)
{
    struct http_request *r = *request;
    if (!r)
        return MHD_NO;
    if (atomic_load(&r->state) == ABANDONED)
        return answer_abandoned(r);
    if (!r->call.head_done)
        return take_head(r, method, version);
    if (*size)
        return take_body(r, upload, size);
    if (r->call.turn == TURN_HELD) {
        hold_send(r);
        return answer_send(r);
    }
    if (!r->call.dispatched && atomic_load(&r->state) == PENDING)
        return dispatch(r);
    int state = atomic_load(&r->state);
    if (state == ANSWERED)
        return answer_send(r);
    if (state == PENDING)
        suspend(r);
    return MHD_YES;
}

/* What one large request took, a connection does not keep. */
static void shrink(struct str *s)
{
    if (s->cap > KEEP_BYTES)
        str_done(s);
    else
        str_clear(s);
}

void serve_completed(void *server, struct MHD_Connection *mhd, void **request,
                     enum MHD_RequestTerminationCode code)
{
    struct http_request *r = *request;
    *request = NULL;
    if (!r || atomic_load(&r->state) == ABANDONED)
        return;
    struct http_server *s = r->server;
    const struct call *c = &r->call;
    hold_end(r);
    int64_t duration_ns = clock_steady_ns() - c->began_ns;
    if (c->sent)
        counters_add(s->counters, r->worker, c->match.index, c->status, duration_ns, c->body_bytes,
                     c->answer_len);
    if (s->o.access_log && c->head_done)
        http_log_request(r, duration_ns);
    if (r->body_charged)
        atomic_fetch_sub(&s->body_memory, r->body_charged);
    r->body_charged = 0;
    shrink(&r->body);
    shrink(&r->out);
    if (arena_size(&r->arena) > KEEP_BYTES)
        arena_done(&r->arena);
    else
        arena_reset(&r->arena);
    watch_phase(r, PHASE_IDLE);
}
