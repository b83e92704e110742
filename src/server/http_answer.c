/* Answers: what a handler says is kept in the request, and libmicrohttpd's thread sends it. */
#include "server/http_inner.h"

#include "base/emit.h"
#include "base/text.h"

#include <assert.h>
#include <string.h>

static const char out_of_memory[] =
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"code\":\"out_of_memory\",\"detail\":\"memory is out for now: try again\"}";
static const char stopped[] =
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"code\":\"stopping\",\"detail\":\"the server is stopping: try again\"}";
static const char problem_type[] = "application/problem+json";

/* From here on the request is libmicrohttpd's. */
static void hand_over(struct http_request *r)
{
    struct http_server *s = r->server;
    int old = PENDING;
    if (atomic_compare_exchange_strong(&r->state, &old, ANSWERED))
        return;
    assert(old != ANSWERED); /* answered twice */
    if (old == SUSPENDED && atomic_compare_exchange_strong(&r->state, &old, ANSWERED)) {
        MHD_resume_connection(r->mhd);
        atomic_fetch_sub(&s->suspended, 1);
    } else if (old == ABANDONED)
        request_release(r);
}

static void set_answer(struct http_request *r, unsigned status, const char *type, const char *text,
                       size_t len)
{
    r->call.status = status;
    r->call.content_type = type;
    r->call.answer = text;
    r->call.answer_len = len;
}

void http_answer(struct http_request *r, unsigned status, const char *content_type,
                 const char *body, size_t len)
{
    char *copy = arena_text(&r->arena, body, len);
    if (copy)
        set_answer(r, status, content_type, copy, len);
    else
        r->call.failed = true;
    hand_over(r);
}

static void answer_text(struct http_request *r, unsigned status, const char *type, struct str *out)
{
    str_done(&r->out);
    r->out = *out;
    *out = (struct str){0};
    if (str_ok(&r->out))
        set_answer(r, status, type, str_text(&r->out), r->out.len);
    else
        r->call.failed = true;
    hand_over(r);
}

void http_json(struct http_request *r, unsigned status, struct str *out)
{
    answer_text(r, status, "application/json", out);
}

/* The list of If-None-Match, or "*"; compared weakly. */
static bool has_tag(const char *list, const char *etag)
{
    if (strncmp(etag, "W/", 2) == 0)
        etag += 2;
    size_t len = strlen(etag);
    for (const char *p = list; *p;) {
        p += strspn(p, " \t,");
        if (*p == '*')
            return true;
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        size_t n = strcspn(p, ", \t");
        if (n == len && memcmp(p, etag, n) == 0)
            return true;
        p += n;
    }
    return false;
}

/* Whether Accept-Encoding names gzip, or everything, without a weight of 0. */
static bool accepts_gzip(struct http_request *r)
{
    const char *p = http_header(r, "Accept-Encoding");
    bool gzip = false, any = false, named = false;
    while (p && *p) {
        p += strspn(p, " \t,");
        size_t len = strcspn(p, "; \t,"), whole = strcspn(p, ",");
        const char *weight = memchr(p, '=', whole);
        bool wanted = !weight || strspn(weight + 1, "0. \t") < (size_t)(p + whole - weight - 1);
        if (text_is(p, p + len, "gzip") || text_is(p, p + len, "x-gzip")) {
            named = true;
            gzip = gzip || wanted;
        } else if (len == 1 && *p == '*')
            any = wanted;
        p += whole;
    }
    return named ? gzip : any;
}

void http_static(struct http_request *r, const struct http_file *f)
{
    const char *known = f->etag ? http_header(r, "If-None-Match") : NULL;
    if (f->etag)
        http_set_header(r, "ETag", f->etag);
    if (f->gzip)
        http_set_header(r, "Vary", "Accept-Encoding");
    if (known && has_tag(known, f->etag))
        set_answer(r, 304, NULL, "", 0);
    else if (f->gzip && accepts_gzip(r)) {
        http_set_header(r, "Content-Encoding", "gzip");
        set_answer(r, 200, f->content_type, f->gzip, f->gzip_len);
    } else
        set_answer(r, 200, f->content_type, f->data, f->len);
    hand_over(r);
}

