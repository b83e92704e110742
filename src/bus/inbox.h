/* What came from a broker and is not settled yet, in order: a queue whose front was given to the
 * receiver. What is not settled is given again. */
#ifndef BUS_INBOX_H
#define BUS_INBOX_H

#include "bus/bus.h"

struct letter {
    char *body; /* (size) and a NUL; ours */
    size_t size;
    unsigned shard;
    int64_t place; /* by which the broker knows it: a delivery tag, an offset */
    bool refused;
};

struct inbox {
    struct letter *letter; /* (count) */
    size_t count, cap, given, refused, bytes;
};

void inbox_done(struct inbox *in);

/* Takes the body over, also when it fails (memory). */
MUST_USE enum pal_status inbox_put(struct inbox *in, char *body, size_t size, unsigned shard,
                                   int64_t place, struct pal_error *err);

/* How many are there that were not refused. */
size_t inbox_ready(const struct inbox *in);

/* Gives up to `most` of those that were not refused, from the front. */
size_t inbox_give(struct inbox *in, struct bus_received *out, size_t most);

/* The one that was given as m; NULL if none was. */
struct letter *inbox_find(struct inbox *in, const struct bus_received *m);
void inbox_refuse(struct inbox *in, struct letter *l); /* is not given again */

/* Forgets what was given; all; what is of a shard. */
void inbox_settle(struct inbox *in);
void inbox_clear(struct inbox *in);
void inbox_drop_shard(struct inbox *in, unsigned shard);

#endif
