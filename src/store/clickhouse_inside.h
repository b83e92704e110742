/* What the files of the ClickHouse store share. See clickhouse.c for how it works. */
#ifndef STORE_CLICKHOUSE_INSIDE_H
#define STORE_CLICKHOUSE_INSIDE_H

#include "fetch/fetch.h"
#include "store/backend.h"

#include <pthread.h>

enum {
    CH_RANGE_BITS = 22,    /* a partition has the places of one range of 4 million */
    CH_IDS_BACK = 1 << 24, /* events behind the newest whose ids are looked at */
};

/* ---- Where (clickhouse_place.c) ---- */

struct ch_place {
    char url[300]; /* "http://HOST:PORT/" */
    char user[128], password[256];
    char database[64];
    const char *catalog; /* the other store's URL, in the text that was read */
    char shown[400];     /* "clickhouse://HOST:PORT/DB", for messages */
};

/* Reads what stands behind "clickhouse:": "//[USER:PASSWORD@]HOST[:PORT]/DB?catalog=STORE", the
 * catalog verbatim up to the end; "tls=1&" before it asks for https. PAL_EUSAGE. */
MUST_USE enum pal_status ch_place_read(const char *place, struct ch_place *out,
                                       struct pal_error *err);

/* ---- Statements (clickhouse_call.c) ---- */

struct ch {
    const struct ch_place *place;
    struct fetch *fetch;
    char user[160], password[300]; /* headers */
};

/* One per thread at a time. quick: somebody waits for little, so give up after 3 s. */
MUST_USE enum pal_status ch_new(const struct ch_place *p, bool quick, struct ch *out,
                                struct pal_error *err);
void ch_done(struct ch *c);

/* A statement without rows; what it answers goes to *answer if that is not NULL (the caller's to
 * free). In texts $DB stands for the database. PAL_EIO, PAL_ENOTFOUND (no such database or table).
 */
MUST_USE enum pal_status ch_run(struct ch *c, const char *sql, struct str *answer,
                                struct pal_error *err);
/* The one number that a statement gives. */
MUST_USE enum pal_status ch_number(struct ch *c, const char *sql, uint64_t *out,
                                   struct pal_error *err);
/* Inserts rows in RowBinary: "INSERT INTO … FORMAT RowBinary". */
MUST_USE enum pal_status ch_insert(struct ch *c, const char *sql, const struct str *rows,
                                   struct pal_error *err);

/* A row's fields. Texts are borrowed for the call. */
struct ch_words {
    const char *p; /* (size), no NUL among nor behind them */
    size_t size;
};
union ch_field {
    const char *text;      /* 's': ends with a NUL, for which the row is copied */
    struct ch_words words; /* 't' */
    uint64_t u64;          /* 'q' */
    int64_t i64;           /* 'i' */
    float f32;             /* 'f' */
};
enum { CH_FIELDS = 10 };
typedef enum pal_status ch_row_fn(void *ctx, const union ch_field *fields, struct pal_error *err);

/* Reads rows as they come. kinds: a letter per column, of which the second is 'q', a place. The
 * statement ends in " FORMAT RowBinary". A server that fails in the middle says so, if it is old,
 * in words among the rows: as a row they make no sense, since no place is as high as letters are.
 */
MUST_USE enum pal_status ch_select(struct ch *c, const char *sql, const char *kinds, ch_row_fn *fn,
                                   void *ctx, struct pal_error *err);

/* Appends a text as a literal. */
void ch_quote(struct str *out, const char *text);
/* Appends fields in RowBinary. */
void ch_put_text(struct str *out, const char *text);
void ch_put_bytes(struct str *out, const void *data, size_t size);

/* Takes RowBinary apart, piece by piece (clickhouse_rows.c). */
struct ch_rows {
    const char *kinds;
    ch_row_fn *fn;
    void *ctx;
    struct str rest; /* of a row that has not come whole */
    struct str row;  /* the one at hand */
};
MUST_USE enum pal_status ch_rows_take(void *rows, const char *data, size_t size,
                                      struct pal_error *err);
