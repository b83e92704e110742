/* A stream in a RabbitMQ broker: what its files share. amqp_place.h says how it lies there,
 * amqp_wire.h what a connection does. Three connections, each opened when it is needed: one that
 * publishes, one that receives, and beside the latter one that looks at the queues and publishes
 * what was refused, so that neither waits behind messages on their way in. */
#ifndef BUS_AMQP_H
#define BUS_AMQP_H

#include "bus/amqp_wire.h"
#include "bus/backend.h"
#include "bus/inbox.h"

#include <stdatomic.h>

enum {
    AMQP_LOOK_MS = 2000,      /* in this time every queue is looked at once */
    AMQP_LOOK_LEAST_MS = 200, /* with less time left nobody looks */
    AMQP_ANSWER_MS = 1000,    /* what one that receives takes to look, at least */
    AMQP_DEAF = 2,            /* so many looks that fail mean that the broker is away */
};

/* What the queues say of themselves, looked at one by one. */
struct amqp_gauge {
    int64_t next_ms;
    unsigned next;                    /* shard */
    int64_t waiting[BUS_SHARDS_MOST]; /* messages, -1 = not known */
    unsigned receivers;               /* of the queue that was looked at last */
};

struct amqp_bus {
    struct bus base;
    struct amqp_place place;
    struct tally tally;
    atomic_bool reached; /* the queues are there */

    struct wire out;
    struct amqp_gauge out_gauge;

    struct wire in, side;
    struct amqp_gauge in_gauge;
    struct inbox inbox;
    bool mine[BUS_SHARDS_MOST]; /* shards that messages came from: we are their receiver */
    unsigned deaf;              /* looks in a row that failed, with nothing received since */
};

/* Makes exchange and queues, where they are not there already. */
MUST_USE enum pal_status amqp_declare(struct wire *w, int64_t until, struct pal_error *err);

/* Looks at the next queue by w, when it is time to, and tells the sum to the tally. */
MUST_USE enum pal_status amqp_gauge_look(struct amqp_bus *b, struct wire *w, struct amqp_gauge *g,
                                         int64_t until, struct pal_error *err);
void amqp_gauge_reset(struct amqp_gauge *g);

/* Makes w ready: connected, queues declared and, for the one that receives, subscribed. */
MUST_USE enum pal_status amqp_ready(struct amqp_bus *b, enum bus_use use, int64_t until,
                                    struct pal_error *err);
/* The connection failed: closes it, counts, and makes the pause longer. Returns err's status. */
enum pal_status amqp_lost(struct amqp_bus *b, enum bus_use use, struct pal_error *err);

/* The three of bus.h that the other files have; subscribe is a part of amqp_ready. */
MUST_USE enum pal_status amqp_subscribe(struct amqp_bus *b, int64_t until, struct pal_error *err);
enum pal_status amqp_receive(struct bus *base, struct bus_received *out, size_t most,
                             unsigned wait_ms, size_t *count, struct pal_error *err);
enum pal_status amqp_refuse(struct bus *base, const struct bus_received *m, const char *reason,
                            struct pal_error *err);
enum pal_status amqp_settle(struct bus *base, struct pal_error *err);

#endif
