/* See drain.h. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/mem.h"
#include "base/turns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    LINGER_MS = 200, /* what comes within that of the first goes with it, unless somebody waits */
    BACKOFF_MS = 50,
    BACKOFF_MOST_MS = 2000,
    FORGET_EVERY_MS = 3600 * 1000,
    DAY_MS = 86400000,
};

/* Waits until there is something to do: at once for who waits, else a little after the first. */
static bool wait_for_work(struct drain *d)
{
    struct timespec until;
    pthread_mutex_lock(&d->lock);
    atomic_store(&d->idle, true);
    while (!d->stop && atomic_load(&d->committed) <= atomic_load(&d->position))
        pthread_cond_wait(&d->work, &d->lock);
    atomic_store(&d->idle, false);
    until = clock_in_ms(LINGER_MS);
    while (!d->stop && !d->waiting &&
           atomic_load(&d->committed) - atomic_load(&d->position) < d->most)
        if (pthread_cond_timedwait(&d->work, &d->lock, &until))
            break;
    bool go_on = !d->stop;
    pthread_mutex_unlock(&d->lock);
    return go_on;
}

static const char *where_to(const struct drain *d)
{
    return d->streams ? "stream" : "store";
}

/* Notes a failure, said once, and waits; false when it is time to stop. */
static bool back_off(struct live *l, unsigned *ms, const struct pal_error *err)
{
    struct drain *d = &l->drain;
    pthread_mutex_lock(&d->lock);
    bool first = !d->failing;
    d->failing = true;
    d->error = *err;
    pthread_cond_broadcast(&d->moved);
    pthread_mutex_unlock(&d->lock);
    if (first)
        live_say(l, LIVE_WARNING,
                 "the %s takes nothing now; what comes is kept in the journal%s: %s", where_to(d),
                 live_does(l, ROLE_RECS) ? " and answers go on" : "", err->message);
    bool go_on = clock_pause(*ms, &d->lock, &d->work, &d->stop);
    *ms = *ms * 2 < BACKOFF_MOST_MS ? *ms * 2 : BACKOFF_MOST_MS;
    return go_on;
}

static void recovered(struct live *l)
{
    struct drain *d = &l->drain;
    pthread_mutex_lock(&d->lock);
    bool was = d->failing;
    d->failing = false;
    pthread_mutex_unlock(&d->lock);
    if (was)
        live_say(l, LIVE_INFO, "the %s takes events again", where_to(d));
}

void drain_id(const char *journal, uint64_t seq, char out[DRAIN_ID])
{
    snprintf(out, DRAIN_ID, "%s-%016" PRIx64, journal, seq);
}

/* An event that came without an id gets one that nobody else's has: by it the store knows it when
 * it comes twice, and others whose it is. */
static void give_id(struct live *l, struct store_change *c, size_t i)
{
    char *id = l->drain.ids + i * DRAIN_ID;
    if (c->record.kind != RECORD_EVENT || (c->record.event.event_id && *c->record.event.event_id))
        return;
    drain_id(l->name, c->seq, id);
    c->record.event.event_id = id;
}

/* When an entry was accepted, ascending in the journal's order: by it and the low bits of the
 * number the store tells what came before an erasure. 0 where the journal does not say. */
static int64_t accepted(struct drain *d, const struct journal_entry *e)
{
    int64_t at = record_accepted(e->kind, e->data, e->size);
    bool anew = e->seq >> DRAIN_LOW_BITS != d->last_seq >> DRAIN_LOW_BITS;
    if (!at)
        return 0;
    d->at_ms = at > d->at_ms ? at : d->at_ms + anew;
    d->last_seq = e->seq;
    return d->at_ms;
}

