/* The bytes of a segment file, and nothing but bytes: no files, no threads.
 *
 *     head     magic "palJRNL1", first, follows, salt, checksum             40 bytes
 *     record   size | kind << 24, place, seq, checksum                      24 bytes
 *              data                                                         size bytes
 *     record   …
 *     zeros    where the file was allocated ahead
 *
 * All numbers are little endian. `first` is the number of the first record, `follows` the number
 * that came next when the segment was begun: the same, unless numbers were passed over. A record's
 * checksum is XXH3 over its head and data, seeded with the segment's salt, so that no bytes of
 * another file, or of this one's earlier life, count as a record here.
 *
 * `place` is the record's place in its commit, from 0. A commit begins only when the one before is
 * safely on disk; so a whole record at place p proves that everything before seq - p had been
 * acknowledged. That tells a torn last commit (whose blocks may reach the disk in any order) from
 * damage. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "journal/journal.h"

enum { SEGMENT_HEAD = 40, RECORD_HEAD = 24, SEGMENT_NAME = 32 };

struct segment_head {
    uint64_t first, follows, salt;
};

void segment_write_head(const struct segment_head *h, uint8_t *out); /* SEGMENT_HEAD bytes */
bool segment_read_head(const uint8_t *p, size_t size, struct segment_head *out);

/* Writes the part of a record's head that is known when it is submitted; then, at p, the whole head
 * of a record whose data stand behind it. The size written before is read again; it is returned. */
void record_open(uint8_t *p, uint8_t kind, size_t size);
size_t record_seal(uint8_t *p, uint64_t salt, uint32_t place, uint64_t seq);

enum record_found {
    RECORD_WHOLE, /* *out is filled */
    RECORD_SHORT, /* it may be whole, but goes on for *need bytes from p */
    RECORD_BAD,   /* no record begins here: zeros, garbage, damage */
};

/* The record at p, of which `have` bytes are there, if it is the one with number `seq`. *need: its
 * length with the head (RECORD_WHOLE, RECORD_SHORT). */
enum record_found record_read(const uint8_t *p, size_t have, uint64_t salt, uint64_t seq,
                              struct journal_entry *out, size_t *need);

/* What a walk over a whole segment finds. */
struct segment_walk {
    struct segment_head head;
    bool headless; /* the head is damaged; nothing else was looked at */
    uint64_t next; /* the number behind the last whole record */
    size_t good;   /* where that record ends */
    size_t used;   /* where the last byte that is not zero ends, at least good */
    bool damaged;  /* something behind `good` proves that acknowledged records are missing */
};

/* Walks records up to number `stop` (not included; UINT64_MAX = to the end). O(size). */
void segment_walk(const uint8_t *p, size_t size, uint64_t stop, struct segment_walk *out);

/* File names: the number of the first record in twenty digits. segment_number: false for any other
 * name. */
void segment_name(uint64_t first, char name[SEGMENT_NAME]);
bool segment_number(const char *name, uint64_t *first);

#endif
