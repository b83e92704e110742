/* The thread that accepts connections and looks after deadlines.
 *
 * libmicrohttpd could accept by itself, but can't be told to stop safely: MHD_quiesce_daemon of
 * 0.9.75 races with its own threads over the listening socket, and aborts the process if it loses.
 * So connections are accepted here and handed over, and the one thread that uses the socket closes
 * it. */
#include "base/clock.h"
#include "server/http_inner.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 200, ACCEPT_AT_ONCE = 64, QUIET_MS = 10000 };

/* Connections that libmicrohttpd's threads have not begun with yet count, too. */
static bool has_room(struct http_server *s)
{
    return counters_open(s->counters) + atomic_load(&s->handed_over) < s->o.connections_most;
}

/* No descriptor or memory is left: the log says so now and then. */
static void say_full(struct http_server *s, int why)
{
    char message[160];
    int64_t now = clock_coarse_ms();
    if (now < s->quiet_until_ms)
        return;
    s->quiet_until_ms = now + QUIET_MS;
    snprintf(message, sizeof message, "can't accept a connection: %s", strerror(why));
    http_log_say(s, "warning", message);
}

/* Takes up to `most` of those that wait; false if the system has no room for another. */
static bool accept_some(struct http_server *s, int most)
{
    while (most-- && has_room(s)) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int fd =
            accept4(s->listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            atomic_fetch_add(&s->handed_over, 1);
            if (MHD_add_connection(s->daemon, fd, (struct sockaddr *)&from, len) != MHD_YES)
                atomic_fetch_sub(&s->handed_over, 1); /* it has closed the socket */
        } else if (errno == EAGAIN)
            return true;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            say_full(s, errno);
            return false;
        } /* else: it went away while it waited */
    }
    return true;
}

/* What libmicrohttpd dropped for want of memory it never told of: after a while without a change
 * nobody is on the way any more. */
static void forget_lost(struct http_server *s)
{
    long now = atomic_load(&s->handed_over);
    if (now == s->handed_before)
        atomic_compare_exchange_strong(&s->handed_over, &now, 0);
    s->handed_before = atomic_load(&s->handed_over);
}

static void tick(struct http_server *s)
{
    int64_t now = clock_coarse_ms();
    if (now - s->ticked_ms < TICK_MS)
        return;
    s->ticked_ms = now;
    watch_drop_late(s);
    forget_lost(s);
}

/* Those who wait already are still served. */
static void end_accepting(struct http_server *s)
{
    (void)accept_some(s,
                      s->o.connections_most < INT32_MAX ? (int)s->o.connections_most : INT32_MAX);
    pthread_mutex_lock(&s->lock);
    close(s->listen_fd);
    s->listen_fd = -1;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void *keep(void *server)
{
    struct http_server *s = server;
    bool system_full = false;
    pthread_setname_np(pthread_self(), "palate-accept");
    while (atomic_load(&s->keeping)) {
        uint64_t count;
        atomic_store(&s->crowded, true); /* before looking, so that no leaving is missed */
        bool room = s->listen_fd >= 0 && !system_full && has_room(s);
        atomic_store(&s->crowded, !room);
        struct pollfd fds[] = {{s->wake_fd, POLLIN, 0}, {room ? s->listen_fd : -1, POLLIN, 0}};
        (void)poll(fds, 2, TICK_MS);
        if (fds[0].revents && read(s->wake_fd, &count, sizeof count) < 0)
            continue;
        system_full = room && fds[1].revents && !accept_some(s, ACCEPT_AT_ONCE);
        if (s->listen_fd >= 0 && !atomic_load(&s->accepting))
            end_accepting(s);
        tick(s);
    }
    return NULL;
}

void accept_wake(struct http_server *s)
{
    const uint64_t one = 1;
    ssize_t n = write(s->wake_fd, &one, sizeof one);
    (void)n; /* full: it wakes up anyway */
}

enum pal_status accept_start(struct http_server *s, struct pal_error *err)
{
    s->ticked_ms = clock_coarse_ms();
    atomic_store(&s->accepting, true);
    atomic_store(&s->keeping, true);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0)
        return pal_fail(err, PAL_EIO, "can't make an event descriptor: %s", strerror(errno));
    int failed = pthread_create(&s->keeper, NULL, keep, s);
    if (failed)
        return pal_fail(err, PAL_ENOMEM, "can't start a thread: %s", strerror(failed));
    return PAL_OK;
}

void accept_end(struct http_server *s)
{
    atomic_store(&s->accepting, false);
    accept_wake(s);
    pthread_mutex_lock(&s->lock);
    while (s->listen_fd >= 0)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void accept_stop(struct http_server *s)
{
    atomic_store(&s->keeping, false);
    accept_wake(s);
    pthread_join(s->keeper, NULL);
}
