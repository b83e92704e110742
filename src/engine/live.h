/* The running recommender: journal, store, catalog, profiles, models and bandit as one thing that
 * takes in what happens and answers what next. What `palate serve` puts behind HTTP.
 *
 * A write is checked, handed to the journal and, once durable, applied to memory in the journal's
 * order; only then is the writer told. So what was acknowledged survives anything, and counts for
 * the very next answer. The drain carries it on to the store in the background; a store that is
 * away costs neither writes (until the journal is full) nor answers from what is in memory.
 *
 * Threads: every function may be called from any thread, except live_open and live_close. It runs
 * threads of its own: the journal's writer, the drain, one for housekeeping, and after the start
 * one that counts what the store has. */
#ifndef ENGINE_LIVE_H
#define ENGINE_LIVE_H

#include "bus/bus.h"
#include "data/weights.h"
#include "engine/pipeline.h"
#include "engine/roles.h"
#include "journal/journal.h"
#include "state/state.h"
#include "store/store.h"

struct live;

struct live_options {
    const char *store;  /* "sqlite:palate.db" */
    const char *stream; /* "amqp://host/"; NULL = what comes in goes to the store from here */
    const char *state;  /* "redis://host/": profiles and counts that processes share; NULL = none */
    const char *journal; /* folder; NULL = beside the store: "palate.db-journal.d", or, where that
                            is no file, "palate-journal.d" */
    const char *models;  /* the registry's folder */
    const char *weights; /* data/weights.h; NULL = the default */
    const char *seen;    /* types that mark an item seen: "like,dislike,purchase,rating,interaction"
                            unless told otherwise; "*" = all, "" = none */
    const char *rewards; /* types that the bandit learns from: the same */
    int64_t new_types;   /* event types that none of the three names and that may come up */
    int64_t profile_bytes;     /* of cached profiles, at most */
    int64_t store_cache_bytes; /* of the store's pages, about */
    int64_t profile_events;    /* of a user's latest events that count, at most */
    int64_t profile_seen;      /* items that a user is remembered to have seen, at most */
    int64_t profile_ignored;   /* items that a user is remembered to have ignored, at most */
    int64_t credit;            /* items whose source is remembered until something comes of them */
    int64_t drain_most;        /* records in one transaction of the drain */
    int64_t follow_ms;         /* how often is looked what other processes put into the store */
    int64_t models_poll_ms;    /* and whether they have published a version; 0 = never */
    int64_t served_days;       /* how long served lists are kept; 0 = they are not */
    bool served;               /* keep lists that were served at all */
};
extern const struct opt_table live_option_table; /* live.profile_bytes=…; not store, models */

/* Texts in it are borrowed until live_close. */
struct live_config {
    struct live_options live;
    struct pipeline_options engine;
    struct bandit_options bandit;
    struct journal_options journal;
    struct state_options state;

    /* Asked when the store could not be reached at the start (PAL_EIO), of one that is no file:
     * waits a little and says whether to try again. NULL = once is enough. */
    bool (*again)(void *ctx, const struct pal_error *why);
    void *again_ctx;

    unsigned roles; /* roles.h; 0 = all. What a role does not need is not opened and not in memory;
                       what it does not do, callers leave alone */
    uint64_t seed;  /* 0 = one of chance, as it should be. Otherwise the same calls give the same
                       answers, for simulations: the clock stands where live_set_clock put it last
                       (2025 at first), and housekeeping is what live_keep does */
};

/* Told of what a person should know, from any of the threads, perhaps with a lock held: a sentence,
 * and how bad. It must not call back. */
enum live_level { LIVE_INFO, LIVE_WARNING, LIVE_ERROR };
typedef void live_log_fn(void *ctx, enum live_level level, const char *message);

/* Opens store and journal, recovers, and is ready to answer when it returns; popularity and the
 * bandit are counted from the store in the background. A live version that is damaged: the newest
 * one that is not takes its place, and log says so; none is no error. If the store and the journal
 * are empty and there is a version, the items of its catalog are written as if somebody had put
 * them. */
MUST_USE enum pal_status live_open(const struct live_config *config, live_log_fn *log,
                                   void *log_ctx, struct live **out, struct pal_error *err);

/* Commits what was submitted, drains what it can within wait_ms, and closes; what the store has not
 * taken by then stays in the journal for the next start. NULL is fine. */
void live_close(struct live *l, unsigned wait_ms);

