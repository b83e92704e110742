/* Served lists: every answer leaves one, so that one costs an append and, once a transaction, its
 * user's head. What is in `served` is in the order of arrival; `prev` leads from a user's list to
 * the one before it, until there is none or it was forgotten. Lists are packed (data/served.h) but
 * for those that were imported, and unpacked when they are read. */
#include "store/sqlite.h"

#include "base/str.h"
#include "data/served.h"

#include <string.h>

/* ---- Writing ---- */

enum pal_status lists_add(struct sqlite_store *s, struct state *state, const struct served_row *x,
                          struct pal_error *err)
{
    struct slot *head = NULL;
    enum pal_status st = PAL_OK;
    if (x->user_id && *x->user_id)
        st = names_served(s, x->user_id, &head, err);
    int64_t prev = head ? head->last : 0;
    if (st == PAL_OK && x->packed)
        st = sql_run(s->writer, SQL_SERVED_PUT, err, "ttibi", x->recommendation_id, x->user_id,
                     x->time_ms, x->packed, x->packed_size, prev);
    else if (st == PAL_OK)
        st = sql_run(s->writer, SQL_SERVED_PUT, err, "ttiti", x->recommendation_id, x->user_id,
                     x->time_ms, x->list, prev);
    if (st == PAL_OK && head)
        st = names_touch(&s->served, head, err);
    if (st != PAL_OK)
        return st;
    if (head)
        head->last = sqlite3_last_insert_rowid(s->writer->db);
    state->served++;
    return PAL_OK;
}

/* Deletes the list at *place if it is the user's; *place becomes that of the one before it. */
static enum pal_status delete_list(struct sqlite_store *s, struct state *state, const char *user_id,
                                   int64_t *place, struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    int64_t at = *place;
    *place = 0;
    enum pal_status st = sql_start(s->writer, SQL_SERVED_LINK, &q, err, "it", at, user_id);
    if (st == PAL_OK)
        st = sql_next(s->writer, q, &row, err);
    if (st != PAL_OK || !row)
        return st;
    *place = sqlite3_column_int64(q, 0);
    sql_end(q);
    if (*place >= at)
        return sql_fail(s->writer, SQLITE_CORRUPT, err);
    state->served--;
    return sql_run(s->writer, SQL_SERVED_DELETE, err, "i", at);
}

enum pal_status lists_erase(struct sqlite_store *s, struct state *state, const char *user_id,
                            struct pal_error *err)
{
    struct slot *head;
    enum pal_status st = names_served(s, user_id, &head, err);
    if (st != PAL_OK)
        return st;
    for (int64_t place = head->last; place > 0 && st == PAL_OK;)
        st = delete_list(s, state, user_id, &place, err);
    head->last = 0;
    return st == PAL_OK ? sql_run(s->writer, SQL_SERVED_HEAD_DELETE, err, "t", user_id) : st;
}

enum pal_status lists_forget(struct sqlite_store *s, struct state *state, int64_t before_ms,
                             struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    enum pal_status st = sql_start(s->writer, SQL_SERVED_FIRST, &q, err, "i", before_ms);
    if (st == PAL_OK)
        st = sql_next(s->writer, q, &row, err);
    if (st != PAL_OK || !row)
        return st;
    int64_t first = sqlite3_column_int64(q, 0);
    sql_end(q);
    st = sql_run(s->writer, SQL_SERVED_FORGET, err, "i", first);
    int64_t gone = sqlite3_changes64(s->writer->db);
    state->served -= gone;
    if (st != PAL_OK || gone == 0)
        return st;
    names_done(&s->served); /* some of them lead nowhere now */
    return sql_run(s->writer, SQL_SERVED_HEADS_FORGET, err, "i", first);
}

/* ---- Reading ---- */

struct reading {
    store_served_fn *fn;
    void *ctx;
    struct str json; /* of the list at hand, where it was packed */
};

/* The row at hand, whose columns are those of SQL_READ_SERVED. */
static enum pal_status give(struct conn *c, sqlite3_stmt *q, struct reading *r,
                            struct pal_error *err)
{
    struct served_row x = {.recommendation_id = sql_text(q, 0),
                           .user_id = sql_text(q, 1),
                           .time_ms = sqlite3_column_int64(q, 2)};
    if (sqlite3_column_type(q, 3) == SQLITE_BLOB) {
        const void *packed = sqlite3_column_blob(q, 3);
        size_t size = (size_t)sqlite3_column_bytes(q, 3);
        if (served_fault(packed, size))
            return sql_fail(c, SQLITE_CORRUPT, err);
        str_clear(&r->json);
        served_json(packed, size, &r->json);
        if (!str_ok(&r->json))
            return pal_no_memory(err);
        x.list = str_text(&r->json);
    } else {
        x.list = sql_text(q, 3);
    }
    return r->fn(r->ctx, &x, err);
}

static enum pal_status walk(struct conn *c, sqlite3_stmt *q, struct reading *r,
                            struct pal_error *err)
{
    bool row;
    enum pal_status st;
    while ((st = sql_next(c, q, &row, err)) == PAL_OK && row)
        if ((st = give(c, q, r, err)) != PAL_OK) {
            sql_end(q);
            return st;
        }
    return st;
}

static enum pal_status find_head(struct conn *c, const char *user_id, int64_t *last,
                                 struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    *last = 0;
    enum pal_status st = sql_start(c, SQL_SERVED_HEAD, &q, err, "t", user_id);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (row) {
        *last = sqlite3_column_int64(q, 0);
        sql_end(q);
    }
    return st;
}

static enum pal_status follow(struct conn *c, const char *user_id, size_t most, struct reading *r,
                              struct pal_error *err)
{
    sqlite3_stmt *q;
    int64_t place;
    enum pal_status st = find_head(c, user_id, &place, err);
    for (size_t n = 0; st == PAL_OK && place > 0 && n < most; n++) {
        bool row = false;
        st = sql_start(c, SQL_READ_SERVED_OF, &q, err, "it", place, user_id);
        if (st == PAL_OK)
            st = sql_next(c, q, &row, err);
        if (st != PAL_OK || !row)
            return st; /* the rest was forgotten */
        int64_t prev = sqlite3_column_int64(q, 4);
        st = prev < place ? give(c, q, r, err) : sql_fail(c, SQLITE_CORRUPT, err);
        sql_end(q);
        place = prev;
    }
    return st;
}

enum pal_status sqlite_served(struct store *base, const char *user_id, size_t most,
                              store_served_fn *fn, void *ctx, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct reading r = {.fn = fn, .ctx = ctx};
    struct conn *c;
    sqlite3_stmt *q;
    int64_t limit = most == 0 || most > INT64_MAX ? INT64_MAX : (int64_t)most;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    if (user_id)
        st = follow(c, user_id, (size_t)limit, &r, err);
    else if ((st = sql_start(c, SQL_READ_SERVED, &q, err, "i", limit)) == PAL_OK)
        st = walk(c, q, &r, err);
    reader_give(s, c);
    str_done(&r.json);
    return st;
}

enum pal_status sqlite_all_served(struct store *base, store_served_fn *fn, void *ctx,
                                  struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct reading r = {.fn = fn, .ctx = ctx};
    struct conn *c;
    sqlite3_stmt *q;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = sql_start(c, SQL_READ_SERVED_ALL, &q, err, "");
    if (st == PAL_OK)
        st = walk(c, q, &r, err);
    reader_give(s, c);
    str_done(&r.json);
    return st;
}
