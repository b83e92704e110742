/* Writing: changes, in order, as one transaction. */
#include "store/sqlite.h"

#include "base/turns.h"

#include <string.h>

enum {
    NAMES_MOST = 1 << 20, /* kept in memory between two transactions: about 100 MB of users */
    FEW = 6000, /* changes that are no backlog: while they are applied, others on this core go first
                 */
};

/* A transaction under way. */
struct apply {
    struct sqlite_store *s;
    struct conn *c;
    struct state state;
    size_t repeated;
    bool deleted;                      /* something to erase from the log */
    bool stream;                       /* the changes came through one */
    int64_t erased_at;                 /* the moment of the last erasure out of a stream */
    const struct store_change *change; /* at hand */
};

static enum pal_status apply_event(struct apply *a, const struct event *e, struct pal_error *err)
{
    struct slot *user, *item;
    int64_t type;
    bool elsewhere = a->change->elsewhere;
    bool seen = false, has_id = !elsewhere && e->event_id && *e->event_id;
    enum pal_status st = PAL_OK;
    if (has_id)
        st = ids_seen(a->s, &a->state, e->event_id, &seen, err);
    if (seen)
        a->repeated++;
    if (st != PAL_OK || seen)
        return st;
    st = names_user(a->s, &a->state, e->user_id, true, &user, err);
    if (st == PAL_OK)
        st = names_item(a->s, &a->state, e->item_id, true, &item, err);
    if (st == PAL_OK)
        st = names_type(a->s, e->type, &type, err);
    int64_t place = a->state.next_place;
    if (st == PAL_OK && elsewhere) {
        a->state.next_place++;
        return PAL_OK;
    }
    if (st == PAL_OK)
        st = sql_run(a->c, SQL_EVENT_PUT, err, "iiiidiitt", place, user->number, item->number, type,
                     (double)e->value, e->time_ms, user->last, e->event_id, e->recommendation_id);
    if (st == PAL_OK && has_id)
        st = ids_add(a->s, e->event_id, place, err);
    if (st == PAL_OK)
        st = names_touch(&a->s->users, user, err);
    if (st != PAL_OK)
        return st;
    user->last = place;
    user->events++;
    a->state.next_place++;
    a->state.events++;
    return PAL_OK;
}

static enum pal_status apply_item(struct apply *a, const struct item_row *i, struct pal_error *err)
{
    struct slot *item;
    enum pal_status st = names_item(a->s, &a->state, i->item_id, true, &item, err);
    if (st == PAL_OK)
        st = sql_run(a->c, SQL_ITEM_PUT, err, "ttttiiiii", i->title, i->categories, i->attributes,
                     i->image_url, (int64_t)i->available, i->created_ms, a->state.next_place++,
                     change_at(a->change), item->number);
    if (st != PAL_OK)
        return st;
    a->state.items += item->last == ITEM_DELETED;
    item->last = ITEM_PUT;
    return PAL_OK;
}

/* Its row stays, empty, because events name it by number. */
static enum pal_status apply_item_delete(struct apply *a, const char *id, struct pal_error *err)
{
    struct slot *item;
    enum pal_status st = names_item(a->s, &a->state, id, false, &item, err);
    if (st != PAL_OK || item->number == 0 || item->last == ITEM_DELETED)
        return st;
    st = sql_run(a->c, SQL_ITEM_DELETE, err, "iii", a->state.next_place++, change_at(a->change),
                 item->number);
    if (st != PAL_OK)
        return st;
    a->state.items--;
    item->last = ITEM_DELETED;
    return PAL_OK;
}

static enum pal_status apply_user(struct apply *a, const struct user_row *u, struct pal_error *err)
{
    struct slot *user;
    enum pal_status st = names_user(a->s, &a->state, u->user_id, true, &user, err);
    return st == PAL_OK ? sql_run(a->c, SQL_USER_PUT, err, "tiii", u->attributes, u->created_ms,
                                  change_at(a->change), user->number)
                        : st;
}

/* Deletes the event at `place` and says which one came before it. */
static enum pal_status delete_event(struct apply *a, int64_t user, int64_t *place,
                                    struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    int64_t prev = 0;
    enum pal_status st = sql_start(a->c, SQL_EVENT_LINK, &q, err, "ii", *place, user);
    if (st == PAL_OK)
        st = sql_next(a->c, q, &row, err);
    if (st == PAL_OK && !row)
        return sql_fail(a->c, SQLITE_CORRUPT, err);
    if (st != PAL_OK)
        return st;
    prev = sqlite3_column_int64(q, 0);
    if (*sql_text(q, 1))
        st = ids_remove(a->s, sql_text(q, 1), *place, err);
    sql_end(q);
    if (st == PAL_OK && prev >= *place)
        st = sql_fail(a->c, SQLITE_CORRUPT, err);
    if (st == PAL_OK)
        st = sql_run(a->c, SQL_EVENT_DELETE, err, "i", *place);
    a->state.events--;
    *place = prev;
    return st;
}

