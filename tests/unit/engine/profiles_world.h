/* A store made of arrays, and short words for what tests of profiles do with it. Every event of a
 * user names the next item, 0, 1, 2, …, so that anything missed, doubled or out of order shows. */
#ifndef PROFILES_WORLD_H
#define PROFILES_WORLD_H

#include "test.h"

#include "engine/profiles.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { USERS = 6, EVENTS = 40000, ERASE_EVERY = 150, LONG = EVENTS + 1, IGNORED_MOST = 120 };

struct happened {
    uint64_t seq;
    uint32_t user, item;
    bool erase;
};

/* A store: for each user the items in order. */
struct fake {
    pthread_mutex_t lock;
    uint32_t *item[USERS];
    size_t count[USERS];
    bool away;
    struct profiles *during; /* a transaction is put in between reading and answering, once */
    struct profiles *others; /* another process does something then, `times` times */
    unsigned times;
    atomic_int loads;
};

static inline void user_name(uint32_t user, char *out)
{
    sprintf(out, "user-%u", user);
}

static inline void fake_apply(struct fake *f, const struct happened *h)
{
    if (h->erase)
        f->count[h->user] = 0;
    else
        f->item[h->user][f->count[h->user]++] = h->item;
}

static inline enum pal_status fake_load(void *ctx, const char *user_id, size_t most,
                                        store_event_fn *fn, void *fn_ctx, struct pal_error *err)
{
    struct fake *f = ctx;
    uint32_t number = (uint32_t)atoi(user_id + 5), user = number % USERS;
    atomic_fetch_add(&f->loads, 1);
    pthread_mutex_lock(&f->lock);
    size_t n = f->away || number >= USERS ? 0 : f->count[user]; /* it knows no others */
    uint32_t *copy = malloc((n + 1) * sizeof *copy);
    if (n)
        memcpy(copy, f->item[user], n * sizeof *copy);
    bool away = f->away;
    struct profiles *during = f->during;
    f->during = NULL;
    if (during) { /* the drain comes across: what was copied lacks it */
        profiles_draining(during, 1);
        fake_apply(f, &(struct happened){.seq = 1, .user = user, .item = 0});
        profiles_drained(during, 1, true);
    }
    if (f->others && f->times) { /* what was copied lacks it, and it is in the store */
        uint32_t item = (uint32_t)f->count[user];
        f->times--;
        fake_apply(f, &(struct happened){.user = user, .item = item});
        profiles_other_event(f->others, user_id,
                             &(struct profile_event){item, 1, 1000 + item, true});
    }
    pthread_mutex_unlock(&f->lock);
    enum pal_status st = away ? pal_fail(err, PAL_EIO, "away") : PAL_OK;
    for (size_t i = n; i-- > 0 && n - i <= most && st == PAL_OK;) {
        char item[16];
        sprintf(item, "%u", copy[i]);
        struct stored_event e = {.place = i + 1,
                                 .event = {.user_id = user_id,
                                           .item_id = item,
                                           .type = "like",
                                           .value = 1,
                                           .time_ms = 1000 + copy[i]}};
        st = fn(fn_ctx, &e, err);
    }
    free(copy);
    return st;
}

static inline void no_lock(void *ctx)
{
}

static inline uint32_t fake_item(void *ctx, const char *item_id)
{
    return (uint32_t)atoi(item_id);
}

static inline void fake_worth(void *ctx, const struct event *e, struct profile_event *out)
{
    out->weight = 1;
    out->marks = true;
}

static inline struct profile_source source_of(struct fake *f)
{
    return (struct profile_source){.ctx = f,
                                   .load = fake_load,
                                   .hold = no_lock,
                                   .release = no_lock,
                                   .item = fake_item,
                                   .worth = fake_worth};
}

static inline void fake_init(struct fake *f)
{
    *f = (struct fake){.lock = PTHREAD_MUTEX_INITIALIZER};
    for (uint32_t u = 0; u < USERS; u++)
        f->item[u] = malloc(LONG * sizeof(uint32_t));
}

static inline void fake_done(struct fake *f)
{
    for (uint32_t u = 0; u < USERS; u++)
        free(f->item[u]);
}

static inline struct profiles *new_profiles(int64_t bytes, int64_t events)
{
    struct profiles *p = NULL;
    struct pal_error err;
    const struct profile_limits limits = {bytes, events, LONG, {IGNORED_MOST, 10 * 86400e3}, false};
    assert_ok(profiles_new(&limits, 0, &p, &err), &err);
    return p;
}

static inline void like(struct profiles *p, const char *user, uint64_t seq, uint32_t item)
{
    profiles_event(p, user, seq, &(struct profile_event){item, 1, 1000 + item, true});
}

/* What a request at now_ms sees. */
static inline struct profile_view see(struct profiles *p, struct fake *f, const char *user,
                                      int64_t now_ms, struct arena *tmp)
{
    struct profile_source source = source_of(f);
    struct profile_view view;
    struct pal_error err;
    for (;;) {
        bool ready;
        assert_ok(profiles_read(p, user, now_ms, tmp, &view, &ready, &err), &err);
        if (ready)
            return view;
        assert_ok(profiles_load(p, user, now_ms, &source, &err), &err);
    }
}

static inline void assert_items(const struct profile_view *v, uint32_t from, uint32_t to)
{
    assert_int_equal(v->history.n, to - from);
    assert_int_equal(v->seen_count, to - from);
    for (uint32_t i = from; i < to; i++) {
        assert_int_equal(v->history.item[i - from], i);
        assert_true(v->history.weight[i - from] == 1); /* 2 if it were doubled */
        assert_int_equal(v->seen[i - from], i);
    }
}

#endif
