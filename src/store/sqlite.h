/* What the files of the SQLite store share. See sqlite.c for how it works. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "base/intern.h"
#include "store/backend.h"

#include <pthread.h>
#include <sqlite3.h>

/* Every statement, by number; their texts are in sqlite_sql.c. */
enum sql {
    SQL_BEGIN,       /* a transaction of a reader */
    SQL_BEGIN_WRITE, /* of the writer */
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_STATE_GET,
    SQL_STATE_PUT,
    SQL_TYPES,
    SQL_TYPE_PUT,
    SQL_USER_FIND,
    SQL_USER_ADD,
    SQL_USER_PUT,
    SQL_USER_DELETE,
    SQL_HEAD_PUT,
    SQL_HEAD_DELETE,
    SQL_ITEM_FIND,
    SQL_ITEM_ADD,
    SQL_ITEM_PUT,
    SQL_ITEM_DELETE,
    SQL_EVENT_PUT,
    SQL_EVENT_LINK,
    SQL_EVENT_DELETE,
    SQL_EVENT_OF_ID,
    SQL_IDS_SINCE,
    SQL_IDS_FIND_0,
    SQL_IDS_FIND_1,
    SQL_IDS_PUT_0,
    SQL_IDS_PUT_1,
    SQL_IDS_DELETE_0,
    SQL_IDS_DELETE_1,
    SQL_IDS_CLEAR_0,
    SQL_IDS_CLEAR_1,
    SQL_ITEM_AT,
    SQL_USER_AT,
    SQL_ERASED_AT,
    SQL_ERASED_PUT,
    SQL_ERASED_FORGET,
    SQL_REACH_PUT,
    SQL_REACHES,
    SQL_SEEN_OF,
    SQL_SEEN_ANY,
    SQL_SERVED_PUT,
    SQL_SERVED_HEAD,
    SQL_SERVED_HEAD_PUT,
    SQL_SERVED_HEAD_DELETE,
    SQL_SERVED_LINK,
    SQL_SERVED_DELETE,
    SQL_SERVED_FIRST,
    SQL_SERVED_FORGET,
    SQL_SERVED_HEADS_FORGET,
    SQL_NOTE_PUT,
    SQL_NOTE,
    SQL_READ_HEAD,
    SQL_READ_PREV,
    SQL_READ_EVENT,
    SQL_READ_EVENTS,
    SQL_READ_ITEMS,
    SQL_READ_ITEM,
    SQL_READ_DELETED,
    SQL_READ_USERS,
    SQL_READ_USER,
    SQL_READ_SERVED,
    SQL_READ_SERVED_OF,
    SQL_READ_SERVED_ALL,
    SQL_ALL_ITEMS,
    SQL_ALL_USERS,
    SQL_ALL_EVENTS,
    SQL_FOLLOW_END,
    SQL_FOLLOW_ITEMS,
    SQL_FOLLOW_ERASED,
    SQL_FOLLOW_EVENTS,
    SQL_COUNT
};
extern const char *const sqlite_sql[SQL_COUNT];

/* A connection and its prepared statements; used by one thread at a time. */
struct conn {
    sqlite3 *db;
    const char *path;  /* borrowed */
    struct conn *next; /* of the idle readers */
    sqlite3_stmt *stmt[SQL_COUNT];
};

/* The one row of the table `state`. */
struct state {
    uint64_t position;
    int64_t next_place; /* places count from 1 */
    int64_t items, users, events, served;
    int64_t ids_through; /* see sqlite_ids.c */
    int64_t ids_table, ids_count;
    int64_t cleared, cleared_at; /* the place and the moment (see change_at) of the last
                                    RECORD_CLEAR */
};

/* A user or an item that the writer met lately. */
struct slot {
    int64_t number;       /* in the database; 0 = not there (any more) */
    int64_t last, events; /* users: place of the newest event, how many; items: `last` holds the
                             item's standing; who was served: place of the newest list */
    bool dirty;           /* last and events are not in the database yet */
};

/* Texts that the writer met lately, so that most events need no look-up. */
struct names {
    struct intern texts;
    struct slot *slots; /* (texts.count) */
    size_t cap;
    uint32_t *dirty; /* (dirty_count) slots to write back when the transaction ends */
    size_t dirty_count, dirty_cap;
};

/* What an item is, as kept in the file. */
enum standing { ITEM_NAMED = 0 /* by events only */, ITEM_PUT = 1, ITEM_DELETED = 2 };

/* The event_ids that are not in a table of ids yet: a hash table of (hash, place). */
struct young_id {
    uint64_t hash;
    int64_t place; /* 0 = free, below 0 = removed */
};
struct ids {
    struct young_id *young; /* (mask + 1) */
    size_t mask, count;
    bool loaded;
};

struct ids_limits {
    int64_t young;  /* ids in memory, */
    int64_t places; /* and events behind ids_through, before they go into a table */
    int64_t table;  /* rows in one of the tables */
};
extern const struct ids_limits ids_limits_usual;

