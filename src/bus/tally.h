/* What both kinds of brokers keep beside their connections: counters for bus_status, and the pauses
 * between attempts to connect. */
#ifndef BUS_TALLY_H
#define BUS_TALLY_H

#include "bus/bus.h"

#include <pthread.h>

enum { BUS_PAUSE_FIRST_MS = 100, BUS_PAUSE_MOST_MS = 5000, BUS_ATTEMPT_MS = 500 };
enum { BUS_CONNECT_MS = 3000 }; /* what bus_receive may take to connect */

void bus_sleep_ms(int64_t ms); /* not above 0: returns at once */

/* The counters, for any thread. */
struct tally {
    pthread_mutex_t lock;
    struct bus_status now; /* without `connected` */
    unsigned wanted, up;   /* enum bus_use, or-ed */
};

void tally_init(struct tally *t, unsigned wanted);
void tally_done(struct tally *t);
void tally_up(struct tally *t, enum bus_use use, bool again);
void tally_down(struct tally *t, enum bus_use use, const struct pal_error *why);
void tally_add(struct tally *t, uint64_t published, uint64_t received, uint64_t refused);
void tally_backlog(struct tally *t, int64_t backlog);
void tally_look(struct tally *t, struct bus_status *out);

/* When the next attempt may be made. A zeroed one: at once. */
struct pause {
    int64_t next_ms, length_ms;
    struct pal_error why; /* of the last attempt that failed */
};

/* After an attempt that failed, one that went well. */
void pause_grow(struct pause *p, const struct pal_error *why);
void pause_reset(struct pause *p);

/* Waits until the next attempt may be made, but not past `until`. PAL_EIO with the reason of the
 * last one when less than least_ms is left for another: the next call then begins with it. */
MUST_USE enum pal_status pause_wait(const struct pause *p, int64_t until, int64_t least_ms,
                                    struct pal_error *err);

/* The end of an attempt to connect: `until`, for who receives not before so many milliseconds. */
int64_t bus_until(int64_t until, int64_t least_ms);

#endif
