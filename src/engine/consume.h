/* Out of a stream into the store: a thread that takes what the broker has, in large transactions
 * that carry how far each journal's records came, and tells the broker only after that. What can't
 * be read is put aside. While the store or the broker is away it tries again, ever more rarely, and
 * says so once. */
#ifndef ENGINE_CONSUME_H
#define ENGINE_CONSUME_H

#include "bus/bus.h"
#include "data/stream_json.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct live;

struct consume_reach {
    char journal[STREAM_JOURNAL];
    unsigned shard;
    uint64_t seq;
};

struct consume {
    pthread_t thread;
    bool running;
    struct bus *bus; /* borrowed */
    struct stream_reader *reader;
    struct arena texts;           /* of the batch at hand */
    struct bus_received *got;     /* (most) */
    struct store_change *changes; /* (most) */
    size_t most;
    struct consume_reach *far;   /* of the batch at hand (reach_count) */
    struct store_reach *reaches; /* the same for the store */
    size_t reach_count, far_cap, reach_cap;
    bool stumbled;     /* something failed in this round */
    bool unsettled;    /* the broker was not told of all that it gave */
    int64_t forget_ms; /* when old served lists are looked for next */

    atomic_ullong records, repeated, refused; /* stored; events that were there; put aside */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    bool stop;
    bool failing;
    bool store_failing; /* and it is the store */
    struct pal_error error;
};

MUST_USE enum pal_status consume_start(struct live *l, struct pal_error *err);

/* Ends the thread. What was not stored comes again, to whoever takes it. */
void consume_stop(struct live *l);

#endif
