/* Ids as numbers, against a map that is a sorted array; a million of them; and every allocation on
 * the way failing in turn. */
#include "test.h"

#include "base/intern.h"
#include "base/rng.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint32_t add(struct intern *t, const char *s, size_t len)
{
    struct pal_error err;
    uint32_t number = INTERN_NONE;
    assert_ok(intern_add(t, s, len, &number, &err), &err);
    return number;
}

static void numbers_come_in_order(void **state)
{
    (void)state;
    long live = mem_live();
    struct intern t = {0};
    assert_int_equal(intern_find(&t, "x", 1), INTERN_NONE);
    assert_int_equal(add(&t, "42", 2), 0);
    assert_int_equal(add(&t, "", 0), 1);
    assert_int_equal(add(&t, "42\0x", 4), 2); /* not the same as "42" */
    assert_int_equal(add(&t, "4", 1), 3);
    assert_int_equal(add(&t, "42", 2), 0);
    assert_int_equal(t.count, 4);
    assert_int_equal(intern_find(&t, "", 0), 1);
    assert_int_equal(intern_find(&t, "42\0x", 4), 2);
    assert_int_equal(intern_find(&t, "42\0y", 4), INTERN_NONE);
    assert_int_equal(intern_find(&t, "420", 3), INTERN_NONE);
    assert_string_equal(intern_text(&t, 0), "42");
    assert_int_equal(intern_len(&t, 1), 0);
    assert_int_equal(intern_len(&t, 2), 4);
    intern_done(&t);
    assert_int_equal(mem_live(), live);
    assert_int_equal(intern_find(&t, "42", 2), INTERN_NONE);
}

struct seen {
    char text[12];
    uint32_t order; /* of its first appearance among all draws */
};

static int by_text(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Draws with repetitions; the naive map sorts them, keeps the first of each, and numbers these in
 * the order of their appearance. */
static void a_million_against_a_sorted_array(void **state)
{
    (void)state;
    enum { DRAWS = 1500000, RANGE = 3000000 };
    struct seen *all = malloc(DRAWS * sizeof *all);
    struct intern t = {0};
    struct rng r;
    assert_non_null(all);
    rng_init(&r, 1, 0);
    for (uint32_t i = 0; i < DRAWS; i++) {
        snprintf(all[i].text, sizeof all[i].text, "u%x", (unsigned)rng_below(&r, RANGE));
        all[i].order = i;
        add(&t, all[i].text, strlen(all[i].text));
    }
    qsort(all, DRAWS, sizeof *all, by_text);
    size_t distinct = 0;
    for (size_t i = 0; i < DRAWS; i++)
        if (i == 0 || strcmp(all[i].text, all[distinct - 1].text) != 0)
            all[distinct++] = all[i];
    qsort(all, distinct, sizeof *all, by_order);
    assert_true(distinct > 1000000);
    assert_int_equal(t.count, distinct);
    for (uint32_t i = 0; i < distinct; i++) {
        size_t len = strlen(all[i].text);
        assert_string_equal(intern_text(&t, i), all[i].text);
        assert_int_equal(intern_len(&t, i), len);
        assert_int_equal(intern_find(&t, all[i].text, len), i);
    }
    for (unsigned i = 0; i < 1000; i++) {
        char other[12];
        int len = snprintf(other, sizeof other, "v%x", i);
        assert_int_equal(intern_find(&t, other, (size_t)len), INTERN_NONE);
    }
    intern_done(&t);
    free(all);
}

static void a_copy_stands_alone(void **state)
{
    (void)state;
    struct intern t = {0}, copy = {0};
    struct pal_error err;
    assert_ok(intern_copy(&t, &copy, &err), &err);
    assert_int_equal(copy.count, 0);
    add(&t, "one", 3);
    add(&t, "two", 3);
    intern_done(&copy);
    assert_ok(intern_copy(&t, &copy, &err), &err);
    add(&t, "three", 5);
    intern_done(&t);
    assert_int_equal(copy.count, 2);
    assert_int_equal(intern_find(&copy, "two", 3), 1);
    assert_int_equal(intern_find(&copy, "three", 5), INTERN_NONE);
    assert_string_equal(intern_text(&copy, 0), "one");
    intern_done(&copy);
}

/* For each allocation that adding 1,000 texts asks for: fail it, see that the table is as it was,
 * go on, and see that the result is the same. */
static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    long live = mem_live();
    for (long n = 1;; n++) {
        struct intern t = {0};
        int failures = 0;
        mem_fail_at(n);
        for (uint32_t i = 0; i < 1000; i++) {
            char s[16];
            struct pal_error err;
            size_t len = (size_t)snprintf(s, sizeof s, "item-%u", i);
            uint32_t number = 77;
            enum pal_status st = intern_add(&t, s, len, &number, &err);
            if (st != PAL_OK) {
                failures++;
                assert_int_equal(st, PAL_ENOMEM);
                assert_int_equal(number, 77);
                assert_int_equal(t.count, i);
                assert_int_equal(intern_find(&t, s, len), INTERN_NONE);
                assert_int_equal(add(&t, s, len), i);
            }
        }
        mem_fail_at(0);
        for (uint32_t i = 0; i < 1000; i++) {
            char s[16];
            size_t len = (size_t)snprintf(s, sizeof s, "item-%u", i);
            assert_int_equal(intern_find(&t, s, len), i);
        }
        intern_done(&t);
        assert_int_equal(mem_live(), live);
        if (failures == 0) {
            assert_true(n > 10);
            return;
        }
        assert_int_equal(failures, 1);
    }
}

/* Texts chosen to fall into one place of a table by the plain hash are spread as any others: the
 * longest row of taken slots stays short. */
static void chosen_texts_are_spread(void **state)
{
    enum { TEXTS = 1000, SLOTS = 2048, ROOM = 256 };
    struct intern t = {0};
    char s[ROOM];
    uint32_t count = 0;
    for (uint32_t i = 0; count < TEXTS; i++) {
        size_t len = (size_t)snprintf(s, sizeof s, "item-%u", i);
        if ((XXH3_64bits(s, len) & (SLOTS - 1)) < 2)
            assert_int_equal(add(&t, s, len), count++);
    }
    assert_int_equal(t.mask, SLOTS - 1);
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * SLOTS; i++) {
        run = t.slot[i % SLOTS] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, TEXTS / 4);
    intern_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_in_order),
        cmocka_unit_test(a_million_against_a_sorted_array),
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(out_of_memory_changes_nothing),
        cmocka_unit_test(chosen_texts_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
