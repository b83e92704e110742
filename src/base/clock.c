/* See clock.h. */
#include "base/clock.h"

enum { MS_NS = 1000000, S_NS = 1000000000 };

static int64_t ns_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * S_NS + t.tv_nsec;
}

int64_t clock_steady_ms(void)
{
    return ns_of(CLOCK_MONOTONIC) / MS_NS;
}

int64_t clock_steady_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

int64_t clock_coarse_ms(void)
{
    return ns_of(CLOCK_MONOTONIC_COARSE) / MS_NS;
}

int64_t clock_wall_ms(void)
{
    return ns_of(CLOCK_REALTIME) / MS_NS;
}

void clock_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(c, &steady);
    pthread_condattr_destroy(&steady);
}

struct timespec clock_at_ns(int64_t steady_ns)
{
    return (struct timespec){.tv_sec = (time_t)(steady_ns / S_NS),
                             .tv_nsec = (long)(steady_ns % S_NS)};
}

struct timespec clock_at_ms(int64_t steady_ms)
{
    return clock_at_ns(steady_ms * MS_NS);
}

struct timespec clock_in_ms(int64_t ms)
{
    return clock_at_ns(clock_steady_ns() + ms * MS_NS);
}

bool clock_pause(int64_t ms, pthread_mutex_t *lock, pthread_cond_t *wake, const bool *stop)
{
    struct timespec until = clock_in_ms(ms);
    pthread_mutex_lock(lock);
    while (!*stop)
        if (pthread_cond_timedwait(wake, lock, &until))
            break;
    bool go_on = !*stop;
    pthread_mutex_unlock(lock);
    return go_on;
}