/* Where config.seed was given: what time it is, and what is looked after about once a second
 * otherwise (orders of what is popular, the content of new items). Not while others call. */
void live_set_clock(struct live *l, int64_t now_ms);
void live_keep(struct live *l);

/* ---- Writing ---- */

/* Called once the records are durable and visible, or have failed; from the journal's writer. */
typedef void live_done_fn(void *ctx, enum pal_status st, const struct pal_error *err);

/* Checks the records (all or none) and submits them. PAL_EUSAGE "record 3: …" for a bad one,
 * PAL_EFULL when the journal is; then done is not called. A time of 0 in an event, item or user
 * becomes now. An event whose event_id came before is accepted and changes nothing: neither memory,
 * if that was among the last 131,072 ids, nor ever the store. done may be NULL; with count 0 it is
 * called at once. */
MUST_USE enum pal_status live_write(struct live *l, struct record *records, size_t count,
                                    live_done_fn *done, void *ctx, struct pal_error *err);

/* The same, waiting. */
MUST_USE enum pal_status live_write_wait(struct live *l, struct record *records, size_t count,
                                         struct pal_error *err);

/* ---- Answers ---- */

struct live_past { /* one thing that somebody in no data set did, oldest first */
    const char *item_id;
    const char *type; /* NULL = "like" */
    float value;
    int64_t time_ms;
};

struct live_request {
    const char *user_id;          /* NULL = the history below instead */
    const struct live_past *past; /* (past_count); unknown items are passed over */
    size_t past_count;
    size_t n;
    const char *filter;         /* NULL = none */
    const char *const *exclude; /* (exclude_count) ids; unknown ones are passed over */
    size_t exclude_count;
    const char *model;         /* NULL = the usual mix */
    double explore, diversity; /* below 0 = by the options */
    bool explain;
    bool details; /* fill all of struct item_row, not only id and title */
};

/* An answer; everything in it lives in the request's arena, copied. */
struct live_reason {
    const char *item_id, *title;
    float part;
};
struct live_item {
    struct item_row row; /* item_id and title (NULL if none); the rest with details */
    float score;
    const char *source;
    bool explored;
    float propensity;
    size_t reason_count;
    struct live_reason reason[PIPELINE_REASONS];
};
struct live_answer {
    char recommendation_id[24]; /* "" where nothing was served to a user */
    uint32_t model_version;     /* 0 = none is loaded */
    bool personal;              /* the history had a say */
    const char *hint;           /* what seems odd about the filter, for a person; or NULL */
    size_t count;
    struct live_item *items;
};

MUST_USE enum pal_status live_recommend(struct live *l, const struct live_request *q,
                                        struct arena *tmp, struct live_answer *out,
                                        struct pal_error *err);

/* Orders ids (count) for the user or past of q; unknown ones come last, with source "unknown". q->n
 * is not looked at. */
MUST_USE enum pal_status live_rank(struct live *l, const struct live_request *q,
                                   const char *const *ids, size_t count, struct arena *tmp,
                                   struct live_answer *out, struct pal_error *err);

/* PAL_ENOTFOUND for an unknown item, or a q->model that is not there. Nothing is like an item of
 * which nothing is known. */
MUST_USE enum pal_status live_similar(struct live *l, const char *item_id,
                                      const struct live_request *q, struct arena *tmp,
                                      struct live_answer *out, struct pal_error *err);
MUST_USE enum pal_status live_top(struct live *l, bool trending, const struct live_request *q,
                                  struct arena *tmp, struct live_answer *out,
                                  struct pal_error *err);

/* ---- Looking things up ---- */

/* All fields of an item, or PAL_ENOTFOUND. */
MUST_USE enum pal_status live_item(struct live *l, const char *item_id, struct arena *tmp,
                                   struct item_row *out, struct pal_error *err);

/* Items by number from `from` on whose title holds every word of `search` (NULL = any; case and
 * accents don't matter) and that pass the filter (NULL = all): up to n of them. Removed ones are
 * not shown. With a search or a filter every item is looked at once after each change of the
 * catalog, 5 to 50 ns each, for the total; else what is shown. */
struct live_page {
    struct item_row *items;
    size_t count;
    uint32_t next;    /* where to go on; 0 at the end */
    uint32_t total;   /* how many there are in all */
    const char *hint; /* as in live_answer */
};
MUST_USE enum pal_status live_items(struct live *l, const char *search, const char *filter,
                                    uint32_t from, size_t n, struct arena *tmp,
                                    struct live_page *out, struct pal_error *err);

