/* See work.h. A ring of jobs behind one lock. */
#include "server/work.h"

#include "base/mem.h"

#include <pthread.h>

struct job {
    http_handler *handler;
    void *ctx;
    struct http_request *request;
};

struct work {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *ring; /* (most) */
    size_t most, first, count, running;
    bool ending;
    pthread_t *threads; /* (thread_count) */
    unsigned thread_count;
};

static void *work_main(void *arg)
{
    struct work *w = arg;
    pthread_setname_np(pthread_self(), "palate-work");
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->count && !w->ending)
            pthread_cond_wait(&w->more, &w->lock);
        if (!w->count)
            break;
        struct job job = w->ring[w->first];
        w->first = (w->first + 1) % w->most;
        w->count--;
        w->running++;
        pthread_mutex_unlock(&w->lock);
        job.handler(job.ctx, job.request);
        pthread_mutex_lock(&w->lock);
        w->running--;
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum pal_status work_new(unsigned threads, size_t most, struct work **out, struct pal_error *err)
{
    struct work *w = mem_zero(1, sizeof *w);
    if (!w)
        return pal_no_memory(err);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->most = most;
    w->ring = mem_zero(most, sizeof *w->ring);
    w->threads = mem_zero(threads, sizeof *w->threads);
    while (w->ring && w->threads && w->thread_count < threads &&
           !pthread_create(&w->threads[w->thread_count], NULL, work_main, w))
        w->thread_count++;
    if (w->thread_count < threads) {
        work_free(w);
        return pal_no_memory(err);
    }
    *out = w;
    return PAL_OK;
}

void work_free(struct work *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    mem_free(w->threads);
    mem_free(w->ring);
    mem_free(w);
}

bool work_try(struct work *w, http_handler *handler, void *ctx, struct http_request *r)
{
    pthread_mutex_lock(&w->lock);
    bool room = w->count < w->most && !w->ending;
    if (room)
        w->ring[(w->first + w->count++) % w->most] = (struct job){handler, ctx, r};
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    return room;
}

void work_add(struct work *w, http_handler *handler, void *ctx, struct http_request *r)
{
    struct pal_error err;
    if (work_try(w, handler, ctx, r))
        return;
    enum pal_status st = pal_fail(
        &err, PAL_EFULL, "too many slow calls wait already (%zu): try again later", w->most);
    http_error(r, st, &err);
}

size_t work_depth(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    size_t depth = w->count + w->running;
    pthread_mutex_unlock(&w->lock);
    return depth;
}
