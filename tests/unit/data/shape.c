/* Curves against what follows from how the data are made: user u has u + 1 events, item i as many
 * as there are users that reach it; times a day apart, a week apart, years apart. */
#include "test.h"

#include "data/shape.h"

#include <math.h>

enum { USERS = 60, ITEMS = 70 };

/* User u rates items 0 to u once each, the even ones in the test part, with u % 5 + 1 stars, the
 * k-th at k * step_s (0: no times). Item i has USERS - i events, the last ten none. */
static struct dataset *build(uint32_t step_s)
{
    struct pal_error err;
    struct rows *all, *test;
    struct dataset *d = dataset_new();
    assert_non_null(d);
    assert_ok(rows_new(&all, &err), &err);
    assert_ok(rows_new(&test, &err), &err);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t number;
        char id[16];
        int n = snprintf(id, sizeof id, "%u", i);
        assert_ok(intern_add(&d->items.ids, id, (size_t)n, &number, &err), &err);
        if (i < USERS)
            assert_ok(intern_add(&d->users.ids, id, (size_t)n, &number, &err), &err);
    }
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i <= u; i++) {
            struct row row = {u, i, (float)(u % 5 + 1), 4 * 86400 + i * step_s};
            assert_ok(rows_add(i % 2 ? all : test, row, 0, &err), &err);
        }
    uint8_t type;
    assert_ok(event_type_add(&d->types, "rating", 6, &type, &err), &err);
    assert_ok(rows_finish(all, USERS, ITEMS, step_s > 0, &d->all, &err), &err);
    assert_ok(rows_finish(test, USERS, ITEMS, step_s > 0, &d->test, &err), &err);
    rows_free(all);
    rows_free(test);
    return d;
}

static struct shape shape_of(const struct dataset *d)
{
    struct pal_error err;
    struct weights w;
    struct shape s;
    assert_ok(weights_parse("rating>=4:1,rating:0", &w, &err), &err);
    assert_ok(shape_make(d, &w, 0.5, &s, &err), &err);
    return s;
}

static void items_and_users(void **state)
{
    (void)state;
    struct dataset *d = build(0);
    struct shape s = shape_of(d);
    assert_int_equal(s.rank[0], 1);
    assert_int_equal(s.rank[s.ranks - 1], USERS);
    for (size_t i = 0; i < s.ranks; i++) {
        assert_true(i == 0 || s.rank[i] > s.rank[i - 1]);
        assert_int_equal(s.rank_count[i], USERS + 1 - s.rank[i]);
    }
    /* Users with 1, 2-3, 4-7 … 32-60 events. */
    static const uint64_t active[] = {1, 2, 4, 8, 16, 29};
    assert_int_equal(s.buckets, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(s.activity[i], active[i]);
    /* 0, 1, 2-4, 5-9, 10-49, 50 or more of 0 … 0, 1 … 60. */
    static const uint64_t few[] = {0, 1, 3, 5, 40, 11};
    for (size_t i = 0; i < SHAPE_FEW; i++) {
        assert_int_equal(s.users_few[i], few[i]);
        assert_int_equal(s.items_few[i], few[i] + (i == 0 ? ITEMS - USERS : 0));
    }
    /* Who gives 4 or 5 stars likes all of their u + 1 items. */
    for (size_t l = 0; l < SHAPE_LIKES; l++) {
        uint64_t users = 0;
        for (uint32_t u = 0; u < USERS; u++)
            users += u % 5 >= 3 && u + 1 >= shape_likes[l];
        assert_int_equal(s.users_liking[l], users);
    }
    assert_int_equal(s.periods, 0);
    dataset_free(d);
}

/* The first n of the counts 1, 2 … 60 sum up to n (n + 1) / 2; between two, linearly. */
static void lorenz(void **state)
{
    (void)state;
    struct dataset *d = build(0);
    struct shape s = shape_of(d);
    for (int p = 0; p < SHAPE_SHARES; p++) {
        double at = p * USERS / 100., whole = floor(at + 1e-9);
        double sum = whole * (whole + 1) / 2 + (at - whole) * (whole + 1);
        assert_true(fabs(s.lorenz[p] - sum / (USERS * (USERS + 1) / 2.)) < 1e-9);
    }
    dataset_free(d);
}

static void check_periods(uint32_t step_s, enum shape_step step, size_t periods, uint32_t first_s)
{
    struct dataset *d = build(step_s);
    struct shape s = shape_of(d);
    uint64_t sum = 0;
    assert_int_equal(s.step, step);
    assert_int_equal(s.periods, periods);
    assert_int_equal(s.period_s[0], first_s);
    for (size_t i = 0; i < s.periods; i++) {
        uint64_t count = 0;
        uint64_t end = i + 1 < s.periods ? s.period_s[i + 1] : UINT64_MAX;
        for (uint32_t k = 0; k < USERS; k++)
            if (4 * 86400 + (uint64_t)k * step_s >= s.period_s[i] &&
                4 * 86400 + (uint64_t)k * step_s < end)
                count += USERS - k;
        assert_int_equal(s.period_count[i], count);
        sum += count;
    }
    assert_int_equal(sum, USERS * (USERS + 1) / 2);
    dataset_free(d);
}

/* 1970-01-05, the fifth day, was a Monday. */
static void periods(void **state)
{
    (void)state;
    check_periods(86400, SHAPE_DAY, 60, 4 * 86400);
    check_periods(3 * 86400, SHAPE_WEEK, 26, 4 * 86400); /* to 1970-07-01 */
    check_periods(20 * 86400, SHAPE_MONTH, 39, 0);       /* to 1973-03-30 */
    check_periods(90 * 86400, SHAPE_QUARTER, 59, 0);     /* to 1984-07-20 */
    check_periods(400 * 86400, SHAPE_YEAR, 65, 0);       /* to 2034-08-17 */
}

static void memory(void **state)
{
    (void)state;
    struct dataset *d = build(86400);
    struct shape s;
    struct weights w;
    struct pal_error err;
    assert_ok(weights_parse("rating:1", &w, &err), &err);
    long before = mem_live();
    for (long n = 1; n <= 3; n++) {
        mem_fail_at(n);
        assert_int_equal(shape_make(d, &w, 0.5, &s, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), before);
    }
    mem_fail_at(0);
    dataset_free(d);
}

/* No users, no items, no events. */
static void empty(void **state)
{
    (void)state;
    struct dataset *d = dataset_new();
    assert_non_null(d);
    struct shape s = shape_of(d);
    assert_int_equal(s.ranks + s.buckets + s.periods, 0);
    assert_true(s.lorenz[100] == 0);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_and_users), cmocka_unit_test(lorenz), cmocka_unit_test(periods),
        cmocka_unit_test(memory),          cmocka_unit_test(empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
