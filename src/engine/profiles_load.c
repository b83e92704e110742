/* Loading a profile from the store; see profiles.h for what makes that exact. */
#include "base/clock.h"
#include "engine/profiles_inside.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>
#include <time.h>

enum {
    RETRY_MS = 1000,
    HOLD_SECONDS = 1,
    TRIES = 4, /* while others do something: after that, what was done in the last moment is missed
                  until the profile is loaded anew */
};

/* Keeps the drain from its next transaction and waits for the present one to end; false if that
 * takes too long (then it is not held). */
static bool hold_drain(struct profiles *p)
{
    struct timespec until = clock_in_ms(HOLD_SECONDS * 1000);
    bool idle = true;
    pthread_mutex_lock(&p->drain_lock);
    p->holds++;
    while (idle && atomic_load(&p->begun) != atomic_load(&p->done))
        idle = pthread_cond_timedwait(&p->drain_moved, &p->drain_lock, &until) == 0;
    if (!idle) {
        p->holds--;
        pthread_cond_broadcast(&p->drain_moved);
    }
    pthread_mutex_unlock(&p->drain_lock);
    return idle;
}

static void release_drain(struct profiles *p)
{
    pthread_mutex_lock(&p->drain_lock);
    p->holds--;
    pthread_cond_broadcast(&p->drain_moved);
    pthread_mutex_unlock(&p->drain_lock);
}

/* What the store says of a user, newest first. */
struct read {
    const struct profile_source *source;
    struct str ids; /* item ids, each with its NUL */
    struct read_row {
        size_t id; /* in ids */
        struct profile_event event;
        bool met; /* by an event in memory that is the same */
    } * row;
    size_t count, cap;
    struct read_list {
        int64_t time_ms;
        size_t first, count; /* in shown */
    } * list;                /* (lists) newest first */
    size_t lists, list_cap;
    struct read_shown {
        size_t id;       /* in ids */
        uint32_t number; /* INTERN_NONE if there is no such item */
    } * shown;
    size_t shown_count, shown_cap;
    uint64_t before; /* up to where the store had everything when reading began */
};

/* A store_event_fn. */
static enum pal_status take_row(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    struct read *r = ctx;
    if (mem_grow(&r->row, &r->cap, r->count + 1, sizeof *r->row))
        return pal_no_memory(err);
    struct read_row *row = &r->row[r->count];
    row->id = r->ids.len;
    r->source->worth(r->source->ctx, &e->event, &row->event);
    row->event.time_ms = e->event.time_ms;
    row->met = false;
    str_add(&r->ids, e->event.item_id, strlen(e->event.item_id) + 1);
    if (!str_ok(&r->ids))
        return pal_no_memory(err);
    r->count++;
    return PAL_OK;
}

/* A profile_list_fn. */
static enum pal_status take_list(void *ctx, int64_t time_ms, const char *const *ids, size_t count,
                                 struct pal_error *err)
{
    struct read *r = ctx;
    count = count < SERVED_MOST ? count : SERVED_MOST;
    if (mem_grow(&r->list, &r->list_cap, r->lists + 1, sizeof *r->list) ||
        mem_grow(&r->shown, &r->shown_cap, r->shown_count + count, sizeof *r->shown))
        return pal_no_memory(err);
    r->list[r->lists++] = (struct read_list){time_ms, r->shown_count, count};
    for (size_t i = 0; i < count; i++) {
        r->shown[r->shown_count++] = (struct read_shown){r->ids.len, INTERN_NONE};
        str_add(&r->ids, ids[i], strlen(ids[i]) + 1);
    }
    return str_ok(&r->ids) ? PAL_OK : pal_no_memory(err);
}

/* The lists and what was done meanwhile, once more: out has the events already. */
static void show_again(const struct profiles *p, const struct read *r, struct profile *out)
{
    uint32_t number[SERVED_MOST], ignored[SERVED_MOST];
    size_t at = 0;
    float amount;
    if (!r->lists)
        return;
    while (at < out->count && out->event[at].time_ms < r->list[r->lists - 1].time_ms)
        at++;
    for (size_t i = r->lists; i-- > 0;) {
        const struct read_list *list = &r->list[i];
        size_t n = 0;
        for (; at < out->count && out->event[at].time_ms < list->time_ms; at++)
            profile_act(out, out->event[at].item);
        for (size_t j = 0; j < list->count; j++) {
            number[n] = r->shown[list->first + j].number;
            n += number[n] != INTERN_NONE;
        }
        profile_serve(out, number, n, list->time_ms, &p->limits.ignoring, ignored, &amount);
    }
    for (; at < out->count; at++)
        profile_act(out, out->event[at].item);
}

