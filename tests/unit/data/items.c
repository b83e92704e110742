/* Texts and labels by row, and a copy that equals its original. */
#include "test.h"

#include "data/items.h"

static void fill(struct items *items)
{
    struct pal_error err;
    uint32_t n;
    assert_ok(intern_add(&items->ids, "a", 1, &n, &err), &err);
    assert_ok(intern_add(&items->ids, "b", 1, &n, &err), &err);
    assert_ok(intern_add(&items->ids, "c", 1, &n, &err), &err);
    assert_ok(texts_add(&items->titles, "Heat (1995)", 11, &err), &err);
    assert_ok(texts_add(&items->titles, "", 0, &err), &err);
    assert_ok(labels_add(&items->categories, "Crime", 5, &err), &err);
    assert_ok(labels_add(&items->categories, "Drama", 5, &err), &err);
    assert_ok(labels_end_row(&items->categories, &err), &err);
    assert_ok(labels_end_row(&items->categories, &err), &err);
    assert_ok(labels_add(&items->categories, "Drama", 5, &err), &err);
    assert_ok(labels_end_row(&items->categories, &err), &err);
}

static void check(const struct items *items)
{
    uint32_t n;
    assert_string_equal(items_name(items, 0), "Heat (1995)");
    assert_string_equal(items_name(items, 1), "b"); /* no title: its id */
    assert_string_equal(items_name(items, 2), "c");
    const uint32_t *label = labels_at(&items->categories, 0, &n);
    assert_int_equal(n, 2);
    assert_string_equal(intern_text(&items->categories.names, label[0]), "Crime");
    labels_at(&items->categories, 1, &n);
    assert_int_equal(n, 0);
    label = labels_at(&items->categories, 2, &n);
    assert_int_equal(n, 1);
    assert_string_equal(intern_text(&items->categories.names, label[0]), "Drama");
    assert_null(labels_at(&items->categories, 3, &n));
    assert_int_equal(n, 0);
}

static void rows_hold_what_was_added(void **state)
{
    (void)state;
    struct pal_error err;
    struct items items = {0}, copy;
    fill(&items);
    check(&items);
    assert_ok(items_copy(&items, &copy, &err), &err);
    items_done(&items);
    check(&copy);
    items_done(&copy);
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    struct items items = {0}, copy;
    fill(&items);
    long before = mem_live();
    for (long fail = 1;; fail++) {
        mem_fail_at(fail);
        enum pal_status st = items_copy(&items, &copy, &err);
        mem_fail_at(0);
        if (st == PAL_OK)
            break;
        assert_int_equal(st, PAL_ENOMEM);
        assert_int_equal(mem_live(), before);
        assert_true(fail < 1000);
    }
    items_done(&copy);
    items_done(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_what_was_added),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
