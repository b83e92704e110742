/* What a journal's folder holds when it is opened: the segment files in order, checked, and the
 * newest one's torn tail cut off. */
#ifndef JOURNAL_RECOVER_H
#define JOURNAL_RECOVER_H

#include "journal/segment.h"

struct segment_file {
    uint64_t first, next; /* numbers: of its first record, behind its last one */
    uint64_t size;        /* of head and whole records */
};

/* The names of the folder's segment files in ascending order; *out is the caller's to mem_free. */
MUST_USE enum pal_status segment_list(const char *dir, struct segment_file **out, size_t *count,
                                      struct pal_error *err);

/* DIR/NAME of a segment into path[PATH_MAX]. */
MUST_USE enum pal_status segment_path(char *path, const char *dir, uint64_t first,
                                      struct pal_error *err);

struct recovered {
    struct segment_file *files; /* (count), the caller's to mem_free */
    size_t count;
    struct segment_head head; /* of the newest one */
    uint64_t next;            /* the number that follows all records; 1 in an empty folder */
};

/* Checks the folder, whose lock the caller holds. Segments that lie wholly below `least_next` are
 * listed, but not looked at: their records have arrived elsewhere. */
MUST_USE enum pal_status journal_recover(const char *dir, uint64_t least_next,
                                         struct recovered *out, struct journal_recovery *found,
                                         struct pal_error *err);

#endif
