/* How often each item was served and ignored: the one thing that the bandit knows and the store's
 * events do not say. Kept as a sum per item that fades as the bandit's does, and written to the
 * store as a note now and then, so that a restart brings it back. What came after the last note is
 * lost by a crash: a few minutes of it.
 *
 * Any thread may add; saving and restoring is for one at a time. */
#ifndef ENGINE_IGNORED_H
#define ENGINE_IGNORED_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct live;

struct ignored {
    pthread_mutex_t lock;
    struct ignored_sum {
        float amount; /* as of time_ms */
        int64_t time_ms;
    } * item; /* (count) by catalog number */
    size_t count, cap;
    bool changed; /* since it was last written */
};

/* Adds to the sums of items (n). Want of memory loses it. */
void ignored_add(struct live *l, const uint32_t *items, size_t n, float amount, int64_t time_ms);

/* Forgets all; and the note. */
void ignored_clear(struct live *l);
void ignored_clear_note(struct live *l);

/* Writes the note if something changed. */
void ignored_save(struct live *l);

/* Reads the note and counts what it says for the bandit; numbers are as of `epoch`. */
void ignored_restore(struct live *l, uint64_t epoch);

#endif
