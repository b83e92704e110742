/* What changed behind a mark, whoever changed it; and how far journals came through a stream. All
 * that changes draws its place from one counter, under a lock that is held until the commit: so a
 * place that can be seen has none below it that is still to come. */
#include "store/postgres.h"

struct following {
    store_record_fn *fn;
    void *ctx;
    int64_t end, cleared;
};

static enum pal_status end_found(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct following *f = ctx;
    (void)err;
    f->end = pg_int(row, 0);
    f->cleared = pg_int(row, 1);
    return PAL_OK;
}

static enum pal_status give_item(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct following *f = ctx;
    struct record r = {.kind = RECORD_ITEM, .item = pg_item_of(row)};
    if (pg_int(row, 7) == PG_DELETED)
        r = (struct record){.kind = RECORD_ITEM_DELETE, .id = pg_text(row, 0)};
    return f->fn(f->ctx, &r, err);
}

static enum pal_status give_erased(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct following *f = ctx;
    struct record r = {.kind = RECORD_USER_DELETE, .id = pg_text(row, 0)};
    return f->fn(f->ctx, &r, err);
}

static enum pal_status give_event(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct following *f = ctx;
    struct record r = {.kind = RECORD_EVENT, .event = pg_event_of(row)};
    return f->fn(f->ctx, &r, err);
}

static enum pal_status give_range(struct pg_link *c, struct following *f, int64_t from,
                                  struct pal_error *err)
{
    struct record clear = {.kind = RECORD_CLEAR};
    struct pg_params p = {0};
    struct pg_ask asks[] = {
        {PG_FOLLOW_ITEMS, &p, PG_ITEM_SHAPE "i", give_item, f, 0},
        {PG_FOLLOW_ERASED, &p, "t", give_erased, f, 0},
        {PG_FOLLOW_EVENTS, &p, PG_EVENT_SHAPE, give_event, f, 0},
    };
    enum pal_status st = f->cleared > from ? f->fn(f->ctx, &clear, err) : PAL_OK;
    pg_put_int(&p, from);
    pg_put_int(&p, f->end);
    if (st == PAL_OK)
        st = pg_ask(c, asks, 3, PG_LONG_MS, err);
    pg_params_done(&p);
    return st;
}

enum pal_status pg_follow(struct store *base, uint64_t *mark, size_t most, store_record_fn *fn,
                          void *ctx, struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    struct following f = {.fn = fn, .ctx = ctx};
    struct pg_params p = {0};
    struct pg_ask find = {PG_FOLLOW_END, &p, "ii", end_found, &f, 0};
    int64_t from = *mark > INT64_MAX ? INT64_MAX : (int64_t)*mark;
    uint64_t latest;
    struct pg_link *c;
    enum pal_status st = pg_mark(base, &latest, err);
    if (st != PAL_OK || latest <= *mark) /* nearly always */
        return st;
    pg_put_int(&p, from);
    pg_put_int(&p, most == 0 ? 0 : most > INT64_MAX ? INT64_MAX : (int64_t)most - 1);
    st = pg_moment_begin(s, &c, err);
    if (st == PAL_OK) {
        st = pg_ask(c, &find, 1, PG_LONG_MS, err);
        if (st == PAL_OK)
            st = give_range(c, &f, from, err);
        st = pg_moment_end(s, c, st);
    }
    pg_params_done(&p);
    if (st == PAL_OK && f.end > from)
        *mark = (uint64_t)f.end;
    return st;
}

enum pal_status pg_mark(struct store *base, uint64_t *mark, struct pal_error *err)
{
    struct pg_state state = {0};
    struct pg_ask a = {PG_STATE, NULL, PG_STATE_SHAPE, pg_state_row, &state, 0};
    enum pal_status st = pg_read((struct pg_store *)base, &a, 1, PG_SHORT_MS, err);
    if (st == PAL_OK)
        *mark = (uint64_t)(state.next_place - 1);
    return st;
}

struct reaching {
    const char *journal;
    struct store_reach *out;
    size_t most, count;
};

static enum pal_status reach_found(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct reaching *r = ctx;
    (void)err;
    if (r->count < r->most)
        r->out[r->count++] =
            (struct store_reach){r->journal, (unsigned)pg_int(row, 0), (uint64_t)pg_int(row, 1)};
    return PAL_OK;
}

enum pal_status pg_reaches(struct store *base, const char *journal, struct store_reach *out,
                           size_t most, size_t *count, struct pal_error *err)
{
    struct reaching r = {journal, out, most, 0};
    struct pg_params p = {0};
    struct pg_ask a = {PG_REACHES, &p, "ii", reach_found, &r, 0};
    pg_put_whole(&p, journal);
    pg_put_int(&p, (int64_t)most);
    enum pal_status st = pg_read((struct pg_store *)base, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    if (st == PAL_OK)
        *count = r.count;
    return st;
}
