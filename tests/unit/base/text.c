/* Numbers against the C library's own reading, times against its calendar, UTF-8 against a decoder
 * that follows the definition instead of a table. */
#include "test.h"

#include "base/rng.h"
#include "base/str.h"
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#define TEXT(s) (s), (s) + strlen(s)

static void whole_numbers(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         " 1",
                         "1 ",
                         "-1",
                         "+1",
                         "1.0",
                         "0x1",
                         "a",
                         "18446744073709551616",
                         "99999999999999999999",
                         "100000000000000000000",
                         "1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t v = 77;
        assert_false(text_u64(TEXT(bad[i]), &v));
        assert_int_equal(v, 77);
    }
    uint64_t v;
    assert_true(text_u64(TEXT("0"), &v) && v == 0);
    assert_true(text_u64(TEXT("007"), &v) && v == 7);
    assert_true(text_u64(TEXT("18446744073709551615"), &v) && v == UINT64_MAX);
    const char *longer = "1234";
    assert_true(text_u64(longer, longer + 2, &v) && v == 12); /* it stops at the end it is given */
    struct rng r;
    rng_init(&r, 1, 0);
    for (int i = 0; i < 100000; i++) {
        char s[32];
        uint64_t x = rng_next(&r) >> rng_below(&r, 64);
        snprintf(s, sizeof s, "%llu", (unsigned long long)x);
        assert_true(text_u64(TEXT(s), &v) && v == x);
    }
}

/* What text_real should do, by strtod: the same grammar without words, hexadecimals and blanks. */
static bool naive_real(const char *s, double *out)
{
    if (!*s || s[strspn(s, "0123456789+-.eE")])
        return false;
    char *stop;
    *out = strtod(s, &stop);
    return *stop == 0 && stop != s && isfinite(*out);
}

static void check_real(const char *s)
{
    double want, got = 0;
    bool good = naive_real(s, &want);
    if (text_real(TEXT(s), &got) != good)
        fail_msg("'%s' should be %s", s, good ? "a number" : "refused");
    if (good && memcmp(&want, &got, sizeof got) != 0)
        fail_msg("'%s' is %.17g, not %.17g", s, want, got);
}

static void reals_by_hand(void **state)
{
    (void)state;
    const char *some[] = {"",
                          "-",
                          "+",
                          ".",
                          "-.",
                          "1.",
                          ".5",
                          "-.5",
                          "+.5",
                          "1.2.3",
                          "1e5",
                          "1e",
                          "1e+",
                          "e5",
                          "--1",
                          "1-1",
                          "1e400",
                          "-1e400",
                          "1e-400",
                          "nan",
                          "inf",
                          "-inf",
                          "0x10",
                          " 1",
                          "1 ",
                          "1,5",
                          "0",
                          "-0",
                          "-0.0",
                          "4",
                          "3.5",
                          "00.50",
                          "5e-324",
                          "0.1",
                          "1e22",
                          "1e23",
                          "999999999999999",
                          "9999999999999999",
                          "0.000000000000001",
                          "123456789012345678",
                          "179769313486231570000000000000000000000",
                          "2.2250738585072011e-308",
                          "9007199254740993"};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        check_real(some[i]);
}

static void reals_at_random(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2, 0);
    for (int i = 0; i < 100000; i++) { /* as programs write them */
        char s[64];
        uint64_t bits = rng_next(&r);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x))
            continue;
        int precision = (int)rng_below(&r, 18);
        snprintf(s, sizeof s, "%.*g", precision, rng_below(&r, 2) ? x : rng_normal(&r) * 1000);
        check_real(s);
        snprintf(s, sizeof s, "%.*f", precision % 12, rng_normal(&r) * 1e6);
        check_real(s);
    }
    for (int i = 0; i < 200000; i++) { /* and as nobody does */
        char s[24];
        size_t len = rng_below(&r, sizeof s);
        for (size_t k = 0; k < len; k++)
            s[k] = "00123456789123456789.-+eE,x "[rng_below(&r, 28)];
        s[len] = 0;
        check_real(s);
    }
}

/* Makes the German locale in a folder of its own, where the machine has what that takes. */
static bool set_decimal_comma(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1",
             folder);
    int made = system(command); /* 1 is a warning; whether it worked, the next line says */
    setenv("LOCPATH", folder, 1);
    return made >= 0 && setlocale(LC_NUMERIC, "de_DE.UTF-8");
}

