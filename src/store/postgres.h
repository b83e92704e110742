/* What the files of the PostgreSQL store share. See postgres.c for how it works. */
#ifndef STORE_POSTGRES_H
#define STORE_POSTGRES_H

#include "base/intern.h"
#include "store/backend.h"
#include "store/postgres_bytes.h"

#include <pthread.h>

/* libpq's PGconn and PGresult, whose header only the files that call it need. */
struct pg_conn;
struct pg_result;

/* Every prepared statement, by number; their texts are in postgres_sql.c. */
enum pg_sql {
    PG_BEGIN, /* of the writer */
    PG_COMMIT,
    PG_ROLLBACK,
    PG_STATE,
    PG_STATE_LOCK,
    PG_STATE_PUT,
    PG_POSITION,
    PG_ERASED_SINCE,
    PG_POSITION_PUT,
    PG_TYPES,
    PG_TYPE,
    PG_IDS,
    PG_USERS_FIND,
    PG_ITEMS_FIND,
    PG_LISTS_FIND,
    PG_USERS_PUT,
    PG_ITEMS_PUT,
    PG_ERASE_EVENTS,
    PG_ERASE_LISTS,
    PG_ERASE_USER,
    PG_ERASED_PUT,
    PG_ERASED_FORGET,
    PG_CLEAR_EVENTS,
    PG_CLEAR_LISTS,
    PG_CLEAR_USERS,
    PG_CLEAR_ITEMS,
    PG_CLEAR_TYPES,
    PG_CLEAR_ERASED,
    PG_CLEAR_NOTES,
    PG_REACH_PUT,
    PG_REACHES,
    PG_NOTE_PUT,
    PG_NOTE,
    PG_NOTES,
    PG_SERVED_FORGET,
    PG_BYTES,
    PG_READ_USER_EVENTS,
    PG_READ_USER_COUNT,
    PG_READ_ITEM,
    PG_READ_USER,
    PG_READ_SERVED,
    PG_READ_SERVED_OF,
    PG_FOLLOW_END,
    PG_FOLLOW_ITEMS,
    PG_FOLLOW_ERASED,
    PG_FOLLOW_EVENTS,
    PG_SQL_COUNT
};
extern const char *const pg_sql[PG_SQL_COUNT];

/* What is read or written whole, by COPY. */
void pg_all_events(char *out, size_t size, uint64_t after); /* those behind a place */
extern const char pg_all_items[], pg_all_deleted[], pg_all_users[];
extern const char pg_all_served[], pg_all_served_back[]; /* the oldest, the newest first */
extern const char pg_data_items[], pg_data_users[], pg_data_types[];
extern const char pg_data_events[], pg_data_events_ids[];
extern const char pg_into_events[], pg_into_served[];

/* A connection; used by one thread at a time. */
struct pg_link {
    struct pg_conn *pg;
    struct pg_store *s;
    struct pg_link *next; /* of the idle readers */
    bool prepared[PG_SQL_COUNT];
    bool bad;    /* of no use any more: lost, or in the middle of something */
    bool pooled; /* it was idle before: the server may have gone since */
    bool silent; /* the server did not answer in time */
};

/* The one row of the table `state`. */
struct pg_state {
    int64_t version, epoch; /* epoch: grows whenever numbers of users or types lose their meaning */
    int64_t next_place, next_user, next_item;
    int64_t items, users, events, served;
    int64_t cleared, cleared_at; /* the place and the moment of the last RECORD_CLEAR */
};

/* What an item is. */
enum pg_standing { PG_NAMED = 0 /* by events only */, PG_PUT = 1, PG_DELETED = 2 };

/* What is known, and to be written, of a user or an item that the changes at hand name. */
struct pg_work {
    uint32_t slot;
    bool ask;          /* must be looked up */
    bool touched;      /* is to be written */
    int standing;      /* items */
    int64_t at;        /* when it was changed last; 0 = not known */
    int64_t erased_at; /* users, from a stream */
    int64_t place;     /* items: of the change */
    const void *row;   /* the last put, or NULL */
};

/* Names that the writer met lately, with their numbers. */
struct pg_names {
    struct intern texts;
    struct pg_slot {
        int32_t number; /* 0 = not known to be there */
        uint32_t work;  /* its place in work, plus one; 0 = none */
    } * slot;           /* (texts.count) */
    size_t slot_cap;
    struct pg_work *work; /* (work_count) */
    size_t work_count, work_cap;
    uint32_t *asked; /* (asked_count) places in work, of those that are looked up */
    size_t asked_count, asked_cap;
};

