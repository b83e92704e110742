/* The pool does what a plain loop does: every index once, in grains of the promised borders, by
 * worker numbers in range. Run under the thread sanitizer it also shows that a loop's writes are
 * seen by its caller without further locks. */
#include "test.h"

#include "base/pool.h"

#include <stdatomic.h>

struct tally {
    unsigned char *times; /* (n) how often each index came; plain: each grain has its own */
    size_t n, grain;
    unsigned workers;
    atomic_size_t bad, grains;
};

static void mark(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct tally *t = ctx;
    size_t want_end = t->n - begin < t->grain ? t->n : begin + t->grain;
    if (worker >= t->workers || begin >= end || begin % t->grain != 0 || end != want_end)
        atomic_fetch_add(&t->bad, 1);
    atomic_fetch_add(&t->grains, 1);
    for (size_t i = begin; i < end; i++)
        t->times[i]++;
}

static void check_loop(struct pool *p, size_t n, size_t grain)
{
    struct tally t = {.n = n, .grain = grain ? grain : 1, .workers = pool_size(p)};
    t.times = calloc(n + 1, 1);
    assert_non_null(t.times);
    pool_for(p, n, grain, mark, &t);
    assert_int_equal(t.bad, 0);
    assert_int_equal(t.grains, n / t.grain + (n % t.grain != 0));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(t.times[i], 1);
    free(t.times);
}

static const size_t lengths[] = {0, 1, 2, 3, 7, 8, 64, 100, 1000, 4097};
static const size_t grains[] = {0, 1, 2, 3, 8, 63, 64, 1000, 5000, SIZE_MAX / 2, SIZE_MAX};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void every_index_once(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 9; threads++) {
        struct pool *p = NULL;
        struct pal_error err;
        if (threads)
            assert_ok(pool_new(threads, &p, &err), &err);
        assert_int_equal(pool_size(p), threads ? threads : 1);
        for (size_t i = 0; i < COUNT(lengths); i++)
            for (size_t g = 0; g < COUNT(grains); g++)
                check_loop(p, lengths[i], grains[g]);
        pool_free(p);
    }
}

/* Many short loops, one after the other: where a worker that wakes late would do harm. */
static void many_short_loops(void **state)
{
    (void)state;
    struct pool *p;
    struct pal_error err;
    assert_ok(pool_new(4, &p, &err), &err);
    for (int i = 0; i < 2000; i++)
        check_loop(p, (size_t)(i % 13), 1);
    pool_free(p);
}

struct outer {
    struct pool *inner[3];
    unsigned char times[3][40];
};

struct row {
    unsigned char *times;
};

static void mark_row(void *ctx, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    struct row *r = ctx;
    for (size_t i = begin; i < end; i++)
        r->times[i]++;
}

static void run_inner(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct outer *o = ctx;
    for (size_t i = begin; i < end; i++) {
        struct row r = {o->times[i]};
        pool_for(o->inner[worker], 40, 3, mark_row, &r);
    }
}

static void different_pools_may_nest(void **state)
{
    (void)state;
    struct pool *p;
    struct outer o = {0};
    struct pal_error err;
    assert_ok(pool_new(3, &p, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_ok(pool_new(2, &o.inner[i], &err), &err);
    pool_for(p, 3, 1, run_inner, &o);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 40; k++)
            assert_int_equal(o.times[i][k], 1);
    for (int i = 0; i < 3; i++)
        pool_free(o.inner[i]);
    pool_free(p);
}

static void sizes_make_sense(void **state)
{
    (void)state;
    struct pal_error err;
    struct pool *p = NULL;
    assert_true(pool_cores() >= 1);
    assert_int_equal(pool_size(NULL), 1);
    assert_ok(pool_new(0, &p, &err), &err);
    assert_int_equal(pool_size(p), pool_cores());
    pool_free(p);
    pool_free(NULL);
    p = (struct pool *)&err;
    assert_int_equal(pool_new(100000, &p, &err), PAL_EUSAGE);
    assert_ptr_equal(p, &err);
    assert_non_null(strstr(err.message, "100000"));
}

static void out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    long live = mem_live();
    struct pool *p = NULL;
    struct pal_error err;
    long n = 1;
    for (;; n++) {
        assert_true(n < 10);
        mem_fail_at(n);
        enum pal_status st = pool_new(3, &p, &err);
        mem_fail_at(0);
        if (st == PAL_OK)
            break;
        assert_int_equal(st, PAL_ENOMEM);
        assert_null(p);
        assert_int_equal(mem_live(), live);
    }
    assert_true(n > 1);
    pool_free(p);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_once),
        cmocka_unit_test(many_short_loops),
        cmocka_unit_test(different_pools_may_nest),
        cmocka_unit_test(sizes_make_sense),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