/* Whether it can be told for everything that is in memory of u whether the store had it when it was
 * read: nothing may lie between the last transaction that was done before and the last that had
 * begun after. */
static bool is_exact(const struct user *u, uint64_t cleared, uint64_t before, uint64_t begun,
                     bool streamed)
{
    if (streamed)
        return true; /* what may be in both is compared */
    if ((u->erased > before && u->erased <= begun) || (cleared > before && cleared <= begun))
        return false;
    for (size_t i = 0; i < u->profile.count; i++)
        if (u->profile.event[i].seq > before && u->profile.event[i].seq <= begun)
            return false;
    return true;
}

/* Whether what was read (rows of it) has the event; each of its rows stands for one. */
static bool was_read(struct read *r, size_t rows, const struct kept *k)
{
    for (size_t i = 0; i < rows; i++) {
        struct read_row *row = &r->row[i];
        if (row->met || row->event.item != k->item || row->event.time_ms != k->time_ms ||
            row->event.weight != k->weight)
            continue;
        row->met = true;
        return true;
    }
    return false;
}

/* *out = what the store said (rows of it: all or, if that is gone, none) and then what u has that
 * it did not. */
static enum pal_status merge(const struct profiles *p, const struct user *u, struct read *r,
                             size_t rows, struct profile *out, struct pal_error *err)
{
    size_t seen = (size_t)p->limits.seen, events = (size_t)p->limits.events;
    enum pal_status st = PAL_OK;
    for (size_t i = rows; i-- > 0 && st == PAL_OK;) {
        const struct profile_event *e = &r->row[i].event;
        if (e->item == INTERN_NONE)
            continue;
        if (i < events)
            st = profile_add(out, 0, e, err);
        if (st == PAL_OK && e->marks)
            st = profile_see_new(out, e->item, seen, err);
    }
    for (size_t i = 0; i < u->profile.count && st == PAL_OK; i++) {
        const struct kept *k = &u->profile.event[i];
        if (k->seq <= r->before || (p->limits.streamed && was_read(r, rows, k)))
            continue;
        const struct profile_event e = {k->item, k->weight, k->time_ms, k->marks};
        st = profile_add(out, k->seq, &e, err);
        if (st == PAL_OK && e.marks)
            st = profile_see(out, e.item, seen, err);
    }
    if (rows == r->count)
        show_again(p, r, out);
    return st;
}

/* Gives the rows their items' numbers; of several that mark one item only the newest still does. */
static enum pal_status resolve(struct read *r, struct pal_error *err)
{
    size_t size = 16;
    while (size < 2 * r->count)
        size *= 2;
    uint32_t *slot = mem_zero(size, sizeof *slot); /* number + 1 */
    if (!slot)
        return pal_no_memory(err);
    for (size_t i = 0; i < r->shown_count; i++)
        r->shown[i].number = r->source->item(r->source->ctx, r->ids.text + r->shown[i].id);
    for (size_t i = 0; i < r->count; i++) {
        struct profile_event *e = &r->row[i].event;
        e->item = r->source->item(r->source->ctx, r->ids.text + r->row[i].id);
        if (!e->marks || e->item == INTERN_NONE)
            continue;
        size_t at = e->item * 2654435769u & (size - 1);
        while (slot[at] && slot[at] != e->item + 1)
            at = (at + 1) & (size - 1);
        e->marks = !slot[at];
        slot[at] = e->item + 1;
    }
    mem_free(slot);
    return PAL_OK;
}

/* Gives u, which is LOADING, what was read; *exact false: it has to be read again, and *hold says
 * whether with the drain held. */
static enum pal_status install(struct profiles *p, struct shard *s, struct user *u, struct read *r,
                               bool last, bool *exact, bool *hold, struct pal_error *err)
{
    struct profile whole = {.dirty = true};
    const struct profile_source *source = r->source;
    source->hold(source->ctx);
    enum pal_status st = resolve(r, err);
    pthread_mutex_lock(&s->lock);
    uint64_t begun = atomic_load(&p->begun), cleared = atomic_load(&p->cleared);
    *hold = !is_exact(u, cleared, r->before, begun, p->limits.streamed);
    *exact = !*hold && (!u->stale || last);
    u->stale = false;
    if (*exact && st == PAL_OK) {
        bool gone = u->erased > r->before || cleared > r->before;
        st = merge(p, u, r, gone ? 0 : r->count, &whole, err);
    }
    if (*exact && st == PAL_OK) {
        profile_done(&u->profile);
        u->profile = whole;
        if (source->version) {
            u->version = *source->version;
            u->unknown = *source->unknown ? source->items + !source->items : 0;
        }
        profiles_set_state(s, u, LOADED);
        profiles_touch(p, s, u);
        pthread_cond_broadcast(&s->loaded);
    } else {
        profile_done(&whole);
    }
    pthread_mutex_unlock(&s->lock);
    source->release(source->ctx);
    return st;
}

