/* Live state that processes share: what users did lately, and what the bandit counted. One
 * interface, a file per kind of server; which one is in the URL: "redis://host:6379/0".
 *
 * It is a cache that everybody writes to, never the only place of anything: what it lacks comes
 * from the store, and while it is away everybody goes by the store.
 *
 * A user's events are kept in the order in which they came here; the same event again (by its
 * event_id or, where it has none, by item, type, value and time) is not added. They are WHOLE once
 * somebody has filled them up from the store; what was added before and after that is kept. A user
 * in doubt (somebody could not add an event) is not whole any more and is filled again. Beside
 * events stand the last lists that a user was shown, as far as they were told of here.
 *
 * Threads: any thread may call anything but state_open, state_close and state_mend, which are one
 * thread's at a time.
 *
 * Failures: PAL_EIO for a server that is away, too slow or refuses us. From then on every call
 * fails at once with the same sentence, without trying, until state_mend has reached the server.
 * PAL_EFULL when it has no room for more. No call waits longer than `timeout_ms` (and a tenth of a
 * millisecond for each event it carries), but state_open and state_mend, which may wait 2 s more
 * for name servers. All calls may be repeated. */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include "base/arena.h"
#include "base/options.h"
#include "data/record.h"

struct state;

struct state_options {
    int64_t timeout_ms;  /* of one round trip; of connecting, too */
    int64_t connections; /* at most */
    int64_t missed;      /* users remembered whose events it missed */
    double ttl_days;     /* users who did nothing for so long go; 0 = they stay */
};
extern const struct opt_table state_option_table; /* state.timeout_ms=… */

/* Checks the URL (PAL_EUSAGE, PAL_EUNSUPPORTED for a kind that this build lacks) and tries to
 * connect once. A server that is away is no error here: *away receives the reason ("" = connected;
 * NULL = not wanted). keep: events of a user, at least. */
MUST_USE enum pal_status state_open(const char *url, const struct state_options *o, size_t keep,
                                    struct state **out, struct pal_error *away,
                                    struct pal_error *err);
void state_close(struct state *s); /* NULL is fine */

/* About once a second: tries to reach a server that is away, and sees whether one that is not still
 * has what it had (see state_status.instance); deletes what a clearing through here left. */
MUST_USE enum pal_status state_mend(struct state *s, struct pal_error *err);

/* ---- Users ---- */

/* Which of a user's events somebody knows; all zeros = none. Of two with the same `born` the one
 * with the higher `at` knows more. */
struct state_version {
    uint64_t born, at;
};

enum state_found {
    STATE_SAME,  /* nothing came since the version that was known */
    STATE_MORE,  /* events is what came since */
    STATE_WHOLE, /* events is all there is */
    STATE_NONE,  /* they are not whole: fill them */
    STATE_FOUNDS
};

/* A list that a user was shown. */
struct state_list {
    const char *id; /* the recommendation's */
    int64_t time_ms;
    const char *const *items; /* (count) item ids, at most STATE_LIST_MOST */
    size_t count;
};
enum { STATE_LIST_MOST = 100, STATE_LISTS = 8 /* that are kept of a user */ };

struct state_view { /* lives in the arena it was read into */
    enum state_found found;
    struct state_version version;
    uint64_t token;       /* STATE_NONE: for state_fill; 0 = there is no room to fill them */
    struct event *events; /* (count) as they came; without user_id, event_id, recommendation_id */
    size_t count;
    struct state_list *lists; /* (list_count) as they came */
    size_t list_count;
};

/* One round trip; some 40 µs over loopback if nothing changed. */
MUST_USE enum pal_status state_look(struct state *s, const char *user_id,
                                    const struct state_version *known, struct arena *tmp,
                                    struct state_view *out, struct pal_error *err);

/* Fills a user up with the store's events (count), newest first; *filled false if the user was
 * erased or doubted since the token was given: look again. */
MUST_USE enum pal_status state_fill(struct state *s, const char *user_id, uint64_t token,
                                    const struct event *events, size_t count, bool *filled,
                                    struct pal_error *err);

/* Adds events in their order, in one round trip; those of one user best stand in a row. known_only:
 * only of users of whom something is there (what was just stored: a user who isn't there will be
 * filled up with it). On failure any of them may have been added. */
MUST_USE enum pal_status state_add(struct state *s, const struct event *const *events, size_t count,
                                   bool known_only, struct pal_error *err);

