/* See intern.h. Open addressing with linear probing, at most half full. A slot keeps the upper
 * half of the hash, so that a probe reads a text's bytes only when they almost surely match. */
#include "base/intern.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TAG 0xffffffff00000000u

/* Ids come from outside: with a hash that everybody knows, a client could choose some that all fall
 * into one place. So each process hashes with a number of its own. Texts are numbered by when they
 * came, so nothing that is computed depends on it. */
static uint64_t seed_of_process(void)
{
    static atomic_uint_fast64_t seed; /* 0 = not chosen yet */
    uint64_t now = atomic_load_explicit(&seed, memory_order_relaxed), none = 0;
    if (now)
        return now;
    if (getrandom(&now, sizeof now, GRND_NONBLOCK) != sizeof now) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        now = (uint64_t)t.tv_sec * 1000000007 + (uint64_t)t.tv_nsec;
    }
    now |= 1;
    return atomic_compare_exchange_strong(&seed, &none, now) ? now : none;
}

static uint64_t hash_of(const char *s, size_t len)
{
    return XXH3_64bits_withSeed(s, len, seed_of_process());
}

void intern_done(struct intern *t)
{
    mem_free(t->bytes);
    mem_free(t->start);
    mem_free(t->slot);
    memset(t, 0, sizeof *t);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint64_t *probe(const struct intern *t, uint64_t hash, const char *s, size_t len)
{
    for (uint64_t i = hash & t->mask;; i = (i + 1) & t->mask) {
        uint64_t v = t->slot[i];
        if (v == 0)
            return &t->slot[i];
        uint32_t number = (uint32_t)v - 1;
        if ((v & TAG) == (hash & TAG) && intern_len(t, number) == len &&
            memcmp(intern_text(t, number), s, len) == 0)
            return &t->slot[i];
    }
}

static int grow_slots(struct intern *t)
{
    uint64_t size = t->slot ? (t->mask + 1) * 2 : 64;
    uint64_t *slot = mem_zero(size, sizeof *slot);
    if (!slot)
        return -1;
    for (uint32_t n = 0; n < t->count; n++) {
        uint64_t hash = hash_of(intern_text(t, n), intern_len(t, n));
        uint64_t i = hash & (size - 1);
        while (slot[i])
            i = (i + 1) & (size - 1);
        slot[i] = (hash & TAG) | (n + 1);
    }
    mem_free(t->slot);
    t->slot = slot;
    t->mask = size - 1;
    return 0;
}

enum pal_status intern_add(struct intern *t, const char *s, size_t len, uint32_t *number,
                           struct pal_error *err)
{
    if ((!t->slot || t->count >= (t->mask + 1) / 2) && grow_slots(t))
        return pal_no_memory(err);
    uint64_t hash = hash_of(s, len);
    uint64_t *slot = probe(t, hash, s, len);
    if (*slot) {
        *number = (uint32_t)*slot - 1;
        return PAL_OK;
    }
    if (t->count >= UINT32_MAX - 1)
        return pal_fail(err, PAL_ENOMEM, "more than 4294967294 different ids");
    uint64_t begin = t->count ? t->start[t->count] : 0;
    if (mem_grow(&t->bytes, &t->bytes_cap, begin + len + 1, 1) ||
        mem_grow(&t->start, &t->start_cap, (size_t)t->count + 2, sizeof *t->start))
        return pal_no_memory(err);
    memcpy(t->bytes + begin, s, len);
    t->bytes[begin + len] = 0;
    t->start[t->count] = begin;
    t->start[t->count + 1] = begin + len + 1;
    *slot = (hash & TAG) | (t->count + 1);
    *number = t->count++;
    return PAL_OK;
}

uint32_t intern_find(const struct intern *t, const char *s, size_t len)
{
    if (!t->slot)
        return INTERN_NONE;
    uint64_t v = *probe(t, hash_of(s, len), s, len);
    return v ? (uint32_t)v - 1 : INTERN_NONE;
}

enum pal_status intern_copy(const struct intern *t, struct intern *out, struct pal_error *err)
{
    struct intern copy = {0};
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t number;
        enum pal_status st = intern_add(&copy, intern_text(t, i), intern_len(t, i), &number, err);
        if (st != PAL_OK) {
            intern_done(&copy);
            return st;
        }
    }
    *out = copy;
    return PAL_OK;
}
