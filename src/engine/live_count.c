/* Counting at the start: what the store has of events, for popularity and the bandit. It runs in a
 * thread of its own while the server answers already; what comes in meanwhile is counted as it
 * comes, so only what the store had at the beginning is counted here. */
#include "engine/live_inside.h"

#include "base/mem.h"
#include "base/turns.h"

/* A store_event_fn: one is enough. */
static enum pal_status note_one(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    *(bool *)ctx = true;
    return PAL_EINTERRUPTED;
}

/* Whether there is an event after `place`. */
static enum pal_status any_after(struct live *l, uint64_t place, bool *any, struct pal_error *err)
{
    *any = false;
    enum pal_status st = store_events(l->store, place, note_one, any, err);
    return st == PAL_EINTERRUPTED && *any ? PAL_OK : st;
}

/* The last event's place, 0 if there is none: by doubling and halving. */
static enum pal_status last_place(struct live *l, uint64_t *out, struct pal_error *err)
{
    uint64_t low = 0, high = 1; /* there is one after low; none after high, once that is found */
    bool any;
    enum pal_status st = any_after(l, low, &any, err);
    if (st != PAL_OK || !any) {
        *out = 0;
        return st;
    }
    while (st == PAL_OK && (st = any_after(l, high, &any, err)) == PAL_OK && any) {
        low = high;
        high *= 2;
    }
    while (st == PAL_OK && high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        st = any_after(l, middle, &any, err);
        *(any ? &low : &high) = middle;
    }
    *out = high;
    return st;
}

struct count {
    struct live *l;
    uint64_t last, epoch;
    uint64_t events, fresh;
    bool counted; /* the shared state has said what it comes to */
    int64_t trained_ms;
};

/* A store_event_fn. */
static enum pal_status count_one(void *ctx, const struct stored_event *s, struct pal_error *err)
{
    struct count *c = ctx;
    struct live *l = c->l;
    const struct event *e = &s->event;
    uint8_t type;
    if (s->place > c->last || atomic_load_explicit(&l->stop, memory_order_relaxed))
        return PAL_EINTERRUPTED;
    if (e->event_id && *e->event_id)
        recent_add(l->recent, e->event_id);
    if (kinds_add(&l->kinds, e->type, &type, err) != PAL_OK)
        return PAL_OK; /* one of too many types: the store was not filled by us alone */
    float weight = kinds_weight(&l->kinds, type, e->value);
    enum pal_status st = PAL_OK;
    live_read_lock(l);
    if (l->epoch != c->epoch)
        st = PAL_EINTERRUPTED; /* all of it was forgotten meanwhile */
    uint32_t number = st == PAL_OK ? catalog_find(l->catalog, e->item_id) : INTERN_NONE;
    if (number != INTERN_NONE && weight != 0 && !c->counted)
        st = bandit_count(l->bandit, number, weight, l->kinds.teaches[type], e->time_ms, err);
    live_unlock(l);
    c->events++;
    c->fresh += e->time_ms > c->trained_ms;
    return st;
}

static void *count_all(void *arg)
{
    struct count *c = arg;
    struct live *l = c->l;
    struct pal_error err;
    pthread_setname_np(pthread_self(), "palate-count");
    turns_behind();
    enum pal_status st = store_events(l->store, 0, count_one, c, &err);
    if (st != PAL_OK && st != PAL_EINTERRUPTED)
        live_say(l, LIVE_WARNING, "what is popular is not fully counted: %s", err.message);
    atomic_fetch_add(&l->events_new, c->fresh);
    if (live_alone(l) && !c->counted)
        ignored_restore(l, c->epoch);
    if (st == PAL_OK)
        shared_counts_whole(l);
    if (c->events && bandit_refresh(l->bandit, live_now_ms(l), &err) != PAL_OK)
        live_say(l, LIVE_WARNING, "what is popular is not up to date: %s", err.message);
    mem_free(c);
    return NULL;
}

enum pal_status live_count(struct live *l, struct pal_error *err)
{
    struct count *c = mem_zero(1, sizeof *c);
    if (!c)
        return pal_no_memory(err);
    c->l = l;
    c->epoch = l->epoch;
    c->counted = shared_counts_known(l);
    c->trained_ms = atomic_load(&l->trained_ms); /* 0 where no version is live */
    c->last = l->follow.mark;                    /* what comes later is shown as it is followed */
    enum pal_status st = c->last ? PAL_OK : last_place(l, &c->last, err);
    if (st != PAL_OK) {
        mem_free(c);
        return st;
    }
    if (pthread_create(&l->counter, NULL, count_all, c)) {
        mem_free(c);
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for counting");
    }
    l->counting = true; /* c is the thread's */
    return PAL_OK;
}
