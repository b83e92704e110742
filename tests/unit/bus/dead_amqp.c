/* What lies in the dead-letter queue of a RabbitMQ stream, read by librabbitmq alone. */
#include "contract_dead.h"

#include "bus/amqp_place.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>

static void copy(char *out, size_t size, amqp_bytes_t from)
{
    snprintf(out, size, "%.*s", (int)from.len, (char *)from.bytes);
}

void dead_amqp(const char *url, char *body, size_t body_size, char *reason, size_t reason_size)
{
    struct pal_error err;
    struct amqp_place p;
    char queue[256];
    assert_ok(amqp_place_read(url, &p, &err), &err);
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *s = amqp_tcp_socket_new(c);
    assert_int_equal(amqp_socket_open(s, p.host, p.port), 0);
    amqp_rpc_reply_t r =
        amqp_login(c, p.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, p.user, p.password);
    assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
    amqp_channel_open(c, 1);
    snprintf(queue, sizeof queue, "%s.dead", p.queue);
    r = amqp_basic_get(c, 1, amqp_cstring_bytes(queue), 1);
    assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
    assert_int_equal(r.reply.id, AMQP_BASIC_GET_OK_METHOD);
    amqp_message_t m;
    r = amqp_read_message(c, 1, &m, 0);
    assert_int_equal(r.reply_type, AMQP_RESPONSE_NORMAL);
    copy(body, body_size, m.body);
    for (int i = 0; i < m.properties.headers.num_entries; i++) {
        const amqp_table_entry_t *e = &m.properties.headers.entries[i];
        if (e->key.len == 13 && memcmp(e->key.bytes, "palate-reason", 13) == 0)
            copy(reason, reason_size, e->value.value.bytes);
    }
    amqp_destroy_message(&m);
    amqp_destroy_connection(c);
    amqp_place_done(&p);
}
