/* What the files of http_*.c share; nobody else includes it.
 *
 * A connection has one struct http_request, used again for each of its requests, so that a request
 * on a kept-alive connection allocates nothing here. Its life:
 *
 *   watch_connected  made with the connection, in the server's list, with a deadline
 *   serve_line       the request line is there: `call` is cleared, the deadline set anew
 *   serve_request    first the head (guards, route, rights), then pieces of the body, then, whole,
 *                    it goes to its handler; answered at once, held for a moment so that several
 *                    are sent together (http_hold.c), or suspended
 *   serve_completed  the answer is out or the client gone: counted, logged, reset
 *   watch_connected  the connection ends: out of the list, before its socket is closed
 *
 * `state` settles who sends: the handler's thread says ANSWERED, libmicrohttpd's SUSPENDED; whoever
 * comes second resumes or sends. All else of a request is touched by one thread at a time: by
 * libmicrohttpd's, or, from the handler's call to its answer, by whoever has the request. */
#ifndef SERVER_HTTP_INNER_H
#define SERVER_HTTP_INNER_H

#include "base/rng.h"
#include "server/http.h"
#include "server/http_counters.h"
#include "server/http_keys.h"
#include "server/http_router.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

/* Version 0.9.77 began to say how strict the parser is. */
#define MHD_STRICT_SINCE 0x00097701

enum { ID_MOST = 64, WORKERS_MOST = 256, KEEP_BYTES = 1 << 14, DRAIN_BYTES = 64 << 20 };

enum request_state {
    PENDING,   /* not answered yet; libmicrohttpd's thread is in or before the handler */
    SUSPENDED, /* the handler returned without an answer */
    ANSWERED,
    ABANDONED, /* answered by 503 because the server stops; the handler may come yet */
};

/* What a connection's deadline is about; see http_watch.c. */
enum phase { PHASE_FRESH, PHASE_REQUEST, PHASE_HANDLER, PHASE_ANSWER, PHASE_IDLE };

struct header {
    const char *name, *value;
    struct header *next;
};

/* Where an answer that was given at once is on its way; see http_hold.c. */
enum turn { TURN_NONE, TURN_HELD, TURN_SENDING };

/* One of libmicrohttpd's threads; but for `thread`, its own. */
struct worker {
    pthread_t thread;
    unsigned held, sending; /* how many of its requests are there */
    unsigned batch;         /* the last one that was handed over; 0 = none was */
    int64_t began_ns;       /* with the first of those that are held */
    char apart[64];         /* so that two threads do not write to one line of memory */
};

/* Of one request; cleared at its line. */
struct call {
    const char *target; /* the raw target, copied: path and query, as sent */
    size_t target_len;
    const char *path_end; /* of the path within target */
    const char *raw;      /* the target where libmicrohttpd has it, for the guard only */
    enum http_method method;
    char method_name[16];
    struct route_match match;
    struct url_pair *query;
    size_t query_count;
    struct header *headers; /* of the answer */
    char id[ID_MOST + 1];
    const char *key_name, *origin;
    int64_t began_ns;
    uint64_t body_bytes; /* received so far, kept or not */
    unsigned status;
    const char *content_type, *answer;
    size_t answer_len;
    enum turn turn;
    unsigned stood_back_for;
    bool line_ok, head_done, dispatched, discard, close, failed, sent;
};

struct http_request {
    struct http_server *server; /* gone once the request is abandoned */
    void *ctx;
    struct MHD_Connection *mhd;
    struct http_request *next, *before; /* in the server's list, under its lock */
    int fd;
    size_t worker;
    atomic_int_fast64_t deadline_ms; /* 0 = none */
    atomic_int phase, state;
    atomic_bool measured;  /* acknowledged is of this answer */
    uint64_t acknowledged; /* bytes that the client has; the watcher's own */
    atomic_int owners;     /* the connection, and after an abandonment the handler */
    struct rng ids;
    struct arena arena;
    struct str body, out, log; /* out: the answer's text, or spare memory for the next */
    size_t body_charged;       /* of the server's body_memory */
    struct call call;
};

struct http_server {
    struct http_options o;
    void *ctx;
    http_log_fn *log;
    void *log_ctx;
    struct router *router;
    size_t route_count;
    struct keys *keys;
    struct counters *counters;
    struct cors *cors;
    struct MHD_Daemon *daemon;
    char *tls_cert, *tls_key; /* between opening and serving */
    bool serves;
    unsigned port;
    bool loose_parser; /* libmicrohttpd is older than MHD_STRICT_SINCE */
    uint64_t id_seed;
    atomic_uint_fast64_t connections_so_far;
    atomic_size_t body_memory;
    atomic_long suspended; /* requests that libmicrohttpd must still be told to resume */
    atomic_bool stopping;  /* connections end after their answer */
    atomic_bool closing;   /* nothing is waited for any more */

