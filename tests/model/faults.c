/* When memory runs out at any point of fitting, asking, saving or loading, or someone says stop:
 * an error, nothing leaked, nothing half-made. */
#include "each.h"

/* Everything that a model can do, one after the other; the first failure ends it. */
static enum pal_status whole_life(const struct model_ops *ops, const void *options,
                                  const struct training *t, struct pal_error *err)
{
    struct arena tmp = {0};
    struct model *m = NULL, *n = NULL;
    struct scored best[5];
    size_t count;
    uint32_t items[] = {1, 5, 9};
    float weights[] = {1, -1, 1}, part[3];
    struct history h = {.n = 3, .item = items, .weight = weights};
    enum pal_status st = model_fit(ops, options, t, (uint64_t)1 << 40, NULL, &m, err);
    if (st == PAL_OK)
        st = model_top(m, &h, NULL, 5, &tmp, best, &count, err);
    if (st == PAL_OK && ops->can & MODEL_SIMILAR)
        st = model_similar(m, 3, 5, &tmp, best, &count, err);
    if (st == PAL_OK && ops->can & MODEL_EXPLAIN)
        st = model_explain(m, &h, 3, part, &tmp, err);
    if (st == PAL_OK)
        st = model_save(m, NULL, temp_path(0), err);
    if (st == PAL_OK)
        st = model_load(temp_path(0), &n, err);
    if (st == PAL_OK)
        st = model_top(n, &h, NULL, 5, &tmp, best, &count, err);
    model_free(m);
    model_free(n);
    arena_done(&tmp);
    return st;
}

static void fail_each_allocation(const struct model_ops *ops)
{
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = blocks_for(ops, 30, 20, 2, 0.1, 1);
    struct training t;
    void *options = small_options(ops);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    long live = mem_live(), at = 1;
    for (;; at++) {
        err.message[0] = 0;
        mem_fail_at(at);
        enum pal_status st = whole_life(ops, options, &t, &err);
        mem_fail_at(0);
        if (mem_live() != live)
            fail_msg("%s: allocation %ld failed and something leaked", ops->name, at);
        if (st == PAL_OK)
            break;
        if (st != PAL_ENOMEM || err.message[0] == 0)
            fail_msg("%s: allocation %ld failed: %s: %s", ops->name, at, pal_status_name(st),
                     err.message);
        assert_true(at < 100000);
    }
    assert_true(at > 10);
    free(options);
    training_done(&t);
    dataset_free(d);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; model_at(i); i++)
        fail_each_allocation(model_at(i));
    unlink(temp_path(0));
}

struct stopper {
    int calls, after;
    atomic_int stop;
};

static void count_calls(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct stopper *s = ctx;
    assert_true(total == 0 || done <= total);
    if (++s->calls > s->after)
        s->stop = 1;
}

/* Told to stop at its n-th report of progress, for each n: it stops. */
static void stop_at_each_report(const struct model_ops *ops)
{
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = blocks_for(ops, USERS, ITEMS, BLOCKS, 0.03, 3);
    struct training t;
    void *options = small_options(ops);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    for (int after = 0;; after++) {
        struct stopper s = {.after = after};
        struct run run = {.progress = count_calls, .progress_ctx = &s, .stop = &s.stop};
        struct model *m;
        long live = mem_live();
        enum pal_status st = model_fit(ops, options, &t, 0, &run, &m, &err);
        if (st == PAL_OK) { /* it had fewer reports to make */
            assert_true(s.calls <= after && after > 0);
            model_free(m);
            break;
        }
        assert_int_equal(st, PAL_EINTERRUPTED);
        assert_int_equal(s.calls, after + 1);
        assert_int_equal(mem_live(), live);
    }
    free(options);
    training_done(&t);
    dataset_free(d);
}

static void stops_when_told(void **state)
{
    (void)state;
    for (size_t i = 0; model_at(i); i++)
        stop_at_each_report(model_at(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
