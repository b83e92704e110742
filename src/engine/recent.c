/* See recent.h. Hashes of 64 bits in a ring, which says which one goes next, and in a table with
 * open addressing at most half full. Two ids of one hash: a chance of 10^-14 a retry window. */
#include "engine/recent.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SLOTS = 2 * RECENT_IDS };

struct recent {
    pthread_mutex_t lock;
    uint64_t ring[RECENT_IDS]; /* 0 = free */
    uint64_t slot[SLOTS];
    size_t next;
};

enum pal_status recent_new(struct recent **out, struct pal_error *err)
{
    struct recent *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return PAL_OK;
}

void recent_free(struct recent *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

static size_t place_of(const struct recent *r, uint64_t hash)
{
    size_t i = hash & (SLOTS - 1);
    while (r->slot[i] && r->slot[i] != hash)
        i = (i + 1) & (SLOTS - 1);
    return i;
}

/* Takes a hash out and closes the gap, so that no later one is cut off from its place. */
static void drop(struct recent *r, uint64_t hash)
{
    size_t gap = place_of(r, hash);
    for (size_t i = gap; r->slot[i];) {
        i = (i + 1) & (SLOTS - 1);
        if (!r->slot[i])
            break;
        size_t home = r->slot[i] & (SLOTS - 1);
        if (((i - home) & (SLOTS - 1)) >= ((i - gap) & (SLOTS - 1))) {
            r->slot[gap] = r->slot[i];
            gap = i;
        }
    }
    r->slot[gap] = 0;
}

bool recent_add(struct recent *r, const char *id)
{
    uint64_t hash = XXH3_64bits(id, strlen(id));
    hash += !hash;
    pthread_mutex_lock(&r->lock);
    size_t at = place_of(r, hash);
    bool there = r->slot[at] == hash;
    if (!there) {
        if (r->ring[r->next]) {
            drop(r, r->ring[r->next]);
            at = place_of(r, hash);
        }
        r->slot[at] = hash;
        r->ring[r->next] = hash;
        r->next = (r->next + 1) % RECENT_IDS;
    }
    pthread_mutex_unlock(&r->lock);
    return there;
}

void recent_clear(struct recent *r)
{
    pthread_mutex_lock(&r->lock);
    memset(r->ring, 0, sizeof r->ring);
    memset(r->slot, 0, sizeof r->slot);
    r->next = 0;
    pthread_mutex_unlock(&r->lock);
}
