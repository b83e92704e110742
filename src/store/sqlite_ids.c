/* Was this event stored before? Asked for every event to which its client gave an event_id.
 *
 * A unique index over event_ids is what makes databases slow at this: its keys are random, so that
 * every insert of a batch dirties a page of its own. Here an id is kept by its hash alone, in two
 * places. Young ids, those of events behind the place `ids_through`, are in memory; after a restart
 * they are read again from the events, whose rows have them. When there are limits.young of them,
 * they go into one of the tables event_ids_0 and event_ids_1, in the order of its keys, so that a
 * page is written once for many of them. When that table holds limits.table, the other one is
 * emptied and takes its place.
 *
 * So a retry is recognized as long as fewer than limits.table events with ids came after the first
 * try, and for up to twice as many: at 100 a second, a day or two. A hash that is found is compared
 * with the event it stands for, so that two ids with the same hash are never taken for one (the
 * older of them is forgotten). */
#include "store/sqlite.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum { REMOVED = -1 };

const struct ids_limits ids_limits_usual = {1 << 18, 1 << 20, 1 << 23};

static uint64_t hash_of(const char *event_id)
{
    return XXH3_64bits(event_id, strlen(event_id));
}

void ids_done(struct ids *ids)
{
    mem_free(ids->young);
    memset(ids, 0, sizeof *ids);
}

/* Where the hash is or would be. */
static struct young_id *young_at(const struct ids *ids, uint64_t hash)
{
    size_t i = hash & ids->mask;
    while (ids->young[i].place && ids->young[i].hash != hash)
        i = (i + 1) & ids->mask;
    return &ids->young[i];
}

static void young_put(struct ids *ids, uint64_t hash, int64_t place)
{
    struct young_id *y = young_at(ids, hash);
    ids->count += y->place == 0; /* a removed one is counted still */
    *y = (struct young_id){hash, place};
}

/* At most half full. */
static enum pal_status grow(struct ids *ids, struct pal_error *err)
{
    struct ids wide = {.mask = ids->young ? 2 * ids->mask + 1 : 1023};
    if (ids->young && 2 * (ids->count + 1) <= ids->mask + 1)
        return PAL_OK;
    wide.young = mem_zero(wide.mask + 1, sizeof *wide.young);
    if (!wide.young)
        return pal_no_memory(err);
    for (size_t i = 0; ids->young && i <= ids->mask; i++)
        if (ids->young[i].place)
            young_put(&wide, ids->young[i].hash, ids->young[i].place);
    wide.loaded = ids->loaded;
    mem_free(ids->young);
    *ids = wide;
    return PAL_OK;
}

static enum pal_status load(struct sqlite_store *s, const struct state *state,
                            struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = true;
    ids_done(&s->ids);
    enum pal_status st = grow(&s->ids, err);
    if (st == PAL_OK)
        st = sql_start(s->writer, SQL_IDS_SINCE, &q, err, "i", state->ids_through);
    if (st != PAL_OK)
        return st;
    while ((st = sql_next(s->writer, q, &row, err)) == PAL_OK && row) {
        if ((st = grow(&s->ids, err)) != PAL_OK) {
            sql_end(q);
            return st;
        }
        young_put(&s->ids, hash_of(sql_text(q, 1)), sqlite3_column_int64(q, 0));
    }
    s->ids.loaded = st == PAL_OK;
    return st;
}

/* Is the event at that place the one with this id? */
static enum pal_status is_it(struct conn *c, const char *event_id, int64_t place, bool *same,
                             struct pal_error *err)
{
    sqlite3_stmt *q;
    enum pal_status st = sql_start(c, SQL_EVENT_OF_ID, &q, err, "it", place, event_id);
    if (st == PAL_OK)
        st = sql_next(c, q, same, err);
    if (st == PAL_OK && *same)
        sql_end(q);
    return st;
}

static enum pal_status in_table(struct conn *c, enum sql which, const char *event_id, bool *seen,
                                struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    enum pal_status st = sql_start(c, which, &q, err, "i", (int64_t)hash_of(event_id));
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (st != PAL_OK || !row)
        return st;
    int64_t place = sqlite3_column_int64(q, 0);
    sql_end(q);
    return is_it(c, event_id, place, seen, err);
}

