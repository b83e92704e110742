/* Opening the shared state, looking after it, and what is to be put right once it is back. See
 * shared.h. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 50, KEEP_TICKS = 20, AT_ONCE = 500 };

/* ---- What it missed ---- */

/* A process that is killed forgets whom it has to put right; the file remains. */
static void note_missing(struct shared *s)
{
    if (s->noted || !s->note.len)
        return;
    int fd = open(str_text(&s->note), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    s->noted = fsync(fd) == 0;
    close(fd);
}

static void add_missed(struct shared *s, struct intern *users, const char *user_id, bool *all)
{
    uint32_t number;
    uint32_t before = users->count;
    if (*all)
        return;
    if (before >= s->l->config.state.missed ||
        intern_add(users, user_id, strlen(user_id), &number, NULL) != PAL_OK) {
        *all = true;
        intern_done(users);
        *users = (struct intern){0};
    }
    if (*all || users->count > before)
        atomic_fetch_add(&s->missed_users, 1);
}

void shared_missed(struct shared *s, const char *user_id, bool erased)
{
    pthread_mutex_lock(&s->lock);
    if (!s->missed_clear)
        add_missed(s, erased ? &s->erased : &s->missed, user_id,
                   erased ? &s->missed_clear : &s->missed_all);
    note_missing(s);
    pthread_mutex_unlock(&s->lock);
}

void shared_missed_clear(struct shared *s)
{
    pthread_mutex_lock(&s->lock);
    s->missed_clear = true;
    note_missing(s);
    pthread_mutex_unlock(&s->lock);
}

/* What is owed, taken out. */
struct owed {
    struct intern missed, erased;
    bool all, clear;
};

static bool take_owed(struct shared *s, struct owed *o)
{
    pthread_mutex_lock(&s->lock);
    *o = (struct owed){s->missed, s->erased, s->missed_all, s->missed_clear};
    s->missed = s->erased = (struct intern){0};
    s->missed_all = s->missed_clear = false;
    bool any = o->all || o->clear || o->missed.count || o->erased.count;
    pthread_mutex_unlock(&s->lock);
    return any;
}

static void owe_again(struct shared *s, struct owed *o)
{
    for (uint32_t i = 0; i < o->missed.count; i++)
        shared_missed(s, intern_text(&o->missed, i), false);
    for (uint32_t i = 0; i < o->erased.count; i++)
        shared_missed(s, intern_text(&o->erased, i), true);
    pthread_mutex_lock(&s->lock);
    s->missed_all = s->missed_all || o->all;
    s->missed_clear = s->missed_clear || o->clear;
    pthread_mutex_unlock(&s->lock);
}

static void free_owed(struct owed *o)
{
    intern_done(&o->missed);
    intern_done(&o->erased);
}

/* Those who were erased have nothing, and are then filled with what came since. */
static enum pal_status settle_users(struct shared *s, const struct intern *users, bool erase,
                                    struct pal_error *err)
{
    const char *id[AT_ONCE];
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < users->count && st == PAL_OK;) {
        size_t n = 0;
        for (; n < AT_ONCE && i < users->count; i++)
            id[n++] = intern_text(users, i);
        if (erase)
            st = state_erase(s->state, id, n, true, err);
        else
            st = state_doubt(s->state, id, n, err);
    }
    return st;
}

static enum pal_status settle(struct shared *s, const struct owed *o, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (o->clear)
        return state_clear(s->state, false, err);
    st = settle_users(s, &o->erased, true, err);
    if (st == PAL_OK && o->all)
        return state_doubt(s->state, NULL, 0, err);
    return st == PAL_OK ? settle_users(s, &o->missed, false, err) : st;
}

/* Puts right what can be; new ones may come meanwhile. */
static enum pal_status settle_owed(struct shared *s, struct pal_error *err)
{
    struct owed o;
    enum pal_status st = PAL_OK;
    while (st == PAL_OK && take_owed(s, &o)) {
        st = settle(s, &o, err);
        if (st != PAL_OK)
            owe_again(s, &o);
        free_owed(&o);
    }
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&s->lock);
    if (s->noted && !s->missed.count && !s->erased.count && !s->missed_all && !s->missed_clear)
        s->noted = unlink(str_text(&s->note)) != 0 && errno != ENOENT;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- Looking after it ---- */

void shared_fails(struct shared *s, const struct pal_error *err)
{
    pthread_mutex_lock(&s->lock);
    bool first = !s->said;
    s->said = true;
    pthread_mutex_unlock(&s->lock);
    if (first)
        live_say(s->l, LIVE_WARNING,
                 "answers come from the store and go on; what other processes take in is seen "
                 "later: %s",
                 err->message);
}

static void works(struct shared *s)
{
    pthread_mutex_lock(&s->lock);
    bool was = s->said;
    s->said = false;
    pthread_mutex_unlock(&s->lock);
    if (was)
        live_say(s->l, LIVE_INFO, "the shared state works again");
}

