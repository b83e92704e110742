/* URLs of RabbitMQ streams: what is read from them, and what is said of those that make no sense.
 */
#include "test.h"

#include "bus/amqp_place.h"
#include "bus/backend.h"

static void reads_a_url(void **state)
{
    (void)state;
    struct pal_error err = {0};
    struct amqp_place p;
    assert_ok(amqp_place_read("amqps://me:a%2Fb%40c@rabbit.example:5673/%2Fshop?queue=my%2Fs&"
                              "shards=16&prefetch=7&heartbeat=9&type=quorum&ca=/a&cert=/b&key=/c",
                              &p, &err),
              &err);
    assert_string_equal(p.host, "rabbit.example");
    assert_string_equal(p.user, "me");
    assert_string_equal(p.password, "a/b@c");
    assert_string_equal(p.vhost, "/shop");
    assert_int_equal(p.port, 5673);
    assert_true(p.tls);
    assert_string_equal(p.queue, "my/s");
    assert_int_equal(p.shards, 16);
    assert_int_equal(p.prefetch, 7);
    assert_int_equal(p.heartbeat_s, 9);
    assert_int_equal(p.quorum, 1);
    assert_string_equal(p.ca, "/a");
    assert_string_equal(p.cert, "/b");
    assert_string_equal(p.key, "/c");
    assert_null(strstr(p.shown, "a%2Fb"));
    amqp_place_done(&p);
}

static void has_defaults(void **state)
{
    (void)state;
    static const char *const urls[] = {"amqp://h", "amqp://h/", "amqp://h:5672/%2F?",
                                       "amqp://guest:guest@h/?&shards=4&"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct pal_error err = {0};
        struct amqp_place p;
        assert_ok(amqp_place_read(urls[i], &p, &err), &err);
        assert_string_equal(p.host, "h");
        assert_string_equal(p.user, "guest");
        assert_string_equal(p.password, "guest");
        assert_string_equal(p.vhost, "/");
        assert_int_equal(p.port, 5672);
        assert_false(p.tls);
        assert_string_equal(p.queue, "palate");
        assert_int_equal(p.shards, 4);
        assert_int_equal(p.quorum, 0);
        assert_null(p.ca);
        amqp_place_done(&p);
    }
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"amqp:h", "expected amqp://"},
        {"amqp://h:port/", "expected amqp://"},
        {"amqp://h/a/b", "expected amqp://"},
        {"amqp://me:secret@h/%zz", "expected amqp://"},
        {"amqp://h/?shards=0", "shards"},
        {"amqp://h/?shards=257", "shards"},
        {"amqp://h/?sharps=4", "did you mean 'shards'"},
        {"amqp://h/?queue=", "queue= takes"},
        {"amqp://h/?queue=a%20b", "queue= takes"},
        {"amqp://h/?queue=a%0", "two hexadecimal digits"},
        {"amqp://h/?queue=a%00", "two hexadecimal digits"},
        {"amqp://h/?type=stream", "type"},
        {"amqp://me:secret@h/?cert=/a", "cert= and key="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pal_error err = {0};
        struct bus *b = NULL;
        if (bus_open(rows[i][0], BUS_PUBLISH, &b, NULL, &err) != PAL_EUSAGE)
            fail_msg("%s: %s", rows[i][0], err.message);
        assert_null(b);
        if (!strstr(err.message, rows[i][1]) || strstr(err.message, "secret"))
            fail_msg("%s: %s", rows[i][0], err.message);
    }
}

static void says_when_memory_is_out(void **state)
{
    (void)state;
    int refused = 0;
    for (long n = 1; n < 10; n++) {
        struct pal_error err = {0};
        struct amqp_place p;
        long live = mem_live();
        mem_fail_at(n);
        enum pal_status st = amqp_place_read("amqp://me:word@h/?queue=a&shards=8", &p, &err);
        mem_fail_at(0);
        if (!st)
            amqp_place_done(&p);
        else
            assert_int_equal(st, PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
        refused += st != PAL_OK;
    }
    assert_int_equal(refused, 2); /* the two copies that are kept */
}

int main(void)
{
    bus_add_kind(&amqp_bus_ops);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_url),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(says_when_memory_is_out),
    };
    return cmocka_run_group_tests_name("bus/amqp_place", tests, NULL, NULL);
}