    pthread_mutex_t lock;   /* of what follows */
    pthread_cond_t changed; /* the list has become empty, or the port closed */
    struct http_request *requests;
    struct worker workers[WORKERS_MOST];
    size_t worker_count;
    int listen_fd; /* -1 once closed */

    /* The keeper's own, but for what is atomic. */
    pthread_t keeper;
    int wake_fd;
    atomic_bool accepting, keeping;
    atomic_bool crowded;     /* a connection that ends wakes it */
    atomic_long handed_over; /* to libmicrohttpd, which has not begun with them */
    long handed_before;
    int64_t ticked_ms, quiet_until_ms;
};

/* http_listen.c: a bound, listening, non-blocking socket. */
MUST_USE enum pal_status listen_on(const char *listen, bool may_be_open, int *fd, unsigned *port,
                                   struct pal_error *err);

/* http_tls.c: the two files as texts that gnutls takes and that belong together. */
MUST_USE enum pal_status tls_load(const char *cert_path, const char *key_path, char **cert,
                                  char **key, struct pal_error *err);
void tls_forget(char *key); /* wipes and frees */

/* http_serve.c: libmicrohttpd's callbacks. */
void *serve_line(void *server, const char *target, struct MHD_Connection *mhd);
enum MHD_Result serve_request(void *server, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *size, void **request);
void serve_completed(void *server, struct MHD_Connection *mhd, void **request,
                     enum MHD_RequestTerminationCode code);

/* http_hold.c: whether a request has to wait for the next pass before it goes to its handler; an
 * answer that is there at once is held; it is handed over; its request is done. */
bool hold_back(struct http_request *r);
void hold(struct http_request *r);
void hold_send(struct http_request *r);
void hold_end(struct http_request *r);

/* http_guard.c: what is wrong with a request's head, as a sentence, or NULL. *status and *code get
 * what to answer. */
const char *guard_head(struct http_request *r, const char *method, const char *version,
                       unsigned *status, const char **code);
/* What kind of body this is and how long: UINT64_MAX where it isn't said. */
bool guard_has_body(struct http_request *r, uint64_t *len);

/* http_answer.c: hands the answer that `call` holds to libmicrohttpd. */
enum MHD_Result answer_send(struct http_request *r);
/* The same for one that was abandoned; looks at nothing that the handler may be writing. */
enum MHD_Result answer_abandoned(struct http_request *r);

/* http_watch.c */
void watch_connected(void *server, struct MHD_Connection *mhd, void **context,
                     enum MHD_ConnectionNotificationCode code);
void watch_drop_late(struct http_server *s);
void watch_phase(struct http_request *r, enum phase phase);
void watch_hang_up_idle(struct http_server *s);
bool watch_wait_empty(struct http_server *s, int64_t seconds); /* no connection is left */
void watch_abandon_all(struct http_server *s); /* resumes what is still suspended, with 503 */
void watch_abandon(struct http_request *r);    /* the same for one */
void request_release(struct http_request *r);  /* one owner less; the last frees it */

/* http_accept.c: the keeper, a thread that accepts and calls watch_drop_late a few times a second.
 */
MUST_USE enum pal_status accept_start(struct http_server *s, struct pal_error *err);
void accept_wake(struct http_server *s);
void accept_end(struct http_server *s);  /* closes the port, after taking those who wait */
void accept_stop(struct http_server *s); /* ends the thread */

/* http_cors.c */
struct cors;
MUST_USE enum pal_status cors_new(const char *origins, struct cors **out, struct pal_error *err);
void cors_free(struct cors *c);
void cors_answer(struct http_request *r); /* adds the headers that let an allowed origin read it */
bool cors_preflight(struct http_request *r); /* answers if it is one */
/* A page of a site that may not sends this to change things. */
bool cors_foreign(struct http_request *r);

/* http_hosts.c: the name that it is called by is one it goes by */
bool hosts_serve(struct http_request *r);

/* http_log.c */
void http_log_request(struct http_request *r, int64_t duration_ns);
void http_log_say(struct http_server *s, const char *level, const char *message);
void http_log_library(void *server, const char *format, va_list args);

#endif
