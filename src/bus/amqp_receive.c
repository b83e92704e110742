/* Receiving from RabbitMQ (see amqp.h). Every receiver subscribes to every queue; the broker lets
 * one of them be active on each, the others wait their turn and are there at once when it goes.
 *
 * The first one to come is active everywhere. So a receiver that gets messages from more shards
 * than its share (shards by receivers, rounded up) leaves one queue and comes back to it as the
 * last in line: closing the channel does both in one step for the broker, which first puts back
 * what was on its way, and only then goes on with the next receiver. It does that only while
 * nothing that it gave out is unsettled. */
#include "base/clock.h"
#include "bus/amqp.h"

#include "base/mem.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <string.h>

enum {
    BATCH_BYTES = 16 << 20,
    LINGER_MS = 5,    /* waits for more after the first message */
    ANSWER_MS = 10000 /* refuse and settle */
};

/* ---- Subscribing ---- */

static enum pal_status subscribe(struct wire *w, unsigned shard, struct pal_error *err)
{
    const struct amqp_place *p = w->place;
    amqp_channel_t channel = (amqp_channel_t)(WIRE_SHARD + shard);
    amqp_channel_open(w->conn, channel);
    enum pal_status st = wire_reply(w, "opening a channel", err);
    if (st)
        return st;
    amqp_basic_qos(w->conn, channel, 0, (uint16_t)p->prefetch, 0);
    st = wire_reply(w, "limiting what is sent ahead", err);
    if (st)
        return st;
    char queue[256];
    snprintf(queue, sizeof queue, "%s.%u", p->queue, shard);
    amqp_basic_consume(w->conn, channel, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    return wire_reply(w, "reading a queue", err);
}

static enum pal_status take(void *ctx, unsigned shard, uint64_t tag, char *body, size_t size,
                            struct pal_error *err)
{
    struct amqp_bus *b = ctx;
    b->mine[shard] = true;
    if (body)
        return inbox_put(&b->inbox, body, size, shard, (int64_t)tag, err);
    /* Too large for us: the broker itself puts it aside. */
    tally_add(&b->tally, 0, 1, 1);
    amqp_basic_reject_t reject = {.delivery_tag = tag, .requeue = 0};
    return wire_method(&b->in, WIRE_SHARD + shard, AMQP_BASIC_REJECT_METHOD, &reject,
                       clock_steady_ms() + ANSWER_MS, err);
}

enum pal_status amqp_subscribe(struct amqp_bus *b, int64_t until, struct pal_error *err)
{
    struct wire *w = &b->in;
    w->take = take;
    w->ctx = b;
    inbox_clear(&b->inbox);
    b->deaf = 0;
    memset(b->mine, 0, sizeof b->mine);
    enum pal_status st = PAL_OK;
    wire_limit(w, until);
    for (unsigned i = 0; !st && i < b->place.shards; i++)
        st = subscribe(w, i, err);
    return st;
}

/* ---- Sharing ---- */

static enum pal_status leave(struct amqp_bus *b, unsigned shard, int64_t until,
                             struct pal_error *err)
{
    struct wire *w = &b->in;
    amqp_channel_t channel = (amqp_channel_t)(WIRE_SHARD + shard);
    wire_limit(w, until);
    amqp_rpc_reply_t r = amqp_channel_close(w->conn, channel, AMQP_REPLY_SUCCESS);
    if (r.reply_type != AMQP_RESPONSE_NORMAL)
        return pal_fail(err, PAL_EIO, "leaving a queue to others: no answer in time");
    /* What came while the answer was awaited belongs to the next receiver. */
    bool any = true;
    enum pal_status st = PAL_OK;
    while (!st && any && amqp_frames_enqueued(w->conn))
        st = wire_pump(w, 0, &any, err);
    mem_free(w->partial[channel].body);
    w->partial[channel] = (struct wire_partial){0};
    inbox_drop_shard(&b->inbox, shard);
    b->mine[shard] = false;
    return st ? st : subscribe(w, shard, err);
}

/* Leaves one shard to others if we have more than our share. */
static enum pal_status share(struct amqp_bus *b, int64_t until, struct pal_error *err)
{
    unsigned have = 0, last = 0, receivers = b->in_gauge.receivers;
    for (unsigned i = 0; i < b->place.shards; i++)
        if (b->mine[i]) {
            have++;
            last = i;
        }
    if (receivers < 2 || have <= ((unsigned)b->place.shards + receivers - 1) / receivers)
        return PAL_OK;
    return leave(b, last, until, err);
}

static void side_lost(struct amqp_bus *b, struct pal_error *err)
{
    wire_broken(&b->side, err);
    pause_grow(&b->side.pause, err);
}

static enum pal_status side_ready(struct amqp_bus *b, int64_t until, struct pal_error *err)
{
    wire_probe(&b->side);
    if (b->side.conn)
        return PAL_OK;
    enum pal_status st = pause_wait(&b->side.pause, until, 0, err);
    if (!st && (st = wire_open(&b->side, until, err)))
        side_lost(b, err);
    return st;
}

/* Whether the broker was heard of. Where no messages come, one that is cut off would be missed only
 * after two heartbeats; who looks finds out sooner, and says so. */
static void hear(struct amqp_bus *b, const struct pal_error *why)
{
    if (why && ++b->deaf == AMQP_DEAF)
        tally_down(&b->tally, BUS_RECEIVE, why);
    if (!why && b->deaf >= AMQP_DEAF)
        tally_up(&b->tally, BUS_RECEIVE, false);
    if (!why)
        b->deaf = 0;
}

/* Looks at the queues from time to time. Failing at that is no reason to stop receiving. */
static enum pal_status look(struct amqp_bus *b, int64_t until, struct pal_error *err)
{
    struct pal_error ignored = {0};
    int64_t now = clock_steady_ms();
    if (now < b->in_gauge.next_ms || now < b->side.pause.next_ms)
        return PAL_OK;
    until = bus_until(until, AMQP_ANSWER_MS);
    if (side_ready(b, until, &ignored)) {
        hear(b, &ignored);
        return PAL_OK;
    }
    if (amqp_gauge_look(b, &b->side, &b->in_gauge, until, &ignored)) {
        side_lost(b, &ignored);
        hear(b, &ignored);
        return PAL_OK;
    }
    hear(b, NULL);
    pause_reset(&b->side.pause);
    return b->inbox.count ? PAL_OK : share(b, until, err);
}

/* ---- Receiving ---- */

/* Reads until there is one, then what comes within a moment. */
static enum pal_status gather(struct amqp_bus *b, size_t most, int64_t until, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    bool any;
    while (!st && !inbox_ready(&b->inbox)) {
        st = wire_pump(&b->in, until, &any, err);
        if (!st && !any && clock_steady_ms() >= until)
            return PAL_OK;
    }
    int64_t linger = clock_steady_ms() + LINGER_MS;
    if (linger > until)
        linger = until;
    any = true;
    while (!st && any && inbox_ready(&b->inbox) < most && b->inbox.bytes < BATCH_BYTES)
        st = wire_pump(&b->in, linger, &any, err);
    return st;
}

static enum pal_status collect(struct amqp_bus *b, size_t most, int64_t until,
                               struct pal_error *err)
{
    enum pal_status st = look(b, until, err);
    if (!st && !inbox_ready(&b->inbox))
        st = gather(b, most, until, err);
    return st;
}

enum pal_status amqp_receive(struct bus *base, struct bus_received *out, size_t most,
                             unsigned wait_ms, size_t *count, struct pal_error *err)
{
    struct amqp_bus *b = (struct amqp_bus *)base;
    int64_t until = clock_steady_ms() + wait_ms;
    struct pal_error why = {0};
    if (b->in.conn && wire_hung_up(&b->in)) {
        /* The broker has put back all of it, so it is not ours to give again. */
        wire_close(&b->in, false);
        inbox_clear(&b->inbox);
    }
    size_t before = b->inbox.count;
    enum pal_status st = amqp_ready(b, BUS_RECEIVE, until, &why);
    if (!st && (st = collect(b, most, until, &why)))
        st = amqp_lost(b, BUS_RECEIVE, &why);
    if (st)
        return pal_fail(err, st, "%s", why.message);
    if (b->inbox.count > before) {
        tally_add(&b->tally, 0, b->inbox.count - before, 0);
        hear(b, NULL);
    }
    *count = inbox_give(&b->inbox, out, most);
    return PAL_OK;
}

/* ---- What was received ---- */

static enum pal_status bury(struct amqp_bus *b, const struct letter *l, const char *reason,
                            int64_t until, struct pal_error *err)
{
    amqp_table_entry_t headers[2] = {{.key = amqp_cstring_bytes("palate-reason")},
                                     {.key = amqp_cstring_bytes("palate-shard")}};
    headers[0].value.kind = AMQP_FIELD_KIND_UTF8;
    headers[0].value.value.bytes = amqp_cstring_bytes(reason);
    headers[0].value.value.bytes.len = strnlen(reason, sizeof err->message);
    headers[1].value.kind = AMQP_FIELD_KIND_I32;
    headers[1].value.value.i32 = (int32_t)l->shard;
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .headers = {.num_entries = 2, .entries = headers},
    };
    char queue[256];
    snprintf(queue, sizeof queue, "%s.dead", b->place.queue);
    enum pal_status st = wire_expect(&b->side, 1, err);
    if (!st)
        st = wire_publish(&b->side, "", queue, &properties, l->body, l->size, until, err);
    return st ? st : wire_confirmed(&b->side, until, err);
}

