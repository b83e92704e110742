/* The state that processes share (state/state.h), as the running recommender uses it: what one
 * takes in is in the next answer of any other, and what one counts moves the draws of all.
 *
 * Taking in (shared_write.c). After a commit of the journal and before anybody is told, its events
 * go to the state in one round trip. What was just stored is offered once more to users whom the
 * state knows: one of them may have been filled from a store that did not have it yet.
 *
 * Answering (shared_read.c). Each process keeps `views`, profiles as the state had them, and asks
 * before every answer what came since; mostly nothing did. A user whom the state does not know
 * whole is filled from the store.
 *
 * Counting (shared_counts.c), and which lists were shown (shared_lists.c). See there.
 *
 * While the state is away answers come from what is in memory and the store, and writes go on.
 * Users whose events it missed are remembered, and the first thing when it is back is to put them
 * in doubt, so that they are filled again; past state.missed everybody is. Who was erased meanwhile
 * is erased first. That something was missed is also noted in a file of the journal's folder: a
 * process that starts and finds it has forgotten whom it concerned, and makes the state forget all
 * users. What the state lost altogether (it was emptied, or started anew without what it had) is
 * added once more as far as the store does not have it. */
#ifndef ENGINE_SHARED_H
#define ENGINE_SHARED_H

#include "base/intern.h"
#include "engine/profiles.h"
#include "journal/journal.h"
#include "state/state.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct live;
struct shared_counts;

struct shared_batch {
    const struct event **events;
    size_t count, cap;
};

/* Lists that were shown and that the state was not told of yet. */
struct shared_lists {
    pthread_mutex_t lock;
    struct str texts; /* of each the user, its id and its items, each with a NUL */
    struct shared_list {
        size_t at, count; /* in texts; items */
        int64_t time_ms;
    } * list; /* (count) */
    size_t count, cap;
};

struct shared {
    struct live *l;
    struct state *state;
    struct profiles *views;
    struct shared_counts *counts;
    struct shared_lists lists;
    struct str note;   /* the file that says that something was missed */
    uint64_t instance; /* of the state, as of when all was added to it that it may lack */

    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    bool stop;
    struct intern missed, erased; /* users */
    bool missed_all, missed_clear;
    bool noted; /* the file is there */
    bool said;  /* that it is away */

    atomic_ullong missed_users; /* since start */
    atomic_ullong fallbacks;    /* answers from elsewhere */

    struct shared_batch batch; /* of the journal's writer: what it gathers of one commit */
};

/* Before the journal is opened: opens the state that the
 * configuration names. PAL_OK and l->shared NULL where it names none. */
MUST_USE enum pal_status shared_open(struct live *l, struct pal_error *err);

/* Once they are: tells the state what the store lacks, and starts the thread that looks after it.
 * drained: the number of the last record that the store has. */
MUST_USE enum pal_status shared_start(struct live *l, uint64_t drained, struct pal_error *err);
void shared_stop(struct live *l);  /* the thread, after a last push of counts */
void shared_close(struct live *l); /* after the journal */

/* Something failed: said once, until it works again. */
void shared_fails(struct shared *s, const struct pal_error *err);

/* The state was not told of something that a user did, or of their erasure, or of a clearing. */
void shared_missed(struct shared *s, const char *user_id, bool erased);
void shared_missed_clear(struct shared *s);

/* Nothing where no state is shared. */
struct live_shared;
void shared_status(struct live *l, struct live_shared *out);

/* A round of what its thread does, where config.seed says that there are none. */
void shared_keep(struct live *l);

/* ---- shared_write.c ---- */

/* A journal_commit_fn; ctx is the struct live. */
void shared_commit(void *ctx, journal_done_fn *done, void *done_ctx, uint64_t first, size_t count);

/* The store has these changes now. */
void shared_stored(struct live *l, const struct store_change *changes, size_t count);

/* Tells the state all that the journal has behind `drained`; from any one thread. */
void shared_tell_again(struct shared *s, uint64_t drained);

/* ---- shared_read.c ---- */

/* As profiles_read, of what the state has; with `world` held on PAL_OK if *ready. *ready false: the
 * state can't say, and nothing is held. store: where users come from whom it does not know. */
MUST_USE enum pal_status shared_profile(struct live *l, const char *user_id, int64_t now_ms,
                                        const struct profile_source *store, struct arena *tmp,
                                        struct profile_view *out, bool *ready,
                                        struct pal_error *err);

/* ---- shared_lists.c ---- */

/* A list of items (n) by number was shown to a user; under world. */
void shared_shown(struct live *l, const char *user_id, const char *id, const uint32_t *items,
                  size_t n, int64_t now_ms);

/* Those of a user (NULL = of all) are forgotten. */
void shared_lists_forget(struct live *l, const char *user_id);

/* Tells the state of them, and counts what it says was ignored; from one thread. */
void shared_lists_send(struct shared *s);
void shared_lists_done(struct shared_lists *q);

/* ---- shared_counts.c ---- */

/* Counts for the bandit, here and for all: an item's id and its number in the catalog (INTERN_NONE
 * = there is no catalog). seq: the number of the record, 0 = there is none. */
MUST_USE enum pal_status shared_count(struct live *l, const char *item_id, uint32_t number,
                                      float weight, bool reward, int64_t time_ms, uint64_t seq,
                                      struct pal_error *err);

/* Whether the bandit has what the state counted: then nobody counts from the store. */
bool shared_counts_known(const struct live *l);

/* Everything was forgotten; under world. */
void shared_counts_forget(struct live *l);

MUST_USE enum pal_status shared_counts_new(struct live *l, struct shared_counts **out,
                                           struct pal_error *err);
void shared_counts_free(struct shared_counts *c);

/* Before the journal is opened: counts what a killed process had not told the state, of what the
 * store has by now (records up to `position`). */
MUST_USE enum pal_status shared_counts_catch_up(struct live *l, uint64_t position,
                                                struct pal_error *err);

/* Before the journal's records are shown: reads what is there, and up to which record of ours; and
 * once they are. */
void shared_counts_begin(struct live *l);
void shared_counts_shown(struct live *l);

/* Carries what was counted here to the state and what others counted here. */
void shared_counts_keep(struct live *l);

/* The store was counted: from now on this process may be the one that gives the state all counts.
 */
void shared_counts_whole(struct live *l);

#endif
