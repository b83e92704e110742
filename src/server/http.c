/* See http.h and http_inner.h. Starting, stopping, and the options. */
#include "base/clock.h"
#include "server/http_inner.h"

#include "base/mem.h"
#include "base/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROW(field, kind, initial, min, max, help)                                                  \
    {                                                                                              \
#field, kind, offsetof(struct http_options, field), initial, min, max, OPT_LOG2, NULL,     \
            help                                                                                   \
    }

static const struct opt rows[] = {
    ROW(threads, OPT_INT, "0", 0, WORKERS_MOST, "threads that serve; 0 = one per core"),
    ROW(connections_most, OPT_INT, "4096", 1, 1 << 20, "connections at once; more wait"),
    ROW(connections_per_ip, OPT_INT, "0", 0, 1 << 20,
        "connections at once from one address; 0 = no limit of its own"),
    ROW(header_bytes_most, OPT_INT, "8192", 512, 1 << 20, "size of a request's head"),
    ROW(url_bytes_most, OPT_INT, "8192", 64, 1 << 20, "length of a request's URL"),
    ROW(body_memory_most, OPT_INT, "268435456", 1 << 16, 1e15,
        "bytes of all request bodies held at once"),
    ROW(request_seconds, OPT_INT, "30", 1, 86400, "for a whole request to come in"),
    ROW(answer_seconds, OPT_INT, "30", 1, 86400,
        "a client that takes less than 4 KiB/s of an answer for so long is dropped"),
    ROW(idle_seconds, OPT_INT, "75", 1, 86400, "how long a connection may wait for a request"),
    ROW(stop_seconds, OPT_INT, "10", 0, 3600, "how long stopping waits for requests under way"),
    ROW(hosts, OPT_TEXT, NULL, 0, 0,
        "names besides localhost that it may be called by without keys, with commas between"),
    ROW(access_log, OPT_BOOL, "false", 0, 0, "one JSON line per request"),
};
const struct opt_table http_option_table = {rows, sizeof rows / sizeof rows[0]};

/* Targets are decoded by http_url.c, after they are cut. */
static size_t leave_escaped(void *ctx, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static bool is_loose(void)
{
    unsigned major = 0, minor = 0, patch = 0;
    if (sscanf(MHD_get_version(), "%u.%u.%u", &major, &minor, &patch) != 3)
        return false;
    return major == 0 && (minor < 9 || (minor == 9 && patch < 77));
}

/* Each connection takes a descriptor: makes room for them as far as this process may. */
static void make_room(struct http_server *s)
{
    struct rlimit files;
    rlim_t need = (rlim_t)s->o.connections_most + 256;
    char message[160];
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= need)
        return;
    files.rlim_cur =
        files.rlim_max == RLIM_INFINITY || files.rlim_max > need ? need : files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur >= need)
        return;
    snprintf(
        message, sizeof message,
        "the system allows %llu open files, fewer than connections_most needs: raise ulimit -n",
        (unsigned long long)files.rlim_cur);
    http_log_say(s, "warning", message);
}

static size_t thread_count(const struct http_options *o)
{
    size_t n = o->threads ? (size_t)o->threads : pool_cores();
    return n < WORKERS_MOST ? n : WORKERS_MOST;
}

/* A connection's memory: the head, its parsed form, and the answer's head. No more than that:
 * libmicrohttpd clears all of it after each request, so that it passes through the near caches.
 * Up to 32 KiB it comes from the heap, beyond that each connection maps and unmaps pages. */
static size_t connection_bytes(const struct http_options *o)
{
    size_t need = 2 * (size_t)o->header_bytes_most + (1 << 12);
    return need > 1 << 14 ? need : 1 << 14;
}

static enum pal_status start_daemon(struct http_server *s, char *cert, char *key,
                                    struct pal_error *err)
{
    size_t threads = thread_count(&s->o);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    if (cert)
        flags |= MHD_USE_TLS;
    errno = 0;
    /* How many connections there are is the keeper's affair: this limit, which is shared out among
     * the threads, must never be reached. */
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, serve_request, s, MHD_OPTION_EXTERNAL_LOGGER, http_log_library, s,
        MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? (unsigned)threads : 0U,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)((size_t)(s->o.connections_most + 1000) * threads),
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)s->o.connections_per_ip,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes(&s->o), MHD_OPTION_STRICT_FOR_CLIENT,
        s->loose_parser ? 0 : 1, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, serve_line, s, MHD_OPTION_NOTIFY_COMPLETED, serve_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, watch_connected, s, MHD_OPTION_ARRAY, cert ? tls : &tls[3],
        MHD_OPTION_END);
    if (!s->daemon)
        return pal_fail(err, errno == ENOMEM ? PAL_ENOMEM : PAL_EIO, "can't start to serve: %s",
                        errno ? strerror(errno) : "libmicrohttpd refused");
    return PAL_OK;
}