struct sqlite_store {
    struct store base;
    bool read_only, immutable;
    char *path, *lock_path;
    int lock_fd;                 /* -1 = none */
    pthread_mutex_t write_mutex; /* the writer's connection and all down to the blank line */
    int64_t cache_bytes;         /* half of it the writer's, the rest the readers' */
    struct conn *writer;         /* NULL if read_only */
    struct state state;          /* as committed */
    bool stale;                  /* a transaction failed: all that is known must be read again */
    struct names users, items, served;
    struct event_types types; /* those that fit; numbers in the file count from 1 */
    struct ids ids;
    struct ids_limits limits; /* tests make them small */

    atomic_bool erase_wanted;   /* what was deleted is still in the write-ahead log */
    pthread_mutex_t read_mutex; /* idle */
    struct conn *idle;
};

/* ---- Statements (sqlite_sql.c). `kinds` says what follows, one letter per parameter: t = text
 * (NULL or "" is stored as NULL), i = int64_t, d = double, b = const void * and size_t. ---- */

/* PAL_EIO, PAL_ECORRUPT, PAL_ENOMEM or PAL_EINTERRUPTED for a result code of SQLite's. */
enum pal_status sql_fail(const struct conn *c, int rc, struct pal_error *err);

/* The statement, prepared and bound; to be ended with sql_end. */
MUST_USE enum pal_status sql_start(struct conn *c, enum sql which, sqlite3_stmt **q,
                                   struct pal_error *err, const char *kinds, ...);
/* The next row, if any (*row); the statement is ended when there is none and on failure. */
MUST_USE enum pal_status sql_next(struct conn *c, sqlite3_stmt *q, bool *row,
                                  struct pal_error *err);
void sql_end(sqlite3_stmt *q);

/* A statement that gives no rows. */
MUST_USE enum pal_status sql_run(struct conn *c, enum sql which, struct pal_error *err,
                                 const char *kinds, ...);

/* Anything, not prepared: several statements. */
MUST_USE enum pal_status sql_script(struct conn *c, const char *script, struct pal_error *err);

/* The single number that a query gives. */
MUST_USE enum pal_status sql_number(struct conn *c, const char *query, int64_t *out,
                                    struct pal_error *err);

/* A column's text; "" for NULL. */
const char *sql_text(sqlite3_stmt *q, int column);

/* ---- Connections (sqlite.c) ---- */

MUST_USE enum pal_status conn_open(const char *path, int flags, struct conn **out,
                                   struct pal_error *err);
void conn_close(struct conn *c);

/* A reader with a transaction begun; what it sees stays as it is until it is given back. */
MUST_USE enum pal_status reader_take(struct sqlite_store *s, struct conn **out,
                                     struct pal_error *err);
void reader_give(struct sqlite_store *s, struct conn *c);

/* The lock that only one process has. */
MUST_USE enum pal_status lock_take(const char *lock_path, const char *path, int *fd,
                                   struct pal_error *err);

/* Tries to bring all that was deleted out of the write-ahead log; the writer's mutex is held. */
void sqlite_erase(struct sqlite_store *s);

MUST_USE enum pal_status state_read(struct conn *c, struct state *out, struct pal_error *err);
/* The same through a reader's connection. */
MUST_USE enum pal_status sqlite_state(struct sqlite_store *s, struct state *out,
                                      struct pal_error *err);

/* ---- The schema (sqlite_schema.c) ---- */

/* Makes or migrates it. */
MUST_USE enum pal_status schema_migrate(struct conn *c, struct pal_error *err);
/* Is it one that can be read? older: one that could be migrated will do. */
MUST_USE enum pal_status schema_check(struct conn *c, bool older, struct pal_error *err);

/* ---- Names (sqlite_names.c): the writer's ---- */

void names_done(struct names *n);
/* The slot of a text, looked up in the database; add: made if it is not there, else its number is
 * 0.
 */
MUST_USE enum pal_status names_user(struct sqlite_store *s, struct state *state, const char *id,
                                    bool add, struct slot **out, struct pal_error *err);
MUST_USE enum pal_status names_item(struct sqlite_store *s, struct state *state, const char *id,
                                    bool add, struct slot **out, struct pal_error *err);
/* A type's number in the file. */
MUST_USE enum pal_status names_type(struct sqlite_store *s, const char *name, int64_t *number,
                                    struct pal_error *err);
/* The newest list that a user was served; 0 for the first. */
MUST_USE enum pal_status names_served(struct sqlite_store *s, const char *id, struct slot **out,
                                      struct pal_error *err);
/* The slot's last and events will be written back. */
MUST_USE enum pal_status names_touch(struct names *n, struct slot *slot, struct pal_error *err);
/* Writes back what was touched, in the order of the tables. */
MUST_USE enum pal_status names_flush(struct sqlite_store *s, struct pal_error *err);

/* ---- Served lists (sqlite_served.c) ---- */

MUST_USE enum pal_status lists_add(struct sqlite_store *s, struct state *state,
                                   const struct served_row *x, struct pal_error *err);
MUST_USE enum pal_status lists_erase(struct sqlite_store *s, struct state *state,
                                     const char *user_id, struct pal_error *err);
