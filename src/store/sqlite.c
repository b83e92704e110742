/* The store as one SQLite file.
 *
 * How it is fast. An event costs one append to a table that is ordered by arrival, and no index:
 * users, items and types are numbers, each event names the place of the same user's event before it
 * (`prev`), and a small table (`heads`) has each user's newest place and count. A user's newest
 * events are found by following that chain; a transaction writes each touched head once, in the
 * order of numbers. An index by user would be smaller to explain, but every batch touches a page of
 * it per user, which costs many times what the events themselves do. Clients' event_ids are looked
 * up in memory and in tables of bounded size: see sqlite_ids.c.
 *
 * How it is safe. Write-ahead log with synchronous=FULL: a transaction that was committed survives
 * the power. It carries the drain's position. What is deleted is overwritten with zeros
 * (secure_delete), and the log, which still has the old pages, is emptied as soon as no reader
 * needs it. A lock on FILE.lock keeps a second writing process out; SQLite's own locks would let it
 * in between two transactions, and the numbers kept in memory here would be wrong.
 *
 * Threads: one connection writes, under a mutex. Readers take a connection of their own from a list
 * of idle ones, or open one, so that nobody waits for a long walk. */
#include "store/sqlite.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_READERS = 8, BUSY_MS = 2000, ERASE_MS = 50, CACHE_BYTES = 64 << 20 };

/* cell_size_check: a damaged page is noticed when it is read rather than later. */
static const char writer_settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    "PRAGMA wal_autocheckpoint = 16384;"
    "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
    "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;";
static const char reader_settings[] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;";

enum pal_status conn_open(const char *path, int flags, struct conn **out, struct pal_error *err)
{
    struct conn *c = mem_zero(1, sizeof *c);
    if (!c)
        return pal_no_memory(err);
    c->path = path;
    int rc =
        sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(c->db, BUSY_MS);
    if (rc != SQLITE_OK) {
        enum pal_status st = c->db ? sql_fail(c, rc, err) : pal_no_memory(err);
        conn_close(c);
        return st;
    }
    *out = c;
    return PAL_OK;
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(c->stmt[i]);
    sqlite3_close(c->db);
    mem_free(c);
}

/* "file:…?immutable=1", for a file on a disk that can't be written to: SQLite would make a lock
 * beside it. */
static char *immutable_uri(const char *path)
{
    struct str s = {0};
    str_put(&s, "file:");
    for (const char *p = path; *p; p++)
        if (strchr("%?#", *p))
            str_fmt(&s, "%%%02x", (unsigned char)*p);
        else
            str_char(&s, *p);
    str_put(&s, "?immutable=1");
    if (!str_ok(&s))
        str_done(&s);
    return s.text;
}

/* How many pages a connection keeps; it frees those past that as it goes on. */
static enum pal_status set_cache(struct conn *c, int64_t bytes, struct pal_error *err)
{
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA cache_size = -%lld", (long long)(bytes / 1024 + 1));
    return sql_script(c, pragma, err);
}

static enum pal_status open_reader(const struct sqlite_store *s, struct conn **out,
                                   struct pal_error *err)
{
    struct conn *c;
    char *uri = s->immutable ? immutable_uri(s->path) : NULL;
    if (s->immutable && !uri)
        return pal_no_memory(err);
    enum pal_status st =
        conn_open(uri ? uri : s->path, SQLITE_OPEN_READONLY | (uri ? SQLITE_OPEN_URI : 0), &c, err);
    mem_free(uri);
    if (st != PAL_OK)
        return st;
    c->path = s->path;
    st = sql_script(c, reader_settings, err);
    if (st == PAL_OK)
        st = set_cache(c, s->cache_bytes / 2 / IDLE_READERS, err);
    if (st == PAL_OK)
        *out = c;
    else
        conn_close(c);
    return st;
}

enum pal_status reader_take(struct sqlite_store *s, struct conn **out, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    pthread_mutex_lock(&s->read_mutex);
    struct conn *c = s->idle;
    if (c)
        s->idle = c->next;
    pthread_mutex_unlock(&s->read_mutex);
    if (!c)
        st = open_reader(s, &c, err);
    if (st == PAL_OK && (st = sql_run(c, SQL_BEGIN, err, "")) != PAL_OK)
        conn_close(c);
    if (st == PAL_OK)
        *out = c;
    return st;
}

void reader_give(struct sqlite_store *s, struct conn *c)
{
    bool whole = sql_run(c, SQL_COMMIT, NULL, "") == PAL_OK;
    size_t idle = 0;
    pthread_mutex_lock(&s->read_mutex);
    for (const struct conn *i = s->idle; i; i = i->next)
        idle++;
    if (whole && idle < IDLE_READERS) {
        c->next = s->idle;
        s->idle = c;
        c = NULL;
    }
    pthread_mutex_unlock(&s->read_mutex);
    conn_close(c);
    /* it may have been this reader that kept deleted bytes in the log */
    if (s->erase_wanted && pthread_mutex_trylock(&s->write_mutex) == 0) {
        sqlite_erase(s);
        pthread_mutex_unlock(&s->write_mutex);
    }
}

