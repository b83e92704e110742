/* kill -9 at random moments: whatever was acknowledged is there exactly once when it is opened
 * again, and what was not is there whole or not at all. */
#include "live_world.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 20, WRITERS = 3 };

struct shared {
    atomic_uint acknowledged[WRITERS]; /* events of each writer */
};

struct writer {
    struct world *w;
    unsigned round, number;
    struct shared *shared;
};

static void user_of(unsigned round, unsigned writer, char *out)
{
    sprintf(out, "user-%u-%u", round, writer);
}

/* Events 0, 1, 2, … in ones and threes, until somebody kills the process. */
static void *write_for_ever(void *arg)
{
    struct writer *me = arg;
    char user[32], item[3][16];
    user_of(me->round, me->number, user);
    for (unsigned k = 0;;) {
        struct record r[3];
        struct pal_error err;
        unsigned n = k % 2 ? 3 : 1;
        for (unsigned i = 0; i < n; i++) {
            sprintf(item[i], "%u", k + i);
            r[i] = event_record(user, item[i], "like");
        }
        if (live_write_wait(me->w->l, r, n, &err) != PAL_OK)
            _exit(3);
        k += n;
        atomic_store(&me->shared->acknowledged[me->number], k);
    }
}

/* The process that is killed. */
static void live_for_a_while(struct world *w, unsigned round, struct shared *shared)
{
    struct writer writer[WRITERS];
    pthread_t thread;
    struct pal_error err;
    if (live_open(&w->config, NULL, NULL, &w->l, &err) != PAL_OK)
        _exit(2);
    for (unsigned i = 0; i < WRITERS; i++) {
        writer[i] = (struct writer){w, round, i, shared};
        pthread_create(&thread, NULL, write_for_ever, &writer[i]);
    }
    for (;;)
        pause();
}

/* All events of a writer, in order: exactly 0, 1, 2, …, at least as many as were acknowledged.
 * Batches are whole: 1, 2, 5, 6, 9, … events. */
static void check_user(struct world *w, unsigned round, unsigned writer, unsigned acknowledged)
{
    char user[32], item[32];
    struct event *events;
    size_t count;
    uint64_t next;
    struct pal_error err;
    user_of(round, writer, user);
    assert_ok(live_user_events(w->l, user, 0, 100000, &w->tmp, &events, &count, &next, &err), &err);
    assert_true(count >= acknowledged);
    assert_true(count == 0 || count % 4 == 1 || count % 4 == 0 || count % 4 == 2);
    for (size_t i = 0; i < count; i++) {
        sprintf(item, "%zu", count - 1 - i);
        assert_string_equal(events[i].item_id, item);
    }
    /* and memory says the same */
    struct live_request q = request_for(user, 1000);
    struct live_answer a;
    assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
    for (size_t i = 0; i < a.count; i++)
        assert_true((size_t)atoi(a.items[i].row.item_id) >= count);
    arena_reset(&w->tmp);
}

static void what_was_acknowledged_is_there_once(void **state)
{
    struct world *w = *state;
    unsigned acknowledged[ROUNDS][WRITERS], total = 0;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    w->config.journal.sync = true;
    w->config.journal.segment_bytes = 1 << 14;
    w->config.live.drain_most = 50;
    w->config.live.profile_seen = 100000;
    srand(11);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int status;
        memset(shared, 0, sizeof *shared);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            live_for_a_while(w, round, shared);
        unsigned until = 1 + (unsigned)rand() % 400;
        while (atomic_load(&shared->acknowledged[0]) < until &&
               waitpid(child, &status, WNOHANG) == 0)
            sched_yield();
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        for (unsigned i = 0; i < WRITERS; i++)
            total += acknowledged[round][i] = atomic_load(&shared->acknowledged[i]);
        world_open(w);
        for (unsigned i = 0; i < WRITERS; i++)
            check_user(w, round, i, acknowledged[round][i]);
        world_close(w, round % 2 ? 10000 : 0);
    }
    world_open(w);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < WRITERS; i++)
            check_user(w, round, i, acknowledged[round][i]);
    print_message("%u events acknowledged by %d killed processes\n", total, ROUNDS);
    munmap(shared, sizeof *shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_once, world_make,
                                        world_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
