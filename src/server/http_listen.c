/* Where to listen: "127.0.0.1:8080", "[::1]:8080", "localhost:0". */
#include "server/http_inner.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

struct address {
    char host[256], port[8];
};

static bool split(const char *listen, struct address *a)
{
    const char *colon = strrchr(listen, ':'), *host = listen, *end = colon;
    if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1] ||
        strlen(colon + 1) > 5)
        return false;
    if (*host == '[') {
        host++;
        end--;
        if (end < host || *end != ']')
            return false;
    } else if (memchr(host, ':', (size_t)(end - host)))
        return false;
    if (end == host || (size_t)(end - host) >= sizeof a->host)
        return false;
    memcpy(a->host, host, (size_t)(end - host));
    a->host[end - host] = 0;
    memcpy(a->port, colon + 1, strlen(colon + 1) + 1);
    return strtol(a->port, NULL, 10) <= 65535;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static enum pal_status bind_to(const struct addrinfo *a, const char *listen_to, int *out,
                               struct pal_error *err)
{
    const int on = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return pal_fail(err, PAL_EIO, "can't make a socket for %s: %s", listen_to, strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
        *out = fd;
        return PAL_OK;
    }
    int why = errno;
    close(fd);
    if (why == EADDRINUSE)
        return pal_fail(err, PAL_EIO,
                        "another program listens on %s already: stop it, or listen elsewhere "
                        "(--listen HOST:PORT; port 0 takes any free one)",
                        listen_to);
    if (why == EACCES)
        return pal_fail(err, PAL_EIO,
                        "this user may not listen on %s: take a port from 1024 on (--listen "
                        "HOST:PORT)",
                        listen_to);
    return pal_fail(err, PAL_EIO, "can't listen on %s: %s", listen_to, strerror(why));
}

/* The first address, but an IPv4 one where there are both: "localhost" means 127.0.0.1 to most. */
static const struct addrinfo *choose(const struct addrinfo *found)
{
    for (const struct addrinfo *a = found; a; a = a->ai_next)
        if (a->ai_family == AF_INET)
            return a;
    return found;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &len))
        return 0;
    return a.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&a)->sin_port)
                                  : ntohs(((struct sockaddr_in6 *)&a)->sin6_port);
}

enum pal_status listen_on(const char *listen_to, bool may_be_open, int *fd, unsigned *port,
                          struct pal_error *err)
{
    struct address address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    if (!split(listen_to, &address))
        return pal_fail(err, PAL_EUSAGE,
                        "'%.200s' is no address to listen on: give HOST:PORT, such as "
                        "127.0.0.1:8080 or [::1]:8080",
                        listen_to);
    int failed = getaddrinfo(address.host, address.port, &hints, &found);
    if (failed)
        return pal_fail(err, PAL_EUSAGE, "can't find the host of %.200s: %s", listen_to,
                        gai_strerror(failed));
    enum pal_status st =
        !may_be_open && !is_loopback(choose(found)->ai_addr)
            ? pal_fail(err, PAL_EUSAGE,
                       "%.200s can be reached from other machines, and no API keys are set: give a "
                       "file of keys (--keys FILE), listen on 127.0.0.1, or say --insecure",
                       listen_to)
            : bind_to(choose(found), listen_to, fd, err);
    if (st == PAL_OK)
        *port = port_of(*fd);
    freeaddrinfo(found);
    return st;
}
