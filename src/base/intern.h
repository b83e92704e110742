/* Texts as numbers: each distinct text gets the next number from 0, and keeps it.
 *
 * Serves user ids, item ids, categories and words. A lookup costs one hash and usually two cache
 * misses; memory is the bytes of the texts plus about 24 per text. Reading from several threads is
 * fine while nobody adds. */
#ifndef BASE_INTERN_H
#define BASE_INTERN_H

#include "base/error.h"

#define INTERN_NONE UINT32_MAX

struct intern {
    uint32_t count;
    char *bytes;     /* all texts, each followed by a NUL */
    uint64_t *start; /* (count + 1): where each text begins in bytes; NULL while empty */
    size_t bytes_cap, start_cap;
    uint64_t *slot; /* (mask + 1): upper half of the hash, then number + 1; 0 = free */
    uint64_t mask;
};

/* A zeroed struct intern is a valid empty one. */
void intern_done(struct intern *t);

/* The number of the text, adding it if it is new. Fails only for want of memory (then nothing has
 * changed) or past 2^32 - 2 texts. */
MUST_USE enum pal_status intern_add(struct intern *t, const char *s, size_t len, uint32_t *number,
                                    struct pal_error *err);

/* Its number, or INTERN_NONE. */
uint32_t intern_find(const struct intern *t, const char *s, size_t len);

static inline const char *intern_text(const struct intern *t, uint32_t number)
{
    return t->bytes + t->start[number];
}

static inline size_t intern_len(const struct intern *t, uint32_t number)
{
    return (size_t)(t->start[number + 1] - t->start[number] - 1);
}

/* *out = a copy of t. */
MUST_USE enum pal_status intern_copy(const struct intern *t, struct intern *out,
                                     struct pal_error *err);

#endif
