/* A stream between the journal and the store: what was acknowledged is in the store once, in order
 * per user, whatever fails; answers see what was just told; other processes see it soon after. The
 * broker is a fake one with faults. */
#include "stream_world.h"

#include "store/store.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_in_reaches_the_store_once),
        TEST(faults_cost_nothing),
        TEST(roles_work_together),
        TEST(a_restart_goes_on_where_the_store_is),
        TEST(erasures_keep_their_place),
        TEST(what_cant_be_read_is_put_aside),
        TEST(killed_at_any_moment_nothing_is_lost),
    };
    const char *only = getenv("PALATE_TEST_ONLY");
    if (only)
        cmocka_set_test_filter(only);
    bus_add_kind(&fake_bus_ops);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