void http_problem(struct http_request *r, unsigned status, const char *code, const char *detail)
{
    struct emit e = {.text = http_spare(r), .compact = true};
    emit_open(&e, NULL, '{');
    emit_string(&e, "type", "about:blank");
    emit_string(&e, "title", MHD_get_reason_phrase_for(status));
    emit_uint(&e, "status", status);
    emit_string(&e, "code", code);
    emit_string(&e, "detail", detail);
    emit_string(&e, "request_id", r->call.id);
    emit_close(&e, '}');
    answer_text(r, status, problem_type, &e.text);
}

void http_error(struct http_request *r, enum pal_status st, const struct pal_error *err)
{
    static const struct {
        enum pal_status st;
        unsigned status;
        const char *code;
    } rows[] = {
        {PAL_EUSAGE, 400, "bad_request"},       {PAL_EFORMAT, 400, "bad_request"},
        {PAL_ENOTFOUND, 404, "not_found"},      {PAL_EUNSUPPORTED, 501, "unsupported"},
        {PAL_ENOMEM, 503, "out_of_memory"},     {PAL_EFULL, 503, "busy"},
        {PAL_EINTERRUPTED, 503, "interrupted"},
    };
    if (st == PAL_EFULL)
        http_set_header(r, "Retry-After", "1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].st == st) {
            http_problem(r, rows[i].status, rows[i].code, err->message);
            return;
        }
    http_problem(r, 500, "failed", err->message);
}

void http_set_header(struct http_request *r, const char *name, const char *value)
{
    struct header *h = arena_alloc(&r->arena, 1, sizeof *h);
    const char *copy = arena_text(&r->arena, value, strlen(value));
    const char *copied_name = arena_text(&r->arena, name, strlen(name));
    if (!h || !copy || !copied_name) {
        r->call.failed = true;
        return;
    }
    *h = (struct header){copied_name, copy, r->call.headers};
    r->call.headers = h;
}

/* A stopping server says goodbye with each answer. */
static bool add_headers(struct http_request *r, struct MHD_Response *response)
{
    const struct call *c = &r->call;
    bool ok = MHD_add_response_header(response, "X-Request-Id", c->id) == MHD_YES;
    if (c->content_type)
        ok &= MHD_add_response_header(response, "Content-Type", c->content_type) == MHD_YES;
    for (const struct header *h = c->headers; h; h = h->next)
        ok &= MHD_add_response_header(response, h->name, h->value) == MHD_YES;
    if (c->close || atomic_load_explicit(&r->server->stopping, memory_order_relaxed))
        ok &= MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    return ok;
}

static struct MHD_Response *wrap(const char *text, size_t len)
{
    union {
        const char *in;
        void *out; /* libmicrohttpd only reads it */
    } body = {.in = text};
    return MHD_create_response_from_buffer(len, body.out, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_send(struct http_request *r)
{
    struct call *c = &r->call;
    enum MHD_Result done = MHD_NO;
    cors_answer(r);
    if (c->failed) {
        c->headers = NULL;
        set_answer(r, 503, problem_type, out_of_memory, sizeof out_of_memory - 1);
    }
    struct MHD_Response *response = wrap(c->answer, c->answer_len);
    if (!response)
        return MHD_NO;
    watch_phase(r, PHASE_ANSWER);
    if (add_headers(r, response))
        done = MHD_queue_response(r->mhd, c->status, response);
    c->sent = done == MHD_YES;
    MHD_destroy_response(response);
    return done;
}

enum MHD_Result answer_abandoned(struct http_request *r)
{
    enum MHD_Result done = MHD_NO;
    struct MHD_Response *response = wrap(stopped, sizeof stopped - 1);
    if (response && MHD_add_response_header(response, "Content-Type", problem_type) == MHD_YES &&
        MHD_add_response_header(response, "Connection", "close") == MHD_YES)
        done = MHD_queue_response(r->mhd, 503, response);
    if (response)
        MHD_destroy_response(response);
    return done;
}
