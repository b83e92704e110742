/* What a failed call tells its caller: the status, and one line that always fits. */
#include "test.h"

static void fills_status_and_message(void **state)
{
    (void)state;
    struct pal_error err = {0};
    enum pal_status st = pal_fail(&err, PAL_EFORMAT, "%s:%d: no rating", "u.data", 7);
    assert_int_equal(st, PAL_EFORMAT);
    assert_int_equal(err.status, PAL_EFORMAT);
    assert_string_equal(err.message, "u.data:7: no rating");
}

static void nobody_needs_to_listen(void **state)
{
    (void)state;
    assert_int_equal(pal_fail(NULL, PAL_EIO, "%s", "x"), PAL_EIO);
    assert_int_equal(pal_within(NULL, PAL_EIO, "%s", "x"), PAL_EIO);
    assert_int_equal(pal_no_memory(NULL), PAL_ENOMEM);
}

static void stays_on_one_line(void **state)
{
    (void)state;
    struct pal_error err;
    (void)pal_fail(&err, PAL_EIO, "a\nb\r\nc");
    assert_string_equal(err.message, "a b  c");
    (void)pal_within(&err, PAL_EIO, "out\nside");
    assert_string_equal(err.message, "out side: a b  c");
}

/* Messages quote damaged files, and go to terminals and into JSON. */
static void nothing_but_utf8_and_no_commands(void **state)
{
    (void)state;
    struct pal_error err;
    (void)pal_fail(&err, PAL_EFORMAT, "a\x1b[2Jb\tc\x7f \xe9t\xe9 \xc3\xa9 \xe2\x82 \xed\xa0\x80.");
    assert_string_equal(err.message, "a [2Jb c  ?t? \xc3\xa9 ?? ???.");
    (void)pal_fail(&err, PAL_EFORMAT, "end \xe2\x82"); /* not cut by us: said, not dropped */
    assert_string_equal(err.message, "end ??");
}

/* A cut must not leave half of a character: messages are UTF-8, and terminals and JSON mind. */
static void long_messages_are_cut_between_characters(void **state)
{
    (void)state;
    char text[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        struct pal_error err, at_once;
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4); /* the euro sign */
        (void)pal_fail(&err, PAL_EIO, "%s", text);
        size_t len = strlen(err.message), room = sizeof err.message - 1;
        assert_true(len <= room && len + 3 > room);
        assert_int_equal((len - shift) % 3, 0);
        assert_memory_equal(err.message, text, len);

        (void)pal_fail(&at_once, PAL_EIO, "in: %s", text);
        (void)pal_within(&err, PAL_EIO, "in");
        assert_memory_equal(err.message, at_once.message, strlen(at_once.message) - 3);
        assert_int_equal((strlen(err.message) - 4 - shift) % 3, 0);
    }
}

static void within_says_where(void **state)
{
    (void)state;
    struct pal_error err;
    (void)pal_fail(&err, PAL_ECORRUPT, "tensor 'a' is too long");
    enum pal_status st = pal_within(&err, PAL_ECORRUPT, "%s", "als.safetensors");
    assert_int_equal(st, PAL_ECORRUPT);
    assert_int_equal(err.status, PAL_ECORRUPT);
    assert_string_equal(err.message, "als.safetensors: tensor 'a' is too long");
}

static void within_keeps_what_fits(void **state)
{
    (void)state;
    struct pal_error err;
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    (void)pal_fail(&err, PAL_EIO, "inner");
    (void)pal_within(&err, PAL_EIO, "%s", name);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, name, sizeof err.message - 1);
}

static void every_status_has_its_own_name(void **state)
{
    (void)state;
    for (int a = PAL_OK; a <= PAL_EUNSUPPORTED; a++) {
        assert_string_not_equal(pal_status_name((enum pal_status)a), "unknown");
        for (int b = PAL_OK; b < a; b++)
            assert_string_not_equal(pal_status_name((enum pal_status)a),
                                    pal_status_name((enum pal_status)b));
    }
    assert_string_equal(pal_status_name(PAL_OK), "ok");
    assert_string_equal(pal_status_name(PAL_ENOMEM), "memory");
    assert_string_equal(pal_status_name(PAL_EUNSUPPORTED), "unsupported");
    assert_string_equal(pal_status_name((enum pal_status)1000), "unknown");
    assert_string_equal(pal_status_name((enum pal_status) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_status_and_message),
        cmocka_unit_test(nobody_needs_to_listen),
        cmocka_unit_test(stays_on_one_line),
        cmocka_unit_test(nothing_but_utf8_and_no_commands),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(within_says_where),
        cmocka_unit_test(within_keeps_what_fits),
        cmocka_unit_test(every_status_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
