/* See lookup.h. */
#include "base/lookup.h"
#include "base/clock.h"

#include "base/mem.h"

#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int holders; /* the thread and who asked: the last one frees it */
    bool done;
    int result; /* of getaddrinfo */
    struct lookup_addresses found;
    char *host, *port; /* port may be NULL */
};

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    int left = --l->holders;
    pthread_mutex_unlock(&l->lock);
    if (left)
        return;
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->ended);
    mem_free(l->host);
    mem_free(l->port);
    mem_free(l);
}

/* getaddrinfo's result. */
static int ask(const char *host, const char *port, int flags, struct lookup_addresses *out)
{
    struct addrinfo *list = NULL, hint = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    int result = getaddrinfo(host, port, &hint, &list);
    if (result)
        return result;
    out->count = 0;
    for (const struct addrinfo *a = list; a && out->count < LOOKUP_MOST; a = a->ai_next) {
        if (a->ai_addrlen > sizeof out->at[0].to)
            continue;
        memcpy(&out->at[out->count].to, a->ai_addr, a->ai_addrlen);
        out->at[out->count++].size = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return 0;
}

static void *look(void *arg)
{
    struct lookup *l = arg;
    struct lookup_addresses found = {.count = 0};
    int result = ask(l->host, l->port, 0, &found);
    pthread_mutex_lock(&l->lock);
    l->done = true;
    l->result = result;
    l->found = found;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->lock);
    lookup_free(l);
    return NULL;
}

static bool start(struct lookup *l)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    l->holders = 2;
    bool ok = pthread_create(&thread, &attr, look, l) == 0;
    if (!ok)
        l->holders = 1;
    pthread_attr_destroy(&attr);
    return ok;
}

static struct lookup *make(const char *host, const char *port)
{
    struct lookup *l = mem_zero(1, sizeof *l);
    if (!l || !(l->host = mem_text(host, strlen(host))) ||
        (port && !(l->port = mem_text(port, strlen(port))))) {
        if (l)
            mem_free(l->host);
        mem_free(l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    clock_cond_init(&l->ended);
    if (start(l))
        return l;
    lookup_free(l);
    return NULL;
}

/* Whether it ended in time. */
static bool wait_end(struct lookup *l, int64_t until)
{
    struct timespec t = clock_at_ms(until);
    pthread_mutex_lock(&l->lock);
    int timed_out = 0;
    while (!l->done && !timed_out)
        timed_out = pthread_cond_timedwait(&l->ended, &l->lock, &t);
    bool done = l->done;
    pthread_mutex_unlock(&l->lock);
    return done;
}

enum pal_status lookup_host(struct lookup **pending, const char *host, const char *port,
                            int64_t until_ms, struct lookup_addresses *out, struct pal_error *err)
{
    struct lookup_addresses found;
    int result = 0;
    if (ask(host, port, AI_NUMERICHOST, &found)) {
        if (!*pending && !(*pending = make(host, port)))
            return pal_no_memory(err);
        if (!wait_end(*pending, until_ms))
            return pal_fail(err, PAL_EIO,
                            "no answer about the host name '%s': look at the name servers", host);
        result = (*pending)->result;
        found = (*pending)->found;
        lookup_free(*pending);
        *pending = NULL;
    }
    if (result)
        return pal_fail(err, PAL_EIO, "host '%s': %s", host, gai_strerror(result));
    if (out)
        *out = found;
    return PAL_OK;
}
