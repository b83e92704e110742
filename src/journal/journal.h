/* The durable door: what was accepted here survives the process, the kernel and the power.
 *
 * A folder of segment files, each named by the sequence number of its first record. Records are
 * only ever appended: length, kind, sequence number, checksum, bytes. One writer thread takes all
 * that was submitted since its last turn, writes it and calls fdatasync once for everybody who
 * waits. The reader at the other end (the drain) walks the committed records in order and says how
 * far it is; segments that lie wholly behind it are deleted.
 *
 * What the bytes mean is the caller's affair (see data/record.h). One process at a time writes to a
 * folder: journal_open takes a lock; journal_scan reads beside a running writer.
 *
 * Unless said otherwise functions may be called from any thread. */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/error.h"
#include "base/options.h"

#include <stdbool.h>

struct journal;

/* The options' table: journal.segment_bytes=…; defaults by opt_defaults. */
struct journal_options {
    int64_t segment_bytes; /* begin a new file past so many bytes */
    int64_t most_bytes;    /* of all segments; past it journal_submit fails with PAL_EFULL */
    int64_t queue_bytes;   /* submitted and not yet committed, in memory; likewise */
    int64_t group_most;    /* records in one commit, at most */
    int64_t group_wait_us; /* how long the writer waits for more before it commits; 0 = not */
    int64_t apart_us; /* while submissions overlap: from one commit's begin to the next one's */
    bool sync;        /* false: acknowledge without fdatasync. For measuring only */
};
extern const struct opt_table journal_option_table;

struct journal_record {
    uint8_t kind; /* the caller's */
    const void *data;
    size_t size; /* 1 to JOURNAL_RECORD_MOST bytes */
};

enum { JOURNAL_RECORD_MOST = 4 * 1024 * 1024 };

/* What opening found. */
struct journal_recovery {
    uint64_t first, next; /* sequence numbers: of the oldest record, of the next to be written.
                             first == next: it is empty */
    uint64_t segments, bytes;
    uint64_t cut_bytes; /* cut off behind the last whole record; 0 = it ended cleanly */
    char cut_file[256]; /* where that was */
};

/* The name of the journal in the folder `dir`: 12 hex digits, drawn when it is first asked for and
 * kept in a file of the folder, which is made if need be. With a record's number it names the
 * record among those of all processes. PAL_ECORRUPT for a file that holds something else. */
enum { JOURNAL_IDENTITY = 13 };
MUST_USE enum pal_status journal_identity(const char *dir, char out[JOURNAL_IDENTITY],
                                          struct pal_error *err);

/* Opens or makes the folder `dir`. A torn or damaged tail of the newest segment is cut off and
 * reported in *found; damage anywhere before that is PAL_ECORRUPT: records behind it were
 * acknowledged. `least_next`: everything below this number has reached its destination (the store's
 * position + 1; 0 = nothing has). Segments that hold nothing else are not looked at and deleted,
 * and numbers given from now on are at least this, should the folder be new. PAL_EIO with a clear
 * sentence if another process has it open. Reads all that is not drained: about 1 s a GiB. */
MUST_USE enum pal_status journal_open(const char *dir, const struct journal_options *o,
                                      uint64_t least_next, struct journal_recovery *found,
                                      struct journal **out, struct pal_error *err);

/* Commits what was submitted, calls everybody back and closes. NULL is fine. */
void journal_close(struct journal *j);

/* Called once per journal_submit, from the writer thread, in the order of sequence numbers: quick,
 * and without calling journal_submit's waiting sister. st != PAL_OK: the records are not durable
 * (the disk failed or is full), err says why, and first is 0; the journal tries again with the next
 * ones. (Only if the process ends in that moment may a refused record be found on disk later: a
 * client's event_id makes its second try harmless.) */
typedef void journal_done_fn(void *ctx, enum pal_status st, uint64_t first, size_t count,
                             const struct pal_error *err);

