/* Pauses between attempts grow and end; the counters say what is connected. */
#include "base/clock.h"
#include "test.h"

#include "bus/tally.h"

static void pauses_grow_to_a_limit(void **state)
{
    (void)state;
    struct pal_error why = {.status = PAL_EIO, .message = "nobody there"}, err;
    struct pause p = {0};
    assert_ok(pause_wait(&p, clock_steady_ms(), 0, &err), &err);
    int64_t expected = BUS_PAUSE_FIRST_MS;
    for (int i = 0; i < 12; i++) {
        pause_grow(&p, &why);
        assert_int_equal(p.length_ms, expected);
        expected = expected * 2 < BUS_PAUSE_MOST_MS ? expected * 2 : BUS_PAUSE_MOST_MS;
    }
    int64_t began = clock_steady_ms();
    assert_int_equal(pause_wait(&p, began + 30, 0, &err), PAL_EIO);
    assert_string_equal(err.message, "nobody there");
    assert_true(clock_steady_ms() - began >= 30);
    pause_reset(&p);
    assert_ok(pause_wait(&p, 0, 0, &err), &err);
    pause_grow(&p, &why);
    began = clock_steady_ms();
    assert_int_equal(pause_wait(&p, began + 2 * BUS_PAUSE_FIRST_MS, 60000, &err), PAL_EIO);
    pause_reset(&p);
    pause_grow(&p, &why);
    began = clock_steady_ms();
    assert_ok(pause_wait(&p, began + 60000, BUS_ATTEMPT_MS, &err), &err);
    assert_true(clock_steady_ms() - began >= BUS_PAUSE_FIRST_MS - 1);
}

static void is_connected_when_all_is(void **state)
{
    (void)state;
    struct pal_error why = {.status = PAL_EIO, .message = "gone"};
    struct bus_status s;
    struct tally t;
    tally_init(&t, BUS_PUBLISH | BUS_RECEIVE);
    tally_up(&t, BUS_PUBLISH, false);
    tally_look(&t, &s);
    assert_false(s.connected);
    assert_int_equal(s.backlog, -1);
    tally_up(&t, BUS_RECEIVE, false);
    tally_add(&t, 3, 2, 1);
    tally_backlog(&t, 7);
    tally_down(&t, BUS_RECEIVE, &why);
    tally_look(&t, &s);
    assert_false(s.connected);
    assert_string_equal(s.error.message, "gone");
    tally_up(&t, BUS_RECEIVE, true);
    tally_look(&t, &s);
    assert_true(s.connected);
    assert_int_equal(s.error.status, PAL_OK);
    assert_int_equal(s.published, 3);
    assert_int_equal(s.received, 2);
    assert_int_equal(s.refused, 1);
    assert_int_equal(s.reconnects, 1);
    assert_int_equal(s.backlog, 7);
    tally_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_to_a_limit),
        cmocka_unit_test(is_connected_when_all_is),
    };
    return cmocka_run_group_tests_name("bus/tally", tests, NULL, NULL);
}
