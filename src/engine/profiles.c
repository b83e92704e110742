/* See profiles.h and profiles_inside.h. */
#include "base/clock.h"
#include "engine/profiles_inside.h"

#include "base/mem.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { WAITING_LEAST = 1 << 18 /* bytes that may wait in a shard, however little may be cached */ };

enum pal_status profiles_new(const struct profile_limits *limits, uint64_t position,
                             struct profiles **out, struct pal_error *err)
{
    struct profiles *p = mem_aligned(1, sizeof *p);
    if (!p)
        return pal_no_memory(err);
    memset(p, 0, sizeof *p);
    p->limits = *limits;
    bool whole = true;
    atomic_init(&p->begun, position);
    atomic_init(&p->done, position);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &p->shard[i];
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->loaded, NULL);
        s->bucket = mem_zero(16, sizeof *s->bucket);
        s->mask = 15;
        whole = whole && s->bucket;
    }
    pthread_mutex_init(&p->drain_lock, NULL);
    clock_cond_init(&p->drain_moved);
    if (!whole) {
        profiles_free(p);
        return pal_no_memory(err);
    }
    *out = p;
    return PAL_OK;
}

static void free_user(struct user *u)
{
    profile_done(&u->profile);
    mem_free(u);
}

void profiles_free(struct profiles *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &p->shard[i];
        for (size_t b = 0; s->bucket && b <= s->mask; b++)
            while (s->bucket[b]) {
                struct user *u = s->bucket[b];
                s->bucket[b] = u->chain;
                free_user(u);
            }
        mem_free(s->bucket);
        pthread_mutex_destroy(&s->lock);
        pthread_cond_destroy(&s->loaded);
    }
    pthread_mutex_destroy(&p->drain_lock);
    pthread_cond_destroy(&p->drain_moved);
    mem_free(p);
}

/* ---- Lists and tables, with the shard's lock held ---- */

static struct list *list_of(struct shard *s, enum state state)
{
    return state == WAITING ? &s->waiting : state == LOADING ? NULL : &s->cached;
}

static void unlink_user(struct shard *s, struct user *u)
{
    struct list *l = list_of(s, u->state);
    if (!l)
        return;
    *(u->newer ? &u->newer->older : &l->newest) = u->older;
    *(u->older ? &u->older->newer : &l->oldest) = u->newer;
    l->count--;
    l->bytes -= u->bytes;
}

static void link_user(struct shard *s, struct user *u)
{
    struct list *l = list_of(s, u->state);
    if (!l)
        return;
    u->bytes = sizeof *u + strlen(u->id) + 1 + profile_bytes(&u->profile);
    u->newer = NULL;
    u->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = u;
    l->newest = u;
    l->count++;
    l->bytes += u->bytes;
}

struct user *profiles_find(const struct shard *s, uint64_t hash, const char *id)
{
    struct user *u = s->bucket[hash >> 8 & s->mask];
    while (u && (u->hash != hash || strcmp(u->id, id) != 0))
        u = u->chain;
    return u;
}

/* Twice as many buckets; for want of memory the chains just get longer. */
static void grow_table(struct shard *s)
{
    size_t mask = 2 * s->mask + 1;
    struct user **bucket = mem_zero(mask + 1, sizeof *bucket);
    if (!bucket)
        return;
    for (size_t b = 0; b <= s->mask; b++)
        while (s->bucket[b]) {
            struct user *u = s->bucket[b];
            s->bucket[b] = u->chain;
            u->chain = bucket[u->hash >> 8 & mask];
            bucket[u->hash >> 8 & mask] = u;
        }
    mem_free(s->bucket);
    s->bucket = bucket;
    s->mask = mask;
}

struct user *profiles_add(struct shard *s, uint64_t hash, const char *id)
{
    size_t len = strlen(id);
    struct user *u = mem_zero(1, sizeof *u + len + 1);
    if (!u)
        return NULL;
    memcpy(u->id, id, len + 1);
    u->hash = hash;
    if (s->users > s->mask)
        grow_table(s);
    u->chain = s->bucket[hash >> 8 & s->mask];
    s->bucket[hash >> 8 & s->mask] = u;
    s->users++;
    link_user(s, u);
    return u;
}

void profiles_remove(struct shard *s, struct user *u)
{
    unlink_user(s, u);
    struct user **at = &s->bucket[u->hash >> 8 & s->mask];
    while (*at != u)
        at = &(*at)->chain;
    *at = u->chain;
    s->users--;
    free_user(u);
}

void profiles_set_state(struct shard *s, struct user *u, enum state state)
{
    unlink_user(s, u);
    u->state = state;
    link_user(s, u);
}

