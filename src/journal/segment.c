/* See segment.h. */
#include "journal/segment.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAGIC  "palJRNL1"
#define SUFFIX ".journal"

enum {
    DIGITS = 20,
    SIZE_BITS = 24,
    CHECKED = 16 /* bytes of a record's head before its checksum */
};

static uint64_t get64(const uint8_t *p)
{
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--)
        x = x << 8 | p[i];
    return x;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put64(uint8_t *p, uint64_t x)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(x >> 8 * i);
}

static void put32(uint8_t *p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(x >> 8 * i);
}

void segment_write_head(const struct segment_head *h, uint8_t *out)
{
    memcpy(out, MAGIC, 8);
    put64(out + 8, h->first);
    put64(out + 16, h->follows);
    put64(out + 24, h->salt);
    put64(out + 32, XXH3_64bits(out, 32));
}

bool segment_read_head(const uint8_t *p, size_t size, struct segment_head *out)
{
    if (size < SEGMENT_HEAD || memcmp(p, MAGIC, 8) != 0 || get64(p + 32) != XXH3_64bits(p, 32))
        return false;
    *out = (struct segment_head){get64(p + 8), get64(p + 16), get64(p + 24)};
    return out->follows <= out->first;
}

void record_open(uint8_t *p, uint8_t kind, size_t size)
{
    put32(p, (uint32_t)size | (uint32_t)kind << SIZE_BITS);
}

static size_t size_of(const uint8_t *p)
{
    return get32(p) & ((1u << SIZE_BITS) - 1);
}

static uint64_t checksum(const uint8_t *p, size_t size, uint64_t salt)
{
    uint64_t data = XXH3_64bits_withSeed(p + RECORD_HEAD, size, salt);
    return XXH3_64bits_withSeed(p, CHECKED, data);
}

size_t record_seal(uint8_t *p, uint64_t salt, uint32_t place, uint64_t seq)
{
    size_t size = size_of(p);
    put32(p + 4, place);
    put64(p + 8, seq);
    put64(p + CHECKED, checksum(p, size, salt));
    return RECORD_HEAD + size;
}

enum record_found record_read(const uint8_t *p, size_t have, uint64_t salt, uint64_t seq,
                              struct journal_entry *out, size_t *need)
{
    *need = RECORD_HEAD;
    if (have < RECORD_HEAD)
        return RECORD_SHORT;
    size_t size = size_of(p);
    if (size == 0 || size > JOURNAL_RECORD_MOST || get64(p + 8) != seq)
        return RECORD_BAD;
    *need = RECORD_HEAD + size;
    if (have < *need)
        return RECORD_SHORT;
    if (get64(p + CHECKED) != checksum(p, size, salt))
        return RECORD_BAD;
    *out = (struct journal_entry){seq, p[3], p + RECORD_HEAD, size};
    return RECORD_WHOLE;
}

/* Whether somewhere in [p, p + size) there is a whole record of a commit that began after number
 * `missing`. Numbers far beyond what fits into size bytes are not worth their checksum. */
static bool proves_loss(const uint8_t *p, size_t size, uint64_t salt, uint64_t missing)
{
    uint64_t most = missing + size / (RECORD_HEAD + 1) + 1;
    struct journal_entry e;
    size_t need;
    for (size_t at = 0; at + RECORD_HEAD < size; at++) {
        uint64_t seq = get64(p + at + 8);
        uint32_t place = get32(p + at + 4);
        if (seq > missing && seq <= most && place < seq - missing &&
            record_read(p + at, size - at, salt, seq, &e, &need) == RECORD_WHOLE)
            return true;
    }
    return false;
}

void segment_walk(const uint8_t *p, size_t size, uint64_t stop, struct segment_walk *out)
{
    struct journal_entry e;
    size_t need;
    *out = (struct segment_walk){.used = size};
    while (out->used > 0 && p[out->used - 1] == 0)
        out->used--;
    if (!segment_read_head(p, size, &out->head)) {
        out->headless = true;
        return;
    }
    out->next = out->head.first;
    out->good = SEGMENT_HEAD;
    while (out->next < stop && record_read(p + out->good, size - out->good, out->head.salt,
                                           out->next, &e, &need) == RECORD_WHOLE) {
        out->good += need;
        out->next++;
    }
    if (out->used < out->good)
        out->used = out->good;
    out->damaged =
        out->next < stop && proves_loss(p + out->good, size - out->good, out->head.salt, out->next);
}

void segment_name(uint64_t first, char name[SEGMENT_NAME])
{
    snprintf(name, SEGMENT_NAME, "%020" PRIu64 SUFFIX, first);
}

bool segment_number(const char *name, uint64_t *first)
{
    return strlen(name) == DIGITS + strlen(SUFFIX) && strcmp(name + DIGITS, SUFFIX) == 0 &&
           text_u64(name, name + DIGITS, first);
}
