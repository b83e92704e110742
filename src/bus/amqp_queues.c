/* Exchange and queues of a stream: made, and looked at. See amqp_place.h for their names. */
#include "base/clock.h"
#include "bus/amqp.h"

#include <stdio.h>
#include <string.h>

struct queue_name {
    char text[256];
};

static struct queue_name name_of(const struct amqp_place *p, const char *end)
{
    struct queue_name n;
    snprintf(n.text, sizeof n.text, "%s.%s", p->queue, end);
    return n;
}

static struct queue_name shard_name(const struct amqp_place *p, unsigned shard)
{
    char end[16];
    snprintf(end, sizeof end, "%u", shard);
    return name_of(p, end);
}

static amqp_table_entry_t argument(const char *key, uint8_t kind)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(key)};
    e.value.kind = kind;
    return e;
}

static enum pal_status declare(struct wire *w, const char *name, amqp_table_entry_t *arguments,
                               int count, int64_t until, struct pal_error *err)
{
    char what[400];
    wire_limit(w, until);
    amqp_table_t table = {.num_entries = count, .entries = arguments};
    amqp_queue_declare(w->conn, WIRE_MAIN, amqp_cstring_bytes(name), 0, 1, 0, 0, table);
    snprintf(what, sizeof what, "declaring the queue '%s'", name);
    return wire_reply(w, what, err);
}

/* The one that keeps the number of shards. */
static enum pal_status declare_marker(struct wire *w, int64_t until, struct pal_error *err)
{
    const struct amqp_place *p = w->place;
    amqp_table_entry_t most = argument("x-max-length", AMQP_FIELD_KIND_I32);
    most.value.value.i32 = (int32_t)p->shards;
    enum pal_status st = declare(w, name_of(p, "shards").text, &most, 1, until, err);
    if (st && strstr(err->message, "PRECONDITION_FAILED"))
        return pal_fail(err, PAL_EIO,
                        "the stream '%s' was made with another number of shards than %d: give the "
                        "same ?shards= everywhere, or another ?queue= (%.150s)",
                        p->queue, (int)p->shards, strstr(err->message, "PRECONDITION_FAILED"));
    return st;
}

static enum pal_status declare_shard(struct wire *w, unsigned shard, int64_t until,
                                     struct pal_error *err)
{
    const struct amqp_place *p = w->place;
    struct queue_name name = shard_name(p, shard), dead = name_of(p, "dead");
    amqp_table_entry_t arguments[4] = {
        argument("x-single-active-consumer", AMQP_FIELD_KIND_BOOLEAN),
        argument("x-dead-letter-exchange", AMQP_FIELD_KIND_UTF8),
        argument("x-dead-letter-routing-key", AMQP_FIELD_KIND_UTF8),
        argument("x-queue-type", AMQP_FIELD_KIND_UTF8),
    };
    arguments[0].value.value.boolean = 1;
    arguments[1].value.value.bytes = amqp_cstring_bytes("");
    arguments[2].value.value.bytes = amqp_cstring_bytes(dead.text);
    arguments[3].value.value.bytes = amqp_cstring_bytes("quorum");
    enum pal_status st = declare(w, name.text, arguments, p->quorum ? 4 : 3, until, err);
    if (st && strstr(err->message, "PRECONDITION_FAILED"))
        return pal_within(
            err, st,
            "the queues of '%s' were made otherwise: give the same ?type= as then, or "
            "another ?queue=",
            p->queue);
    if (st)
        return st;
    wire_limit(w, until);
    amqp_queue_bind(w->conn, WIRE_MAIN, amqp_cstring_bytes(name.text), amqp_cstring_bytes(p->queue),
                    amqp_cstring_bytes(name.text + strlen(p->queue) + 1), amqp_empty_table);
    return wire_reply(w, "binding a queue", err);
}

enum pal_status amqp_declare(struct wire *w, int64_t until, struct pal_error *err)
{
    const struct amqp_place *p = w->place;
    enum pal_status st = declare_marker(w, until, err);
    if (st)
        return st;
    wire_limit(w, until);
    amqp_exchange_declare(w->conn, WIRE_MAIN, amqp_cstring_bytes(p->queue),
                          amqp_cstring_bytes("direct"), 0, 1, 0, 0, amqp_empty_table);
    st = wire_reply(w, "declaring the exchange", err);
    if (!st)
        st = declare(w, name_of(p, "dead").text, NULL, 0, until, err);
    for (unsigned i = 0; !st && i < p->shards; i++)
        st = declare_shard(w, i, until, err);
    return st;
}

/* ---- Looking ---- */

void amqp_gauge_reset(struct amqp_gauge *g)
{
    *g = (struct amqp_gauge){0};
    for (size_t i = 0; i < BUS_SHARDS_MOST; i++)
        g->waiting[i] = -1;
}

static void tell(struct amqp_bus *b, const struct amqp_gauge *g)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < b->place.shards; i++) {
        if (g->waiting[i] < 0)
            return;
        sum += g->waiting[i];
    }
    tally_backlog(&b->tally, sum);
}

enum pal_status amqp_gauge_look(struct amqp_bus *b, struct wire *w, struct amqp_gauge *g,
                                int64_t until, struct pal_error *err)
{
    int64_t now = clock_steady_ms();
    if (now < g->next_ms || until - now < AMQP_LOOK_LEAST_MS)
        return PAL_OK;
    unsigned shard = g->next++ % (unsigned)b->place.shards;
    wire_limit(w, until);
    amqp_queue_declare_ok_t *r = amqp_queue_declare(
        w->conn, WIRE_MAIN, amqp_cstring_bytes(shard_name(&b->place, shard).text), 1, 0, 0, 0,
        amqp_empty_table);
    enum pal_status st = wire_reply(w, "looking at a queue", err);
    if (st)
        return st;
    g->waiting[shard] = r->message_count;
    g->receivers = r->consumer_count;
    /* At first with every call, until all are known. */
    if (g->next >= b->place.shards) {
        g->next_ms = now + AMQP_LOOK_MS / b->place.shards;
        tell(b, g);
    }
    amqp_maybe_release_buffers_on_channel(w->conn, WIRE_MAIN);
    return PAL_OK;
}
