/* See arenas.h. The last one given is the first taken: its memory may still be in the cache. */
#include "base/arenas.h"

#include <stdbool.h>

void arenas_init(struct arenas *s, size_t bytes_most)
{
    *s = (struct arenas){.bytes_most = bytes_most};
    pthread_mutex_init(&s->lock, NULL);
}

void arenas_done(struct arenas *s)
{
    while (s->count)
        arena_done(&s->spare[--s->count]);
    pthread_mutex_destroy(&s->lock);
}

struct arena arenas_take(struct arenas *s)
{
    struct arena a;
    arena_init(&a);
    pthread_mutex_lock(&s->lock);
    if (s->count)
        a = s->spare[--s->count];
    pthread_mutex_unlock(&s->lock);
    return a;
}

void arenas_give(struct arenas *s, struct arena *a)
{
    bool kept = false;
    arena_reset(a);
    if (arena_size(a) <= s->bytes_most) {
        pthread_mutex_lock(&s->lock);
        kept = s->count < ARENAS_MOST;
        if (kept)
            s->spare[s->count++] = *a;
        pthread_mutex_unlock(&s->lock);
    }
    if (kept)
        arena_init(a);
    else
        arena_done(a);
}
