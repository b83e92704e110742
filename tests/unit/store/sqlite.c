/* Opening: what is made, who is kept out, which files are refused; and that what was deleted is in
 * none of the files any more. */
#include "test.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "world.h"

#include "store/sqlite.h"

static void script(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void kinds_are_listed(void **state)
{
    (void)state;
    const char *wrong[] = {"palate.db", "oracle:x", "sqlite", "sqlite:", "", "sqlitex:palate.db"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct pal_error err;
        struct store *s;
        assert_int_equal(store_open(wrong[i], false, &s, &err), PAL_EUNSUPPORTED);
        assert_non_null(strstr(err.message, "sqlite:FILE"));
        assert_int_equal(store_restore(wrong[i], "x", &err), PAL_EUNSUPPORTED);
    }
}

static void paths_that_cannot_be(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *s;
    char url[300];
    assert_int_equal(store_open("sqlite::memory:", false, &s, &err), PAL_EUSAGE);
    snprintf(url, sizeof url, "sqlite:%s/none/palate.db", w->dir);
    assert_int_equal(store_open(url, false, &s, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "does its folder exist"));
    assert_int_equal(store_open(url, true, &s, &err), PAL_ENOTFOUND);
    snprintf(url, sizeof url, "sqlite:%s", w->dir);
    assert_int_equal(store_open(url, false, &s, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "is a folder"));
    assert_int_equal(store_open(url, true, &s, &err), PAL_EIO);
    snprintf(url, sizeof url, "sqlite://%s", w->path); /* sqlite:///tmp/… */
    close_store(w);
    assert_ok(store_open(url, false, &w->s, &err), &err);
    assert_string_equal(store_path(w->s), w->path);
}

static void one_process_writes(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *second;
    char pid[32], link_url[300], link_path[128];
    snprintf(pid, sizeof pid, "process %ld:", (long)getpid());
    assert_int_equal(store_open(w->url, false, &second, &err), PAL_EIO);
    assert_non_null(strstr(err.message, pid));
    snprintf(link_path, sizeof link_path, "%s/other.db", w->dir);
    snprintf(link_url, sizeof link_url, "sqlite:%s", link_path);
    assert_int_equal(symlink(w->path, link_path), 0);
    assert_int_equal(store_open(link_url, false, &second, &err), PAL_EIO);
    close_store(w);
    pid_t child = fork();
    if (child == 0) { /* holds it until it is killed */
        bool held = store_open(w->url, false, &second, NULL) == PAL_OK;
        if (!held || write(STDOUT_FILENO, "", 0) < 0)
            _exit(1);
        kill(getpid(), SIGSTOP);
        _exit(0);
    }
    int how;
    assert_int_equal(waitpid(child, &how, WUNTRACED), child);
    assert_true(WIFSTOPPED(how));
    assert_int_equal(store_open(w->url, false, &second, &err), PAL_EIO);
    snprintf(pid, sizeof pid, "process %ld:", (long)child);
    assert_non_null(strstr(err.message, pid));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ok(store_open(w->url, false, &w->s, &err), &err); /* the lock died with it */
}

static void foreign_files_are_refused(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *s;
    close_store(w);
    unlink(w->path);
    script(w->path, "CREATE TABLE mine(x); INSERT INTO mine VALUES(1);");
    assert_int_equal(store_open(w->url, false, &w->s, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "another program"));
    script(w->path, "PRAGMA application_id = 77; PRAGMA user_version = 1;");
    assert_int_equal(store_open(w->url, false, &w->s, &err), PAL_EUSAGE);
    assert_int_equal(store_open(w->url, true, &s, &err), PAL_EUSAGE);
    script(w->path, "SELECT x FROM mine"); /* as it was */
    FILE *f = fopen(w->path, "w");
    fputs("this is a letter, and quite a long one, but by no means a database", f);
    fclose(f);
    assert_int_equal(store_open(w->url, false, &w->s, &err), PAL_ECORRUPT);
    assert_int_equal(store_open(w->url, true, &s, &err), PAL_ECORRUPT);
    f = fopen(w->path, "w"); /* an empty file is a store to be, but not to read */
    fclose(f);
    assert_int_equal(store_open(w->url, true, &s, &err), PAL_ENOTFOUND);
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
}

/* Schema 1, as its step made it, with one of everything. */
static const char schema_1[] =
    "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id = 0), position INTEGER NOT NULL,"
    " next_place INTEGER NOT NULL, items INTEGER NOT NULL, users INTEGER NOT NULL,"
    " events INTEGER NOT NULL, served INTEGER NOT NULL, ids_through INTEGER NOT NULL,"
    " ids_table INTEGER NOT NULL, ids_count INTEGER NOT NULL);"
    "INSERT INTO state VALUES(0, 7, 3, 1, 1, 2, 5, 0, 0, 0);"
    "CREATE TABLE items(id INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE,"
    " standing INTEGER NOT NULL, title TEXT, categories TEXT, attributes TEXT, image_url TEXT,"
    " available INTEGER NOT NULL, created_ms INTEGER NOT NULL);"
    "INSERT INTO items VALUES(1, 'i', 1, 'T', '[\"c\"]', NULL, NULL, 1, 4);"
    "CREATE TABLE users(id INTEGER PRIMARY KEY, user_id TEXT NOT NULL UNIQUE, attributes TEXT,"
    " created_ms INTEGER NOT NULL);"
    "INSERT INTO users VALUES(1, 'u', '{}', 5);"
    "CREATE TABLE heads(user INTEGER PRIMARY KEY, last INTEGER NOT NULL, events INTEGER NOT NULL);"
    "INSERT INTO heads VALUES(1, 2, 2);"
    "CREATE TABLE types(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "INSERT INTO types VALUES(1, 'like');"
    "CREATE TABLE events(place INTEGER PRIMARY KEY, user INTEGER NOT NULL, item INTEGER NOT NULL,"
    " type INTEGER NOT NULL, value REAL NOT NULL, time_ms INTEGER NOT NULL, prev INTEGER NOT NULL,"
    " event_id TEXT, recommendation_id TEXT);"
    "INSERT INTO events VALUES(1, 1, 1, 1, 1.0, 10, 0, 'e', NULL),"
    " (2, 1, 1, 1, 2.5, 11, 1, NULL, 'r');"
    "CREATE TABLE event_ids_0(hash INTEGER PRIMARY KEY, place INTEGER NOT NULL);"
    "CREATE TABLE event_ids_1(hash INTEGER PRIMARY KEY, place INTEGER NOT NULL);"
    "CREATE TABLE served(id INTEGER PRIMARY KEY, recommendation_id TEXT NOT NULL, user_id TEXT,"
    " time_ms INTEGER NOT NULL, list TEXT NOT NULL);"
    "INSERT INTO served VALUES(1, 'r', 'u', 9, '[]'), (2, 'n', NULL, 9, '[]'), (4, 'o', 'v', 9, "
    "'[]'),"
    " (5, 'r2', 'u', 10, '[]'), (7, 'r3', 'u', 11, '[]');"
    "CREATE INDEX served_user ON served(user_id) WHERE user_id IS NOT NULL;"
    "CREATE TABLE notes(name TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID;"
    "PRAGMA application_id = 0x70616c61; PRAGMA user_version = 1;";

static void an_older_schema_is_brought_up(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *s;
    struct str text = {0};
    size_t repeated;
    close_store(w);
    unlink(w->path);
    script(w->path, schema_1);
    assert_int_equal(store_open(w->url, true, &s, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "open it once for writing"));
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
    store_text(w->s, &text);
    assert_string_equal(str_text(&text), "item i|T|[\"c\"]|||1|4\n"
                                         "user u|{}|5\n"
                                         "event u|i|like|1|10|e|\n"
                                         "event u|i|like|2.5|11||r\n"
                                         "served r3|u|11|[]\n"
                                         "served r2|u|10|[]\n"
                                         "served o|v|9|[]\n"
                                         "served n||9|[]\n"
                                         "served r|u|9|[]\n"
                                         "1 items, 1 users, 2 events, 5 served, position 7\n");
    str_clear(&text);
    assert_ok(store_served(w->s, "u", 0, tell_served, &text, &err), &err);
    assert_string_equal(str_text(&text), "served r3|u|11|[]\nserved r2|u|10|[]\nserved r|u|9|[]\n");
    struct store_change again = event_change(8, "u", "i", "like", 1, "e");
    assert_ok(store_apply(w->s, &again, 1, 8, &repeated, &err), &err);
    assert_int_equal(repeated, 1);
    assert_ok(store_forget_served(w->s, 100, NULL, &err), &err);
    assert_ok(store_open(w->url, true, &s, &err), &err); /* now it can be read */
    store_close(s);
    script(w->path, "SELECT * FROM named_events");
    str_done(&text);
}

/* Half of the memory for pages is the writer's, the rest is shared out among eight readers; readers
 * of before don't keep theirs. */
static void pages_have_a_ceiling(void **state)
{
    struct scene *w = *state;
    struct sqlite_store *s = (struct sqlite_store *)w->s;
    struct pal_error err;
    struct conn *c;
    int64_t kib;
    for (int64_t mib = 64; mib >= 1; mib /= 8) {
        if (mib < 64)
            assert_ok(store_cache(w->s, mib << 20, &err), &err);
        assert_ok(sql_number(s->writer, "PRAGMA cache_size", &kib, &err), &err);
        assert_int_equal(kib, -(mib * 512 + 1));
        assert_ok(reader_take(s, &c, &err), &err);
        assert_ok(sql_number(c, "PRAGMA cache_size", &kib, &err), &err);
        assert_int_equal(kib, -(mib * 64 + 1));
        reader_give(s, c);
    }
}

static void a_later_schema_is_refused(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *s;
    close_store(w);
    script(w->path, "PRAGMA user_version = 1000");
    assert_int_equal(store_open(w->url, false, &w->s, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "schema 1000, made by a later version"));
    assert_int_equal(store_open(w->url, true, &s, &err), PAL_EUNSUPPORTED);
}

/* ---- Erasing ---- */

static bool file_holds(const char *path, const char *ending, const char *text)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s", path, ending);
    FILE *f = fopen(name, "rb");
    if (!f)
        return false;
    fseek(f, 0, SEEK_END);
    size_t size = (size_t)ftell(f);
    char *bytes = malloc(size + 1);
    rewind(f);
    assert_int_equal(fread(bytes, 1, size, f), size);
    fclose(f);
    bool found = memmem(bytes, size, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

static bool anywhere(const struct scene *w, const char *text)
{
    return file_holds(w->path, "", text) || file_holds(w->path, "-wal", text) ||
           file_holds(w->path, "-shm", text);
}

/* Thousands of users in random order, so that pages are split and filled up again. */
static void fill(struct scene *w, struct rng *r, unsigned users)
{
    for (unsigned round = 0; round < 10; round++) {
        static struct store_change c[2000];
        static char text[2000][3][64];
        for (unsigned i = 0; i < 2000; i++) {
            unsigned u = (unsigned)rng_below(r, users);
            snprintf(text[i][0], 64, "person-%05u-of-the-street", u);
            snprintf(text[i][1], 64, "{\"secret\":\"sh-%05u-sh\"}", u);
            snprintf(text[i][2], 64, "ticket-%05u-%u-%u", u, round, i);
            if (i % 4 == 0)
                c[i] = (struct store_change){
                    .seq = 0, .record = {.kind = RECORD_USER, .user = {text[i][0], text[i][1], 1}}};
            else if (i % 4 == 1)
                c[i] = (struct store_change){
                    .seq = 0,
                    .record = {.kind = RECORD_SERVED,
                               .served = {"rec", text[i][0], 1, "[]", NULL, 0}}};
            else
                c[i] = event_change(0, text[i][0], "thing", "like", 1, text[i][2]);
        }
        apply(w->s, c, 2000, 0);
    }
}

static void a_deleted_user_is_in_no_file(void **state)
{
    struct scene *w = *state;
    struct rng r;
    enum { USERS = 3000, STEP = 60 };
    rng_init(&r, 3, 0);
    fill(w, &r, USERS);
    assert_true(anywhere(w, "person-00060-of-the-street"));
    for (unsigned u = 0; u < USERS; u += STEP) {
        char id[64], secret[64], ticket[64];
        snprintf(id, sizeof id, "person-%05u-of-the-street", u);
        snprintf(secret, sizeof secret, "sh-%05u-sh", u);
        snprintf(ticket, sizeof ticket, "ticket-%05u-", u);
        struct store_change c = id_change(0, RECORD_USER_DELETE, id);
        apply(w->s, &c, 1, 0);
        assert_false(anywhere(w, id));
        assert_false(anywhere(w, secret));
        assert_false(anywhere(w, ticket));
    }
    assert_true(anywhere(w, "person-00061-of-the-street")); /* the others are there */
    struct store_change all = id_change(0, RECORD_CLEAR, NULL);
    apply(w->s, &all, 1, 0);
    assert_false(anywhere(w, "person-"));
    assert_false(anywhere(w, "ticket-"));
}

static enum pal_status delete_meanwhile(void *ctx, const struct user_row *u, struct pal_error *err)
{
    struct scene *w = ctx;
    struct store_change c = id_change(0, RECORD_USER_DELETE, "person-00060-of-the-street");
    (void)u;
    return store_apply(w->s, &c, 1, 0, NULL, err);
}

/* A reader keeps old pages in the log; they go when it ends. */
static void what_a_reader_held_goes_with_it(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct rng r;
    rng_init(&r, 3, 0);
    fill(w, &r, 100);
    assert_ok(store_user(w->s, "person-00060-of-the-street", delete_meanwhile, w, &err), &err);
    assert_false(anywhere(w, "person-00060-of-the-street"));
}

static enum pal_status delete_and_copy(void *ctx, const struct user_row *u, struct pal_error *err)
{
    struct scene *w = ctx;
    char command[256];
    enum pal_status st = delete_meanwhile(ctx, u, err);
    snprintf(command, sizeof command, "cd %s && mkdir killed && cp palate.db palate.db-wal killed/",
             w->dir);
    assert_int_equal(system(command), 0);
    return st;
}

/* Killed after it deleted and before the log was emptied, which the next one that opens it does. */
static void what_a_killed_process_left_goes(void **state)
{
    struct scene *w = *state, killed;
    struct pal_error err;
    struct rng r;
    char url[300];
    rng_init(&r, 3, 0);
    fill(w, &r, 100);
    assert_ok(store_user(w->s, "person-00060-of-the-street", delete_and_copy, w, &err), &err);
    snprintf(killed.path, sizeof killed.path, "%.40s/killed/palate.db", w->dir);
    assert_true(anywhere(&killed, "person-00060-of-the-street"));
    snprintf(url, sizeof url, "sqlite:%s", killed.path);
    assert_ok(store_open(url, false, &killed.s, &err), &err);
    assert_false(anywhere(&killed, "person-00060-of-the-street"));
    assert_true(anywhere(&killed, "person-00061-of-the-street"));
    store_close(killed.s);
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_listed),
        IN_A_STORE(paths_that_cannot_be),
        IN_A_STORE(one_process_writes),
        IN_A_STORE(foreign_files_are_refused),
        IN_A_STORE(an_older_schema_is_brought_up),
        IN_A_STORE(pages_have_a_ceiling),
        IN_A_STORE(a_later_schema_is_refused),
        IN_A_STORE(a_deleted_user_is_in_no_file),
        IN_A_STORE(what_a_reader_held_goes_with_it),
        IN_A_STORE(what_a_killed_process_left_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
