/* Items' titles as people type them (see names.h), by number: for searching. Locked by the owner.
 */
#ifndef ENGINE_TITLE_KEYS_H
#define ENGINE_TITLE_KEYS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Which pairs of neighbouring letters a text has, each as one bit by chance: a text can be part of
 * another only if its bits are among the other's. */
struct pairs {
    uint64_t bits[2];
};

struct title_keys {
    char **key;          /* (count) NULL = none */
    struct pairs *pairs; /* (count) of each key */
    size_t count, cap, pairs_cap;
    uint64_t bytes;
};

void title_keys_done(struct title_keys *t);

/* title NULL = none. For want of memory the item is not found by its title. */
void title_keys_set(struct title_keys *t, uint32_t number, const char *title);

/* The words of what somebody looks for. */
struct wanted {
    size_t count;
    const char **word;  /* (count) */
    struct pairs pairs; /* of all words */
};
MUST_USE enum pal_status title_keys_want(const char *search, struct arena *tmp, struct wanted *out,
                                         struct pal_error *err);

/* Whether the title holds every word. Most that do not are told by their pairs alone, in 1 ns. */
bool title_keys_match(const struct title_keys *t, uint32_t number, const struct wanted *w);

#endif
