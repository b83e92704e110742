/* What the parts of the Redis state share: redis_url.c (what the URL says), redis_link.c (one
 * connection), redis_tls.c, redis.c (the pool, who is away), redis_scripts.c (what the server
 * runs), redis_event.c (events and lists as members), redis_users.c, redis_shown.c,
 * redis_counts.c.
 *
 * Of hiredis we use the parser of replies. Connecting, waiting and TLS are ours: every call has one
 * deadline for all that it does, and Debian 12's hiredis has no TLS.
 *
 * Keys, P being ?prefix=:
 *
 *     P:meta            hash: instance, clear, doubt
 *     P:u:USER          sorted set: see redis_scripts.c
 *     P:s:USER          sorted set: the last lists that the user was shown
 *     P:c:F:sums        hash by item: five numbers; F names the half-lives
 *     P:c:F:changed     sorted set of items by when they changed last
 *     P:c:F:meta        hash: generation, at, and of each process BATCH:SEQ
 *     P:c:F:lock        who makes the generation */
#ifndef STATE_REDIS_INSIDE_H
#define STATE_REDIS_INSIDE_H

#include "state/backend.h"

#include "base/lookup.h"
#include "base/str.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- redis_url.c ---- */

struct redis_url {
    char shown[300]; /* without the password */
    char *text;      /* what the others point into */
    const char *host, *port;
    const char *path; /* of a socket file, instead of those two */
    const char *user, *password;
    const char *prefix, *ca;
    unsigned db;
    bool tls;
};

MUST_USE enum pal_status redis_url_parse(const char *url, struct redis_url *out,
                                         struct pal_error *err);
void redis_url_done(struct redis_url *u);

/* ---- redis_link.c: one connection, of one thread at a time ---- */

struct link {
    int fd;
    struct redis_tls *tls; /* NULL = none */
    redisReader *reader;
    bool used; /* it has answered before */
    struct link *next;
};

/* Connects, with TLS if the URL says so. hosts: where the URL's host is. */
MUST_USE enum pal_status link_open(const struct redis_url *u, const struct lookup_addresses *hosts,
                                   uint64_t deadline_ns, struct link **out, struct pal_error *err);
void link_close(struct link *k); /* NULL is fine */
MUST_USE enum pal_status link_send(struct link *k, const void *bytes, size_t size,
                                   uint64_t deadline_ns, struct pal_error *err);
/* *out is the caller's to freeReplyObject. */
MUST_USE enum pal_status link_reply(struct link *k, uint64_t deadline_ns, redisReply **out,
                                    struct pal_error *err);

/* Waits for POLLIN or POLLOUT. */
MUST_USE enum pal_status link_wait(int fd, short events, uint64_t deadline_ns,
                                   struct pal_error *err);

/* ---- redis_tls.c ---- */

struct redis_tls;
MUST_USE enum pal_status redis_tls_open(const struct redis_url *u, int fd, uint64_t deadline_ns,
                                        struct redis_tls **out, struct pal_error *err);
void redis_tls_close(struct redis_tls *t);
/* As read and write: -1 with EAGAIN where they would wait. */
ssize_t redis_tls_read(struct redis_tls *t, void *buf, size_t size);
ssize_t redis_tls_write(struct redis_tls *t, const void *buf, size_t size);

/* ---- redis_scripts.c ---- */

enum redis_script {
    SCRIPT_LOOK,
    SCRIPT_FILL,
    SCRIPT_ADD,
    SCRIPT_SHOW,
    SCRIPT_ERASE,
    SCRIPT_DOUBT,
    SCRIPT_RENEW,
    SCRIPT_SWEEP,
    SCRIPT_COUNT_UP,
    SCRIPT_COUNTED,
    SCRIPT_COUNT_LOCK,
    SCRIPT_COUNT_PUT,
    SCRIPTS
};
/* The text of one, appended. */
void redis_script_text(enum redis_script script, struct str *out);

/* ---- redis.c ---- */

struct redis {
    struct state base;
    struct redis_url url;
    struct state_options o;
    size_t keep;
    int64_t ttl_ms;
    struct str meta; /* the key */
    char sha[SCRIPTS][41];
    struct lookup *lookup; /* of state_open and state_mend */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t given;
    struct lookup_addresses hosts; /* as of when the server was reached last */
    struct link *idle;
    size_t links;
    uint64_t instance;
    bool have_scripts;
    struct pal_error error;

    atomic_bool up;
    atomic_bool sweeping; /* users' keys are left of before a clearing */
    uint64_t swept;       /* state_mend's: the cursor of SCAN */
    atomic_ullong found[STATE_FOUNDS];
    atomic_ullong trips, errors, ns;
    atomic_ullong bucket[STATE_BUCKETS + 1];
};