enum pal_status amqp_refuse(struct bus *base, const struct bus_received *m, const char *reason,
                            struct pal_error *err)
{
    struct amqp_bus *b = (struct amqp_bus *)base;
    struct letter *l = inbox_find(&b->inbox, m);
    struct pal_error why = {0};
    if (!l || l->refused)
        return PAL_OK;
    int64_t until = clock_steady_ms() + ANSWER_MS;
    enum pal_status st = side_ready(b, until, &why);
    if (!st && (st = bury(b, l, reason, until, &why)))
        side_lost(b, &why);
    if (st)
        return pal_fail(err, st, "%s", why.message);
    inbox_refuse(&b->inbox, l);
    pause_reset(&b->side.pause);
    tally_add(&b->tally, 0, 0, 1);
    return PAL_OK;
}

/* Acknowledges the last one of each shard that was given, and so all before it. */
static enum pal_status acknowledge(struct amqp_bus *b, int64_t until, struct pal_error *err)
{
    uint64_t last[BUS_SHARDS_MOST] = {0};
    for (size_t i = 0; i < b->inbox.given; i++)
        last[b->inbox.letter[i].shard] = (uint64_t)b->inbox.letter[i].place;
    for (unsigned i = 0; i < b->place.shards; i++) {
        if (!last[i])
            continue;
        amqp_basic_ack_t ack = {.delivery_tag = last[i], .multiple = 1};
        enum pal_status st =
            wire_method(&b->in, WIRE_SHARD + i, AMQP_BASIC_ACK_METHOD, &ack, until, err);
        if (st)
            return st;
    }
    return PAL_OK;
}

enum pal_status amqp_settle(struct bus *base, struct pal_error *err)
{
    struct amqp_bus *b = (struct amqp_bus *)base;
    struct pal_error why = {0};
    if (!b->in.conn || wire_hung_up(&b->in))
        return pal_fail(err, PAL_EIO,
                        "stream '%s': the connection is gone: what was received comes again",
                        b->place.shown);
    if (!b->inbox.given)
        return PAL_OK;
    enum pal_status st = acknowledge(b, clock_steady_ms() + ANSWER_MS, &why);
    if (st) {
        amqp_lost(b, BUS_RECEIVE, &why);
        return pal_fail(err, st, "%s", why.message);
    }
    inbox_settle(&b->inbox);
    return PAL_OK;
}
