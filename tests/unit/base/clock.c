/* The clocks against those of the system, and waits that end when they should. */
#include "test.h"

#include "base/clock.h"

#include <errno.h>

static int64_t ns_of(clockid_t id)
{
    struct timespec t;
    assert_int_equal(clock_gettime(id, &t), 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What is told lies between what the system says before and after. */
static void each_is_the_clock_it_says(void **state)
{
    (void)state;
    const struct {
        clockid_t id;
        int64_t (*tell)(void);
        int64_t unit_ns;
    } clocks[] = {{CLOCK_MONOTONIC, clock_steady_ms, 1000000},
                  {CLOCK_MONOTONIC, clock_steady_ns, 1},
                  {CLOCK_MONOTONIC_COARSE, clock_coarse_ms, 1000000},
                  {CLOCK_REALTIME, clock_wall_ms, 1000000}};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        int64_t before = ns_of(clocks[i].id) / clocks[i].unit_ns;
        int64_t told = clocks[i].tell();
        assert_in_range(told, before, ns_of(clocks[i].id) / clocks[i].unit_ns);
    }
}

static void moments_are_split(void **state)
{
    (void)state;
    struct timespec t = clock_at_ns(7000000005);
    assert_int_equal(t.tv_sec, 7);
    assert_int_equal(t.tv_nsec, 5);
    t = clock_at_ms(12999);
    assert_int_equal(t.tv_sec, 12);
    assert_int_equal(t.tv_nsec, 999000000);
    t = clock_at_ms(INT64_C(4000000000000)); /* more than 32 bits of seconds hold */
    assert_int_equal(t.tv_sec, INT64_C(4000000000));
    assert_int_equal(t.tv_nsec, 0);
}

/* By any other clock such a wait would end at once or not for years. */
static void a_wait_lasts_as_long_as_asked(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never;
    clock_cond_init(&never);
    int64_t began = clock_steady_ns();
    struct timespec until = clock_in_ms(30);
    int result = 0;
    pthread_mutex_lock(&lock);
    while (!result)
        result = pthread_cond_timedwait(&never, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(result, ETIMEDOUT);
    assert_true(clock_steady_ns() - began >= 30000000);
    pthread_cond_destroy(&never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_the_clock_it_says),
        cmocka_unit_test(moments_are_split),
        cmocka_unit_test(a_wait_lasts_as_long_as_asked),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
