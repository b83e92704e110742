/* The tables of the PostgreSQL store, as steps: a schema of version N gets the steps from N on, in
 * one transaction, one process after the other. A step, once released, is never edited; what
 * changes comes as a new one. */
#include "store/postgres.h"

#include <stdio.h>

static const char *const steps[] = {
    /* Users, items and types have numbers, by which events name them. Places are drawn from one
     * counter by events, served lists, items that change and users who are erased. `at` is when
     * something was changed last (see change_at). */
    "CREATE TABLE state(one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL,"
    " epoch bigint NOT NULL, next_place bigint NOT NULL, next_user bigint NOT NULL,"
    " next_item bigint NOT NULL, items bigint NOT NULL, users bigint NOT NULL,"
    " events bigint NOT NULL, served bigint NOT NULL, cleared bigint NOT NULL,"
    " cleared_at bigint NOT NULL);"
    "INSERT INTO state VALUES(true, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0);"
    "CREATE TABLE items(no integer PRIMARY KEY, item_id text COLLATE \"C\" NOT NULL UNIQUE,"
    " standing integer NOT NULL, title text, categories text, attributes text, image_url text,"
    " available boolean NOT NULL, created_ms bigint NOT NULL, place bigint NOT NULL,"
    " at bigint NOT NULL);"
    "CREATE INDEX items_place ON items(place) WHERE place > 0;"
    "CREATE TABLE users(no integer PRIMARY KEY, user_id text COLLATE \"C\" NOT NULL UNIQUE,"
    " attributes text, created_ms bigint NOT NULL, at bigint NOT NULL);"
    "CREATE TABLE types(no integer PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE);"
    "CREATE TABLE events(place bigint PRIMARY KEY, user_no integer NOT NULL,"
    " item_no integer NOT NULL, type_no integer NOT NULL, value real NOT NULL,"
    " time_ms bigint NOT NULL, event_id text COLLATE \"C\", recommendation_id text COLLATE \"C\");"
    "CREATE INDEX events_user ON events(user_no, place);"
    "CREATE UNIQUE INDEX events_id ON events(event_id) WHERE event_id IS NOT NULL;"
    "CREATE TABLE served(place bigint PRIMARY KEY, recommendation_id text COLLATE \"C\" NOT NULL,"
    " user_id text COLLATE \"C\", time_ms bigint NOT NULL, list text, packed bytea);"
    "CREATE INDEX served_user ON served(user_id, place) WHERE user_id IS NOT NULL;"
    "CREATE TABLE erased(user_id text COLLATE \"C\" PRIMARY KEY, at bigint NOT NULL,"
    " place bigint NOT NULL UNIQUE);"
    "CREATE TABLE positions(journal text COLLATE \"C\" PRIMARY KEY, seq bigint NOT NULL);"
    "CREATE TABLE reaches(journal text COLLATE \"C\", shard integer, seq bigint NOT NULL,"
    " PRIMARY KEY(journal, shard));"
    "CREATE TABLE notes(name text COLLATE \"C\" PRIMARY KEY, text text NOT NULL);"
    "CREATE VIEW named_events AS SELECT e.place, u.user_id, i.item_id, t.name AS type, e.value,"
    " to_timestamp(e.time_ms / 1000.0) AS time, e.event_id, e.recommendation_id FROM events e"
    " JOIN users u ON u.no = e.user_no JOIN items i ON i.no = e.item_no"
    " JOIN types t ON t.no = e.type_no;",
};
enum { VERSION = sizeof steps / sizeof steps[0] };
const int pg_version = VERSION;

enum pal_status pg_state_row(void *state, const struct pg_row *row, struct pal_error *err)
{
    struct pg_state *s = state;
    (void)err;
    *s = (struct pg_state){pg_int(row, 0), pg_int(row, 1), pg_int(row, 2), pg_int(row, 3),
                           pg_int(row, 4), pg_int(row, 5), pg_int(row, 6), pg_int(row, 7),
                           pg_int(row, 8), pg_int(row, 9), pg_int(row, 10)};
    return PAL_OK;
}

