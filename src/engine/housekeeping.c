/* What is looked after a few times a second: served lists on their way to the journal, the orders
 * of what is popular, a content model of the catalog as it is now, snapshots that nobody needs. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/turns.h"

enum { TICK_MS = 100, REFRESH_TICKS = 10, SAVE_TICKS = 3000 };

/* Frees what the journal's writer took out of use: it can't wait for `build` itself. */
static void free_retired(struct live *l)
{
    pthread_mutex_lock(&l->build);
    pthread_rwlock_wrlock(&l->world);
    struct snapshot *s = l->retired;
    l->retired = NULL;
    live_unlock(l);
    while (s) {
        struct snapshot *next = s->next;
        snapshot_free(s);
        s = next;
    }
    pthread_mutex_unlock(&l->build);
}

static bool has_retired(struct live *l)
{
    live_read_lock(l);
    bool any = l->retired;
    live_unlock(l);
    return any;
}

static void refresh(struct live *l)
{
    struct pal_error err;
    live_join_again(l);
    if (bandit_refresh(l->bandit, live_now_ms(l), &err) != PAL_OK)
        live_say(l, LIVE_WARNING, "what is popular is not up to date: %s", err.message);
}

static void *keep(void *arg)
{
    struct live *l = arg;
    pthread_setname_np(pthread_self(), "palate-keeper");
    turns_behind();
    struct keeper *k = &l->keeper;
    for (unsigned ticks = 0; clock_pause(TICK_MS, &k->lock, &k->wake, &k->stop); ticks++) {
        served_flush(l, false);
        live_fit_content(l);
        if (has_retired(l))
            free_retired(l);
        if (ticks % SAVE_TICKS == SAVE_TICKS - 1 && live_alone(l))
            ignored_save(l);
        if (ticks % REFRESH_TICKS == 0)
            refresh(l);
    }
    return NULL;
}

void live_keep(struct live *l)
{
    shared_keep(l);
    served_flush(l, false);
    live_fit_content(l);
    if (has_retired(l))
        free_retired(l);
    refresh(l);
}

enum pal_status keeper_start(struct live *l, struct pal_error *err)
{
    if (pthread_create(&l->keeper.thread, NULL, keep, l))
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for housekeeping");
    l->keeper.running = true;
    return PAL_OK;
}

void keeper_stop(struct live *l)
{
    struct keeper *k = &l->keeper;
    if (k->running) {
        pthread_mutex_lock(&k->lock);
        k->stop = true;
        pthread_cond_signal(&k->wake);
        pthread_mutex_unlock(&k->lock);
        pthread_join(k->thread, NULL);
        k->running = false;
    }
    if (l->retired)
        free_retired(l);
}
