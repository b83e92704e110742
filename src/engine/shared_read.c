/* Profiles out of the shared state; see shared.h. */
#include "engine/live_inside.h"

#include <string.h>

enum { TRIES = 64, ANYHOW = 8 };

/* A user's events and lists in the state as a source to load a profile from. Lists from before
 * those, and all else, are the store's. */
struct seen {
    struct profile_source source;
    const struct profile_source *store;
    const struct state_view *view;
    struct live *l;
    bool unknown; /* an item was not known */
};

/* Newest first, as the store gives them. */
static enum pal_status give_events(void *ctx, const char *user_id, size_t most, store_event_fn *fn,
                                   void *fn_ctx, struct pal_error *err)
{
    const struct seen *s = ctx;
    const struct state_view *v = s->view;
    enum pal_status st = PAL_OK;
    for (size_t i = v->count; i-- > 0 && most-- > 0 && st == PAL_OK;) {
        const struct stored_event e = {.event = v->events[i]};
        st = fn(fn_ctx, &e, err);
    }
    return st;
}

/* Lists from before `oldest_ms`, on their way through. */
struct older {
    int64_t oldest_ms;
    profile_list_fn *fn;
    void *ctx;
};

/* A profile_list_fn. */
static enum pal_status give_older(void *ctx, int64_t time_ms, const char *const *ids, size_t count,
                                  struct pal_error *err)
{
    const struct older *o = ctx;
    return time_ms < o->oldest_ms ? o->fn(o->ctx, time_ms, ids, count, err) : PAL_OK;
}

/* Newest first, too. */
static enum pal_status give_lists(void *ctx, const char *user_id, profile_list_fn *fn, void *fn_ctx,
                                  struct pal_error *err)
{
    const struct seen *s = ctx;
    const struct state_view *v = s->view;
    struct older older = {v->list_count ? v->lists[0].time_ms : INT64_MAX, fn, fn_ctx};
    bool any = s->store->lists && !atomic_load(&s->l->store_away);
    enum pal_status st = PAL_OK;
    for (size_t i = v->list_count; i-- > 0 && st == PAL_OK;)
        st = fn(fn_ctx, v->lists[i].time_ms, v->lists[i].items, v->lists[i].count, err);
    return any && st == PAL_OK ? s->store->lists(s->store->ctx, user_id, give_older, &older, err)
                               : st;
}

static void hold(void *ctx)
{
    live_read_lock(((struct seen *)ctx)->l);
}

static void release(void *ctx)
{
    live_unlock(((struct seen *)ctx)->l);
}

static uint32_t item_number(void *ctx, const char *item_id)
{
    struct seen *s = ctx;
    uint32_t number = catalog_find(s->l->catalog, item_id);
    s->unknown = s->unknown || number == INTERN_NONE;
    return number;
}

static void event_worth(void *ctx, const struct event *e, struct profile_event *out)
{
    const struct seen *s = ctx;
    s->store->worth(s->store->ctx, e, out);
}

static void begin(struct seen *s, struct live *l, const struct profile_source *store,
                  const struct state_view *view)
{
    *s = (struct seen){.store = store, .view = view, .l = l};
    s->source = (struct profile_source){.ctx = s,
                                        .load = give_events,
                                        .lists = give_lists,
                                        .hold = hold,
                                        .release = release,
                                        .item = item_number,
                                        .worth = event_worth};
}

/* ---- Taking what the state said ---- */

static struct profile_version as_profile(const struct state_version *v)
{
    return (struct profile_version){v->born, v->at};
}

static uint32_t items_of(struct live *l)
{
    live_read_lock(l);
    uint32_t items = catalog_count(l->catalog);
    live_unlock(l);
    return items;
}

static enum pal_status take_whole(struct live *l, const char *user_id, int64_t now_ms,
                                  const struct profile_source *store, const struct state_view *v,
                                  bool anyhow, struct pal_error *err)
{
    struct seen s;
    const struct profile_version version = as_profile(&v->version);
    begin(&s, l, store, v);
    profiles_unload(l->shared->views, user_id, anyhow ? NULL : &version);
    s.source.version = &version;
    s.source.unknown = &s.unknown;
    s.source.items = items_of(l);
    return profiles_load(l->shared->views, user_id, now_ms, &s.source, err);
}

/* The view's lists as numbers, in the arena; under world. NULL when memory is out. */
static struct profile_list *number_lists(struct seen *s, struct arena *tmp)
{
    const struct state_view *v = s->view;
    struct profile_list *lists = arena_alloc(tmp, v->list_count, sizeof *lists);
    for (size_t i = 0; i < v->list_count && lists; i++) {
        uint32_t *items = arena_alloc(tmp, v->lists[i].count, sizeof *items);
        size_t n = 0;
        if (!items)
            return NULL;
        for (size_t k = 0; k < v->lists[i].count; k++) {
            items[n] = catalog_find(s->l->catalog, v->lists[i].items[k]);
            n += items[n] != INTERN_NONE;
        }
        lists[i] = (struct profile_list){v->lists[i].time_ms, items, n};
    }
    return lists;
}

