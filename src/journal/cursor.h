/* Reads one segment file in order through a buffer, with plain reads: a file that another process
 * cuts short must not end us, as a mapped one would. */
#ifndef JOURNAL_CURSOR_H
#define JOURNAL_CURSOR_H

#include "journal/segment.h"

struct cursor {
    int fd; /* -1 = none is open */
    struct segment_head head;
    uint64_t next;  /* the number of the record that comes next */
    uint64_t limit; /* what stands behind this many bytes of the file is not read */
    uint64_t at;    /* where in the file the buffer ends */
    uint8_t *buf;   /* (cap), of which [begin, end) is not handed out yet */
    size_t begin, end, cap;
};

void cursor_init(struct cursor *c);
void cursor_done(struct cursor *c); /* twice is fine */

/* Opens a segment, whose file is `first`. PAL_ENOTFOUND if it is gone, PAL_ECORRUPT if its head is
 * damaged. What was open before is closed. */
MUST_USE enum pal_status cursor_open(struct cursor *c, const char *dir, uint64_t first,
                                     uint64_t limit, struct pal_error *err);

/* Up to `most` records; their data is valid until the next call. 0 of them at the limit, at the
 * end of the file, and at what is no whole record: *bad then says whether bytes were left. */
MUST_USE enum pal_status cursor_read(struct cursor *c, struct journal_entry *entries, size_t most,
                                     size_t *count, bool *bad, struct pal_error *err);

#endif