/* Entries as changes; *cleared: one of them forgets everything. Returns how many. */
static size_t decode(struct live *l, const struct journal_entry *entries, size_t count,
                     bool *cleared, size_t *events)
{
    struct drain *d = &l->drain;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct journal_entry *e = &entries[i];
        struct pal_error err;
        d->changes[n] = (struct store_change){.seq = e->seq, .at_ms = accepted(d, e)};
        if (record_decode(e->kind, e->data, e->size, &d->changes[n].record, &err) != PAL_OK) {
            /* whole by its checksum, so another version of palate wrote it */
            live_say(l, LIVE_ERROR, "record %llu of the journal is passed over: %s",
                     (unsigned long long)e->seq, err.message);
            continue;
        }
        *cleared = *cleared || d->changes[n].record.kind == RECORD_CLEAR;
        *events += d->changes[n].record.kind == RECORD_EVENT;
        if (d->ids)
            give_id(l, &d->changes[n], n);
        n++;
    }
    return n;
}

/* A file that was moved or deleted can still be written to, and nobody would ever see it again. */
static enum pal_status check_file(const struct live *l, struct pal_error *err)
{
    struct stat now;
    const char *path = store_path(l->store);
    if (!path || (stat(path, &now) == 0 && now.st_ino == l->drain.file.st_ino &&
                  now.st_dev == l->drain.file.st_dev))
        return PAL_OK;
    return pal_fail(err, PAL_EIO,
                    "%s is not the file any more that it was: put it back, or start again", path);
}

/* Hands the changes (count), up to number `last`, to the store or the stream. */
static enum pal_status hand_over(struct live *l, size_t count, uint64_t last, struct pal_error *err)
{
    struct drain *d = &l->drain;
    if (d->streams)
        return publish_batch(&d->publish, d->changes, count, last, live_now_ms(l), err);
    profiles_draining(l->profiles, last);
    enum pal_status st = check_file(l, err);
    if (st == PAL_OK)
        st = store_apply(l->store, d->changes, count, last, NULL, err);
    profiles_drained(l->profiles, last, st == PAL_OK);
    if (st == PAL_OK)
        shared_stored(l, d->changes, count);
    return st;
}

/* What comes next goes on behind `last`. */
static void moved(struct live *l, uint64_t last)
{
    struct drain *d = &l->drain;
    pthread_mutex_lock(&d->lock);
    atomic_store(&d->position, last);
    if (!d->streams || !l->store)
        atomic_store(&d->stored, last);
    pthread_cond_broadcast(&d->moved);
    pthread_mutex_unlock(&d->lock);
}

/* One transaction, tried until it is in or it is time to stop. */
static bool carry(struct live *l, const struct journal_entry *entries, size_t count)
{
    struct drain *d = &l->drain;
    uint64_t last = entries[count - 1].seq, began = clock_steady_ns();
    bool cleared = false;
    size_t events = 0, n = decode(l, entries, count, &cleared, &events);
    unsigned wait = BACKOFF_MS;
    struct pal_error err;
    while (hand_over(l, n, last, &err) != PAL_OK)
        if (!back_off(l, &wait, &err))
            return false;
    recovered(l);
    journal_drained(l->journal, last);
    if (cleared && !d->streams) {
        live_forget_models(l);
        ignored_clear_note(l);
    }
    atomic_fetch_add(&d->records, n);
    atomic_fetch_add(&d->events, events);
    atomic_fetch_add(&d->ns, clock_steady_ns() - began);
    moved(l, last);
    if (d->replayed && last >= d->replayed) {
        d->replayed = 0;
        profiles_read_anew(l->profiles);
    }
    return true;
}

/* What was read, batch by batch. */
static bool carry_all(struct live *l, size_t count)
{
    struct drain *d = &l->drain;
    const struct journal_entry *entries = d->entries;
    bool go_on = true;
    while (count && go_on) {
        for (size_t i = 0; i < count; i++)
            d->seq[i] = entries[i].seq;
        size_t n = d->streams ? publish_cut(&d->publish, d->seq, count) : count;
        go_on = carry(l, entries, n);
        entries += n;
        count -= n;
    }
    return go_on;
}

/* Served lists past their days; from this thread, since it alone writes to the store. */
static void forget_served(struct live *l)
{
    struct pal_error err;
    int64_t now = live_now_ms(l);
    if (l->drain.streams || l->config.live.served_days <= 0 || now < l->drain.forget_ms)
        return;
    l->drain.forget_ms = now + FORGET_EVERY_MS;
    if (store_forget_served(l->store, now - l->config.live.served_days * DAY_MS, NULL, &err) !=
        PAL_OK)
        live_say(l, LIVE_WARNING, "old served lists could not be deleted: %s", err.message);
}

