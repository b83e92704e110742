/* How long work hears that it should stop, and how others hear from it. */
#include "test.h"

#include "base/run.h"

struct heard {
    int calls;
    const char *stage;
    uint64_t done, total;
};

static void listen(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct heard *h = ctx;
    h->calls++;
    h->stage = stage;
    h->done = done;
    h->total = total;
}

static void without_anyone_it_goes_on(void **state)
{
    (void)state;
    struct run run = {0};
    struct pal_error err;
    assert_ok(run_step(NULL, "loading", 1, 2, &err), &err);
    assert_ok(run_step(&run, "loading", 1, 2, &err), &err);
}

static void tells_how_far_it_is(void **state)
{
    (void)state;
    struct heard h = {0};
    struct run run = {.progress = listen, .progress_ctx = &h};
    struct pal_error err;
    assert_ok(run_step(&run, "training", 3, 10, &err), &err);
    assert_int_equal(h.calls, 1);
    assert_string_equal(h.stage, "training");
    assert_int_equal(h.done, 3);
    assert_int_equal(h.total, 10);
}

static void stops_when_told_to(void **state)
{
    (void)state;
    atomic_int stop = 0;
    struct run run = {.stop = &stop};
    struct pal_error err;
    assert_ok(run_step(&run, "training", 1, 10, &err), &err);
    stop = 1;
    assert_int_equal(run_step(&run, "training", 2, 10, &err), PAL_EINTERRUPTED);
    assert_int_equal(err.status, PAL_EINTERRUPTED);
    assert_non_null(strstr(err.message, "training"));
    assert_int_equal(run_step(&run, "training", 3, 10, NULL), PAL_EINTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_anyone_it_goes_on),
        cmocka_unit_test(tells_how_far_it_is),
        cmocka_unit_test(stops_when_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