/* Commands on their way: begun with how many words each has, then word by word. */
struct commands {
    struct str bytes;
    size_t count;
};

void command_begin(struct commands *c, size_t words);
void command_word(struct commands *c, const void *word, size_t size);
void command_text(struct commands *c, const char *text);
void command_number(struct commands *c, uint64_t number);

/* EVALSHA with one or more keys, of which the caller says the words next: `more` of them, keys
 * included. */
void command_script(const struct redis *r, struct commands *c, enum redis_script script,
                    size_t keys, size_t more);

/* Told of each reply in turn; what it returns other than PAL_OK ends the call, when all are read.
 */
typedef enum pal_status reply_fn(void *ctx, size_t i, const redisReply *reply,
                                 struct pal_error *err);

/* Sends the commands and reads as many replies, in one round trip. items: how much it carries, for
 * the time that it may take. Frees the commands. fn may be NULL. */
MUST_USE enum pal_status redis_call(struct redis *r, struct commands *c, size_t items, reply_fn *fn,
                                    void *ctx, struct pal_error *err);

/* "the shared state redis://… does not understand us". */
MUST_USE enum pal_status redis_odd(const struct redis *r, const redisReply *reply,
                                   struct pal_error *err);

/* ---- redis_event.c ---- */

/* An event as a member, appended. */
void redis_event_encode(const struct event *e, struct str *out);

/* Its texts point into the member's bytes, which end with a NUL. false for what is no event. */
bool redis_event_decode(const char *member, size_t size, struct event *out);

/* Another member by which the event_id that a client gave is known; nothing is appended where it
 * gave none. */
void redis_event_identity(const struct event *e, struct str *out);

/* A list as a member, appended. */
void redis_list_encode(const struct state_list *l, struct str *out);

/* The bytes, which end with a NUL, outlive *out, whose items lie in the arena. PAL_EFORMAT for what
 * is no list; PAL_ENOMEM. */
MUST_USE enum pal_status redis_list_decode(const char *member, size_t size, struct arena *tmp,
                                           struct state_list *out, struct pal_error *err);

/* ---- redis_users.c ---- */

/* EVALSHA of one of a user's scripts, up to and with the time to live; `more` words follow. */
void redis_user_script(const struct redis *r, struct commands *c, enum redis_script script,
                       const char *user_id, size_t more);
/* Events among the members, copied to the arena. */
MUST_USE enum pal_status redis_take_events(const redisReply *members, struct arena *tmp,
                                           struct event **events, size_t *count,
                                           struct pal_error *err);

/* ---- redis_shown.c ---- */
MUST_USE enum pal_status redis_take_lists(const redisReply *members, struct arena *tmp,
                                          struct state_view *out, struct pal_error *err);
enum pal_status redis_show(struct state *s, const struct state_shown *shown, size_t count,
                           struct arena *tmp, struct state_before *before, struct pal_error *err);

/* ---- redis_users.c, redis_counts.c: see state.h ---- */

/* Deletes some of what a clearing left, which nobody reads any more; from state_mend. */
MUST_USE enum pal_status redis_sweep(struct redis *r, struct pal_error *err);

enum pal_status redis_look(struct state *s, const char *user_id, const struct state_version *known,
                           struct arena *tmp, struct state_view *out, struct pal_error *err);
enum pal_status redis_fill(struct state *s, const char *user_id, uint64_t token,
                           const struct event *events, size_t count, bool *filled,
                           struct pal_error *err);
enum pal_status redis_add(struct state *s, const struct event *const *events, size_t count,
                          bool known_only, struct pal_error *err);
enum pal_status redis_erase(struct state *s, const char *const *users, size_t count, bool stored,
                            struct pal_error *err);
enum pal_status redis_doubt(struct state *s, const char *const *users, size_t count,
                            struct pal_error *err);
enum pal_status redis_clear(struct state *s, bool counts, struct pal_error *err);
enum pal_status redis_count_up(struct state *s, const struct state_fading *f, uint64_t generation,
                               const char *who, uint64_t batch, uint64_t seq,
                               const struct state_count *counts, size_t count, bool *taken,
                               struct pal_error *err);
enum pal_status redis_counted(struct state *s, const struct state_fading *f, const char *who,
                              uint64_t generation, uint64_t mark, size_t most, struct arena *tmp,
                              struct state_counts *out, struct pal_error *err);
enum pal_status redis_count_lock(struct state *s, const struct state_fading *f, const char *who,
                                 bool *mine, struct pal_error *err);
enum pal_status redis_count_put(struct state *s, const struct state_fading *f, const char *who,
                                uint64_t batch, uint64_t seq, const struct state_count *counts,
                                size_t count, bool last, uint64_t *generation,
                                struct pal_error *err);

#endif
