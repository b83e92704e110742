/* A running recommender with a stream that a test can disturb (fake_bus.h), and short words for
 * what is told and looked at. */
#ifndef STREAM_WORLD_H
#define STREAM_WORLD_H

#include "live_world.h"

#include "fake_bus.h"

enum { USERS = 5 };

static inline int stream_make(void **state)
{
    broker_make();
    if (world_make(state))
        return -1;
    struct world *w = *state;
    w->config.live.stream = "fake:x";
    w->config.live.follow_ms = 20;
    w->config.live.models_poll_ms = 20;
    w->config.live.drain_most = 100;
    return 0;
}

static inline int stream_drop(void **state)
{
    int failed = world_drop(state);
    broker_drop();
    return failed;
}

static inline void broker_faults(bool away, bool deaf, unsigned faulty)
{
    broker_lock();
    broker->away = away;
    broker->deaf = deaf;
    broker->faulty = faulty;
    broker_unlock();
}

/* Event number k of a user: it names item k; every third has a client's id. */
static inline void tell(struct world *w, unsigned user, unsigned k)
{
    char name[16], item[16], id[32];
    struct pal_error err;
    sprintf(name, "user-%u", user);
    sprintf(item, "item-%u", k);
    struct record r = event_record(name, item, "like");
    if (k % 3 == 0) {
        sprintf(id, "e-%u-%u", user, k);
        r.event.event_id = id;
    }
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
}

/* The store has the user's events 0, 1, …, count - 1, each once and in this order. */
static inline void check_user(struct live *l, struct arena *tmp, const char *name, size_t count)
{
    char item[32];
    struct event *events;
    size_t n;
    uint64_t next;
    struct pal_error err;
    assert_ok(live_user_events(l, name, 0, 100000, tmp, &events, &n, &next, &err), &err);
    assert_int_equal(n, count);
    for (size_t i = 0; i < n; i++) {
        sprintf(item, "item-%zu", n - 1 - i);
        assert_string_equal(events[i].item_id, item);
        assert_true(strlen(events[i].event_id) > 0);
    }
    arena_reset(tmp);
}

/* Nothing that the user told of is recommended, and the rest is. */
static inline void check_answer(struct world *w, struct live *l, unsigned user, unsigned told,
                                unsigned items)
{
    char name[16], item[16];
    struct pal_error err;
    struct live_answer a;
    sprintf(name, "user-%u", user);
    struct live_request q = request_for(name, items);
    assert_ok(live_recommend(l, &q, &w->tmp, &a, &err), &err);
    for (unsigned k = 0; k < told; k++) {
        sprintf(item, "item-%u", k);
        if (answer_has(&a, item))
            fail_msg("%s is shown to %s, who told %u", item, name, told);
    }
    assert_int_equal(a.count, items - told);
    arena_reset(&w->tmp);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stream_make, stream_drop)

#endif