static void *drain_loop(void *arg)
{
    struct live *l = arg;
    struct drain *d = &l->drain;
    struct pal_error err;
    unsigned wait = BACKOFF_MS;
    pthread_setname_np(pthread_self(), "palate-drain");
    turns_behind();
    while (wait_for_work(d)) {
        size_t count = 0;
        if (journal_read(d->reader, d->entries, d->most, 0, &count, &err) != PAL_OK) {
            if (!back_off(l, &wait, &err))
                break;
            continue;
        }
        wait = BACKOFF_MS;
        if (count && !carry_all(l, count))
            break;
        forget_served(l);
    }
    return NULL;
}

enum pal_status drain_start(struct live *l, uint64_t position, struct pal_error *err)
{
    struct drain *d = &l->drain;
    d->most = (size_t)l->config.live.drain_most;
    atomic_store(&d->position, position);
    atomic_store(&d->stored, d->streams && l->store ? 0 : position);
    d->entries = mem_alloc(d->most, sizeof *d->entries);
    d->changes = mem_alloc(d->most, sizeof *d->changes);
    d->seq = mem_alloc(d->most, sizeof *d->seq);
    if (l->name[0])
        d->ids = mem_alloc(d->most, DRAIN_ID);
    if (!d->entries || !d->changes || !d->seq || (l->name[0] && !d->ids))
        return pal_no_memory(err);
    enum pal_status st = journal_reader_new(l->journal, position + 1, &d->reader, err);
    const char *path = d->streams ? NULL : store_path(l->store);
    if (st == PAL_OK && path && stat(path, &d->file))
        st = pal_fail(err, PAL_EIO, "cannot look at %s: %s", path, strerror(errno));
    if (st != PAL_OK)
        return st;
    if (pthread_create(&d->thread, NULL, drain_loop, l))
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for the drain");
    d->running = true;
    return PAL_OK;
}

void drain_stop(struct live *l)
{
    struct drain *d = &l->drain;
    if (d->running) {
        pthread_mutex_lock(&d->lock);
        d->stop = true;
        pthread_cond_broadcast(&d->work);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
        d->running = false;
    }
    journal_reader_free(d->reader);
    mem_free(d->entries);
    mem_free(d->changes);
    mem_free(d->seq);
    mem_free(d->ids);
    publish_close(&d->publish);
    d->seq = NULL;
    d->ids = NULL;
    d->reader = NULL;
    d->entries = NULL;
    d->changes = NULL;
}

void drain_committed(struct drain *d, uint64_t seq)
{
    atomic_store(&d->committed, seq);
    if (!atomic_load(&d->idle))
        return;
    pthread_mutex_lock(&d->lock);
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
}

void drain_stored(struct drain *d, uint64_t seq)
{
    pthread_mutex_lock(&d->lock);
    if (seq > atomic_load(&d->stored))
        atomic_store(&d->stored, seq);
    pthread_cond_broadcast(&d->moved);
    pthread_mutex_unlock(&d->lock);
}

enum pal_status drain_wait(struct drain *d, uint64_t seq, bool away, unsigned wait_ms,
                           struct pal_error *err)
{
    struct timespec until = clock_in_ms(wait_ms);
    enum pal_status st = PAL_OK;
    atomic_ullong *which = away ? &d->position : &d->stored;
    pthread_mutex_lock(&d->lock);
    d->waiting++;
    pthread_cond_signal(&d->work);
    bool late = false;
    while (atomic_load(which) < seq && !late)
        late = pthread_cond_timedwait(&d->moved, &d->lock, &until) != 0;
    d->waiting--;
    if (atomic_load(which) < seq)
        st = d->failing
                 ? pal_fail(err, PAL_EIO, "the %s is behind the journal: %s", where_to(d),
                            d->error.message)
                 : pal_fail(err, PAL_EIO, "the store is %llu records behind the journal: try again",
                            (unsigned long long)(seq - atomic_load(which)));
    pthread_mutex_unlock(&d->lock);
    return st;
}
