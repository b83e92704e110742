/* Splits: on random data every interaction lands in exactly one part, in the shares asked for, and
 * in the right order of time; specs are read and refused; seeds decide. Expectations are counted
 * from the parts by hand, never from the splitter's labels. */
#include "test.h"

#include "base/rng.h"
#include "data/split.h"

#include <math.h>

static const uint32_t ITEMS = 60;

/* users with 0 … 39 interactions; the value of each is its own number, so that parts can be told
 * apart whatever their order. Times repeat a lot. */
static struct dataset *make_data(uint32_t users, bool times, uint64_t seed)
{
    struct pal_error err;
    struct rng r;
    struct rows *rows;
    rng_init(&r, seed, 0);
    struct dataset *d = dataset_new();
    assert_non_null(d);
    snprintf(d->name, sizeof d->name, "invented");
    assert_ok(rows_new(&rows, &err), &err);
    uint32_t number = 0;
    for (uint32_t u = 0; u < users; u++)
        for (uint32_t n = u % 40; n; n--) {
            struct row row = {u, (uint32_t)rng_below(&r, ITEMS), (float)number++,
                              1000 + (uint32_t)rng_below(&r, 90)};
            assert_ok(rows_add(rows, row, 0, &err), &err);
        }
    assert_ok(rows_finish(rows, users, ITEMS, times, &d->all, &err), &err);
    rows_free(rows);
    return d;
}

static uint64_t part_count(const struct interactions *x)
{
    return interactions_count(x);
}

/* Marks seen[] for each interaction of x and checks that it is d's own, of the same user. */
static void mark(const struct dataset *d, const struct interactions *x, uint8_t *seen)
{
    if (!x->start)
        return;
    assert_int_equal(x->users, d->all.users);
    assert_int_equal(x->items, d->all.items);
    for (uint32_t u = 0; u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            bool found = false;
            for (uint64_t j = d->all.start[u]; j < d->all.start[u + 1]; j++)
                if (interactions_value(&d->all, j) == interactions_value(x, i)) {
                    assert_int_equal(seen[j], 0);
                    seen[j] = 1;
                    assert_int_equal(d->all.item[j], x->item[i]);
                    assert_int_equal(interactions_time(&d->all, j), interactions_time(x, i));
                    found = true;
                }
            assert_true(found);
        }
}

static void check_partition(const struct dataset *d, const struct split *s)
{
    uint8_t *seen = calloc(part_count(&d->all) + 1, 1);
    mark(d, &s->train, seen);
    mark(d, &s->given, seen);
    mark(d, &s->valid, seen);
    mark(d, &s->test, seen);
    for (uint64_t i = 0; i < part_count(&d->all); i++)
        assert_int_equal(seen[i], 1);
    free(seen);
}

static bool same(const struct interactions *a, const struct interactions *b)
{
    uint64_t n = part_count(a);
    if (n != part_count(b))
        return false;
    for (uint64_t i = 0; i < n; i++)
        if (interactions_value(a, i) != interactions_value(b, i))
            return false;
    return true;
}

static void every_interaction_is_in_one_part(void **state)
{
    (void)state;
    static const char *const specs[] = {"random:60/20/20", "random:80/20",   "user:60/20/20",
                                        "user:70/30",      "latest:90/5/5",  "latest:80/20",
                                        "leave-one-out",   "time:80/10/10",  "time:50/50",
                                        "users:80/10/10",  "users:60/20/20", "users:75/25"};
    struct pal_error err;
    struct dataset *d = make_data(120, true, 1);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct split s, again, other;
        assert_ok(split_make(d, specs[i], 7, &s, &err), &err);
        assert_string_equal(s.spec, specs[i]);
        assert_int_equal(s.seed, 7);
        assert_null(s.negatives);
        check_partition(d, &s);
        assert_ok(split_make(d, specs[i], 7, &again, &err), &err);
        assert_true(same(&s.train, &again.train) && same(&s.test, &again.test));
        assert_true(same(&s.valid, &again.valid) && same(&s.given, &again.given));
        assert_ok(split_make(d, specs[i], 8, &other, &err), &err);
        bool random = specs[i][0] == 'r' || specs[i][0] == 'u';
        assert_int_equal(!same(&s.test, &other.test), random);
        split_done(&s);
        split_done(&again);
        split_done(&other);
    }
    dataset_free(d);
}

static void random_has_the_shares(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(200, false, 2);
    double n = (double)part_count(&d->all);
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct split s;
        assert_ok(split_make(d, "random:98/1/1", seed, &s, &err), &err);
        assert_true(fabs((double)part_count(&s.train) - n * .98) <= .5);
        assert_true(fabs((double)part_count(&s.valid) - n * .01) <= 1);
        assert_true(fabs((double)part_count(&s.test) - n * .01) <= 1);
        split_done(&s);
    }
    dataset_free(d);
}

