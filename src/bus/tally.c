/* See tally.h. */
#include "bus/tally.h"
#include "base/clock.h"

#include <errno.h>
#include <time.h>

void bus_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

void tally_init(struct tally *t, unsigned wanted)
{
    *t = (struct tally){.now.backlog = -1, .wanted = wanted};
    pthread_mutex_init(&t->lock, NULL);
}

void tally_done(struct tally *t)
{
    pthread_mutex_destroy(&t->lock);
}

void tally_up(struct tally *t, enum bus_use use, bool again)
{
    pthread_mutex_lock(&t->lock);
    t->up |= use;
    t->now.reconnects += again;
    pthread_mutex_unlock(&t->lock);
}

void tally_down(struct tally *t, enum bus_use use, const struct pal_error *why)
{
    pthread_mutex_lock(&t->lock);
    t->up &= ~(unsigned)use;
    t->now.error = *why;
    pthread_mutex_unlock(&t->lock);
}

void tally_add(struct tally *t, uint64_t published, uint64_t received, uint64_t refused)
{
    pthread_mutex_lock(&t->lock);
    t->now.published += published;
    t->now.received += received;
    t->now.refused += refused;
    pthread_mutex_unlock(&t->lock);
}

void tally_backlog(struct tally *t, int64_t backlog)
{
    pthread_mutex_lock(&t->lock);
    t->now.backlog = backlog;
    pthread_mutex_unlock(&t->lock);
}

void tally_look(struct tally *t, struct bus_status *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->now;
    out->connected = (t->up & t->wanted) == t->wanted;
    if (out->connected)
        out->error = (struct pal_error){0};
    pthread_mutex_unlock(&t->lock);
}

void pause_grow(struct pause *p, const struct pal_error *why)
{
    p->length_ms = p->length_ms ? p->length_ms * 2 : BUS_PAUSE_FIRST_MS;
    if (p->length_ms > BUS_PAUSE_MOST_MS)
        p->length_ms = BUS_PAUSE_MOST_MS;
    p->next_ms = clock_steady_ms() + p->length_ms;
    p->why = *why;
}

void pause_reset(struct pause *p)
{
    *p = (struct pause){0};
}

enum pal_status pause_wait(const struct pause *p, int64_t until, int64_t least_ms,
                           struct pal_error *err)
{
    int64_t now = clock_steady_ms();
    if (p->next_ms <= now)
        return PAL_OK;
    bool enough = p->next_ms + least_ms <= until;
    bus_sleep_ms((enough ? p->next_ms : until) - now);
    if (enough)
        return PAL_OK;
    return pal_fail(err, p->why.status, "%s", p->why.message);
}

int64_t bus_until(int64_t until, int64_t least_ms)
{
    int64_t least = clock_steady_ms() + least_ms;
    return until > least ? until : least;
}
