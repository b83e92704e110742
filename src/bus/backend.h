/* What a kind of broker implements to be a stream; what the functions do is said in bus.h. To add a
 * kind: one file with a table, and one line in src/cli/outside.c. */
#ifndef BUS_BACKEND_H
#define BUS_BACKEND_H

#include "base/scheme.h"
#include "bus/bus.h"

struct bus_ops {
    struct scheme_kind kind; /* the first */
    /* url: all of it, as it was given */
    enum pal_status (*open)(const char *url, unsigned uses, struct bus **out,
                            struct pal_error *away, struct pal_error *err);
    void (*close)(struct bus *b);
    enum pal_status (*publish)(struct bus *b, const struct bus_message *messages, size_t count,
                               unsigned wait_ms, struct pal_error *err);
    unsigned (*shards)(struct bus *b);
    unsigned (*shard)(struct bus *b, const char *key);
    enum pal_status (*receive)(struct bus *b, struct bus_received *out, size_t most,
                               unsigned wait_ms, size_t *count, struct pal_error *err);
    enum pal_status (*refuse)(struct bus *b, const struct bus_received *m, const char *reason,
                              struct pal_error *err);
    enum pal_status (*settle)(struct bus *b, struct pal_error *err);
    void (*status)(struct bus *b, struct bus_status *out);
};

/* The first member of every kind's own struct. */
struct bus {
    const struct bus_ops *ops;
};

/* Those that this build may have. */
extern const struct bus_ops amqp_bus_ops, amqps_bus_ops, kafka_bus_ops;

/* Makes a kind known. Before any thread is started; the table lives as long as the process. */
void bus_add_kind(const struct bus_ops *ops);

#endif