/* Whether all came. */
MUST_USE enum pal_status ch_rows_end(const struct ch_rows *r, struct pal_error *err);
void ch_rows_done(struct ch_rows *r);

/* ---- The store ---- */

/* What was erased: rows of `user` (of all, for "") at places below `before` don't count. */
struct ch_erased {
    uint64_t before;
    uint64_t at; /* see change_at */
};
struct ch_erasures {
    struct intern users;  /* "" among them, if everything was cleared */
    struct ch_erased *of; /* (users.count) */
    size_t cap;
};

/* ---- Ids that may be stored (clickhouse_ids.c): the writer's ---- */

struct ch_ids {
    uint64_t *bits[2]; /* 16 MB each, from ch_ids_follow on */
    int young;
    uint64_t count;   /* of ids in the young one */
    uint64_t through; /* ids of rows up to this place are in */
};

/* Reads the ids of rows behind `through` up to mark; the first time those of the last 16 million
 * places. */
MUST_USE enum pal_status ch_ids_follow(struct ch *c, struct ch_ids *ids, uint64_t mark,
                                       struct pal_error *err);
bool ch_ids_maybe(const struct ch_ids *ids, uint64_t hash);
void ch_ids_add(struct ch_ids *ids, const uint64_t *hashes, size_t count);
void ch_ids_done(struct ch_ids *ids);

struct ch_store {
    struct store base;
    struct store_ops ops; /* ours; shared if the catalog is */
    char *url;            /* what place.catalog points into */
    struct ch_place place;
    struct store *catalog;
    bool read_only;
    pthread_mutex_t write; /* down to the blank line */
    struct ch writer;
    bool unsure; /* rows may lie behind the mark: a commit failed, or we have just begun */
    struct ch_erasures erasures;
    struct ch_ids ids;

    pthread_mutex_t away_lock; /* down to the blank line */
    int64_t away_until_ms;     /* until then nobody asks for a user; 0 = it answers */
    struct pal_error away;
};

void ch_erasures_done(struct ch_erasures *e);
/* As they are at a mark of the catalog's: what is behind it was not committed. */
MUST_USE enum pal_status ch_erasures_read(struct ch *c, uint64_t mark, struct ch_erasures *out,
                                          struct pal_error *err);
/* Below which place a user's rows don't count. */
uint64_t ch_erased_before(const struct ch_erasures *e, const char *user);

/* The catalog's note that names the tables it belongs to; "" = none any more. */
#define CH_NOTE "events:elsewhere"

/* Makes database and tables, or looks whether they are there; and whether they belong to this
 * catalog (clickhouse_schema.c). */
MUST_USE enum pal_status ch_schema_open(struct ch_store *s, struct pal_error *err);

enum pal_status clickhouse_apply(struct store *base, const struct store_change *changes,
                                 size_t count, uint64_t seq, const char *note, const char *text,
                                 size_t *repeated, struct pal_error *err);
enum pal_status clickhouse_take(struct store *base, const struct store_change *changes,
                                size_t count, const struct store_reach *reaches, size_t reach_count,
                                size_t *repeated, struct pal_error *err);
enum pal_status clickhouse_follow(struct store *base, uint64_t *mark, size_t most,
                                  store_record_fn *fn, void *ctx, struct pal_error *err);
enum pal_status clickhouse_user_events(struct store *base, const char *user_id, uint64_t before,
                                       size_t most, store_event_fn *fn, void *ctx,
                                       struct pal_error *err);
enum pal_status clickhouse_user_count(struct store *base, const char *user_id, uint64_t *events,
                                      struct pal_error *err);
enum pal_status clickhouse_events(struct store *base, uint64_t after, store_event_fn *fn, void *ctx,
                                  struct pal_error *err);
enum pal_status clickhouse_counts(struct store *base, struct store_counts *out,
                                  struct pal_error *err);
enum pal_status clickhouse_backup(struct store *base, const char *path, const struct run *run,
                                  struct pal_error *err);
enum pal_status clickhouse_dataset(struct store *base, const struct store_change *more,
                                   size_t count, const struct run *run, struct dataset **out,
                                   uint64_t *position, struct pal_error *err);

#endif
