/* Event streams in Kafka (see kafka.h): opening, publishing, looking. */
#include "bus/kafka.h"
#include "base/clock.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { FULL_MS = 10, CLOSE_MS = 3000 };

static struct kafka_bus *ours(struct bus *base)
{
    return (struct kafka_bus *)base;
}

static struct kafka_client *client_for(struct kafka_bus *b, enum bus_use use)
{
    return use == BUS_PUBLISH ? &b->out : &b->in;
}

enum pal_status kafka_lost(struct kafka_bus *b, enum bus_use use, struct pal_error *err)
{
    struct kafka_client *c = client_for(b, use);
    pause_grow(&c->pause, err);
    tally_down(&b->tally, use, err);
    if (use == BUS_RECEIVE)
        inbox_clear(&b->inbox);
    kafka_client_drop(c);
    return err->status;
}

enum pal_status kafka_ready(struct kafka_bus *b, enum bus_use use, int64_t until,
                            struct pal_error *err)
{
    struct kafka_client *c = client_for(b, use);
    if (c->rk)
        return PAL_OK;
    bool receives = use == BUS_RECEIVE;
    enum pal_status st = pause_wait(&c->pause, until, receives ? 0 : BUS_ATTEMPT_MS, err);
    if (st)
        return st;
    if (receives)
        until = bus_until(until, BUS_CONNECT_MS);
    int64_t most = clock_steady_ms() + KAFKA_OPEN_MS;
    st = kafka_client_make(b, c, receives ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, err);
    if (!st)
        st = kafka_reach(b, c, until < most ? until : most, err);
    if (!st && use == BUS_RECEIVE)
        st = kafka_subscribe(b, err);
    if (st)
        return kafka_lost(b, use, err);
    tally_up(&b->tally, use, c->was_up);
    c->was_up = true;
    return PAL_OK;
}

/* ---- Publishing ---- */

enum pal_status kafka_send(struct kafka_bus *b, struct kafka_client *c, const char *topic,
                           int32_t partition, const struct bus_message *m,
                           rd_kafka_headers_t *headers, int64_t until, struct pal_error *err)
{
    for (;;) {
        size_t key_len = m->key ? strlen(m->key) : 0;
        rd_kafka_resp_err_t code =
            headers
                ? rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                    RD_KAFKA_V_VALUE((char *)m->body, m->size),
                                    RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END)
                : rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                    RD_KAFKA_V_KEY(m->key, key_len),
                                    RD_KAFKA_V_VALUE((char *)m->body, m->size), RD_KAFKA_V_END);
        if (!code) {
            c->left++;
            return PAL_OK;
        }
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && !c->failed && clock_steady_ms() < until) {
            rd_kafka_poll(c->rk, FULL_MS);
            continue;
        }
        if (headers)
            rd_kafka_headers_destroy(headers);
        return kafka_fail(b, c, err, rd_kafka_err2str(code));
    }
}

