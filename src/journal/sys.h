/* What the writer asks of the system, as a table, so that a test can make any call fail. */
#ifndef JOURNAL_SYS_H
#define JOURNAL_SYS_H

#include "journal/journal.h"

#include <sys/types.h>

struct journal_sys {
    int (*create)(const char *path);                /* a new file: open with O_EXCL */
    int (*reserve)(int fd, off_t from, off_t size); /* fallocate */
    ssize_t (*write)(int fd, const void *data, size_t size, off_t at);
    int (*sync)(int fd);     /* fdatasync */
    int (*sync_dir)(int fd); /* fsync of the folder */
    int (*truncate)(int fd, off_t size);
};
extern const struct journal_sys journal_sys;

/* journal_open with other calls; sys outlives the journal. */
MUST_USE enum pal_status journal_open_with(const char *dir, const struct journal_options *o,
                                           uint64_t least_next, const struct journal_sys *sys,
                                           struct journal_recovery *found, struct journal **out,
                                           struct pal_error *err);

#endif
