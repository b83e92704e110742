/* What is kept in memory of one user: what they did last, what they have seen, what was shown to
 * them last. No locks: profiles.c has them.
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

struct profile {
    struct kept *event; /* (count) by time, oldest first; equal times as they came */
    uint32_t *seen;     /* (seen_count) each once, oldest first */
    uint32_t *folded;   /* (folded_count) items and then, from folded_cap on, their weights */
    uint32_t *served;   /* (served_count) the list shown last */
    uint64_t acted[2];  /* bit i: something happened with served[i] since */
    size_t count, cap, seen_count, seen_cap, folded_count, folded_cap;
    size_t trim_at; /* count at which dropping the oldest is tried again */
    uint8_t served_count;
    bool dirty; /* the fold is not that of the events */
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

/* The latest `most` events folded, copied to the arena, and what was seen. The fold is kept. */
MUST_USE enum pal_status profile_read(struct profile *p, size_t most, struct arena *tmp,
                                      struct history *history, const uint32_t **seen,
                                      size_t *seen_count, struct pal_error *err);

/* Something happened with the item. */
void profile_act(struct profile *p, uint32_t item);

/* Remembers a list as shown. Writes those items of the list before it with which nothing happened
 * to ignored (SERVED_MOST) and returns how many. */
size_t profile_serve(struct profile *p, const uint32_t *items, size_t n, uint32_t *ignored);

/* Heap bytes. */
size_t profile_bytes(const struct profile *p);

#endif
