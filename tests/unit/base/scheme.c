/* Schemes of URLs, and URLs shown without their secrets. */
#include "test.h"

#include "base/scheme.h"

static void finds_the_scheme(void **state)
{
    (void)state;
    assert_true(scheme_is("sqlite:a", "sqlite"));
    assert_true(scheme_is("redis://h", "redis"));
    assert_false(scheme_is("rediss://h", "redis"));
    assert_false(scheme_is("redis:", "redis"));
    assert_false(scheme_is("redi", "redis"));
}

static void hides_secrets(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"sqlite:palate.db", "sqlite:palate.db"},
        {"postgres://h/db", "postgres://h/db"},
        {"postgres://me@h/db", "postgres://me@h/db"},
        {"postgres://me:word@h/db?a=1", "postgres://me:***@h/db?a=1"},
        {"redis://:word@h:6379/0", "redis://:***@h:6379/0"},
        {"amqp://me:w@rd@h/", "amqp://me:***@h/"},
        {"kafka://a:9092,b:9092/t@x", "kafka://a:9092,b:9092/t@x"},
        {"s3://b/p?endpoint=http://h:9000&secret=abc&region=x",
         "s3://b/p?endpoint=http://h:9000&secret=***&region=x"},
        {"x://h/?sasl.password=abc", "x://h/?sasl.password=***"},
        {"postgres://me:Se/cret@h/db", "postgres://me:***@h/db"},
        {"redis://:a?b#c@h:6379/0", "redis://:***@h:6379/0"},
        {"amqp://h:5672/v@x?queue=a@b", "amqp://h:5672/v@x?queue=a@b"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char buf[128];
        scheme_copy(buf, sizeof buf, rows[i][0]);
        assert_string_equal(buf, rows[i][1]);
    }
}

static void says_what_there_is(void **state)
{
    (void)state;
    static const struct scheme_kind sqlite = {"sqlite", "sqlite:FILE"},
                                    postgres = {"postgres", "postgres://HOST/DB"},
                                    postgresql = {"postgresql", "postgres://HOST/DB"};
    struct scheme_kinds stores = {.what = "store"}, streams = {.what = "stream"};
    const struct scheme_kind *found = NULL;
    struct pal_error err;
    scheme_add(&stores, &sqlite);
    scheme_add(&stores, &postgres);
    scheme_add(&stores, &postgres);
    scheme_add(&stores, &postgresql);
    assert_int_equal(stores.count, 3);
    assert_int_equal(scheme_find(&stores, "postgresql://h/d", &found, &err), PAL_OK);
    assert_ptr_equal(found, &postgresql);

    assert_int_equal(scheme_find(&stores, "x://me:word@h", &found, &err), PAL_EUNSUPPORTED);
    assert_string_equal(err.message, "store 'x://me:***@h': this build has no such kind of store; "
                                     "it has: sqlite:FILE, postgres://HOST/DB");
    assert_int_equal(scheme_find(&streams, "x://h", &found, &err), PAL_EUNSUPPORTED);
    assert_string_equal(err.message,
                        "stream 'x://h': this build has no such kind of stream; it has: none");
    scheme_absent("amqp", "librabbitmq", "librabbitmq-dev");
    assert_int_equal(scheme_find(&streams, "amqp://h", &found, &err), PAL_EUNSUPPORTED);
    assert_string_equal(err.message, "stream 'amqp://h': this build was made without librabbitmq: "
                                     "install librabbitmq-dev and build again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_scheme),
        cmocka_unit_test(hides_secrets),
        cmocka_unit_test(says_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
