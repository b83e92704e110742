/* The inside of struct live (see live.h), for the files live*.c and those whose structs it holds.
 *
 * Locks, in the order in which they may be taken:
 *
 *     apply      what comes in is shown to memory: by the journal's writer or who follows the store
 *     build      making snapshots: one thread at a time. Held over loading and fitting
 *     world      catalog, titles and snapshot: read by requests, written to by the journal's
 *                writer (items) and whoever swaps a snapshot. Writers go first
 *     a shard of profiles, a block of the bandit, kinds, recent: each for a moment
 *
 * drain, keeper, served, totals, ignored and scratch have locks of their own, under which nothing
 * else is taken. */
#ifndef ENGINE_LIVE_INSIDE_H
#define ENGINE_LIVE_INSIDE_H

#include "base/arenas.h"
#include "engine/consume.h"
#include "engine/credit.h"
#include "engine/drain.h"
#include "engine/follow.h"
#include "engine/ignored.h"
#include "engine/kinds.h"
#include "engine/live.h"
#include "engine/profiles.h"
#include "engine/recent.h"
#include "engine/shared.h"
#include "engine/snapshot.h"
#include "engine/title_keys.h"

/* Lists that were served, until housekeeping hands them to the journal. */
struct served_queue {
    pthread_mutex_t lock;
    struct served_lists {
        struct str bytes;
        size_t *size; /* (count) of each record in bytes */
        size_t count, cap;
    } lists, spare; /* spare: empty ones' memory */
    atomic_ullong lost;
    pthread_mutex_t order; /* taken before lock: who hands lists or erasures to the journal */
    atomic_uint erasing;   /* erasures on their way through the journal: no list may follow them
                              that was served before */
};

/* The thread that looks whether another process has published a version and, where nobody reads the
 * store all the time, whether that is there. */
struct model_watch {
    bool running;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    uint32_t seen; /* the version that was live when it looked last */
    bool failing;
    bool store_away; /* under lock */
    struct pal_error store_error;
};

/* The thread that looks after what is not urgent. */
struct keeper {
    bool running;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

/* How many items the last questions for lists of the catalog found. */
enum { LIVE_TOTALS = 16 };
struct live_totals {
    pthread_mutex_t lock;
    size_t next; /* the row to use again */
    struct {
        char *asked;      /* owned; NULL = none */
        uint64_t version; /* of the catalog */
        uint32_t total;
    } row[LIVE_TOTALS];
};

enum { LIVE_SOURCES = SOURCES_MOST + 4 };

struct live {
    struct live_config config;
    unsigned roles; /* never 0 */
    live_log_fn *log;
    void *log_ctx;

    struct kinds kinds;
    struct recent *recent;
    struct credit *credit;
    struct store *store;     /* NULL: a collector that only feeds a stream */
    struct journal *journal; /* NULL: a pipeline takes nothing in */
    struct str journal_dir;
    char name[JOURNAL_IDENTITY]; /* the journal's, where others write to the store, too; else "" */
    bool dated;                  /* others erase what may still lie in it: its records say when they
                                    were accepted */
    struct bus *bus;             /* NULL = there is no stream */
    struct shared *shared;       /* NULL = no state is shared */
    struct profiles *profiles;
    struct bandit *bandit;
    struct ignored ignored;

    pthread_mutex_t apply;
    pthread_rwlock_t world;
    struct catalog *catalog; /* who has `apply`, and alone changes it, may read without */
    struct title_keys titles;
    struct snapshot *snapshot; /* never NULL */
    uint64_t epoch;            /* grows when everything is forgotten: numbers begin anew */
    uint64_t changes;          /* grows with every item put or removed */

    pthread_mutex_t build;
    struct snapshot *retired; /* under world: what the writer took away, for the keeper to free */
    uint64_t fitted;          /* under build: `items_put` as of the live content model */
    uint64_t joined;          /* under build: items that there were when the snapshot was joined */
    int64_t fit_after_ms;     /* under build: not before */
    atomic_ullong items_put;  /* changes of items' texts */

    struct drain drain;
    struct consume consume;
    struct follow follow;
    struct keeper keeper;
    struct model_watch watch;
    struct served_queue served;
    struct live_totals totals;

    pthread_t counter; /* counts the store's events for bandit and popularity */
    bool counting;     /* it was started */
    atomic_bool stop;

    pthread_mutex_t writes_lock;
    pthread_cond_t writes_done;
    size_t writes;              /* submitted, not called back */
    struct write *spare_writes; /* (spare_count) of few records */
    size_t spare_count;

    struct arenas scratch; /* of answers */

