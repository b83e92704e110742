/* Everything as a data set: items, users, types and events as of one moment, read by COPY in the
 * order of their numbers and places. */
#include "store/postgres.h"

#include "store/gather.h"
#include "store/mapping.h"

#include <string.h>

enum { STEP_ROWS = 1 << 16 };

struct reading_all {
    struct pg_link *c;
    struct gather *g;
    const struct run *run;
    struct mapping items, users, types;
    uint64_t done, total;
};

static enum pal_status broken(const struct reading_all *r, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT,
                    "store %s: an event names what is not there: restore a dump of the schema",
                    r->c->s->shown);
}

static enum pal_status put(struct reading_all *r, struct mapping *m, int64_t from, uint32_t to,
                           struct pal_error *err)
{
    enum pal_status st = mapping_put(m, from, to, err);
    return st == PAL_ECORRUPT ? broken(r, err) : st;
}

static enum pal_status step(struct reading_all *r, struct pal_error *err)
{
    return r->done++ % STEP_ROWS == 0 ? run_step(r->run, "loading", r->done, r->total, err)
                                      : PAL_OK;
}

static enum pal_status take_item(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct reading_all *r = ctx;
    uint32_t number;
    struct item_row item = {.item_id = pg_text(row, 1),
                            .title = pg_text(row, 3),
                            .categories = pg_text(row, 4),
                            .attributes = pg_text(row, 5)};
    enum pal_status st = step(r, err);
    if (st == PAL_OK)
        st = gather_item(r->g, &item, pg_int(row, 2) == PG_DELETED, &number, err);
    return st == PAL_OK ? put(r, &r->items, pg_int(row, 0), number, err) : st;
}

static enum pal_status take_user(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct reading_all *r = ctx;
    uint32_t number;
    struct user_row user = {.user_id = pg_text(row, 1), .attributes = pg_text(row, 2)};
    enum pal_status st = step(r, err);
    if (st == PAL_OK)
        st = gather_user(r->g, &user, &number, err);
    return st == PAL_OK ? put(r, &r->users, pg_int(row, 0), number, err) : st;
}

static enum pal_status take_type(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct reading_all *r = ctx;
    uint8_t number;
    enum pal_status st = gather_type(r->g, pg_text(row, 1), &number, err);
    return st == PAL_OK ? put(r, &r->types, pg_int(row, 0), number, err) : st;
}

static enum pal_status take_event(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct reading_all *r = ctx;
    uint32_t user, item, type;
    int64_t time_ms = pg_int(row, 4);
    enum pal_status st = step(r, err);
    if (st != PAL_OK)
        return st;
    if (!mapping_get(&r->users, pg_int(row, 0), &user) ||
        !mapping_get(&r->items, pg_int(row, 1), &item) ||
        !mapping_get(&r->types, pg_int(row, 2), &type) || type >= EVENT_TYPES || time_ms < 0)
        return broken(r, err);
    return gather_event(r->g, user, item, (uint8_t)type, pg_real(row, 3), time_ms,
                        row->count > 5 ? pg_text(row, 5) : NULL, err);
}

/* All but the events. */
static enum pal_status read_names(struct reading_all *r, struct pal_error *err)
{
    if (gather_cleared(r->g))
        return run_step(r->run, "loading", 0, 0, err);
    enum pal_status st = pg_copy_out(r->c, pg_data_items, "itiTTT", take_item, r, err);
    if (st == PAL_OK)
        st = pg_copy_out(r->c, pg_data_users, "itT", take_user, r, err);
    if (st == PAL_OK)
        st = pg_copy_out(r->c, pg_data_types, "it", take_type, r, err);
    return st;
}

static enum pal_status read_all(struct reading_all *r, struct pal_error *err)
{
    bool ids = gather_wants_ids(r->g);
    enum pal_status st = read_names(r, err);
    if (st == PAL_OK && !gather_cleared(r->g))
        st = pg_copy_out(r->c, ids ? pg_data_events_ids : pg_data_events, ids ? "iiiriT" : "iiiri",
                         take_event, r, err);
    return st;
}

static enum pal_status position_found(void *position, const struct pg_row *row,
                                      struct pal_error *err)
{
    (void)err;
    *(int64_t *)position = pg_int(row, 0);
    return PAL_OK;
}

/* What there is, and how far the journal is in it. */
static enum pal_status look(struct pg_store *s, struct pg_link *c, struct pg_state *state,
                            int64_t *position, struct pal_error *err)
{
    struct pg_params p = {0};
    struct pg_ask asks[] = {{PG_STATE, NULL, PG_STATE_SHAPE, pg_state_row, state, 0},
                            {PG_POSITION, &p, "i", position_found, position, 0}};
    pg_put_whole(&p, s->journal);
    enum pal_status st = pg_ask(c, asks, 2, PG_LONG_MS, err);
    pg_params_done(&p);
    return st;
}

/* Reads a moment: all of it, or all but the events. */
static enum pal_status read_moment(struct pg_store *s, const struct store_change *more,
                                   size_t count, bool events, struct reading_all *r, int64_t *at,
                                   int64_t *mark, struct pal_error *err)
{
    struct pg_state state = {0};
    enum pal_status st = pg_moment_begin(s, &r->c, err);
    if (st != PAL_OK)
        return st;
    st = look(s, r->c, &state, at, err);
    if (st == PAL_OK)
        st = gather_new(more, count, (uint64_t)*at, &r->g, err);
    if (st == PAL_OK) {
        r->total = (uint64_t)(state.items + state.users + state.events);
        st = events ? read_all(r, err) : read_names(r, err);
    }
    *mark = state.next_place - 1;
    st = pg_moment_end(s, r->c, st);
    mapping_done(&r->items);
    mapping_done(&r->users);
    mapping_done(&r->types);
    return st;
}

enum pal_status pg_dataset(struct store *base, const struct store_change *more, size_t count,
                           const struct run *run, struct dataset **out, uint64_t *position,
                           struct pal_error *err)
{
    struct reading_all r = {.run = run};
    int64_t at = 0, mark;
    enum pal_status st =
        read_moment((struct pg_store *)base, more, count, true, &r, &at, &mark, err);
    if (st == PAL_OK)
        st = gather_finish(r.g, out, err);
    if (st == PAL_OK && position)
        *position = (uint64_t)at;
    gather_free(r.g);
    return st;
}

enum pal_status pg_frame(struct store *base, const struct store_change *more, size_t count,
                         const struct run *run, struct gather **out, uint64_t *position,
                         uint64_t *mark, struct pal_error *err)
{
    struct reading_all r = {.run = run};
    int64_t at = 0, last = 0;
    enum pal_status st =
        read_moment((struct pg_store *)base, more, count, false, &r, &at, &last, err);
    if (st != PAL_OK) {
        gather_free(r.g);
        return st;
    }
    *out = r.g;
    *position = (uint64_t)at;
    *mark = (uint64_t)last;
    return PAL_OK;
}