struct pg_store {
    struct store base;
    bool read_only;
    char *url; /* without what is ours; for libpq */
    char schema[64];
    char shown[192]; /* the URL without its password */
    char *host;      /* to be looked up before connecting; NULL = none, or libpq sees to several */

    pthread_mutex_t look_mutex; /* down to the blank line */
    struct lookup *lookup;

    pthread_mutex_t write_mutex;     /* the writer's connection and all down to the blank line */
    struct pg_link *writer;          /* NULL: is made when it is needed */
    bool held;                       /* by this connection: no other process writes */
    char journal[64];                /* whose numbers apply counts */
    int64_t epoch;                   /* of the names; -1 = they mean nothing */
    int64_t erased_place, erased_at; /* up to where erasures are known, and the latest's moment */
    struct pg_names users, items, types;

    pthread_mutex_t read_mutex; /* all down to the blank line */
    struct pg_link *idle;
    int64_t away_until_ms; /* the server did not answer: readers fail at once until then, */
    struct pal_error away; /* with this */
};

/* ---- Connections (postgres_link.c) ---- */

/* Checks the URL and takes what is ours out of it. */
MUST_USE enum pal_status pg_take_url(struct pg_store *s, const char *place, struct pal_error *err);

MUST_USE enum pal_status pg_connect(struct pg_store *s, bool writer, struct pg_link **out,
                                    struct pal_error *err);
void pg_close(struct pg_link *c); /* NULL is fine */

/* A reader, and giving it back. */
MUST_USE enum pal_status pg_reader_take(struct pg_store *s, struct pg_link **out,
                                        struct pal_error *err);
void pg_reader_give(struct pg_store *s, struct pg_link *c);
void pg_readers_close(struct pg_store *s);

/* After a failure: whether the same may be tried once more with a new connection. */
bool pg_try_again(struct pg_store *s, const struct pg_link *c, const struct pal_error *why);

/* A connection on which something failed: PAL_EIO mostly, with a sentence that says what to do.
 * result: the server's words, or NULL; the connection's own then. */
enum pal_status pg_failed(struct pg_link *c, const struct pg_result *result, struct pal_error *err);

/* ---- Asking (postgres_ask.c). Nothing waits longer than wait_ms for the server's next words. ----
 */

enum { PG_SHORT_MS = 3000, PG_LONG_MS = 60000, PG_CLEAR_MS = 3600 * 1000 };

typedef enum pal_status pg_row_fn(void *ctx, const struct pg_row *row, struct pal_error *err);

/* A statement: its parameters, and who gets its rows (which have that shape). */
struct pg_ask {
    enum pg_sql sql;
    const struct pg_params *params; /* NULL = none */
    const char *shape;              /* NULL = it gives no rows */
    pg_row_fn *fn;
    void *ctx;
    int64_t rows; /* receives how many it gave or changed */
};

/* All of them in one round trip. When one fails the rest is not done. */
MUST_USE enum pal_status pg_ask(struct pg_link *c, struct pg_ask *asks, size_t count, int wait_ms,
                                struct pal_error *err);

/* Anything, not prepared: several statements. */
MUST_USE enum pal_status pg_script(struct pg_link *c, const char *script, int wait_ms,
                                   struct pal_error *err);

/* The number that a query gives; -1 without a row. */
MUST_USE enum pal_status pg_number(struct pg_link *c, const char *query, int64_t *out,
                                   struct pal_error *err);

/* Rows out of and into a table, by COPY. */
MUST_USE enum pal_status pg_copy_out(struct pg_link *c, const char *sql, const char *shape,
                                     pg_row_fn *fn, void *ctx, struct pal_error *err);
MUST_USE enum pal_status pg_copy_in(struct pg_link *c, const char *sql, const struct str *rows,
                                    struct pal_error *err);

/* By a reader, once more if an idle connection turned out to be dead. */
MUST_USE enum pal_status pg_read(struct pg_store *s, struct pg_ask *asks, size_t count, int wait_ms,
                                 struct pal_error *err);

/* A reader that sees one moment; to be given back by pg_moment_end, however it went. */
MUST_USE enum pal_status pg_moment_begin(struct pg_store *s, struct pg_link **out,
                                         struct pal_error *err);
enum pal_status pg_moment_end(struct pg_store *s, struct pg_link *c, enum pal_status st);

/* ---- The schema (postgres_schema.c) ---- */