/* Back to what the store lacks, or away. */
static void evict(struct profiles *p, struct shard *s, struct user *u)
{
    uint64_t done = atomic_load(&p->done);
    unlink_user(s, u);
    profile_shrink(&u->profile, done);
    u->state = WAITING;
    link_user(s, u);
    if (u->profile.count == 0 && u->erased <= done)
        profiles_remove(s, u);
}

void profiles_touch(struct profiles *p, struct shard *s, struct user *u)
{
    unlink_user(s, u);
    link_user(s, u);
    while (s->cached.bytes > (uint64_t)p->limits.bytes / SHARDS && s->cached.oldest &&
           s->cached.oldest != u) {
        evict(p, s, s->cached.oldest);
        s->evictions++;
    }
    uint64_t most = (uint64_t)p->limits.bytes / SHARDS;
    most = most > WAITING_LEAST ? most : WAITING_LEAST;
    while (p->limits.streamed && s->waiting.bytes > most && s->waiting.oldest &&
           s->waiting.oldest != u) {
        profiles_remove(s, s->waiting.oldest); /* a broker that is away must not fill the memory */
        atomic_fetch_add(&p->lost, 1);
    }
}

struct shard *profiles_lock(struct profiles *p, const char *id, uint64_t *hash)
{
    *hash = XXH3_64bits(id, strlen(id));
    struct shard *s = &p->shard[*hash % SHARDS];
    pthread_mutex_lock(&s->lock);
    return s;
}

/* ---- From the writer ---- */

/* Adds to the profile; false when memory is out. */
static bool put_event(struct profiles *p, struct user *u, uint64_t seq,
                      const struct profile_event *e)
{
    if (profile_add(&u->profile, seq, e, NULL) != PAL_OK)
        return false;
    if (u->state == WAITING)
        profile_trim(&u->profile, 0, atomic_load(&p->done));
    if (u->state != PARTIAL && u->state != LOADED)
        return true;
    profile_trim(&u->profile, (size_t)p->limits.events, atomic_load(&p->done));
    profile_act(&u->profile, e->item);
    return !e->marks || profile_see(&u->profile, e->item, (size_t)p->limits.seen, NULL) == PAL_OK;
}

void profiles_event(struct profiles *p, const char *user_id, uint64_t seq,
                    const struct profile_event *e)
{
    uint64_t hash;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    if (!u)
        u = profiles_add(s, hash, user_id);
    if (u && put_event(p, u, seq, e)) {
        u->last = seq;
        profiles_touch(p, s, u);
    } else {
        atomic_fetch_add(&p->lost, 1);
        if (u && u->state != LOADING)
            evict(p, s, u); /* what there is of it is not whole: it is loaded again */
    }
    pthread_mutex_unlock(&s->lock);
}

void profiles_erase(struct profiles *p, const char *user_id, uint64_t seq)
{
    uint64_t hash;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    if (!u)
        u = profiles_add(s, hash, user_id);
    if (u) {
        profile_done(&u->profile);
        u->last = u->erased = seq;
        if (u->state == PARTIAL)
            u->state = LOADED; /* the same list: there is nothing to load any more */
        profiles_touch(p, s, u);
    } else {
        atomic_fetch_add(&p->lost, 1);
    }
    pthread_mutex_unlock(&s->lock);
}

void profiles_clear(struct profiles *p, uint64_t seq)
{
    atomic_store(&p->cleared, seq);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &p->shard[i];
        pthread_mutex_lock(&s->lock);
        while (s->cached.oldest)
            profiles_remove(s, s->cached.oldest);
        while (s->waiting.oldest)
            profiles_remove(s, s->waiting.oldest);
        for (size_t b = 0; b <= s->mask; b++)
            for (struct user *u = s->bucket[b]; u; u = u->chain)
                profile_done(&u->profile); /* LOADING: its reader finds `cleared` */
        pthread_mutex_unlock(&s->lock);
    }
}

/* ---- From the drain ---- */

void profiles_draining(struct profiles *p, uint64_t seq)
{
    pthread_mutex_lock(&p->drain_lock);
    while (p->holds)
        pthread_cond_wait(&p->drain_moved, &p->drain_lock);
    atomic_store(&p->begun, seq);
    pthread_mutex_unlock(&p->drain_lock);
}

void profiles_drained(struct profiles *p, uint64_t seq, bool ok)
{
    pthread_mutex_lock(&p->drain_lock);
    if (ok && p->limits.streamed && atomic_load(&p->begun) < seq)
        atomic_store(&p->begun, seq);
    if (ok)
        atomic_store(&p->done, seq);
    else
        atomic_store(&p->begun, atomic_load(&p->done));
    pthread_cond_broadcast(&p->drain_moved);
    pthread_mutex_unlock(&p->drain_lock);
    for (size_t i = 0; ok && i < SHARDS; i++) {
        struct shard *s = &p->shard[i];
        pthread_mutex_lock(&s->lock);
        while (s->waiting.oldest && s->waiting.oldest->last <= seq)
            profiles_remove(s, s->waiting.oldest);
        pthread_mutex_unlock(&s->lock);
    }
}

