/* Request bodies read strictly: each kind of field, each kind of mistake by its place, and times
 * against a calendar computed by the C library. */
#include "test.h"

#include "server/json_in.h"

#include <time.h>

static struct pal_error err;

static json_t *parsed(const char *text)
{
    json_t *json;
    assert_ok(json_parse(text, strlen(text), &json, &err), &err);
    return json;
}

static void test_fields(void **state)
{
    struct arena tmp = {0};
    struct json_object o;
    size_t n;
    json_t *json =
        parsed("{\"id\":42,\"text\":\"é\",\"x\":2.5,\"n\":7,\"yes\":true,\"nothing\":null,"
               "\"ids\":[\"a\",1],\"at\":\"1970-01-02T00:00:00Z\",\"more\":{\"k\":[1]}}");
    (void)state;
    json_object_begin(&o, json, "", &tmp, &err);
    assert_string_equal(json_id(&o, "id", JSON_NEEDED), "42");
    assert_string_equal(json_text(&o, "text", JSON_NEEDED), "é");
    assert_true(json_number(&o, "x", 0) == 2.5);
    assert_int_equal(json_whole(&o, "n", 0, 0, 10), 7);
    assert_true(json_flag(&o, "yes", false));
    assert_null(json_text(&o, "nothing", JSON_OPTIONAL));
    assert_true(json_number(&o, "absent", 3) == 3);
    const char **ids = json_ids(&o, "ids", JSON_NEEDED, &n);
    assert_int_equal(n, 2);
    assert_string_equal(ids[1], "1");
    assert_int_equal(json_time(&o, "at"), 86400000);
    assert_string_equal(json_compact(json_object_of(&o, "more", JSON_NEEDED), &tmp), "{\"k\":[1]}");
    assert_ok(json_object_end(&o), &err);
    json_decref(json);
    arena_done(&tmp);
}

/* Reads {"who": id, "what": text, "x": number, "n": 1..5, "ids": [...], "at": time}. */
static enum pal_status read_one(const char *text)
{
    struct arena tmp = {0};
    struct json_object o;
    size_t n;
    json_t *json = parsed(text);
    json_object_begin(&o, json, "list[3]", &tmp, &err);
    (void)json_id(&o, "who", JSON_NEEDED);
    (void)json_text(&o, "what", JSON_OPTIONAL);
    (void)json_number(&o, "x", 0);
    (void)json_whole(&o, "n", 1, 1, 5);
    (void)json_ids(&o, "ids", JSON_OPTIONAL, &n);
    (void)json_time(&o, "at");
    enum pal_status st = json_object_end(&o);
    json_decref(json);
    arena_done(&tmp);
    return st;
}

static void test_mistakes_have_places(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"[]", "list[3] must be an object, not an array"},
        {"{}", "list[3].who is missing"},
        {"{\"who\":1,\"at\":\"2024\"}", "list[3].at must be milliseconds since 1970 or a time like "
                                        "2026-11-22T05:40:00Z, not '2024'"},
        {"{\"who\":1,\"at\":\"a time that is told at such length that nobody wants it back\"}",
         "2026-11-22T05:40:00Z, not a text"},
        {"{\"who\":1,\"at\":true}", "list[3].at must be milliseconds since 1970"},
        {"{\"who\":null}", "list[3].who is missing"},
        {"{\"who\":1.5}", "list[3].who must be a text or an integer, not a number"},
        {"{\"who\":1,\"what\":2}", "list[3].what"},
        {"{\"who\":1,\"what\":\"a\\u0000b\"}", "list[3].what"},
        {"{\"who\":1,\"x\":\"1\"}", "list[3].x must be a number, not a text"},
        {"{\"who\":1,\"n\":6}", "from 1 to 5"},
        {"{\"who\":1,\"n\":2.5}", "from 1 to 5"},
        {"{\"who\":1,\"ids\":[1,true]}", "list[3].ids[1]"},
        {"{\"who\":1,\"at\":\"yesterday\"}", "list[3].at"},
        {"{\"who\":\"a\\u0000b\"}", "list[3].who must be a text without NUL"},
        {"{\"who\":1,\"at\":\"2020-01-01T00:00:00Z\\u0000x\"}", "list[3].at"},
        {"{\"who\":1,\"at\":-1}", "list[3].at"},
        {"{\"who\":1,\"waht\":2}", "no field 'list[3].waht'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_one(bad[i].text), PAL_EUSAGE);
        if (!strstr(err.message, bad[i].says))
            fail_msg("%s: '%s' is not in '%s'", bad[i].text, bad[i].says, err.message);
    }
    assert_int_equal(read_one("{\"who\":1,\"what\":null}"), PAL_OK);
}

static void test_what_is_no_json(void **state)
{
    static const char *const bad[] = {"",      "{",          "[1,]",    "{\"a\":1,\"a\":2}", "nul",
                                      "[1] x", "[\"\xff\"]", "[1e400]", "\"\\ud800\""};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *json;
        assert_int_equal(json_parse(bad[i], strlen(bad[i]), &json, &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, "body"));
    }
}

static void test_times(void **state)
{
    static const char *const bad[] = {"2023-02-29",
                                      "2024-13-01",
                                      "2024-00-01",
                                      "2024-1-1",
                                      "2024-01-01T24:00",
                                      "2024-01-01T10",
                                      "2024-01-01T10:00x",
                                      "2024-01-01T10:00+25:00",
                                      "",
                                      "today",
                                      "2024-01-01Z"};
    int64_t ms;
    (void)state;
    for (time_t t = 0; t < 4000000000; t += 86400 * 17 + 3661) {
        struct tm utc;
        char text[64];
        gmtime_r(&t, &utc);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.250Z", &utc);
        assert_true(json_iso_time(text, &ms));
        assert_int_equal(ms, (int64_t)t * 1000 + 250);
    }
    assert_true(json_iso_time("2024-02-29 12:00:00+01:30", &ms));
    assert_int_equal(ms, 1709202600000);
    assert_true(json_iso_time("2024-02-29", &ms));
    assert_int_equal(ms, 1709164800000);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (json_iso_time(bad[i], &ms))
            fail_msg("'%s' was taken for a time", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_mistakes_have_places),
        cmocka_unit_test(test_what_is_no_json),
        cmocka_unit_test(test_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
