/* The queue to a server, and the thread that empties it.
 *
 * A message stays at the head until the server has taken it, so order holds: a run is created
 * before anything is said of it. While the server is away the thread waits longer and longer
 * between tries. When the program is about to end it has one more try, a few seconds at most, after
 * which whatever is left goes to a file (unsent.c). A name server that never answers may hold the
 * thread longer than that: then it is left behind, with all that it uses, for the little time that
 * the program still has. */
#include "base/clock.h"
#include "base/mem.h"
#include "track/inside.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 30000, CLOSING_MS = 5000, GRACE_MS = 1500 };

struct sender {
    char *root, *url, *experiment;
    struct mlflow *server; /* the thread's alone until it ended */
    struct unsent *unsent;
    pthread_t thread;
    _Atomic int64_t deadline_ms; /* 0 until the end is near */
    pthread_mutex_t lock;        /* guards what follows */
    pthread_cond_t wake;
    json_t *queue; /* array; its first `gone` have been sent */
    size_t gone, bytes;
    bool closing;
    json_t *known;        /* runs that the server has and that have not ended */
    bool lacks_artifacts; /* see mlflow.c */
    size_t lost, refused; /* messages */
    char away[256];       /* why the server could not be reached the last time; "" = it could */
    char refusal[256];    /* the first */
};

static void *work(void *ctx);

/* ---- the address ---- */

