/* See credit.h. A set-associative table: a hash leads to a row of CREDIT_WAYS entries that fill one
 * cache line, newest first. An entry has 56 bits of hash, of which the row accounts for some more,
 * and the source + 1; 0 is free. */
#include "engine/credit.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* credit_clear takes all locks, and the thread sanitizer follows 64 of a thread at most. */
enum { LOCKS = 32, SOURCE_BITS = 8, SOURCE_MASK = (1 << SOURCE_BITS) - 1, AT_ONCE = 32 };

struct credit {
    size_t mask;                  /* rows - 1 */
    uint64_t (*row)[CREDIT_WAYS]; /* (mask + 1) */
    pthread_mutex_t lock[LOCKS];  /* of the rows r with r % LOCKS = its number */
};

enum pal_status credit_new(size_t items, struct credit **out, struct pal_error *err)
{
    struct credit *c = mem_zero(1, sizeof *c);
    size_t rows = 1;
    while (rows * CREDIT_WAYS < items)
        rows *= 2;
    if (c)
        c->row = mem_zero(rows, sizeof *c->row);
    if (!c || !c->row) {
        mem_free(c);
        return pal_no_memory(err);
    }
    c->mask = rows - 1;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->lock[i], NULL);
    *out = c;
    return PAL_OK;
}

void credit_free(struct credit *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&c->lock[i]);
    mem_free(c->row);
    mem_free(c);
}

/* A row of the table, and what an entry for the item looks like but for its source. */
struct place {
    uint64_t *row, tag;
    pthread_mutex_t *lock;
};

static struct place find_row(struct credit *c, const char *user_id, size_t len, uint32_t item)
{
    uint64_t hash = XXH3_64bits_withSeed(user_id, len, item);
    size_t row = hash & c->mask;
    return (struct place){c->row[row], hash >> SOURCE_BITS << SOURCE_BITS, &c->lock[row % LOCKS]};
}

/* Takes an entry out; those after it move up. 0 if it is not there. */
static uint64_t take_out(uint64_t *row, uint64_t tag)
{
    for (size_t i = 0; i < CREDIT_WAYS && row[i]; i++) {
        uint64_t entry = row[i];
        if ((entry ^ tag) >> SOURCE_BITS)
            continue;
        memmove(&row[i], &row[i + 1], (CREDIT_WAYS - 1 - i) * sizeof *row);
        row[CREDIT_WAYS - 1] = 0;
        return entry;
    }
    return 0;
}

static void note(const struct place *p, uint8_t source)
{
    pthread_mutex_lock(p->lock);
    take_out(p->row, p->tag);
    memmove(&p->row[1], &p->row[0], (CREDIT_WAYS - 1) * sizeof *p->row);
    p->row[0] = p->tag | (source + 1u);
    pthread_mutex_unlock(p->lock);
}

void credit_note(struct credit *c, const char *user_id, const uint32_t *items,
                 const uint8_t *sources, size_t n)
{
    struct place place[AT_ONCE];
    size_t len = strlen(user_id);
    for (size_t some; n; items += some, sources += some, n -= some) {
        some = n < AT_ONCE ? n : AT_ONCE;
        for (size_t i = 0; i < some; i++) {
            place[i] = find_row(c, user_id, len, items[i]);
            __builtin_prefetch(&place[i].row[0], 1); /* a row may lie across two lines */
            __builtin_prefetch(&place[i].row[CREDIT_WAYS - 1], 1);
        }
        for (size_t i = 0; i < some; i++)
            note(&place[i], sources[i]);
    }
}

int credit_take(struct credit *c, const char *user_id, uint32_t item)
{
    struct place p = find_row(c, user_id, strlen(user_id), item);
    pthread_mutex_lock(p.lock);
    uint64_t entry = take_out(p.row, p.tag);
    pthread_mutex_unlock(p.lock);
    return (int)(entry & SOURCE_MASK) - 1; /* CREDIT_NONE where there is none */
}

void credit_clear(struct credit *c)
{
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_lock(&c->lock[i]);
    memset(c->row, 0, (c->mask + 1) * sizeof *c->row);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_unlock(&c->lock[i]);
}
