/* What lies in the dead-letter topic of a Kafka stream, read by librdkafka alone. */
#include "contract_dead.h"

#include "bus/kafka_place.h"

#include <librdkafka/rdkafka.h>

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why))
        fail_msg("%s", why);
}

static rd_kafka_message_t *first_of(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(rk, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_message_t *m = NULL;
    for (int i = 0; i < 20 && !m; i++) {
        m = rd_kafka_consumer_poll(rk, 500);
        if (m && m->err) {
            rd_kafka_message_destroy(m);
            m = NULL;
        }
    }
    return m;
}

void dead_kafka(const char *url, char *body, size_t body_size, char *reason, size_t reason_size)
{
    struct pal_error err;
    struct kafka_place p;
    char why[256];
    assert_ok(kafka_place_read(url, &p, &err), &err);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", p.hosts);
    set(conf, "group.id", "looks");
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    assert_non_null(rk);
    rd_kafka_message_t *m = first_of(rk, p.dead);
    assert_non_null(m);
    snprintf(body, body_size, "%.*s", (int)m->len, (char *)m->payload);
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    assert_int_equal(rd_kafka_message_headers(m, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "palate-reason", &value, &size), 0);
    snprintf(reason, reason_size, "%.*s", (int)size, (const char *)value);
    rd_kafka_message_destroy(m);
    rd_kafka_destroy(rk);
    kafka_place_done(&p);
}
