/* The statements of the SQLite store, and running them: prepared once per connection, errors turned
 * into sentences. */
#include "store/sqlite.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define EVENT_COLUMNS                                                                              \
    "SELECT e.place, u.user_id, i.item_id, t.name, e.value, e.time_ms, e.event_id,"                \
    " e.recommendation_id, e.prev FROM events e JOIN users u ON u.id = e.user"                     \
    " JOIN items i ON i.id = e.item JOIN types t ON t.id = e.type"
#define ITEM_COLUMNS                                                                               \
    "SELECT item_id, title, categories, attributes, image_url, available, created_ms FROM items"
#define USER_COLUMNS   "SELECT user_id, attributes, created_ms FROM users"
#define SERVED_COLUMNS "SELECT recommendation_id, user_id, time_ms, list, prev FROM served"

const char *const sqlite_sql[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN",
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_STATE_GET] = "SELECT position, next_place, items, users, events, served, ids_through,"
                      " ids_table, ids_count, cleared, cleared_at FROM state WHERE id = 0",
    [SQL_STATE_PUT] = "UPDATE state SET position = ?, next_place = ?, items = ?, users = ?,"
                      " events = ?, served = ?, ids_through = ?, ids_table = ?, ids_count = ?,"
                      " cleared = ?, cleared_at = ?"
                      " WHERE id = 0",
    [SQL_TYPES] = "SELECT name FROM types ORDER BY id",
    [SQL_TYPE_PUT] = "INSERT INTO types(name) VALUES(?) ON CONFLICT DO UPDATE SET name = name"
                     " RETURNING id",
    [SQL_USER_FIND] = "SELECT u.id, coalesce(h.last, 0), coalesce(h.events, 0) FROM users u"
                      " LEFT JOIN heads h ON h.user = u.id WHERE u.user_id = ?",
    [SQL_USER_ADD] = "INSERT INTO users(user_id, created_ms) VALUES(?, 0)",
    [SQL_USER_PUT] = "UPDATE users SET attributes = ?, created_ms = ?, at = ? WHERE id = ?",
    [SQL_USER_DELETE] = "DELETE FROM users WHERE id = ?",
    [SQL_HEAD_PUT] = "INSERT INTO heads(user, last, events) VALUES(?, ?, ?)"
                     " ON CONFLICT DO UPDATE SET last = excluded.last, events = excluded.events",
    [SQL_HEAD_DELETE] = "DELETE FROM heads WHERE user = ?",
    [SQL_ITEM_FIND] = "SELECT id, standing FROM items WHERE item_id = ?",
    [SQL_ITEM_ADD] = "INSERT INTO items(item_id, standing, available, created_ms)"
                     " VALUES(?, 0, 1, 0)",
    [SQL_ITEM_PUT] =
        "UPDATE items SET standing = 1, title = ?, categories = ?, attributes = ?,"
        " image_url = ?, available = ?, created_ms = ?, place = ?, at = ? WHERE id = ?",
    [SQL_ITEM_DELETE] = "UPDATE items SET standing = 2, title = NULL, categories = NULL,"
                        " attributes = NULL, image_url = NULL, available = 0, created_ms = 0,"
                        " place = ?, at = ? WHERE id = ?",
    [SQL_EVENT_PUT] = "INSERT INTO events(place, user, item, type, value, time_ms, prev, event_id,"
                      " recommendation_id) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SQL_EVENT_LINK] = "SELECT prev, event_id FROM events WHERE place = ? AND user = ?",
    [SQL_EVENT_DELETE] = "DELETE FROM events WHERE place = ?",
    [SQL_EVENT_OF_ID] = "SELECT 1 FROM events WHERE place = ? AND event_id = ?",
    [SQL_IDS_SINCE] = "SELECT place, event_id FROM events WHERE place > ? AND event_id IS NOT NULL"
                      " ORDER BY place",
    [SQL_IDS_FIND_0] = "SELECT place FROM event_ids_0 WHERE hash = ?",
    [SQL_IDS_FIND_1] = "SELECT place FROM event_ids_1 WHERE hash = ?",
    [SQL_IDS_PUT_0] = "INSERT OR REPLACE INTO event_ids_0(hash, place) VALUES(?, ?)",
    [SQL_IDS_PUT_1] = "INSERT OR REPLACE INTO event_ids_1(hash, place) VALUES(?, ?)",
    [SQL_IDS_DELETE_0] = "DELETE FROM event_ids_0 WHERE hash = ? AND place = ?",
    [SQL_IDS_DELETE_1] = "DELETE FROM event_ids_1 WHERE hash = ? AND place = ?",
    [SQL_IDS_CLEAR_0] = "DELETE FROM event_ids_0",
    [SQL_IDS_CLEAR_1] = "DELETE FROM event_ids_1",
    [SQL_ITEM_AT] = "SELECT at FROM items WHERE item_id = ?",
    [SQL_USER_AT] = "SELECT at FROM users WHERE user_id = ?",
    [SQL_ERASED_AT] = "SELECT at FROM erased WHERE user_id = ?",
    [SQL_ERASED_PUT] = "INSERT OR REPLACE INTO erased(place, user_id, at) VALUES(?, ?, ?)",
    [SQL_ERASED_FORGET] = "DELETE FROM erased WHERE at < ?",
    [SQL_REACH_PUT] = "INSERT INTO reaches(journal, shard, seq) VALUES(?, ?, ?)"
                      " ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
    [SQL_REACHES] = "SELECT shard, seq FROM reaches WHERE journal = ? ORDER BY shard LIMIT ?",
    [SQL_SEEN_OF] = "SELECT recommendation_id, time_ms, prev FROM served WHERE id = ?"
                    " AND user_id = ?",
    [SQL_SEEN_ANY] = "SELECT recommendation_id, time_ms, id - 1 FROM served WHERE id <= ?"
                     " ORDER BY id DESC LIMIT 1",
    [SQL_SERVED_PUT] = "INSERT INTO served(recommendation_id, user_id, time_ms, list, prev)"
                       " VALUES(?, ?, ?, ?, ?)",
    [SQL_SERVED_HEAD] = "SELECT last FROM served_heads WHERE user_id = ?",
    [SQL_SERVED_HEAD_PUT] = "INSERT INTO served_heads(user_id, last) VALUES(?, ?)"
                            " ON CONFLICT DO UPDATE SET last = excluded.last",
    [SQL_SERVED_HEAD_DELETE] = "DELETE FROM served_heads WHERE user_id = ?",
    [SQL_SERVED_LINK] = "SELECT prev FROM served WHERE id = ? AND user_id = ?",
    [SQL_SERVED_DELETE] = "DELETE FROM served WHERE id = ?",
    [SQL_SERVED_FIRST] = "SELECT coalesce((SELECT id FROM served WHERE time_ms >= ? ORDER BY id"
                         " LIMIT 1), 9223372036854775807)",
    [SQL_SERVED_FORGET] = "DELETE FROM served WHERE id < ?",
    [SQL_SERVED_HEADS_FORGET] = "DELETE FROM served_heads WHERE last < ?",
    [SQL_NOTE_PUT] = "INSERT INTO notes(name, text) VALUES(?, ?)"
                     " ON CONFLICT DO UPDATE SET text = excluded.text",
    [SQL_NOTE] = "SELECT coalesce(text, '') FROM notes WHERE name = ?",
    [SQL_READ_HEAD] = "SELECT u.id, coalesce(h.last, 0), coalesce(h.events, 0) FROM users u"
                      " LEFT JOIN heads h ON h.user = u.id WHERE u.user_id = ?",
    [SQL_READ_PREV] = "SELECT prev FROM events WHERE place = ? AND user = ?",
    [SQL_READ_EVENT] = EVENT_COLUMNS " WHERE e.place = ? AND e.user = ?",
    /* CROSS JOIN: in the order of places, whatever the planner thinks */
    [SQL_READ_EVENTS] =
        "SELECT e.place, u.user_id, i.item_id, t.name, e.value, e.time_ms, e.event_id,"
        " e.recommendation_id, e.prev FROM events e CROSS JOIN users u CROSS JOIN items i"
        " CROSS JOIN types t WHERE e.place > ? AND u.id = e.user AND i.id = e.item"
        " AND t.id = e.type ORDER BY e.place",
    [SQL_READ_ITEMS] = ITEM_COLUMNS " WHERE standing < 2 ORDER BY id",
    [SQL_READ_ITEM] = ITEM_COLUMNS " WHERE standing < 2 AND item_id = ?",
    [SQL_READ_DELETED] = ITEM_COLUMNS " WHERE standing = 2 ORDER BY id",
    [SQL_READ_USERS] = USER_COLUMNS " ORDER BY id",
    [SQL_READ_USER] = USER_COLUMNS " WHERE user_id = ?",
    [SQL_READ_SERVED] = SERVED_COLUMNS " ORDER BY id DESC LIMIT ?",
    [SQL_READ_SERVED_OF] = SERVED_COLUMNS " WHERE id = ? AND user_id = ?",
    [SQL_READ_SERVED_ALL] = SERVED_COLUMNS " ORDER BY id",
    [SQL_ALL_ITEMS] = "SELECT id, item_id, standing, title, categories, attributes FROM items"
                      " ORDER BY id",
    [SQL_ALL_USERS] = "SELECT id, user_id, attributes FROM users ORDER BY id",
    [SQL_ALL_EVENTS] = "SELECT user, item, type, value, time_ms, event_id FROM events"
                       " ORDER BY place",
    /* up to the place before which at most so many of each kind lie behind a mark */
    [SQL_FOLLOW_END] =
        "SELECT min(next_place - 1,"
        " coalesce((SELECT place FROM events WHERE place > ?1 ORDER BY place LIMIT 1 OFFSET ?2),"
        " next_place - 1),"
        " coalesce((SELECT place FROM items WHERE place > 0 AND place > ?1 ORDER BY place"
        " LIMIT 1 OFFSET ?2), next_place - 1),"
        " coalesce((SELECT place FROM erased WHERE place > ?1 ORDER BY place LIMIT 1 OFFSET ?2),"
        " next_place - 1)), cleared FROM state WHERE id = 0",
    [SQL_FOLLOW_ITEMS] = "SELECT item_id, title, categories, attributes, image_url, available,"
                         " created_ms, standing FROM items WHERE place > 0 AND place > ?"
                         " AND place <= ? ORDER BY place",
    [SQL_FOLLOW_ERASED] = "SELECT user_id FROM erased WHERE place > ? AND place <= ?"
                          " ORDER BY place",
    [SQL_FOLLOW_EVENTS] =
        "SELECT e.place, u.user_id, i.item_id, t.name, e.value, e.time_ms, e.event_id,"
        " e.recommendation_id, e.prev FROM events e CROSS JOIN users u CROSS JOIN items i"
        " CROSS JOIN types t WHERE e.place > ? AND e.place <= ? AND u.id = e.user"
        " AND i.id = e.item AND t.id = e.type ORDER BY e.place",
};

