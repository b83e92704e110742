/* A store that is busy, or whose file is moved away, costs nothing but itself: events are taken,
 * answers go on and know of them, and all of it is in the store once that is back. */
#include "live_world.h"

#include <sqlite3.h>
#include <stdatomic.h>

/* Another program that writes to the database, and takes its time. */
static sqlite3 *keep_busy(struct world *w)
{
    sqlite3 *other;
    assert_int_equal(sqlite3_open(w->store + strlen("sqlite:"), &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 20000); /* the store may be at it itself */
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return other;
}

static void let_go(sqlite3 *other)
{
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

static void wait_until_failing(struct world *w)
{
    struct live_status status;
    do {
        usleep(1000);
        live_status(w->l, &status);
    } while (!status.store_failing);
}

/* Events that the store does not take are counted all the same. */
static void check_life_goes_on(struct world *w)
{
    struct pal_error err;
    struct event *events;
    struct live_status status;
    size_t count;
    uint64_t next;
    for (int i = 0; i < 10; i++) {
        char item[16];
        sprintf(item, "item-%d", i);
        world_event(w, "ann", item, "like");
    }
    wait_until_failing(w);
    assert_int_equal(world_ask(w, "ann", 100).count, 10);
    assert_int_equal(live_user_events(w->l, "ann", 0, 5, &w->tmp, &events, &count, &next, &err),
                     PAL_EIO);
    assert_non_null(strstr(err.message, "behind"));
    live_status(w->l, &status);
    assert_int_equal(status.pending_events, 10);
    assert_true(world_said(w, "the store takes nothing now"));
}

static void a_busy_store_is_waited_for(void **state)
{
    struct world *w = *state;
    struct live_status status;
    struct pal_error err;
    struct event *events;
    size_t count;
    uint64_t next;
    world_open(w);
    world_items(w, 20);
    world_drain(w);
    sqlite3 *other = keep_busy(w);
    check_life_goes_on(w);
    let_go(other);
    world_drain(w);
    assert_ok(live_user_events(w->l, "ann", 0, 50, &w->tmp, &events, &count, &next, &err), &err);
    assert_int_equal(count, 10);
    live_status(w->l, &status);
    assert_false(status.store_failing);
    assert_int_equal(status.pending_events, 0);
    assert_true(world_said(w, "the store takes events again"));
    const char *first = strstr(w->log, "takes nothing now");
    assert_null(strstr(first + 1, "takes nothing now")); /* said once */
}

static void a_file_moved_away_is_noticed(void **state)
{
    struct world *w = *state;
    char away[128];
    const char *path = w->store + strlen("sqlite:");
    world_open(w);
    world_items(w, 20);
    world_drain(w);
    snprintf(away, sizeof away, "%s/away", w->dir);
    assert_int_equal(rename(path, away), 0);
    check_life_goes_on(w);
    assert_int_equal(rename(away, path), 0);
    world_drain(w);
    world_close(w, 10000);
    world_open(w);
    assert_int_equal(world_ask(w, "ann", 100).count, 10);
}

/* Closed while the store takes nothing: the journal keeps it for the next start. */
static void a_start_brings_what_is_left(void **state)
{
    struct world *w = *state;
    world_open(w);
    world_items(w, 20);
    world_drain(w);
    sqlite3 *other = keep_busy(w);
    check_life_goes_on(w);
    world_close(w, 0);
    assert_true(world_said(w, "for the next start"));
    let_go(other);
    world_open(w);
    assert_int_equal(world_ask(w, "ann", 100).count, 10);
    struct user_row user;
    uint64_t n;
    struct pal_error err;
    assert_ok(live_user(w->l, "ann", &w->tmp, &user, &n, &err), &err);
    assert_int_equal(n, 10);
}

/* The journal's bound is told, and ends when the store takes events again. */
static void a_full_journal_says_so(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    w->config.journal.segment_bytes = 4096;
    w->config.journal.most_bytes = 32768;
    world_open(w);
    world_drain(w);
    sqlite3 *other = keep_busy(w);
    enum pal_status st = PAL_OK;
    unsigned taken = 0;
    for (; st == PAL_OK && taken < 10000; taken++) {
        struct record r = event_record("ann", "item", "like");
        st = live_write_wait(w->l, &r, 1, &err);
    }
    assert_int_equal(st, PAL_EFULL);
    let_go(other);
    world_drain(w);
    world_event(w, "ann", "item", "like");
    struct user_row user;
    uint64_t n;
    assert_ok(live_user(w->l, "ann", &w->tmp, &user, &n, &err), &err);
    assert_int_equal(n, taken); /* the one that was refused, less; the one after, more */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        TEST(a_busy_store_is_waited_for),
        TEST(a_file_moved_away_is_noticed),
        TEST(a_start_brings_what_is_left),
        TEST(a_full_journal_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