/* Adds lists (count) that users were shown, in one round trip, and tells of each what came before
 * it: so that of all processes the one whose list comes next says what was ignored, once. Of users
 * of whom nothing is there, or who were erased since, nothing is added (*there false). A list that
 * is there already (by all that it says) gives the same answer again. */
struct state_shown {
    const char *user_id;
    struct state_list list;
};
struct state_before { /* lives in the arena */
    bool there;
    struct state_list list; /* the one before; of no items if there was none */
    struct event *events;   /* (count) what came between the two, as in a view */
    size_t count;
};
MUST_USE enum pal_status state_show(struct state *s, const struct state_shown *shown, size_t count,
                                    struct arena *tmp, struct state_before *before,
                                    struct pal_error *err);

/* Forgets what these users (count) did: they are whole, with nothing, and what was stored before is
 * not added to them (see known_only). stored: their erasure has reached the store, too. Who was
 * erased here before that stays as they are; others have nothing and are to be filled. */
MUST_USE enum pal_status state_erase(struct state *s, const char *const *users, size_t count,
                                     bool stored, struct pal_error *err);

/* These users, or all (users NULL), are not whole any more. */
MUST_USE enum pal_status state_doubt(struct state *s, const char *const *users, size_t count,
                                     struct pal_error *err);

/* Forgets everybody and, with `counts`, all that was counted: then there is a new generation, of
 * nothing. */
MUST_USE enum pal_status state_clear(struct state *s, bool counts, struct pal_error *err);

/* ---- What the bandit counted ---- */

/* As of last_ms; they fade from there. */
struct state_sums {
    double success, failure, popular, recent;
    int64_t last_ms;
};

/* Half-lives in days (0 = no fading). Counts of different ones are kept apart. */
struct state_fading {
    double reward, popular, recent;
};

struct state_count {
    const char *item_id;
    struct state_sums sums;
};

/* Counts have a generation: it begins when somebody has put all of them there, and ends when they
 * are lost or cleared. 0 = there is none. */

/* Adds to the counts of a generation, all or none. `who` adds batches with ascending numbers, each
 * once, however often it is sent; a batch holds what came of its journal up to `seq`. *taken false:
 * the generation is another. */
MUST_USE enum pal_status state_count_up(struct state *s, const struct state_fading *f,
                                        uint64_t generation, const char *who, uint64_t batch,
                                        uint64_t seq, const struct state_count *counts,
                                        size_t count, bool *taken, struct pal_error *err);

/* The counts that changed since *mark (0 = all), at most `most` of them, and moves *mark behind
 * them. *generation receives the present one; if it is not what it was, *mark was taken for 0.
 * *seq: up to which record of `who` counts are there; *batch: and up to which batch. */
struct state_counts {
    struct state_count *counts; /* (count) in the arena */
    size_t count;
    uint64_t generation, mark, seq, batch;
};
MUST_USE enum pal_status state_counted(struct state *s, const struct state_fading *f,
                                       const char *who, uint64_t generation, uint64_t mark,
                                       size_t most, struct arena *tmp, struct state_counts *out,
                                       struct pal_error *err);

/* Where there is no generation, one process may make it: *mine if that is `who` (for a minute;
 * again with each call, which forgets what was put before). It then puts all counts and ends with a
 * call with `last`, of which the new generation's number comes. They hold the batches of `who` up
 * to `batch`, and seq as above: so a call whose answer was lost counts nothing twice. */
MUST_USE enum pal_status state_count_lock(struct state *s, const struct state_fading *f,
                                          const char *who, bool *mine, struct pal_error *err);
MUST_USE enum pal_status state_count_put(struct state *s, const struct state_fading *f,
                                         const char *who, uint64_t batch, uint64_t seq,
                                         const struct state_count *counts, size_t count, bool last,
                                         uint64_t *generation, struct pal_error *err);

/* ---- Looking ---- */

enum { STATE_BUCKETS = 12 };
extern const double state_bucket_s[STATE_BUCKETS]; /* upper bounds of round trips, in seconds */

struct state_status {
    bool up;
    struct pal_error error; /* the last failure, while not up */
    uint64_t instance;      /* another number: it lost what it had */
    uint64_t found[STATE_FOUNDS];
    uint64_t trips, errors, ns; /* round trips; those that failed; time of all */
    uint64_t bucket[STATE_BUCKETS + 1];
};
void state_status(struct state *s, struct state_status *out);

#endif
