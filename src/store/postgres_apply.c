/* Writing: changes as one transaction. The writer takes the row of `state`, which every writer
 * waits for; so it alone draws numbers and places until it commits, and what it looked up stays
 * true. The changes are cut behind every erasure, into parts that are written in bulk. */
#include "store/postgres_tx.h"

#include "base/mem.h"

#include <libpq-fe.h>

enum { PART_MOST = 32768 };

/* What goes into the transaction besides the changes. */
struct beside {
    uint64_t seq;
    const char *note, *text; /* note NULL = none */
    const struct store_reach *reaches;
    size_t reach_count;
};

static bool ends_part(const struct store_change *c)
{
    return c->record.kind == RECORD_USER_DELETE || c->record.kind == RECORD_CLEAR;
}

static enum pal_status do_all(struct pg_tx *t, const struct store_change *changes, size_t count,
                              struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t from = 0, i = 0; i < count && st == PAL_OK; i++)
        if (i + 1 == count || ends_part(&changes[i]) || i + 1 - from == PART_MOST) {
            st = pg_part(t, changes + from, i + 1 - from, err);
            from = i + 1;
        }
    return st;
}

static enum pal_status position_found(void *position, const struct pg_row *row,
                                      struct pal_error *err)
{
    (void)err;
    *(int64_t *)position = pg_int(row, 0);
    return PAL_OK;
}

static enum pal_status erased_found(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct pg_store *s = ctx;
    int64_t place = pg_int(row, 0), at = pg_int(row, 1);
    (void)err;
    s->erased_place = place > s->erased_place ? place : s->erased_place;
    s->erased_at = at > s->erased_at ? at : s->erased_at;
    return PAL_OK;
}

/* Begins, takes the state's row, finds the position and what was erased since the last time. */
static enum pal_status begin_on(struct pg_tx *t, struct pal_error *err)
{
    struct pg_ask asks[] = {
        {.sql = PG_BEGIN},
        {PG_STATE_LOCK, NULL, PG_STATE_SHAPE, pg_state_row, &t->state, 0},
        {PG_POSITION, &t->params[0], "i", position_found, &t->position, 0},
        {PG_ERASED_SINCE, &t->params[1], "ii", erased_found, t->s, 0},
    };
    pg_params_clear(&t->params[0]);
    pg_put_whole(&t->params[0], t->s->journal);
    pg_params_clear(&t->params[1]);
    pg_put_int(&t->params[1], t->s->erased_place);
    t->position = 0;
    enum pal_status st = pg_ask(t->c, asks, 4, PG_LONG_MS, err);
    if (st == PAL_OK && asks[1].rows == 0)
        st = pal_fail(err, PAL_ECORRUPT, "store %s: its state is missing: restore a dump",
                      t->s->shown);
    if (st == PAL_OK && t->state.version != pg_version)
        st = pal_fail(err, PAL_EUNSUPPORTED,
                      "store %s has schema %lld by now, and this version of palate knows %d: run "
                      "the version that brought it up",
                      t->s->shown, (long long)t->state.version, pg_version);
    return st;
}

/* With a new connection, should the old one turn out to be dead; but what is held is held by the
 * old one. */
static enum pal_status begin(struct pg_tx *t, struct pal_error *err)
{
    struct pg_store *s = t->s;
    for (bool fresh = s->held;;) {
        enum pal_status st = PAL_OK;
        if (!s->writer && s->held)
            return pal_fail(err, PAL_EIO, "store %s: the connection was lost", s->shown);
        if (!s->writer) {
            fresh = true;
            st = pg_connect(s, true, &s->writer, err);
        }
        t->c = s->writer;
        if (st == PAL_OK)
            st = begin_on(t, err);
        if (st == PAL_OK || fresh || !t->c->bad)
            return st;
        pg_close(s->writer);
        s->writer = NULL;
    }
}

static void put_state(const struct pg_state *state, struct pg_params *p)
{
    const int64_t all[] = {state->epoch,   state->next_place, state->next_user, state->next_item,
                           state->items,   state->users,      state->events,    state->served,
                           state->cleared, state->cleared_at};
    pg_params_clear(p);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        pg_put_int(p, all[i]);
}