static enum pal_status take_more(struct live *l, const char *user_id,
                                 const struct profile_version *known,
                                 const struct profile_source *store, const struct state_view *v,
                                 struct arena *tmp, struct pal_error *err)
{
    struct profile_event *events = arena_alloc(tmp, v->count, sizeof *events);
    const struct profile_version version = as_profile(&v->version);
    struct seen s;
    size_t n = 0;
    if (!events)
        return pal_no_memory(err);
    begin(&s, l, store, v);
    live_read_lock(l);
    for (size_t i = 0; i < v->count; i++) {
        event_worth(&s, &v->events[i], &events[n]);
        events[n].item = item_number(&s, v->events[i].item_id);
        events[n].time_ms = v->events[i].time_ms;
        n += events[n].item != INTERN_NONE;
    }
    uint32_t items = s.unknown ? catalog_count(l->catalog) : 0;
    struct profile_list *lists = number_lists(&s, tmp);
    enum pal_status st = lists ? profiles_more(l->shared->views, user_id, known, &version, events,
                                               n, lists, v->list_count, items, err)
                               : pal_no_memory(err);
    live_unlock(l);
    return st;
}

/* ---- Filling it from the store ---- */

struct filling {
    struct arena *tmp;
    struct event *events; /* (most) */
    size_t count, most;
};

static bool keep_text(struct arena *tmp, const char **text)
{
    if (*text && !(*text = arena_text(tmp, *text, strlen(*text))))
        return false;
    return true;
}

/* A store_event_fn. */
static enum pal_status keep_event(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    struct filling *f = ctx;
    struct event *to = &f->events[f->count];
    if (f->count == f->most)
        return PAL_OK;
    *to = e->event;
    to->user_id = to->recommendation_id = NULL;
    if (!keep_text(f->tmp, &to->item_id) || !keep_text(f->tmp, &to->type) ||
        !keep_text(f->tmp, &to->event_id))
        return pal_no_memory(err);
    f->count++;
    return PAL_OK;
}

/* *can false: the store or the state can't. */
static enum pal_status fill(struct live *l, const char *user_id, uint64_t token,
                            const struct profile_source *store, struct arena *tmp, bool *can,
                            struct pal_error *err)
{
    const struct live_options *o = &l->config.live;
    bool filled;
    struct filling f = {.tmp = tmp};
    *can = token;
    if (!token)
        return PAL_OK;
    f.most = (size_t)(o->profile_events > o->profile_seen ? o->profile_events : o->profile_seen);
    f.events = arena_alloc(tmp, f.most, sizeof *f.events);
    enum pal_status st = f.events ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = store->load(store->ctx, user_id, f.most, keep_event, &f, err);
    if (st == PAL_OK)
        st = state_fill(l->shared->state, user_id, token, f.events, f.count, &filled, err);
    *can = st == PAL_OK;
    return st == PAL_ENOMEM ? st : PAL_OK;
}

/* ---- The whole ---- */

/* Brings the view up to date; *can false: the state can't say. */
static enum pal_status update(struct live *l, const char *user_id, int64_t now_ms,
                              const struct profile_source *store, struct arena *tmp, bool anyhow,
                              bool *can, struct pal_error *err)
{
    struct shared *s = l->shared;
    struct state_view v;
    struct profile_version known = profiles_version(s->views, user_id, items_of(l));
    const struct state_version ours = {known.born, known.at};
    enum pal_status st = state_look(s->state, user_id, &ours, tmp, &v, err);
    *can = st == PAL_OK;
    if (st != PAL_OK) {
        shared_fails(s, err);
        return st == PAL_ENOMEM ? st : PAL_OK;
    }
    if (v.found == STATE_WHOLE)
        return take_whole(l, user_id, now_ms, store, &v, anyhow, err);
    if (v.found == STATE_MORE)
        return take_more(l, user_id, &known, store, &v, tmp, err);
    if (v.found == STATE_NONE) {
        profiles_unload(s->views, user_id, NULL);
        return fill(l, user_id, v.token, store, tmp, can, err);
    }
    return PAL_OK;
}

enum pal_status shared_profile(struct live *l, const char *user_id, int64_t now_ms,
                               const struct profile_source *store, struct arena *tmp,
                               struct profile_view *out, bool *ready, struct pal_error *err)
{
    struct shared *s = l->shared;
    bool can = true;
    *ready = false;
    for (int i = 0; i < TRIES && can; i++) {
        enum pal_status st = update(l, user_id, now_ms, store, tmp, i > ANYHOW, &can, err);
        if (st != PAL_OK)
            return st;
        if (!can)
            break;
        live_read_lock(l);
        st = profiles_read(s->views, user_id, now_ms, tmp, out, ready, err);
        if (st == PAL_OK && *ready)
            return PAL_OK;
        live_unlock(l);
        if (st != PAL_OK)
            return st;
    }
    atomic_fetch_add(&s->fallbacks, 1);
    return PAL_OK;
}
