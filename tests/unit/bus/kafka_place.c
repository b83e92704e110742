/* URLs of Kafka streams: what is read from them, and what is said of those that make no sense; and
 * the hash of keys, which is that of Kafka's own producers. */
#include "test.h"

#include "bus/backend.h"
#include "bus/kafka_place.h"

#include <librdkafka/rdkafka.h>

static void reads_a_url(void **state)
{
    (void)state;
    struct pal_error err = {0};
    struct kafka_place p;
    assert_ok(kafka_place_read("kafka://a.example:9092,b.example:9093/shop.events?group=g%2F1&"
                               "partitions=12&replication=3&security.protocol=sasl_ssl&"
                               "sasl.password=a%26b",
                               &p, &err),
              &err);
    assert_string_equal(p.hosts, "a.example:9092,b.example:9093");
    assert_string_equal(p.topic, "shop.events");
    assert_string_equal(p.dead, "shop.events.dead");
    assert_string_equal(p.group, "g/1");
    assert_int_equal(p.partitions, 12);
    assert_int_equal(p.replication, 3);
    assert_int_equal(p.words, 2);
    assert_string_equal(p.word[0].name, "security.protocol");
    assert_string_equal(p.word[0].value, "sasl_ssl");
    assert_string_equal(p.word[1].value, "a&b");
    assert_null(strstr(p.shown, "a%26b"));
    kafka_place_done(&p);
    assert_ok(kafka_place_read("kafka://h/t", &p, &err), &err);
    assert_string_equal(p.group, "palate");
    assert_int_equal(p.partitions, 4);
    assert_int_equal(p.replication, 0);
    kafka_place_done(&p);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"kafka:h/t", "expected kafka://"},
        {"kafka://h", "expected kafka://"},
        {"kafka:///t", "expected kafka://"},
        {"kafka://h/", "name of a topic"},
        {"kafka://h/..", "name of a topic"},
        {"kafka://h/a/b", "name of a topic"},
        {"kafka://h/a%20b", "name of a topic"},
        {"kafka://me:secret@h/t", "sasl.username"},
        {"kafka://h/t?group=", "group= needs a name"},
        {"kafka://h/t?partitions=0", "partitions"},
        {"kafka://h/t?gruop=a", "did you mean 'group'"},
        {"kafka://h/t?group=%", "two hexadecimal digits"},
        {"kafka://h/t?acks.x=0", "can't be set here"},
        {"kafka://h/t?enable.idempotence=false", "can't be set here"},
        {"kafka://h/t?security.protocol=morse", "security.protocol"},
        {"kafka://h/t?ssl.nothing=1&ssl.key.password=secret", "ssl.nothing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pal_error err = {0};
        struct bus *b = NULL;
        if (bus_open(rows[i][0], BUS_PUBLISH, &b, NULL, &err) != PAL_EUSAGE ||
            !strstr(err.message, rows[i][1]) || strstr(err.message, "secret"))
            fail_msg("%s: %s", rows[i][0], err.message);
        assert_null(b);
    }
}

/* Expectations: the unit test of Kafka's Utils.murmur2 (clients/…/UtilsTest.java), positive, modulo
 * 1000. */
static void hashes_as_kafka_does(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int32_t murmur2;
    } rows[] = {{"21", -973932308},
                {"foobar", -790332482},
                {"a-little-bit-long-string", -985981536},
                {"a-little-bit-longer-string", -1486304829},
                {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(rd_kafka_msg_partitioner_murmur2(NULL, rows[i].key, strlen(rows[i].key),
                                                          1000, NULL, NULL),
                         (rows[i].murmur2 & 0x7fffffff) % 1000);
}

int main(void)
{
    bus_add_kind(&kafka_bus_ops);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_url),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(hashes_as_kafka_does),
    };
    return cmocka_run_group_tests_name("bus/kafka_place", tests, NULL, NULL);
}