/* One round: reach it, put right what it missed, give it back what it lost, exchange counts. */
static void look_after(struct shared *s)
{
    struct state_status now;
    struct pal_error err;
    enum pal_status st = state_mend(s->state, &err);
    if (st == PAL_OK)
        st = settle_owed(s, &err);
    if (st != PAL_OK) {
        shared_fails(s, &err);
        return;
    }
    works(s);
    state_status(s->state, &now);
    if (now.instance != s->instance && s->l->journal) {
        s->instance = now.instance;
        shared_tell_again(s, atomic_load(&s->l->drain.position));
    }
    shared_counts_keep(s->l);
}

static void *look_loop(void *arg)
{
    struct shared *s = arg;
    pthread_setname_np(pthread_self(), "palate-state");
    turns_behind();
    for (unsigned ticks = 1; clock_pause(TICK_MS, &s->lock, &s->wake, &s->stop); ticks++) {
        shared_lists_send(s);
        if (ticks % KEEP_TICKS == 0)
            look_after(s);
    }
    return NULL;
}

/* ---- Opening and closing ---- */

/* Most profiles are views; those of others are kept only while the state is away. */
static enum pal_status make_views(struct live *l, struct shared *s, struct pal_error *err)
{
    const struct profile_limits limits = {
        .bytes = l->config.live.profile_bytes,
        .events = l->config.live.profile_events,
        .seen = l->config.live.profile_seen,
        .ignoring = live_ignoring(l),
    };
    return profiles_new(&limits, UINT64_MAX, &s->views, err);
}

static enum pal_status open_state(struct live *l, struct shared *s, struct pal_error *err)
{
    struct pal_error away = {.status = PAL_OK};
    int64_t events = l->config.live.profile_events, seen = l->config.live.profile_seen;
    enum pal_status st = state_open(l->config.live.state, &l->config.state,
                                    (size_t)(events > seen ? events : seen), &s->state, &away, err);
    if (st == PAL_OK && away.status != PAL_OK)
        shared_fails(s, &away);
    return st;
}

enum pal_status shared_open(struct live *l, struct pal_error *err)
{
    if (!l->config.live.state)
        return PAL_OK;
    struct shared *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->l = l;
    l->shared = s;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->lists.lock, NULL);
    clock_cond_init(&s->wake);
    if (l->journal_dir.len)
        str_fmt(&s->note, "%s/state.missed", str_text(&l->journal_dir));
    enum pal_status st = str_ok(&s->note) ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK && live_does(l, ROLE_RECS))
        st = make_views(l, s, err);
    if (st == PAL_OK)
        st = open_state(l, s, err);
    if (st == PAL_OK)
        st = shared_counts_new(l, &s->counts, err);
    if (st == PAL_OK && s->note.len && access(str_text(&s->note), F_OK) == 0) {
        s->noted = true;
        s->missed_clear = true;
    }
    if (st == PAL_OK)
        shared_counts_begin(l);
    return st;
}

enum pal_status shared_start(struct live *l, uint64_t drained, struct pal_error *err)
{
    struct shared *s = l->shared;
    struct state_status now;
    struct pal_error later;
    if (!s)
        return PAL_OK;
    shared_counts_shown(l);
    if (settle_owed(s, &later) != PAL_OK)
        shared_fails(s, &later);
    state_status(s->state, &now);
    s->instance = now.instance;
    if (l->journal) {
        shared_tell_again(s, drained);
        journal_on_commit(l->journal, shared_commit, l);
    }
    if (l->config.seed)
        return PAL_OK;
    if (pthread_create(&s->thread, NULL, look_loop, s))
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for the shared state");
    s->running = true;
    return PAL_OK;
}

void shared_stop(struct live *l)
{
    struct shared *s = l->shared;
    if (!s || !s->running)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    s->running = false;
}

void shared_close(struct live *l)
{
    struct shared *s = l->shared;
    struct pal_error err;
    if (!s)
        return;
    if (s->state && settle_owed(s, &err) == PAL_OK) {
        shared_lists_send(s);
        shared_counts_keep(l);
    }
    shared_lists_done(&s->lists);
    shared_counts_free(s->counts);
    state_close(s->state);
    profiles_free(s->views);
    intern_done(&s->missed);
    intern_done(&s->erased);
    mem_free(s->batch.events);
    str_done(&s->note);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    mem_free(s);
    l->shared = NULL;
}

void shared_status(struct live *l, struct live_shared *out)
{
    struct shared *s = l->shared;
    if (!s)
        return;
    out->there = true;
    state_status(s->state, &out->state);
    out->fallbacks = atomic_load(&s->fallbacks);
    out->missed = atomic_load(&s->missed_users);
    pthread_mutex_lock(&s->lock);
    out->owed = s->missed.count + s->erased.count + s->missed_all + s->missed_clear;
    pthread_mutex_unlock(&s->lock);
}

void shared_keep(struct live *l)
{
    if (!l->shared)
        return;
    shared_lists_send(l->shared);
    look_after(l->shared);
}