enum pal_status ids_seen(struct sqlite_store *s, const struct state *state, const char *event_id,
                         bool *seen, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    *seen = false;
    if (!s->ids.loaded && (st = load(s, state, err)) != PAL_OK)
        return st;
    const struct young_id *y = young_at(&s->ids, hash_of(event_id));
    if (y->place > 0)
        st = is_it(s->writer, event_id, y->place, seen, err);
    if (st == PAL_OK && !*seen)
        st = in_table(s->writer, SQL_IDS_FIND_0, event_id, seen, err);
    if (st == PAL_OK && !*seen)
        st = in_table(s->writer, SQL_IDS_FIND_1, event_id, seen, err);
    return st;
}

enum pal_status ids_add(struct sqlite_store *s, const char *event_id, int64_t place,
                        struct pal_error *err)
{
    enum pal_status st = grow(&s->ids, err);
    if (st == PAL_OK)
        young_put(&s->ids, hash_of(event_id), place);
    return st;
}

enum pal_status ids_remove(struct sqlite_store *s, const char *event_id, int64_t place,
                           struct pal_error *err)
{
    int64_t hash = (int64_t)hash_of(event_id);
    struct young_id *y = s->ids.loaded ? young_at(&s->ids, (uint64_t)hash) : NULL;
    if (y && y->place == place)
        y->place = REMOVED;
    enum pal_status st = sql_run(s->writer, SQL_IDS_DELETE_0, err, "ii", hash, place);
    return st == PAL_OK ? sql_run(s->writer, SQL_IDS_DELETE_1, err, "ii", hash, place) : st;
}

static int by_hash(const void *a, const void *b)
{
    int64_t x = (int64_t)((const struct young_id *)a)->hash;
    int64_t y = (int64_t)((const struct young_id *)b)->hash;
    return x < y ? -1 : x > y;
}

/* The young ones into the table in use, in the order of its keys. */
static enum pal_status settle(struct sqlite_store *s, struct state *state, struct pal_error *err)
{
    struct ids *ids = &s->ids;
    size_t n = 0;
    enum pal_status st = PAL_OK;
    if (state->ids_count + (int64_t)ids->count > s->limits.table) {
        state->ids_table = !state->ids_table;
        state->ids_count = 0;
        st = sql_run(s->writer, state->ids_table ? SQL_IDS_CLEAR_1 : SQL_IDS_CLEAR_0, err, "");
    }
    for (size_t i = 0; i <= ids->mask; i++)
        if (ids->young[i].place > 0)
            ids->young[n++] = ids->young[i];
    qsort(ids->young, n, sizeof *ids->young, by_hash);
    for (size_t i = 0; i < n && st == PAL_OK; i++)
        st = sql_run(s->writer, state->ids_table ? SQL_IDS_PUT_1 : SQL_IDS_PUT_0, err, "ii",
                     (int64_t)ids->young[i].hash, ids->young[i].place);
    state->ids_count += (int64_t)n;
    state->ids_through = state->next_place - 1;
    memset(ids->young, 0, (ids->mask + 1) * sizeof *ids->young);
    ids->count = 0;
    return st;
}

enum pal_status ids_flush(struct sqlite_store *s, struct state *state, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    int64_t behind = state->next_place - 1 - state->ids_through;
    if (!s->ids.loaded && behind < s->limits.places)
        return PAL_OK; /* no event had an id since the store was opened */
    if (!s->ids.loaded && (st = load(s, state, err)) != PAL_OK)
        return st;
    if (s->ids.count == 0)
        state->ids_through = state->next_place - 1;
    else if ((int64_t)s->ids.count >= s->limits.young || behind >= s->limits.places)
        st = settle(s, state, err);
    return st;
}

enum pal_status ids_clear(struct sqlite_store *s, struct state *state, struct pal_error *err)
{
    ids_done(&s->ids);
    state->ids_count = state->ids_table = 0;
    state->ids_through = state->next_place - 1;
    enum pal_status st = grow(&s->ids, err);
    s->ids.loaded = st == PAL_OK;
    if (st == PAL_OK)
        st = sql_run(s->writer, SQL_IDS_CLEAR_0, err, "");
    return st == PAL_OK ? sql_run(s->writer, SQL_IDS_CLEAR_1, err, "") : st;
}