static void put_reaches(const struct beside *with, struct pg_params *p)
{
    pg_params_clear(p);
    pg_array_begin(p, PG_TEXT);
    for (size_t i = 0; i < with->reach_count; i++)
        pg_array_text(p, with->reaches[i].journal);
    pg_array_end(p);
    pg_array_begin(p, PG_INT4);
    for (size_t i = 0; i < with->reach_count; i++)
        pg_array_int(p, with->reaches[i].shard);
    pg_array_end(p);
    pg_array_begin(p, PG_INT8);
    for (size_t i = 0; i < with->reach_count; i++)
        pg_array_int(p, (int64_t)with->reaches[i].seq);
    pg_array_end(p);
}

static enum pal_status commit(struct pg_tx *t, const struct beside *with, struct pal_error *err)
{
    struct pg_ask asks[5] = {{.sql = PG_STATE_PUT, .params = &t->params[0]}};
    size_t n = 1;
    put_state(&t->state, &t->params[0]);
    if ((int64_t)with->seq > t->position) {
        pg_params_clear(&t->params[1]);
        pg_put_whole(&t->params[1], t->s->journal);
        pg_put_int(&t->params[1], (int64_t)with->seq);
        asks[n++] = (struct pg_ask){.sql = PG_POSITION_PUT, .params = &t->params[1]};
    }
    if (with->note) {
        pg_params_clear(&t->params[2]);
        pg_put_whole(&t->params[2], with->note);
        pg_put_whole(&t->params[2], with->text);
        asks[n++] = (struct pg_ask){.sql = PG_NOTE_PUT, .params = &t->params[2]};
    }
    if (with->reach_count) {
        put_reaches(with, &t->params[3]);
        asks[n++] = (struct pg_ask){.sql = PG_REACH_PUT, .params = &t->params[3]};
    }
    asks[n++] = (struct pg_ask){.sql = PG_COMMIT};
    return pg_ask(t->c, asks, n, PG_LONG_MS, err);
}

/* What is in memory means something only if it is as in the database. */
static void refresh(struct pg_tx *t)
{
    struct pg_store *s = t->s;
    if (s->epoch != t->state.epoch) {
        pg_names_done(&s->users);
        pg_names_done(&s->items);
        pg_names_done(&s->types);
    }
    pg_names_trim(&s->users);
    pg_names_trim(&s->items);
}

/* Ends it one way or the other. */
static void end(struct pg_tx *t, enum pal_status st)
{
    struct pg_store *s = t->s;
    struct pg_ask rollback = {.sql = PG_ROLLBACK};
    s->epoch = st == PAL_OK ? t->state.epoch : -1;
    if (st != PAL_OK && s->writer && !s->writer->bad &&
        PQtransactionStatus(s->writer->pg) != PQTRANS_IDLE &&
        pg_ask(s->writer, &rollback, 1, PG_SHORT_MS, NULL) != PAL_OK)
        s->writer->bad = true;
    if (s->writer && s->writer->bad) {
        pg_close(s->writer);
        s->writer = NULL;
    }
    for (int i = 0; i < 4; i++)
        pg_params_done(&t->params[i]);
    pg_once_clear(&t->ids);
    pg_once_clear(&t->lists);
    pg_params_done(&t->ids.params);
    pg_params_done(&t->lists.params);
    mem_free(t->ids.there);
    mem_free(t->lists.there);
    str_done(&t->events);
    str_done(&t->served);
}

static enum pal_status writable(const struct pg_store *s, struct pal_error *err)
{
    return s->read_only ? pal_fail(err, PAL_EUSAGE, "%s was opened for reading only", s->shown)
                        : PAL_OK;
}

static enum pal_status transact(struct pg_store *s, const struct store_change *changes,
                                size_t count, bool stream, const struct beside *with,
                                size_t *repeated, struct pal_error *err)
{
    struct pg_tx t = {.s = s, .stream = stream};
    enum pal_status st = writable(s, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&s->write_mutex);
    st = begin(&t, err);
    if (st == PAL_OK) {
        refresh(&t);
        st = do_all(&t, changes, count, err);
    }
    if (st == PAL_OK)
        st = commit(&t, with, err);
    end(&t, st);
    pthread_mutex_unlock(&s->write_mutex);
    if (st == PAL_OK && repeated)
        *repeated = t.repeated;
    return st;
}

