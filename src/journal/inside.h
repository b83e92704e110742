/* The inside of a journal, for the files of this folder. */
#ifndef JOURNAL_INSIDE_H
#define JOURNAL_INSIDE_H

#include "journal/recover.h"
#include "journal/sys.h"

#include <limits.h>
#include <pthread.h>

/* One journal_submit: its records' place in the batch, and whom to tell. */
struct ticket {
    size_t count, bytes;
    journal_done_fn *done;
    void *ctx;
};

/* What waits for the writer: records with room for their heads, one behind the other. */
struct batch {
    uint8_t *bytes;
    size_t used, cap;
    struct ticket *tickets;
    size_t count, tickets_cap;
    size_t records;
};

struct journal {
    char dir[PATH_MAX];
    struct journal_options o;
    const struct journal_sys *sys;
    int lock_fd, dir_fd;
    pthread_t writer;

    pthread_mutex_t lock; /* guards what follows, up to the writer's own */
    pthread_cond_t submitted, committed;
    struct batch front;
    size_t queued;                 /* bytes in both batches */
    size_t joined;                 /* submissions that came during the last commit */
    size_t wanted;                 /* submissions in front at which the writer is woken; 0 = none */
    struct segment_file *segments; /* (segment_count), oldest first; the newest is written to */
    size_t segment_count, segment_cap;
    uint64_t disk_bytes; /* of all segments */
    uint64_t next, drained;
    uint64_t wakes;
    bool stop, rotate;
    uint64_t commits, records, commit_ns, sync_ns, last_commit_ns;
    bool failing;
    struct pal_error error;

    pthread_mutex_t deleting; /* one at a time, oldest first; taken before lock */

    journal_commit_fn *on_commit; /* NULL = none */
    void *on_commit_ctx;

    /* The writer's own. */
    struct batch back;
    uint64_t began_ns; /* the last commit */
    int fd;            /* the newest segment; -1 = the next commit begins one */
    struct segment_head head;
    uint64_t size;     /* of what is committed in it */
    uint64_t ends;     /* the number behind the last record in any file */
    uint64_t reserved; /* allocated up to here */
    bool no_reserve;   /* the file system can't */
};

/* The writer thread's body. */
void *journal_write_loop(void *journal);

/* Begins a segment whose first record will be j->next; the one before is cut to its size and
 * closed. On failure the old one, if it is open, stays. Called by the writer, or before there is
 * one; `next` is the new segment's first number. */
MUST_USE enum pal_status segment_begin(struct journal *j, uint64_t next, struct pal_error *err);

/* Cuts the open segment to its size and closes it. */
void segment_seal(struct journal *j);

/* Deletes segments that are wholly drained. */
void journal_sweep(struct journal *j);

#endif
