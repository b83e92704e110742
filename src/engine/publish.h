/* From the journal into a stream: what the drain has at hand is published, and how far that is
 * stands in a file of the journal's folder, "published".
 *
 * The file is written before a batch is published (up to which number it goes, and the moment that
 * its messages carry) and after it was confirmed. So whatever is killed when, at most one batch is
 * published twice, and its second copies say the same moment as the first: what made them void in
 * between still does. */
#ifndef ENGINE_PUBLISH_H
#define ENGINE_PUBLISH_H

#include "bus/bus.h"
#include "data/stream_json.h"
#include "store/store.h"

#include <limits.h>
#include <pthread.h>

struct publish {
    struct bus *bus;
    char path[PATH_MAX]; /* of the file */
    char journal[STREAM_JOURNAL];
    struct str bodies;
    size_t *size; /* (cap) of each in bodies */
    struct bus_message *message;
    size_t count, size_cap, message_cap;

    int64_t at_ms; /* what the batch under way or the last one says; ascending */
    uint64_t upto; /* the last number of that batch */

    pthread_mutex_t lock;           /* for what follows, which others read */
    uint64_t position;              /* all up to here is confirmed */
    uint64_t stored;                /* and all up to here is in the store, as far as is known */
    uint64_t last[BUS_SHARDS_MOST]; /* of what is confirmed, the last number in each shard */
};

/* How far the journal in `dir` was published, from its file; *there: there is one. PAL_ECORRUPT for
 * one that can't be read. */
MUST_USE enum pal_status publish_read(const char *dir, uint64_t *position, bool *there,
                                      struct pal_error *err);

/* bus is borrowed. position: where to begin if there is no file yet. */
MUST_USE enum pal_status publish_open(struct publish *p, struct bus *bus, const char *dir,
                                      const char *journal, uint64_t position,
                                      struct pal_error *err);
void publish_close(struct publish *p); /* a zeroed one is fine */

/* ---- From the drain ---- */

/* How many of the numbers (count) go into the next batch, 1 at least. */
size_t publish_cut(const struct publish *p, const uint64_t *seq, size_t count);

/* Publishes the changes (count), which reach up to number `last`, and waits until the broker has
 * all of them. PAL_EIO: the same call is made again. */
MUST_USE enum pal_status publish_batch(struct publish *p, const struct store_change *changes,
                                       size_t count, uint64_t last, int64_t now_ms,
                                       struct pal_error *err);

/* ---- From anybody ---- */

/* The number up to which everything is in the store, given what the store says of this journal
 * (count) and how far publishing was before the store was asked: publish_before. Never less than
 * it said before. */
struct publish_then {
    uint64_t position;
    uint64_t last[BUS_SHARDS_MOST];
};
void publish_before(struct publish *p, struct publish_then *out);
uint64_t publish_stored(struct publish *p, const struct publish_then *then,
                        const struct store_reach *reaches, size_t count);

#endif