/* Each interaction is in the test part with the same probability: over 2,000 seeds the count for
 * each is within five standard deviations of 2,000 / 5. */
static void random_is_fair(void **state)
{
    (void)state;
    enum { SEEDS = 2000 };
    struct pal_error err;
    struct dataset *d = make_data(10, false, 3); /* 45 interactions: 36 + 9 */
    uint32_t hits[45] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct split s;
        assert_ok(split_make(d, "random:80/20", seed, &s, &err), &err);
        for (uint64_t i = 0; i < part_count(&s.test); i++)
            hits[(size_t)interactions_value(&s.test, i)]++;
        split_done(&s);
    }
    for (size_t i = 0; i < 45; i++)
        assert_true(fabs(hits[i] - SEEDS * .2) < 5 * sqrt(SEEDS * .2 * .8));
    dataset_free(d);
}

/* Within each user: the counts that the header promises, written out again. */
static void shares_within_users(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(80, true, 4);
    const char *const specs[] = {"user:60/20/20", "latest:60/20/20"};
    for (int which = 0; which < 2; which++) {
        struct split s;
        assert_ok(split_make(d, specs[which], 3, &s, &err), &err);
        for (uint32_t u = 0; u < 80; u++) {
            double n = (double)(d->all.start[u + 1] - d->all.start[u]);
            double train = n == 0 ? 0 : fmax(1, floor(n * .6 + .5));
            double both = fmax(train, floor(n * .8 + .5));
            assert_true((double)(s.train.start[u + 1] - s.train.start[u]) == train);
            assert_true((double)(s.valid.start[u + 1] - s.valid.start[u]) == both - train);
            assert_true((double)(s.test.start[u + 1] - s.test.start[u]) == n - both);
        }
        split_done(&s);
    }
    dataset_free(d);
}

/* x's interactions of user u are those of d's from position `from` on, in order. */
static void check_run(const struct dataset *d, const struct interactions *x, uint32_t u,
                      uint64_t from)
{
    for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++, from++)
        assert_true(interactions_value(x, i) ==
                    interactions_value(&d->all, d->all.start[u] + from));
}

static void latest_and_last_keep_the_order(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(80, true, 5);
    const char *const specs[] = {"latest:50/25/25", "leave-one-out"};
    for (int which = 0; which < 2; which++) {
        struct split s;
        assert_ok(split_make(d, specs[which], 3, &s, &err), &err);
        for (uint32_t u = 0; u < 80; u++) {
            uint64_t train = s.train.start[u + 1] - s.train.start[u];
            uint64_t valid = s.valid.start[u + 1] - s.valid.start[u];
            uint64_t test = s.test.start[u + 1] - s.test.start[u];
            check_run(d, &s.train, u, 0);
            check_run(d, &s.valid, u, train);
            check_run(d, &s.test, u, train + valid);
            if (which == 1) {
                assert_int_equal(test, train + valid + test >= 3);
                assert_int_equal(valid, test);
            }
        }
        split_done(&s);
    }
    dataset_free(d);
}

static void range_of_times(const struct interactions *x, uint32_t *first, uint32_t *last)
{
    *first = UINT32_MAX;
    *last = 0;
    for (uint64_t i = 0; i < part_count(x); i++) {
        *first = x->time_s[i] < *first ? x->time_s[i] : *first;
        *last = x->time_s[i] > *last ? x->time_s[i] : *last;
    }
}

static void time_has_one_border(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(300, true, 6);
    struct split s;
    assert_ok(split_make(d, "time:70/20/10", 0, &s, &err), &err);
    uint32_t first[3], last[3];
    range_of_times(&s.train, &first[0], &last[0]);
    range_of_times(&s.valid, &first[1], &last[1]);
    range_of_times(&s.test, &first[2], &last[2]);
    assert_true(last[0] < first[1] && last[1] < first[2]);
    double n = (double)part_count(&d->all), tick = n / 90; /* of one second, about */
    assert_true(fabs((double)part_count(&s.train) - .7 * n) < tick);
    assert_true(fabs((double)part_count(&s.test) - .1 * n) < tick);
    split_done(&s);
    dataset_free(d);
}