static enum pal_status apply_user_delete(struct apply *a, const char *id, struct pal_error *err)
{
    struct slot *user;
    enum pal_status st = lists_erase(a->s, &a->state, id, err);
    if (st == PAL_OK) {
        a->deleted = true;
        st = names_user(a->s, &a->state, id, false, &user, err);
    }
    if (st == PAL_OK && a->stream)
        st = take_erased(a->s, &a->state, a->change, err);
    if (a->stream)
        a->erased_at = change_at(a->change);
    if (st != PAL_OK || user->number == 0)
        return st;
    for (int64_t place = user->last; place > 0 && st == PAL_OK;)
        st = delete_event(a, user->number, &place, err);
    if (st == PAL_OK)
        st = sql_run(a->c, SQL_HEAD_DELETE, err, "i", user->number);
    if (st == PAL_OK)
        st = sql_run(a->c, SQL_USER_DELETE, err, "i", user->number);
    user->number = user->last = user->events = 0;
    a->state.users--;
    return st;
}

/* Notes stay: they are the site's settings and reports, not what somebody did. But those about
 * imports say what is in the tables that are empty now. */
static enum pal_status apply_clear(struct apply *a, struct pal_error *err)
{
    enum pal_status st =
        sql_script(a->c,
                   "DELETE FROM events; DELETE FROM heads; DELETE FROM users; DELETE FROM items;"
                   "DELETE FROM types; DELETE FROM served; DELETE FROM served_heads;"
                   "DELETE FROM erased; DELETE FROM notes WHERE name GLOB 'import:*'",
                   err);
    names_done(&a->s->users);
    names_done(&a->s->items);
    names_done(&a->s->served);
    a->s->types.count = 0;
    a->state.items = a->state.users = a->state.events = a->state.served = 0;
    a->state.cleared = a->state.next_place++;
    a->state.cleared_at = change_at(a->change);
    a->deleted = true;
    return st == PAL_OK ? ids_clear(a->s, &a->state, err) : st;
}

static enum pal_status apply_one(struct apply *a, const struct store_change *c,
                                 struct pal_error *err)
{
    const struct record *r = &c->record;
    a->change = c;
    if (a->stream) {
        bool is_void;
        enum pal_status st = take_void(a->s, &a->state, c, &is_void, err);
        if (st != PAL_OK || is_void)
            return st;
    }
    switch (r->kind) {
    case RECORD_EVENT:
        return apply_event(a, &r->event, err);
    case RECORD_ITEM:
        return apply_item(a, &r->item, err);
    case RECORD_ITEM_DELETE:
        return apply_item_delete(a, r->id, err);
    case RECORD_USER:
        return apply_user(a, &r->user, err);
    case RECORD_USER_DELETE:
        return apply_user_delete(a, r->id, err);
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        return lists_add(a->s, &a->state, &r->served, err);
    case RECORD_CLEAR:
        return apply_clear(a, err);
    }
    return pal_fail(err, PAL_EUSAGE, "kind %d: no such kind of record", (int)r->kind);
}

static enum pal_status write_state(struct conn *c, const struct state *state, struct pal_error *err)
{
    return sql_run(c, SQL_STATE_PUT, err, "iiiiiiiiiii", (int64_t)state->position,
                   state->next_place, state->items, state->users, state->events, state->served,
                   state->ids_through, state->ids_table, state->ids_count, state->cleared,
                   state->cleared_at);
}

static enum pal_status apply_all(struct apply *a, const struct store_change *changes, size_t count,
                                 uint64_t seq, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct turns turns = {0};
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        if (a->stream || changes[i].seq == 0 || changes[i].seq > a->state.position)
            st = apply_one(a, &changes[i], err);
        if (count <= FEW)
            turns_pass(&turns, 4);
    }
    if (seq > a->state.position)
        a->state.position = seq;
    if (st == PAL_OK && a->erased_at)
        st = take_forget(a->s, a->erased_at, err);
    if (st == PAL_OK)
        st = names_flush(a->s, err);
    if (st == PAL_OK)
        st = ids_flush(a->s, &a->state, err);
    return st == PAL_OK ? write_state(a->c, &a->state, err) : st;
}

