/* Event types as the running recommender knows them: by number, with what each is worth, whether it
 * marks an item as seen, and whether the bandit learns from it.
 *
 * A type gets a number when it is first named, and keeps it; there are at most EVENT_TYPES. Any
 * thread may call anything; looking a type up takes no lock. */
#ifndef ENGINE_KINDS_H
#define ENGINE_KINDS_H

#include "data/record.h"
#include "data/weights.h"
#include "model/worth.h"

#include <pthread.h>
#include <stdatomic.h>

struct kinds {
    struct weights rules;
    struct worth worth;
    const char *seen, *rewards; /* lists as in live_options, borrowed */
    struct event_types types;   /* written under the lock; those below count don't change */
    atomic_uint count;
    bool marks[EVENT_TYPES], teaches[EVENT_TYPES];
    atomic_ullong events[EVENT_TYPES]; /* since start */
    pthread_mutex_t lock;
};

/* rules NULL = weights_default. PAL_EUSAGE for rules that can't be read. End with kinds_done. */
MUST_USE enum pal_status kinds_init(struct kinds *k, const char *rules, const char *seen,
                                    const char *rewards, struct pal_error *err);
void kinds_done(struct kinds *k);

/* The type's number, or -1. */
int kinds_find(const struct kinds *k, const char *type);

/* The same, added if it is new. PAL_EUSAGE when there are too many, or for a name too long. */
MUST_USE enum pal_status kinds_add(struct kinds *k, const char *type, uint8_t *number,
                                   struct pal_error *err);

/* Numbers for the types of all events among the records, to type (count); 0 for other records. All
 * or none: PAL_EUSAGE names the first record whose type is one too many. */
MUST_USE enum pal_status kinds_of(struct kinds *k, const struct record *records, size_t count,
                                  uint8_t *type, struct pal_error *err);

/* What types there are, copied. */
void kinds_types(const struct kinds *k, struct event_types *out);

static inline float kinds_weight(const struct kinds *k, uint8_t type, float value)
{
    return worth_of(&k->worth, type, value);
}

/* Whether the word is in a list such as "like,dislike"; "*" holds every word. */
bool kinds_listed(const char *list, const char *word);

#endif