/* A user's row and how many events there are; first waits (up to a second) until what was
 * acknowledged by now is in the store. PAL_ENOTFOUND for a user that nothing is known of; PAL_EIO
 * when the store is away. */
MUST_USE enum pal_status live_user(struct live *l, const char *user_id, struct arena *tmp,
                                   struct user_row *out, uint64_t *events, struct pal_error *err);

/* Events, newest first, with place < before (0 = all); *next = 0 at the end. Waits likewise. */
MUST_USE enum pal_status live_user_events(struct live *l, const char *user_id, uint64_t before,
                                          size_t n, struct arena *tmp, struct event **out,
                                          size_t *count, uint64_t *next, struct pal_error *err);

/* The lists served to a user, newest first. Waits likewise. */
MUST_USE enum pal_status live_user_served(struct live *l, const char *user_id, size_t n,
                                          struct arena *tmp, struct served_row **out, size_t *count,
                                          struct pal_error *err);

/* Waits until the store has all that is durable by now; PAL_EIO with the drain's error if it can't
 * within wait_ms. */
MUST_USE enum pal_status live_drain(struct live *l, unsigned wait_ms, struct pal_error *err);

/* The store, for reading (counts, notes, whole walks); NULL where the role needs none. */
struct store *live_store(struct live *l);

/* ---- Models ---- */

/* Loads the registry's live version and swaps it in whole: requests in flight keep what they began
 * with, no answer is ever of two versions. What was loaded stays on failure. *version may be NULL.
 * 0 and PAL_OK if the registry has none. */
MUST_USE enum pal_status live_reload(struct live *l, uint32_t *version, struct pal_error *err);

/* Makes version `number` the live one in the registry, and loads it. */
MUST_USE enum pal_status live_activate(struct live *l, uint32_t number, struct pal_error *err);

/* ---- Health ---- */

/* Whether all that comes in comes in here, so that memory knows what there is. */
bool live_alone(const struct live *l);

struct live_status {
    unsigned roles;
    struct journal_status journal; /* all 0 where there is none */
    uint64_t store_position;
    bool store_failing; /* what is in the journal can't go where it is to go */
    bool store_away;    /* nobody answers there, as was seen when nothing was to be stored */
    struct pal_error store_error;
    uint64_t drained_records, drain_ns; /* since start */
    uint64_t profiles, profile_bytes, profile_hits, profile_misses, profile_evictions;
    uint64_t pending_events; /* durable, not drained */
    uint32_t items, items_available;
    uint32_t model_version; /* 0 = none */
    int64_t model_created_ms, model_loaded_ms;
    int64_t trained_ms; /* when the newest version was made, live or not; 0 = none is live */
    uint32_t model_items;
    uint64_t catalog_bytes, model_bytes;
    uint64_t events_by_type[EVENT_TYPES]; /* since start */
    struct event_types types;
    struct {
        const char *source;
        uint64_t items;
        uint64_t taken;         /* of those in users' lists: something good came of them since */
    } served[SOURCES_MOST + 4]; /* items by source */
    size_t served_sources;
    uint64_t events_since_training; /* for the learning loop: durable ones since then, or in all */
    uint64_t profile_failures;      /* profiles that the store could not be asked for */
    uint64_t events_repeated;       /* event ids that had come before */
    uint64_t served_lost;           /* served lists that the journal did not take */

    struct live_stream {
        bool there, publishes, receives;
        struct bus_status bus;
        uint64_t published;                 /* own records up to this number are in the stream */
        uint64_t stored, repeated, refused; /* what was taken out of it since the start */
        bool failing;                       /* what is taken out can't be stored, or not taken */
        bool store_failing;                 /* and it is the former */
        struct pal_error error;
    } stream;
    struct live_shared {
        bool there;
        struct state_status state;
        uint64_t fallbacks; /* answers that did without it */
        uint64_t missed;    /* users of whom it was not told something, since the start */
        uint64_t owed;      /* those of whom it still does not know that */
    } shared;
    struct live_follow {
        bool there;
        uint64_t records; /* of others, shown to memory since the start */
        double lag_s;     /* since what is in memory was last all that is in the store */
        bool failing;
        struct pal_error error;
    } follow;
};
void live_status(struct live *l, struct live_status *out);

#endif
