/* HTTP by itself: connections, limits, guards, keys, TLS, logging and counting. It knows nothing of
 * recommending; what is answered is up to the table of routes.
 *
 * libmicrohttpd with epoll and a thread per core, and what it lacks: a deadline for a whole request
 * (a client that sends a byte a second is dropped), and refusal of anything that two servers could
 * read in two ways (two Content-Lengths or Hosts, odd Transfer-Encodings: 400 and a close).
 *
 * A handler may answer at once or later, from any thread: until then the request is suspended and
 * holds no thread. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"

#include <stdbool.h>

struct http_server;
struct http_request;

/* Who may call a route. Keys are given as "NAME:RIGHT:SECRET"; write includes read, admin both. */
enum http_right { HTTP_OPEN, HTTP_READ, HTTP_WRITE, HTTP_ADMIN };

typedef void http_handler(void *ctx, struct http_request *r);

struct http_route {
    const char *method;  /* "GET"; HEAD is answered by GET's route without a body */
    const char *pattern; /* "/v1/users/{user_id}/events": a name in braces is one whole segment */
    enum http_right right;
    http_handler *handler;
    size_t body_most; /* bytes; 0 = a body is refused (except an empty one) */
    /* What a body may be, "application/json" and so on with commas between; NULL =
     * application/json. Another type, or none, is 415: a page of another site can then not send one
     * unasked. */
    const char *body_types;
};

struct http_options {
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080", "0.0.0.0:80"; port 0 = any free one */
    const char *keys;   /* file with one NAME:RIGHT:SECRET a line, '#' comments; NULL = no keys */
    const char *tls_cert, *tls_key; /* PEM files; NULL = plain HTTP */
    const char *cors; /* origins that may call, "https://a.example,https://b.example" or "*" */
    bool insecure;    /* listen beyond loopback without keys, for whatever name it is called by */
    const char
        *hosts; /* names besides localhost that it may be called by without keys; NULL = none */
    int64_t threads;                              /* 0 = one per core */
    int64_t connections_most, connections_per_ip; /* per_ip 0 = no limit of its own */
    int64_t header_bytes_most, url_bytes_most;
    int64_t body_memory_most; /* bytes of all bodies held at once; past that 503 */
    int64_t request_seconds;  /* for a whole request to come in, from its line on */
    int64_t answer_seconds;   /* whoever takes less than 4 KiB/s over so long is dropped */
    int64_t idle_seconds;     /* a kept-alive connection without a request */
    int64_t stop_seconds;     /* how long stopping waits for requests under way */
    bool access_log;          /* one JSON line per request */
};
extern const struct opt_table http_option_table; /* http.threads=…; not listen, keys, tls, cors */

/* Takes each line of the log, a JSON object without newline; from any thread. */
typedef void http_log_fn(void *ctx, const char *line, size_t len);

/* Checks everything and binds, and answers nobody yet: who connects waits. So that what is wrong
 * with options is told before anything else is begun. routes (count) outlive the server. PAL_EUSAGE
 * for an address that is not loopback without keys or `insecure`, for a keys file that can't be
 * read (names the line, never a secret); PAL_EIO where the port is taken (says by what to change
 * it). End it with http_stop, served or not. */
MUST_USE enum pal_status http_open(const struct http_options *o, const struct http_route *routes,
                                   size_t count, http_log_fn *log, void *log_ctx,
                                   struct http_server **out, struct pal_error *err);

/* Begins to serve, once; ctx outlives the server. */
MUST_USE enum pal_status http_serve(struct http_server *s, void *ctx, struct pal_error *err);

/* Both; *out is set before the first request is served, so that it may lie in ctx. */
MUST_USE enum pal_status http_start(const struct http_options *o, const struct http_route *routes,
                                    size_t count, void *ctx, http_log_fn *log, void *log_ctx,
                                    struct http_server **out, struct pal_error *err);

/* The port that it listens on. */
unsigned http_port(const struct http_server *s);

/* Accepts nothing new, finishes what it began (up to stop_seconds), stops and frees; NULL is fine.
 * A request that is not answered by then gets 503; its handler may still answer afterwards, which
 * does nothing, but the server's ctx must live until it has. */
void http_stop(struct http_server *s);

/* ---- What a handler sees; valid until it has answered ----
 *
 * A request belongs to whoever works on it: one thread at a time. All but http_header may be called
 * from any thread; http_header only before the handler returns (copy what is needed later). */

struct arena *http_arena(struct http_request *r); /* the request's memory */

/* An empty text with the memory of the connection's last answer, now the caller's: filled and given
 * to http_json, an answer needs no allocation. */
struct str http_spare(struct http_request *r);
void *http_context(struct http_request *r);                       /* http_start's ctx */
const char *http_param(struct http_request *r, const char *name); /* of the pattern, decoded */
const char *http_query(struct http_request *r, const char *name); /* decoded; NULL = not given */

/* All values of a name given several times: the i-th, NULL past the last. */
const char *http_query_at(struct http_request *r, const char *name, size_t i);

/* The i-th query parameter's name, for refusing unknown ones; NULL past the last. */
const char *http_query_name(struct http_request *r, size_t i);
const char *http_header(struct http_request *r, const char *name); /* NULL = not given */
const char *http_body(struct http_request *r, size_t *len);        /* not NUL-terminated */
const char *http_id(struct http_request *r); /* the request's id, which is in log and answer */
size_t http_route_index(struct http_request *r);

/* ---- Answering: exactly one of these, once, from any thread ---- */

/* Copies the body. content_type: a constant. */
void http_answer(struct http_request *r, unsigned status, const char *content_type,
                 const char *body, size_t len);

/* A JSON text; takes over out's memory (out is empty afterwards). A failed str becomes 503. */
void http_json(struct http_request *r, unsigned status, struct str *out);

/* A body that lives as long as the program: data (len) and, unless gzip is NULL, the same
 * compressed (gzip_len), which goes to clients that say they accept it. 304 where the client has
 * the ETag, which is weak ("W/…") where there are two forms. */
struct http_file {
    const char *content_type, *etag; /* etag NULL = none */
    const void *data, *gzip;
    size_t len, gzip_len;
};
void http_static(struct http_request *r, const struct http_file *file);

/* application/problem+json (RFC 9457): {"type":"about:blank","title":…,"status":…,"code":…,
 * "detail":…,"request_id":…}. code is a stable word ("item_not_found"). */
void http_problem(struct http_request *r, unsigned status, const char *code, const char *detail);

/* The problem that fits a status: EUSAGE and EFORMAT 400 "bad_request", ENOTFOUND 404 "not_found",
 * EUNSUPPORTED 501 "unsupported", EFULL 503 "busy" with Retry-After, ENOMEM 503 "out_of_memory",
 * the others 500 "failed". */
void http_error(struct http_request *r, enum pal_status st, const struct pal_error *err);

/* Adds a header to the answer; before answering. Copies both. */
void http_set_header(struct http_request *r, const char *name, const char *value);

/* ---- Counting ---- */

/* Appends Prometheus lines: palate_http_requests_total{route,method,status},
 * palate_http_request_seconds (histogram by route), connections, bytes in and out, dropped. */
void http_metrics(struct http_server *s, struct str *out);

/* By route, for the page: requests, errors (status 500 on), latency quantiles in seconds. */
struct http_traffic {
    const struct http_route *route;
    uint64_t requests, errors;
    double p50, p99, mean;
};
size_t http_traffic(struct http_server *s, struct http_traffic *out, size_t most);

#endif
