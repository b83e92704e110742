/* Event types as the running recommender knows them: by number, with what each is worth, whether it
 * marks an item as seen, and whether the bandit learns from it.
 *
 * Types that the configuration names have their numbers from the start, so nothing that comes in
 * can take their place. Others get one when they first come, and keep it: at most `most_new` of
 * them, so that what a client misspells is told to it sooner or later. Any thread may call
 * anything; looking a type up takes no lock. */
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
    unsigned named, most_new; /* the first `named` are of the configuration */
    atomic_uint told;         /* so many were told about: for whoever logs new ones */
    bool marks[EVENT_TYPES], teaches[EVENT_TYPES];
    atomic_ullong events[EVENT_TYPES]; /* since start */
    pthread_mutex_t lock;
};

/* rules NULL = weights_default. What the three name has its place, and so have like and dislike.
 * PAL_EUSAGE for rules that can't be read, and where they name more types than there can be beside
 * most_new others. End with kinds_done. */
MUST_USE enum pal_status kinds_init(struct kinds *k, const char *rules, const char *seen,
                                    const char *rewards, unsigned most_new, struct pal_error *err);
void kinds_done(struct kinds *k);

/* The type's number, or -1. */
int kinds_find(const struct kinds *k, const char *type);

/* The same, added if it is new, most_new or not: for what a store or a journal has already.
 * PAL_EUSAGE past EVENT_TYPES, or for a name too long. */
MUST_USE enum pal_status kinds_add(struct kinds *k, const char *type, uint8_t *number,
                                   struct pal_error *err);

/* Numbers for the types of all events among the records, to type (count); 0 for other records. All
 * or none: PAL_EUSAGE names the first record whose type is one too many, the type that may have
 * been meant, and those there are. */
MUST_USE enum pal_status kinds_of(struct kinds *k, const struct record *records, size_t count,
                                  uint8_t *type, struct pal_error *err);

/* The name of a type that came up since this was last asked, or NULL; each is told once. */
const char *kinds_news(struct kinds *k);

/* What types there are, copied. */
void kinds_types(const struct kinds *k, struct event_types *out);

static inline float kinds_weight(const struct kinds *k, uint8_t type, float value)
{
    return worth_of(&k->worth, type, value);
}

/* Whether the word is in a list such as "like,dislike"; "*" holds every word. */
bool kinds_listed(const char *list, const char *word);

#endif