enum pal_status kafka_confirmed(struct kafka_bus *b, struct kafka_client *c, int64_t until,
                                struct pal_error *err)
{
    rd_kafka_flush(c->rk, kafka_ms(until));
    if (!c->left && !c->failed)
        return PAL_OK;
    if (c->reason == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return kafka_fail(b, c, err, "a message is larger than the topic's max.message.bytes");
    return kafka_fail(b, c, err,
                      c->failed ? rd_kafka_err2str(c->reason)
                                : "not confirmed in time: the broker is away or overloaded");
}

static int32_t partition_of(unsigned partitions, const char *key)
{
    return rd_kafka_msg_partitioner_murmur2(NULL, key, strlen(key), (int32_t)partitions, NULL,
                                            NULL);
}

static enum pal_status send_all(struct kafka_bus *b, const struct bus_message *messages,
                                size_t count, int64_t until, struct pal_error *err)
{
    struct kafka_client *c = &b->out;
    unsigned partitions = atomic_load(&b->partitions);
    enum pal_status st = PAL_OK;
    c->left = c->failed = 0;
    c->last[0] = '\0';
    for (size_t i = 0; !st && i < count; i++)
        st = kafka_send(b, c, b->place.topic, partition_of(partitions, messages[i].key),
                        &messages[i], NULL, until, err);
    return st ? st : kafka_confirmed(b, c, until, err);
}

static enum pal_status publish(struct bus *base, const struct bus_message *messages, size_t count,
                               unsigned wait_ms, struct pal_error *err)
{
    struct kafka_bus *b = ours(base);
    struct pal_error why = {0};
    int64_t until = clock_steady_ms() + wait_ms;
    enum pal_status st = kafka_ready(b, BUS_PUBLISH, until, &why);
    if (!st && (st = send_all(b, messages, count, until, &why)))
        st = kafka_lost(b, BUS_PUBLISH, &why);
    if (st)
        return pal_fail(err, st, "%s", why.message);
    pause_reset(&b->out.pause);
    tally_add(&b->tally, count, 0, 0);
    return PAL_OK;
}

static unsigned shards(struct bus *base)
{
    return atomic_load(&ours(base)->partitions);
}

static unsigned shard(struct bus *base, const char *key)
{
    unsigned partitions = shards(base);
    return partitions ? (unsigned)partition_of(partitions, key) : 0;
}

static void status(struct bus *base, struct bus_status *out)
{
    tally_look(&ours(base)->tally, out);
}

/* ---- Opening and closing ---- */

/* Leaves the group, so that others need not wait until we are missed. */
static void leave(struct kafka_client *c)
{
    if (!c->rk || c->all_down)
        return;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(c->rk, queue);
    int64_t until = clock_steady_ms() + CLOSE_MS;
    while (!error && !rd_kafka_consumer_closed(c->rk) && clock_steady_ms() < until) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, FULL_MS);
        if (!event)
            continue;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            rd_kafka_assign(c->rk, NULL);
        rd_kafka_event_destroy(event);
    }
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
}

static void close_all(struct bus *base)
{
    struct kafka_bus *b = ours(base);
    leave(&b->in);
    kafka_client_drop(&b->in);
    kafka_client_drop(&b->out);
    kafka_client_drop(&b->dead);
    inbox_done(&b->inbox);
    kafka_place_done(&b->place);
    tally_done(&b->tally);
    mem_free(b);
}

/* A property that librdkafka refuses is a mistake of the user's; all else, the broker is away. */
static enum pal_status try_all(struct kafka_bus *b, unsigned uses, struct pal_error *away)
{
    int64_t until = clock_steady_ms() + KAFKA_OPEN_MS;
    enum pal_status st = PAL_OK;
    if (uses & BUS_PUBLISH)
        st = kafka_ready(b, BUS_PUBLISH, until, away);
    if (!st && (uses & BUS_RECEIVE))
        st = kafka_ready(b, BUS_RECEIVE, until, away);
    return st == PAL_EUSAGE ? st : PAL_OK;
}

static enum pal_status open_kafka(const char *url, unsigned uses, struct bus **out,
                                  struct pal_error *away, struct pal_error *err)
{
    struct kafka_bus *b = mem_zero(1, sizeof *b);
    struct pal_error why = {0};
    if (!b)
        return pal_no_memory(err);
    b->base.ops = &kafka_bus_ops;
    tally_init(&b->tally, uses);
    enum pal_status st = kafka_place_read(url, &b->place, err);
    if (!st && (st = try_all(b, uses, &why)))
        pal_fail(err, st, "%s", why.message);
    if (st) {
        close_all(&b->base);
        return st;
    }
    if (away)
        *away = why;
    *out = &b->base;
    return PAL_OK;
}

const struct bus_ops kafka_bus_ops = {
    .kind = {"kafka", "kafka://HOST/TOPIC"},
    .open = open_kafka,
    .close = close_all,
    .publish = publish,
    .shards = shards,
    .shard = shard,
    .receive = kafka_receive,
    .refuse = kafka_refuse,
    .settle = kafka_settle,
    .status = status,
};
