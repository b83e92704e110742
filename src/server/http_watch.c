/* Connections and their deadlines. libmicrohttpd's own timeout begins anew with each byte, so that
 * a client that sends one a second stays for ever. Here a connection has one deadline for all of
 * what it is about to do (send a request, take an answer, begin the next), and a thread that looks
 * at all of them a few times a second and shuts down the sockets of those who are late;
 * libmicrohttpd then finds the connection ended and does the rest. Only an answer, which may be
 * long, gets more time as long as the client takes it: the kernel knows how many bytes have been
 * acknowledged.
 *
 * A socket is shut down only under the lock and while its connection is in the list. Connections
 * leave the list, under the lock, before libmicrohttpd closes their socket: so the descriptor can't
 * belong to another by then. */
#include "base/clock.h"
#include "server/http_inner.h"

#include "base/mem.h"
#include "base/turns.h"

#include <assert.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ANSWER_BYTES_PER_SECOND = 4 << 10 };

void watch_phase(struct http_request *r, enum phase phase)
{
    const struct http_options *o = &r->server->o;
    int64_t seconds = 0;
    if (phase == PHASE_FRESH || phase == PHASE_REQUEST)
        seconds = o->request_seconds;
    else if (phase == PHASE_ANSWER)
        seconds = o->answer_seconds;
    else if (phase == PHASE_IDLE)
        seconds = o->idle_seconds;
    atomic_store_explicit(&r->measured, false, memory_order_relaxed);
    atomic_store_explicit(&r->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&r->deadline_ms, seconds ? clock_coarse_ms() + seconds * 1000 : 0,
                          memory_order_relaxed);
    if ((phase == PHASE_IDLE || phase == PHASE_FRESH) && atomic_load(&r->server->stopping))
        shutdown(r->fd, SHUT_RD); /* our own connection's thread: the socket is open */
}

/* ---- The list ---- */

/* Which of libmicrohttpd's threads this is. It has a daemon for each of them, but since 1.0 tells
 * of the one above them. Under the lock. */
static size_t worker_of_this_thread(struct http_server *s)
{
    pthread_t self = pthread_self();
    size_t i = 0;
    while (i < s->worker_count && !pthread_equal(s->workers[i].thread, self))
        i++;
    if (i == s->worker_count) {
        assert(i < WORKERS_MOST);
        s->workers[s->worker_count++].thread = self;
    }
    return i;
}

static void connected(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
    struct http_request *r = mem_zero(1, sizeof *r);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    *context = r;
    counters_connections(s->counters, 1);
    atomic_fetch_sub(&s->handed_over, 1);
    if (!r)
        return; /* its requests are refused */
    r->server = s;
    r->ctx = s->ctx;
    r->mhd = mhd;
    r->fd = fd->connect_fd;
    atomic_init(&r->owners, 1);
    atomic_init(&r->state, ANSWERED);
    rng_init(&r->ids, s->id_seed, atomic_fetch_add(&s->connections_so_far, 1));
    watch_phase(r, PHASE_FRESH);
    pthread_mutex_lock(&s->lock);
    r->worker = worker_of_this_thread(s);
    r->next = s->requests;
    if (r->next)
        r->next->before = r;
    s->requests = r;
    pthread_mutex_unlock(&s->lock);
}

void request_release(struct http_request *r)
{
    if (atomic_fetch_sub(&r->owners, 1) > 1)
        return;
    arena_done(&r->arena);
    str_done(&r->body);
    str_done(&r->out);
    str_done(&r->log);
    mem_free(r);
}

/* Whether libmicrohttpd ended the connection without a word: of a line that is no request it tells
 * nobody, so what is left to see is that bytes came and none went. Who was late is counted already,
 * and has no deadline any more; under TLS there are always bytes both ways. */
static bool was_gibberish(const struct http_server *s, const struct http_request *r)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (atomic_load(&r->phase) != PHASE_FRESH || !atomic_load(&r->deadline_ms) || s->o.tls_cert)
        return false;
    return !getsockopt(r->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
           len >= offsetof(struct tcp_info, tcpi_bytes_retrans) && info.tcpi_bytes_received > 0 &&
           info.tcpi_bytes_sent == 0;
}