/* What is in memory has to do, until then. */
static void settle_partial(struct profiles *p, struct shard *s, struct user *u, int64_t retry_ms)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < u->profile.count; i++)
        if (u->profile.event[i].marks && profile_see(&u->profile, u->profile.event[i].item,
                                                     (size_t)p->limits.seen, NULL) != PAL_OK)
            break; /* shown again at worst */
    u->retry_ms = retry_ms;
    profiles_set_state(s, u, PARTIAL);
    profiles_touch(p, s, u);
    pthread_cond_broadcast(&s->loaded);
    pthread_mutex_unlock(&s->lock);
}

/* Want of memory alone is in the way. */
static enum pal_status load_lists(const struct user *u, struct read *r, struct pal_error *err)
{
    const struct profile_source *source = r->source;
    enum pal_status st =
        source->lists ? source->lists(source->ctx, u->id, take_list, r, err) : PAL_OK;
    return st == PAL_ENOMEM ? st : PAL_OK;
}

/* Reads and installs, once or, if the drain came across, once more with the drain held; and again
 * while others do something meanwhile. */
static enum pal_status load(struct profiles *p, struct shard *s, struct user *u,
                            const struct profile_source *source, struct pal_error *err)
{
    size_t most = (size_t)(p->limits.events > p->limits.seen ? p->limits.events : p->limits.seen);
    struct read r = {.source = source};
    bool exact = false, held = false, hold = false;
    enum pal_status st = PAL_OK;
    for (int tries = 1; st == PAL_OK && !exact; tries++) {
        r.before = atomic_load(&p->done);
        r.count = r.lists = r.shown_count = 0;
        str_clear(&r.ids);
        st = source->load(source->ctx, u->id, most, take_row, &r, err);
        if (st == PAL_OK)
            st = load_lists(u, &r, err);
        if (st == PAL_OK)
            st = install(p, s, u, &r, tries >= TRIES, &exact, &hold, err);
        if (st == PAL_OK && !exact && hold) {
            assert(!held);
            atomic_fetch_add(&p->again, 1);
            held = hold_drain(p);
            if (!held)
                st = pal_fail(err, PAL_EIO, "the store has been busy for %d s", HOLD_SECONDS);
        }
    }
    if (held)
        release_drain(p);
    mem_free(r.list);
    mem_free(r.shown);
    mem_free(r.row);
    str_done(&r.ids);
    return st;
}

/* The user to load, now LOADING; NULL if there is nothing to do (any more). */
static enum pal_status begin_load(struct profiles *p, struct shard *s, uint64_t hash,
                                  const char *user_id, int64_t now_ms, struct user **out,
                                  struct pal_error *err)
{
    struct user *u = profiles_find(s, hash, user_id);
    *out = NULL;
    if (!u)
        u = profiles_add(s, hash, user_id);
    if (!u)
        return pal_no_memory(err);
    if (u->state == LOADING) {
        pthread_cond_wait(&s->loaded, &s->lock); /* whoever woke us may have meant another user */
        return PAL_OK;
    }
    if (u->state == LOADED || (u->state == PARTIAL && now_ms < u->retry_ms))
        return PAL_OK;
    profiles_set_state(s, u, LOADING);
    *out = u;
    return PAL_OK;
}

enum pal_status profiles_load(struct profiles *p, const char *user_id, int64_t now_ms,
                              const struct profile_source *source, struct pal_error *err)
{
    uint64_t hash;
    struct user *u;
    struct shard *s = profiles_lock(p, user_id, &hash);
    enum pal_status st = begin_load(p, s, hash, user_id, now_ms, &u, err);
    pthread_mutex_unlock(&s->lock);
    if (st != PAL_OK || !u)
        return st;
    st = load(p, s, u, source, err); /* nobody frees a LOADING user */
    if (st == PAL_OK)
        return PAL_OK;
    atomic_fetch_add(&p->failures, 1);
    settle_partial(p, s, u, st == PAL_ENOMEM ? now_ms : now_ms + RETRY_MS);
    return st == PAL_ENOMEM ? st : PAL_OK;
}
