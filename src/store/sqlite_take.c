/* What comes through a stream: it may come twice, and long after something that made it void. Of
 * every item and user the moment of their last change is kept, of users who were erased that of
 * their erasure, for longer than a stream keeps anything; what is older than those is passed over.
 * Events are known by their ids (sqlite_ids.c), served lists by theirs among the user's latest. */
#include "store/sqlite.h"

#include <string.h>

enum {
    SEEN_MOST = 256,        /* lists looked at */
    SEEN_SLACK_MS = 300000, /* how much out of order lists of a user may come */
};

/* The moment that a query gives for an id; 0 without a row. */
static enum pal_status at_of(struct conn *c, enum sql which, const char *id, int64_t *at,
                             struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    *at = 0;
    enum pal_status st = sql_start(c, which, &q, err, "t", id);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (row) {
        *at = sqlite3_column_int64(q, 0);
        sql_end(q);
    }
    return st;
}

/* Is the list among those that came since about its time: the user's, or anybody's for one that was
 * shown to somebody without an id? */
static enum pal_status list_seen(struct sqlite_store *s, const struct served_row *x, bool *seen,
                                 struct pal_error *err)
{
    bool of_user = x->user_id && *x->user_id;
    int64_t place = INT64_MAX, since = x->time_ms - (of_user ? SEEN_SLACK_MS : 0);
    struct slot *head;
    sqlite3_stmt *q;
    enum pal_status st = PAL_OK;
    if (of_user && (st = names_served(s, x->user_id, &head, err)) == PAL_OK)
        place = head->last;
    *seen = false;
    for (int i = 0; i < SEEN_MOST && place > 0 && !*seen && st == PAL_OK; i++) {
        bool row = false;
        st = of_user ? sql_start(s->writer, SQL_SEEN_OF, &q, err, "it", place, x->user_id)
                     : sql_start(s->writer, SQL_SEEN_ANY, &q, err, "i", place);
        if (st == PAL_OK)
            st = sql_next(s->writer, q, &row, err);
        if (!row)
            break;
        *seen = strcmp(sql_text(q, 0), x->recommendation_id) == 0;
        place = sqlite3_column_int64(q, 1) < since ? 0 : sqlite3_column_int64(q, 2);
        sql_end(q);
    }
    return st;
}

/* What a user did, or was shown, or is: void if the user was erased since. */
static enum pal_status erased_since(struct sqlite_store *s, const char *user_id, int64_t at,
                                    bool *is_void, struct pal_error *err)
{
    int64_t erased;
    enum pal_status st = at_of(s->writer, SQL_ERASED_AT, user_id, &erased, err);
    *is_void = erased > at;
    return st;
}

enum pal_status take_void(struct sqlite_store *s, const struct state *state,
                          const struct store_change *c, bool *is_void, struct pal_error *err)
{
    const struct record *r = &c->record;
    int64_t at = change_at(c), last = 0;
    enum pal_status st = PAL_OK;
    *is_void = state->cleared_at > at;
    if (*is_void)
        return st;
    switch (r->kind) {
    case RECORD_EVENT:
        return erased_since(s, r->event.user_id, at, is_void, err);
    case RECORD_ITEM:
    case RECORD_ITEM_DELETE:
        st = at_of(s->writer, SQL_ITEM_AT, r->kind == RECORD_ITEM ? r->item.item_id : r->id, &last,
                   err);
        *is_void = last > at;
        return st;
    case RECORD_USER:
        st = erased_since(s, r->user.user_id, at, is_void, err);
        if (st == PAL_OK && !*is_void &&
            (st = at_of(s->writer, SQL_USER_AT, r->user.user_id, &last, err)) == PAL_OK)
            *is_void = last > at;
        return st;
    case RECORD_USER_DELETE:
        st = at_of(s->writer, SQL_ERASED_AT, r->id, &last, err);
        *is_void = last >= at;
        return st;
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        if (r->served.user_id && *r->served.user_id)
            st = erased_since(s, r->served.user_id, at, is_void, err);
        return st == PAL_OK && !*is_void ? list_seen(s, &r->served, is_void, err) : st;
    case RECORD_CLEAR:
        *is_void = state->cleared_at == at; /* it came before */
        return st;
    }
    return st; /* apply says that there is no such kind */
}

enum pal_status take_erased(struct sqlite_store *s, struct state *state,
                            const struct store_change *c, struct pal_error *err)
{
    return sql_run(s->writer, SQL_ERASED_PUT, err, "iti", state->next_place++, c->record.id,
                   change_at(c));
}

enum pal_status take_forget(struct sqlite_store *s, int64_t at, struct pal_error *err)
{
    return sql_run(s->writer, SQL_ERASED_FORGET, err, "i", at - CHANGE_ERASED_KEPT);
}

enum pal_status take_reaches(struct conn *c, const struct store_reach *reaches, size_t count,
                             struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < count && st == PAL_OK; i++)
        st = sql_run(c, SQL_REACH_PUT, err, "tii", reaches[i].journal, (int64_t)reaches[i].shard,
                     (int64_t)reaches[i].seq);
    return st;
}

enum pal_status sqlite_reaches(struct store *base, const char *journal, struct store_reach *out,
                               size_t most, size_t *count, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct conn *c;
    sqlite3_stmt *q;
    bool row;
    size_t n = 0;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = sql_start(c, SQL_REACHES, &q, err, "ti", journal, (int64_t)most);
    while (st == PAL_OK && (st = sql_next(c, q, &row, err)) == PAL_OK && row)
        out[n++] = (struct store_reach){journal, (unsigned)sqlite3_column_int64(q, 0),
                                        (uint64_t)sqlite3_column_int64(q, 1)};
    reader_give(s, c);
    if (st == PAL_OK)
        *count = n;
    return st;
}
