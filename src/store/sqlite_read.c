/* Reading: walks over users, items and events, each in one transaction. */
#include "store/sqlite.h"

#include "base/mem.h"

#include <string.h>

/* Columns as SQL_READ_EVENTS has them. */
struct stored_event event_of(sqlite3_stmt *q)
{
    return (struct stored_event){(uint64_t)sqlite3_column_int64(q, 0),
                                 {.user_id = sql_text(q, 1),
                                  .item_id = sql_text(q, 2),
                                  .type = sql_text(q, 3),
                                  .value = (float)sqlite3_column_double(q, 4),
                                  .time_ms = sqlite3_column_int64(q, 5),
                                  .event_id = sql_text(q, 6),
                                  .recommendation_id = sql_text(q, 7)}};
}

/* The user's number, newest event and count; *number 0 for an unknown one. */
static enum pal_status read_head(struct conn *c, const char *user_id, int64_t *number,
                                 int64_t *last, int64_t *events, struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    *number = *last = *events = 0;
    enum pal_status st = sql_start(c, SQL_READ_HEAD, &q, err, "t", user_id);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (row) {
        *number = sqlite3_column_int64(q, 0);
        *last = sqlite3_column_int64(q, 1);
        *events = sqlite3_column_int64(q, 2);
        sql_end(q);
    }
    return st;
}

/* Where in the user's chain to begin: at `last`, or behind the event at `before` if it is one of
 * the user's, which a cursor's is. */
static enum pal_status begin_of_chain(struct conn *c, int64_t number, uint64_t before, int64_t last,
                                      int64_t *place, struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    *place = last;
    if (before == 0 || before > INT64_MAX || (int64_t)before > last)
        return PAL_OK;
    enum pal_status st = sql_start(c, SQL_READ_PREV, &q, err, "ii", (int64_t)before, number);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (row) {
        *place = sqlite3_column_int64(q, 0);
        sql_end(q);
    }
    return st;
}

/* The user's event at *place goes to fn if it lies before `before`; *place becomes that of the one
 * before it. */
static enum pal_status follow(struct conn *c, int64_t number, int64_t *place, uint64_t before,
                              size_t *given, store_event_fn *fn, void *ctx, struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    enum pal_status st = sql_start(c, SQL_READ_EVENT, &q, err, "ii", *place, number);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (st == PAL_OK && !row)
        return sql_fail(c, SQLITE_CORRUPT, err);
    if (st != PAL_OK)
        return st;
    int64_t prev = sqlite3_column_int64(q, 8);
    if (prev >= *place) {
        st = sql_fail(c, SQLITE_CORRUPT, err);
    } else if (before == 0 || (uint64_t)*place < before) {
        struct stored_event e = event_of(q);
        ++*given;
        st = fn(ctx, &e, err);
    }
    sql_end(q);
    *place = prev;
    return st;
}

enum pal_status sqlite_user_events(struct store *base, const char *user_id, uint64_t before,
                                   size_t most, store_event_fn *fn, void *ctx,
                                   struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct conn *c;
    int64_t number, place, events;
    size_t given = 0;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = read_head(c, user_id, &number, &place, &events, err);
    if (st == PAL_OK)
        st = begin_of_chain(c, number, before, place, &place, err);
    while (st == PAL_OK && place > 0 && given < most)
        st = follow(c, number, &place, before, &given, fn, ctx, err);
    reader_give(s, c);
    return st;
}

enum pal_status sqlite_user_count(struct store *base, const char *user_id, uint64_t *events,
                                  struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct conn *c;
    int64_t number, last, count;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = read_head(c, user_id, &number, &last, &count, err);
    reader_give(s, c);
    if (st == PAL_OK)
        *events = (uint64_t)count;
    return st;
}

/* Gives one row to the caller's function. */
typedef enum pal_status row_fn(void *walk, sqlite3_stmt *q, struct pal_error *err);

struct walk {
    row_fn *row;
    union {
        store_event_fn *event;
        store_item_fn *item;
        store_user_fn *user;
    } fn;
    void *ctx;
    uint64_t rows;
};

static enum pal_status walk_rows(struct conn *c, sqlite3_stmt *q, struct walk *w,
                                 struct pal_error *err)
{
    bool row;
    enum pal_status st;
    while ((st = sql_next(c, q, &row, err)) == PAL_OK && row) {
        w->rows++;
        if ((st = w->row(w, q, err)) != PAL_OK) {
            sql_end(q);
            return st;
        }
    }
    return st;
}

static enum pal_status give_event(void *ctx, sqlite3_stmt *q, struct pal_error *err)
{
    struct walk *w = ctx;
    struct stored_event e = event_of(q);
    return w->fn.event(w->ctx, &e, err);
}

