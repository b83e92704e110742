/* The tables of the SQLite store, as steps: a file of version N gets the steps from N on, in one
 * transaction. A step, once released, is never edited; what changes comes as a new one. */
#include "store/sqlite.h"

#include <stdio.h>

enum { APPLICATION = 0x70616c61 }; /* "pala", in the file's header */

static const char *const steps[] = {
    /* Users, items and types have numbers, by which events name them. An event's `prev` is the
     * place of the same user's event before it, and heads.last is where that chain begins. */
    "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id = 0), position INTEGER NOT NULL,"
    " next_place INTEGER NOT NULL, items INTEGER NOT NULL, users INTEGER NOT NULL,"
    " events INTEGER NOT NULL, served INTEGER NOT NULL, ids_through INTEGER NOT NULL,"
    " ids_table INTEGER NOT NULL, ids_count INTEGER NOT NULL);"
    "INSERT INTO state VALUES(0, 0, 1, 0, 0, 0, 0, 0, 0, 0);"
    "CREATE TABLE items(id INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE,"
    " standing INTEGER NOT NULL, title TEXT, categories TEXT, attributes TEXT, image_url TEXT,"
    " available INTEGER NOT NULL, created_ms INTEGER NOT NULL);"
    "CREATE TABLE users(id INTEGER PRIMARY KEY, user_id TEXT NOT NULL UNIQUE, attributes TEXT,"
    " created_ms INTEGER NOT NULL);"
    "CREATE TABLE heads(user INTEGER PRIMARY KEY, last INTEGER NOT NULL, events INTEGER NOT NULL);"
    "CREATE TABLE types(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE events(place INTEGER PRIMARY KEY, user INTEGER NOT NULL, item INTEGER NOT NULL,"
    " type INTEGER NOT NULL, value REAL NOT NULL, time_ms INTEGER NOT NULL, prev INTEGER NOT NULL,"
    " event_id TEXT, recommendation_id TEXT);"
    "CREATE TABLE event_ids_0(hash INTEGER PRIMARY KEY, place INTEGER NOT NULL);"
    "CREATE TABLE event_ids_1(hash INTEGER PRIMARY KEY, place INTEGER NOT NULL);"
    "CREATE TABLE served(id INTEGER PRIMARY KEY, recommendation_id TEXT NOT NULL, user_id TEXT,"
    " time_ms INTEGER NOT NULL, list TEXT NOT NULL);"
    "CREATE INDEX served_user ON served(user_id) WHERE user_id IS NOT NULL;"
    "CREATE TABLE notes(name TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID;",

    /* Old served lists are found without reading them all; and a view for people: events by name.
     */
    "CREATE INDEX served_time ON served(time_ms);"
    "CREATE VIEW named_events AS SELECT e.place, u.user_id, i.item_id, t.name AS type, e.value,"
    " e.time_ms, e.event_id, e.recommendation_id FROM events e JOIN users u ON u.id = e.user"
    " JOIN items i ON i.id = e.item JOIN types t ON t.id = e.type;",

    /* Served lists without an index: as with events, each names the user's list before it, and
     * served_heads has the newest. `list` is JSON, or a blob as data/served.h packs it. */
    "ALTER TABLE served ADD COLUMN prev INTEGER NOT NULL DEFAULT 0;"
    "UPDATE served SET prev = coalesce((SELECT max(p.id) FROM served p WHERE"
    " p.user_id = served.user_id AND p.id < served.id), 0) WHERE user_id IS NOT NULL;"
    "CREATE TABLE served_heads(user_id TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO served_heads SELECT user_id, max(id) FROM served WHERE user_id IS NOT NULL"
    " GROUP BY user_id;"
    "DROP INDEX served_user; DROP INDEX served_time;",

    /* What comes through a stream: when things were last changed (`at`, see change_at), so that
     * what comes twice or late changes nothing; users who were erased lately; how far each
     * journal's records came. items.place is that of the last change, for those who follow. */
    "ALTER TABLE state ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN cleared_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE items ADD COLUMN at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE items ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX items_place ON items(place) WHERE place > 0;"
    "ALTER TABLE users ADD COLUMN at INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE erased(place INTEGER PRIMARY KEY, user_id TEXT NOT NULL UNIQUE,"
    " at INTEGER NOT NULL);"
    "CREATE TABLE reaches(journal TEXT NOT NULL, shard INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(journal, shard)) WITHOUT ROWID;",
};
enum { VERSION = sizeof steps / sizeof steps[0] };

static enum pal_status read_version(struct conn *c, int64_t *version, struct pal_error *err)
{
    int64_t application;
    enum pal_status st = sql_number(c, "PRAGMA application_id", &application, err);
    if (st == PAL_OK)
        st = sql_number(c, "PRAGMA user_version", version, err);
    if (st == PAL_OK && application != APPLICATION && !(application == 0 && *version == 0))
        return pal_fail(err, PAL_EUSAGE, "%s is a database of another program, not a store",
                        c->path);
    if (st == PAL_OK && *version > VERSION)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s has schema %lld, made by a later version of palate; this one knows "
                        "schemas up to %d: use that version, or restore a backup of before",
                        c->path, (long long)*version, VERSION);
    return st;
}

enum pal_status schema_check(struct conn *c, bool older, struct pal_error *err)
{
    int64_t version;
    enum pal_status st = read_version(c, &version, err);
    if (st == PAL_OK && version == 0)
        return pal_fail(err, PAL_ENOTFOUND, "%s is no store yet: nothing was ever written to it",
                        c->path);
    if (st == PAL_OK && version < VERSION && !older)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s has the older schema %lld: open it once for writing (`palate serve`, "
                        "`palate import`) to bring it up to %d",
                        c->path, (long long)version, VERSION);
    return st;
}

enum pal_status schema_migrate(struct conn *c, struct pal_error *err)
{
    char pragma[96];
    int64_t version, tables;
    enum pal_status st = read_version(c, &version, err);
    if (st != PAL_OK || version == VERSION)
        return st;
    st = sql_number(c, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st == PAL_OK && version == 0 && tables > 0)
        return pal_fail(err, PAL_EUSAGE, "%s is a database of another program, not a store",
                        c->path);
    if (st == PAL_OK)
        st = sql_script(c, "BEGIN IMMEDIATE", err);
    if (st != PAL_OK)
        return st;
    for (int64_t i = version; i < VERSION && st == PAL_OK; i++)
        st = sql_script(c, steps[i], err);
    snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             APPLICATION, VERSION);
    if (st == PAL_OK)
        st = sql_script(c, pragma, err);
    if (st != PAL_OK)
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL); /* whatever is left to roll back */
    return st;
}
