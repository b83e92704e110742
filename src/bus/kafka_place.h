/* What a kafka URL says:
 *
 *     kafka://HOST[:PORT][,HOST[:PORT]…]/TOPIC[?group=palate&partitions=4&security.protocol=…]
 *
 * The topic, and TOPIC.dead beside it for what could not be understood, are made if they are not
 * there: with so many partitions and replicas. Names with a point are librdkafka's own: what has to
 * do with security, connections and compression may be given. */
#ifndef BUS_KAFKA_PLACE_H
#define BUS_KAFKA_PLACE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { KAFKA_WORDS_MOST = 24 };

struct kafka_word {
    const char *name, *value;
};

struct kafka_place {
    char *url, *query; /* ours; what follows points into them */
    char shown[256];   /* the URL without its passwords */
    const char *hosts, *topic, *group;
    char dead[256];                  /* TOPIC.dead */
    int64_t partitions, replication; /* where it is made; 0 replicas: as the broker likes */
    struct kafka_word word[KAFKA_WORDS_MOST];
    size_t words;
};

/* PAL_EUSAGE for what can't be read. */
MUST_USE enum pal_status kafka_place_read(const char *url, struct kafka_place *out,
                                          struct pal_error *err);
void kafka_place_done(struct kafka_place *p);

#endif
