/* Rules for what an event is worth: precedence by bound, the star, and what can't be read. */
#include "test.h"

#include "data/weights.h"

static float worth(const char *rules, const char *type, float value)
{
    struct pal_error err;
    struct weights w;
    assert_ok(weights_parse(rules, &w, &err), &err);
    return weights_of(&w, type, value);
}

static void rules_apply(void **state)
{
    (void)state;
    const char *rules = "like:1,dislike:-1,rating:-0.5,rating>=4:1,rating>=3:0.1,*:0.25";
    assert_true(worth(rules, "like", 1) == 1.0f);
    assert_true(worth(rules, "dislike", 1) == -1.0f);
    assert_true(worth(rules, "rating", 5) == 1.0f);
    assert_true(worth(rules, "rating", 4) == 1.0f);
    assert_true(worth(rules, "rating", 3.5f) == 0.1f);
    assert_true(worth(rules, "rating", 1) == -0.5f);
    assert_true(worth(rules, "share", 1) == 0.25f);
    assert_true(worth("rating>=4:1", "rating", 3) == 0);
    assert_true(worth("rating>=4:1,*:2", "rating", 3) == 0); /* named: the star is for others */
    assert_true(worth("rating>=4:1", "like", 1) == 0);
    assert_true(worth("*>=2:1,*:0.5", "visits", 3) == 1.0f);
    assert_true(worth("a:b:2", "a:b", 0) == 2.0f);
    assert_true(worth(weights_default, "purchase", 1) == 1.0f);
}

static void bad_rules_are_named(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "like",
                         "like:",
                         ":1",
                         "like:x",
                         "like:1,",
                         ",",
                         "r>=x:1",
                         "r>=:1",
                         "like:nan",
                         "like:1000001",
                         "dislike:-1e39", /* infinite as a float */
                         "a-name-that-is-far-too-long-to-be-an-event-type:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pal_error err;
        struct weights w = {.count = 77};
        if (strcmp(bad[i], "like:1,") == 0) { /* a comma at the end is harmless */
            assert_ok(weights_parse(bad[i], &w, &err), &err);
            continue;
        }
        assert_int_equal(weights_parse(bad[i], &w, &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, "weights: "));
        assert_int_equal(w.count, 77); /* untouched */
    }
}

static void types_get_numbers(void **state)
{
    (void)state;
    struct pal_error err;
    struct event_types t = {0};
    uint8_t a, b, again;
    assert_ok(event_type_add(&t, "like", 4, &a, &err), &err);
    assert_ok(event_type_add(&t, "likes", 5, &b, &err), &err);
    assert_ok(event_type_add(&t, "likely", 4, &again, &err), &err);
    assert_int_equal(a, 0);
    assert_int_equal(b, 1);
    assert_int_equal(again, 0);
    assert_int_equal(event_type_add(&t, "", 0, &a, &err), PAL_EUSAGE);
    for (int i = 2; i < EVENT_TYPES; i++) {
        char name[8];
        int len = snprintf(name, sizeof name, "t%d", i);
        assert_ok(event_type_add(&t, name, (size_t)len, &a, &err), &err);
    }
    assert_int_equal(event_type_add(&t, "more", 4, &a, &err), PAL_EUSAGE);
    assert_int_equal(t.count, EVENT_TYPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_apply),
        cmocka_unit_test(bad_rules_are_named),
        cmocka_unit_test(types_get_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