/* Hands over copies of the records (count >= 1), which get consecutive numbers, and returns at
 * once. done may be NULL. PAL_EFULL when the journal would hold more than most_bytes, because the
 * drain is behind, or the queue more than queue_bytes, because the disk is; PAL_EUSAGE for an empty
 * or too large record, or more at once than could ever be taken (queue_bytes or half of
 * most_bytes). On failure nothing was queued and done is not called. After a crash a submission
 * that was not acknowledged is there in whole, in part (its first records) or not at all. About 100
 * ns and the copy. */
MUST_USE enum pal_status journal_submit(struct journal *j, const struct journal_record *records,
                                        size_t count, journal_done_fn *done, void *ctx,
                                        struct pal_error *err);

/* The same, and waits until they are durable. */
MUST_USE enum pal_status journal_append(struct journal *j, const struct journal_record *records,
                                        size_t count, uint64_t *first, struct pal_error *err);

/* Called by the writer after each commit that succeeded: once for each journal_done_fn that it is
 * about to call, with what that one will be given, and at last with done NULL. For what is best
 * done for all of a commit at once, before anybody is told. Before the first submission. */
typedef void journal_commit_fn(void *ctx, journal_done_fn *done, void *done_ctx, uint64_t first,
                               size_t count);
void journal_on_commit(struct journal *j, journal_commit_fn *fn, void *ctx);

/* A committed record; data is the reader's until its next call. */
struct journal_entry {
    uint64_t seq;
    uint8_t kind;
    const void *data;
    size_t size;
};

/* Reads committed records in order, from number `from` on, or from the oldest one that is still
 * there. It is freed before the journal is closed. Not shared between threads. */
struct journal_reader;
MUST_USE enum pal_status journal_reader_new(struct journal *j, uint64_t from,
                                            struct journal_reader **out, struct pal_error *err);
void journal_reader_free(struct journal_reader *r); /* NULL is fine */

/* Up to `most` further records into entries; *count receives how many. Waits up to wait_ms for the
 * first one; 0 of them after that, or when journal_wake was called since the last journal_read
 * began. PAL_ECORRUPT if a committed record can't be read back. */
MUST_USE enum pal_status journal_read(struct journal_reader *r, struct journal_entry *entries,
                                      size_t most, unsigned wait_ms, size_t *count,
                                      struct pal_error *err);
void journal_wake(struct journal *j); /* ends every journal_read that waits, or the next one */

/* Everything up to and including `seq` has reached its destination for good: segments that hold
 * nothing else are deleted. */
void journal_drained(struct journal *j, uint64_t seq);

/* The next record begins a new segment, so that what is in the present one can be deleted as soon
 * as it is drained (a user asked to be forgotten). */
void journal_rotate(struct journal *j);

struct journal_status {
    uint64_t next, committed, drained; /* sequence numbers; committed and drained are the last */
    uint64_t segments, bytes;
    uint64_t most_bytes;         /* which bytes may not pass */
    uint64_t free_bytes;         /* that the disk has for us; 0 if it does not tell */
    uint64_t commits, records;   /* since opening */
    uint64_t commit_ns, sync_ns; /* sums over all commits: writing and syncing; syncing */
    uint64_t last_commit_ns;
    bool full;              /* a record of a kilobyte would be refused with PAL_EFULL */
    bool failing;           /* the last commit failed */
    struct pal_error error; /* why */
};
void journal_status(struct journal *j, struct journal_status *out);

/* Walks the committed records from `from` on of a folder that another process may be writing to,
 * without a lock; stops quietly at the first record that is not whole. Segments that were drained
 * and deleted meanwhile are left out: read the journal first and its destination after that, and
 * nothing is missed. The last records may be such that nobody was told of yet. No folder: no
 * records. A status from fn other than PAL_OK ends it. */
typedef enum pal_status journal_scan_fn(void *ctx, const struct journal_entry *e,
                                        struct pal_error *err);
MUST_USE enum pal_status journal_scan(const char *dir, uint64_t from, journal_scan_fn *fn,
                                      void *ctx, struct pal_error *err);

#endif
