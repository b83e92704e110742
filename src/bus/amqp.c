/* Event streams in RabbitMQ (see amqp.h): opening, publishing, looking. */
#include "bus/amqp.h"
#include "base/clock.h"

#include "base/mem.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { OPEN_MS = 5000 };

static struct amqp_bus *ours(struct bus *base)
{
    return (struct amqp_bus *)base;
}

static struct wire *wire_of(struct amqp_bus *b, enum bus_use use)
{
    return use == BUS_PUBLISH ? &b->out : &b->in;
}

enum pal_status amqp_lost(struct amqp_bus *b, enum bus_use use, struct pal_error *err)
{
    struct wire *w = wire_of(b, use);
    enum pal_status st = wire_broken(w, err);
    pause_grow(&w->pause, err);
    tally_down(&b->tally, use, err);
    if (use == BUS_RECEIVE)
        inbox_clear(&b->inbox);
    return st;
}

/* Connects once. */
static enum pal_status begin(struct amqp_bus *b, enum bus_use use, int64_t until,
                             struct pal_error *err)
{
    struct wire *w = wire_of(b, use);
    int64_t most = clock_steady_ms() + OPEN_MS;
    if (until > most)
        until = most;
    enum pal_status st = wire_open(w, until, err);
    if (!st)
        st = amqp_declare(w, until, err);
    if (!st && use == BUS_RECEIVE)
        st = amqp_subscribe(b, until, err);
    if (st)
        return st;
    atomic_store(&b->reached, true);
    tally_up(&b->tally, use, w->was_up);
    w->was_up = true;
    pause_reset(&w->pause);
    return PAL_OK;
}

enum pal_status amqp_ready(struct amqp_bus *b, enum bus_use use, int64_t until,
                           struct pal_error *err)
{
    struct wire *w = wire_of(b, use);
    if (w->conn)
        return PAL_OK;
    bool receives = use == BUS_RECEIVE;
    enum pal_status st = pause_wait(&w->pause, until, receives ? 0 : BUS_ATTEMPT_MS, err);
    if (st)
        return st;
    st = begin(b, use, receives ? bus_until(until, BUS_CONNECT_MS) : until, err);
    return st ? amqp_lost(b, use, err) : PAL_OK;
}

/* ---- Publishing ---- */

static unsigned shard_of(const struct amqp_bus *b, const char *key)
{
    return (unsigned)(XXH3_64bits(key, strlen(key)) % (uint64_t)b->place.shards);
}

static enum pal_status send_all(struct amqp_bus *b, const struct bus_message *messages,
                                size_t count, int64_t until, struct pal_error *err)
{
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .content_type = amqp_cstring_bytes("application/json"),
    };
    enum pal_status st = wire_expect(&b->out, count, err);
    for (size_t i = 0; !st && i < count; i++) {
        char shard[16];
        snprintf(shard, sizeof shard, "%u", shard_of(b, messages[i].key));
        st = wire_publish(&b->out, b->place.queue, shard, &properties, messages[i].body,
                          messages[i].size, until, err);
    }
    return st ? st : wire_confirmed(&b->out, until, err);
}

static enum pal_status publish(struct bus *base, const struct bus_message *messages, size_t count,
                               unsigned wait_ms, struct pal_error *err)
{
    struct amqp_bus *b = ours(base);
    int64_t until = clock_steady_ms() + wait_ms;
    struct pal_error why = {0};
    wire_probe(&b->out);
    enum pal_status st = amqp_ready(b, BUS_PUBLISH, until, &why);
    if (!st && (st = send_all(b, messages, count, until, &why)))
        st = amqp_lost(b, BUS_PUBLISH, &why);
    if (st)
        return pal_fail(err, st, "%s", why.message);
    tally_add(&b->tally, count, 0, 0);
    if (amqp_gauge_look(b, &b->out, &b->out_gauge, until, &why))
        amqp_lost(b, BUS_PUBLISH, &why);
    return PAL_OK;
}

static unsigned shards(struct bus *base)
{
    struct amqp_bus *b = ours(base);
    return atomic_load(&b->reached) ? (unsigned)b->place.shards : 0;
}

static unsigned shard(struct bus *base, const char *key)
{
    return shard_of(ours(base), key);
}

static void status(struct bus *base, struct bus_status *out)
{
    tally_look(&ours(base)->tally, out);
}

/* ---- Opening ---- */

static void close_all(struct bus *base)
{
    struct amqp_bus *b = ours(base);
    wire_done(&b->out);
    wire_done(&b->in);
    wire_done(&b->side);
    inbox_done(&b->inbox);
    amqp_place_done(&b->place);
    tally_done(&b->tally);
    mem_free(b);
}

static enum pal_status open_any(const char *url, unsigned uses, const struct bus_ops *ops,
                                struct bus **out, struct pal_error *away, struct pal_error *err)
{
    struct amqp_bus *b = mem_zero(1, sizeof *b);
    if (!b)
        return pal_no_memory(err);
    b->base.ops = ops;
    tally_init(&b->tally, uses);
    amqp_gauge_reset(&b->out_gauge);
    amqp_gauge_reset(&b->in_gauge);
    enum pal_status st = amqp_place_read(url, &b->place, err);
    size_t shard_count = (size_t)b->place.shards;
    if (!st)
        st = wire_init(&b->out, &b->place, "palate: publishes", 0, err);
    if (!st)
        st = wire_init(&b->in, &b->place, "palate: receives", shard_count, err);
    if (!st)
        st = wire_init(&b->side, &b->place, "palate: looks", 0, err);
    if (st) {
        close_all(&b->base);
        return st;
    }
    struct pal_error why = {0};
    int64_t until = clock_steady_ms() + OPEN_MS;
    if (uses & BUS_PUBLISH)
        st = amqp_ready(b, BUS_PUBLISH, until, &why);
    if (!st && (uses & BUS_RECEIVE))
        st = amqp_ready(b, BUS_RECEIVE, until, &why);
    if (away)
        *away = why;
    *out = &b->base;
    return PAL_OK;
}

#define OPS(name, shown)                                                                           \
    static enum pal_status name##_open(const char *url, unsigned uses, struct bus **out,           \
                                       struct pal_error *away, struct pal_error *err);             \
    const struct bus_ops name##_bus_ops = {                                                        \
        .kind = {#name, shown},                                                                    \
        .open = name##_open,                                                                       \
        .close = close_all,                                                                        \
        .publish = publish,                                                                        \
        .shards = shards,                                                                          \
        .shard = shard,                                                                            \
        .receive = amqp_receive,                                                                   \
        .refuse = amqp_refuse,                                                                     \
        .settle = amqp_settle,                                                                     \
        .status = status,                                                                          \
    };                                                                                             \
    static enum pal_status name##_open(const char *url, unsigned uses, struct bus **out,           \
                                       struct pal_error *away, struct pal_error *err)              \
    {                                                                                              \
        return open_any(url, uses, &name##_bus_ops, out, away, err);                               \
    }

OPS(amqp, "amqp://HOST/")
OPS(amqps, "amqps://HOST/")