static void users_are_held_out_whole(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(400, false, 7);
    struct split s;
    assert_ok(split_make(d, "users:80/10/10", 5, &s, &err), &err);
    uint32_t eligible = 0, held[2] = {0};
    for (uint32_t u = 0; u < 400; u++) {
        uint64_t n = d->all.start[u + 1] - d->all.start[u];
        uint64_t train = s.train.start[u + 1] - s.train.start[u];
        uint64_t given = s.given.start[u + 1] - s.given.start[u];
        uint64_t valid = s.valid.start[u + 1] - s.valid.start[u];
        uint64_t test = s.test.start[u + 1] - s.test.start[u];
        eligible += n >= 2;
        if (train == n) {
            assert_int_equal(given + valid + test, 0);
            continue;
        }
        assert_int_equal(train, 0);
        assert_true(valid == 0 || test == 0);
        held[test > 0]++;
        assert_true(given >= 1 && given < n);
        if (n > 2)
            assert_true(fabs((double)given - .8 * (double)n) <= .5 || given == n - 1);
    }
    assert_true(fabs(held[0] - eligible * .1) <= 1 && fabs(held[1] - eligible * .1) <= 1);
    split_done(&s);
    dataset_free(d);
}

static void file_takes_what_is_given(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(20, false, 8), *t = make_data(20, true, 9);
    struct split s;
    assert_int_equal(split_make(d, "file", 0, &s, &err), PAL_EUNSUPPORTED);
    d->test = t->all;
    memset(&t->all, 0, sizeof t->all);
    d->negatives.item = mem_zero(20, sizeof(uint32_t));
    d->negatives.per_user = 1;
    d->negatives.users = 20;
    assert_ok(split_make(d, "file", 0, &s, &err), &err);
    assert_true(same(&s.train, &d->all) && same(&s.test, &d->test));
    assert_ptr_equal(s.negatives, &d->negatives);
    assert_null(s.valid.start);
    struct split inner;
    assert_ok(split_inner(d, &s, "random:80/20", 1, &inner, &err), &err);
    assert_null(inner.negatives);
    assert_int_equal(part_count(&inner.train) + part_count(&inner.test), part_count(&s.train));
    check_partition(d, &inner);
    assert_int_equal(split_inner(d, &s, "file", 1, &inner, &err), PAL_EUNSUPPORTED);
    split_done(&inner);
    split_done(&s);
    assert_ok(split_make(d, "random:80/20", 0, &s, &err), &err);
    assert_null(s.negatives);
    split_done(&s);
    dataset_free(d);
    dataset_free(t);
}

static bool holds(const struct interactions *x, uint32_t user, float value)
{
    for (uint64_t i = x->start[user]; i < x->start[user + 1]; i++)
        if (x->value[i] == value)
            return true;
    return false;
}

/* Splitting what a split has left by the same seed draws anew: of the interactions at each place of
 * users' histories that are in the training part, 20 % are validated. */
static void inner_splits_draw_anew(void **state)
{
    (void)state;
    enum { USERS = 2000, PLACES = 6 };
    struct pal_error err;
    struct split s, inner;
    struct dataset *d = make_data(USERS, true, 14);
    assert_ok(split_make(d, "user:80/20", 1, &s, &err), &err);
    assert_ok(split_inner(d, &s, "user:80/20", 1, &inner, &err), &err);
    assert_int_equal(inner.seed, 1);
    for (uint64_t place = 0; place < PLACES; place++) {
        double kept = 0, chosen = 0;
        for (uint32_t u = 0; u < USERS; u++) {
            uint64_t i = d->all.start[u] + place;
            if (d->all.start[u + 1] - d->all.start[u] < 20 || !holds(&s.train, u, d->all.value[i]))
                continue;
            kept++;
            chosen += holds(&inner.test, u, d->all.value[i]);
        }
        assert_true(fabs(chosen - kept * .2) < 4 * sqrt(kept * .2 * .8));
    }
    split_done(&inner);
    split_done(&s);
    dataset_free(d);
}

static void specs_are_written_down(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"random", "random:60/20/20"},
        {"RANDOM:6/2/2", "random:60/20/20"},
        {"random:0.6/0.2/0.2", "random:60/20/20"},
        {"latest:4/1", "latest:80/20"},
        {"user:1/1/1", "user:1/1/1"},
        {"user:7/1", "user:87.5/12.5"},
        {"random:98/1/1", "random:98/1/1"},
        {"Leave-One-Out", "leave-one-out"},
        {"users", "users:80/10/10"},
        {"random:0.123456789123/1", NULL},
    };
    struct pal_error err;
    struct dataset *d = make_data(90, true, 1);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct split s, again;
        assert_ok(split_make(d, pairs[i][0], 1, &s, &err), &err);
        if (pairs[i][1])
            assert_string_equal(s.spec, pairs[i][1]);
        assert_ok(split_make(d, s.spec, 1, &again, &err), &err);
        assert_string_equal(s.spec, again.spec);
        assert_true(same(&s.test, &again.test));
        split_done(&s);
        split_done(&again);
    }
    for (size_t i = 0; split_example(i); i++) {
        assert_non_null(split_help(i));
        struct split s = {0};
        enum pal_status st = split_make(d, split_example(i), 1, &s, &err);
        assert_true(st == PAL_OK || st == PAL_EUNSUPPORTED);
        split_done(&s);
    }
    dataset_free(d);
}

