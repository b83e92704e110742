/* Event streams: a broker between those who take events in and those who store them. One interface,
 * a file per kind of broker; which one is in the URL: "amqp://host/", "kafka://host:9092/topic".
 *
 * A message is published with a key, and messages of one key that one process publishes are
 * received in that order. Each is delivered at least once: the receiver makes it once. A stream is
 * divided into shards, and a key belongs to one of them for good; of one shard, what one process
 * published is received in order, by one receiver at a time.
 *
 * Threads: one publishes, another receives; status is for anybody.
 *
 * Failures: PAL_EIO for a broker that is away, refuses the password or is out of space, with a
 * sentence that says which; the same call may be made again later and reconnects by itself, with
 * pauses that grow. No call waits longer than it was told to (bus_open 5 s, refuse and settle 10 s;
 * but see bus_receive). */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;

enum {
    BUS_SHARDS_MOST = 256,
    BUS_MESSAGE_MOST = 8 << 20, /* bytes of a body */
};

/* What opening is to make ready. */
enum bus_use { BUS_PUBLISH = 1, BUS_RECEIVE = 2 };

/* Checks the URL (PAL_EUSAGE, PAL_EUNSUPPORTED for a kind that this build lacks) and tries to
 * connect once. A broker that is away is no error here: *away receives the reason ("" = connected;
 * NULL = not wanted). uses: enum bus_use, or-ed. */
MUST_USE enum pal_status bus_open(const char *url, unsigned uses, struct bus **out,
                                  struct pal_error *away, struct pal_error *err);
void bus_close(struct bus *b); /* NULL is fine. What was received and not settled comes again */

/* ---- Publishing ---- */

struct bus_message {
    const char *key; /* a text that is not empty */
    const char *body;
    size_t size;
};

/* Publishes them in order and waits until the broker has confirmed every one: it then keeps them
 * over a crash of its own. PAL_EIO when that isn't so within wait_ms: any of them may be there, and
 * each may arrive once more, even after what follows it, when they are published again. PAL_EUSAGE,
 * with nothing published, for a body of more than BUS_MESSAGE_MOST. */
MUST_USE enum pal_status bus_publish(struct bus *b, const struct bus_message *messages,
                                     size_t count, unsigned wait_ms, struct pal_error *err);

/* The shard of a key, below bus_shards(), which is 1 … BUS_SHARDS_MOST; known once the stream was
 * reached, 0 before. */
unsigned bus_shards(struct bus *b);
unsigned bus_shard(struct bus *b, const char *key);

/* ---- Receiving ---- */

struct bus_received {
    const char *body; /* (size) and a NUL behind; until the next bus_receive */
    size_t size;
    unsigned shard;
};

/* Up to `most` messages, in order, and not much more than 16 MB of them; waits up to wait_ms for
 * the first one (0 of them after that) and a moment for more. What was received before and neither
 * settled nor refused comes again. Where it has to connect first it takes up to 3 s for that,
 * whatever wait_ms is. Receivers leave shards to one another only in here: call it often. */
MUST_USE enum pal_status bus_receive(struct bus *b, struct bus_received *out, size_t most,
                                     unsigned wait_ms, size_t *count, struct pal_error *err);

/* All that the last bus_receive gave is done with. What can't be understood is refused first: it is
 * kept aside, with the reason, where a person can look at it (a dead-letter queue or topic). */
MUST_USE enum pal_status bus_refuse(struct bus *b, const struct bus_received *m, const char *reason,
                                    struct pal_error *err);
MUST_USE enum pal_status bus_settle(struct bus *b, struct pal_error *err);

/* ---- Looking ---- */

struct bus_status {
    bool connected;
    uint64_t published, received, refused, reconnects; /* since opening */
    int64_t backlog;        /* messages that wait in the stream for us, about; -1 = not known */
    struct pal_error error; /* the last failure, while not connected */
};
void bus_status(struct bus *b, struct bus_status *out);

#endif
