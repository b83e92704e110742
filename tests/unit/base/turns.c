/* What the kernel says of a thread after it has asked for its turns. */
#include "test.h"

#include "base/turns.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static struct attributes ask(void)
{
    struct attributes a = {0};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0), 0);
    return a;
}

/* Kernels that know slices say a length of their own beforehand; others 0, before and after. */
static void *soon(void *ctx)
{
    struct attributes before = ask();
    turns_soon();
    struct attributes after = ask();
    assert_int_equal(after.policy, SCHED_OTHER);
    assert_int_equal(after.nice, before.nice);
    assert_int_equal(after.runtime, before.runtime ? 400000 : 0);
    turns_behind();
    assert_int_equal(ask().policy, SCHED_BATCH);
    assert_int_equal(ask().nice, before.nice);
    turns_soon(); /* who has another policy keeps it */
    assert_int_equal(ask().policy, SCHED_BATCH);
    return NULL;
}

static void threads_ask_for_their_turns(void **state)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, soon, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(ask().policy, SCHED_OTHER); /* this one asked for nothing */
}

static void every_so_often(void **state)
{
    struct turns t = {0};
    for (int i = 0; i < 7; i++)
        turns_pass(&t, 3);
    assert_true(t.began_ns == 0);
    turns_pass(&t, 3);
    uint64_t began = t.began_ns;
    assert_true(began > 0);
    for (int i = 0; i < 1000; i++)
        turns_pass(&t, 3);
    assert_true(t.began_ns == began);
    assert_int_equal(t.calls, 1008);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_ask_for_their_turns),
        cmocka_unit_test(every_so_often),
    };
    return cmocka_run_group_tests_name("base/turns", tests, NULL, NULL);
}
