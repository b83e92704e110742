/* Keys: each secret opens what its line says, nothing near it opens anything, and what is wrong
 * with a file is told by line and never by what the line holds. */
#include "test.h"

#include "server/http_keys.h"

#define SECRET "0123456789abcdef"

static enum pal_status parse(const char *text, struct keys **out, struct pal_error *err)
{
    err->message[0] = 0;
    return keys_parse("k", text, strlen(text), out, err);
}

static void finds_each_key(void **state)
{
    (void)state;
    struct keys *k = NULL;
    struct pal_error err;
    const char *name = NULL;
    assert_ok(parse("# a\n\nr:read:" SECRET "1\nw:Write:" SECRET ":2\r\na:ADMIN:" SECRET "3 \t\n"
                    "last:read:" SECRET "4",
                    &k, &err),
              &err);
    assert_int_equal(keys_find(k, SECRET "1", &name), HTTP_READ);
    assert_string_equal(name, "r");
    assert_int_equal(keys_find(k, SECRET ":2", &name), HTTP_WRITE);
    assert_string_equal(name, "w");
    assert_int_equal(keys_find(k, SECRET "3", &name), HTTP_ADMIN);
    assert_string_equal(name, "a");
    assert_int_equal(keys_find(k, SECRET "4", &name), HTTP_READ);
    assert_string_equal(name, "last");
    keys_free(k);
}

/* Every cut, every lengthening and every changed byte of a secret. */
static void nothing_near_a_secret_opens(void **state)
{
    (void)state;
    struct keys *k = NULL;
    struct pal_error err;
    const char *name = "unchanged";
    char near[600];
    assert_ok(parse("r:read:" SECRET "\n", &k, &err), &err);
    for (size_t len = 0; len < strlen(SECRET); len++) {
        snprintf(near, sizeof near, "%.*s", (int)len, SECRET);
        assert_int_equal(keys_find(k, near, &name), HTTP_OPEN);
        strcpy(near, SECRET);
        near[len] ^= 1;
        assert_int_equal(keys_find(k, near, &name), HTTP_OPEN);
    }
    assert_int_equal(keys_find(k, SECRET "x", &name), HTTP_OPEN);
    assert_int_equal(keys_find(k, " " SECRET, &name), HTTP_OPEN);
    memset(near, 'x', sizeof near);
    near[sizeof near - 1] = 0;
    assert_int_equal(keys_find(k, near, &name), HTTP_OPEN);
    assert_string_equal(name, "unchanged");
    keys_free(k);
}

static void refuses_lines(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "no key"},
        {"\n#x\n", "no key"},
        {"nonsense", "k:1: write NAME:RIGHT:SECRET"},
        {"a:read", "k:1: write NAME:RIGHT:SECRET"},
        {"\na:own:" SECRET, "k:2: the right"},
        {"a::" SECRET, "k:1: the right"},
        {":read:" SECRET, "k:1: a key's name"},
        {"a\tb:read:" SECRET, "k:1: a key's name"},
        {"\xC3\xA9:read:" SECRET, "k:1: a key's name"},
        {"a:read:012345678abcdef", "k:1: a secret is 16"},
        {"a:read:", "k:1: a secret is 16"},
        {"a:read:" SECRET " x", "k:1: a secret is 16"},
        {"a:read:" SECRET "\xC3\xA9", "k:1: a secret is 16"},
        {"a:read:" SECRET "\na:write:" SECRET "2", "k:2: another line has this name"},
        {"a:read:" SECRET "\nb:write:" SECRET, "k:2: another line has this secret"},
    };
    (void)state;
    long live = mem_live();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct keys *k = NULL;
        struct pal_error err;
        assert_int_equal(parse(rows[i].text, &k, &err), PAL_EUSAGE);
        assert_null(k);
        if (!strstr(err.message, rows[i].says))
            fail_msg("'%s' is not in '%s'", rows[i].says, err.message);
        assert_null(strstr(err.message, "0123"));
    }
    assert_int_equal(mem_live(), live);
}

static void a_name_of_64_and_a_secret_of_256(void **state)
{
    (void)state;
    char text[500], name[66], secret[258];
    const char *found = NULL;
    struct pal_error err;
    for (size_t more = 0; more < 2; more++) {
        struct keys *k = NULL;
        memset(name, 'n', sizeof name);
        memset(secret, 's', sizeof secret);
        name[64] = 0;
        secret[256 + more] = 0;
        snprintf(text, sizeof text, "%s:read:%s\n", name, secret);
        assert_int_equal(parse(text, &k, &err), more ? PAL_EUSAGE : PAL_OK);
        if (k) {
            assert_int_equal(keys_find(k, secret, &found), HTTP_READ);
            assert_string_equal(found, name);
        }
        keys_free(k);
    }
}

static void out_of_memory(void **state)
{
    (void)state;
    long live = mem_live();
    struct keys *k = NULL;
    struct pal_error err;
    for (int n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(parse("r:read:" SECRET, &k, &err), PAL_ENOMEM);
        assert_null(k);
    }
    mem_fail_at(0);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_key), cmocka_unit_test(nothing_near_a_secret_opens),
        cmocka_unit_test(refuses_lines),  cmocka_unit_test(a_name_of_64_and_a_secret_of_256),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
