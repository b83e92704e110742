/* The drain: a thread that carries what is in the journal into the store, in order, in large
 * transactions; or, where there is a stream, into that. While it refuses it tries again, ever more
 * rarely, and says so once. */
#ifndef ENGINE_DRAIN_H
#define ENGINE_DRAIN_H

#include "engine/publish.h"
#include "journal/journal.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

struct live;

enum { DRAIN_LOW_BITS = 20 }; /* of the number, by which a store tells changes of one moment */
enum { DRAIN_ID = JOURNAL_IDENTITY + 17 }; /* "JOURNAL-000000000000002a" and a NUL */

struct drain {
    pthread_t thread;
    bool running;
    struct journal_reader *reader;
    struct journal_entry *entries; /* (most) */
    struct store_change *changes;  /* (most) */
    size_t most;
    uint64_t *seq; /* (most) */
    char *ids;     /* (most * DRAIN_ID) of events that came without; NULL = they stay without */
    struct publish publish;
    int64_t at_ms;     /* when the last one was accepted, as the store is told, */
    uint64_t last_seq; /* and its number */
    uint64_t replayed; /* up to there the journal was shown to memory at the start, though others
                          may have made some of it void; 0 = nothing was */
    bool streams;      /* publish is in use */
    struct stat file;  /* the store's, as it was opened */
    int64_t forget_ms; /* when old served lists are looked for next */

    atomic_ullong committed; /* the last number that is durable */
    atomic_ullong position;  /* the last that the store, or the stream, has */
    atomic_ullong stored;    /* the last that the store has, as far as is known; where nobody here
                                reads the store, that the stream has */
    atomic_bool idle;        /* it waits for `committed` to move */
    atomic_ullong records, events, ns;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t work, moved;
    unsigned waiting; /* threads in drain_wait: no lingering */
    bool stop;
    bool failing;
    struct pal_error error;
};

/* position: what the store, or the stream, has. */
MUST_USE enum pal_status drain_start(struct live *l, uint64_t position, struct pal_error *err);

/* The id of an event that came without one, by its number in its journal: "JOURNAL-…". */
void drain_id(const char *journal, uint64_t seq, char out[DRAIN_ID]);

/* Ends the thread. What is in the journal stays there. */
void drain_stop(struct live *l);

/* Records up to seq are durable. */
void drain_committed(struct drain *d, uint64_t seq);

/* The store has everything up to seq, by what another process did. */
void drain_stored(struct drain *d, uint64_t seq);

/* Waits until the store has everything up to seq; or, with `away`, until it has left the journal.
 * PAL_EIO with the reason if it can't by then. */
MUST_USE enum pal_status drain_wait(struct drain *d, uint64_t seq, bool away, unsigned wait_ms,
                                    struct pal_error *err);

#endif
