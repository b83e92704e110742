/* A broker in memory that processes share: "fake:x". It keeps what was published over the death of
 * whoever published and received, and has faults: away, publishing that fails in part or all but
 * unheard, messages that come again. */
#ifndef FAKE_BUS_H
#define FAKE_BUS_H

#include "bus/backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { FAKE_SHARDS = 3, FAKE_MESSAGES = 1 << 17, FAKE_BYTES = 96 << 20 };

struct broker {
    pthread_mutex_t lock;
    struct broker_shard {
        size_t count, settled;
        struct {
            size_t at, size;
        } message[FAKE_MESSAGES];
    } shard[FAKE_SHARDS];
    size_t used;
    uint64_t chance; /* of faults */
    unsigned published, refused;
    bool away;
    bool deaf;       /* nobody receives */
    unsigned faulty; /* one in so many publications fails, one in so many receptions repeats */
    bool unheard;    /* all is published, and publishing fails */
    unsigned late;   /* so many times settling fails, and what was given does not come again */
    char reason[256];
    char bytes[FAKE_BYTES];
};

static struct broker *broker; /* shared with children */

struct fake_bus {
    struct bus base;
    size_t next[FAKE_SHARDS]; /* to be received */
    unsigned turn;
};

static inline void broker_make(void)
{
    pthread_mutexattr_t attr;
    broker = mmap(NULL, sizeof *broker, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&broker->lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

static inline void broker_drop(void)
{
    munmap(broker, sizeof *broker);
}

static inline void broker_lock(void)
{
    if (pthread_mutex_lock(&broker->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&broker->lock);
}

static inline void broker_unlock(void)
{
    pthread_mutex_unlock(&broker->lock);
}

static inline bool broker_chance(unsigned one_in)
{
    broker->chance = broker->chance * 6364136223846793005u + 1442695040888963407u;
    return one_in && (broker->chance >> 33) % one_in == 0;
}

static enum pal_status broker_away(struct pal_error *err)
{
    return pal_fail(err, PAL_EIO, "the broker is away");
}

static enum pal_status fake_open(const char *url, unsigned uses, struct bus **out,
                                 struct pal_error *away, struct pal_error *err)
{
    struct fake_bus *b = calloc(1, sizeof *b);
    extern const struct bus_ops fake_bus_ops;
    (void)url, (void)uses, (void)err;
    b->base.ops = &fake_bus_ops;
    broker_lock();
    for (unsigned s = 0; s < FAKE_SHARDS; s++)
        b->next[s] = broker->shard[s].settled;
    if (away)
        away->message[0] = 0;
    if (broker->away && away && broker_away(away))
        (void)0;
    broker_unlock();
    *out = &b->base;
    return PAL_OK;
}

static void fake_close(struct bus *b)
{
    free(b);
}

static unsigned fake_shards(struct bus *b)
{
    (void)b;
    return FAKE_SHARDS;
}

static unsigned fake_shard(struct bus *b, const char *key)
{
    unsigned h = 7;
    (void)b;
    for (; *key; key++)
        h = h * 31 + (unsigned char)*key;
    return h % FAKE_SHARDS;
}

/* With the lock held. Whole or not at all, should the process be killed in between. */
static inline void broker_put(unsigned shard, const char *body, size_t size)
{
    struct broker_shard *s = &broker->shard[shard];
    if (s->count == FAKE_MESSAGES || broker->used + size + 1 > FAKE_BYTES)
        abort();
    memcpy(broker->bytes + broker->used, body, size);
    broker->bytes[broker->used + size] = 0;
    s->message[s->count].at = broker->used;
    s->message[s->count].size = size;
    broker->used += size + 1;
    s->count++;
}

static enum pal_status fake_publish(struct bus *b, const struct bus_message *messages, size_t count,
                                    unsigned wait_ms, struct pal_error *err)
{
    (void)wait_ms;
    broker_lock();
    bool away = broker->away, fails = broker_chance(broker->faulty);
    size_t n = fails && !broker->unheard ? (size_t)(broker->chance >> 40) % (count + 1) : count;
    for (size_t i = 0; i < n && !away; i++) {
        broker_put(fake_shard(b, messages[i].key), messages[i].body, messages[i].size);
        broker->published++;
    }
    fails = fails || broker->unheard;
    broker_unlock();
    return away || fails ? broker_away(err) : PAL_OK;
}

static enum pal_status fake_receive(struct bus *base, struct bus_received *out, size_t most,
                                    unsigned wait_ms, size_t *count, struct pal_error *err)
{
    struct fake_bus *b = (struct fake_bus *)base;
    *count = 0;
    broker_lock();
    bool away = broker->away;
    for (unsigned s = 0; s < FAKE_SHARDS; s++)
        if (broker_chance(broker->faulty)) { /* what was settled comes again, too */
            size_t back = (size_t)(broker->chance >> 40) % 20;
            b->next[s] = broker->shard[s].settled > back ? broker->shard[s].settled - back : 0;
        }
    size_t want = broker->faulty ? 1 + (size_t)(broker->chance >> 36) % 200 : most;
    for (unsigned i = 0; i < FAKE_SHARDS && !away && !broker->deaf; i++) {
        unsigned s = (b->turn + i) % FAKE_SHARDS;
        struct broker_shard *shard = &broker->shard[s];
        for (; b->next[s] < shard->count && *count < most && *count < want; b->next[s]++)
            out[(*count)++] = (struct bus_received){broker->bytes + shard->message[b->next[s]].at,
                                                    shard->message[b->next[s]].size, s};
    }
    b->turn++;
    broker_unlock();
    if (away)
        return broker_away(err);
    if (!*count)
        usleep(1000 * (wait_ms < 5 ? wait_ms : 5));
    return PAL_OK;
}

static enum pal_status fake_refuse(struct bus *b, const struct bus_received *m, const char *reason,
                                   struct pal_error *err)
{
    (void)b, (void)m, (void)err;
    broker_lock();
    broker->refused++;
    snprintf(broker->reason, sizeof broker->reason, "%s", reason);
    broker_unlock();
    return PAL_OK;
}

static enum pal_status fake_settle(struct bus *base, struct pal_error *err)
{
    struct fake_bus *b = (struct fake_bus *)base;
    broker_lock();
    bool late = broker->late, fails = late || broker->away || broker_chance(broker->faulty);
    broker->late -= late;
    for (unsigned s = 0; s < FAKE_SHARDS && !late; s++) {
        if (fails)
            b->next[s] = broker->shard[s].settled;
        else if (b->next[s] > broker->shard[s].settled)
            broker->shard[s].settled = b->next[s];
    }
    broker_unlock();
    return fails ? broker_away(err) : PAL_OK;
}

static void fake_status(struct bus *b, struct bus_status *out)
{
    (void)b;
    *out = (struct bus_status){.connected = !broker->away, .backlog = -1};
}

const struct bus_ops fake_bus_ops = {
    {"fake", "fake:X"}, fake_open,    fake_close,  fake_publish, fake_shards,
    fake_shard,         fake_receive, fake_refuse, fake_settle,  fake_status,
};

#endif