/* What is in memory may be ahead of the file, or of what it became after a failure. */
static enum pal_status refresh(struct sqlite_store *s, struct pal_error *err)
{
    bool crowded = s->users.texts.count > NAMES_MOST;
    if (s->stale || crowded)
        names_done(&s->users);
    if (s->stale || s->items.texts.count > NAMES_MOST)
        names_done(&s->items);
    if (s->stale || s->served.texts.count > NAMES_MOST)
        names_done(&s->served);
    if (!s->stale)
        return PAL_OK;
    ids_done(&s->ids);
    enum pal_status st = state_read(s->writer, &s->state, err);
    if (st == PAL_OK)
        st = types_read(s->writer, &s->types, err);
    s->stale = st != PAL_OK;
    return st;
}

static enum pal_status writable(const struct sqlite_store *s, struct pal_error *err)
{
    return s->writer ? PAL_OK
                     : pal_fail(err, PAL_EUSAGE, "%s was opened for reading only", s->path);
}

/* Ends the transaction one way or the other. */
static enum pal_status end(struct sqlite_store *s, enum pal_status st, struct pal_error *err)
{
    if (st == PAL_OK)
        st = sql_run(s->writer, SQL_COMMIT, err, "");
    if (st != PAL_OK) {
        s->stale = true;
        if (!sqlite3_get_autocommit(s->writer->db))
            sqlite3_exec(s->writer->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return st;
}

/* What goes into the transaction besides the changes. */
struct beside {
    uint64_t seq;
    const char *note, *text; /* note NULL = none */
    const struct store_reach *reaches;
    size_t reach_count;
};

static enum pal_status transact(struct sqlite_store *s, const struct store_change *changes,
                                size_t count, bool stream, const struct beside *with,
                                size_t *repeated, struct pal_error *err)
{
    enum pal_status st = writable(s, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&s->write_mutex);
    struct apply a = {.s = s, .c = s->writer, .stream = stream};
    st = refresh(s, err);
    if (st == PAL_OK)
        st = sql_run(s->writer, SQL_BEGIN_WRITE, err, "");
    if (st == PAL_OK) {
        a.state = s->state;
        st = apply_all(&a, changes, count, with->seq, err);
        if (st == PAL_OK && with->note)
            st = sql_run(s->writer, SQL_NOTE_PUT, err, "tt", with->note, with->text);
        if (st == PAL_OK)
            st = take_reaches(s->writer, with->reaches, with->reach_count, err);
        st = end(s, st, err);
    }
    if (st == PAL_OK) {
        s->state = a.state;
        if (a.deleted)
            s->erase_wanted = true;
        sqlite_erase(s);
    }
    pthread_mutex_unlock(&s->write_mutex);
    if (st == PAL_OK && repeated)
        *repeated = a.repeated;
    return st;
}

enum pal_status sqlite_apply(struct store *base, const struct store_change *changes, size_t count,
                             uint64_t seq, const char *note, const char *text, size_t *repeated,
                             struct pal_error *err)
{
    struct beside with = {.seq = seq, .note = note, .text = text};
    return transact((struct sqlite_store *)base, changes, count, false, &with, repeated, err);
}

enum pal_status sqlite_take(struct store *base, const struct store_change *changes, size_t count,
                            const struct store_reach *reaches, size_t reach_count, size_t *repeated,
                            struct pal_error *err)
{
    struct beside with = {.reaches = reaches, .reach_count = reach_count};
    return transact((struct sqlite_store *)base, changes, count, true, &with, repeated, err);
}

enum pal_status sqlite_put_note(struct store *base, const char *name, const char *text,
                                struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    enum pal_status st = writable(s, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&s->write_mutex);
    st = sql_run(s->writer, SQL_NOTE_PUT, err, "tt", name, text);
    pthread_mutex_unlock(&s->write_mutex);
    return st;
}

enum pal_status sqlite_forget_served(struct store *base, int64_t before_ms, uint64_t *deleted,
                                     struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    enum pal_status st = writable(s, err);
    int64_t gone = 0;
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&s->write_mutex);
    st = refresh(s, err);
    if (st == PAL_OK)
        st = sql_run(s->writer, SQL_BEGIN_WRITE, err, "");
    if (st == PAL_OK) {
        struct state state = s->state;
        st = lists_forget(s, &state, before_ms, err);
        gone = s->state.served - state.served;
        if (st == PAL_OK)
            st = write_state(s->writer, &state, err);
        st = end(s, st, err);
        if (st == PAL_OK)
            s->state = state;
    }
    pthread_mutex_unlock(&s->write_mutex);
    if (st == PAL_OK && deleted)
        *deleted = (uint64_t)gone;
    return st;
}
