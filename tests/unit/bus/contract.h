/* What the programs of the contract share: streams by the environment, messages with a key and a
 * number, and a log of what was received that is checked at the end. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "test.h"

#include "bus/bus.h"

#include <pthread.h>

enum { KEYS = 50, WAIT_MS = 10000 };

/* PALATE_TEST_STREAM with NAME replaced; where the broker was told to keep another stream apart. */
const char *stream_url(const char *name);
struct bus *stream_open(const char *name, unsigned uses); /* fails if the broker is away */

/* Publishes messages [from, to): number i has key i % KEYS; its body is "KEY NUMBER" and blanks up
 * to `size`. In batches of up to 1000. */
MUST_USE enum pal_status publish_range(struct bus *b, size_t from, size_t to, size_t size,
                                       unsigned wait_ms, struct pal_error *err);

/* What was received of numbers [0, most). */
struct received {
    pthread_mutex_t lock;
    bool seen[2000000];
    size_t most, distinct, repeated, out_of_order;
    size_t last[KEYS]; /* the greatest number of each key so far, plus one */
};
struct received *received_new(size_t most);
size_t received_distinct(struct received *r); /* while others note */
void received_note(struct received *r, struct bus *b, const struct bus_received *m);

/* Receives, notes and settles until all of them were seen or limit_ms is over. */
void receive_all(struct bus *b, struct received *r, int limit_ms);

void bus_add_all(void); /* every kind that was built */

#endif
