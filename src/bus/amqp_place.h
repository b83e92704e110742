/* What an amqp URL says:
 *
 *     amqp://[USER[:PASSWORD]@]HOST[:PORT]/[VHOST][?queue=palate&shards=4&…]
 *
 * amqps the same with TLS. Without a user guest, without a port 5672 (5671), without a virtual host
 * "/". How the stream lies in the broker, for queue=palate and shards=4:
 *
 *     palate            exchange, durable, direct: routing key "2" goes to the queue of shard 2
 *     palate.0 … .3     queues, durable, one active consumer at a time, so that order holds
 *     palate.shards     a queue that stays empty; its greatest length is the number of shards, so
 *                       that whoever comes with another number is told so by the broker
 *     palate.dead       a queue for what could not be understood */
#ifndef BUS_AMQP_PLACE_H
#define BUS_AMQP_PLACE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct amqp_place {
    char *url, *query; /* ours; what follows points into them */
    char shown[256];   /* the URL without its password */
    const char *host, *user, *password, *vhost;
    int port;
    bool tls;
    const char *queue;
    int64_t shards, prefetch, heartbeat_s;
    int quorum;                  /* 0 classic, 1 quorum */
    const char *ca, *cert, *key; /* files of TLS; NULL where not given */
};

/* PAL_EUSAGE for what can't be read. */
MUST_USE enum pal_status amqp_place_read(const char *url, struct amqp_place *out,
                                         struct pal_error *err);
void amqp_place_done(struct amqp_place *p);

#endif
