/* A stream in Kafka: what its files share. A process that publishes has one client of librdkafka
 * for that, one that receives another, and a third for what was refused as soon as something is.
 *
 * Which partition a message goes to is decided here, by the murmur2 hash of its key that Kafka's
 * own producers use, over the partitions that the topic had when it was first reached.
 *
 * A client that failed is thrown away and made anew: with it goes what lay in its queue, so that
 * nothing is sent behind the back of a caller who was told that it failed. */
#ifndef BUS_KAFKA_H
#define BUS_KAFKA_H

#include "base/clock.h"
#include "bus/backend.h"
#include "bus/inbox.h"
#include "bus/kafka_place.h"
#include "bus/tally.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

enum {
    KAFKA_OPEN_MS = 5000,
    KAFKA_MESSAGE_MOST = BUS_MESSAGE_MOST + (64 << 10), /* with key and headers */
};

/* A producer or a consumer; used by one thread. */
struct kafka_client {
    rd_kafka_t *rk; /* NULL = there is none */
    struct pause pause;
    char last[256]; /* what librdkafka complained of last */
    bool denied;    /* it was about who we are */
    bool was_up;
    bool all_down;       /* no broker can be reached */
    size_t left, failed; /* messages not confirmed, and not delivered */
    rd_kafka_resp_err_t reason;
};

struct kafka_bus {
    struct bus base;
    struct kafka_place place;
    struct tally tally;
    atomic_uint partitions; /* 0 until the topic was reached */

    struct kafka_client out, in, dead;
    struct inbox inbox;
    int64_t look_next_ms;
};

/* Makes the client. PAL_EUSAGE for properties that make no sense. */
MUST_USE enum pal_status kafka_client_make(struct kafka_bus *b, struct kafka_client *c,
                                           rd_kafka_type_t type, struct pal_error *err);
void kafka_client_drop(struct kafka_client *c);

/* Makes the topics if they are not there, and learns how many partitions there are. */
MUST_USE enum pal_status kafka_reach(struct kafka_bus *b, struct kafka_client *c, int64_t until,
                                     struct pal_error *err);

/* What failed, with what librdkafka said last, if it was in time; the URL before it. */
enum pal_status kafka_fail(struct kafka_bus *b, struct kafka_client *c, struct pal_error *err,
                           const char *what);

/* Makes ready what publishes or receives; throws it away after a failure, which is counted. */
MUST_USE enum pal_status kafka_ready(struct kafka_bus *b, enum bus_use use, int64_t until,
                                     struct pal_error *err);
enum pal_status kafka_lost(struct kafka_bus *b, enum bus_use use, struct pal_error *err);

/* Hands one message to the client, and waits until all are confirmed. headers are taken over. */
MUST_USE enum pal_status kafka_send(struct kafka_bus *b, struct kafka_client *c, const char *topic,
                                    int32_t partition, const struct bus_message *m,
                                    rd_kafka_headers_t *headers, int64_t until,
                                    struct pal_error *err);
MUST_USE enum pal_status kafka_confirmed(struct kafka_bus *b, struct kafka_client *c, int64_t until,
                                         struct pal_error *err);

/* The receiving side. */
MUST_USE enum pal_status kafka_subscribe(struct kafka_bus *b, struct pal_error *err);
void kafka_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what,
                     rd_kafka_topic_partition_list_t *partitions, void *opaque);
enum pal_status kafka_receive(struct bus *base, struct bus_received *out, size_t most,
                              unsigned wait_ms, size_t *count, struct pal_error *err);
enum pal_status kafka_refuse(struct bus *base, const struct bus_received *m, const char *reason,
                             struct pal_error *err);
enum pal_status kafka_settle(struct bus *base, struct pal_error *err);

static inline int kafka_ms(int64_t until)
{
    int64_t ms = until - clock_steady_ms();
    return ms < 0 ? 0 : (int)ms;
}

#endif
