/* What changed behind a mark. Places are drawn from one counter by events, by items that are put
 * or removed, by users who are erased through a stream, and by forgetting everything; so what
 * changed since is a range of places in three tables. (Of those erased through the journal of the
 * one process that writes here nothing is left that could be told; that process knows.) */
#include "store/sqlite.h"

struct following {
    struct conn *c;
    int64_t from, to; /* places behind `from` up to `to` */
    store_record_fn *fn;
    void *ctx;
};

typedef void record_of(sqlite3_stmt *q, struct record *out);

static void item_record(sqlite3_stmt *q, struct record *out)
{
    if (sqlite3_column_int(q, 7) == ITEM_DELETED)
        *out = (struct record){.kind = RECORD_ITEM_DELETE, .id = sql_text(q, 0)};
    else
        *out = (struct record){.kind = RECORD_ITEM,
                               .item = {.item_id = sql_text(q, 0),
                                        .title = sql_text(q, 1),
                                        .categories = sql_text(q, 2),
                                        .attributes = sql_text(q, 3),
                                        .image_url = sql_text(q, 4),
                                        .available = sqlite3_column_int(q, 5) != 0,
                                        .created_ms = sqlite3_column_int64(q, 6)}};
}

static void erased_record(sqlite3_stmt *q, struct record *out)
{
    *out = (struct record){.kind = RECORD_USER_DELETE, .id = sql_text(q, 0)};
}

static void event_record(sqlite3_stmt *q, struct record *out)
{
    *out = (struct record){.kind = RECORD_EVENT, .event = event_of(q).event};
}

static enum pal_status give_each(const struct following *f, enum sql which, record_of *make,
                                 struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row;
    struct record r;
    enum pal_status st = sql_start(f->c, which, &q, err, "ii", f->from, f->to);
    if (st != PAL_OK)
        return st;
    while ((st = sql_next(f->c, q, &row, err)) == PAL_OK && row) {
        make(q, &r);
        if ((st = f->fn(f->ctx, &r, err)) != PAL_OK) {
            sql_end(q);
            return st;
        }
    }
    return st;
}

static enum pal_status give_range(const struct following *f, bool cleared, struct pal_error *err)
{
    struct record clear = {.kind = RECORD_CLEAR};
    enum pal_status st = cleared ? f->fn(f->ctx, &clear, err) : PAL_OK;
    if (st == PAL_OK)
        st = give_each(f, SQL_FOLLOW_ITEMS, item_record, err);
    if (st == PAL_OK)
        st = give_each(f, SQL_FOLLOW_ERASED, erased_record, err);
    return st == PAL_OK ? give_each(f, SQL_FOLLOW_EVENTS, event_record, err) : st;
}

enum pal_status sqlite_follow(struct store *base, uint64_t *mark, size_t most, store_record_fn *fn,
                              void *ctx, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct following f = {
        .from = *mark > INT64_MAX ? INT64_MAX : (int64_t)*mark, .fn = fn, .ctx = ctx};
    int64_t offset = most == 0 ? 0 : most > INT64_MAX ? INT64_MAX : (int64_t)most - 1, cleared = 0;
    sqlite3_stmt *q;
    bool row;
    enum pal_status st = reader_take(s, &f.c, err);
    if (st != PAL_OK)
        return st;
    st = sql_start(f.c, SQL_FOLLOW_END, &q, err, "ii", f.from, offset);
    if (st == PAL_OK)
        st = sql_next(f.c, q, &row, err);
    if (st == PAL_OK && row) {
        f.to = sqlite3_column_int64(q, 0);
        cleared = sqlite3_column_int64(q, 1);
        sql_end(q);
        st = give_range(&f, cleared > f.from, err);
    }
    reader_give(s, f.c);
    if (st == PAL_OK && f.to > f.from)
        *mark = (uint64_t)f.to;
    return st;
}

enum pal_status sqlite_mark(struct store *base, uint64_t *mark, struct pal_error *err)
{
    struct state state;
    enum pal_status st = sqlite_state((struct sqlite_store *)base, &state, err);
    if (st == PAL_OK)
        *mark = (uint64_t)(state.next_place - 1);
    return st;
}