    atomic_ullong requests; /* seeds each one's random numbers */
    uint64_t seed;
    _Atomic int64_t clock_ms;   /* with config.seed: what time it is */
    atomic_ullong events_seen;  /* since start, what the journal held then included */
    atomic_ullong events_new;   /* since the last training, as far as is known */
    _Atomic int64_t trained_ms; /* that training: of the newest version, which need not be live */
    atomic_ullong repeated;
    atomic_bool store_away; /* a profile could not be loaded; said once */
    struct {
        _Atomic(const char *) name;
        atomic_ullong items, taken;
    } sources[LIVE_SOURCES];
};

/* Tells the log; cut at 512 bytes. */
void live_say(struct live *l, enum live_level level, const char *fmt, ...) PRINTF(3, 4);

int64_t live_now_ms(const struct live *l);

static inline bool live_does(const struct live *l, unsigned role)
{
    return l->roles & role;
}

/* ---- live_write.c ---- */

/* Hands over records without looking at them. */
MUST_USE enum pal_status live_submit(struct live *l, const struct record *records, size_t count,
                                     const uint8_t *type, live_done_fn *done, void *ctx,
                                     struct pal_error *err);

/* The records that a journal_done_fn and its ctx stand for; NULL for those of others. */
const struct record *live_records(journal_done_fn *done, void *ctx, size_t *count);

/* Something was handed to the journal that calls back; it has. */
void live_write_began(struct live *l);
void live_write_ended(struct live *l);

void live_writes_done(struct live *l); /* frees what is kept for the writes to come */

/* Waits until what was submitted by now was called back, or wait_ms. */
bool live_settle(struct live *l, unsigned wait_ms);

/* ---- live_apply.c ---- */

/* Shows durable records to memory; type (count) as kinds_of gave them. */
void live_apply(struct live *l, const struct record *records, const uint8_t *type, size_t count,
                uint64_t first);

/* The same, with `apply` held, for what another process took in. */
void live_apply_other(struct live *l, const struct record *r);

/* Waits for those who read and keeps others off for as long as it takes; live_unlock ends it. */
void live_read_lock(struct live *l);
void live_unlock(struct live *l);

/* ---- live_served.c ---- */

/* How it is remembered what users were shown and left. */
struct ignoring live_ignoring(const struct live *l);

/* Remembers in p what was served to a user, items (n) by number, and counts what of the list before
 * it was ignored; where p are views of a shared state both is left to that. id: the
 * recommendation's. While the numbers hold: under world. */
void served_compare(struct live *l, struct profiles *p, const char *user_id, const char *id,
                    const uint32_t *items, size_t n, int64_t now_ms);

/* Items (count) were ignored by somebody, by so much of a time; likewise. */
void served_ignored(struct live *l, const uint32_t *items, size_t count, float amount,
                    int64_t time_ms);

/* Keeps a list for the journal; under world, so that erasing a user finds all of theirs. */
void served_note(struct live *l, const char *user_id, const struct live_answer *a, int64_t now_ms,
                 struct arena *tmp);

/* Lists of this user (NULL = of anybody) that the journal does not have yet are forgotten. */
void served_forget(struct live *l, const char *user_id);

/* The latest lists served to a user that the store has, newest first, as many as a profile makes
 * use of. Some 20 µs for a list of ten. */
MUST_USE enum pal_status served_lists(struct live *l, const char *user_id, profile_list_fn *fn,
                                      void *fn_ctx, struct pal_error *err);

/* Hands the lists to the journal, unless an erasure is on its way (a little later then); wait:
 * until they are durable (or lost). */
void served_flush(struct live *l, bool wait);
void served_done(struct served_queue *q);

/* ---- live_answer.c ---- */

/* An item's fields (only id and title without details), copied; under world. */
MUST_USE enum pal_status live_copy_item(const struct catalog *c, uint32_t number, bool details,
                                        struct arena *tmp, struct item_row *out,
                                        struct pal_error *err);

/* ---- live_items.c ---- */
void live_totals_done(struct live_totals *t);

/* ---- live_models.c ---- */

/* Loads what is live in the registry or, if that is damaged, the newest that is not. */
void live_first_models(struct live *l);

/* Notes when the registry's newest version was made: what was trained last, live or not. */
void live_note_training(struct live *l, int64_t at_least_ms);

/* Fits a content model to the catalog as it is, if there is a reason to. */
void live_fit_content(struct live *l);

/* Joins the models with items that have come since. */
void live_join_again(struct live *l);

/* After a clear: the versions that exist by now are not loaded by themselves at a later start. */
void live_forget_models(struct live *l);

/* ---- live_count.c ---- */

/* Counts what the store has by now for bandit and popularity, in a thread. */
MUST_USE enum pal_status live_count(struct live *l, struct pal_error *err);

/* ---- watch.c ---- */

/* Before the first models are loaded: what is published from here on is news. */
void watch_begin(struct live *l);

/* Loads what another process publishes, soon after; notes whether the store is there. */
MUST_USE enum pal_status watch_start(struct live *l, struct pal_error *err);
void watch_stop(struct live *l);

/* ---- housekeeping.c ---- */

MUST_USE enum pal_status keeper_start(struct live *l, struct pal_error *err);
void keeper_stop(struct live *l);

#endif
