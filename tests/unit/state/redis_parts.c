/* What the Redis state does without a server: URLs are read as they are written (and refused where
 * they are not), events come back from their members as they went in, and bytes that are no member
 * are none. */
#include "test.h"

#include "state/redis_inside.h"

#include <math.h>

/* ---- URLs ---- */

static void whole_urls_are_understood(void **state)
{
    struct redis_url u;
    struct pal_error err;
    assert_ok(redis_url_parse("rediss://ann:p%40ss%3a@db.example:7000/3?prefix=a%26b&ca=/x/ca.pem",
                              &u, &err),
              &err);
    assert_string_equal(u.host, "db.example");
    assert_string_equal(u.port, "7000");
    assert_string_equal(u.user, "ann");
    assert_string_equal(u.password, "p@ss:");
    assert_string_equal(u.prefix, "a&b");
    assert_string_equal(u.ca, "/x/ca.pem");
    assert_int_equal(u.db, 3);
    assert_true(u.tls);
    assert_null(strstr(u.shown, "p%40ss"));
    redis_url_done(&u);
}

static void what_is_left_out_has_a_default(void **state)
{
    struct redis_url u;
    struct pal_error err;
    assert_ok(redis_url_parse("redis://:secret@[::1]", &u, &err), &err);
    assert_string_equal(u.host, "::1");
    assert_string_equal(u.port, "6379");
    assert_null(u.user);
    assert_string_equal(u.password, "secret");
    assert_string_equal(u.prefix, "palate");
    assert_int_equal(u.db, 0);
    assert_false(u.tls);
    redis_url_done(&u);
    assert_ok(redis_url_parse("redis+unix:///run/r.sock?db=2", &u, &err), &err);
    assert_string_equal(u.path, "/run/r.sock");
    assert_null(u.host);
    assert_int_equal(u.db, 2);
    redis_url_done(&u);
}

static void others_are_refused(void **state)
{
    static const char *const bad[] = {
        "redis:6379",           "redis://",         "redis://:6379",       "redis://h:port",
        "redis://h:99999",      "redis://h/db",     "redis://h/-1",        "redis://user@h",
        "redis://a:b%4@h",      "redis://a:b%00@h", "redis://h?prefix",    "redis://h?prefix=",
        "redis://h?color=blue", "redis://h?ca=/x",  "redis+unix://r.sock", "redis://[::1:6379",
        "redis://h/99999999",   "redis://:@h",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct redis_url u;
        struct pal_error err = {.message = ""};
        if (redis_url_parse(bad[i], &u, &err) != PAL_EUSAGE)
            fail_msg("%s was taken", bad[i]);
        assert_true(strstr(err.message, "state '"));
    }
}

static void a_wrong_url_does_not_show_its_password(void **state)
{
    struct redis_url u;
    struct pal_error err;
    assert_int_equal(redis_url_parse("redis://ann:hunter2@h:port", &u, &err), PAL_EUSAGE);
    assert_null(strstr(err.message, "hunter2"));
}

/* ---- Members ---- */

static void events_come_back_as_they_were(void **state)
{
    static const struct event events[] = {
        {.item_id = "i", .type = "like", .value = 1, .time_ms = 0},
        {.item_id = "an item: with \"marks\"", .type = "rating", .value = -2.5f, .time_ms = 1},
        {.item_id = "\xc3\xa9", .type = "x", .value = 1e30f, .time_ms = INT64_MAX},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct str s = {0};
        struct event e;
        redis_event_encode(&events[i], &s);
        assert_true(redis_event_decode(s.text, s.len, &e));
        assert_string_equal(e.item_id, events[i].item_id);
        assert_string_equal(e.type, events[i].type);
        assert_true(e.value == events[i].value);
        assert_true(e.time_ms == events[i].time_ms);
        /* every cut of it, and every other first byte, is refused or ends within its bytes */
        for (size_t cut = 0; cut < s.len; cut++)
            if (redis_event_decode(s.text, cut, &e))
                assert_true(strlen(events[i].item_id) > 1 && cut > 13);
        s.text[0] = 'f';
        assert_false(redis_event_decode(s.text, s.len, &e));
        str_done(&s);
    }
}

static void values_and_times_that_cannot_be_are_refused(void **state)
{
    struct event e = {.item_id = "i", .type = "like", .value = INFINITY, .time_ms = 5}, out;
    struct str s = {0};
    redis_event_encode(&e, &s);
    assert_false(redis_event_decode(s.text, s.len, &out));
    str_clear(&s);
    e.value = 1;
    e.time_ms = -1;
    redis_event_encode(&e, &s);
    assert_false(redis_event_decode(s.text, s.len, &out));
    str_done(&s);
}

static void only_ids_of_clients_are_kept(void **state)
{
    static const struct {
        const char *id;
        bool kept;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"0123456789ab-000000000000002a", false},
        {"0123456789ab-000000000000002A", true},
        {"0123456789ab-00000000000002a", true},
        {"order 17", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct event e = {.item_id = "i", .type = "like", .event_id = rows[i].id};
        struct str s = {0};
        redis_event_identity(&e, &s);
        assert_int_equal(s.len, rows[i].kept ? 9 : 0);
        str_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_urls_are_understood),
        cmocka_unit_test(what_is_left_out_has_a_default),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(a_wrong_url_does_not_show_its_password),
        cmocka_unit_test(events_come_back_as_they_were),
        cmocka_unit_test(values_and_times_that_cannot_be_are_refused),
        cmocka_unit_test(only_ids_of_clients_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
