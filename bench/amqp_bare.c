/* What librabbitmq does by itself, beside bench/stream:
 *
 *     amqp_bare HOST PORT USER PASSWORD NAME publish|receive COUNT SIZE
 *
 * publish: to the exchange NAME with the keys 0 to 3, persistent, a thousand at a time, then their
 * confirms. receive: from the queues NAME.0 to NAME.3 on one channel, acknowledged every thousand.
 * Prints the seconds it took. */
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seconds.h"

enum { BATCH = 1000, SHARDS = 4 };

static void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "amqp_bare: %s failed\n", what);
    exit(1);
}

static amqp_connection_state_t log_in(char **argv)
{
    amqp_connection_state_t c = amqp_new_connection();
    amqp_socket_t *s = amqp_tcp_socket_new(c);
    need(amqp_socket_open(s, argv[1], atoi(argv[2])) == 0, "connecting");
    amqp_rpc_reply_t r = amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, argv[3], argv[4]);
    need(r.reply_type == AMQP_RESPONSE_NORMAL, "logging in");
    amqp_channel_open(c, 1);
    need(amqp_get_rpc_reply(c).reply_type == AMQP_RESPONSE_NORMAL, "opening a channel");
    return c;
}

/* Until every message up to `last` is confirmed: acks come in any order, many at a time. */
static void wait_confirms(amqp_connection_state_t c, unsigned char *done, size_t first, size_t last)
{
    size_t left = last - first, low = first;
    while (left) {
        amqp_frame_t f;
        need(amqp_simple_wait_frame(c, &f) == 0, "reading");
        need(f.frame_type == AMQP_FRAME_METHOD && f.payload.method.id == AMQP_BASIC_ACK_METHOD,
             "waiting for confirms");
        const amqp_basic_ack_t *ack = f.payload.method.decoded;
        for (size_t t = ack->multiple ? low : ack->delivery_tag; t <= ack->delivery_tag; t++)
            if (!done[t]) {
                done[t] = 1;
                left--;
            }
        if (ack->multiple)
            low = ack->delivery_tag + 1;
        amqp_maybe_release_buffers(c);
    }
}

static void publish(amqp_connection_state_t c, const char *name, size_t count, size_t size)
{
    amqp_basic_properties_t p = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
    char *text = malloc(size);
    unsigned char *done = calloc(count + 1, 1);
    need(text && done, "memory");
    memset(text, 'x', size);
    amqp_confirm_select(c, 1);
    for (size_t i = 0; i < count; i++) {
        char key[2] = {(char)('0' + i % SHARDS), '\0'};
        amqp_bytes_t body = {size, text};
        need(amqp_basic_publish(c, 1, amqp_cstring_bytes(name), amqp_cstring_bytes(key), 1, 0, &p,
                                body) == 0,
             "publishing");
        if ((i + 1) % BATCH == 0 || i + 1 == count)
            wait_confirms(c, done, i / BATCH * BATCH + 1, i + 2);
    }
    free(done);
    free(text);
}

static void receive(amqp_connection_state_t c, const char *name, size_t count)
{
    amqp_basic_qos(c, 1, 0, BATCH, 0);
    for (int i = 0; i < SHARDS; i++) {
        char queue[64];
        snprintf(queue, sizeof queue, "%s.%d", name, i);
        amqp_basic_consume(c, 1, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                           amqp_empty_table);
    }
    for (size_t i = 1; i <= count; i++) {
        amqp_envelope_t e;
        amqp_maybe_release_buffers(c);
        amqp_rpc_reply_t r = amqp_consume_message(c, &e, NULL, 0);
        need(r.reply_type == AMQP_RESPONSE_NORMAL, "receiving");
        if (i % BATCH == 0 || i == count)
            need(amqp_basic_ack(c, 1, e.delivery_tag, 1) == 0, "acknowledging");
        amqp_destroy_envelope(&e);
    }
}

int main(int argc, char **argv)
{
    need(argc == 9, "reading the arguments");
    amqp_connection_state_t c = log_in(argv);
    size_t count = strtoul(argv[7], NULL, 10);
    double began = steady_seconds();
    if (strcmp(argv[6], "publish") == 0)
        publish(c, argv[5], count, strtoul(argv[8], NULL, 10));
    else
        receive(c, argv[5], count);
    printf("seconds %.3f\n", steady_seconds() - began);
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(c);
    return 0;
}
