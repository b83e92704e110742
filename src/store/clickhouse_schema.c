/* Tables, and whose they are.
 *
 *     events     a row per event; a partition has the places of one range, in it rows lie by user
 * and time, so that a user's are near each other and columns pack well. Rows with one user, time
 * and place are one, should they ever come twice. erased     of users who were erased, and of
 * everything that was: below which place rows don't count any more. The rows themselves are deleted
 * by a mutation, which takes its time. palate     one row: the version of these tables and the name
 * of the catalog they belong to.
 *
 * That name is a random number which the catalog has as a note: places count by the catalog's mark,
 * so events of one catalog beside another would be a mess that nobody could tell. */
#include "store/clickhouse_inside.h"

#include "base/mem.h"
#include "base/scheme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { VERSION = 1, NAME_MOST = 40 };

static const char *const tables[] = {
    "CREATE DATABASE IF NOT EXISTS $DB",
    "CREATE TABLE IF NOT EXISTS $DB.palate (version UInt32, catalog String) ENGINE = TinyLog",
    ("CREATE TABLE IF NOT EXISTS $DB.events (user String, time_s UInt32, place UInt64, item "
     "String, "
     "type String, value Float32, time_ms Int64, id_hash UInt64, event_id String, "
     "recommendation_id String) ENGINE = ReplacingMergeTree() PARTITION BY "
     "bitShiftRight(place, 22) ORDER BY (user, time_s, place)"),
    ("CREATE TABLE IF NOT EXISTS $DB.erased (user String, before UInt64, at UInt64) "
     "ENGINE = MergeTree() PARTITION BY tuple() ORDER BY user"),
};

/* What is acknowledged is to be on disk, which servers can be told since 21.8; what an older one
 * has just acknowledged is lost if the power fails, but not if it is killed. */
static enum pal_status ask_to_sync(struct ch *c, struct pal_error *err)
{
    struct str version = {0};
    unsigned year = 0, release = 0;
    enum pal_status st = ch_run(c, "SELECT version()", &version, err);
    bool can = sscanf(str_text(&version), "%u.%u", &year, &release) == 2 &&
               (year > 21 || (year == 21 && release >= 8));
    str_done(&version);
    return st == PAL_OK && can ? ch_run(c,
                                        "ALTER TABLE $DB.events MODIFY SETTING fsync_after_insert "
                                        "= 1, fsync_part_directory = 1",
                                        NULL, err)
                               : st;
}

/* "version\tcatalog\n"; *there = false for an empty table. PAL_ENOTFOUND without one. */
static enum pal_status read_owner(struct ch *c, unsigned *version, char name[NAME_MOST],
                                  bool *there, struct pal_error *err)
{
    struct str answer = {0};
    enum pal_status st = ch_run(c, "SELECT version, catalog FROM $DB.palate", &answer, err);
    *there = answer.len > 0;
    if (st == PAL_OK && *there && sscanf(str_text(&answer), "%u %39s", version, name) != 2)
        st = pal_fail(err, PAL_ECORRUPT,
                      "%s: the table 'palate' holds '%.60s', which is none of "
                      "ours",
                      c->place->shown, str_text(&answer));
    str_done(&answer);
    return st;
}

static enum pal_status check(const struct ch_store *s, unsigned version, const char *theirs,
                             const char *ours, struct pal_error *err)
{
    char shown[300];
    scheme_copy(shown, sizeof shown, s->place.catalog);
    if (version > VERSION)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s has tables of a later version of palate (%u; this one knows %d)",
                        s->place.shown, version, VERSION);
    if (!ours || !*ours || strcmp(theirs, ours) != 0)
        return pal_fail(err, PAL_EUSAGE,
                        "the events in %s belong to another store than %s: give that one, or "
                        "another database",
                        s->place.shown, shown);
    return PAL_OK;
}

/* Joins a catalog and tables that are both new: first here, then there, so that whoever was
 * interrupted finds tables without an owner. */
static enum pal_status join(struct ch_store *s, struct pal_error *err)
{
    struct store_counts counts;
    struct str sql = {0};
    char name[NAME_MOST];
    uint64_t bits[2];
    if (getrandom(bits, sizeof bits, 0) != sizeof bits)
        return pal_fail(err, PAL_EIO, "the system gives no random numbers");
    snprintf(name, sizeof name, "%016llx%016llx", (unsigned long long)bits[0],
             (unsigned long long)bits[1]);
    enum pal_status st = store_counts(s->catalog, &counts, err);
    if (st == PAL_OK && counts.events)
        return pal_fail(err, PAL_EUSAGE,
                        "the store already has %llu events of its own, which would be lost from "
                        "sight: `palate export` it, and `palate import` into a new one with "
                        "--events",
                        (unsigned long long)counts.events);
    str_fmt(&sql, "INSERT INTO $DB.palate VALUES (%d, '%s')", VERSION, name);
    if (st == PAL_OK)
        st = str_ok(&sql) ? store_put_note(s->catalog, CH_NOTE, name, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = ch_run(&s->writer, str_text(&sql), NULL, err);
    str_done(&sql);
    return st;
}

static enum pal_status make(struct ch_store *s, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && st == PAL_OK; i++)
        st = ch_run(&s->writer, tables[i], NULL, err);
    return st == PAL_OK ? ask_to_sync(&s->writer, err) : st;
}

/* The owner is read before the catalog's note, since they are written the other way round. */
static enum pal_status open_tables(struct ch_store *s, struct pal_error *err)
{
    char theirs[NAME_MOST] = "", *ours = NULL;
    unsigned version = 0;
    bool there = false;
    uint64_t events = 0;
    enum pal_status st = s->read_only ? PAL_OK : make(s, err);
    if (st == PAL_OK)
        st = read_owner(&s->writer, &version, theirs, &there, err);
    if (st == PAL_OK && (st = store_note(s->catalog, CH_NOTE, &ours, err)) == PAL_ENOTFOUND)
        st = PAL_OK;            /* it has none */
    if (st == PAL_OK && !there) /* as good as new? */
        st = ch_number(&s->writer, "SELECT count() FROM $DB.events", &events, err);
    if (st == PAL_OK && there)
        st = check(s, version, theirs, ours, err);
    else if (st == PAL_OK && events)
        st = check(s, VERSION, "", NULL, err);
    else if (st == PAL_OK && s->read_only)
        st = pal_fail(err, PAL_ENOTFOUND, "%s holds no events of palate", s->place.shown);
    else if (st == PAL_OK)
        st = join(s, err);
    mem_free(ours);
    return st;
}

/* Of several that find nothing there one joins them: it holds the catalog meanwhile. */
enum pal_status ch_schema_open(struct ch_store *s, struct pal_error *err)
{
    const struct store_ops *ops = s->catalog->ops;
    struct pal_error ignored;
    bool held = !s->read_only && ops->hold;
    enum pal_status st = held ? ops->hold(s->catalog, true, err) : PAL_OK;
    if (st != PAL_OK)
        return st;
    st = open_tables(s, err);
    if (held && ops->hold(s->catalog, false, st == PAL_OK ? err : &ignored) != PAL_OK &&
        st == PAL_OK)
        st = PAL_EIO;
    return st;
}