enum pal_status sqlite_events(struct store *base, uint64_t after, store_event_fn *fn, void *ctx,
                              struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct walk w = {.row = give_event, .fn.event = fn, .ctx = ctx};
    struct conn *c;
    sqlite3_stmt *q;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    int64_t from = after > INT64_MAX ? INT64_MAX : (int64_t)after;
    st = sql_start(c, SQL_READ_EVENTS, &q, err, "i", from);
    if (st == PAL_OK)
        st = walk_rows(c, q, &w, err);
    reader_give(s, c);
    return st;
}

static enum pal_status give_item(void *ctx, sqlite3_stmt *q, struct pal_error *err)
{
    struct walk *w = ctx;
    struct item_row i = {.item_id = sql_text(q, 0),
                         .title = sql_text(q, 1),
                         .categories = sql_text(q, 2),
                         .attributes = sql_text(q, 3),
                         .image_url = sql_text(q, 4),
                         .available = sqlite3_column_int(q, 5) != 0,
                         .created_ms = sqlite3_column_int64(q, 6)};
    return w->fn.item(w->ctx, &i, err);
}

static enum pal_status give_user(void *ctx, sqlite3_stmt *q, struct pal_error *err)
{
    struct walk *w = ctx;
    struct user_row u = {sql_text(q, 0), sql_text(q, 1), sqlite3_column_int64(q, 2)};
    return w->fn.user(w->ctx, &u, err);
}

/* All rows of `all`, or the one row of `one` with that id. */
static enum pal_status all_or_one(struct sqlite_store *s, enum sql all, enum sql one,
                                  const char *what, const char *id, struct walk *w,
                                  struct pal_error *err)
{
    struct conn *c;
    sqlite3_stmt *q;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = id ? sql_start(c, one, &q, err, "t", id) : sql_start(c, all, &q, err, "");
    if (st == PAL_OK)
        st = walk_rows(c, q, w, err);
    if (st == PAL_OK && id && w->rows == 0)
        st = pal_fail(err, PAL_ENOTFOUND, "no %s '%s' is known", what, id);
    reader_give(s, c);
    return st;
}

enum pal_status sqlite_items(struct store *base, const char *item_id, store_item_fn *fn, void *ctx,
                             struct pal_error *err)
{
    struct walk w = {.row = give_item, .fn.item = fn, .ctx = ctx};
    return all_or_one((struct sqlite_store *)base, SQL_READ_ITEMS, SQL_READ_ITEM, "item", item_id,
                      &w, err);
}

enum pal_status sqlite_deleted_items(struct store *base, store_item_fn *fn, void *ctx,
                                     struct pal_error *err)
{
    struct walk w = {.row = give_item, .fn.item = fn, .ctx = ctx};
    return all_or_one((struct sqlite_store *)base, SQL_READ_DELETED, SQL_READ_ITEM, "item", NULL,
                      &w, err);
}

enum pal_status sqlite_users(struct store *base, const char *user_id, store_user_fn *fn, void *ctx,
                             struct pal_error *err)
{
    struct walk w = {.row = give_user, .fn.user = fn, .ctx = ctx};
    return all_or_one((struct sqlite_store *)base, SQL_READ_USERS, SQL_READ_USER, "user", user_id,
                      &w, err);
}

enum pal_status types_read(struct conn *c, struct event_types *out, struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row;
    uint8_t number;
    out->count = 0;
    enum pal_status st = sql_start(c, SQL_TYPES, &q, err, "");
    if (st != PAL_OK)
        return st;
    while ((st = sql_next(c, q, &row, err)) == PAL_OK && row) {
        const char *name = sql_text(q, 0);
        if (out->count < EVENT_TYPES)
            st = event_type_add(out, name, strlen(name), &number, err);
        if (st != PAL_OK) {
            sql_end(q);
            return sql_fail(c, SQLITE_CORRUPT, err);
        }
    }
    return st;
}

enum pal_status sqlite_types(struct store *base, struct event_types *out, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct conn *c;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = types_read(c, out, err);
    reader_give(s, c);
    return st;
}

enum pal_status sqlite_note(struct store *base, const char *name, char **out, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct conn *c;
    sqlite3_stmt *q;
    bool row = false;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = sql_start(c, SQL_NOTE, &q, err, "t", name);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (st == PAL_OK && !row)
        st = pal_fail(err, PAL_ENOTFOUND, "%s has no note '%s'", s->path, name);
    if (row) {
        char *text = mem_text(sql_text(q, 0), (size_t)sqlite3_column_bytes(q, 0));
        sql_end(q);
        if (text)
            *out = text;
        else
            st = pal_no_memory(err);
    }
    reader_give(s, c);
    return st;
}