static enum pal_status failed_io(const struct conn *c, struct pal_error *err)
{
    int e = sqlite3_system_errno(c->db);
    return pal_fail(err, PAL_EIO, "%s: reading or writing failed: %s%s%s", c->path,
                    sqlite3_errmsg(c->db), e ? ": " : "", e ? strerror(e) : "");
}

enum pal_status sql_fail(const struct conn *c, int rc, struct pal_error *err)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return pal_no_memory(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return pal_fail(err, PAL_EIO,
                        "%s is busy: another process holds it; try again or close that process",
                        c->path);
    case SQLITE_READONLY:
        return pal_fail(err, PAL_EIO,
                        "%s is read-only: give this user the right to write to it and its folder",
                        c->path);
    case SQLITE_FULL:
        return pal_fail(err, PAL_EIO, "%s: no room left: free some on its disk", c->path);
    case SQLITE_NOTADB:
        return pal_fail(
            err, PAL_ECORRUPT,
            "%s is no SQLite database: name another file or, if it was the store, put a "
            "backup in its place with `palate restore`",
            c->path);
    case SQLITE_CORRUPT:
    case SQLITE_MISMATCH:
        return pal_fail(err, PAL_ECORRUPT,
                        "%s is damaged (%s): put a backup in its place with `palate restore`",
                        c->path, sqlite3_errmsg(c->db));
    case SQLITE_INTERRUPT:
        return pal_fail(err, PAL_EINTERRUPTED, "%s: interrupted", c->path);
    case SQLITE_CANTOPEN:
        return pal_fail(err, PAL_EIO,
                        "cannot open %s: does its folder exist, may this user "
                        "read and write there?",
                        c->path);
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_NOMEM ? pal_no_memory(err) : failed_io(c, err);
    default:
        return pal_fail(err, PAL_EIO, "%s: %s", c->path, sqlite3_errmsg(c->db));
    }
}