static void bad_specs_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "rand",
                                      "random:",
                                      "random:80",
                                      "random:80/",
                                      "random:80/0/20",
                                      "random:-1/2",
                                      "random:a/b",
                                      "random:1/2/3/4",
                                      "random:80/20x",
                                      "random:nan/1",
                                      "file:1/2",
                                      "leave-one-out:1/1",
                                      "random:inf/1",
                                      "randomly:80/20"};
    struct pal_error err;
    struct dataset *d = make_data(30, true, 1);
    struct split s, before;
    memset(&s, 77, sizeof s);
    before = s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(split_make(d, bad[i], 1, &s, &err), PAL_EUSAGE);
        assert_true(strlen(err.message) > 20);
        assert_memory_equal(&s, &before, sizeof s);
    }
    dataset_free(d);
}

static void what_the_data_lack(void **state)
{
    (void)state;
    struct pal_error err;
    struct split s;
    struct dataset *d = make_data(30, false, 1);
    assert_int_equal(split_make(d, "time:80/20", 1, &s, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "needs timestamps; invented has none"));
    dataset_free(d);
    d = make_data(3, true, 1); /* users with 0, 1 and 2 interactions */
    assert_int_equal(split_make(d, "leave-one-out", 1, &s, &err), PAL_EUNSUPPORTED);
    assert_int_equal(split_make(d, "random:98/1/1", 1, &s, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "validation part"));
    dataset_free(d);
    d = dataset_new(); /* nothing at all */
    static const char *const specs[] = {"random:80/20",  "user:80/20",  "latest:80/20",
                                        "leave-one-out", "users:80/20", "file"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        assert_int_equal(split_make(d, specs[i], 1, &s, &err), PAL_EUNSUPPORTED);
    dataset_free(d);
}

static void equal_times_leave_no_border(void **state)
{
    (void)state;
    struct pal_error err;
    struct split s;
    struct dataset *d = make_data(30, true, 1);
    for (uint64_t i = 0; i < part_count(&d->all); i++)
        d->all.time_s[i] = UINT32_MAX;
    assert_int_equal(split_make(d, "time:80/20", 1, &s, &err), PAL_EUNSUPPORTED);
    for (uint64_t i = 0; i < part_count(&d->all) / 2; i++)
        d->all.time_s[i] = 0;
    assert_ok(split_make(d, "time:80/20", 1, &s, &err), &err);
    assert_int_equal(part_count(&s.train), part_count(&d->all) / 2);
    split_done(&s);
    /* Between two borders the nearer one: 300 and 420 of 435 stand before times 5 and 6. */
    uint32_t *t = d->all.time_s;
    for (uint64_t i = 0; i < 435; i++)
        t[i] = i < 300 ? 4 : i < 420 ? 5 : 6;
    assert_ok(split_make(d, "time:80/20", 1, &s, &err), &err); /* asks for 348 */
    assert_int_equal(part_count(&s.train), 300);
    split_done(&s);
    assert_ok(split_make(d, "time:90/10", 1, &s, &err), &err); /* asks for 392 */
    assert_int_equal(part_count(&s.train), 420);
    split_done(&s);
    dataset_free(d);
}

static void out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    static const char *const specs[] = {"random:60/20/20", "time:60/20/20", "users:80/10/10"};
    struct pal_error err;
    struct dataset *d = make_data(40, true, 1);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        enum pal_status st = PAL_ENOMEM;
        for (long n = 1; st != PAL_OK; n++) {
            struct split s;
            long live = mem_live();
            mem_fail_at(n);
            st = split_make(d, specs[i], 1, &s, &err);
            mem_fail_at(0);
            if (st == PAL_OK)
                split_done(&s);
            else
                assert_int_equal(st, PAL_ENOMEM);
            assert_int_equal(mem_live(), live);
            assert_true(n < 100);
        }
    }
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_interaction_is_in_one_part),
        cmocka_unit_test(random_has_the_shares),
        cmocka_unit_test(random_is_fair),
        cmocka_unit_test(shares_within_users),
        cmocka_unit_test(latest_and_last_keep_the_order),
        cmocka_unit_test(time_has_one_border),
        cmocka_unit_test(users_are_held_out_whole),
        cmocka_unit_test(file_takes_what_is_given),
        cmocka_unit_test(inner_splits_draw_anew),
        cmocka_unit_test(specs_are_written_down),
        cmocka_unit_test(bad_specs_are_refused),
        cmocka_unit_test(what_the_data_lack),
        cmocka_unit_test(equal_times_leave_no_border),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
