/* A stream's odd moments: it comes and goes, a batch is tried again in smaller parts, messages are
 * put aside, and other processes store things and forget everything. The broker is a fake one. */
#include "stream_world.h"

#include "store/store.h"

/* A site gets a stream, goes without it, and has it again: what went into the store directly is not
 * published after that. */
static void a_stream_comes_and_goes(void **state)
{
    struct world *w = *state;
    w->config.live.served = false;
    for (unsigned part = 0; part < 4; part++) {
        w->config.live.stream = part % 2 ? NULL : "fake:x";
        world_open(w);
        for (unsigned k = part * 5; k < part * 5 + 5; k++)
            tell(w, 0, k);
        world_drain(w);
        struct event *events;
        size_t n;
        uint64_t next;
        struct pal_error err;
        assert_ok(live_user_events(w->l, "user-0", 0, 100, &w->tmp, &events, &n, &next, &err),
                  &err);
        assert_int_equal(n, part * 5 + 5);
        for (size_t i = 0; i < n; i++) {
            char item[32];
            sprintf(item, "item-%zu", n - 1 - i);
            assert_string_equal(events[i].item_id, item);
        }
        arena_reset(&w->tmp);
        assert_int_equal(broker->published, part < 2 ? 5 : 10);
        world_close(w, 10000);
    }
}

/* The moments that messages carry, by their number in the journal. */
static void note_moments(int64_t *at, size_t most)
{
    for (unsigned s = 0; s < FAKE_SHARDS; s++)
        for (size_t i = 0; i < broker->shard[s].count; i++) {
            const char *body = broker->bytes + broker->shard[s].message[i].at;
            const char *seq = strstr(body, "\"seq\":"), *moment = strstr(body, "\"at\":");
            size_t number = strtoul(seq + 6, NULL, 10);
            int64_t ms = strtoll(moment + 5, NULL, 10);
            assert_true(number < most && ms > 0);
            if (at[number] && at[number] != ms)
                fail_msg("record %zu was published with two moments", number);
            at[number] = ms;
        }
}

/* A batch that the broker took unheard is tried again by a process that takes less at once: each of
 * its parts carries the moment that it carried then. */
static void a_smaller_batch_keeps_its_moment(void **state)
{
    enum { COUNT = 10 };
    struct world *w = *state;
    struct record r[COUNT];
    int64_t at[COUNT + 1] = {0};
    struct pal_error err;
    unsigned published = 0;
    w->config.live.served = false;
    broker_lock();
    broker->unheard = true;
    broker_unlock();
    world_open(w);
    for (int i = 0; i < COUNT; i++)
        r[i] = event_record("user-0", "item-0", "view");
    assert_ok(live_write_wait(w->l, r, COUNT, &err), &err);
    while (published < 2 * COUNT) {
        usleep(1000);
        broker_lock();
        published = broker->published;
        broker_unlock();
    }
    world_close(w, 0);
    broker_lock();
    broker->unheard = false;
    broker_unlock();
    w->config.live.drain_most = 3;
    world_open(w);
    world_drain(w);
    assert_true(broker->published >= 3 * COUNT);
    note_moments(at, COUNT + 1);
    assert_true(at[1] && at[COUNT]);
}

/* Who waits until the store has all of a journal up to a number waits for nothing that was put
 * aside: it has come as far as it will. */
