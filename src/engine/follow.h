/* What others do: a thread that reads about once a second what is new in a store that other
 * processes fill, and shows it to memory: items put and removed, users erased, events. What came in
 * here was shown when it came in, and is passed over: its events are known by their ids.
 *
 * Where there is a stream it also asks how far this process's own records have come into the store,
 * which tells profiles and those who wait for them. */
#ifndef ENGINE_FOLLOW_H
#define ENGINE_FOLLOW_H

#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct live;

enum { FOLLOW_ITEMS = 1 << 12 /* own changes of items that the store may lack, at most */ };

struct follow {
    pthread_t thread;
    atomic_bool running;
    uint64_t mark;    /* up to where the store was read */
    uint64_t began;   /* own records up to this number are not in memory: another run took them in,
                         or they were forgotten with everything */
    uint64_t settled; /* own records up to this number came back before this round */
    atomic_ullong records;   /* shown, of others */
    _Atomic int64_t read_ms; /* when the store was last read to its end */

    struct { /* under `apply`: what was last done here to an item */
        uint64_t hash, seq;
    } own[FOLLOW_ITEMS];
    size_t own_count;
    uint64_t own_clear;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    bool stop;
    bool asked;             /* a round is wanted now */
    int64_t hurry_until_ms; /* somebody waits, until then at most */
    bool failing;
    struct pal_error error;
};

MUST_USE enum pal_status follow_start(struct live *l, struct pal_error *err);
void follow_stop(struct live *l);

/* Somebody waits for what is in the store now, for wait_ms at most. */
void follow_hurry(struct live *l, unsigned wait_ms);

/* ---- From whoever shows own records to memory ---- */

void follow_note_item(struct live *l, const char *item_id, uint64_t seq);
void follow_note_clear(struct live *l, uint64_t seq);

/* From follow itself: another process forgot everything, and memory did. Own events that come into
 * the store behind that are shown when they come. */
void follow_show_own(struct live *l);

#endif
