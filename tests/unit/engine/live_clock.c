/* A clock that jumps, back by a month and on by twenty years, with counts that fade fast: events
 * get the time there is, one from what is now the future is refused, and every list stays whole,
 * finite and as fresh as before, also after a restart. */
#include "live_world.h"

#include <math.h>

enum { ITEMS = 30 };
static const int64_t DAY_MS = 86400000, BEGIN_MS = 1735689600000 /* 2025 */;

static void check_lists(struct world *w, const char *user)
{
    struct pal_error err;
    struct live_request q = request_for(user, ITEMS);
    struct live_answer a;
    for (int list = 0; list < 3; list++) {
        if (list == 0)
            assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
        else
            assert_ok(live_top(w->l, list == 2, &q, &w->tmp, &a, &err), &err);
        for (size_t i = 0; i < a.count; i++) {
            assert_true(isfinite(a.items[i].score));
            assert_true(a.items[i].propensity >= 0 && a.items[i].propensity <= 1);
        }
        if (list == 0)
            assert_in_range(a.count, ITEMS - 3, ITEMS);
    }
}

static int64_t time_of_newest(struct world *w, const char *user)
{
    struct event *events;
    struct pal_error err;
    size_t count;
    uint64_t next;
    assert_ok(live_user_events(w->l, user, 0, 1, &w->tmp, &events, &count, &next, &err), &err);
    assert_int_equal(count, 1);
    return events[0].time_ms;
}

static enum pal_status like_at(struct world *w, const char *user, const char *item, int64_t time_ms)
{
    struct record r = event_record(user, item, "like");
    struct pal_error err;
    r.event.time_ms = time_ms;
    return live_write_wait(w->l, &r, 1, &err);
}

static void it_jumps_both_ways(void **state)
{
    struct world *w = *state;
    static const int64_t jumps[] = {0, -30, 20 * 365, -20 * 365, 1};
    int64_t now = BEGIN_MS;
    w->config.seed = 7;
    w->config.bandit.half_life_days = 1;
    w->config.bandit.popular_days = 1;
    world_open(w);
    live_set_clock(w->l, now);
    world_items(w, ITEMS);
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        char user[16];
        snprintf(user, sizeof user, "user-%zu", i);
        now += jumps[i] * DAY_MS;
        live_set_clock(w->l, now);
        check_lists(w, "ann");
        assert_int_equal(like_at(w, user, "item-1", 0), PAL_OK);
        assert_int_equal(time_of_newest(w, user), now);
        assert_int_equal(like_at(w, user, "item-2", now + DAY_MS), PAL_EUSAGE);
        assert_int_equal(like_at(w, user, "item-3", BEGIN_MS - 60 * DAY_MS), PAL_OK);
        live_keep(w->l);
        check_lists(w, user);
        struct live_answer a = world_ask(w, user, ITEMS);
        assert_false(answer_has(&a, "item-1")); /* the last click counts, whatever the time */
        assert_false(answer_has(&a, "item-3"));
        assert_true(answer_has(&a, "item-2"));
    }
    world_drain(w);
    world_close(w, 10000);
    world_open(w); /* everything is counted anew, the events of all times in the order they came */
    live_set_clock(w->l, BEGIN_MS - 60 * DAY_MS); /* before any of them */
    check_lists(w, "user-0");
    live_set_clock(w->l, now + 40 * 365 * DAY_MS);
    live_keep(w->l);
    check_lists(w, "user-4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_jumps_both_ways, world_make, world_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