/* The version of what is there, 0 for nothing yet, -1 for no schema. */
static enum pal_status find_version(struct pg_link *c, int64_t *version, struct pal_error *err)
{
    char query[256];
    const char *name = c->s->schema;
    int64_t schemas, tables, state;
    snprintf(query, sizeof query, "SELECT count(*) FROM pg_namespace WHERE nspname = '%s'", name);
    enum pal_status st = pg_number(c, query, &schemas, err);
    *version = -1;
    if (st != PAL_OK || schemas == 0)
        return st;
    snprintf(query, sizeof query,
             "SELECT count(*) FROM pg_class WHERE relnamespace = '\"%s\"'::regnamespace AND"
             " relkind IN ('r', 'p', 'v', 'm', 'f')",
             name);
    st = pg_number(c, query, &tables, err);
    *version = 0;
    if (st != PAL_OK || tables == 0)
        return st;
    snprintf(query, sizeof query,
             "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('\"%s\".state') AND"
             " attname IN ('version', 'next_place')",
             name);
    st = pg_number(c, query, &state, err);
    if (st == PAL_OK && state != 2)
        return pal_fail(err, PAL_EUSAGE,
                        "store %s: the schema \"%s\" belongs to another program: name another one "
                        "with ?schema=NAME",
                        c->s->shown, name);
    return st == PAL_OK ? pg_number(c, "SELECT version FROM state", version, err) : st;
}

static enum pal_status from_the_future(const struct pg_link *c, int64_t version,
                                       struct pal_error *err)
{
    return pal_fail(err, PAL_EUNSUPPORTED,
                    "store %s has schema %lld, made by a later version of palate; this one knows "
                    "schemas up to %d: use that version, or restore a dump of before",
                    c->s->shown, (long long)version, VERSION);
}

static enum pal_status check_readable(const struct pg_link *c, int64_t version,
                                      struct pal_error *err)
{
    if (version <= 0)
        return pal_fail(err, PAL_ENOTFOUND,
                        "there is no store at %s yet (its schema \"%s\" is not there): `palate "
                        "serve` or `palate import` makes one",
                        c->s->shown, c->s->schema);
    if (version > VERSION)
        return from_the_future(c, version, err);
    if (version < VERSION)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "store %s has the older schema %lld: open it once for writing (`palate "
                        "serve`, `palate import`) to bring it up to %d",
                        c->s->shown, (long long)version, VERSION);
    return PAL_OK;
}

/* In a transaction, with the lock: looks again, since another process may have been first. */
static enum pal_status migrate(struct pg_link *c, struct pal_error *err)
{
    char script[192];
    int64_t version;
    enum pal_status st = find_version(c, &version, err);
    if (st == PAL_OK && version < 0) {
        snprintf(script, sizeof script, "CREATE SCHEMA \"%s\"", c->s->schema);
        st = pg_script(c, script, PG_LONG_MS, err);
        version = 0;
    }
    if (st == PAL_OK && version > VERSION)
        st = from_the_future(c, version, err);
    for (int64_t i = version; st == PAL_OK && i < VERSION; i++)
        st = pg_script(c, steps[i], PG_CLEAR_MS, err);
    snprintf(script, sizeof script, "UPDATE state SET version = %d; COMMIT", VERSION);
    return st == PAL_OK ? pg_script(c, script, PG_LONG_MS, err) : st;
}

enum pal_status pg_schema(struct pg_link *c, bool read_only, struct pal_error *err)
{
    char begin[160];
    int64_t version;
    enum pal_status st = find_version(c, &version, err);
    if (st != PAL_OK || version == VERSION)
        return st;
    if (read_only)
        return check_readable(c, version, err);
    snprintf(begin, sizeof begin,
             "BEGIN; SET LOCAL statement_timeout = 0;"
             "SELECT pg_advisory_xact_lock(1886415201, hashtext('%s'))",
             c->s->schema);
    st = pg_script(c, begin, PG_LONG_MS, err);
    if (st == PAL_OK)
        st = migrate(c, err);
    if (st != PAL_OK)
        c->bad = true; /* its transaction goes with it */
    return st;
}
