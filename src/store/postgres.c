/* The store in PostgreSQL: opening, closing, and what is small.
 *
 * How it is laid out. In a schema of its own, users, items and event types have numbers, and an
 * event's row names them by number. One row, `state`, has the counters: the next place and numbers,
 * how many there are of everything, the schema's version. Events lie in the order of their places,
 * with an index by user and, of those that have one, by event_id; ids that a journal gave ("its
 * name, a number") ascend, so they go to the end of the index. served lists lie beside in the same
 * way.
 *
 * How it is written. Several processes may write, one at a time: a transaction begins by locking
 * `state`, and carries the position of the journal whose records it applies. What is known of users
 * and items is kept in memory between transactions, and dropped when `state` says that somebody
 * erased something.
 *
 * How it fails. No call waits for longer than is said at its place; a connection that broke is
 * closed, and the next call makes a new one. While the server is away readers fail at once, but for
 * one every few seconds that tries.
 *
 * Threads: one connection writes, under a mutex; readers take one from a list of idle ones, or make
 * one. Erasing deletes rows; the server's vacuum frees what they took. */
#include "store/postgres.h"

#include "base/lookup.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void pg_store_close(struct store *base)
{
    struct pg_store *s = (struct pg_store *)base;
    pg_readers_close(s);
    pg_close(s->writer);
    pg_names_done(&s->users);
    pg_names_done(&s->items);
    pg_names_done(&s->types);
    pthread_mutex_destroy(&s->write_mutex);
    pthread_mutex_destroy(&s->read_mutex);
    pthread_mutex_destroy(&s->look_mutex);
    lookup_free(s->lookup);
    mem_free(s->host);
    if (s->url) /* it has the password */
        explicit_bzero(s->url, strlen(s->url));
    mem_free(s->url);
    mem_free(s);
}

/* The schema is made or looked at over the first connection, which then serves on. */
static enum pal_status first_connection(struct pg_store *s, struct pal_error *err)
{
    struct pg_link *c;
    enum pal_status st = pg_connect(s, !s->read_only, &c, err);
    if (st != PAL_OK)
        return st;
    st = pg_schema(c, s->read_only, err);
    if (st != PAL_OK)
        pg_close(c);
    else if (s->read_only)
        pg_reader_give(s, c);
    else
        s->writer = c;
    return st;
}

static enum pal_status pg_store_open(const char *place, bool read_only, struct store **out,
                                     struct pal_error *err)
{
    struct pg_store *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->base.ops = &store_postgres;
    s->read_only = read_only;
    s->epoch = -1;
    pthread_mutex_init(&s->write_mutex, NULL);
    pthread_mutex_init(&s->read_mutex, NULL);
    pthread_mutex_init(&s->look_mutex, NULL);
    enum pal_status st = pg_take_url(s, place, err);
    if (st == PAL_OK)
        st = first_connection(s, err);
    if (st == PAL_OK)
        *out = &s->base;
    else
        pg_store_close(&s->base);
    return st;
}

/* The server keeps its own pages; what is kept here has a ceiling of its own. */
static enum pal_status pg_cache(struct store *base, int64_t bytes, struct pal_error *err)
{
    (void)base;
    (void)bytes;
    (void)err;
    return PAL_OK;
}

static enum pal_status pg_source(struct store *base, const char *journal, struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    if (strlen(journal) >= sizeof s->journal)
        return pal_fail(err, PAL_EUSAGE, "the journal's name %.70s… is too long", journal);
    pthread_mutex_lock(&s->write_mutex);
    strcpy(s->journal, journal);
    pthread_mutex_unlock(&s->write_mutex);
    return PAL_OK;
}

static enum pal_status one_number(void *number, const struct pg_row *row, struct pal_error *err)
{
    (void)err;
    *(int64_t *)number = pg_int(row, 0);
    return PAL_OK;
}

static enum pal_status pg_position(struct store *base, uint64_t *seq, struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    int64_t position = 0;
    struct pg_params p = {0};
    struct pg_ask a = {PG_POSITION, &p, "i", one_number, &position, 0};
    pg_put_whole(&p, s->journal);
    enum pal_status st = pg_read(s, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    if (st == PAL_OK)
        *seq = (uint64_t)position;
    return st;
}

static enum pal_status pg_counts(struct store *base, struct store_counts *out,
                                 struct pal_error *err)
{
    struct pg_state state = {0};
    int64_t bytes = 0;
    struct pg_ask asks[] = {{PG_STATE, NULL, PG_STATE_SHAPE, pg_state_row, &state, 0},
                            {PG_BYTES, NULL, "i", one_number, &bytes, 0}};
    enum pal_status st = pg_read((struct pg_store *)base, asks, 2, PG_SHORT_MS, err);
    if (st == PAL_OK)
        *out =
            (struct store_counts){(uint64_t)state.items, (uint64_t)state.users,
                                  (uint64_t)state.events, (uint64_t)state.served, (uint64_t)bytes};
    return st;
}

static enum pal_status pg_restore(const char *place, const char *backup, struct pal_error *err)
{
    (void)place;
    return pal_fail(err, PAL_EUNSUPPORTED,
                    "PostgreSQL restores its own dumps: pg_restore or psql with what pg_dump "
                    "wrote; what %.200s holds goes in by palate export --store sqlite:FILE and "
                    "palate import --store postgres://…",
                    backup);
}

#define SHAPE "postgres://USER@HOST/DATABASE"
#define OPERATIONS                                                                                 \
    .open = pg_store_open, .close = pg_store_close, .cache = pg_cache, .apply = pg_apply,          \
    .position = pg_position, .shared = true, .source = pg_source, .take = pg_take,                 \
    .reaches = pg_reaches, .mark = pg_mark, .follow = pg_follow, .user_events = pg_user_events,    \
    .user_count = pg_user_count, .events = pg_events, .items = pg_items,                           \
    .deleted_items = pg_deleted_items, .users = pg_users, .served = pg_served,                     \
    .all_served = pg_all_served_lists, .types = pg_types, .counts = pg_counts,                     \
    .dataset = pg_dataset, .frame = pg_frame, .hold = pg_hold, .put_note = pg_put_note,            \
    .note = pg_note, .backup = pg_backup, .restore = pg_restore, .forget_served = pg_forget_served

const struct store_ops store_postgres = {.kind = {"postgres", SHAPE}, OPERATIONS};
const struct store_ops store_postgresql = {.kind = {"postgresql", SHAPE}, OPERATIONS};
