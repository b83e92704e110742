/* See consume.h. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/mem.h"
#include "base/turns.h"

#include <string.h>

enum {
    WAIT_MS = 200, /* for the first message */
    BACKOFF_MS = 50,
    BACKOFF_MOST_MS = 2000,
    FORGET_EVERY_MS = 3600 * 1000,
    DAY_MS = 86400000,
};

static const char STREAM[] = "the stream can't be taken from",
                  STORE[] = "the store takes nothing now",
                  SETTLING[] = "the stream was not told what is stored, which then comes again";

/* Notes a failure, said once, and waits; false when it is time to stop. */
static bool back_off(struct live *l, const char *what, unsigned *ms, const struct pal_error *err)
{
    struct consume *c = &l->consume;
    pthread_mutex_lock(&l->watch.lock);
    bool said = what == STORE && l->watch.store_away;
    pthread_mutex_unlock(&l->watch.lock);
    pthread_mutex_lock(&c->lock);
    bool first = !c->failing && !said;
    c->failing = c->stumbled = true;
    c->store_failing = what == STORE;
    c->error = *err;
    pthread_mutex_unlock(&c->lock);
    if (first)
        live_say(l, LIVE_WARNING, "%s; what comes is kept in the stream: %s", what, err->message);
    bool go_on = clock_pause(*ms, &c->lock, &c->wake, &c->stop);
    *ms = *ms * 2 < BACKOFF_MOST_MS ? *ms * 2 : BACKOFF_MOST_MS;
    return go_on;
}

static void recovered(struct live *l, unsigned *ms)
{
    struct consume *c = &l->consume;
    pthread_mutex_lock(&c->lock);
    bool was = c->failing;
    c->failing = c->store_failing = false;
    pthread_mutex_unlock(&c->lock);
    *ms = BACKOFF_MS;
    if (was)
        live_say(l, LIVE_INFO, "the stream flows into the store again");
}

static bool stopping(struct consume *c)
{
    pthread_mutex_lock(&c->lock);
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

/* ---- One batch ---- */

static enum pal_status note_reach(struct consume *c, const struct stream_origin *from,
                                  unsigned shard, struct pal_error *err)
{
    if (!from->journal[0])
        return PAL_OK;
    for (size_t i = c->reach_count; i-- > 0;) {
        struct consume_reach *far = &c->far[i];
        if (far->shard == shard && strcmp(far->journal, from->journal) == 0) {
            far->seq = from->seq > far->seq ? from->seq : far->seq;
            return PAL_OK;
        }
    }
    if (mem_grow(&c->far, &c->far_cap, c->reach_count + 1, sizeof *c->far) ||
        mem_grow(&c->reaches, &c->reach_cap, c->reach_count + 1, sizeof *c->reaches))
        return pal_no_memory(err);
    struct consume_reach *far = &c->far[c->reach_count++];
    memcpy(far->journal, from->journal, sizeof far->journal);
    far->shard = shard;
    far->seq = from->seq;
    return PAL_OK;
}

/* Puts a message aside. */
static enum pal_status refuse(struct live *l, const struct bus_received *m,
                              const struct pal_error *why, struct pal_error *err)
{
    struct consume *c = &l->consume;
    if (atomic_fetch_add(&c->refused, 1) == 0)
        live_say(l, LIVE_ERROR,
                 "a message of the stream can't be read and is put aside (the next ones are only "
                 "counted): %s",
                 why->message);
    return bus_refuse(c->bus, m, why->message, err);
}

/* What the broker gave (count), as changes; *n receives how many. */
static enum pal_status decode(struct live *l, size_t count, size_t *n, struct pal_error *err)
{
    struct consume *c = &l->consume;
    enum pal_status st = PAL_OK;
    int64_t now = live_now_ms(l);
    arena_reset(&c->texts);
    *n = c->reach_count = 0;
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        struct store_change *change = &c->changes[*n];
        struct stream_origin from = {.seq = 0};
        struct pal_error why;
        *change = (struct store_change){.seq = 0};
        st = stream_json_read(c->reader, c->got[i].body, c->got[i].size, now, &c->texts,
                              &change->record, &from, &why);
        bool refused = st == PAL_EFORMAT;
        if (refused)
            st = refuse(l, &c->got[i], &why, err);
        else if (st != PAL_OK)
            *err = why;
        if (st == PAL_OK) /* what was put aside has come as far as it will */
            st = note_reach(c, &from, c->got[i].shard, err);
        if (st != PAL_OK)
            break;
        change->seq = from.seq;
        change->at_ms = from.at_ms;
        *n += !refused;
    }
    for (size_t i = 0; i < c->reach_count; i++)
        c->reaches[i] = (struct store_reach){c->far[i].journal, c->far[i].shard, c->far[i].seq};
    return st;
}

