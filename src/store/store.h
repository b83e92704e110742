/* Where items, users, events and served lists are kept for good. One interface, one file per kind
 * of database; which one is in the URL: "sqlite:palate.db".
 *
 * Written to by one thread, the drain, in order, in large transactions that carry the drain's
 * position: whatever is killed when, each record is applied exactly once. Read from any thread.
 *
 * Failures: PAL_EIO for a store that is busy, read-only, full or away, with a sentence that says
 * which; nothing of the transaction is then in it, and the same call may be made again later.
 * PAL_ECORRUPT for a damaged one. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/run.h"
#include "data/dataset.h"
#include "data/record.h"

struct store;

/* Opens or makes it, migrating an older schema. PAL_EUNSUPPORTED for a kind of URL that this build
 * lacks (lists those it has) or a schema from a later version. read_only: for commands beside a
 * running server; fails with PAL_ENOTFOUND if there is none. Only one process opens it for writing:
 * PAL_EIO names the one that has it. */
MUST_USE enum pal_status store_open(const char *url, bool read_only, struct store **out,
                                    struct pal_error *err);
void store_close(struct store *s); /* NULL is fine */

/* How much memory it may take for what it has read and is about to write; right after opening.
 * Without this call 64 MB. PAL_EIO, PAL_ENOMEM. */
MUST_USE enum pal_status store_cache(struct store *s, int64_t bytes, struct pal_error *err);

/* The file that a sqlite: URL names, borrowed; NULL for other stores. */
const char *store_path(const struct store *s);

/* ---- Writing: one thread ---- */

/* A record and its sequence number in the journal (0 = it did not come through one). */
struct store_change {
    uint64_t seq;
    struct record record;
    int64_t at_ms;  /* from a stream: when it was published; else when it was accepted, where others
                       write to the store, too; 0 = not known */
    bool elsewhere; /* an event that is kept elsewhere, and new there: see backend.h */
};

/* Applies count changes and moves the position to `seq`, in one transaction. Changes with a number
 * at or below the position are passed over. Where others write, too, so are those with a moment
 * that others have made void since: see store_take. An event whose event_id is that of a stored one
 * is not stored again (the last 8 million events with an id are looked at, at least); *repeated, if
 * not NULL, receives how many those were. */
MUST_USE enum pal_status store_apply(struct store *s, const struct store_change *changes,
                                     size_t count, uint64_t seq, size_t *repeated,
                                     struct pal_error *err);

/* The same for changes that came through no journal (their seq is 0); with a note (see below) in
 * the same transaction, by which whoever is killed knows how far it came. */
MUST_USE enum pal_status store_load(struct store *s, const struct store_change *changes,
                                    size_t count, const char *note, const char *text,
                                    size_t *repeated, struct pal_error *err);

/* The position: the number of the last record applied; 0 at first. */
MUST_USE enum pal_status store_position(struct store *s, uint64_t *seq, struct pal_error *err);

/* ---- Beside other processes ---- */

/* Whether other processes may write to it at the same time. */
bool store_shared(const struct store *s);

/* Whose records store_apply's numbers count: the journal of that name (see journal_identity). Right
 * after opening, before store_position. A store that is not shared has one position for whatever
 * journal comes. */
MUST_USE enum pal_status store_source(struct store *s, const char *journal, struct pal_error *err);

/* How far the records of one journal have come through one shard of a stream. */
struct store_reach {
    const char *journal;
    unsigned shard;
    uint64_t seq; /* all of that journal's in that shard up to this number are stored */
};

/* Applies what came through a stream, in one transaction with how far it came (store_reach moves
 * forward only). Anything may come twice, also from before: an event whose id is stored is passed
 * over; an item or user put or removed after at_ms stays as it is; a user erased after at_ms is not
 * erased again, and an event or list of a user that was erased since at_ms is passed over; so is
 * all from before everything was forgotten. Of two changes in one millisecond the one with the
 * greater seq (its number in its journal; not compared with any position here) is the later.
 * Erasures are remembered for 30 days. */
MUST_USE enum pal_status store_take(struct store *s, const struct store_change *changes,
                                    size_t count, const struct store_reach *reaches,
                                    size_t reach_count, size_t *repeated, struct pal_error *err);

/* What is known of a journal, at most `most` shards; out's journal is the argument's. */
MUST_USE enum pal_status store_reaches(struct store *s, const char *journal,
                                       struct store_reach *out, size_t most, size_t *count,
                                       struct pal_error *err);

/* The place of the latest change of all. */
MUST_USE enum pal_status store_mark(struct store *s, uint64_t *mark, struct pal_error *err);

/* What changed behind a mark, by whomever, as records: RECORD_CLEAR if everything was forgotten,
 * then items put and removed (as they are now), users erased, and events, each in order; about
 * `most` of them of each sort, and *mark moves behind those. Nothing is missed: places ascend in
 * the order of commits. (But a store that is not shared doesn't tell of users erased by store_apply
 * or store_load, which it keeps no trace of.) If fn fails the mark stays. */