static int bind_all(sqlite3_stmt *q, const char *kinds, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; *kinds && rc == SQLITE_OK; kinds++, i++) {
        const char *text;
        switch (*kinds) {
        case 't':
            text = va_arg(ap, const char *);
            rc = text && *text ? sqlite3_bind_text(q, i, text, -1, SQLITE_STATIC)
                               : sqlite3_bind_null(q, i);
            break;
        case 'd':
            rc = sqlite3_bind_double(q, i, va_arg(ap, double));
            break;
        case 'b':
            text = va_arg(ap, const void *);
            rc = sqlite3_bind_blob64(q, i, text, va_arg(ap, size_t), SQLITE_STATIC);
            break;
        default:
            rc = sqlite3_bind_int64(q, i, va_arg(ap, int64_t));
        }
    }
    return rc;
}

static enum pal_status start(struct conn *c, enum sql which, sqlite3_stmt **q,
                             struct pal_error *err, const char *kinds, va_list ap)
{
    int rc = SQLITE_OK;
    if (!c->stmt[which])
        rc = sqlite3_prepare_v3(c->db, sqlite_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                &c->stmt[which], NULL);
    if (rc == SQLITE_OK)
        rc = bind_all(c->stmt[which], kinds, ap);
    if (rc != SQLITE_OK)
        return sql_fail(c, rc, err);
    *q = c->stmt[which];
    return PAL_OK;
}