extern const int pg_version;

/* Makes or migrates it (for writing), or says why it can't be read. */
MUST_USE enum pal_status pg_schema(struct pg_link *c, bool read_only, struct pal_error *err);

#define PG_STATE_SHAPE "iiiiiiiiiii"
enum pal_status pg_state_row(void *state, const struct pg_row *row, struct pal_error *err);

/* ---- Names (postgres_names.c): the writer's ---- */

void pg_names_done(struct pg_names *n);
/* All of them, should they have grown too many. */
void pg_names_trim(struct pg_names *n);

/* The work on a name; made, and to be asked for, if there is none. */
MUST_USE enum pal_status pg_names_want(struct pg_names *n, const char *id, bool ask,
                                       struct pal_error *err);
/* Of a name that was wanted. */
struct pg_work *pg_names_work(const struct pg_names *n, const char *id);
static inline struct pg_slot *pg_names_slot(const struct pg_names *n, const struct pg_work *w)
{
    return &n->slot[w->slot];
}
/* Nothing is in work any more. */
void pg_names_rest(struct pg_names *n);

/* ---- The operations ---- */

enum pal_status pg_apply(struct store *base, const struct store_change *changes, size_t count,
                         uint64_t seq, const char *note, const char *text, size_t *repeated,
                         struct pal_error *err);
enum pal_status pg_take(struct store *base, const struct store_change *changes, size_t count,
                        const struct store_reach *reaches, size_t reach_count, size_t *repeated,
                        struct pal_error *err);
enum pal_status pg_put_note(struct store *base, const char *name, const char *text,
                            struct pal_error *err);
enum pal_status pg_forget_served(struct store *base, int64_t before_ms, uint64_t *deleted,
                                 struct pal_error *err);
enum pal_status pg_reaches(struct store *base, const char *journal, struct store_reach *out,
                           size_t most, size_t *count, struct pal_error *err);
enum pal_status pg_mark(struct store *base, uint64_t *mark, struct pal_error *err);
enum pal_status pg_follow(struct store *base, uint64_t *mark, size_t most, store_record_fn *fn,
                          void *ctx, struct pal_error *err);
enum pal_status pg_user_events(struct store *base, const char *user_id, uint64_t before,
                               size_t most, store_event_fn *fn, void *ctx, struct pal_error *err);
enum pal_status pg_user_count(struct store *base, const char *user_id, uint64_t *events,
                              struct pal_error *err);
enum pal_status pg_events(struct store *base, uint64_t after, store_event_fn *fn, void *ctx,
                          struct pal_error *err);
enum pal_status pg_items(struct store *base, const char *item_id, store_item_fn *fn, void *ctx,
                         struct pal_error *err);
enum pal_status pg_deleted_items(struct store *base, store_item_fn *fn, void *ctx,
                                 struct pal_error *err);
enum pal_status pg_users(struct store *base, const char *user_id, store_user_fn *fn, void *ctx,
                         struct pal_error *err);
enum pal_status pg_served(struct store *base, const char *user_id, size_t most, store_served_fn *fn,
                          void *ctx, struct pal_error *err);
enum pal_status pg_all_served_lists(struct store *base, store_served_fn *fn, void *ctx,
                                    struct pal_error *err);
enum pal_status pg_types(struct store *base, struct event_types *out, struct pal_error *err);
enum pal_status pg_note(struct store *base, const char *name, char **out, struct pal_error *err);
enum pal_status pg_dataset(struct store *base, const struct store_change *more, size_t count,
                           const struct run *run, struct dataset **out, uint64_t *position,
                           struct pal_error *err);
enum pal_status pg_frame(struct store *base, const struct store_change *more, size_t count,
                         const struct run *run, struct gather **out, uint64_t *position,
                         uint64_t *mark, struct pal_error *err);
enum pal_status pg_hold(struct store *base, bool on, struct pal_error *err);
enum pal_status pg_backup(struct store *base, const char *path, const struct run *run,
                          struct pal_error *err);

/* Rows as the statements that read give them. */
struct event pg_event_of(const struct pg_row *row);   /* behind the place: fields 1 to 7 */
struct item_row pg_item_of(const struct pg_row *row); /* fields 0 to 6 */
#define PG_EVENT_SHAPE  "itttriTT"
#define PG_ITEM_SHAPE   "tTTTTii"
#define PG_USER_SHAPE   "tTi"
#define PG_SERVED_SHAPE "tTiTB"

#endif
