/* Showing durable records to memory, in the journal's order. What can't be shown for want of memory
 * is said and comes back with the next start: it is in the journal or the store.
 *
 * One thread does this at a time, the journal's writer or who follows the store, whoever has
 * `apply`; so it reads the catalog without `world`, and takes that only to change it. */
#include "engine/live_inside.h"

enum { ITEMS_AT_ONCE = 64 }; /* so many items are put while requests wait */

#define OF_OTHERS UINT64_MAX /* in the place of a number: another process took it in */

static void write_lock(struct live *l)
{
    pthread_rwlock_wrlock(&l->world);
}

void live_read_lock(struct live *l)
{
    pthread_rwlock_rdlock(&l->world);
}

void live_unlock(struct live *l)
{
    pthread_rwlock_unlock(&l->world);
}

/* The item's number, new if need be; INTERN_NONE when memory is out. */
static uint32_t number_of(struct live *l, const char *item_id)
{
    struct pal_error err;
    uint32_t number = catalog_find(l->catalog, item_id);
    if (number != INTERN_NONE)
        return number;
    write_lock(l);
    enum pal_status st = catalog_touch(l->catalog, item_id, &number, &err);
    live_unlock(l);
    if (st == PAL_OK)
        return number;
    live_say(l, LIVE_ERROR, "item '%s' is not in the catalog until the next start: %s", item_id,
             err.message);
    return INTERN_NONE;
}

/* Something good came of an item that was recommended to the user: for whoever put it there. */
static void count_taken(struct live *l, const struct event *e, uint32_t number, float weight)
{
    int source = weight > 0 ? credit_take(l->credit, e->user_id, number) : CREDIT_NONE;
    if (source != CREDIT_NONE)
        atomic_fetch_add_explicit(&l->sources[source].taken, 1, memory_order_relaxed);
}

/* What others took in is counted by them, and known from the state while that is there. */
static void count(struct live *l, const struct event *e, uint32_t number, uint8_t type,
                  uint64_t seq)
{
    struct pal_error err;
    float weight = kinds_weight(&l->kinds, type, e->value);
    bool teaches = l->kinds.teaches[type];
    enum pal_status st = PAL_OK;
    if (weight == 0 || (seq == OF_OTHERS && shared_counts_known(l)))
        return;
    if (seq == OF_OTHERS)
        st = bandit_count(l->bandit, number, weight, teaches, e->time_ms, &err);
    else
        st = shared_count(l, e->item_id, number, weight, teaches, e->time_ms, seq, &err);
    if (st != PAL_OK)
        live_say(l, LIVE_ERROR, "an event is not counted: %s", err.message);
}

static void show_event(struct live *l, const struct event *e, uint8_t type, uint64_t seq)
{
    uint32_t number = number_of(l, e->item_id);
    if (number == INTERN_NONE)
        return;
    float weight = kinds_weight(&l->kinds, type, e->value);
    const struct profile_event shown = {number, weight, e->time_ms, l->kinds.marks[type]};
    if (seq == OF_OTHERS)
        profiles_other_event(l->profiles, e->user_id, &shown);
    else
        profiles_event(l->profiles, e->user_id, seq, &shown);
    count_taken(l, e, number, weight);
    count(l, e, number, type, seq);
    atomic_fetch_add_explicit(&l->events_new, 1, memory_order_relaxed);
}

/* One that came in here. */
static void apply_event(struct live *l, const struct event *e, uint8_t type, uint64_t seq)
{
    atomic_fetch_add_explicit(&l->events_seen, 1, memory_order_relaxed);
    if (e->event_id && *e->event_id && recent_add(l->recent, e->event_id)) {
        atomic_fetch_add(&l->repeated, 1);
        return;
    }
    show_event(l, e, type, seq);
    atomic_fetch_add_explicit(&l->kinds.events[type], 1, memory_order_relaxed);
}

static bool is_item(const struct record *r)
{
    return r->kind == RECORD_ITEM || r->kind == RECORD_ITEM_DELETE;
}

static void put_item(struct live *l, const struct item_row *row)
{
    uint32_t number;
    struct pal_error err;
    if (catalog_put(l->catalog, row, &number, &err) == PAL_OK) {
        title_keys_set(&l->titles, number, row->title);
        snapshot_note(l->snapshot, l->catalog, number);
    } else {
        live_say(l, LIVE_ERROR, "item '%s' is not in the catalog until the next start: %s",
                 row->item_id, err.message);
    }
}

static void remove_item(struct live *l, const char *item_id)
{
    uint32_t number = catalog_find(l->catalog, item_id);
    if (number == INTERN_NONE)
        return;
    catalog_remove(l->catalog, item_id);
    title_keys_set(&l->titles, number, NULL);
    snapshot_note(l->snapshot, l->catalog, number);
}

/* Items from records[0] on, as many as come in a row; returns how many. */
static size_t apply_items(struct live *l, const struct record *records, size_t count, uint64_t seq)
{
    size_t n = 0;
    write_lock(l);
    while (n < count && n < ITEMS_AT_ONCE && is_item(&records[n])) {
        bool put = records[n].kind == RECORD_ITEM;
        const char *id = put ? records[n].item.item_id : records[n].id;
        if (put)
            put_item(l, &records[n].item);
        else
            remove_item(l, id);
        if (seq != OF_OTHERS)
            follow_note_item(l, id, seq + n);
        n++;
    }
    l->changes++;
    live_unlock(l);
    atomic_fetch_add(&l->items_put, 1);
    return n;
}

