/* See follow.h.
 *
 * A round: ask how far own records are in the store (all of them up to S), read what is new there
 * to its end, and only then tell others of S. So what comes back of records up to the S of the
 * round before has come back by then; an item, an erasure of everything that was done here later
 * than that may be what comes back now, or older than what memory has, and is passed over. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/turns.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MOST = 2000, HURRY_MS = 20 };

/* ---- What is our own ---- */

/* The number in an id that a journal gave, "JOURNAL-000000000000002a"; 0 for other ids. */
static uint64_t number_in(const char *id)
{
    size_t name = JOURNAL_IDENTITY - 1;
    if (strlen(id) != name + 17 || id[name] != '-' || strspn(id, "0123456789abcdef") != name ||
        strspn(id + name + 1, "0123456789abcdef") != 16)
        return 0;
    return strtoull(id + name + 1, NULL, 16);
}

/* Whether memory knows the event already; what it didn't know by its id it does from now on. */
static bool is_known(struct live *l, const struct event *e)
{
    const char *id = e->event_id ? e->event_id : "";
    uint64_t number = number_in(id);
    if (number && l->name[0] && strncmp(id, l->name, JOURNAL_IDENTITY - 1) == 0)
        return number > l->follow.began;
    return *id && recent_add(l->recent, id);
}

static size_t place_of(const struct follow *f, uint64_t hash)
{
    size_t i = hash & (FOLLOW_ITEMS - 1);
    while (f->own[i].hash && f->own[i].hash != hash)
        i = (i + 1) & (FOLLOW_ITEMS - 1);
    return i;
}

static uint64_t hash_of(const char *id)
{
    uint64_t hash = XXH3_64bits(id, strlen(id));
    return hash + !hash;
}

void follow_note_item(struct live *l, const char *item_id, uint64_t seq)
{
    struct follow *f = &l->follow;
    uint64_t hash = hash_of(item_id);
    if (!atomic_load(&f->running))
        return;
    size_t at = place_of(f, hash);
    if (!f->own[at].hash && f->own_count >= FOLLOW_ITEMS / 2)
        return; /* at worst an older state of it is shown for a moment */
    f->own_count += !f->own[at].hash;
    f->own[at].hash = hash;
    f->own[at].seq = seq;
}

void follow_note_clear(struct live *l, uint64_t seq)
{
    l->follow.own_clear = seq;
}

void follow_show_own(struct live *l)
{
    l->follow.began = atomic_load(&l->drain.committed);
}

/* Own changes of items that have come back are forgotten. */
static void sweep(struct live *l)
{
    struct follow *f = &l->follow;
    bool over = true;
    pthread_mutex_lock(&l->apply);
    for (size_t i = 0; over && i < FOLLOW_ITEMS && f->own_count; i++)
        over = !f->own[i].hash || f->own[i].seq <= f->settled;
    if (over && f->own_count) {
        memset(f->own, 0, sizeof f->own);
        f->own_count = 0;
    }
    pthread_mutex_unlock(&l->apply);
}

/* With `apply` held: whether what was done here last is newer than what comes back. */
static bool is_older(const struct follow *f, const struct record *r)
{
    if (r->kind == RECORD_CLEAR)
        return f->own_clear > f->settled;
    if ((r->kind != RECORD_ITEM && r->kind != RECORD_ITEM_DELETE) || !f->own_count)
        return false;
    size_t at = place_of(f, hash_of(r->kind == RECORD_ITEM ? r->item.item_id : r->id));
    return f->own[at].hash && f->own[at].seq > f->settled;
}

/* ---- A round ---- */