static void forget_tls(struct http_server *s)
{
    mem_free(s->tls_cert);
    tls_forget(s->tls_key);
    s->tls_cert = s->tls_key = NULL;
}

static void server_free(struct http_server *s)
{
    if (!s)
        return;
    forget_tls(s);
    router_free(s->router);
    keys_free(s->keys);
    counters_free(s->counters);
    cors_free(s->cors);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    mem_free(s);
}

static enum pal_status server_new(const struct http_options *o, http_log_fn *log, void *log_ctx,
                                  struct http_server **out, struct pal_error *err)
{
    struct http_server *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->o = *o;
    s->listen_fd = s->wake_fd = -1;
    s->log = log;
    s->log_ctx = log_ctx;
    s->loose_parser = is_loose();
    if (getrandom(&s->id_seed, sizeof s->id_seed, GRND_NONBLOCK) != sizeof s->id_seed)
        s->id_seed = (uint64_t)clock_coarse_ms();
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->changed);
    *out = s;
    return PAL_OK;
}

static enum pal_status prepare(struct http_server *s, const struct http_route *routes, size_t count,
                               struct pal_error *err)
{
    enum pal_status st = router_new(routes, count, &s->router, err);
    s->route_count = count;
    if (st == PAL_OK)
        st = counters_new(routes, count, thread_count(&s->o), &s->counters, err);
    if (st == PAL_OK && s->o.keys)
        st = keys_load(s->o.keys, &s->keys, err);
    if (st == PAL_OK && s->o.cors)
        st = cors_new(s->o.cors, &s->cors, err);
    return st;
}

enum pal_status http_open(const struct http_options *o, const struct http_route *routes,
                          size_t count, http_log_fn *log, void *log_ctx, struct http_server **out,
                          struct pal_error *err)
{
    struct http_server *s = NULL;
    enum pal_status st = server_new(o, log, log_ctx, &s, err);
    if (st == PAL_OK)
        st = prepare(s, routes, count, err);
    if (st == PAL_OK && (o->tls_cert || o->tls_key))
        st = tls_load(o->tls_cert, o->tls_key, &s->tls_cert, &s->tls_key, err);
    if (st == PAL_OK)
        st = listen_on(o->listen, s->keys || o->insecure, &s->listen_fd, &s->port, err);
    if (st != PAL_OK) {
        server_free(s);
        return st;
    }
    *out = s;
    return PAL_OK;
}

enum pal_status http_serve(struct http_server *s, void *ctx, struct pal_error *err)
{
    s->ctx = ctx;
    make_room(s);
    enum pal_status st = start_daemon(s, s->tls_cert, s->tls_key, err);
    forget_tls(s);
    if (st != PAL_OK)
        return st;
    st = accept_start(s, err); /* the keeper sees all that was written before it began */
    if (st != PAL_OK)
        MHD_stop_daemon(s->daemon);
    s->serves = st == PAL_OK;
    return st;
}

enum pal_status http_start(const struct http_options *o, const struct http_route *routes,
                           size_t count, void *ctx, http_log_fn *log, void *log_ctx,
                           struct http_server **out, struct pal_error *err)
{
    struct http_server *s = NULL, *before = *out;
    enum pal_status st = http_open(o, routes, count, log, log_ctx, &s, err);
    if (st != PAL_OK)
        return st;
    *out = s;
    st = http_serve(s, ctx, err);
    if (st != PAL_OK) {
        *out = before;
        server_free(s);
    }
    return st;
}

unsigned http_port(const struct http_server *s)
{
    return s->port;
}

void http_stop(struct http_server *s)
{
    if (!s)
        return;
    if (!s->serves) {
        server_free(s);
        return;
    }
    atomic_store(&s->stopping, true); /* first: whoever is refused by now sees others say goodbye */
    accept_end(s);
    watch_hang_up_idle(s);
    if (!watch_wait_empty(s, s->o.stop_seconds))
        http_log_say(s, "warning",
                     "requests were still under way when the time to stop had passed");
    atomic_store(&s->closing, true);
    watch_abandon_all(s);
    accept_stop(s);
    MHD_stop_daemon(s->daemon);
    server_free(s);
}

void http_metrics(struct http_server *s, struct str *out)
{
    counters_show(s->counters, out);
}

size_t http_traffic(struct http_server *s, struct http_traffic *out, size_t most)
{
    return counters_traffic(s->counters, out, most);
}
