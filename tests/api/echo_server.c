/* A server of nothing but HTTP, for http.py and `bench/`: routes that echo, answer later, answer
 * much. Options as name=value (see http.h), and listen=, keys=, cert=, key=, cors=, insecure=1.
 *
 * It prints "port N" when it listens. Lines on its standard input steer it: "release" answers what
 * /hold has suspended, "stop" begins to stop (it prints "stopped" at the end and exits), and the
 * end of input stops it, too. */
#include "base/emit.h"
#include "server/http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAITING_MOST = 100000 };

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct http_request *request[WAITING_MOST];
    size_t count;
    bool ends;
};

struct context {
    struct waiting later; /* answered by a thread as soon as it can */
    struct waiting held;  /* answered when told */
    struct http_server *server;
};

static void put_in(struct waiting *w, struct http_request *r)
{
    pthread_mutex_lock(&w->lock);
    w->request[w->count++] = r;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

/* Everything that waits; with `block`, at least one or the end. */
static size_t take_out(struct waiting *w, struct http_request **out, bool block)
{
    pthread_mutex_lock(&w->lock);
    while (block && !w->count && !w->ends)
        pthread_cond_wait(&w->more, &w->lock);
    size_t n = w->count;
    memcpy(out, w->request, n * sizeof *out);
    w->count = 0;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void say_late(struct http_request *r)
{
    const char *n = http_query(r, "n");
    struct emit e = {.text = http_spare(r), .compact = true};
    emit_open(&e, NULL, '{');
    emit_string(&e, "late", n ? n : "");
    emit_close(&e, '}');
    http_json(r, 200, &e.text);
}

static void *answer_later(void *ctx)
{
    static struct http_request *batch[WAITING_MOST];
    struct waiting *w = ctx;
    for (size_t n; (n = take_out(w, batch, true)) != 0;)
        for (size_t i = 0; i < n; i++)
            say_late(batch[i]);
    return NULL;
}

static void release(struct waiting *w)
{
    static struct http_request *batch[WAITING_MOST];
    size_t n = take_out(w, batch, false);
    for (size_t i = 0; i < n; i++)
        say_late(batch[i]);
    printf("released %zu\n", n);
    fflush(stdout);
}

static void get_empty(void *ctx, struct http_request *r)
{
    static const char text[] = "{\"ok\":true}";
    http_static(r, &(struct http_file){
                       .content_type = "application/json", .data = text, .len = sizeof text - 1});
}

static void get_text(void *ctx, struct http_request *r)
{
    struct str s = http_spare(r);
    for (int i = 0; i < 20; i++)
        str_add(&s, "0123456789", 10);
    http_json(r, 200, &s);
}

static void get_page(void *ctx, struct http_request *r)
{
    static const char text[] = "<!doctype html><title>page</title>";
    http_set_header(r, "Content-Security-Policy", "default-src 'self'");
    http_static(r, &(struct http_file){.content_type = "text/html; charset=utf-8",
                                       .etag = "\"v1\"",
                                       .data = text,
                                       .len = sizeof text - 1});
}

static void get_gzip(void *ctx, struct http_request *r)
{
    static const unsigned char gzip[] = {31,  139, 8, 0,  0,   0,   0,   0, 0, 3, 171,
                                         174, 5,   0, 67, 191, 166, 163, 2, 0, 0, 0};
    http_static(r, &(struct http_file){.content_type = "application/json",
                                       .etag = "W/\"z\"",
                                       .data = "{}",
                                       .len = 2,
                                       .gzip = gzip,
                                       .gzip_len = sizeof gzip});
}

static void echo(void *ctx, struct http_request *r)
{
    size_t len;
    const char *body = http_body(r, &len);
    http_answer(r, 200, "application/json", body, len);
}

static void count_body(void *ctx, struct http_request *r)
{
    size_t len;
    struct emit e = {.text = http_spare(r), .compact = true};
    (void)http_body(r, &len);
    emit_open(&e, NULL, '{');
    emit_uint(&e, "bytes", len);
    emit_close(&e, '}');
    http_json(r, 200, &e.text);
}

/* What the server understood of a request. */
static void describe(void *ctx, struct http_request *r)
{
    struct emit e = {.text = http_spare(r), .compact = true};
    emit_open(&e, NULL, '{');
    emit_string(&e, "id", http_param(r, "id"));
    emit_uint(&e, "route", http_route_index(r));
    emit_open(&e, "query", '[');
    for (size_t i = 0; http_query_name(r, i); i++)
        emit_string(&e, NULL, http_query_name(r, i));
    emit_close(&e, ']');
    emit_open(&e, "x", '[');
    for (size_t i = 0; http_query_at(r, "x", i); i++)
        emit_string(&e, NULL, http_query_at(r, "x", i));
    emit_close(&e, ']');
    emit_string(&e, "request_id", http_id(r));
    emit_string(&e, "agent", http_header(r, "User-Agent"));
    emit_close(&e, '}');
    http_json(r, 200, &e.text);
}

static void get_later(void *ctx, struct http_request *r)
{
    put_in(&((struct context *)ctx)->later, r);
}

static void get_held(void *ctx, struct http_request *r)
{
    put_in(&((struct context *)ctx)->held, r);
}

static void get_large(void *ctx, struct http_request *r)
{
    const char *n = http_query(r, "n");
    struct str s = http_spare(r);
    for (long left = n ? strtol(n, NULL, 10) : 0; left > 0; left -= 10)
        str_add(&s, "0123456789", left < 10 ? (size_t)left : 10);
    http_json(r, 200, &s);
}

static void get_failure(void *ctx, struct http_request *r)
{
    const char *st = http_query(r, "st");
    struct pal_error err;
    enum pal_status status = (enum pal_status)strtol(st ? st : "1", NULL, 10);
    http_error(r, pal_fail(&err, status, "it \"failed\""), &err);
}

static void get_metrics(void *ctx, struct http_request *r)
{
    struct str s = {0};
    http_metrics(((struct context *)ctx)->server, &s);
    http_answer(r, 200, "text/plain; version=0.0.4", str_text(&s), s.len);
    str_done(&s);
}

static void get_traffic(void *ctx, struct http_request *r)
{
    struct http_traffic rows[64];
    struct emit e = {.text = http_spare(r), .compact = true};
    size_t n = http_traffic(((struct context *)ctx)->server, rows, 64);
    emit_open(&e, NULL, '[');
    for (size_t i = 0; i < n; i++) {
        emit_open(&e, NULL, '{');
        emit_string(&e, "route", rows[i].route->pattern);
        emit_uint(&e, "requests", rows[i].requests);
        emit_uint(&e, "errors", rows[i].errors);
        emit_number(&e, "p50", rows[i].p50);
        emit_number(&e, "p99", rows[i].p99);
        emit_number(&e, "mean", rows[i].mean);
        emit_close(&e, '}');
    }
    emit_close(&e, ']');
    http_json(r, 200, &e.text);
}

static const struct http_route routes[] = {
    {"GET", "/", HTTP_OPEN, get_page, 0, NULL},
    {"GET", "/empty", HTTP_OPEN, get_empty, 0, NULL},
    {"GET", "/text", HTTP_OPEN, get_text, 0, NULL},
    {"GET", "/gzip", HTTP_OPEN, get_gzip, 0, NULL},
    {"POST", "/echo", HTTP_OPEN, echo, 1 << 20, NULL},
    {"POST", "/lines", HTTP_OPEN, echo, 1 << 20, "application/x-ndjson,text/csv"},
    {"POST", "/upload", HTTP_OPEN, count_body, 64 << 20, NULL},
    {"GET", "/items/{id}", HTTP_READ, describe, 0, NULL},
    {"GET", "/items/search", HTTP_READ, describe, 0, NULL},
    {"PUT", "/items/{id}", HTTP_WRITE, describe, 1000, NULL},
    {"DELETE", "/items/{id}", HTTP_ADMIN, describe, 0, NULL},
    {"GET", "/later", HTTP_OPEN, get_later, 0, NULL},
    {"POST", "/later", HTTP_OPEN, get_later, 1 << 20, NULL},
    {"GET", "/hold", HTTP_OPEN, get_held, 0, NULL},
    {"GET", "/large", HTTP_OPEN, get_large, 0, NULL},
    {"GET", "/fail", HTTP_OPEN, get_failure, 0, NULL},
    {"GET", "/metrics", HTTP_OPEN, get_metrics, 0, NULL},
    {"GET", "/traffic", HTTP_OPEN, get_traffic, 0, NULL},
};

static void write_log(void *ctx, const char *line, size_t len)
{
    struct str whole = {0};
    str_add(&whole, line, len);
    str_char(&whole, '\n');
    if (str_ok(&whole) && write(STDERR_FILENO, str_text(&whole), whole.len) < 0)
        perror("log");
    str_done(&whole);
}

static void set_option(struct http_options *o, char *word)
{
    const struct {
        const char *name;
        const char **value;
    } texts[] = {{"listen", &o->listen},
                 {"keys", &o->keys},
                 {"cert", &o->tls_cert},
                 {"key", &o->tls_key},
                 {"cors", &o->cors}};
    char *value = strchr(word, '=');
    struct pal_error err;
    if (!value)
        exit(2);
    *value++ = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].name, word) == 0) {
            *texts[i].value = value;
            return;
        }
    if (strcmp(word, "insecure") == 0)
        o->insecure = true;
    else if (opt_set(&http_option_table, o, word, value, &err) != PAL_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
}