static enum pal_status read_url(const char *given, char *out, size_t size, struct pal_error *err)
{
    const char *url = strncmp(given, "mlflow:", 7) == 0 ? given + 7 : given;
    size_t len = strlen(url);
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t host = strcspn(url + scheme, "/");
    while (len > scheme && url[len - 1] == '/')
        len--;
    bool odd = !scheme || !host || len >= size || strpbrk(url, "?# \t\r\n\"<>\\") != NULL;
    if (!odd && memchr(url + scheme, '@', host))
        return pal_fail(err, PAL_EUSAGE,
                        "track: no password belongs in the address: set "
                        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD");
    if (odd)
        return pal_fail(err, PAL_EUSAGE,
                        "track = '%.100s' is no address of an MLflow server: give "
                        "mlflow:http://HOST:5000",
                        given);
    memcpy(out, url, len);
    out[len] = 0;
    return PAL_OK;
}

/* ---- beginning ---- */

static void sender_free(struct sender *s)
{
    if (!s)
        return;
    mlflow_free(s->server);
    json_decref(s->queue);
    json_decref(s->known);
    mem_free(s->root);
    mem_free(s->url);
    mem_free(s->experiment);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static enum pal_status start(struct sender *s, struct pal_error *err)
{
    sigset_t all, before;
    sigfillset(&all); /* Ctrl-C is for the program's own thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int bad = pthread_create(&s->thread, NULL, work, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return bad ? pal_fail(err, PAL_ENOMEM, "cannot start a thread: %s", strerror(bad)) : PAL_OK;
}

enum pal_status sender_new(const char *root, const char *url, struct sender **out,
                           struct pal_error *err)
{
    char address[500];
    const char *experiment = getenv("MLFLOW_EXPERIMENT_NAME");
    enum pal_status st = read_url(url, address, sizeof address, err);
    if (st)
        return st;
    if (!experiment || !*experiment)
        experiment = "palate";
    struct sender *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    pthread_mutex_init(&s->lock, NULL);
    clock_cond_init(&s->wake);
    s->root = mem_text(root, strlen(root));
    s->url = mem_text(address, strlen(address));
    s->experiment = mem_text(experiment, strlen(experiment));
    s->queue = json_array();
    if (!s->root || !s->url || !s->experiment || !s->queue || curl_global_init(CURL_GLOBAL_DEFAULT))
        st = pal_no_memory(err);
    if (!st)
        st = mlflow_new(s->url, s->experiment, &s->deadline_ms, &s->server, err);
    if (!st) {
        s->unsent = unsent_take(root, s->url, s->experiment, s->queue);
        st = start(s, err);
    }
    if (st) {
        unsent_leave(s->unsent);
        sender_free(s);
        return st;
    }
    *out = s;
    return PAL_OK;
}

static size_t weight_of(const json_t *message)
{
    size_t bytes = 512 + json_string_length(json_object_get(message, "text"));
    const json_t *body = json_object_get(message, "body"), *list;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)body, key, list) bytes += 128 * json_array_size(list);
    return bytes;
}

void sender_put(struct sender *s, json_t *message)
{
    size_t bytes = weight_of(message);
    pthread_mutex_lock(&s->lock);
    bool full =
        json_array_size(s->queue) - s->gone >= QUEUE_MOST || s->bytes + bytes > QUEUE_BYTES_MOST;
    if (full)
        json_decref(message);
    if (!full && json_array_append_new(s->queue, message) == 0)
        s->bytes += bytes;
    else
        s->lost++;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

/* ---- the thread ---- */

/* Until something changes or the time is up; the lock is held. */
static void pause_for(struct sender *s, int64_t ms)
{
    struct timespec until = clock_in_ms(ms);
    while (!s->closing && pthread_cond_timedwait(&s->wake, &s->lock, &until) != ETIMEDOUT)
        ;
}

/* The first that was not sent is gone; now and then room is made. The lock is held. */
static void drop_first(struct sender *s)
{
    size_t bytes = weight_of(json_array_get(s->queue, s->gone));
    s->bytes -= bytes < s->bytes ? bytes : s->bytes;
    json_array_set_new(s->queue, s->gone, json_null());
    if (++s->gone < 64 && s->gone < json_array_size(s->queue))
        return;
    json_t *rest = json_array();
    for (size_t i = s->gone; i < json_array_size(s->queue); i++)
        json_array_append(rest, json_array_get(s->queue, i));
    if (json_array_size(rest) == json_array_size(s->queue) - s->gone) {
        json_decref(s->queue);
        s->queue = rest;
        s->gone = 0;
    } else {
        json_decref(rest);
    }
}

static void take_outcome(struct sender *s, enum sent sent, const char *why)
{
    snprintf(s->away, sizeof s->away, "%s", sent == SENT_AWAY ? why : "");
    if (sent == SENT_REFUSED && !s->refused++)
        snprintf(s->refusal, sizeof s->refusal, "%s", why);
    if (sent == SENT_AWAY) { /* it may have been heard all the same: see mlflow.c */
        json_object_set_new(json_array_get(s->queue, s->gone), "tried", json_true());
        return;
    }
    drop_first(s);
    json_t *known = json_array();
    if (mlflow_known(s->server, known) == 0) {
        json_decref(s->known);
        s->known = json_incref(known);
    }
    json_decref(known);
    s->lacks_artifacts = mlflow_lacks_artifacts(s->server);
}

static void *work(void *ctx)
{
    struct sender *s = ctx;
    int64_t wait_ms = FIRST_PAUSE_MS;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        char why[256] = "";
        while (!s->closing && s->gone == json_array_size(s->queue))
            pthread_cond_wait(&s->wake, &s->lock);
        if (s->gone == json_array_size(s->queue))
            break;
        bool last_try = s->closing;
        json_t *message = json_incref(json_array_get(s->queue, s->gone));
        pthread_mutex_unlock(&s->lock);
        enum sent sent = mlflow_send(s->server, message, why, sizeof why);
        pthread_mutex_lock(&s->lock);
        json_decref(message); /* jansson's own counting is not quite made for threads */
        take_outcome(s, sent, why);
        if (sent != SENT_AWAY) {
            wait_ms = FIRST_PAUSE_MS;
            if (s->closing && clock_wall_ms() > s->deadline_ms)
                break;
            continue;
        }
        if (last_try)
            break;
        pause_for(s, wait_ms);
        wait_ms = wait_ms * 2 < LONGEST_PAUSE_MS ? wait_ms * 2 : LONGEST_PAUSE_MS;
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the end ---- */

/* What is left, after what the server has to be told again; the lock is held. */
static json_t *leftovers(const struct sender *s)
{
    size_t n = json_array_size(s->queue);
    json_t *left = json_array();
    if (s->gone == n || !left)
        return left;
    if (s->known)
        json_array_extend(left, s->known);
    for (size_t i = s->gone; i < n; i++)
        json_array_append(left, json_array_get(s->queue, i));
    return left;
}

static void say(const struct sender *s, bool kept, size_t left, const char *problem, char *note,
                size_t size)
{
    if (left && kept)
        snprintf(note, size,
                 "the tracker %s can't be reached (%s): what it is to be told is kept in "
                 "%s/unsent and goes with the next run",
                 s->url, *s->away ? s->away : "no time was left", s->root);
    else if (left)
        snprintf(note, size,
                 "the tracker %s can't be reached (%s), and what it was to be told "
                 "can't be kept: %s",
                 s->url, s->away, problem);
    else if (s->lost)
        snprintf(note, size, "the tracker %s was not told all: %zu messages were too many", s->url,
                 s->lost);
    else if (s->refused)
        snprintf(note, size, "the tracker %s refused %zu of what it was told: %s", s->url,
                 s->refused, s->refusal);
    else if (s->lacks_artifacts)
        snprintf(note, size,
                 "the tracker %s keeps artifacts where only its own clients can write: they were "
                 "left out",
                 s->url);
}

void sender_close(struct sender *s, char *note, size_t size)
{
    struct pal_error err = {0};
    pthread_mutex_lock(&s->lock);
    s->deadline_ms = clock_wall_ms() + CLOSING_MS;
    s->closing = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    struct timespec until = clock_at_ms(clock_wall_ms() + CLOSING_MS + GRACE_MS);
    bool ended = pthread_timedjoin_np(s->thread, NULL, &until) == 0;
    pthread_mutex_lock(&s->lock);
    json_t *left = leftovers(s);
    size_t count = json_array_size(left);
    enum pal_status st = unsent_close(s->unsent, s->root, s->url, s->experiment, left, &err);
    s->unsent = NULL;
    if (note && size)
        say(s, !st, count, err.message, note, size);
    json_decref(left);
    pthread_mutex_unlock(&s->lock);
    if (ended)
        sender_free(s);
    else
        pthread_detach(s->thread);
}
