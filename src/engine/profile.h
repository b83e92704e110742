/* What is kept in memory of one user: what they did last, what they have seen, and what was shown
 * to them without their doing anything about it. No locks: profiles.c has them.
 *
 * Each event carries the number that the journal gave it, so that it can be told which events the
 * store has by now; 0 stands for one that came from there. */
#ifndef ENGINE_PROFILE_H
#define ENGINE_PROFILE_H

#include "model/model.h"

#include <stdbool.h>

struct profile_event {
    uint32_t item; /* by catalog number */
    float weight;  /* may be 0 */
    int64_t time_ms;
    bool marks; /* the item as seen */
};

struct kept {
    uint64_t seq : 63, marks : 1;
    int64_t time_ms;
    uint32_t item;
    float weight;
};

enum { SERVED_MOST = 100 }; /* of a list, how many are remembered */

/* An item that was shown, and since when nothing happened with it. */
struct shown {
    uint32_t item;
    uint32_t time_s; /* as of when: */
    float times;     /* how often it was ignored; fades */
};

/* How that is remembered. */
struct ignoring {
    size_t most;         /* items of a user, SERVED_MOST or more */
    double half_life_ms; /* 0 = for good */
};

struct profile {
    struct kept *event;  /* (count) by time, oldest first; equal times as they came */
    uint32_t *seen;      /* (seen_count) each once, oldest first */
    uint32_t *folded;    /* (folded_count) items and then, from folded_cap on, their weights */
    struct shown *shown; /* (shown_count) by when it was shown last; at the end the last list,
                            which is counted as ignored when the next one is shown */
    int64_t shown_ms;    /* when the last list was */
    size_t count, cap, seen_count, seen_cap, folded_count, folded_cap, shown_count, shown_cap;
    size_t trim_at;           /* count at which dropping the oldest is tried again */
    uint8_t last, last_whole; /* of the last list: what is left, and how many it had */
    bool dirty;               /* the fold is not that of the events */
};

void profile_done(struct profile *p); /* leaves an empty one */

/* Puts an event in its place by time. */
MUST_USE enum pal_status profile_add(struct profile *p, uint64_t seq, const struct profile_event *e,
                                     struct pal_error *err);

/* Notes an item as seen; past `most` the oldest quarter is forgotten. */
MUST_USE enum pal_status profile_see(struct profile *p, uint32_t item, size_t most,
                                     struct pal_error *err);

/* The same for an item that is surely not among them: without looking. */
MUST_USE enum pal_status profile_see_new(struct profile *p, uint32_t item, size_t most,
                                         struct pal_error *err);

/* Drops the oldest events that the store has (seq at most `drained`) until no more than `most`
 * are left, every so often. */
void profile_trim(struct profile *p, size_t most, uint64_t drained);

/* Keeps nothing but the events after `drained`. */
void profile_shrink(struct profile *p, uint64_t drained);

/* The latest `most` events folded, copied to the arena, and what was seen. The fold is kept, but
 * with `had`, which says how often and when each item was had and folds anew each time. */
MUST_USE enum pal_status profile_read(struct profile *p, size_t most, bool had, struct arena *tmp,
                                      struct history *history, const uint32_t **seen,
                                      size_t *seen_count, struct pal_error *err);

/* Something happened with the item: it is not ignored (any more). */
void profile_act(struct profile *p, uint32_t item);

/* Remembers a list as shown, up to SERVED_MOST of it. Those items of the list before it with which
 * nothing happened were ignored once more: writes them to ignored (SERVED_MOST), by how much of a
 * time to *amount, and returns how many. Someone who asks again after a minute or more, or who did
 * something with all others of a list, has looked at all of it: 1. Someone who asks again at once
 * may not have looked yet: close to 0. */
size_t profile_serve(struct profile *p, const uint32_t *items, size_t n, int64_t now_ms,
                     const struct ignoring *how, uint32_t *ignored, float *amount);

/* The items that were ignored and how often, as of now, as if the next list were shown now: item
 * and times lie in the arena. */
MUST_USE enum pal_status profile_ignored(const struct profile *p, int64_t now_ms,
                                         const struct ignoring *how, struct arena *tmp,
                                         const uint32_t **item, const float **times, size_t *count,
                                         struct pal_error *err);

/* Heap bytes. */
size_t profile_bytes(const struct profile *p);

#endif
