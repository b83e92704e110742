/* Rows in any order become histories: against a naive stable sort, with every mix of columns. */
#include "test.h"

#include "base/rng.h"
#include "data/interactions.h"

struct naive {
    struct row row;
    uint8_t type;
    uint32_t order;
};

static bool naive_has_times;

static int naive_order(const void *a, const void *b)
{
    const struct naive *x = a, *y = b;
    if (x->row.user != y->row.user)
        return x->row.user < y->row.user ? -1 : 1;
    if (naive_has_times && x->row.time_s != y->row.time_s)
        return x->row.time_s < y->row.time_s ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void check(size_t n, uint32_t users, uint32_t items, bool values, bool times, bool types)
{
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, n, users);
    struct rows *rows;
    struct naive *all = calloc(n + 1, sizeof *all);
    assert_ok(rows_new(&rows, &err), &err);
    for (size_t i = 0; i < n; i++) {
        struct naive *x = &all[i];
        x->row.user = (uint32_t)rng_below(&rng, users);
        x->row.item = (uint32_t)rng_below(&rng, items);
        x->row.value = values ? (float)rng_below(&rng, 5) : 1.0f;
        x->row.time_s = (uint32_t)rng_below(&rng, 50);
        x->type = types && i > n / 2 ? (uint8_t)rng_below(&rng, 3) : 0;
        x->order = (uint32_t)i;
        assert_ok(rows_add(rows, x->row, x->type, &err), &err);
    }
    naive_has_times = times;
    qsort(all, n, sizeof *all, naive_order);
    struct interactions got;
    assert_int_equal(rows_count(rows), n);
    assert_ok(rows_finish(rows, users, items, times, &got, &err), &err);
    assert_int_equal(interactions_count(&got), n);
    assert_true((got.time_s != NULL) == times);
    uint64_t i = 0;
    for (uint32_t u = 0; u < users; u++) {
        assert_int_equal(got.start[u], i);
        for (; i < got.start[u + 1]; i++) {
            assert_int_equal(all[i].row.user, u);
            assert_int_equal(got.item[i], all[i].row.item);
            assert_true(interactions_value(&got, i) == all[i].row.value);
            assert_int_equal(interactions_type(&got, i), all[i].type);
            if (times)
                assert_int_equal(got.time_s[i], all[i].row.time_s);
        }
    }
    assert_int_equal(i, n);
    interactions_done(&got);
    rows_free(rows);
    free(all);
}

static void rows_become_histories(void **state)
{
    (void)state;
    for (int mix = 0; mix < 8; mix++) {
        check(0, 3, 2, mix & 1, mix & 2, mix & 4);
        check(1, 1, 1, mix & 1, mix & 2, mix & 4);
        check(5000, 70, 40, mix & 1, mix & 2, mix & 4);
        check(200000, 1000, 40, mix & 1, mix & 2, mix & 4); /* several blocks */
    }
}

static void bare_lists_take_four_bytes(void **state)
{
    (void)state;
    struct pal_error err;
    struct rows *rows;
    struct interactions x;
    assert_ok(rows_new(&rows, &err), &err);
    for (uint32_t i = 0; i < 1000; i++)
        assert_ok(rows_add(rows, (struct row){i % 10, i, 1, 0}, 0, &err), &err);
    assert_ok(rows_finish(rows, 10, 1000, false, &x, &err), &err);
    assert_null(x.value);
    assert_null(x.type);
    assert_int_equal(interactions_bytes(&x), 1000 * 4 + 11 * 8);
    interactions_done(&x);
    rows_free(rows);
}

static void select_keeps_labelled(void **state)
{
    (void)state;
    struct pal_error err;
    struct rows *rows;
    struct interactions x, y;
    assert_ok(rows_new(&rows, &err), &err);
    for (uint32_t i = 0; i < 100; i++)
        assert_ok(rows_add(rows, (struct row){i % 7, i, (float)i, 1000 - i}, i % 3, &err), &err);
    assert_ok(rows_finish(rows, 7, 100, true, &x, &err), &err);
    uint8_t label[100], keep[256] = {0};
    for (int i = 0; i < 100; i++)
        label[i] = (uint8_t)(i % 5);
    keep[1] = keep[4] = 1;
    assert_ok(interactions_select(&x, label, keep, &y, &err), &err);
    uint64_t j = 0;
    for (uint32_t u = 0; u < 7; u++) {
        assert_int_equal(y.start[u], j);
        for (uint64_t i = x.start[u]; i < x.start[u + 1]; i++)
            if (label[i] == 1 || label[i] == 4) {
                assert_int_equal(y.item[j], x.item[i]);
                assert_true(y.value[j] == x.value[i]);
                assert_int_equal(y.time_s[j], x.time_s[i]);
                assert_int_equal(y.type[j], x.type[i]);
                j++;
            }
    }
    assert_int_equal(interactions_count(&y), 40);
    interactions_done(&x);
    interactions_done(&y);
    rows_free(rows);
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    long before = mem_live();
    for (long fail = 1; fail < 40; fail++) {
        struct rows *rows = NULL;
        struct interactions x;
        mem_fail_at(fail);
        enum pal_status st = rows_new(&rows, &err);
        for (uint32_t i = 0; i < 200000 && st == PAL_OK; i++)
            st = rows_add(rows, (struct row){i % 100, i % 50, (float)i, i ^ 5}, i > 150000, &err);
        if (st == PAL_OK)
            st = rows_finish(rows, 100, 50, true, &x, &err);
        mem_fail_at(0);
        if (st == PAL_OK)
            interactions_done(&x);
        else
            assert_int_equal(st, PAL_ENOMEM);
        rows_free(rows);
        assert_int_equal(mem_live(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_histories),
        cmocka_unit_test(bare_lists_take_four_bytes),
        cmocka_unit_test(select_keeps_labelled),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
