/* How the running recommender is: what its parts say of themselves, gathered. */
#include "engine/live_inside.h"

static void status_of_world(struct live *l, struct live_status *out)
{
    live_read_lock(l);
    const struct model_set *base = l->snapshot->base;
    out->items = catalog_present(l->catalog);
    out->items_available = catalog_available_count(l->catalog);
    out->catalog_bytes = catalog_bytes(l->catalog) + l->titles.bytes +
                         l->titles.cap * sizeof *l->titles.key +
                         l->titles.pairs_cap * sizeof *l->titles.pairs;
    if (base) {
        out->model_version = base->version;
        out->model_created_ms = base->created_ms;
        out->model_loaded_ms = base->loaded_ms;
        out->model_items = base->items;
        out->model_bytes = base->bytes;
    }
    live_unlock(l);
}

static void status_of_drain(struct live *l, struct live_status *out)
{
    struct drain *d = &l->drain;
    out->store_position = atomic_load(&d->stored);
    out->drained_records = atomic_load(&d->records);
    out->drain_ns = atomic_load(&d->ns);
    uint64_t drained = atomic_load(&d->events), seen = atomic_load(&l->events_seen);
    out->pending_events = seen > drained ? seen - drained : 0;
    pthread_mutex_lock(&d->lock);
    out->store_failing = d->failing;
    out->store_error = d->error;
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_lock(&l->watch.lock);
    out->store_away = l->watch.store_away;
    if (out->store_away && !out->store_failing)
        out->store_error = l->watch.store_error;
    pthread_mutex_unlock(&l->watch.lock);
}

static void add_profiles(struct profiles *profiles, struct live_status *out)
{
    struct profiles_status p;
    profiles_status(profiles, &p);
    out->profiles += p.cached;
    out->profile_bytes += p.bytes;
    out->profile_hits += p.hits;
    out->profile_misses += p.misses;
    out->profile_evictions += p.evictions;
    out->profile_failures += p.failures;
}

static void status_of_profiles(struct live *l, struct live_status *out)
{
    add_profiles(l->profiles, out);
    if (l->shared && l->shared->views)
        add_profiles(l->shared->views, out);
}

static void status_of_stream(struct live *l, struct live_status *out)
{
    struct consume *c = &l->consume;
    struct live_stream *s = &out->stream;
    s->there = l->bus;
    if (!s->there)
        return;
    s->publishes = l->drain.streams;
    s->receives = c->running;
    bus_status(l->bus, &s->bus);
    s->published = atomic_load(&l->drain.position);
    s->stored = atomic_load(&c->records);
    s->repeated = atomic_load(&c->repeated);
    s->refused = atomic_load(&c->refused);
    pthread_mutex_lock(&c->lock);
    s->failing = c->failing;
    s->store_failing = c->store_failing;
    s->error = c->error;
    pthread_mutex_unlock(&c->lock);
}

static void status_of_follow(struct live *l, struct live_status *out)
{
    struct follow *f = &l->follow;
    int64_t read_ms = atomic_load(&f->read_ms);
    out->follow.there = atomic_load(&f->running);
    out->follow.records = atomic_load(&f->records);
    if (read_ms)
        out->follow.lag_s = (double)(live_now_ms(l) - read_ms) / 1e3;
    pthread_mutex_lock(&f->lock);
    out->follow.failing = f->failing;
    out->follow.error = f->error;
    pthread_mutex_unlock(&f->lock);
}

void live_status(struct live *l, struct live_status *out)
{
    *out = (struct live_status){0};
    out->roles = l->roles;
    if (l->journal)
        journal_status(l->journal, &out->journal);
    status_of_drain(l, out);
    status_of_profiles(l, out);
    status_of_world(l, out);
    status_of_stream(l, out);
    status_of_follow(l, out);
    shared_status(l, &out->shared);
    kinds_types(&l->kinds, &out->types);
    for (size_t i = 0; i < out->types.count; i++)
        out->events_by_type[i] = atomic_load(&l->kinds.events[i]);
    for (size_t i = 0; i < LIVE_SOURCES && atomic_load(&l->sources[i].name); i++) {
        out->served[i].source = atomic_load(&l->sources[i].name);
        out->served[i].items = atomic_load(&l->sources[i].items);
        out->served[i].taken = atomic_load(&l->sources[i].taken);
        out->served_sources++;
    }
    if (out->model_version || !live_does(l, ROLE_RECS))
        out->trained_ms = atomic_load(&l->trained_ms);
    out->events_since_training = atomic_load(&l->events_new);
    out->events_repeated = atomic_load(&l->repeated);
    out->served_lost = atomic_load(&l->served.lost);
}
