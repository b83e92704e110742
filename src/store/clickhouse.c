/* Events in ClickHouse, all else in the store behind it, which is called the catalog.
 *
 * ClickHouse has no transactions, so the catalog's count: a batch of events is inserted first, then
 * the catalog commits, with the drain's position, the names that the events brought and a higher
 * mark; rows behind the mark are not there (clickhouse_write.c). So each event is there once,
 * whatever is killed when, and readers see what was committed (clickhouse_read.c). The data set
 * that training gets is the same as if the events lay in the catalog (clickhouse_dataset.c).
 *
 * What it takes: ClickHouse 18.16 (Debian 12's) or newer, over HTTP. */
#include "store/clickhouse.h"

#include "store/clickhouse_inside.h"

#include "base/mem.h"
#include "base/scheme.h"

#include <string.h>

static void clickhouse_close(struct store *base)
{
    struct ch_store *s = (struct ch_store *)base;
    store_close(s->catalog);
    ch_done(&s->writer);
    ch_erasures_done(&s->erasures);
    ch_ids_done(&s->ids);
    pthread_mutex_destroy(&s->write);
    pthread_mutex_destroy(&s->away_lock);
    mem_free(s->url);
    mem_free(s);
}

/* The catalog, which must be of a kind that can order for others. */
static enum pal_status open_catalog(struct ch_store *s, struct pal_error *err)
{
    char shown[300];
    scheme_copy(shown, sizeof shown, s->place.catalog);
    if (scheme_is(s->place.catalog, store_clickhouse.kind.scheme))
        return pal_fail(err, PAL_EUSAGE, "%s can't keep items and users: give --store another one",
                        shown);
    enum pal_status st = store_open(s->place.catalog, s->read_only, &s->catalog, err);
    if (st != PAL_OK)
        return st;
    const struct store_ops *ops = s->catalog->ops;
    s->ops.shared = ops->shared;
    if (!ops->frame || (ops->shared && !ops->hold))
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s can't have its events elsewhere: leave --events out", shown);
    return PAL_OK;
}

static enum pal_status clickhouse_open(const char *place, bool read_only, struct store **out,
                                       struct pal_error *err)
{
    struct ch_store *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->ops = store_clickhouse;
    s->base.ops = &s->ops;
    s->read_only = read_only;
    s->unsure = true;
    pthread_mutex_init(&s->write, NULL);
    pthread_mutex_init(&s->away_lock, NULL);
    s->url = mem_text(place, strlen(place));
    enum pal_status st = s->url ? ch_place_read(s->url, &s->place, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = open_catalog(s, err);
    if (st == PAL_OK)
        st = ch_new(&s->place, false, &s->writer, err);
    if (st == PAL_OK)
        st = ch_schema_open(s, err);
    if (st != PAL_OK) {
        clickhouse_close(&s->base);
        return st;
    }
    *out = &s->base;
    return PAL_OK;
}

/* ---- what is the catalog's ---- */

static struct store *catalog(const struct store *base)
{
    return ((const struct ch_store *)base)->catalog;
}

static enum pal_status pass_cache(struct store *s, int64_t bytes, struct pal_error *err)
{
    return store_cache(catalog(s), bytes, err);
}

static enum pal_status pass_position(struct store *s, uint64_t *seq, struct pal_error *err)
{
    return store_position(catalog(s), seq, err);
}

static enum pal_status pass_source(struct store *s, const char *journal, struct pal_error *err)
{
    return store_source(catalog(s), journal, err);
}

static enum pal_status pass_reaches(struct store *s, const char *journal, struct store_reach *out,
                                    size_t most, size_t *count, struct pal_error *err)
{
    return store_reaches(catalog(s), journal, out, most, count, err);
}

static enum pal_status pass_mark(struct store *s, uint64_t *mark, struct pal_error *err)
{
    return store_mark(catalog(s), mark, err);
}

static enum pal_status pass_items(struct store *s, const char *item_id, store_item_fn *fn,
                                  void *ctx, struct pal_error *err)
{
    return catalog(s)->ops->items(catalog(s), item_id, fn, ctx, err);
}

static enum pal_status pass_deleted_items(struct store *s, store_item_fn *fn, void *ctx,
                                          struct pal_error *err)
{
    return store_deleted_items(catalog(s), fn, ctx, err);
}

static enum pal_status pass_users(struct store *s, const char *user_id, store_user_fn *fn,
                                  void *ctx, struct pal_error *err)
{
    return catalog(s)->ops->users(catalog(s), user_id, fn, ctx, err);
}

static enum pal_status pass_served(struct store *s, const char *user_id, size_t most,
                                   store_served_fn *fn, void *ctx, struct pal_error *err)
{
    return store_served(catalog(s), user_id, most, fn, ctx, err);
}

static enum pal_status pass_all_served(struct store *s, store_served_fn *fn, void *ctx,
                                       struct pal_error *err)
{
    return store_all_served(catalog(s), fn, ctx, err);
}

static enum pal_status pass_types(struct store *s, struct event_types *out, struct pal_error *err)
{
    return store_types(catalog(s), out, err);
}

static enum pal_status pass_put_note(struct store *s, const char *name, const char *text,
                                     struct pal_error *err)
{
    return store_put_note(catalog(s), name, text, err);
}

static enum pal_status pass_note(struct store *s, const char *name, char **out,
                                 struct pal_error *err)
{
    return store_note(catalog(s), name, out, err);
}

static enum pal_status pass_forget_served(struct store *s, int64_t before_ms, uint64_t *deleted,
                                          struct pal_error *err)
{
    return store_forget_served(catalog(s), before_ms, deleted, err);
}

static enum pal_status clickhouse_restore(const char *place, const char *backup,
                                          struct pal_error *err)
{
    struct ch_place p;
    enum pal_status st = ch_place_read(place, &p, err);
    return st == PAL_OK
               ? pal_fail(
                     err, PAL_EUNSUPPORTED,
                     "%s is filled by palate import: what %.200s holds comes out as JSON lines "
                     "by palate export --store sqlite:FILE",
                     p.shown, backup)
               : st;
}

const struct store_ops store_clickhouse = {
    .kind = {"clickhouse", "clickhouse://HOST/DB?catalog=STORE"},
    .open = clickhouse_open,
    .close = clickhouse_close,
    .cache = pass_cache,
    .apply = clickhouse_apply,
    .position = pass_position,
    .source = pass_source,
    .take = clickhouse_take,
    .reaches = pass_reaches,
    .mark = pass_mark,
    .follow = clickhouse_follow,
    .user_events = clickhouse_user_events,
    .user_count = clickhouse_user_count,
    .events = clickhouse_events,
    .items = pass_items,
    .deleted_items = pass_deleted_items,
    .users = pass_users,
    .served = pass_served,
    .all_served = pass_all_served,
    .types = pass_types,
    .counts = clickhouse_counts,
    .dataset = clickhouse_dataset,
    .put_note = pass_put_note,
    .note = pass_note,
    .backup = clickhouse_backup,
    .restore = clickhouse_restore,
    .forget_served = pass_forget_served,
};
