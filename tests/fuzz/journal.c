/* A journal's segment from anyone. The first byte says what the rest is: 0, a segment's bytes as
 * they are; 1, how to build one and where to damage it, since no fuzzer guesses checksums. Then the
 * records that are found are the ones that were written, up to the damage. */
#include "fuzz.h"

#include "journal/segment.h"

enum { RECORDS_MOST = 64, SIZE_MOST = 40 };

static void check(const uint8_t *p, size_t size, const struct segment_walk *w)
{
    FUZZ_CHECK(w->used <= size);
    if (w->headless)
        return;
    FUZZ_CHECK(w->good >= SEGMENT_HEAD && w->good <= w->used);
    struct segment_walk part;
    segment_walk(p, w->good, UINT64_MAX, &part);
    FUZZ_CHECK(!part.headless && part.good == w->good && part.next == w->next && !part.damaged);
    size_t at = SEGMENT_HEAD, need;
    struct journal_entry e;
    unsigned sum = 0;
    for (uint64_t seq = w->head.first; seq != w->next; seq++) {
        FUZZ_CHECK(record_read(p + at, size - at, w->head.salt, seq, &e, &need) == RECORD_WHOLE);
        for (size_t i = 0; i < e.size; i++)
            sum += ((const uint8_t *)e.data)[i]; /* a sanitizer sees a read outside */
        at += need;
    }
    FUZZ_CHECK(at == w->good && sum <= 255 * size);
}

/* Builds a segment by the input's first half: a byte for each record's size and whether it begins a
 * commit. at[i] is where record i begins; *committed, how many are in commits before the last. */
static size_t build(const uint8_t *in, size_t count, uint8_t *out, size_t *at, size_t *committed)
{
    struct segment_head h = {5, 5, count};
    size_t used = SEGMENT_HEAD;
    uint32_t place = 0;
    *committed = 0;
    segment_write_head(&h, out);
    for (size_t i = 0; i < count; i++) {
        size_t size = 1 + in[i] % SIZE_MOST;
        if (in[i] & 0x80 && i > 0) {
            place = 0;
            *committed = i;
        }
        at[i] = used;
        record_open(out + used, in[i], size);
        memset(out + used + RECORD_HEAD, in[i] | 1, size);
        used += record_seal(out + used, h.salt, place++, 5 + i);
    }
    at[count] = used;
    return used;
}

static void damage_one(const uint8_t *in, size_t size)
{
    static uint8_t segment[SEGMENT_HEAD + RECORDS_MOST * (RECORD_HEAD + SIZE_MOST) + 64];
    size_t at[RECORDS_MOST + 1], committed, hit;
    struct segment_walk w;
    if (size < 4)
        return;
    size_t count = (size - 3) % (RECORDS_MOST + 1);
    memset(segment, 0, sizeof segment);
    size_t used = build(in + 3, count, segment, at, &committed);
    size_t where = SEGMENT_HEAD + (size_t)(in[0] | in[1] << 8) % (used - SEGMENT_HEAD + 64);
    segment[where] ^= in[2];
    for (hit = 0; hit < count && at[hit + 1] <= where; hit++)
        ;
    if (in[2] == 0)
        hit = count;
    segment_walk(segment, sizeof segment, UINT64_MAX, &w);
    check(segment, sizeof segment, &w);
    FUZZ_CHECK(!w.headless && w.next == 5 + hit && w.good == at[hit]);
    FUZZ_CHECK(w.damaged == (hit < committed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct segment_walk w;
    if (size == 0)
        return 0;
    if (data[0] == 1) {
        damage_one(data + 1, size - 1);
        return 0;
    }
    segment_walk(data + 1, size - 1, UINT64_MAX, &w);
    check(data + 1, size - 1, &w);
    return 0;
}