/* The oldest, up to the first that is not older than that. */
MUST_USE enum pal_status lists_forget(struct sqlite_store *s, struct state *state,
                                      int64_t before_ms, struct pal_error *err);

/* ---- What comes through a stream (sqlite_take.c) ---- */

/* Whether a change from a stream is one that something later made void, or that came before. */
MUST_USE enum pal_status take_void(struct sqlite_store *s, const struct state *state,
                                   const struct store_change *c, bool *is_void,
                                   struct pal_error *err);

/* Remembers a user who was erased by what came through a stream, and at the end of a transaction
 * forgets those of long before the last one, at `at`. */
MUST_USE enum pal_status take_erased(struct sqlite_store *s, struct state *state,
                                     const struct store_change *c, struct pal_error *err);
MUST_USE enum pal_status take_forget(struct sqlite_store *s, int64_t at, struct pal_error *err);

MUST_USE enum pal_status take_reaches(struct conn *c, const struct store_reach *reaches,
                                      size_t count, struct pal_error *err);

/* ---- Events' own ids (sqlite_ids.c): the writer's ---- */

MUST_USE enum pal_status ids_seen(struct sqlite_store *s, const struct state *state,
                                  const char *event_id, bool *seen, struct pal_error *err);
MUST_USE enum pal_status ids_add(struct sqlite_store *s, const char *event_id, int64_t place,
                                 struct pal_error *err);
MUST_USE enum pal_status ids_remove(struct sqlite_store *s, const char *event_id, int64_t place,
                                    struct pal_error *err);
/* At the end of a transaction. */
MUST_USE enum pal_status ids_flush(struct sqlite_store *s, struct state *state,
                                   struct pal_error *err);
MUST_USE enum pal_status ids_clear(struct sqlite_store *s, struct state *state,
                                   struct pal_error *err);
void ids_done(struct ids *ids);

/* ---- The operations ---- */

enum pal_status sqlite_apply(struct store *base, const struct store_change *changes, size_t count,
                             uint64_t seq, const char *note, const char *text, size_t *repeated,
                             struct pal_error *err);
enum pal_status sqlite_take(struct store *base, const struct store_change *changes, size_t count,
                            const struct store_reach *reaches, size_t reach_count, size_t *repeated,
                            struct pal_error *err);
enum pal_status sqlite_reaches(struct store *base, const char *journal, struct store_reach *out,
                               size_t most, size_t *count, struct pal_error *err);
enum pal_status sqlite_mark(struct store *base, uint64_t *mark, struct pal_error *err);
enum pal_status sqlite_follow(struct store *base, uint64_t *mark, size_t most, store_record_fn *fn,
                              void *ctx, struct pal_error *err);
enum pal_status sqlite_user_events(struct store *base, const char *user_id, uint64_t before,
                                   size_t most, store_event_fn *fn, void *ctx,
                                   struct pal_error *err);
enum pal_status sqlite_user_count(struct store *base, const char *user_id, uint64_t *events,
                                  struct pal_error *err);
enum pal_status sqlite_events(struct store *base, uint64_t after, store_event_fn *fn, void *ctx,
                              struct pal_error *err);
enum pal_status sqlite_items(struct store *base, const char *item_id, store_item_fn *fn, void *ctx,
                             struct pal_error *err);
enum pal_status sqlite_deleted_items(struct store *base, store_item_fn *fn, void *ctx,
                                     struct pal_error *err);
enum pal_status sqlite_users(struct store *base, const char *user_id, store_user_fn *fn, void *ctx,
                             struct pal_error *err);
enum pal_status sqlite_served(struct store *base, const char *user_id, size_t most,
                              store_served_fn *fn, void *ctx, struct pal_error *err);
enum pal_status sqlite_all_served(struct store *base, store_served_fn *fn, void *ctx,
                                  struct pal_error *err);
enum pal_status sqlite_types(struct store *base, struct event_types *out, struct pal_error *err);
enum pal_status sqlite_dataset(struct store *base, const struct store_change *more, size_t count,
                               const struct run *run, struct dataset **out, uint64_t *position,
                               struct pal_error *err);
enum pal_status sqlite_frame(struct store *base, const struct store_change *more, size_t count,
                             const struct run *run, struct gather **out, uint64_t *position,
                             uint64_t *mark, struct pal_error *err);
enum pal_status sqlite_put_note(struct store *base, const char *name, const char *text,
                                struct pal_error *err);
enum pal_status sqlite_note(struct store *base, const char *name, char **out,
                            struct pal_error *err);
enum pal_status sqlite_backup(struct store *base, const char *path, const struct run *run,
                              struct pal_error *err);
enum pal_status sqlite_restore(const char *place, const char *backup, struct pal_error *err);
enum pal_status sqlite_forget_served(struct store *base, int64_t before_ms, uint64_t *deleted,
                                     struct pal_error *err);

/* The row at hand, with columns as SQL_READ_EVENTS has them. */
struct stored_event event_of(sqlite3_stmt *q);

/* The types of the file, in order. */
MUST_USE enum pal_status types_read(struct conn *c, struct event_types *out, struct pal_error *err);

#endif
