/* What was received and is not settled: given again, but for what was refused or is not ours any
 * more. */
#include "test.h"

#include "bus/inbox.h"

static void put(struct inbox *in, const char *text, unsigned shard)
{
    struct pal_error err;
    char *body = mem_text(text, strlen(text));
    assert_non_null(body);
    assert_ok(inbox_put(in, body, strlen(text), shard, 0, &err), &err);
}

/* The bodies that are given, one after the other. */
static const char *give(struct inbox *in, size_t most)
{
    static char all[64];
    struct bus_received got[8];
    size_t n = inbox_give(in, got, most);
    all[0] = '\0';
    for (size_t i = 0; i < n; i++)
        strcat(all, got[i].body);
    return all;
}

static void refuse(struct inbox *in, const char *text)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->letter[i].body, text) == 0) {
            struct bus_received m = {.body = in->letter[i].body};
            struct letter *l = inbox_find(in, &m);
            assert_non_null(l);
            inbox_refuse(in, l);
            inbox_refuse(in, l);
        }
}

static void gives_again_until_settled(void **state)
{
    (void)state;
    struct inbox in = {0};
    for (const char *p = "abcdef"; *p; p++)
        put(&in, (char[]){*p, '\0'}, 0);
    assert_int_equal(inbox_ready(&in), 6);
    assert_string_equal(give(&in, 4), "abcd");
    assert_string_equal(give(&in, 2), "ab");
    refuse(&in, "a");
    assert_int_equal(inbox_ready(&in), 5);
    assert_string_equal(give(&in, 3), "bcd");
    inbox_settle(&in);
    assert_int_equal(inbox_ready(&in), 2);
    inbox_settle(&in);
    assert_string_equal(give(&in, 8), "ef");
    assert_int_equal(in.bytes, 2);
    refuse(&in, "e");
    refuse(&in, "f");
    assert_int_equal(inbox_ready(&in), 0);
    assert_string_equal(give(&in, 8), "");
    inbox_settle(&in);
    assert_int_equal(in.count + in.bytes + in.refused, 0);
    inbox_done(&in);
}

static void drops_a_shard(void **state)
{
    (void)state;
    struct inbox in = {0};
    for (const char *p = "abcdef"; *p; p++)
        put(&in, (char[]){*p, '\0'}, (unsigned)(*p % 2));
    assert_string_equal(give(&in, 4), "abcd");
    refuse(&in, "a");
    refuse(&in, "d");
    inbox_drop_shard(&in, 1);
    assert_int_equal(inbox_ready(&in), 2);
    assert_int_equal(in.given, 2);
    inbox_settle(&in);
    assert_string_equal(give(&in, 8), "f");
    inbox_clear(&in);
    assert_int_equal(in.count + in.bytes + in.refused, 0);
    inbox_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_again_until_settled),
        cmocka_unit_test(drops_a_shard),
    };
    return cmocka_run_group_tests_name("bus/inbox", tests, NULL, NULL);
}
