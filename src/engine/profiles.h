/* Users' profiles in memory: those asked for lately, under a ceiling of bytes, and of everybody
 * else what is durable but not in the store yet.
 *
 * A profile that is not here is loaded from the store, while the journal's writer goes on adding
 * events and the drain goes on moving them into the store. Nothing is missed or doubled for that:
 * while a profile is being loaded new events are kept with it; the drain says before each
 * transaction up to which number it reaches, and afterwards that it is done. If any event of the
 * user lies in between, it can't be told whether what was read has it: it is read once more, with
 * the drain held for that moment. What was shown and ignored comes from the lists that the store
 * keeps; those not drained yet are missed.
 *
 * Where the store is filled through a stream (`streamed`) nobody knows the moment at which an own
 * event comes into it, only a number up to which all are there. Then an event of those behind it
 * that is the same as one that was read (item, weight and time) is that one. A person who does the
 * same to the same item twice in a millisecond did it once.
 *
 * What other processes took in comes from who follows the store, after it is there.
 *
 * Any thread may call anything, but events, erasures and clearing come from one at a time, in
 * order, and so do the drain's calls. */
#ifndef ENGINE_PROFILES_H
#define ENGINE_PROFILES_H

#include "engine/profile.h"
#include "store/store.h"

struct profiles;

struct profile_limits {
    int64_t bytes;  /* of cached profiles in all */
    int64_t events; /* of a user's latest events that count */
    int64_t seen;   /* items remembered as seen, of a user */
    struct ignoring ignoring;
    bool streamed; /* profiles_draining is never called, profiles_drained says a lower bound; and
                      what waits takes as many bytes as what is cached, or 16 MB, at most: past that
                      the oldest goes, and counts again once the store has it */
};

/* position: up to where the store has everything. */
MUST_USE enum pal_status profiles_new(const struct profile_limits *limits, uint64_t position,
                                      struct profiles **out, struct pal_error *err);
void profiles_free(struct profiles *p); /* NULL is fine */

/* Whether histories say how often and when each item was had, which costs each reading a fold. At
 * first they don't. Any thread. */
void profiles_want_had(struct profiles *p, bool want);

/* ---- From the journal's writer. Want of memory costs the profile, which is then loaded anew ----
 */

void profiles_event(struct profiles *p, const char *user_id, uint64_t seq,
                    const struct profile_event *e);
void profiles_erase(struct profiles *p, const char *user_id, uint64_t seq);
void profiles_clear(struct profiles *p, uint64_t seq); /* everybody */

/* ---- From the drain ---- */

/* Before a transaction with records up to seq. May wait a moment for a profile being loaded. */
void profiles_draining(struct profiles *p, uint64_t seq);

/* After it: the store has them, or (ok false) none of them. */
void profiles_drained(struct profiles *p, uint64_t seq, bool ok);

/* What is in memory is read from the store anew: it may have passed over some of it. */
void profiles_read_anew(struct profiles *p);

/* ---- From who follows the store ---- */

/* Something that another process took in and that the store has. */
void profiles_other_event(struct profiles *p, const char *user_id, const struct profile_event *e);
void profiles_other_erase(struct profiles *p, const char *user_id);

/* ---- From requests ---- */

struct profile_view { /* lives in the arena it was read into */
    struct history history;
    const uint32_t *seen; /* (seen_count) */
    size_t seen_count;
    const uint32_t *ignored;    /* (ignored_count) what was shown and left */
    const float *ignored_times; /* (ignored_count) how often, as of now */
    size_t ignored_count;
};

/* *ready false: profiles_load it, then ask again. */
MUST_USE enum pal_status profiles_read(struct profiles *p, const char *user_id, int64_t now_ms,
                                       struct arena *tmp, struct profile_view *out, bool *ready,
                                       struct pal_error *err);

/* A list that was shown to a user, as ids. */
typedef enum pal_status profile_list_fn(void *ctx, int64_t time_ms, const char *const *ids,
                                        size_t count, struct pal_error *err);

/* Which state of affairs a profile shows; all zeros = none. */
struct profile_version {
    uint64_t born, at;
};

/* Where profiles are loaded from. */
struct profile_source {
    void *ctx;
    /* As store_user_events, newest first. */
    enum pal_status (*load)(void *ctx, const char *user_id, size_t most, store_event_fn *fn,
                            void *fn_ctx, struct pal_error *err);
    /* The lists shown to a user, newest first; NULL: none are kept. What fails here costs only the
       memory of what was ignored. */
    enum pal_status (*lists)(void *ctx, const char *user_id, profile_list_fn *fn, void *fn_ctx,
                             struct pal_error *err);
    /* Holds item numbers still and the writer's clearing off, until release. */
    void (*hold)(void *ctx);
    void (*release)(void *ctx);
    uint32_t (*item)(void *ctx, const char *item_id); /* while held; INTERN_NONE: pass it over */
    void (*worth)(void *ctx, const struct event *e, struct profile_event *out); /* all but item */
    /* Of a view: the version that it then shows; whether an item was not known, as of when there
       were `items`. NULL otherwise. */
    const struct profile_version *version;
    const bool *unknown;
    uint32_t items;
};

/* Loads a profile, or waits for whoever is doing so. If the source fails, what is in memory stands
 * in for it, and loading is tried again after a second. PAL_ENOMEM. */
MUST_USE enum pal_status profiles_load(struct profiles *p, const char *user_id, int64_t now_ms,
                                       const struct profile_source *source, struct pal_error *err);

/* See profile_serve; nothing for a profile that has gone meanwhile. */
size_t profiles_serve(struct profiles *p, const char *user_id, const uint32_t *items, size_t n,
                      int64_t now_ms, uint32_t *ignored, float *amount);

/* ---- As views of a state that others change, too (profiles_views.c) ---- */

/* The version of a loaded profile; zeros where there is none, or where items were not known when it
 * was loaded and the catalog has grown since (items: how many it has). */
struct profile_version profiles_version(struct profiles *p, const char *user_id, uint32_t items);

/* Makes room for one that is loaded anew: the profile goes unless it shows this version or a later
 * one. NULL: whatever it shows. */
void profiles_unload(struct profiles *p, const char *user_id, const struct profile_version *v);

/* A list that was shown to a user, as numbers. */
struct profile_list {
    int64_t time_ms;
    const uint32_t *items; /* (count) */
    size_t count;
};

/* What came between two versions, events and lists (list_count); unknown: how many items there
 * were, if something named one that was not among them, else 0. Nothing if the profile does not
 * show the first one any more. Want of memory costs the profile. */
MUST_USE enum pal_status profiles_more(struct profiles *p, const char *user_id,
                                       const struct profile_version *from,
                                       const struct profile_version *to,
                                       const struct profile_event *events, size_t count,
                                       const struct profile_list *lists, size_t list_count,
                                       uint32_t unknown, struct pal_error *err);

struct profiles_status {
    uint64_t cached, bytes; /* loaded ones */
    uint64_t waiting_bytes; /* of those kept for the drain's sake */
    uint64_t hits, misses, evictions;
    uint64_t again;    /* loads that the drain came across */
    uint64_t failures; /* loads that the source failed */
    uint64_t lost;     /* events that memory did not suffice for: they come back from the store */
};
void profiles_status(struct profiles *p, struct profiles_status *out);

#endif
