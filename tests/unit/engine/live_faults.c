/* Want of memory at every single allocation: opening fails whole or works, a write is refused or
 * counts, an answer is right or says why not, nothing leaks, and the next call works. Other threads
 * allocate too, so that it may befall one of them instead: they do without. */
#include "live_world.h"

enum { MOST = 5000 };

static void fill(struct world *w)
{
    world_open(w);
    world_items(w, 30);
    for (int i = 0; i < 5; i++) {
        char item[16];
        sprintf(item, "item-%d", i);
        world_event(w, "ann", item, "like");
    }
    world_drain(w);
}

static void opening_fails_whole_or_works(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    bool worked = false;
    fill(w);
    world_event(w, "ann", "item-5", "like"); /* to be replayed, perhaps */
    world_close(w, 0);
    long before = mem_live();
    for (long n = 1; n < MOST && !worked; n += 1 + n / 16) {
        long calls = mem_calls();
        mem_fail_at(n);
        enum pal_status st = live_open(&w->config, world_say, w, &w->l, &err);
        mem_fail_at(0);
        worked = st == PAL_OK && mem_calls() - calls < n;
        if (st == PAL_OK)
            live_close(w->l, 0);
        else
            assert_int_equal(st, PAL_ENOMEM);
        w->l = NULL;
        assert_int_equal(mem_live(), before);
    }
    assert_true(worked);
    world_open(w);
    assert_int_equal(world_ask(w, "ann", 100).count, 24);
}

static void an_answer_is_right_or_says_why(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    bool worked = false;
    fill(w);
    for (long n = 1; n < MOST && !worked; n++) {
        struct live_request q = request_for(n % 2 ? "ann" : "bob", 100);
        struct live_past past[] = {{"item-1", "like", 1, 0}, {"item-2", NULL, 1, 0}};
        struct live_answer a;
        struct arena tmp;
        if (n % 3 == 0) {
            q.user_id = NULL;
            q.past = past;
            q.past_count = 2;
        }
        arena_init(&tmp);
        long calls = mem_calls();
        mem_fail_at(n);
        enum pal_status st = live_recommend(w->l, &q, &tmp, &a, &err);
        mem_fail_at(0);
        worked = n > 12 && mem_calls() - calls < n;
        if (st == PAL_OK)
            assert_int_equal(a.count, !q.user_id ? 28 : n % 2 ? 25 : 30);
        else
            assert_int_equal(st, PAL_ENOMEM);
        arena_done(&tmp);
    }
    assert_true(worked);
}

static void a_write_is_refused_or_counts(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    uint64_t accepted = 5, n;
    struct user_row user;
    fill(w);
    for (long i = 1; i < 60; i++) {
        char id[20][32];
        struct record r[20];
        size_t count = i % 2 ? 1 : 20;
        for (size_t k = 0; k < count; k++) {
            sprintf(id[k], "new-%ld-%zu", i, k);
            r[k] = event_record("ann", id[k], "like");
        }
        mem_fail_at(1 + i / 2);
        enum pal_status st = live_write_wait(w->l, r, count, &err);
        mem_fail_at(0);
        assert_true(st == PAL_OK || st == PAL_ENOMEM);
        accepted += st == PAL_OK ? count : 0;
    }
    world_drain(w);
    assert_ok(live_user(w->l, "ann", &w->tmp, &user, &n, &err), &err);
    assert_int_equal(n, accepted);
    world_close(w, 10000);
    world_open(w); /* what was not shown for want of memory comes back */
    struct live_answer a = world_ask(w, "ann", 1000);
    assert_int_equal(a.count, 25);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        TEST(opening_fails_whole_or_works),
        TEST(an_answer_is_right_or_says_why),
        TEST(a_write_is_refused_or_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
