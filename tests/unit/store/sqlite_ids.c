/* Repeated event_ids, with limits made so small that ids go from memory into the tables and the
 * tables take turns all the time: whatever was among the last so many is recognized, after a
 * restart too; what is not recognized any more is older than promised; no new id is taken for an
 * old one. */
#include "test.h"

#include <inttypes.h>
#include <sqlite3.h>

#include "store/sqlite.h"

#include "world.h"

static void make_small(struct scene *w)
{
    struct sqlite_store *s = (struct sqlite_store *)w->s;
    s->limits = (struct ids_limits){40, 150, 200};
    /* there are thousands of small transactions, and no power is cut here */
    sqlite3_exec(s->writer->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
}

static size_t rows(const struct scene *w, const char *table)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    char query[96];
    snprintf(query, sizeof query, "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    size_t n = (size_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

/* Applies one event with that id; true if it was taken for a repeat. */
static bool is_repeat(struct scene *w, uint64_t id)
{
    struct pal_error err;
    char user[48], text[48];
    size_t repeated;
    struct store_change c =
        event_change(0, word(user, "u", id % 7), "i", "like", 1, word(text, "id-", id));
    assert_ok(store_apply(w->s, &c, 1, 0, &repeated, &err), &err);
    return repeated == 1;
}

static void the_last_ones_are_known(void **state)
{
    struct scene *w = *state;
    struct rng r;
    enum { ROUNDS = 2000, PROMISED = 200 };
    size_t turns = 0, forgotten = 0;
    rng_init(&r, 1, 0);
    make_small(w);
    for (uint64_t next = 0; next < ROUNDS; next++) {
        size_t before = rows(w, "event_ids_0");
        assert_false(is_repeat(w, next));
        turns += rows(w, "event_ids_0") < before;
        uint64_t back = rng_below(&r, PROMISED - 40);
        if (back <= next)
            assert_true(is_repeat(w, next - back));
        if (rng_below(&r, 100) == 0) {
            reopen(w);
            make_small(w);
        }
    }
    assert_true(turns >= 3);
    assert_true(rows(w, "event_ids_0") <= 200 && rows(w, "event_ids_1") <= 200);
    for (uint64_t id = 0; id < 1000; id++)
        forgotten += !is_repeat(w, id);
    assert_true(forgotten > 900);
}

/* Events without ids between them: the place from which ids are read after a restart moves on. */
static void few_ids_among_many_events(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    make_small(w);
    for (uint64_t id = 0; id < 20; id++) {
        struct store_change plain[60];
        for (size_t i = 0; i < 60; i++)
            plain[i] = event_change(0, "u", "i", "view", 1, NULL);
        assert_false(is_repeat(w, id));
        assert_ok(store_apply(w->s, plain, 60, 0, NULL, &err), &err);
        struct sqlite_store *s = (struct sqlite_store *)w->s;
        assert_true(s->state.next_place - s->state.ids_through <= 150 + 62);
        if (id % 3 == 0) {
            reopen(w);
            make_small(w);
        }
        for (uint64_t old = 0; old <= id; old++)
            assert_true(is_repeat(w, old));
    }
}

/* An erased event's id means nothing any more. */
static void an_erased_id_may_come_again(void **state)
{
    struct scene *w = *state;
    make_small(w);
    for (uint64_t id = 0; id < 100; id++)
        assert_false(is_repeat(w, id));
    struct store_change c = id_change(0, RECORD_USER_DELETE, "u3");
    apply(w->s, &c, 1, 0);
    for (uint64_t id = 0; id < 100; id++)
        assert_int_equal(is_repeat(w, id), id % 7 != 3);
    for (uint64_t id = 0; id < 100; id++)
        assert_true(is_repeat(w, id));
    c = id_change(0, RECORD_CLEAR, NULL);
    apply(w->s, &c, 1, 0);
    assert_int_equal(rows(w, "event_ids_0") + rows(w, "event_ids_1"), 0);
    for (uint64_t id = 0; id < 100; id++)
        assert_false(is_repeat(w, id));
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(the_last_ones_are_known),
        IN_A_STORE(few_ids_among_many_events),
        IN_A_STORE(an_erased_id_may_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
