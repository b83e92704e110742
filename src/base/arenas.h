/* Arenas that wait for the next who needs one: large scratch memory for short work on many threads,
 * of which only as many are kept as were in use at once. */
#ifndef BASE_ARENAS_H
#define BASE_ARENAS_H

#include "base/arena.h"

#include <pthread.h>

enum { ARENAS_MOST = 64 }; /* are kept */

struct arenas {
    pthread_mutex_t lock;
    struct arena spare[ARENAS_MOST];
    size_t count;
    size_t bytes_most; /* a larger one is not kept */
};

void arenas_init(struct arenas *s, size_t bytes_most);
void arenas_done(struct arenas *s); /* those that were not given back are their takers' */

/* An empty arena, with the memory that one before it took. From any thread. */
struct arena arenas_take(struct arenas *s);

/* Its end: everything in it is gone. From any thread. */
void arenas_give(struct arenas *s, struct arena *a);

#endif
