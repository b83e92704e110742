/* Numbers as people write them by hand. */
#include "test.h"

#include "base/readable.h"

static void numbers(void **state)
{
    (void)state;
    struct str out = {0};
    const uint64_t counts[] = {0, 999, 1000, 1000209, UINT64_MAX};
    const uint64_t sizes[] = {0, 999, 1500, 99950, 2500000000};
    const double times[] = {0.0123, 1.5, 12.34, 125, 7260}, shares[] = {0, 0.25, 0.0447, 0.0001};
    for (size_t i = 0; i < 5; i++, str_char(&out, '|'))
        put_count(&out, counts[i]);
    for (size_t i = 0; i < 5; i++, str_char(&out, '|'))
        put_bytes(&out, sizes[i]);
    for (size_t i = 0; i < 5; i++, str_char(&out, '|'))
        put_seconds(&out, times[i]);
    for (size_t i = 0; i < 4; i++, str_char(&out, '|'))
        put_percent(&out, shares[i]);
    put_share(&out, 0.0001);
    str_char(&out, '|');
    put_date(&out, 951868799); /* the leap day of 2000 */
    assert_string_equal(str_text(&out), "0|999|1,000|1,000,209|18,446,744,073,709,551,615|"
                                        "0 B|999 B|1.5 kB|100 kB|2.5 GB|"
                                        "12 ms|1.50 s|12.3 s|2 min 05 s|2 h 01 min|"
                                        "0.0 %|25.0 %|4.47 %|0.0100 %|<0.1 %|2000-02-29 23:59");
    str_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