/* A store_record_fn. */
static enum pal_status show(void *ctx, const struct record *r, struct pal_error *err)
{
    struct live *l = ctx;
    if (atomic_load_explicit(&l->stop, memory_order_relaxed))
        return pal_fail(err, PAL_EINTERRUPTED, "stopping");
    if (r->kind == RECORD_EVENT && is_known(l, &r->event))
        return PAL_OK;
    pthread_mutex_lock(&l->apply);
    if (!is_older(&l->follow, r)) {
        live_apply_other(l, r);
        atomic_fetch_add_explicit(&l->follow.records, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&l->apply);
    return PAL_OK;
}

/* Up to where own records are in the store. */
static enum pal_status ask_stored(struct live *l, uint64_t *seq, struct pal_error *err)
{
    struct store_reach reaches[BUS_SHARDS_MOST];
    struct publish_then then;
    size_t count = 0;
    if (!l->drain.streams) {
        *seq = atomic_load(&l->drain.stored);
        return PAL_OK;
    }
    publish_before(&l->drain.publish, &then);
    enum pal_status st = store_reaches(l->store, l->name, reaches, BUS_SHARDS_MOST, &count, err);
    if (st == PAL_OK)
        *seq = publish_stored(&l->drain.publish, &then, reaches, count);
    return st;
}

static enum pal_status round_once(struct live *l, struct pal_error *err)
{
    struct follow *f = &l->follow;
    uint64_t seq = 0, before;
    enum pal_status st = ask_stored(l, &seq, err);
    struct turns turns = {0};
    do {
        before = f->mark;
        if (st == PAL_OK)
            st = store_follow(l->store, &f->mark, MOST, show, l, err);
        turns_pass(&turns, 0);
    } while (st == PAL_OK && f->mark != before);
    if (st != PAL_OK)
        return st;
    if (l->drain.streams) {
        profiles_drained(l->profiles, seq, true);
        drain_stored(&l->drain, seq);
    }
    f->settled = seq;
    sweep(l);
    atomic_store(&f->read_ms, live_now_ms(l));
    return PAL_OK;
}

/* Notes how the round went, and says so where that is news. */
static void note(struct live *l, enum pal_status st, const struct pal_error *err)
{
    struct follow *f = &l->follow;
    pthread_mutex_lock(&f->lock);
    bool was = f->failing;
    f->failing = st != PAL_OK;
    if (f->failing)
        f->error = *err;
    pthread_mutex_unlock(&f->lock);
    if (st != PAL_OK && !was)
        live_say(l, LIVE_WARNING, "what other processes take in is not seen now: %s", err->message);
    else if (st == PAL_OK && was)
        live_say(l, LIVE_INFO, "what other processes take in is seen again");
}

/* Waits for the next round; false when it is time to stop. */
static bool wait_a_little(struct live *l)
{
    struct follow *f = &l->follow;
    pthread_mutex_lock(&f->lock);
    int64_t now = clock_steady_ms(), every = l->config.live.follow_ms;
    int64_t until = now + (now < f->hurry_until_ms && every > HURRY_MS ? HURRY_MS : every);
    struct timespec at = clock_at_ms(until);
    while (!f->stop && !f->asked)
        if (pthread_cond_timedwait(&f->wake, &f->lock, &at))
            break;
    f->asked = false;
    bool go_on = !f->stop;
    pthread_mutex_unlock(&f->lock);
    return go_on;
}

static void *follow_loop(void *arg)
{
    struct live *l = arg;
    struct pal_error err;
    pthread_setname_np(pthread_self(), "palate-follow");
    turns_behind();
    do {
        enum pal_status st = round_once(l, &err);
        if (st != PAL_EINTERRUPTED)
            note(l, st, &err);
    } while (wait_a_little(l));
    return NULL;
}

enum pal_status follow_start(struct live *l, struct pal_error *err)
{
    struct follow *f = &l->follow;
    atomic_store(&f->running, true); /* own items are noted from now on */
    if (pthread_create(&f->thread, NULL, follow_loop, l)) {
        atomic_store(&f->running, false);
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for following the store");
    }
    return PAL_OK;
}

void follow_stop(struct live *l)
{
    struct follow *f = &l->follow;
    if (!atomic_load(&f->running))
        return;
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    atomic_store(&f->running, false);
}

void follow_hurry(struct live *l, unsigned wait_ms)
{
    struct follow *f = &l->follow;
    if (!atomic_load(&f->running))
        return;
    pthread_mutex_lock(&f->lock);
    int64_t until = clock_steady_ms() + wait_ms;
    f->hurry_until_ms = until > f->hurry_until_ms ? until : f->hurry_until_ms;
    f->asked = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
}
