/* Which ids are certainly new. To look thousands of random numbers up in ClickHouse is to read all
 * of a column, and a third of a second for a batch; so most are told from those that are stored by
 * a Bloom filter in memory (Bloom, CACM 1970), and only what it can't tell is asked for. The filter
 * is read from the last events when writing begins, and what other processes wrote is read before
 * each batch.
 *
 * There are two filters of 16 bits for each of 8 million ids. When the younger is full the older
 * one is emptied and takes its place: so at least the last 8 million ids are known. With six bits
 * set for an id, one in some 1,400 is asked for in vain when a filter is full. */
#include "store/clickhouse_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { BITS_LOG2 = 27, IDS_MOST = 1 << 23, PROBES = 6 };

static uint64_t probe(uint64_t hash, unsigned i)
{
    uint64_t step = (hash >> 32) | 1;
    return (hash + i * step) & (((uint64_t)1 << BITS_LOG2) - 1);
}

static void add(struct ch_ids *ids, uint64_t hash)
{
    if (ids->count == IDS_MOST) {
        ids->young = !ids->young;
        ids->count = 0;
        memset(ids->bits[ids->young], 0, (size_t)1 << (BITS_LOG2 - 3));
    }
    ids->count++;
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t bit = probe(hash, i);
        ids->bits[ids->young][bit >> 6] |= (uint64_t)1 << (bit & 63);
    }
}

static bool in_filter(const uint64_t *bits, uint64_t hash)
{
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t bit = probe(hash, i);
        if (!(bits[bit >> 6] >> (bit & 63) & 1))
            return false;
    }
    return true;
}

bool ch_ids_maybe(const struct ch_ids *ids, uint64_t hash)
{
    return in_filter(ids->bits[0], hash) || in_filter(ids->bits[1], hash);
}

void ch_ids_add(struct ch_ids *ids, const uint64_t *hashes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(ids, hashes[i]);
}

/* fields: id_hash, place */
static enum pal_status on_hash(void *ctx, const union ch_field *f, struct pal_error *err)
{
    add(ctx, f[0].u64);
    return PAL_OK;
}

enum pal_status ch_ids_follow(struct ch *c, struct ch_ids *ids, uint64_t mark,
                              struct pal_error *err)
{
    char sql[200];
    size_t words = (size_t)1 << (BITS_LOG2 - 6);
    uint64_t from = ids->through;
    for (int i = 0; i < 2; i++)
        if (!ids->bits[i] && !(ids->bits[i] = mem_zero(words, sizeof(uint64_t))))
            return pal_no_memory(err);
    if (mark <= from)
        return PAL_OK;
    if (mark - from > CH_IDS_BACK)
        from = mark - CH_IDS_BACK;
    snprintf(sql, sizeof sql,
             "SELECT id_hash, place FROM $DB.events WHERE place > %llu AND place <= %llu AND "
             "id_hash != 0 FORMAT RowBinary",
             (unsigned long long)from, (unsigned long long)mark);
    enum pal_status st = ch_select(c, sql, "qq", on_hash, ids, err);
    if (st == PAL_OK)
        ids->through = mark;
    return st;
}

void ch_ids_done(struct ch_ids *ids)
{
    mem_free(ids->bits[0]);
    mem_free(ids->bits[1]);
    memset(ids, 0, sizeof *ids);
}