void profiles_read_anew(struct profiles *p)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &p->shard[i];
        pthread_mutex_lock(&s->lock);
        while (s->cached.oldest)
            evict(p, s, s->cached.oldest);
        pthread_mutex_unlock(&s->lock);
    }
}

/* ---- From who follows the store ---- */

static bool has(const struct profile *p, const struct profile_event *e)
{
    size_t i = p->count;
    while (i > 0 && p->event[i - 1].time_ms > e->time_ms)
        i--;
    for (; i > 0 && p->event[i - 1].time_ms == e->time_ms; i--)
        if (p->event[i - 1].item == e->item && p->event[i - 1].weight == e->weight)
            return true;
    return false;
}

void profiles_other_event(struct profiles *p, const char *user_id, const struct profile_event *e)
{
    uint64_t hash;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    if (u && u->state == LOADING)
        u->stale = true;
    if (u && u->state == LOADED && !has(&u->profile, e)) { /* what was read may have it */
        if (put_event(p, u, 0, e))
            profiles_touch(p, s, u);
        else
            evict(p, s, u);
    }
    pthread_mutex_unlock(&s->lock);
}

void profiles_other_erase(struct profiles *p, const char *user_id)
{
    uint64_t hash;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    if (u && u->state == LOADING)
        u->stale = true;
    else if (u && u->state != WAITING)
        evict(p, s, u); /* it is read again; what the store lacks is later */
    pthread_mutex_unlock(&s->lock);
}

/* ---- From requests ---- */

/* What an answer reads and moves of a user lies in seven places, none of which is in a near cache:
 * they come together. */
static void fetch(const struct user *u)
{
    const struct profile *p = &u->profile;
    enum { LINE = 16 }; /* numbers of four bytes */
    for (size_t i = 0; i < p->folded_count && !p->dirty; i += LINE) {
        __builtin_prefetch(p->folded + i);
        __builtin_prefetch(p->folded + p->folded_cap + i);
    }
    for (size_t i = 0; i < p->seen_count && i < 8 * LINE; i += LINE)
        __builtin_prefetch(p->seen + i);
    for (size_t i = 0; i < p->shown_count && i < 4 * LINE; i += 5)
        __builtin_prefetch(p->shown + i, 1);
    if (p->count)
        __builtin_prefetch(p->event + (p->count - 1));
    if (u->newer)
        __builtin_prefetch(&u->newer->older, 1);
    if (u->older)
        __builtin_prefetch(&u->older->newer, 1);
}

void profiles_want_had(struct profiles *p, bool want)
{
    atomic_store(&p->had, want);
}

enum pal_status profiles_read(struct profiles *p, const char *user_id, int64_t now_ms,
                              struct arena *tmp, struct profile_view *out, bool *ready,
                              struct pal_error *err)
{
    uint64_t hash;
    enum pal_status st = PAL_OK;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    *ready = u && (u->state == LOADED || (u->state == PARTIAL && now_ms < u->retry_ms));
    if (*ready) {
        fetch(u);
        s->hits++;
        st = profile_read(&u->profile, (size_t)p->limits.events, atomic_load(&p->had), tmp,
                          &out->history, &out->seen, &out->seen_count, err);
        if (st == PAL_OK)
            st = profile_ignored(&u->profile, now_ms, &p->limits.ignoring, tmp, &out->ignored,
                                 &out->ignored_times, &out->ignored_count, err);
        profiles_touch(p, s, u);
    } else {
        s->misses++;
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

size_t profiles_serve(struct profiles *p, const char *user_id, const uint32_t *items, size_t n,
                      int64_t now_ms, uint32_t *ignored, float *amount)
{
    uint64_t hash;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    size_t count = 0;
    if (u && (u->state == LOADED || u->state == PARTIAL)) {
        count = profile_serve(&u->profile, items, n, now_ms, &p->limits.ignoring, ignored, amount);
        profiles_touch(p, s, u);
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

void profiles_status(struct profiles *p, struct profiles_status *out)
{
    *out = (struct profiles_status){.again = atomic_load(&p->again),
                                    .failures = atomic_load(&p->failures),
                                    .lost = atomic_load(&p->lost)};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &p->shard[i];
        pthread_mutex_lock(&s->lock);
        out->cached += s->cached.count;
        out->bytes += s->cached.bytes;
        out->waiting_bytes += s->waiting.bytes;
        out->hits += s->hits;
        out->misses += s->misses;
        out->evictions += s->evictions;
        pthread_mutex_unlock(&s->lock);
    }
}
