/* Growing text: what was appended, in any sizes, and what happens when memory ends. */
#include "test.h"

#include "base/rng.h"
#include "base/str.h"
#include "base/text.h"

#include <math.h>

static void appends_everything(void **state)
{
    (void)state;
    struct str s = {0};
    assert_string_equal(str_text(&s), "");
    str_put(&s, "als");
    str_char(&s, '.');
    str_add(&s, NULL, 0);
    str_add(&s, "factors=", 8);
    str_fmt(&s, "%d %s", 64, "");
    assert_string_equal(str_text(&s), "als.factors=64 ");
    assert_int_equal(s.len, 15);
    assert_true(str_ok(&s));
    str_clear(&s);
    assert_string_equal(str_text(&s), "");
    str_put(&s, "again");
    assert_string_equal(str_text(&s), "again");
    str_done(&s);
    assert_string_equal(str_text(&s), "");
}

/* Pieces of all lengths around the sizes at which the memory doubles. */
static void grows_without_losing_any(void **state)
{
    (void)state;
    struct str s = {0};
    char *expect = calloc(1, 200000);
    assert_non_null(expect);
    size_t len = 0;
    for (size_t n = 0; n < 500; n++) {
        char piece[501];
        memset(piece, 'a' + (int)(n % 26), n);
        piece[n] = 0;
        if (n % 2)
            str_put(&s, piece);
        else
            str_fmt(&s, "%s", piece);
        memcpy(expect + len, piece, n);
        len += n;
        assert_int_equal(s.len, len);
    }
    assert_string_equal(str_text(&s), expect);
    free(expect);
    str_done(&s);
}

static void says_when_it_is_incomplete(void **state)
{
    (void)state;
    long live = mem_live();
    struct str s = {0};
    str_put(&s, "whole");
    mem_fail_at(1);
    str_fmt(&s, "%100d", 1);
    mem_fail_at(0);
    assert_false(str_ok(&s));
    str_put(&s, "!"); /* a hole in the middle would be worse than an end */
    assert_string_equal(str_text(&s), "whole");
    assert_false(str_ok(&s));
    str_clear(&s);
    assert_true(str_ok(&s));
    str_add(&s, "", SIZE_MAX);
    assert_false(str_ok(&s));
    str_done(&s);
    assert_int_equal(mem_live(), live);
}

static void check_real(double x)
{
    struct str s = {0};
    double back;
    str_real(&s, x);
    assert_true(text_real(s.text, s.text + s.len, &back));
    assert_memory_equal(&back, &x, sizeof x);
    if (fabs(x) < 1e15 && x == floor(x)) {
        assert_int_equal(strspn(s.text, "-0123456789"), s.len);
    } else { /* fewer digits would not have done */
        for (int precision = 1; precision <= 17; precision++) {
            char shorter[40];
            snprintf(shorter, sizeof shorter, "%.*g", precision, x);
            if (strtod(shorter, NULL) == x) {
                assert_string_equal(s.text, shorter);
                break;
            }
        }
    }
    str_done(&s);
}

static void reals_come_back(void **state)
{
    (void)state;
    const double some[] = {0,     1,      -1,     0.1, 1e-4, 10, 64, 0.30000000000000004,
                           1e300, 5e-324, -2.5e-7};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        check_real(some[i]);
    struct rng r;
    rng_init(&r, 1, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_next(&r);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x))
            check_real(x);
    }
    struct str s = {0};
    str_real(&s, 0.05);
    str_char(&s, ' ');
    str_real(&s, 10);
    assert_string_equal(str_text(&s), "0.05 10");
    str_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_everything),
        cmocka_unit_test(grows_without_losing_any),
        cmocka_unit_test(says_when_it_is_incomplete),
        cmocka_unit_test(reals_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
