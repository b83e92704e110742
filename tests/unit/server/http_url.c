/* Decoding against a table of what must come out, and every byte against a rule. */
#include "test.h"

#include "server/http_url.h"

static enum pal_status decode(struct arena *a, const char *text, bool plus, const char **out)
{
    struct pal_error err = {0};
    enum pal_status st = url_decode(a, text, text + strlen(text), plus, out, &err);
    if (st != PAL_OK)
        assert_true(strlen(err.message) > 0);
    return st;
}

static void decodes(void **state)
{
    static const struct {
        const char *text, *plain, *form;
    } rows[] = {
        {"", "", ""},
        {"abc", "abc", "abc"},
        {"a+b", "a+b", "a b"},
        {"a%2Bb", "a+b", "a+b"},
        {"%41%62%63", "Abc", "Abc"},
        {"%2f%2F", "//", "//"},
        {"%25", "%", "%"},
        {"%2525", "%25", "%25"}, /* once only */
        {"%F0%9F%8E%AC", "\xF0\x9F\x8E\xAC", "\xF0\x9F\x8E\xAC"},
        {"\xC3\xA9", "\xC3\xA9", "\xC3\xA9"},
    };
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *out = NULL;
        assert_int_equal(decode(&a, rows[i].text, false, &out), PAL_OK);
        assert_string_equal(out, rows[i].plain);
        assert_int_equal(decode(&a, rows[i].text, true, &out), PAL_OK);
        assert_string_equal(out, rows[i].form);
    }
    arena_done(&a);
}

static void refuses_what_is_no_text(void **state)
{
    static const char *const bad[] = {"%",      "%4",        "%zz",          "%4g", "a%",   "%%41",
                                      "%00",    "%0a",       "%1F",          "%7f", "\x01", "%FF",
                                      "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%C3", "\xC3"};
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *out = bad[i];
        assert_int_equal(decode(&a, bad[i], false, &out), PAL_EUSAGE);
        assert_ptr_equal(out, bad[i]);
    }
    arena_done(&a);
}

/* Each byte, as it is and escaped, means itself or is refused: the same in both forms. */
static void every_byte(void **state)
{
    (void)state;
    struct arena a = {0};
    for (int byte = 1; byte < 256; byte++) {
        char escaped[8], plain[2] = {(char)byte, 0};
        const char *out = NULL;
        bool good = byte >= 0x20 && byte < 0x7F;
        snprintf(escaped, sizeof escaped, "%%%02X", byte);
        assert_int_equal(decode(&a, escaped, false, &out), good ? PAL_OK : PAL_EUSAGE);
        if (good)
            assert_string_equal(out, plain);
        if (byte != '%')
            assert_int_equal(decode(&a, plain, false, &out), good ? PAL_OK : PAL_EUSAGE);
    }
    arena_done(&a);
}

static void reads_pairs(void **state)
{
    static const char text[] = "a=1&b=x+y&&c&a=%26%3D&=v&d=e=f&";
    static const char *const expect[][2] = {{"a", "1"},  {"b", "x y"}, {"c", ""},
                                            {"a", "&="}, {"", "v"},    {"d", "e=f"}};
    (void)state;
    struct arena a = {0};
    struct pal_error err;
    struct url_pair *pairs = NULL;
    size_t count = 0;
    assert_ok(url_query(&a, text, text + strlen(text), &pairs, &count, &err), &err);
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(pairs[i].name, expect[i][0]);
        assert_string_equal(pairs[i].value, expect[i][1]);
    }
    assert_ok(url_query(&a, text, text, &pairs, &count, &err), &err);
    assert_int_equal(count, 0);
    arena_done(&a);
}

static void refuses_too_many_pairs(void **state)
{
    (void)state;
    struct arena a = {0};
    struct pal_error err;
    struct url_pair *pairs = NULL;
    size_t count = 0;
    char text[2 * 257];
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "x&", 2);
    assert_ok(url_query(&a, text, text + 2 * 256, &pairs, &count, &err), &err);
    assert_int_equal(count, 256);
    assert_int_equal(url_query(&a, text, text + sizeof text, &pairs, &count, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "257"));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(refuses_what_is_no_text),
        cmocka_unit_test(every_byte),
        cmocka_unit_test(reads_pairs),
        cmocka_unit_test(refuses_too_many_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