/* What has to follow once the changes (n) are stored. */
static void stored(struct live *l, size_t n, size_t repeated)
{
    struct consume *c = &l->consume;
    size_t events = 0;
    bool cleared = false;
    shared_stored(l, c->changes, n);
    for (size_t i = 0; i < n; i++) {
        events += c->changes[i].record.kind == RECORD_EVENT;
        cleared = cleared || c->changes[i].record.kind == RECORD_CLEAR;
    }
    if (cleared) {
        live_forget_models(l);
        ignored_clear_note(l);
    }
    if (!live_does(l, ROLE_RECS)) /* who answers counts them as it shows them to memory */
        atomic_fetch_add(&l->events_new, events > repeated ? events - repeated : 0);
    atomic_fetch_add(&c->records, n);
    atomic_fetch_add(&c->repeated, repeated);
}

/* Tells the broker that all it gave is done with. */
static bool settle(struct live *l, unsigned *wait)
{
    struct consume *c = &l->consume;
    struct pal_error err;
    c->unsettled = bus_settle(c->bus, &err) != PAL_OK;
    if (!c->unsettled)
        return true;
    return back_off(l, SETTLING, wait, &err);
}

/* Stores what the broker gave, tried until it is in; false when it is time to stop. */
static bool take(struct live *l, size_t count, unsigned *wait)
{
    struct consume *c = &l->consume;
    struct pal_error err;
    size_t n = 0, repeated = 0;
    c->unsettled = true;
    if (decode(l, count, &n, &err) != PAL_OK)
        return back_off(l, STREAM, wait, &err); /* it comes again */
    while ((n || c->reach_count) && store_take(l->store, c->changes, n, c->reaches, c->reach_count,
                                               &repeated, &err) != PAL_OK)
        if (!back_off(l, STORE, wait, &err))
            return false;
    stored(l, n, repeated);
    return settle(l, wait);
}

/* Served lists past their days; from this thread, since it alone writes to the store. */
static void forget_served(struct live *l)
{
    struct pal_error err;
    int64_t now = live_now_ms(l);
    if (l->config.live.served_days <= 0 || now < l->consume.forget_ms)
        return;
    l->consume.forget_ms = now + FORGET_EVERY_MS;
    if (store_forget_served(l->store, now - l->config.live.served_days * DAY_MS, NULL, &err) !=
        PAL_OK)
        live_say(l, LIVE_WARNING, "old served lists could not be deleted: %s", err.message);
}

static void *consume_loop(void *arg)
{
    struct live *l = arg;
    struct consume *c = &l->consume;
    struct pal_error err;
    unsigned wait = BACKOFF_MS;
    bool go_on = true;
    pthread_setname_np(pthread_self(), "palate-stream");
    turns_behind();
    while (go_on && !stopping(c)) {
        size_t count = 0;
        c->stumbled = false;
        if (bus_receive(c->bus, c->got, c->most, WAIT_MS, &count, &err) != PAL_OK) {
            go_on = back_off(l, STREAM, &wait, &err);
            continue;
        }
        if (count)
            go_on = take(l, count, &wait);
        else if (c->unsettled) /* what was put aside does not come again, but is to be settled */
            go_on = settle(l, &wait);
        if (!c->stumbled)
            recovered(l, &wait);
        forget_served(l);
    }
    return NULL;
}

/* ---- Starting and stopping ---- */

enum pal_status consume_start(struct live *l, struct pal_error *err)
{
    struct consume *c = &l->consume;
    c->bus = l->bus;
    c->most = (size_t)l->config.live.drain_most;
    c->got = mem_alloc(c->most, sizeof *c->got);
    c->changes = mem_alloc(c->most, sizeof *c->changes);
    if (!c->got || !c->changes)
        return pal_no_memory(err);
    enum pal_status st = stream_reader_new(&c->reader, err);
    if (st != PAL_OK)
        return st;
    if (pthread_create(&c->thread, NULL, consume_loop, l))
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for the stream");
    c->running = true;
    return PAL_OK;
}

void consume_stop(struct live *l)
{
    struct consume *c = &l->consume;
    if (c->running) {
        pthread_mutex_lock(&c->lock);
        c->stop = true;
        pthread_cond_signal(&c->wake);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
        c->running = false;
    }
    stream_reader_free(c->reader);
    arena_done(&c->texts);
    mem_free(c->got);
    mem_free(c->changes);
    mem_free(c->far);
    mem_free(c->reaches);
}
