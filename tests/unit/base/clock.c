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

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static void *pause_long(void *arg)
{
    struct sleeper *s = arg;
    return clock_pause(3600000, &s->lock, &s->wake, &s->stop) ? s : NULL;
}

/* To its end where nobody stops it, for no time at all where it is stopped already, and not for an
 * hour where it is stopped meanwhile. */
static void a_pause_ends_early_only_to_stop(void **state)
{
    (void)state;
    struct sleeper s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    void *went_on;
    clock_cond_init(&s.wake);
    int64_t began = clock_steady_ns();
    assert_true(clock_pause(20, &s.lock, &s.wake, &s.stop));
    assert_true(clock_steady_ns() - began >= 20000000);
    assert_int_equal(pthread_create(&thread, NULL, pause_long, &s), 0);
    pthread_mutex_lock(&s.lock);
    s.stop = true;
    pthread_cond_signal(&s.wake);
    pthread_mutex_unlock(&s.lock);
    pthread_join(thread, &went_on);
    assert_null(went_on);
    assert_null(pause_long(&s));
    pthread_cond_destroy(&s.wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_the_clock_it_says),
        cmocka_unit_test(moments_are_split),
        cmocka_unit_test(a_wait_lasts_as_long_as_asked),
        cmocka_unit_test(a_pause_ends_early_only_to_stop),
    };
    return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
