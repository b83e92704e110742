/* A stream between the journal and the store: what was acknowledged is in the store once, in order
 * per user, whatever fails; answers see what was just told; other processes see it soon after. The
 * broker is a fake one with faults. */
#include "live_world.h"

#include "fake_bus.h"
#include "store/store.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { USERS = 5 };

static int stream_make(void **state)
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

static int stream_drop(void **state)
{
    int failed = world_drop(state);
    broker_drop();
    return failed;
}

static void broker_faults(bool away, bool deaf, unsigned faulty)
{
    broker_lock();
    broker->away = away;
    broker->deaf = deaf;
    broker->faulty = faulty;
    broker_unlock();
}

/* Event number k of a user: it names item k; every third has a client's id. */
static void tell(struct world *w, unsigned user, unsigned k)
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
static void check_user(struct live *l, struct arena *tmp, const char *name, size_t count)
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
static void check_answer(struct world *w, struct live *l, unsigned user, unsigned told,
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

static void what_comes_in_reaches_the_store_once(void **state)
{
    struct world *w = *state;
    w->config.live.served = false;
    world_open(w);
    world_items(w, 50);
    for (unsigned k = 0; k < 40; k++)
        for (unsigned u = 0; u < USERS; u++) {
            tell(w, u, k);
            if (k % 7 == 0)
                check_answer(w, w->l, u, k + 1, 50);
        }
    world_drain(w);
    for (unsigned u = 0; u < USERS; u++) {
        char name[16];
        sprintf(name, "user-%u", u);
        check_user(w->l, &w->tmp, name, 40);
    }
    assert_int_equal(broker->published, 50 + 40 * USERS);
    struct live_status s;
    live_status(w->l, &s);
    assert_true(s.stream.there && s.stream.publishes && s.stream.receives);
    assert_int_equal(s.stream.stored, 50 + 40 * USERS);
    assert_int_equal(s.stream.repeated, 0);
    assert_int_equal(s.events_since_training, 40 * USERS);
}

/* All faults at once, and small profiles, so that they come and go. */
static void faults_cost_nothing(void **state)
{
    struct world *w = *state;
    w->config.live.profile_bytes = 1 << 16;
    broker_faults(false, false, 4);
    world_open(w);
    world_items(w, 140);
    for (unsigned k = 0; k < 120; k++) {
        if (k % 40 == 8)
            broker_faults(true, false, 4);
        if (k % 40 == 24)
            broker_faults(false, k % 80 > 40, 4);
        if (k == 80) { /* what is in the stream then is not in memory until it is stored */
            broker_faults(false, false, 0);
            world_drain(w);
            world_close(w, 0);
            broker_faults(false, false, 4);
            world_open(w);
        }
        for (unsigned u = 0; u < USERS; u++) {
            tell(w, u, k);
            check_answer(w, w->l, u, k + 1, 140);
        }
        for (unsigned u = 0; u < 30; u++) { /* crowd the others out */
            char name[16];
            sprintf(name, "crowd-%u", u);
            struct live_answer a = world_ask(w, name, 1);
            assert_int_equal(a.count, 1);
            arena_reset(&w->tmp);
        }
    }
    broker_faults(false, false, 0);
    world_drain(w);
    for (unsigned u = 0; u < USERS; u++) {
        char name[16];
        sprintf(name, "user-%u", u);
        check_user(w->l, &w->tmp, name, 120);
        check_answer(w, w->l, u, 120, 140);
    }
    assert_true(world_said(w, "the stream takes nothing now"));
    assert_true(world_said(w, "the stream takes events again"));
}

/* One process that takes in, one that stores, one that answers. */
static void roles_work_together(void **state)
{
    struct world *w = *state;
    struct live *pipeline, *recs;
    struct pal_error err;
    char collector_journal[96], recs_journal[96];
    snprintf(collector_journal, sizeof collector_journal, "%s/a.d", w->dir);
    snprintf(recs_journal, sizeof recs_journal, "%s/b.d", w->dir);
    struct live_config c = w->config;
    c.roles = ROLE_PIPELINE;
    assert_ok(live_open(&c, world_say, w, &pipeline, &err), &err);
    c.roles = ROLE_RECS;
    c.live.journal = recs_journal;
    assert_ok(live_open(&c, world_say, w, &recs, &err), &err);
    w->config.roles = ROLE_COLLECTOR;
    w->config.live.journal = collector_journal;
    world_open(w);
    assert_null(live_store(w->l));
    world_items(w, 30);
    for (unsigned k = 0; k < 20; k++)
        tell(w, 0, k);
    world_drain(w); /* into the stream */
    struct live_status s;
    do {
        live_status(recs, &s);
        usleep(1000);
    } while (s.follow.records < 30 + 20);
    assert_int_equal(s.items, 30);
    check_user(recs, &w->tmp, "user-0", 20);
    check_answer(w, recs, 0, 20, 30);
    /* from now on its profile is in memory, and what is told reaches that */
    tell(w, 0, 20);
    do
        live_status(recs, &s);
    while (s.follow.records < 30 + 21);
    check_answer(w, recs, 0, 21, 30);
    /* what recs has shown is kept, too */
    struct served_row *served;
    size_t count;
    assert_ok(live_user_served(recs, "user-0", 10, &w->tmp, &served, &count, &err), &err);
    assert_int_equal(count, 2);
    arena_reset(&w->tmp);
    /* an item goes, a user is forgotten */
    struct record r[2] = {{.kind = RECORD_ITEM_DELETE, .id = "item-25"},
                          {.kind = RECORD_USER_DELETE, .id = "user-0"}};
    assert_ok(live_write_wait(w->l, r, 2, &err), &err);
    do
        live_status(recs, &s);
    while (s.follow.records < 30 + 21 + 2);
    assert_int_equal(s.items, 29);
    check_user(recs, &w->tmp, "user-0", 0);
    struct live_answer a;
    struct live_request q = request_for("user-0", 30);
    assert_ok(live_recommend(recs, &q, &w->tmp, &a, &err), &err);
    assert_int_equal(a.count, 29);
    assert_false(answer_has(&a, "item-25"));
    arena_reset(&w->tmp);
    /* and everything */
    struct record clear = {.kind = RECORD_CLEAR};
    assert_ok(live_write_wait(w->l, &clear, 1, &err), &err);
    world_item(w, "after", "after", NULL);
    do
        live_status(recs, &s);
    while (s.items != 1);
    live_status(pipeline, &s);
    assert_int_equal(s.stream.refused, 0);
    live_close(recs, 1000);
    live_close(pipeline, 1000);
}

/* What is in the stream when a process ends comes back to memory once it is stored. */
static void a_restart_goes_on_where_the_store_is(void **state)
{
    struct world *w = *state;
    world_open(w);
    world_items(w, 40);
    for (unsigned k = 0; k < 10; k++)
        tell(w, 0, k);
    world_drain(w);
    broker_faults(false, true, 0);
    for (unsigned k = 10; k < 20; k++)
        tell(w, 0, k);
    struct live_status s;
    do
        live_status(w->l, &s);
    while (s.stream.published < 40 + 20);
    check_answer(w, w->l, 0, 20, 40);
    world_close(w, 10000);
    world_open(w);
    for (unsigned k = 20; k < 30; k++)
        tell(w, 0, k);
    struct live_answer a = world_ask(w, "user-0", 40); /* so that its profile is there */
    assert_true(a.count >= 10);
    broker_faults(false, false, 0);
    world_drain(w);
    check_answer(w, w->l, 0, 30, 40);
    check_user(w->l, &w->tmp, "user-0", 30);
    live_status(w->l, &s);
    assert_int_equal(s.events_since_training, 30);
}

static void erasures_keep_their_place(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    world_open(w);
    world_items(w, 60);
    for (unsigned round = 0; round < 8; round++) {
        broker_faults(false, false, 5);
        struct record forget = {.kind = round % 4 == 3 ? RECORD_CLEAR : RECORD_USER_DELETE,
                                .id = "user-1"};
        for (unsigned k = 0; k < 30; k++)
            tell(w, 1, k);
        assert_ok(live_write_wait(w->l, &forget, 1, &err), &err);
        if (round % 4 == 3)
            world_items(w, 60);
        for (unsigned k = 0; k < round; k++)
            tell(w, 1, 100 + k);
        check_answer(w, w->l, 1, 0, 60); /* what was told since is of none of these */
        forget.kind = RECORD_USER_DELETE;
        assert_ok(live_write_wait(w->l, &forget, 1, &err), &err);
        broker_faults(false, false, 0);
        world_drain(w);
        check_user(w->l, &w->tmp, "user-1", 0);
    }
    tell(w, 1, 0);
    world_drain(w);
    check_user(w->l, &w->tmp, "user-1", 1);
}

static void what_cant_be_read_is_put_aside(void **state)
{
    struct world *w = *state;
    static const char whole[] = "{\"event\":{\"user_id\":\"u\",\"item_id\":\"item-0\","
                                "\"event_id\":\"theirs\"}}";
    static const char *const bodies[] = {"", "rubbish", "{\"event\":{\"user_id\":\"u\"}}", whole};
    broker_lock();
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        broker_put(0, bodies[i], strlen(bodies[i]));
    broker_unlock();
    world_open(w);
    tell(w, 0, 0);
    world_drain(w);
    check_user(w->l, &w->tmp, "user-0", 1);
    check_user(w->l, &w->tmp, "u", 1); /* what others publish counts, too */
    assert_int_equal(broker->refused, 3);
    assert_non_null(strstr(broker->reason, "item_id"));
    assert_true(world_said(w, "is put aside"));
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

/* ---- kill -9 ---- */

struct shared {
    atomic_uint acknowledged[USERS];
};

struct writer {
    struct world *w;
    struct shared *shared;
    unsigned user;
};

static void *write_for_ever(void *arg)
{
    struct writer *me = arg;
    for (unsigned k = atomic_load(&me->shared->acknowledged[me->user]); k < 1u << 30; k++) {
        tell(me->w, me->user, k);
        atomic_store(&me->shared->acknowledged[me->user], k + 1);
    }
    return NULL;
}

static void live_for_a_while(struct world *w, struct shared *shared)
{
    struct writer writer[USERS];
    pthread_t thread;
    struct pal_error err;
    if (live_open(&w->config, NULL, NULL, &w->l, &err) != PAL_OK)
        _exit(2);
    for (unsigned u = 0; u < USERS; u++) {
        writer[u] = (struct writer){w, shared, u};
        pthread_create(&thread, NULL, write_for_ever, &writer[u]);
    }
    for (;;)
        pause();
}

/* A write that was not acknowledged may be there or not: the next process goes on behind it. */
static void look_how_far(struct world *w, struct shared *shared)
{
    world_open(w);
    world_drain(w);
    for (unsigned u = 0; u < USERS; u++) {
        char name[16];
        struct event *events;
        size_t n;
        uint64_t next;
        struct pal_error err;
        unsigned told = atomic_load(&shared->acknowledged[u]);
        sprintf(name, "user-%u", u);
        do {
            assert_ok(live_user_events(w->l, name, 0, 1 << 20, &w->tmp, &events, &n, &next, &err),
                      &err);
            arena_reset(&w->tmp);
        } while (n < told);
        assert_true(n <= told + 1);
        atomic_store(&shared->acknowledged[u], (unsigned)n);
        check_user(w->l, &w->tmp, name, n);
    }
    world_close(w, 0);
}

static void killed_at_any_moment_nothing_is_lost(void **state)
{
    struct world *w = *state;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    memset(shared, 0, sizeof *shared);
    w->config.journal.segment_bytes = 1 << 14;
    srand(5);
    for (unsigned round = 0; round < 12; round++) {
        int status;
        unsigned until = atomic_load(&shared->acknowledged[0]) + 1 + (unsigned)rand() % 150;
        broker_faults(false, false, round % 3 ? 5 : 0);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            live_for_a_while(w, shared);
        while (atomic_load(&shared->acknowledged[0]) < until &&
               waitpid(child, &status, WNOHANG) == 0)
            usleep(200);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        broker_faults(false, false, round % 2 ? 5 : 0);
        look_how_far(w, shared);
    }
    unsigned total = 0;
    for (unsigned u = 0; u < USERS; u++)
        total += atomic_load(&shared->acknowledged[u]);
    print_message("%u events, %u messages, by 12 killed processes\n", total, broker->published);
    munmap(shared, sizeof *shared);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stream_make, stream_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_in_reaches_the_store_once),
        TEST(faults_cost_nothing),
        TEST(roles_work_together),
        TEST(a_restart_goes_on_where_the_store_is),
        TEST(erasures_keep_their_place),
        TEST(what_cant_be_read_is_put_aside),
        TEST(what_is_put_aside_has_come),
        TEST(what_is_put_aside_is_settled),
        TEST(others_forget_everything),
        TEST(killed_at_any_moment_nothing_is_lost),
    };
    const char *only = getenv("PALATE_TEST_ONLY");
    if (only)
        cmocka_set_test_filter(only);
    bus_add_kind(&fake_bus_ops);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