void sqlite_erase(struct sqlite_store *s)
{
    if (!s->erase_wanted || !s->writer)
        return;
    sqlite3_busy_timeout(s->writer->db, ERASE_MS);
    if (sqlite3_wal_checkpoint_v2(s->writer->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
        SQLITE_OK)
        s->erase_wanted = false;
    sqlite3_busy_timeout(s->writer->db, BUSY_MS);
}

enum pal_status state_read(struct conn *c, struct state *out, struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    enum pal_status st = sql_start(c, SQL_STATE_GET, &q, err, "");
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (st != PAL_OK)
        return st;
    if (!row)
        return sql_fail(c, SQLITE_CORRUPT, err);
    *out = (struct state){(uint64_t)sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                          sqlite3_column_int64(q, 2),           sqlite3_column_int64(q, 3),
                          sqlite3_column_int64(q, 4),           sqlite3_column_int64(q, 5),
                          sqlite3_column_int64(q, 6),           sqlite3_column_int64(q, 7),
                          sqlite3_column_int64(q, 8),           sqlite3_column_int64(q, 9),
                          sqlite3_column_int64(q, 10)};
    sql_end(q);
    return PAL_OK;
}

enum pal_status lock_take(const char *lock_path, const char *path, int *fd, struct pal_error *err)
{
    char pid[32] = "";
    int f = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (f < 0)
        return pal_fail(err, PAL_EIO,
                        "cannot write %s: %s (does its folder exist, may this user write there?)",
                        lock_path, strerror(errno));
    if (flock(f, LOCK_EX | LOCK_NB)) {
        int e = errno;
        ssize_t n = pread(f, pid, sizeof pid - 1, 0);
        close(f);
        if (e != EWOULDBLOCK)
            return pal_fail(err, PAL_EIO, "cannot lock %s: %s", lock_path, strerror(e));
        pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
        return pal_fail(err, PAL_EIO,
                        "%s is in use by process %s: only one may write to it; stop that one, or "
                        "ask it over HTTP",
                        path, *pid ? pid : "(unknown)");
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    /* only for other processes' messages: the lock holds without it */
    if (ftruncate(f, 0) || pwrite(f, pid, (size_t)len, 0) < 0)
        (void)ftruncate(f, 0);
    *fd = f;
    return PAL_OK;
}

static enum pal_status open_writer(struct sqlite_store *s, struct pal_error *err)
{
    enum pal_status st = lock_take(s->lock_path, s->path, &s->lock_fd, err);
    if (st == PAL_OK)
        st = conn_open(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->writer, err);
    if (st == PAL_OK && sqlite3_db_readonly(s->writer->db, "main"))
        st = sql_fail(s->writer, SQLITE_READONLY, err);
    if (st == PAL_OK)
        st = sql_script(s->writer, writer_settings, err);
    if (st == PAL_OK)
        st = set_cache(s->writer, s->cache_bytes / 2, err);
    if (st == PAL_OK)
        st = schema_migrate(s->writer, err);
    if (st == PAL_OK)
        st = state_read(s->writer, &s->state, err);
    if (st == PAL_OK)
        st = types_read(s->writer, &s->types, err);
    if (st == PAL_OK) {
        s->erase_wanted = true; /* by a process that was killed before it could */
        sqlite_erase(s);
    }
    return st;
}

static enum pal_status check_reader(struct sqlite_store *s, struct pal_error *err)
{
    struct conn *c;
    enum pal_status st = reader_take(s, &c, err);
    if (st != PAL_OK)
        return st;
    st = schema_check(c, false, err);
    if (st == PAL_OK) {
        reader_give(s, c);
    } else {
        conn_close(c);
    }
    return st;
}

static enum pal_status open_for_reading(struct sqlite_store *s, struct pal_error *err)
{
    struct stat info;
    char wal[4096];
    if (!file_exists(s->path))
        return pal_fail(err, PAL_ENOTFOUND,
                        "there is no store at %s: `palate serve` or `palate import` makes one",
                        s->path);
    enum pal_status st = check_reader(s, err);
    snprintf(wal, sizeof wal, "%s-wal", s->path);
    if (st == PAL_EIO && access(s->path, R_OK) == 0 && (stat(wal, &info) || info.st_size == 0)) {
        s->immutable = true; /* nobody can be writing where no lock can be made */
        st = check_reader(s, err);
    }
    return st;
}

/* The paths that s needs, from what stands in the URL. Symbolic links are followed, so that all
 * names of a file share one lock. */
static enum pal_status take_paths(struct sqlite_store *s, const char *place, struct pal_error *err)
{
    if (strncmp(place, "//", 2) == 0) /* sqlite:///var/lib/palate.db */
        place += 2;
    if (*place == ':' || !*place)
        return pal_fail(err, PAL_EUSAGE, "store 'sqlite:%s': write sqlite:FILE", place);
    if (file_is_dir(place))
        return pal_fail(err, PAL_EIO, "store 'sqlite:%s' is a folder: name a file in it", place);
    char *real = realpath(place, NULL);
    const char *path = real ? real : place;
    s->path = mem_text(path, strlen(path));
    s->lock_path = mem_zero(strlen(path) + sizeof ".lock", 1);
    free(real);
    if (!s->path || !s->lock_path)
        return pal_no_memory(err);
    strcat(strcpy(s->lock_path, s->path), ".lock");
    return PAL_OK;
}

static void sqlite_close(struct store *base)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    while (s->idle) {
        struct conn *c = s->idle;
        s->idle = c->next;
        conn_close(c);
    }
    sqlite_erase(s);
    conn_close(s->writer); /* the last: SQLite empties and removes the log */
    names_done(&s->users);
    names_done(&s->items);
    names_done(&s->served);
    ids_done(&s->ids);
    pthread_mutex_destroy(&s->write_mutex);
    pthread_mutex_destroy(&s->read_mutex);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    mem_free(s->path);
    mem_free(s->lock_path);
    mem_free(s);
}

static enum pal_status sqlite_open(const char *place, bool read_only, struct store **out,
                                   struct pal_error *err)
{
    struct sqlite_store *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->base.ops = &store_sqlite;
    s->read_only = read_only;
    s->lock_fd = -1;
    s->limits = ids_limits_usual;
    s->cache_bytes = CACHE_BYTES;
    pthread_mutex_init(&s->write_mutex, NULL);
    pthread_mutex_init(&s->read_mutex, NULL);
    enum pal_status st = take_paths(s, place, err);
    if (st == PAL_OK)
        st = read_only ? open_for_reading(s, err) : open_writer(s, err);
    if (st == PAL_OK)
        *out = &s->base;
    else
        sqlite_close(&s->base);
    return st;
}

/* Idle readers go, so that all that come have the new size. */
static enum pal_status sqlite_cache(struct store *base, int64_t bytes, struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    enum pal_status st = PAL_OK;
    pthread_mutex_lock(&s->read_mutex);
    struct conn *idle = s->idle;
    s->idle = NULL;
    s->cache_bytes = bytes;
    pthread_mutex_unlock(&s->read_mutex);
    while (idle) {
        struct conn *c = idle;
        idle = c->next;
        conn_close(c);
    }
    pthread_mutex_lock(&s->write_mutex);
    if (s->writer)
        st = set_cache(s->writer, bytes / 2, err);
    pthread_mutex_unlock(&s->write_mutex);
    return st;
}

static const char *sqlite_path(const struct store *base)
{
    return ((const struct sqlite_store *)base)->path;
}

enum pal_status sqlite_state(struct sqlite_store *s, struct state *out, struct pal_error *err)
{
    struct conn *c;
    enum pal_status st = reader_take(s, &c, err);
    if (st == PAL_OK) {
        st = state_read(c, out, err);
        reader_give(s, c);
    }
    return st;
}

static enum pal_status sqlite_position(struct store *base, uint64_t *seq, struct pal_error *err)
{
    struct state state;
    enum pal_status st = sqlite_state((struct sqlite_store *)base, &state, err);
    if (st == PAL_OK)
        *seq = state.position;
    return st;
}

static uint64_t size_of(const char *path, const char *ending)
{
    char name[4096];
    snprintf(name, sizeof name, "%s%s", path, ending);
    int64_t size = file_size(name);
    return size > 0 ? (uint64_t)size : 0;
}

static enum pal_status sqlite_counts(struct store *base, struct store_counts *out,
                                     struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct state state;
    enum pal_status st = sqlite_state(s, &state, err);
    if (st == PAL_OK)
        *out = (struct store_counts){(uint64_t)state.items, (uint64_t)state.users,
                                     (uint64_t)state.events, (uint64_t)state.served,
                                     size_of(s->path, "") + size_of(s->path, "-wal")};
    return st;
}

const struct store_ops store_sqlite = {
    .kind = {"sqlite", "sqlite:FILE"},
    .open = sqlite_open,
    .close = sqlite_close,
    .cache = sqlite_cache,
    .path = sqlite_path,
    .apply = sqlite_apply,
    .position = sqlite_position,
    .take = sqlite_take,
    .reaches = sqlite_reaches,
    .mark = sqlite_mark,
    .follow = sqlite_follow,
    .user_events = sqlite_user_events,
    .user_count = sqlite_user_count,
    .events = sqlite_events,
    .items = sqlite_items,
    .deleted_items = sqlite_deleted_items,
    .users = sqlite_users,
    .served = sqlite_served,
    .all_served = sqlite_all_served,
    .types = sqlite_types,
    .counts = sqlite_counts,
    .dataset = sqlite_dataset,
    .frame = sqlite_frame,
    .put_note = sqlite_put_note,
    .note = sqlite_note,
    .backup = sqlite_backup,
    .restore = sqlite_restore,
    .forget_served = sqlite_forget_served,
};
