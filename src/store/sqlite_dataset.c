/* Everything as a data set: items, users and events as of one moment, read in the order of the
 * file. Numbers of the file become numbers of the data set by a table. */
#include "store/sqlite.h"

#include "store/gather.h"
#include "store/mapping.h"

#include <string.h>

enum { STEP_EVENTS = 1 << 16 };

struct reading_all {
    struct conn *c;
    struct gather *g;
    const struct run *run;
    struct mapping items, users, types;
    uint64_t done, total;
};

static enum pal_status put(struct reading_all *r, struct mapping *m, int64_t from, uint32_t to,
                           struct pal_error *err)
{
    enum pal_status st = mapping_put(m, from, to, err);
    return st == PAL_ECORRUPT ? sql_fail(r->c, SQLITE_CORRUPT, err) : st;
}

typedef enum pal_status each_fn(struct reading_all *r, sqlite3_stmt *q, struct pal_error *err);

static enum pal_status each(struct reading_all *r, enum sql which, each_fn *fn,
                            struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row;
    enum pal_status st = sql_start(r->c, which, &q, err, "");
    if (st != PAL_OK)
        return st;
    while ((st = sql_next(r->c, q, &row, err)) == PAL_OK && row) {
        if (r->done++ % STEP_EVENTS == 0)
            st = run_step(r->run, "loading", r->done, r->total, err);
        if (st == PAL_OK)
            st = fn(r, q, err);
        if (st != PAL_OK) {
            sql_end(q);
            return st;
        }
    }
    return st;
}

static enum pal_status take_item(struct reading_all *r, sqlite3_stmt *q, struct pal_error *err)
{
    uint32_t number;
    struct item_row row = {.item_id = sql_text(q, 1),
                           .title = sql_text(q, 3),
                           .categories = sql_text(q, 4),
                           .attributes = sql_text(q, 5)};
    enum pal_status st =
        gather_item(r->g, &row, sqlite3_column_int(q, 2) == ITEM_DELETED, &number, err);
    return st == PAL_OK ? put(r, &r->items, sqlite3_column_int64(q, 0), number, err) : st;
}

static enum pal_status take_user(struct reading_all *r, sqlite3_stmt *q, struct pal_error *err)
{
    uint32_t number;
    struct user_row row = {.user_id = sql_text(q, 1), .attributes = sql_text(q, 2)};
    enum pal_status st = gather_user(r->g, &row, &number, err);
    return st == PAL_OK ? put(r, &r->users, sqlite3_column_int64(q, 0), number, err) : st;
}

static enum pal_status take_type(struct reading_all *r, sqlite3_stmt *q, struct pal_error *err)
{
    uint8_t number;
    enum pal_status st = gather_type(r->g, sql_text(q, 0), &number, err);
    return st == PAL_OK
               ? put(r, &r->types, (int64_t)r->types.count + (r->types.count == 0), number, err)
               : st;
}

static enum pal_status take_event(struct reading_all *r, sqlite3_stmt *q, struct pal_error *err)
{
    uint32_t user, item, type;
    int64_t time_ms = sqlite3_column_int64(q, 4);
    if (!mapping_get(&r->users, sqlite3_column_int64(q, 0), &user) ||
        !mapping_get(&r->items, sqlite3_column_int64(q, 1), &item) ||
        !mapping_get(&r->types, sqlite3_column_int64(q, 2), &type) || type >= EVENT_TYPES ||
        time_ms < 0)
        return sql_fail(r->c, SQLITE_CORRUPT, err);
    const char *id = gather_wants_ids(r->g) ? sql_text(q, 5) : NULL;
    return gather_event(r->g, user, item, (uint8_t)type, (float)sqlite3_column_double(q, 3),
                        time_ms, id, err);
}

/* All but the events. */
static enum pal_status read_names(struct reading_all *r, struct pal_error *err)
{
    if (gather_cleared(r->g))
        return PAL_OK;
    enum pal_status st = each(r, SQL_ALL_ITEMS, take_item, err);
    if (st == PAL_OK)
        st = each(r, SQL_ALL_USERS, take_user, err);
    return st == PAL_OK ? each(r, SQL_TYPES, take_type, err) : st;
}

/* Begins a reading of one moment: its connection and its gather. */
static enum pal_status begin(struct sqlite_store *s, const struct store_change *more, size_t count,
                             struct reading_all *r, struct state *state, struct pal_error *err)
{
    enum pal_status st = reader_take(s, &r->c, err);
    if (st != PAL_OK)
        return st;
    st = state_read(r->c, state, err);
    if (st == PAL_OK)
        st = gather_new(more, count, state->position, &r->g, err);
    if (st == PAL_OK)
        r->total = (uint64_t)(state->items + state->users + state->events);
    return st;
}

static void end(struct sqlite_store *s, struct reading_all *r)
{
    if (r->c)
        reader_give(s, r->c);
    mapping_done(&r->items);
    mapping_done(&r->users);
    mapping_done(&r->types);
}

enum pal_status sqlite_frame(struct store *base, const struct store_change *more, size_t count,
                             const struct run *run, struct gather **out, uint64_t *position,
                             uint64_t *mark, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct reading_all r = {.run = run};
    struct state state;
    enum pal_status st = begin(s, more, count, &r, &state, err);
    if (st == PAL_OK)
        st = read_names(&r, err);
    end(s, &r);
    if (st != PAL_OK) {
        gather_free(r.g);
        return st;
    }
    *out = r.g;
    *position = state.position;
    *mark = (uint64_t)(state.next_place - 1);
    return PAL_OK;
}

enum pal_status sqlite_dataset(struct store *base, const struct store_change *more, size_t count,
                               const struct run *run, struct dataset **out, uint64_t *position,
                               struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct reading_all r = {.run = run};
    struct state state;
    enum pal_status st = begin(s, more, count, &r, &state, err);
    if (st == PAL_OK)
        st = read_names(&r, err);
    if (st == PAL_OK && !gather_cleared(r.g))
        st = each(&r, SQL_ALL_EVENTS, take_event, err);
    end(s, &r);
    if (st == PAL_OK)
        st = gather_finish(r.g, out, err);
    if (st == PAL_OK && position)
        *position = state.position;
    gather_free(r.g);
    return st;
}
