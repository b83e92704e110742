/* Roles by name. */
#include "test.h"

#include "engine/roles.h"

static void words_become_roles(void **state)
{
    static const struct {
        const char *text;
        unsigned roles;
    } rows[] = {
        {NULL, 7},
        {"all", 7},
        {"recs", 1},
        {"collector", 2},
        {"pipeline", 4},
        {"recs,pipeline", 5},
        {"collector , recs", 3},
        {"recs,recs", 1},
        {" recs", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned roles = 99;
        struct pal_error err;
        assert_ok(roles_parse(rows[i].text, &roles, &err), &err);
        assert_int_equal(roles, rows[i].roles);
    }
}

static void other_words_are_refused(void **state)
{
    static const char *const texts[] = {"", "rec", "recs,", ",recs", "recs pipeline", "RECS", "al"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        unsigned roles = 99;
        struct pal_error err;
        assert_int_equal(roles_parse(texts[i], &roles, &err), PAL_EUSAGE);
        assert_int_equal(roles, 99);
        assert_non_null(strstr(err.message, "recs, collector and pipeline"));
    }
}

static void every_set_is_written_as_it_is_read(void **state)
{
    (void)state;
    for (unsigned roles = 1; roles <= ROLE_ALL; roles++) {
        char text[ROLES_TEXT];
        unsigned again = 0;
        struct pal_error err;
        roles_text(roles, text);
        assert_ok(roles_parse(text, &again, &err), &err);
        assert_int_equal(again, roles);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_roles),
        cmocka_unit_test(other_words_are_refused),
        cmocka_unit_test(every_set_is_written_as_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
