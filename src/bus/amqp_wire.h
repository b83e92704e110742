/* One connection to a RabbitMQ broker (AMQP 0-9-1), used by one thread at a time. librabbitmq makes
 * and reads frames; what is here adds what it lacks: an end in time of everything that waits.
 *
 *   - A frame is sent only when the socket has room for all of it, so that sending never blocks.
 *   - Frames that come are read one at a time, each within a deadline. wire_pump gives each to who
 *     it is for: confirms to the count that wire_confirmed waits for, messages to `take`.
 *
 * After any failure the connection is closed and must be opened anew: what was on its way is in
 * doubt. Channel 1 publishes and declares; shard k is consumed on channel WIRE_SHARD + k. */
#ifndef BUS_AMQP_WIRE_H
#define BUS_AMQP_WIRE_H

#include "base/lookup.h"
#include "bus/amqp_place.h"
#include "bus/tally.h"

#include <amqp.h>

enum { WIRE_MAIN = 1, WIRE_SHARD = 2 };

/* A message on its way in, on one channel. */
struct wire_partial {
    char *body; /* NULL while none is expected, or where it is too large to be kept */
    uint64_t tag;
    size_t size, filled;
    bool open, returned;
};

struct wire {
    const struct amqp_place *place;
    const char *what; /* "palate publisher": shown in the broker's list of connections */

    amqp_connection_state_t conn; /* NULL = not connected */
    int fd;
    size_t room; /* bytes that the socket takes without blocking, for sure */
    struct pause pause;
    struct lookup *lookup;
    bool was_up;

    uint64_t next_tag;   /* of the next message */
    uint64_t base, low;  /* the first that is counted, the first that may be unconfirmed */
    unsigned char *done; /* (count) which of them are confirmed */
    size_t count, left, done_cap;
    bool blocked; /* the broker takes no messages: it is short of memory or disk */
    char blocked_by[96];

    struct wire_partial *partial; /* (channels) by channel */
    size_t channels;

    /* Takes over the body; NULL for one that is too large. */
    enum pal_status (*take)(void *ctx, unsigned shard, uint64_t tag, char *body, size_t size,
                            struct pal_error *err);
    void *ctx;
};

/* shards: how many channels beside the first; take may be NULL where nothing is consumed. */
MUST_USE enum pal_status wire_init(struct wire *w, const struct amqp_place *place, const char *what,
                                   size_t shards, struct pal_error *err);
void wire_done(struct wire *w); /* closes, and frees what it holds */

/* Connects and logs in; opens channel 1, with confirms. */
MUST_USE enum pal_status wire_open(struct wire *w, int64_t until, struct pal_error *err);

/* Says goodbye if `politely`, for at most half a second. */
void wire_close(struct wire *w, bool politely);

/* Closes after a failure, and puts the URL before the message. Returns err's status. */
enum pal_status wire_broken(struct wire *w, struct pal_error *err);

/* Limits the calls of the library that ask and wait (declare, consume…) to `until`; after each,
 * wire_reply says how it ended: "what: 403 ACCESS_REFUSED - …". */
void wire_limit(struct wire *w, int64_t until);
MUST_USE enum pal_status wire_reply(struct wire *w, const char *what, struct pal_error *err);

/* Reads frames until something came or the time is over; *any: whether something did. */
MUST_USE enum pal_status wire_pump(struct wire *w, int64_t until, bool *any, struct pal_error *err);

/* Whether the other side hung up, without reading what came before that. wire_probe closes then,
 * and reads what came: not where messages are received. */
bool wire_hung_up(const struct wire *w);
void wire_probe(struct wire *w);

/* Publishing: count messages will follow; each one; wait until all are confirmed. */
MUST_USE enum pal_status wire_expect(struct wire *w, size_t count, struct pal_error *err);
MUST_USE enum pal_status wire_publish(struct wire *w, const char *exchange, const char *routing_key,
                                      amqp_basic_properties_t *properties, const char *body,
                                      size_t size, int64_t until, struct pal_error *err);
MUST_USE enum pal_status wire_confirmed(struct wire *w, int64_t until, struct pal_error *err);

/* Sends one method, as wire_publish sends. */
MUST_USE enum pal_status wire_method(struct wire *w, unsigned channel, amqp_method_number_t id,
                                     void *method, int64_t until, struct pal_error *err);

#endif
