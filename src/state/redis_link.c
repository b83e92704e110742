/* One connection to a Redis server. The socket does not block: every wait ends with the call's
 * deadline. */
#include "base/clock.h"
#include "state/redis_inside.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_AT_ONCE = 16 << 10 };

enum pal_status link_wait(int fd, short events, uint64_t deadline_ns, struct pal_error *err)
{
    for (;;) {
        uint64_t now = clock_steady_ns();
        uint64_t ns = deadline_ns > now ? deadline_ns - now : 0;
        struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u),
                                .tv_nsec = (long)(ns % 1000000000u)};
        struct pollfd p = {.fd = fd, .events = events};
        int n = ppoll(&p, 1, &left, NULL);
        if (n > 0)
            return PAL_OK;
        if (n == 0)
            return pal_fail(err, PAL_EIO, "it does not answer in time");
        if (errno != EINTR)
            return pal_fail(err, PAL_EIO, "waiting failed: %s", strerror(errno));
    }
}

/* ---- Connecting ---- */

static int make_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd >= 0 && family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    return fd;
}

static enum pal_status connect_to(int fd, const struct sockaddr *to, socklen_t size,
                                  uint64_t deadline_ns, struct pal_error *err)
{
    int e = 0;
    socklen_t len = sizeof e;
    if (connect(fd, to, size) == 0)
        return PAL_OK;
    if (errno != EINPROGRESS && errno != EINTR)
        return pal_fail(err, PAL_EIO, "cannot connect: %s", strerror(errno));
    enum pal_status st = link_wait(fd, POLLOUT, deadline_ns, err);
    if (st == PAL_OK && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) || e))
        st = pal_fail(err, PAL_EIO, "cannot connect: %s", strerror(e ? e : errno));
    return st;
}

static enum pal_status open_path(const char *path, uint64_t deadline_ns, int *out,
                                 struct pal_error *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path)
        return pal_fail(err, PAL_EUSAGE, "the path of the socket is too long");
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = make_socket(AF_UNIX);
    if (fd < 0)
        return pal_fail(err, PAL_EIO, "no socket: %s", strerror(errno));
    enum pal_status st = connect_to(fd, (const struct sockaddr *)&to, sizeof to, deadline_ns, err);
    if (st != PAL_OK)
        close(fd);
    else
        *out = fd;
    return st;
}

/* Tries each address of the host. */
static enum pal_status open_host(const struct lookup_addresses *hosts, uint64_t deadline_ns,
                                 int *out, struct pal_error *err)
{
    enum pal_status st = pal_fail(err, PAL_EIO, "the host has no address");
    for (size_t i = 0; i < hosts->count && st != PAL_OK; i++) {
        const struct sockaddr *to = (const struct sockaddr *)&hosts->at[i].to;
        int fd = make_socket(to->sa_family);
        if (fd < 0) {
            st = pal_fail(err, PAL_EIO, "no socket: %s", strerror(errno));
            continue;
        }
        st = connect_to(fd, to, hosts->at[i].size, deadline_ns, err);
        if (st != PAL_OK)
            close(fd);
        else
            *out = fd;
    }
    return st;
}

enum pal_status link_open(const struct redis_url *u, const struct lookup_addresses *hosts,
                          uint64_t deadline_ns, struct link **out, struct pal_error *err)
{
    struct link *k = mem_zero(1, sizeof *k);
    if (!k)
        return pal_no_memory(err);
    k->fd = -1;
    k->reader = redisReaderCreate();
    enum pal_status st = k->reader ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = u->path ? open_path(u->path, deadline_ns, &k->fd, err)
                     : open_host(hosts, deadline_ns, &k->fd, err);
    if (st == PAL_OK && u->tls)
        st = redis_tls_open(u, k->fd, deadline_ns, &k->tls, err);
    if (st != PAL_OK)
        link_close(k);
    else
        *out = k;
    return st;
}

void link_close(struct link *k)
{
    if (!k)
        return;
    redis_tls_close(k->tls);
    if (k->fd >= 0)
        close(k->fd);
    if (k->reader)
        redisReaderFree(k->reader);
    mem_free(k);
}

/* ---- Talking ---- */

enum pal_status link_send(struct link *k, const void *bytes, size_t size, uint64_t deadline_ns,
                          struct pal_error *err)
{
    const char *p = bytes;
    while (size) {
        ssize_t n = k->tls ? redis_tls_write(k->tls, p, size) : send(k->fd, p, size, MSG_NOSIGNAL);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return pal_fail(err, PAL_EIO, "the connection broke: %s", strerror(errno));
        enum pal_status st = link_wait(k->fd, POLLOUT, deadline_ns, err);
        if (st != PAL_OK)
            return st;
    }
    return PAL_OK;
}

/* Reads what there is, waiting for it. */
static enum pal_status receive(struct link *k, uint64_t deadline_ns, struct pal_error *err)
{
    char buf[READ_AT_ONCE];
    for (;;) {
        ssize_t n =
            k->tls ? redis_tls_read(k->tls, buf, sizeof buf) : recv(k->fd, buf, sizeof buf, 0);
        if (n > 0)
            return redisReaderFeed(k->reader, buf, (size_t)n) == REDIS_OK ? PAL_OK
                                                                          : pal_no_memory(err);
        if (n == 0)
            return pal_fail(err, PAL_EIO, "it closed the connection");
        if (errno != EAGAIN && errno != EINTR)
            return pal_fail(err, PAL_EIO, "the connection broke: %s", strerror(errno));
        enum pal_status st = link_wait(k->fd, POLLIN, deadline_ns, err);
        if (st != PAL_OK)
            return st;
    }
}

enum pal_status link_reply(struct link *k, uint64_t deadline_ns, redisReply **out,
                           struct pal_error *err)
{
    void *reply = NULL;
    for (;;) {
        if (redisReaderGetReply(k->reader, &reply) != REDIS_OK)
            return pal_fail(err, PAL_EIO, "what it says is not Redis's protocol: %s",
                            k->reader->errstr);
        if (reply)
            break;
        enum pal_status st = receive(k, deadline_ns, err);
        if (st != PAL_OK)
            return st;
    }
    *out = reply;
    k->used = true;
    return PAL_OK;
}
