/* Events read fast: what they say, and that everything unusual is left to the strict reader. */
#include "test.h"

#include "server/events_json.h"

static bool reads(const char *body, struct arena *tmp, struct record **out, size_t *count)
{
    arena_reset(tmp);
    return events_json(body, strlen(body), 3, tmp, out, count);
}

static void test_shapes(void **state)
{
    static const char *const bodies[] = {
        "{\"user_id\":\"u\",\"item_id\":7}",
        "[{\"user_id\":\"u\",\"item_id\":7}]",
        " { \"events\" : [ {\"item_id\":7,\"user_id\":\"u\"} ] } ",
    };
    struct arena tmp = {0};
    struct record *r;
    size_t n;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(reads(bodies[i], &tmp, &r, &n));
        assert_int_equal(n, 1);
        assert_int_equal(r->kind, RECORD_EVENT);
        assert_string_equal(r->event.user_id, "u");
        assert_string_equal(r->event.item_id, "7");
        assert_string_equal(r->event.type, "like");
        assert_true(r->event.value == 1);
        assert_int_equal(r->event.time_ms, 0);
        assert_null(r->event.event_id);
    }
    assert_true(reads("[]", &tmp, &r, &n));
    assert_int_equal(n, 0);
    arena_done(&tmp);
}

static void test_all_fields(void **state)
{
    struct arena tmp = {0};
    struct record *r;
    size_t n;
    (void)state;
    assert_true(reads("[{\"user_id\":-5,\"item_id\":\"\\u00e9\\\"\\n\",\"type\":\"rating\","
                      "\"value\":4.5,\"timestamp\":1700000000123,\"event_id\":\"e1\","
                      "\"recommendation_id\":\"r1\"},"
                      "{\"user_id\":\"b\",\"item_id\":\"c\",\"value\":3}]",
                      &tmp, &r, &n));
    assert_int_equal(n, 2);
    assert_string_equal(r[0].event.user_id, "-5");
    assert_string_equal(r[0].event.item_id, "é\"\n");
    assert_string_equal(r[0].event.type, "rating");
    assert_true(r[0].event.value == 4.5F);
    assert_int_equal(r[0].event.time_ms, 1700000000123);
    assert_string_equal(r[0].event.event_id, "e1");
    assert_string_equal(r[0].event.recommendation_id, "r1");
    assert_string_equal(r[1].event.user_id, "b");
    assert_true(r[1].event.value == 3);
    arena_done(&tmp);
}

static void test_the_rest_is_left(void **state)
{
    static const char *const bodies[] = {
        "",
        "7",
        "{}",
        "{\"user_id\":\"u\"}",
        "{\"user_id\":1.5,\"item_id\":\"i\"}",
        "{\"user_id\":\"u\",\"item_id\":\"i\",\"more\":1}",
        "{\"user_id\":\"u\",\"user_id\":\"u\",\"item_id\":\"i\"}",
        "{\"user_id\":\"u\",\"item_id\":\"a\\u0000b\"}",
        "{\"user_id\":\"u\",\"item_id\":\"i\",\"timestamp\":\"2024-01-01\"}",
        "{\"user_id\":\"u\",\"item_id\":\"i\",\"timestamp\":-1}",
        "{\"user_id\":\"u\",\"item_id\":\"i\",\"type\":null}",
        "{\"user_id\":\"u\",\"item_id\":\"i\"} x",
        "{\"user_id\":\"\xff\",\"item_id\":\"i\"}",
        "{\"user_id\":\"\",\"item_id\":\"i\"}",
        "{\"user_id\":\"u\",\"item_id\":\"i\",\"value\":18446744073709551615}",
        "{\"events\":[],\"more\":1}",
        "[[]]",
        "[{\"user_id\":\"u\",\"item_id\":\"i\"},7]",
        ("[{\"user_id\":1,\"item_id\":1},{\"user_id\":1,\"item_id\":1}," /* more than 3 */
         "{\"user_id\":1,\"item_id\":1},{\"user_id\":1,\"item_id\":1}]"),
    };
    struct arena tmp = {0};
    struct record *r;
    size_t n;
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (reads(bodies[i], &tmp, &r, &n))
            fail_msg("taken as plain: %s", bodies[i]);
    arena_done(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_all_fields),
        cmocka_unit_test(test_the_rest_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