typedef enum pal_status store_record_fn(void *ctx, const struct record *r, struct pal_error *err);
MUST_USE enum pal_status store_follow(struct store *s, uint64_t *mark, size_t most,
                                      store_record_fn *fn, void *ctx, struct pal_error *err);

/* ---- Reading: any thread. Texts given to a callback are borrowed for the call; a status from it
 * other than PAL_OK ends the walk and is returned. ---- */

/* A stored event with its place in the order of arrival, which is what cursors are made of. */
struct stored_event {
    uint64_t place; /* ascending in the order of application; never reused */
    struct event event;
};

typedef enum pal_status store_event_fn(void *ctx, const struct stored_event *e,
                                       struct pal_error *err);
typedef enum pal_status store_item_fn(void *ctx, const struct item_row *i, struct pal_error *err);
typedef enum pal_status store_user_fn(void *ctx, const struct user_row *u, struct pal_error *err);
typedef enum pal_status store_served_fn(void *ctx, const struct served_row *x,
                                        struct pal_error *err);

/* A user's events with place < before (0 = all), newest (last applied) first, at most `most`. */
MUST_USE enum pal_status store_user_events(struct store *s, const char *user_id, uint64_t before,
                                           size_t most, store_event_fn *fn, void *ctx,
                                           struct pal_error *err);

/* How many events of the user are stored; 0 for an unknown one. O(1). */
MUST_USE enum pal_status store_user_count(struct store *s, const char *user_id, uint64_t *events,
                                          struct pal_error *err);

/* All events with place > after, in the order of application. */
MUST_USE enum pal_status store_events(struct store *s, uint64_t after, store_event_fn *fn,
                                      void *ctx, struct pal_error *err);

/* All items, in the order in which they first came (an item that only events name is there, with
 * nothing but its id; a deleted one is not). One item or user by id: fn is called once, or
 * PAL_ENOTFOUND. */
MUST_USE enum pal_status store_items(struct store *s, store_item_fn *fn, void *ctx,
                                     struct pal_error *err);
/* Those that were deleted and have not come back, with nothing but their id. */
MUST_USE enum pal_status store_deleted_items(struct store *s, store_item_fn *fn, void *ctx,
                                             struct pal_error *err);
MUST_USE enum pal_status store_item(struct store *s, const char *item_id, store_item_fn *fn,
                                    void *ctx, struct pal_error *err);
MUST_USE enum pal_status store_users(struct store *s, store_user_fn *fn, void *ctx,
                                     struct pal_error *err);
MUST_USE enum pal_status store_user(struct store *s, const char *user_id, store_user_fn *fn,
                                    void *ctx, struct pal_error *err);

/* Served lists, newest first: of one user, or of all (user_id NULL); at most `most` (0 = all). */
MUST_USE enum pal_status store_served(struct store *s, const char *user_id, size_t most,
                                      store_served_fn *fn, void *ctx, struct pal_error *err);

/* All of them, in the order in which they came. */
MUST_USE enum pal_status store_all_served(struct store *s, store_served_fn *fn, void *ctx,
                                          struct pal_error *err);

/* The types of all events ever stored, in the order in which they first came: the first EVENT_TYPES
 * of them, should there be more. */
MUST_USE enum pal_status store_types(struct store *s, struct event_types *out,
                                     struct pal_error *err);

struct store_counts {
    uint64_t items, users, events, served, bytes;
};
MUST_USE enum pal_status store_counts(struct store *s, struct store_counts *out,
                                      struct pal_error *err);

/* Everything as a data set to train on, consistent as of one moment, and the position it is as of
 * (NULL = not wanted). At least a million events a second. `more` (count) are changes that are not
 * in the store yet (read from the journal): as if applied. */
MUST_USE enum pal_status store_dataset(struct store *s, const struct store_change *more,
                                       size_t count, const struct run *run, struct dataset **out,
                                       uint64_t *position, struct pal_error *err);

/* ---- Small things by name: settings, reports. Any thread ---- */

MUST_USE enum pal_status store_put_note(struct store *s, const char *name, const char *text,
                                        struct pal_error *err);
/* *out is the caller's to mem_free; PAL_ENOTFOUND. */
MUST_USE enum pal_status store_note(struct store *s, const char *name, char **out,
                                    struct pal_error *err);

/* ---- Care ---- */

/* Copies a store that may be in use to a new file, which is whole or not there. */
MUST_USE enum pal_status store_backup(struct store *s, const char *path, const struct run *run,
                                      struct pal_error *err);

/* Removes the file of a (closed) store in SQLite with all that lies beside it, as far as it is
 * there: for copies that were made to be read once. */
void store_remove_file(const char *path);

/* Puts a backup in the place of the (closed) store at url; the old file is kept beside it with
 * ".before-restore" behind its name. Checks that the backup is whole first. */
MUST_USE enum pal_status store_restore(const char *url, const char *backup, struct pal_error *err);

/* Deletes served lists older than that, as far as nothing newer came before them (in which case
 * they go when that does). *deleted may be NULL. */
MUST_USE enum pal_status store_forget_served(struct store *s, int64_t before_ms, uint64_t *deleted,
                                             struct pal_error *err);

#endif
