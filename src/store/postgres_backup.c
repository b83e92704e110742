/* A copy as a store in one SQLite file, of one moment: what export reads, and what a site that goes
 * back to one machine starts on. (A dump that PostgreSQL can take back is pg_dump's.) Items that
 * only events name, and users of whom nothing is known, are there as items and users without
 * anything but their id. */
#include "store/postgres.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 8192, STEP = 1 << 14 };

struct copying {
    struct store *to;
    struct pg_link *c;
    const struct run *run;
    struct arena texts;
    struct store_change *change; /* (BATCH) */
    size_t count;
    uint64_t done, total;
    bool deleted; /* items at hand are such */
};

static enum pal_status flush(struct copying *k, struct pal_error *err)
{
    enum pal_status st = store_load(k->to, k->change, k->count, NULL, NULL, NULL, err);
    k->count = 0;
    arena_reset(&k->texts);
    return st;
}

/* A change whose texts (and bytes) are the arena's. */
static enum pal_status put(struct copying *k, struct record r, struct pal_error *err)
{
    k->change[k->count++] = (struct store_change){.record = r};
    return k->done++ % STEP == 0 ? run_step(k->run, "copying", k->done, k->total, err) : PAL_OK;
}

/* The row with texts that stay until it is in; before that, room for it and one more change. */
static enum pal_status keep(struct copying *k, const struct pg_row *row, struct pg_row *kept,
                            struct pal_error *err)
{
    enum pal_status st = k->count + 2 > BATCH ? flush(k, err) : PAL_OK;
    *kept = *row;
    for (int i = 0; i < row->count && st == PAL_OK; i++) {
        int len = row->field[i].len;
        if (len >= 0 && !(kept->field[i].p = arena_text(&k->texts, row->field[i].p, (size_t)len)))
            st = pal_no_memory(err);
    }
    return st;
}

static enum pal_status copy_item(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct copying *k = ctx;
    struct pg_row kept;
    enum pal_status st = keep(k, row, &kept, err);
    if (st != PAL_OK)
        return st;
    struct record r = {.kind = RECORD_ITEM, .item = pg_item_of(&kept)};
    st = put(k, r, err);
    if (st == PAL_OK && k->deleted)
        st = put(k, (struct record){.kind = RECORD_ITEM_DELETE, .id = r.item.item_id}, err);
    return st;
}

static enum pal_status copy_user(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct copying *k = ctx;
    struct pg_row kept;
    enum pal_status st = keep(k, row, &kept, err);
    if (st != PAL_OK)
        return st;
    return put(k,
               (struct record){.kind = RECORD_USER,
                               .user = {pg_text(&kept, 0), pg_text(&kept, 1), pg_int(&kept, 2)}},
               err);
}

static enum pal_status copy_event(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct copying *k = ctx;
    struct pg_row kept;
    enum pal_status st = keep(k, row, &kept, err);
    if (st != PAL_OK)
        return st;
    return put(k, (struct record){.kind = RECORD_EVENT, .event = pg_event_of(&kept)}, err);
}

static enum pal_status copy_served(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct copying *k = ctx;
    struct pg_row kept;
    enum pal_status st = keep(k, row, &kept, err);
    if (st != PAL_OK)
        return st;
    struct served_row x = {.recommendation_id = pg_text(&kept, 0),
                           .user_id = pg_text(&kept, 1),
                           .time_ms = pg_int(&kept, 2),
                           .list = pg_text(&kept, 3)};
    bool packed = kept.field[4].len >= 0;
    if (packed) {
        x.packed = kept.field[4].p;
        x.packed_size = (size_t)kept.field[4].len;
    }
    return put(k,
               (struct record){.kind = packed ? RECORD_SERVED_PACKED : RECORD_SERVED, .served = x},
               err);
}

static enum pal_status copy_note(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct copying *k = ctx;
    return store_put_note(k->to, pg_text(row, 0), pg_text(row, 1), err);
}

static enum pal_status copy_all(struct copying *k, struct pal_error *err)
{
    struct pg_state state;
    char events[512];
    struct pg_ask asks[] = {{PG_STATE, NULL, PG_STATE_SHAPE, pg_state_row, &state, 0},
                            {PG_NOTES, NULL, "tt", copy_note, k, 0}};
    enum pal_status st = pg_ask(k->c, asks, 2, PG_LONG_MS, err);
    if (st != PAL_OK)
        return st;
    k->total = (uint64_t)(state.items + state.users + state.events + state.served);
    pg_all_events(events, sizeof events, 0);
    const struct {
        const char *sql, *shape;
        pg_row_fn *fn;
        bool deleted;
    } parts[] = {{pg_all_items, PG_ITEM_SHAPE, copy_item, false},
                 {pg_all_deleted, PG_ITEM_SHAPE, copy_item, true},
                 {pg_all_users, PG_USER_SHAPE, copy_user, false},
                 {events, PG_EVENT_SHAPE, copy_event, false},
                 {pg_all_served, PG_SERVED_SHAPE, copy_served, false}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && st == PAL_OK; i++) {
        k->deleted = parts[i].deleted;
        st = pg_copy_out(k->c, parts[i].sql, parts[i].shape, parts[i].fn, k, err);
    }
    return st == PAL_OK ? flush(k, err) : st;
}

enum pal_status pg_backup(struct store *base, const char *path, const struct run *run,
                          struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    struct copying k = {.run = run};
    char temp[4000], url[4096];
    if (snprintf(temp, sizeof temp, "%s.copying", path) >= (int)sizeof temp)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", path);
    snprintf(url, sizeof url, "sqlite:%s", temp);
    store_remove_file(temp); /* of a backup that was killed */
    k.change = mem_alloc(BATCH, sizeof *k.change);
    enum pal_status st = k.change ? store_open(url, false, &k.to, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = pg_moment_begin(s, &k.c, err);
    if (st == PAL_OK)
        st = pg_moment_end(s, k.c, copy_all(&k, err));
    if (st == PAL_OK) /* whole or not there; and without a log beside it */
        st = store_backup(k.to, path, run, err);
    store_close(k.to);
    store_remove_file(temp);
    arena_done(&k.texts);
    mem_free(k.change);
    return st;
}
