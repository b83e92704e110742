/* See bus.h: finds the kind of broker by the URL and passes everything on to it. */
#include "bus/backend.h"

static struct scheme_kinds kinds = {.what = "stream"};

void bus_add_kind(const struct bus_ops *ops)
{
    scheme_add(&kinds, &ops->kind);
}

enum pal_status bus_open(const char *url, unsigned uses, struct bus **out, struct pal_error *away,
                         struct pal_error *err)
{
    const struct scheme_kind *kind;
    enum pal_status st = scheme_find(&kinds, url, &kind, err);
    return st ? st : ((const struct bus_ops *)kind)->open(url, uses, out, away, err);
}

void bus_close(struct bus *b)
{
    if (b)
        b->ops->close(b);
}

enum pal_status bus_publish(struct bus *b, const struct bus_message *messages, size_t count,
                            unsigned wait_ms, struct pal_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (messages[i].size > BUS_MESSAGE_MOST)
            return pal_fail(err, PAL_EUSAGE, "a message of %zu bytes: a stream takes up to %d",
                            messages[i].size, (int)BUS_MESSAGE_MOST);
    return count ? b->ops->publish(b, messages, count, wait_ms, err) : PAL_OK;
}

unsigned bus_shards(struct bus *b)
{
    return b->ops->shards(b);
}

unsigned bus_shard(struct bus *b, const char *key)
{
    return b->ops->shard(b, key);
}

enum pal_status bus_receive(struct bus *b, struct bus_received *out, size_t most, unsigned wait_ms,
                            size_t *count, struct pal_error *err)
{
    return b->ops->receive(b, out, most, wait_ms, count, err);
}

enum pal_status bus_refuse(struct bus *b, const struct bus_received *m, const char *reason,
                           struct pal_error *err)
{
    return b->ops->refuse(b, m, reason, err);
}

enum pal_status bus_settle(struct bus *b, struct pal_error *err)
{
    return b->ops->settle(b, err);
}

void bus_status(struct bus *b, struct bus_status *out)
{
    b->ops->status(b, out);
}