static void reals_are_the_same_in_every_locale(void **state)
{
    (void)state;
    char folder[] = "/tmp/palate-test-XXXXXX", command[64], shown[32];
    assert_non_null(mkdtemp(folder));
    bool comma = set_decimal_comma(folder), good = true;
    double big = 0, small = 0;
    struct str s = {0};
    if (comma) {
        snprintf(shown, sizeof shown, "%.1f", 2.5);
        good = text_real(TEXT("1.5e10"), &big) && text_real(TEXT("2.5"), &small);
        str_real(&s, 0.25);
        setlocale(LC_NUMERIC, "C");
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    if (!comma) {
        printf("skipped: no localedef or no locale sources (Debian's package locales)\n");
        skip();
    }
    assert_string_equal(shown, "2,5"); /* the locale was in force */
    assert_true(good && big == 1.5e10 && small == 2.5);
    assert_string_equal(str_text(&s), "0.25");
    str_done(&s);
}

/* By the definition: decode the bits of a lead byte and its followers, then ask whether the result
 * is a character and whether this is its shortest form. */
static size_t naive_char(const unsigned char *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = 0;
    while (n < 8 && (p[0] << n & 0x80))
        n++;
    if (n == 0)
        return 1;
    if (n == 1 || n > 4 || n > left)
        return 0;
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        c = c << 6 | (p[i] & 63u);
    }
    bool surrogate = c >= 0xd800 && c < 0xe000;
    return c < least[n] || c > 0x10ffff || surrogate ? 0 : n;
}