static void disconnected(struct http_server *s, struct http_request *r)
{
    counters_connections(s->counters, -1);
    if (r && was_gibberish(s, r))
        counters_dropped(s->counters, DROPPED_REFUSED);
    if (atomic_load(&s->crowded))
        accept_wake(s);
    if (!r)
        return;
    pthread_mutex_lock(&s->lock);
    if (r->next)
        r->next->before = r->before;
    if (r->before)
        r->before->next = r->next;
    else
        s->requests = r->next;
    if (!s->requests)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    request_release(r);
}

void watch_connected(void *server, struct MHD_Connection *mhd, void **context,
                     enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        turns_soon(); /* libmicrohttpd's threads begin with no word to us */
        connected(server, mhd, context);
    } else {
        disconnected(server, *context);
    }
}

/* ---- Deadlines ---- */

/* Whether so much of an answer was taken since the last look that the client may go on; the first
 * look only measures. */
static bool goes_on(struct http_request *r)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(r->fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
        len < offsetof(struct tcp_info, tcpi_bytes_received))
        return false;
    uint64_t before = r->acknowledged;
    uint64_t least = (uint64_t)r->server->o.answer_seconds * ANSWER_BYTES_PER_SECOND;
    r->acknowledged = info.tcpi_bytes_acked;
    return !atomic_exchange(&r->measured, true) || r->acknowledged - before >= least;
}

/* The deadline is exchanged for the next only if it is still the one that has passed: the request
 * may have got on meanwhile. */
void watch_drop_late(struct http_server *s)
{
    int64_t now = clock_coarse_ms();
    pthread_mutex_lock(&s->lock);
    for (struct http_request *r = s->requests; r; r = r->next) {
        int64_t deadline = atomic_load(&r->deadline_ms), next = 0;
        int phase = atomic_load(&r->phase);
        if (!deadline || now < deadline)
            continue;
        if (phase == PHASE_ANSWER && goes_on(r))
            next = now + r->server->o.answer_seconds * 1000;
        if (!atomic_compare_exchange_strong(&r->deadline_ms, &deadline, next) || next)
            continue;
        shutdown(r->fd, SHUT_RDWR);
        counters_dropped(s->counters, phase == PHASE_ANSWER ? DROPPED_ANSWER
                                      : phase == PHASE_IDLE ? DROPPED_IDLE
                                                            : DROPPED_REQUEST);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- Stopping ---- */

/* What a client has sent already is still read; after that its connection ends. */
void watch_hang_up_idle(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct http_request *r = s->requests; r; r = r->next) {
        int phase = atomic_load(&r->phase);
        if (phase == PHASE_IDLE || phase == PHASE_FRESH)
            shutdown(r->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&s->lock);
}

bool watch_wait_empty(struct http_server *s, int64_t seconds)
{
    int late = 0;
    struct timespec until = clock_in_ms(seconds * 1000);
    pthread_mutex_lock(&s->lock);
    while (s->requests && !late)
        late = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    bool empty = !s->requests;
    pthread_mutex_unlock(&s->lock);
    return empty;
}

/* One owner more before the handler can know of it. */
void watch_abandon(struct http_request *r)
{
    int old = SUSPENDED;
    struct http_server *s = r->server;
    atomic_fetch_add(&r->owners, 1);
    if (atomic_compare_exchange_strong(&r->state, &old, ABANDONED)) {
        MHD_resume_connection(r->mhd);
        atomic_fetch_sub(&s->suspended, 1);
    } else
        request_release(r);
}

void watch_abandon_all(struct http_server *s)
{
    const struct timespec moment = {0, 1000000};
    pthread_mutex_lock(&s->lock);
    for (struct http_request *r = s->requests; r; r = r->next)
        if (atomic_load(&r->state) == SUSPENDED)
            watch_abandon(r);
    pthread_mutex_unlock(&s->lock);
    while (atomic_load(&s->suspended)) /* others are between two lines of hand_over or suspend */
        nanosleep(&moment, NULL);
}
