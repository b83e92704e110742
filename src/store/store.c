/* See store.h: finds the kind of database by the URL and passes everything on to it. */
#include "base/clock.h"
#include "store/backend.h"

#include <string.h>

static struct scheme_kinds kinds = {.what = "store", .kind = {&store_sqlite.kind}, .count = 1};

void store_add_kind(const struct store_ops *ops)
{
    scheme_add(&kinds, &ops->kind);
}

int64_t change_at(const struct store_change *c)
{
    int64_t ms = c->at_ms > 0 ? c->at_ms : clock_wall_ms();
    return ms << 20 | (int64_t)(c->seq & ((1u << 20) - 1));
}

/* The kind that a URL names, and what stands behind the colon. */
static enum pal_status find_kind(const char *url, const struct store_ops **ops, const char **place,
                                 struct pal_error *err)
{
    const struct scheme_kind *kind;
    enum pal_status st = scheme_find(&kinds, url, &kind, err);
    if (st == PAL_OK) {
        *ops = (const struct store_ops *)kind;
        *place = url + strlen(kind->scheme) + 1;
    }
    return st;
}

/* For what a kind need not be able to do. */
static enum pal_status lacks(const char *what, struct pal_error *err)
{
    return pal_fail(err, PAL_EUNSUPPORTED, "this kind of store cannot %s", what);
}

enum pal_status store_open(const char *url, bool read_only, struct store **out,
                           struct pal_error *err)
{
    const struct store_ops *ops;
    const char *place;
    enum pal_status st = find_kind(url, &ops, &place, err);
    return st == PAL_OK ? ops->open(place, read_only, out, err) : st;
}

void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}

enum pal_status store_cache(struct store *s, int64_t bytes, struct pal_error *err)
{
    return s->ops->cache(s, bytes, err);
}

const char *store_path(const struct store *s)
{
    return s->ops->path ? s->ops->path(s) : NULL;
}

enum pal_status store_apply(struct store *s, const struct store_change *changes, size_t count,
                            uint64_t seq, size_t *repeated, struct pal_error *err)
{
    return s->ops->apply(s, changes, count, seq, NULL, NULL, repeated, err);
}

enum pal_status store_load(struct store *s, const struct store_change *changes, size_t count,
                           const char *note, const char *text, size_t *repeated,
                           struct pal_error *err)
{
    return s->ops->apply(s, changes, count, 0, note, text, repeated, err);
}

bool store_shared(const struct store *s)
{
    return s->ops->shared;
}

enum pal_status store_source(struct store *s, const char *journal, struct pal_error *err)
{
    return s->ops->source ? s->ops->source(s, journal, err) : PAL_OK;
}

enum pal_status store_take(struct store *s, const struct store_change *changes, size_t count,
                           const struct store_reach *reaches, size_t reach_count, size_t *repeated,
                           struct pal_error *err)
{
    return s->ops->take ? s->ops->take(s, changes, count, reaches, reach_count, repeated, err)
                        : lacks("be filled from a stream", err);
}

enum pal_status store_reaches(struct store *s, const char *journal, struct store_reach *out,
                              size_t most, size_t *count, struct pal_error *err)
{
    return s->ops->reaches ? s->ops->reaches(s, journal, out, most, count, err)
                           : lacks("be filled from a stream", err);
}

enum pal_status store_mark(struct store *s, uint64_t *mark, struct pal_error *err)
{
    return s->ops->mark ? s->ops->mark(s, mark, err) : lacks("be followed", err);
}

enum pal_status store_follow(struct store *s, uint64_t *mark, size_t most, store_record_fn *fn,
                             void *ctx, struct pal_error *err)
{
    return s->ops->follow ? s->ops->follow(s, mark, most, fn, ctx, err) : lacks("be followed", err);
}

enum pal_status store_position(struct store *s, uint64_t *seq, struct pal_error *err)
{
    return s->ops->position(s, seq, err);
}

enum pal_status store_user_events(struct store *s, const char *user_id, uint64_t before,
                                  size_t most, store_event_fn *fn, void *ctx, struct pal_error *err)
{
    return s->ops->user_events(s, user_id, before, most, fn, ctx, err);
}

enum pal_status store_user_count(struct store *s, const char *user_id, uint64_t *events,
                                 struct pal_error *err)
{
    return s->ops->user_count(s, user_id, events, err);
}

enum pal_status store_events(struct store *s, uint64_t after, store_event_fn *fn, void *ctx,
                             struct pal_error *err)
{
    return s->ops->events(s, after, fn, ctx, err);
}

enum pal_status store_items(struct store *s, store_item_fn *fn, void *ctx, struct pal_error *err)
{
    return s->ops->items(s, NULL, fn, ctx, err);
}

enum pal_status store_deleted_items(struct store *s, store_item_fn *fn, void *ctx,
                                    struct pal_error *err)
{
    return s->ops->deleted_items(s, fn, ctx, err);
}

enum pal_status store_item(struct store *s, const char *item_id, store_item_fn *fn, void *ctx,
                           struct pal_error *err)
{
    return s->ops->items(s, item_id, fn, ctx, err);
}

enum pal_status store_users(struct store *s, store_user_fn *fn, void *ctx, struct pal_error *err)
{
    return s->ops->users(s, NULL, fn, ctx, err);
}

enum pal_status store_user(struct store *s, const char *user_id, store_user_fn *fn, void *ctx,
                           struct pal_error *err)
{
    return s->ops->users(s, user_id, fn, ctx, err);
}

enum pal_status store_served(struct store *s, const char *user_id, size_t most, store_served_fn *fn,
                             void *ctx, struct pal_error *err)
{
    return s->ops->served(s, user_id, most, fn, ctx, err);
}

enum pal_status store_all_served(struct store *s, store_served_fn *fn, void *ctx,
                                 struct pal_error *err)
{
    return s->ops->all_served(s, fn, ctx, err);
}

enum pal_status store_types(struct store *s, struct event_types *out, struct pal_error *err)
{
    return s->ops->types(s, out, err);
}

enum pal_status store_counts(struct store *s, struct store_counts *out, struct pal_error *err)
{
    return s->ops->counts(s, out, err);
}

enum pal_status store_dataset(struct store *s, const struct store_change *more, size_t count,
                              const struct run *run, struct dataset **out, uint64_t *position,
                              struct pal_error *err)
{
    return s->ops->dataset(s, more, count, run, out, position, err);
}

enum pal_status store_put_note(struct store *s, const char *name, const char *text,
                               struct pal_error *err)
{
    return s->ops->put_note(s, name, text, err);
}

enum pal_status store_note(struct store *s, const char *name, char **out, struct pal_error *err)
{
    return s->ops->note(s, name, out, err);
}

enum pal_status store_backup(struct store *s, const char *path, const struct run *run,
                             struct pal_error *err)
{
    return s->ops->backup(s, path, run, err);
}

enum pal_status store_restore(const char *url, const char *backup, struct pal_error *err)
{
    const struct store_ops *ops;
    const char *place;
    enum pal_status st = find_kind(url, &ops, &place, err);
    return st == PAL_OK ? ops->restore(place, backup, err) : st;
}

enum pal_status store_forget_served(struct store *s, int64_t before_ms, uint64_t *deleted,
                                    struct pal_error *err)
{
    return s->ops->forget_served(s, before_ms, deleted, err);
}
