/* Memory with one lifetime: many small blocks, freed together. Not shared between threads. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* the newest first */
    size_t used;                /* bytes handed out of the newest */
};

/* A zeroed struct arena is a valid empty one; this makes that explicit. */
void arena_init(struct arena *a);
void arena_done(struct arena *a);

/* n * size bytes on a 64-byte border, uninitialized; NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
void *arena_zero(struct arena *a, size_t n, size_t size);
char *arena_text(struct arena *a, const char *s, size_t len);

/* Everything handed out so far is gone; the largest chunk is kept for reuse, so that a loop that
 * resets after each turn soon allocates nothing. */
void arena_reset(struct arena *a);

/* Bytes of heap that it holds, used or not. */
size_t arena_size(const struct arena *a);

#endif