static void *stop(void *ctx)
{
    http_stop(((struct context *)ctx)->server);
    printf("stopped\n");
    fflush(stdout);
    return NULL;
}

static void read_orders(struct context *c)
{
    char line[100];
    pthread_t stopper;
    bool stopping = false;
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "release\n") == 0)
            release(&c->held);
        else if (strcmp(line, "stop\n") == 0 && !stopping)
            stopping = pthread_create(&stopper, NULL, stop, c) == 0;
    }
    if (stopping)
        pthread_join(stopper, NULL);
    else
        stop(c);
}

int main(int argc, char **argv)
{
    static struct context c = {
        .later = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0, false},
        .held = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0, false}};
    struct http_options o = {0};
    struct pal_error err;
    pthread_t later;
    opt_defaults(&http_option_table, &o);
    o.listen = "127.0.0.1:0";
    o.hosts = "x,a,here"; /* as the tests call it */
    for (int i = 1; i < argc; i++)
        set_option(&o, argv[i]);
    if (http_start(&o, routes, sizeof routes / sizeof routes[0], &c, write_log, NULL, &c.server,
                   &err) != PAL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return err.status == PAL_EUSAGE ? 2 : 1;
    }
    if (pthread_create(&later, NULL, answer_later, &c.later))
        return 1;
    printf("port %u\n", http_port(c.server));
    fflush(stdout);
    read_orders(&c);
    pthread_mutex_lock(&c.later.lock);
    c.later.ends = true;
    pthread_cond_signal(&c.later.more);
    pthread_mutex_unlock(&c.later.lock);
    pthread_join(later, NULL);
    release(&c.held); /* those that were abandoned */
    return 0;
}