static bool naive_utf8(const unsigned char *p, size_t len)
{
    while (len) {
        size_t n = naive_char(p, len);
        if (n == 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

static void check_utf8(const unsigned char *p, size_t len)
{
    const char *s = (const char *)p;
    if (text_is_utf8(s, len) != naive_utf8(p, len))
        fail_msg("%02x %02x %02x %02x (%zu)", p[0], p[1], p[2], p[3], len);
    if (len)
        assert_int_equal(text_utf8_char(s, s + len), naive_char(p, len));
}

static void utf8_every_short_sequence(void **state)
{
    (void)state;
    unsigned char p[4] = {0};
    check_utf8(p, 0);
    assert_int_equal(text_utf8_char((char *)p, (char *)p), 0);
    for (unsigned x = 0; x < 1u << 24; x++) {
        p[0] = (unsigned char)(x >> 16);
        p[1] = (unsigned char)(x >> 8);
        p[2] = (unsigned char)x;
        if (p[0] >= 0x80 || x % 4097 == 0) {
            check_utf8(p, 3);
            if (p[2] == 0x80)
                check_utf8(p, 2);
        }
    }
    for (unsigned x = 0; x < 1u << 24; x++) { /* four bytes, the last few values of each enough */
        static const unsigned char last[] = {0x7f, 0x80, 0xbf, 0xc0};
        p[0] = (unsigned char)(0xf0 | (x >> 20 & 7));
        p[1] = (unsigned char)(x >> 12);
        p[2] = (unsigned char)(x >> 4);
        p[3] = last[x & 3];
        if ((x & 12) == 0)
            check_utf8(p, 4);
    }
}

static void utf8_at_random(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "a",    "\xc3\xa9",     "\xe2\x82\xac", "\xf0\x9f\x8e\xac", "\xff",
        "\x80", "\xed\xa0\x80", "\xc0\x80",     "\xf4\x90\x80\x80"};
    struct rng r;
    rng_init(&r, 3, 0);
    size_t good = 0;
    for (int i = 0; i < 50000; i++) {
        unsigned char s[64] = {0};
        size_t len = 0;
        for (size_t k = rng_below(&r, 12); k > 0; k--) {
            const char *part = parts[rng_below(&r, rng_below(&r, 4) ? 4 : 9)];
            memcpy(s + len, part, strlen(part));
            len += strlen(part);
        }
        if (len && rng_below(&r, 8) == 0)
            len--;
        check_utf8(s, len);
        good += text_is_utf8((char *)s, len);
    }
    assert_true(good > 5000 && good < 45000); /* both kinds were tried */
}

static void latin1_becomes_utf8(void **state)
{
    (void)state;
    char in[256], out[512];
    for (int i = 0; i < 256; i++)
        in[i] = (char)i;
    size_t len = text_from_latin1(in, 256, out);
    assert_int_equal(len, 128 + 2 * 128);
    assert_true(text_is_utf8(out, len));
    const char *p = out;
    for (unsigned c = 0; c < 256; c++) {
        unsigned got = (unsigned char)*p++;
        if (got >= 0x80)
            got = (got & 31) << 6 | ((unsigned char)*p++ & 63);
        assert_int_equal(got, c);
    }
    assert_int_equal(text_from_latin1("", 0, out), 0);
}

static void words(void **state)
{
    (void)state;
    assert_true(text_is(TEXT("UserId"), "userid"));
    assert_true(text_is(TEXT(""), ""));
    assert_false(text_is(TEXT("user"), "userid"));
    assert_false(text_is(TEXT("userids"), "userid"));
    assert_false(text_is(TEXT("user_d"), "user-d"));
}

static void calendar_against_the_library(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, 0);
    for (int i = 0; i < 100000; i++) {
        time_t t = (time_t)rng_below(&r, UINT32_MAX);
        struct tm c;
        char s[64];
        assert_non_null(gmtime_r(&t, &c));
        assert_true(text_unix_time(c.tm_year + 1900, c.tm_mon + 1, c.tm_mday, c.tm_hour, c.tm_min,
                                   c.tm_sec) == t);
        strftime(s, sizeof s, i % 2 ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%SZ", &c);
        uint32_t got = 0;
        assert_true(text_time(TEXT(s), &got));
        assert_int_equal(got, t);
    }
    assert_true(text_unix_time(1600, 2, 29, 0, 0, 0) == -11670998400);
    assert_true(text_unix_time(1969, 12, 31, 23, 59, 59) == -1);
}

static void times_in_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t time;
    } good[] = {
        {"0", 0},
        {"978300760", 978300760},
        {"4294967295", UINT32_MAX},
        {"100000000000", 100000000},
        {"1500000000123", 1500000000},
        {"978300760.9", 978300760},
        {"1970-01-02", 86400},
        {"2017-01-28 14:06:53", 1485612413},
        {"2017-01-28T14:06", 1485612360},
        {"2019-11-24T00:01:03.979311+00:00", 1574553663},
        {"2017-01-28T14:06:53+02:00", 1485612413 - 7200},
        {"2017-01-28T14:06:53-0530", 1485612413 + 19800},
        {"2000-02-29", 951782400},
        {"2106-02-07T06:28:15Z", UINT32_MAX},
    };
    static const char *const bad[] = {"",
                                      "-1",
                                      "yesterday",
                                      "1969-12-31",
                                      "2106-02-07T06:28:16Z",
                                      "4294967296",
                                      "2017-13-01",
                                      "2017-00-10",
                                      "2017-02-29",
                                      "2100-02-29",
                                      "2017-01-32",
                                      "2017-01-28 24:00:00",
                                      "2017-01-28 10:60:00",
                                      "2017-01-28 10:00:61",
                                      "2017-01-28 10",
                                      "2017-01-28x",
                                      "2017-01-28T10:00:00+25:00",
                                      "2017-01-28T10:00:00 UTC",
                                      "2017-01-28T10:00:00+",
                                      "17-01-28",
                                      "2017-1-28",
                                      "2017/01/28",
                                      "99999999999999999999",
                                      "1e99"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint32_t t = 1;
        if (!text_time(TEXT(good[i].text), &t) || t != good[i].time)
            fail_msg("'%s' is %u, not %u", good[i].text, good[i].time, t);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t t = 77;
        if (text_time(TEXT(bad[i]), &t) || t != 77)
            fail_msg("'%s' was taken for %u", bad[i], t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(reals_by_hand),
        cmocka_unit_test(reals_at_random),
        cmocka_unit_test(reals_are_the_same_in_every_locale),
        cmocka_unit_test(utf8_every_short_sequence),
        cmocka_unit_test(utf8_at_random),
        cmocka_unit_test(latin1_becomes_utf8),
        cmocka_unit_test(words),
        cmocka_unit_test(calendar_against_the_library),
        cmocka_unit_test(times_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