static void what_is_put_aside_has_come(void **state)
{
    struct world *w = *state;
    static const char body[] = "{\"journal\":\"0123456789ab\",\"seq\":7,\"at\":1700000000000,"
                               "\"event\":{\"user_id\":\"u\"}}";
    struct store_reach reach[4];
    struct pal_error err;
    size_t count = 0;
    broker_lock();
    broker_put(1, body, sizeof body - 1);
    broker_unlock();
    world_open(w);
    for (int tries = 0; !count && tries < 5000; tries++, usleep(1000))
        assert_ok(store_reaches(live_store(w->l), "0123456789ab", reach, 4, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(reach[0].shard, 1);
    assert_int_equal(reach[0].seq, 7);
    assert_int_equal(broker->refused, 1);
}

/* A broker that keeps what was put aside and could not be told so is told the next time, though
 * nothing else comes. */
static void what_is_put_aside_is_settled(void **state)
{
    struct world *w = *state;
    size_t settled = 0;
    broker_lock();
    broker_put(2, "rubbish", 7);
    broker->late = 2;
    broker_unlock();
    world_open(w);
    for (int tries = 0; !settled && tries < 5000; tries++, usleep(1000)) {
        broker_lock();
        settled = broker->shard[2].settled;
        broker_unlock();
    }
    assert_int_equal(settled, 1);
    assert_int_equal(broker->refused, 1);
}

/* What comes from elsewhere: as if another process had stored it. */
static void store_of_others(struct world *w, struct record r, int64_t at_ms)
{
    const struct store_change c = {.record = r, .seq = 1, .at_ms = at_ms};
    struct pal_error err;
    assert_ok(store_take(live_store(w->l), &c, 1, NULL, 0, NULL, &err), &err);
}

/* Ids that other journals gave are remembered as well: what came in elsewhere is known when it is
 * told here once more. */
static void ids_of_other_journals_are_known(void **state)
{
    struct world *w = *state;
    struct record theirs = event_record("user-0", "item-5", "like");
    struct live_status s;
    struct pal_error err;
    world_open(w);
    theirs.event.event_id = "0123456789ab-0000000000000007";
    theirs.event.time_ms = 1700000000000;
    store_of_others(w, theirs, 1700000000000);
    do {
        live_status(w->l, &s);
        usleep(1000);
    } while (s.follow.records < 1);
    assert_int_equal(s.events_repeated, 0);
    assert_ok(live_write_wait(w->l, &theirs, 1, &err), &err);
    live_status(w->l, &s);
    assert_int_equal(s.events_repeated, 1);
}

/* Answers come to so many items, none of them this one. */
static void wait_for_answer(struct world *w, size_t count, const char *not_this)
{
    struct live_answer a;
    for (int tries = 0; tries < 5000; tries++, usleep(1000)) {
        a = world_ask(w, "user-0", 10);
        bool right = a.count == count && !answer_has(&a, not_this);
        arena_reset(&w->tmp);
        if (right)
            return;
    }
    fail_msg("%zu items instead of %zu without %s", a.count, count, not_this);
}

/* Another process forgets everything while own events are still on their way. What came into the
 * store behind that counts at once, and so do they when they come. */
static void others_forget_everything(void **state)
{
    struct world *w = *state;
    struct record theirs = event_record("user-0", "item-5", "like");
    world_open(w);
    world_items(w, 10);
    world_drain(w);
    broker_faults(false, true, 0);
    tell(w, 0, 1); /* on its way */
    store_of_others(w, (struct record){.kind = RECORD_CLEAR}, 1700000000000);
    theirs.event.event_id = "theirs";
    theirs.event.time_ms = 1700000000001;
    store_of_others(w, theirs, 1700000000001);
    for (int i = 0; i < 4; i++) {
        char id[16];
        sprintf(id, "item-%d", i);
        store_of_others(w,
                        (struct record){.kind = RECORD_ITEM,
                                        .item = {.item_id = id, .title = id, .available = true}},
                        1700000000002);
    }
    wait_for_answer(w, 4, "item-5");
    broker_faults(false, false, 0);
    world_drain(w);
    wait_for_answer(w, 3, "item-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_comes_and_goes),         TEST(a_smaller_batch_keeps_its_moment),
        TEST(what_is_put_aside_has_come),      TEST(what_is_put_aside_is_settled),
        TEST(ids_of_other_journals_are_known), TEST(others_forget_everything),
    };
    bus_add_kind(&fake_bus_ops);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