enum pal_status pg_apply(struct store *base, const struct store_change *changes, size_t count,
                         uint64_t seq, const char *note, const char *text, size_t *repeated,
                         struct pal_error *err)
{
    struct beside with = {.seq = seq, .note = note, .text = text};
    return transact((struct pg_store *)base, changes, count, false, &with, repeated, err);
}

enum pal_status pg_take(struct store *base, const struct store_change *changes, size_t count,
                        const struct store_reach *reaches, size_t reach_count, size_t *repeated,
                        struct pal_error *err)
{
    struct beside with = {.reaches = reaches, .reach_count = reach_count};
    return transact((struct pg_store *)base, changes, count, true, &with, repeated, err);
}

/* With a new connection, should the old one turn out to be dead. */
enum pal_status pg_put_note(struct store *base, const char *name, const char *text,
                            struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    struct pg_params p = {0};
    struct pg_ask a = {.sql = PG_NOTE_PUT, .params = &p};
    enum pal_status st = writable(s, err);
    if (st != PAL_OK)
        return st;
    pg_put_whole(&p, name);
    pg_put_whole(&p, text);
    pthread_mutex_lock(&s->write_mutex);
    for (bool fresh = false;;) {
        fresh |= !s->writer;
        st = s->writer ? PAL_OK : pg_connect(s, true, &s->writer, err);
        if (st == PAL_OK)
            st = pg_ask(s->writer, &a, 1, PG_LONG_MS, err);
        if (s->writer && s->writer->bad) {
            pg_close(s->writer);
            s->writer = NULL;
        }
        if (st == PAL_OK || fresh || s->writer)
            break;
    }
    pthread_mutex_unlock(&s->write_mutex);
    pg_params_done(&p);
    return st;
}

/* A lock that ends with the connection, on the number of the table `state`. */
enum pal_status pg_hold(struct store *base, bool on, struct pal_error *err)
{
    static const char *const words[] = {"SELECT pg_advisory_unlock('state'::regclass::oid::int, 0)",
                                        "SELECT pg_advisory_lock('state'::regclass::oid::int, 0)"};
    struct pg_store *s = (struct pg_store *)base;
    int64_t ignored;
    enum pal_status st = PAL_OK;
    pthread_mutex_lock(&s->write_mutex);
    for (bool fresh = !on;;) {
        fresh |= !s->writer;
        if (!s->writer && on)
            st = pg_connect(s, true, &s->writer, err);
        if (st == PAL_OK && s->writer)
            st = pg_number(s->writer, words[on], &ignored, err);
        if (s->writer && s->writer->bad) {
            pg_close(s->writer);
            s->writer = NULL;
        }
        if (st == PAL_OK || fresh || s->writer)
            break;
    }
    s->held = on && st == PAL_OK;
    pthread_mutex_unlock(&s->write_mutex);
    return on ? st : PAL_OK; /* a connection that is gone holds nothing */
}

enum pal_status pg_forget_served(struct store *base, int64_t before_ms, uint64_t *deleted,
                                 struct pal_error *err)
{
    struct pg_tx t = {.s = (struct pg_store *)base};
    const struct beside nothing = {0};
    struct pg_ask a = {.sql = PG_SERVED_FORGET, .params = &t.params[0]};
    enum pal_status st = writable(t.s, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&t.s->write_mutex);
    st = begin(&t, err);
    if (st == PAL_OK) {
        refresh(&t);
        pg_params_clear(&t.params[0]);
        pg_put_int(&t.params[0], before_ms);
        st = pg_ask(t.c, &a, 1, PG_LONG_MS, err);
        t.state.served -= a.rows;
    }
    if (st == PAL_OK)
        st = commit(&t, &nothing, err);
    end(&t, st);
    pthread_mutex_unlock(&t.s->write_mutex);
    if (st == PAL_OK && deleted)
        *deleted = (uint64_t)a.rows;
    return st;
}
