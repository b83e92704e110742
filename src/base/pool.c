/* See pool.h. A loop is published under the lock with a number of its own; workers wake on a new
 * number, take grains from an atomic counter, and the last to finish wakes the caller. */
#include "base/pool.h"

#include "base/mem.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_THREADS = 256 };

struct worker {
    struct pool *pool;
    pthread_t thread;
    unsigned number; /* 1 … threads-1; the caller is 0 */
};

struct pool {
    unsigned threads;
    struct worker *workers; /* (threads - 1) */
    pthread_mutex_t lock;   /* guards all below but next */
    pthread_cond_t begin, end;
    uint64_t loop; /* number of the current loop */
    unsigned busy; /* workers that have not finished it */
    bool stop;
    pool_fn *fn;
    void *ctx;
    size_t n, grain;
    atomic_size_t next; /* first index nobody has taken */
};

unsigned pool_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
}

static void take_grains(struct pool *p, unsigned worker)
{
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&p->next, p->grain, memory_order_relaxed);
        if (begin >= p->n)
            return;
        size_t end = p->n - begin < p->grain ? p->n : begin + p->grain;
        p->fn(p->ctx, begin, end, worker);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct pool *p = w->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->loop == seen)
            pthread_cond_wait(&p->begin, &p->lock);
        if (p->stop)
            break;
        seen = p->loop;
        pthread_mutex_unlock(&p->lock);
        take_grains(p, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->busy == 0)
            pthread_cond_signal(&p->end);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Starts what threads the system gives; with fewer than asked for the pool is only smaller.
 * They block all signals, so that Ctrl-C always reaches the program's own thread. */
static void start_workers(struct pool *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    unsigned want = p->threads;
    p->threads = 1;
    for (unsigned i = 1; i < want; i++) {
        struct worker *w = &p->workers[i - 1];
        w->pool = p;
        w->number = i;
        if (pthread_create(&w->thread, NULL, work, w))
            break;
        p->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum pal_status pool_new(unsigned threads, struct pool **out, struct pal_error *err)
{
    if (threads == 0)
        threads = pool_cores();
    if (threads > MAX_THREADS)
        return pal_fail(err, PAL_EUSAGE, "%u threads are too many: at most %d", threads,
                        MAX_THREADS);
    struct pool *p = mem_zero(1, sizeof *p);
    struct worker *workers = mem_zero(threads, sizeof *workers);
    if (!p || !workers) {
        mem_free(p);
        mem_free(workers);
        return pal_no_memory(err);
    }
    p->threads = threads;
    p->workers = workers;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->begin, NULL);
    pthread_cond_init(&p->end, NULL);
    start_workers(p);
    *out = p;
    return PAL_OK;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i < p->threads; i++)
        pthread_join(p->workers[i - 1].thread, NULL);
    pthread_cond_destroy(&p->begin);
    pthread_cond_destroy(&p->end);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->workers);
    mem_free(p);
}

unsigned pool_size(const struct pool *p)
{
    return p ? p->threads : 1;
}

/* Runs in the caller's thread, but in the same grains as with many. */
static void run_alone(size_t n, size_t grain, pool_fn *fn, void *ctx)
{
    for (size_t begin = 0; begin < n; begin += grain)
        fn(ctx, begin, n - begin < grain ? n : begin + grain, 0);
}

void pool_for(struct pool *p, size_t n, size_t grain, pool_fn *fn, void *ctx)
{
    if (grain == 0)
        grain = 1;
    if (pool_size(p) == 1 || n <= grain) {
        run_alone(n, grain, fn, ctx);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->fn = fn;
    p->ctx = ctx;
    p->n = n;
    p->grain = grain;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    p->busy = p->threads - 1;
    p->loop++;
    pthread_cond_broadcast(&p->begin);
    pthread_mutex_unlock(&p->lock);
    take_grains(p, 0);
    pthread_mutex_lock(&p->lock);
    while (p->busy)
        pthread_cond_wait(&p->end, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