enum pal_status sql_start(struct conn *c, enum sql which, sqlite3_stmt **q, struct pal_error *err,
                          const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    enum pal_status st = start(c, which, q, err, kinds, ap);
    va_end(ap);
    return st;
}

enum pal_status sql_next(struct conn *c, sqlite3_stmt *q, bool *row, struct pal_error *err)
{
    int rc = sqlite3_step(q);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return PAL_OK;
    enum pal_status st = rc == SQLITE_DONE ? PAL_OK : sql_fail(c, rc, err);
    sql_end(q);
    return st;
}

void sql_end(sqlite3_stmt *q)
{
    sqlite3_reset(q); /* its result is that of the last step, which was looked at */
}

enum pal_status sql_run(struct conn *c, enum sql which, struct pal_error *err, const char *kinds,
                        ...)
{
    va_list ap;
    sqlite3_stmt *q;
    bool row = false;
    va_start(ap, kinds);
    enum pal_status st = start(c, which, &q, err, kinds, ap);
    va_end(ap);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (row)
        sql_end(q);
    return st;
}

enum pal_status sql_script(struct conn *c, const char *script, struct pal_error *err)
{
    int rc = sqlite3_exec(c->db, script, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PAL_OK : sql_fail(c, rc, err);
}

enum pal_status sql_number(struct conn *c, const char *query, int64_t *out, struct pal_error *err)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(c->db, query, -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    enum pal_status st = PAL_OK;
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(q, 0);
    else
        st = sql_fail(c, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, err);
    sqlite3_finalize(q);
    return st;
}

const char *sql_text(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);
    return text ? (const char *)text : "";
}
