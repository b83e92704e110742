/* A web server that says what a test tells it to say: a thread that answers one request after the
 * other, so that what a client makes of a server's odd moments can be looked at without one. */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* request: "GET /path?query", without the protocol; number: how often just that was asked, from 1.
 * Returns the status, with the body in *body (a text that stays), or 0: the connection is cut. */
typedef int scripted_fn(const char *request, unsigned number, const char **body);

enum { SCRIPTED_ASKED = 200, SCRIPTED_REQUEST = 4096 };

struct scripted {
    int door, port;
    pthread_t thread;
    scripted_fn *fn;
    char asked[SCRIPTED_ASKED][SCRIPTED_REQUEST]; /* (count) in order */
    unsigned count;
};

/* Reads a request with its body; false when the client has left. */
static inline bool scripted_read(int fd, char *head, size_t size)
{
    size_t used = 0, rest;
    char *end = NULL, *length, sink[4096];
    while (!end) {
        ssize_t n = used + 1 < size ? read(fd, head + used, size - used - 1) : 0;
        if (n <= 0)
            return false;
        used += (size_t)n;
        head[used] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    length = strcasestr(head, "\r\ncontent-length:");
    rest = length ? strtoul(length + 17, NULL, 10) : 0;
    size_t had = used - (size_t)(end + 4 - head);
    for (rest = rest > had ? rest - had : 0; rest;) {
        ssize_t n = read(fd, sink, rest < sizeof sink ? rest : sizeof sink);
        if (n <= 0)
            return false;
        rest -= (size_t)n;
    }
    char *line = strstr(head, " HTTP/1.1\r\n");
    assert_non_null(line);
    *line = 0;
    return true;
}

static inline unsigned scripted_note(struct scripted *s, const char *request)
{
    unsigned number = 1;
    for (unsigned i = 0; i < s->count; i++)
        number += strcmp(s->asked[i], request) == 0;
    assert_true(s->count < SCRIPTED_ASKED);
    snprintf(s->asked[s->count++], SCRIPTED_REQUEST, "%s", request);
    return number;
}

static inline void *scripted_loop(void *arg)
{
    struct scripted *s = arg;
    char *head = malloc(SCRIPTED_REQUEST);
    for (int fd; (fd = accept(s->door, NULL, NULL)) >= 0; close(fd)) {
        while (scripted_read(fd, head, SCRIPTED_REQUEST)) {
            const char *body = "";
            int status = s->fn(head, scripted_note(s, head), &body);
            if (!status)
                break;
            dprintf(fd, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nETag: \"e\"\r\n\r\n%s", status,
                    strlen(body), body);
        }
    }
    free(head);
    return NULL;
}

static inline struct scripted *scripted_new(scripted_fn *fn)
{
    struct scripted *s = calloc(1, sizeof *s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_non_null(s);
    s->fn = fn;
    s->door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->door, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->door, 16), 0);
    assert_int_equal(getsockname(s->door, (struct sockaddr *)&at, &size), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, scripted_loop, s), 0);
    return s;
}

/* The thread ends when the client has; what was asked can be looked at then. */
static inline void scripted_stop(struct scripted *s)
{
    shutdown(s->door, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->door);
}

#endif
