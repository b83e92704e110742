/* The inside of struct profiles, for profiles.c and profiles_load.c.
 *
 * SHARDS tables, each with a lock of its own, hold one struct user per id, whose state says what
 * its events are:
 *
 *     WAITING   what the store may lack, no more: nobody has asked for this user. In a list by
 *               last event, whose head goes as the drain passes it
 *     LOADING   the same; a thread is reading the rest from the store
 *     PARTIAL   the same, because the store could not be read; answers come from it meanwhile
 *     LOADED    everything. In a list by last use with PARTIAL, whose tail is evicted: back to
 *               WAITING if the store still lacks some of it, else gone
 */
#ifndef ENGINE_PROFILES_INSIDE_H
#define ENGINE_PROFILES_INSIDE_H

#include "engine/profiles.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SHARDS = 64 };

enum state { WAITING, LOADING, PARTIAL, LOADED };

struct user {
    struct user *chain; /* of its bucket */
    struct user *newer, *older;
    uint64_t hash;
    uint64_t last;   /* number of the last thing that happened */
    uint64_t erased; /* nothing before this number counts */
    int64_t retry_ms;
    size_t bytes; /* as counted in its list */
    struct profile profile;
    enum state state;
    bool stale;       /* LOADING: the store has changed since it was read */
    uint32_t unknown; /* of a view: see profiles_loaded */
    struct profile_version version;
    char id[];
};

struct list {
    struct user *newest, *oldest;
    uint64_t count, bytes;
};

struct shard {
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    struct user **bucket; /* (mask + 1) */
    size_t mask, users;
    struct list cached, waiting;
    uint64_t hits, misses, evictions;
} __attribute__((aligned(64)));

struct profiles {
    struct profile_limits limits;
    struct shard shard[SHARDS];
    atomic_ullong begun, done; /* numbers: the drain's last transaction reaches to; the store has */
    atomic_ullong cleared;     /* nothing before this number counts, for anybody */
    pthread_mutex_t drain_lock;
    pthread_cond_t drain_moved;
    unsigned holds; /* loads that want the drain to wait */
    atomic_ullong again, failures, lost;
    atomic_bool had; /* see profiles_want_had */
};

/* Locks the shard of an id. The rest is for who has that lock. */
struct shard *profiles_lock(struct profiles *p, const char *id, uint64_t *hash);
struct user *profiles_find(const struct shard *s, uint64_t hash, const char *id);

/* A new WAITING user; NULL when memory is out. */
struct user *profiles_add(struct shard *s, uint64_t hash, const char *id);
void profiles_set_state(struct shard *s, struct user *u, enum state state);

void profiles_remove(struct shard *s, struct user *u);

/* Counts u's bytes again, makes it the newest of its list, and evicts others past the ceiling. */
void profiles_touch(struct profiles *p, struct shard *s, struct user *u);

#endif