/* Everything up to own record `seq` is forgotten: numbers begin anew, and nobody is in the middle
 * of an answer. The models wait on disk for somebody to load them. What another process forgot, the
 * store has forgotten: what of ours is not there yet (seq: what is) comes after that. */
static void apply_clear(struct live *l, uint64_t seq)
{
    struct catalog *fresh = NULL, *old;
    struct snapshot *none = NULL;
    struct title_keys titles;
    struct pal_error err;
    enum pal_status st = catalog_new(&fresh, &err);
    if (st == PAL_OK)
        st = snapshot_new(NULL, NULL, 0, NULL, NULL, &none, &err);
    if (st != PAL_OK) {
        catalog_free(fresh);
        live_say(l, LIVE_ERROR, "memory forgets only with the next start: %s", err.message);
        return;
    }
    write_lock(l);
    old = l->catalog;
    titles = l->titles;
    l->catalog = fresh;
    l->titles = (struct title_keys){0};
    l->epoch++;
    l->snapshot->next = l->retired;
    l->retired = l->snapshot;
    l->snapshot = none;
    profiles_clear(l->profiles, seq);
    if (l->shared)
        profiles_clear(l->shared->views, seq);
    shared_counts_forget(l);
    served_forget(l, NULL);
    shared_lists_forget(l, NULL);
    bandit_forget(l->bandit);
    ignored_clear(l);
    live_unlock(l);
    recent_clear(l->recent);
    credit_clear(l->credit);
    title_keys_done(&titles);
    catalog_free(old);
    atomic_store(&l->events_new, 0);
    if (l->journal)
        journal_rotate(l->journal);
}

/* The user is forgotten, and with them what was served to them before this moment: requests hold
 * `world` until their list is noted. */
static void apply_user_delete(struct live *l, const char *user_id, uint64_t seq)
{
    write_lock(l);
    profiles_erase(l->profiles, user_id, seq);
    if (l->shared)
        profiles_unload(l->shared->views, user_id, NULL);
    served_forget(l, user_id);
    shared_lists_forget(l, user_id);
    live_unlock(l);
    journal_rotate(l->journal); /* so that what was written of them can be deleted */
}

/* Where nobody asks for answers: only what was asked to be forgotten goes at once. */
static void pass_over(struct live *l, const struct record *r, uint8_t type, uint64_t seq)
{
    if (r->kind == RECORD_EVENT) {
        count(l, &r->event, INTERN_NONE, type, seq);
        atomic_fetch_add_explicit(&l->events_seen, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&l->kinds.events[type], 1, memory_order_relaxed);
    } else if (r->kind == RECORD_USER_DELETE || r->kind == RECORD_CLEAR) {
        journal_rotate(l->journal);
    }
}

static void apply_all(struct live *l, const struct record *records, const uint8_t *type,
                      size_t count, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        const struct record *r = &records[i];
        if (!live_does(l, ROLE_RECS)) {
            pass_over(l, r, type[i], first + i);
            continue;
        }
        switch (r->kind) {
        case RECORD_EVENT:
            apply_event(l, &r->event, type[i], first + i);
            break;
        case RECORD_ITEM:
        case RECORD_ITEM_DELETE:
            i += apply_items(l, r, count - i, first + i) - 1;
            break;
        case RECORD_USER_DELETE:
            apply_user_delete(l, r->id, first + i);
            break;
        case RECORD_CLEAR:
            apply_clear(l, first + i);
            follow_note_clear(l, first + i);
            break;
        case RECORD_USER:
        case RECORD_SERVED:
        case RECORD_SERVED_PACKED:
            break; /* nothing of them is kept in memory */
        }
    }
}

void live_apply(struct live *l, const struct record *records, const uint8_t *type, size_t count,
                uint64_t first)
{
    pthread_mutex_lock(&l->apply);
    apply_all(l, records, type, count, first);
    pthread_mutex_unlock(&l->apply);
}

void live_apply_other(struct live *l, const struct record *r)
{
    struct pal_error err;
    uint8_t type;
    switch (r->kind) {
    case RECORD_EVENT:
        if (kinds_add(&l->kinds, r->event.type, &type, &err) == PAL_OK)
            show_event(l, &r->event, type, OF_OTHERS);
        break; /* else: one of too many types, which the one who took it in was told */
    case RECORD_ITEM:
    case RECORD_ITEM_DELETE:
        apply_items(l, r, 1, OF_OTHERS);
        break;
    case RECORD_USER_DELETE:
        write_lock(l);
        profiles_other_erase(l->profiles, r->id);
        served_forget(l, r->id);
        shared_lists_forget(l, r->id);
        live_unlock(l);
        break;
    case RECORD_CLEAR:
        apply_clear(l, atomic_load(&l->drain.stored));
        follow_show_own(l);
        break;
    case RECORD_USER:
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        break; /* nothing of them is kept in memory */
    }
}
