/* Looking things up: an item in memory; users, events and lists in the store, once it has what was
 * acknowledged. (Lists of items: live_items.c.) */
#include "engine/live_inside.h"

#include <string.h>

enum { DRAIN_WAIT_MS = 1000 };

enum pal_status live_item(struct live *l, const char *item_id, struct arena *tmp,
                          struct item_row *out, struct pal_error *err)
{
    struct item_row row;
    live_read_lock(l);
    uint32_t number = catalog_find(l->catalog, item_id);
    enum pal_status st = PAL_OK;
    if (number == INTERN_NONE || !catalog_item(l->catalog, number, &row))
        st = pal_fail(err, PAL_ENOTFOUND, "there is no item '%s'", item_id);
    else
        st = live_copy_item(l->catalog, number, true, tmp, out, err);
    live_unlock(l);
    return st;
}

/* ---- Users ---- */

static enum pal_status wait_acknowledged(struct live *l, struct pal_error *err)
{
    return live_drain(l, DRAIN_WAIT_MS, err);
}

static enum pal_status copy(struct arena *tmp, const char **text, struct pal_error *err)
{
    *text = arena_text(tmp, *text ? *text : "", *text ? strlen(*text) : 0);
    return *text ? PAL_OK : pal_no_memory(err);
}

struct user_copy {
    struct arena *tmp;
    struct user_row *out;
};

/* A store_user_fn. */
static enum pal_status copy_user(void *ctx, const struct user_row *u, struct pal_error *err)
{
    struct user_copy *c = ctx;
    *c->out = *u;
    enum pal_status st = copy(c->tmp, &c->out->user_id, err);
    return st == PAL_OK ? copy(c->tmp, &c->out->attributes, err) : st;
}

enum pal_status live_user(struct live *l, const char *user_id, struct arena *tmp,
                          struct user_row *out, uint64_t *events, struct pal_error *err)
{
    struct user_row row = {0};
    struct user_copy c = {tmp, &row};
    uint64_t count = 0;
    enum pal_status st = wait_acknowledged(l, err);
    if (st == PAL_OK)
        st = store_user_count(l->store, user_id, &count, err);
    if (st == PAL_OK)
        st = store_user(l->store, user_id, copy_user, &c, err);
    if (st == PAL_ENOTFOUND && count > 0) {
        row = (struct user_row){.user_id = user_id};
        st = copy(tmp, &row.user_id, err);
    }
    if (st == PAL_OK) {
        *out = row;
        *events = count;
    }
    return st;
}

struct rows {
    struct arena *tmp;
    void *row; /* (most) */
    size_t count, most;
    uint64_t last; /* place of the last event taken */
    bool more;
};

/* A store_event_fn. */
static enum pal_status copy_event(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    struct rows *r = ctx;
    struct event *out = (struct event *)r->row + r->count;
    if (r->count == r->most) {
        r->more = true;
        return PAL_OK;
    }
    *out = e->event;
    enum pal_status st = copy(r->tmp, &out->user_id, err);
    if (st == PAL_OK)
        st = copy(r->tmp, &out->item_id, err);
    if (st == PAL_OK)
        st = copy(r->tmp, &out->type, err);
    if (st == PAL_OK)
        st = copy(r->tmp, &out->event_id, err);
    if (st == PAL_OK)
        st = copy(r->tmp, &out->recommendation_id, err);
    r->last = e->place;
    r->count++;
    return st;
}

enum pal_status live_user_events(struct live *l, const char *user_id, uint64_t before, size_t n,
                                 struct arena *tmp, struct event **out, size_t *count,
                                 uint64_t *next, struct pal_error *err)
{
    struct rows r = {.tmp = tmp, .most = n};
    enum pal_status st = wait_acknowledged(l, err);
    r.row = st == PAL_OK ? arena_alloc(tmp, n, sizeof(struct event)) : NULL;
    if (st == PAL_OK && !r.row)
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = store_user_events(l->store, user_id, before, n + 1, copy_event, &r, err);
    if (st != PAL_OK)
        return st;
    *out = r.row;
    *count = r.count;
    *next = r.more ? r.last : 0;
    return PAL_OK;
}

/* A store_served_fn. */
static enum pal_status copy_served(void *ctx, const struct served_row *s, struct pal_error *err)
{
    struct rows *r = ctx;
    struct served_row *out = (struct served_row *)r->row + r->count;
    if (r->count == r->most)
        return PAL_OK;
    *out = *s;
    enum pal_status st = copy(r->tmp, &out->recommendation_id, err);
    if (st == PAL_OK)
        st = copy(r->tmp, &out->user_id, err);
    if (st == PAL_OK)
        st = copy(r->tmp, &out->list, err);
    r->count++;
    return st;
}

enum pal_status live_user_served(struct live *l, const char *user_id, size_t n, struct arena *tmp,
                                 struct served_row **out, size_t *count, struct pal_error *err)
{
    struct rows r = {.tmp = tmp, .most = n};
    served_flush(l, true);
    enum pal_status st = wait_acknowledged(l, err);
    r.row = st == PAL_OK ? arena_alloc(tmp, n, sizeof(struct served_row)) : NULL;
    if (st == PAL_OK && !r.row)
        st = pal_no_memory(err);
    if (st == PAL_OK && n > 0)
        st = store_served(l->store, user_id, n, copy_served, &r, err);
    if (st != PAL_OK)
        return st;
    *out = r.row;
    *count = r.count;
    return PAL_OK;
}

enum pal_status live_drain(struct live *l, unsigned wait_ms, struct pal_error *err)
{
    follow_hurry(l, wait_ms);
    return drain_wait(&l->drain, atomic_load(&l->drain.committed), false, wait_ms, err);
}

struct store *live_store(struct live *l)
{
    return l->store;
}
