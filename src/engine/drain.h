/* The drain: a thread that carries what is in the journal into the store, in order, in large
 * transactions. While the store refuses it tries again, ever more rarely, and says so once. */
#ifndef ENGINE_DRAIN_H
#define ENGINE_DRAIN_H

#include "journal/journal.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

struct live;

struct drain {
    pthread_t thread;
    bool running;
    struct journal_reader *reader;
    struct journal_entry *entries; /* (most) */
    struct store_change *changes;  /* (most) */
    size_t most;
    struct stat file;  /* the store's, as it was opened */
    int64_t forget_ms; /* when old served lists are looked for next */

    atomic_ullong committed; /* the last number that is durable */
    atomic_ullong position;  /* the last that the store has */
    atomic_bool idle;        /* it waits for `committed` to move */
    atomic_ullong records, events, ns;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t work, moved;
    unsigned waiting; /* threads in drain_wait: no lingering */
    bool stop;
    bool failing;
    struct pal_error error;
};

/* position: what the store has. */
MUST_USE enum pal_status drain_start(struct live *l, uint64_t position, struct pal_error *err);

/* Ends the thread. What is in the journal stays there. */
void drain_stop(struct live *l);

/* Records up to seq are durable. */
void drain_committed(struct drain *d, uint64_t seq);

/* Waits until the store has everything up to seq. PAL_EIO with the reason if it can't by then. */
MUST_USE enum pal_status drain_wait(struct drain *d, uint64_t seq, unsigned wait_ms,
                                    struct pal_error *err);

#endif
