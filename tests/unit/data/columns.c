/* Which column plays which role: by usual names, as the caller says, and what is refused. */
#include "test.h"

#include "data/columns.h"

static enum role guess(const char *name, unsigned *rank)
{
    static const struct columns_wanted nothing = {0};
    return columns_role(&nothing, name, strlen(name), rank);
}

static void usual_names_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum role role;
    } rows[] = {
        {"user_id", ROLE_USER},
        {"userId", ROLE_USER},
        {"USER-ID", ROLE_USER},
        {"user_id:token", ROLE_USER},
        {"uid", ROLE_USER},
        {"household_id", ROLE_USER},
        {"item_id", ROLE_ITEM},
        {"movieId", ROLE_ITEM},
        {"product id", ROLE_ITEM},
        {"asin", ROLE_ITEM},
        {"rating:float", ROLE_VALUE},
        {"quantity", ROLE_VALUE},
        {"timestamp", ROLE_TIME},
        {"created_at", ROLE_TIME},
        {"event_type", ROLE_TYPE},
        {"action", ROLE_TYPE},
        {"", ROLE_NONE},
        {"usage", ROLE_NONE},
        {"userid2", ROLE_NONE},
        {"store_id", ROLE_NONE},
        {"us", ROLE_NONE},
    };
    unsigned rank, better;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(guess(rows[i].name, &rank), rows[i].role);
    static const struct columns_wanted nothing = {0};
    assert_int_equal(columns_role(&nothing, "user\0\0\0", 7, &rank), ROLE_NONE);
    guess("user", &rank);
    guess("user_id", &better);
    assert_true(better < rank);
}

static void the_caller_decides(void **state)
{
    (void)state;
    struct columns_wanted w;
    struct pal_error err;
    unsigned rank;
    assert_ok(columns_parse("user=who,item=user_id,value=", &w, &err), &err);
    assert_int_equal(columns_role(&w, "who", 3, &rank), ROLE_USER);
    assert_int_equal(rank, 0);
    assert_int_equal(columns_role(&w, "user_id", 7, &rank), ROLE_ITEM);
    assert_int_equal(columns_role(&w, "rating", 6, &rank), ROLE_NONE);
    assert_int_equal(columns_role(&w, "item", 4, &rank), ROLE_NONE);
    assert_int_equal(columns_role(&w, "time", 4, &rank), ROLE_TIME);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"user", "usr=a", "user=a,", "=a", "user=a;item=b,x"};
    struct pal_error err;
    struct columns_wanted w;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        enum pal_status st = columns_parse(wrong[i], &w, &err);
        if (i == 2) { /* a comma at the end is harmless */
            assert_int_equal(st, PAL_OK);
            continue;
        }
        assert_int_equal(st, PAL_EUSAGE);
        assert_non_null(strstr(err.message, "write user=NAME,item=NAME"));
    }
}

static void ratings_are_told_from_amounts(void **state)
{
    (void)state;
    assert_true(columns_is_rating("Rating", 6));
    assert_true(columns_is_rating("rating:float", 12));
    assert_false(columns_is_rating("quantity", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_names_are_known),
        cmocka_unit_test(the_caller_decides),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(ratings_are_told_from_amounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
