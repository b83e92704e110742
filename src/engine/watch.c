/* Looks every live.models_poll_ms which version is the live one in the registry, and loads it when
 * that has changed: another process trained, or a person chose. Who does not answer only notes when
 * that was trained. A version that can't be loaded is told of once, and left until the next.
 *
 * A pipeline through which nothing comes would not notice that its store is away, so it is asked
 * here, too, for one number. (Who answers reads the store all the time: follow.c.) */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "registry/registry.h"

#include <inttypes.h>

enum { STORE_MS = 2000 /* between two looks where models are not looked for */ };

static bool wait_a_little(struct live *l)
{
    struct model_watch *w = &l->watch;
    int64_t ms = l->config.live.models_poll_ms;
    return clock_pause(ms ? ms : STORE_MS, &w->lock, &w->wake, &w->stop);
}

/* The version that answers, or 0. */
static uint32_t loaded(struct live *l)
{
    live_read_lock(l);
    uint32_t version = l->snapshot->base ? l->snapshot->base->version : 0;
    live_unlock(l);
    return version;
}

static void look(struct live *l)
{
    struct model_watch *w = &l->watch;
    struct registry_version now = {0};
    struct pal_error err;
    uint32_t version = 0;
    enum pal_status st = registry_current(l->config.live.models, &now, &err);
    bool failing = st != PAL_OK && st != PAL_ENOTFOUND;
    if (failing && !w->failing)
        live_say(l, LIVE_WARNING, "whether there are new models is not known now: %s", err.message);
    w->failing = failing;
    if (st != PAL_OK || now.number == w->seen)
        return;
    w->seen = now.number;
    if (now.number == loaded(l))
        return;
    st = live_reload(l, &version, &err);
    if (st != PAL_OK)
        live_say(l, LIVE_ERROR, "version %" PRIu32 " was published, but can't be loaded: %s",
                 now.number, err.message);
    else if (live_does(l, ROLE_RECS))
        live_say(l, LIVE_INFO, "version %" PRIu32 " was published and is loaded", version);
}

/* Whether what is taken from the stream has found out before; then it was said. */
static bool is_known_away(struct live *l)
{
    pthread_mutex_lock(&l->consume.lock);
    bool known = l->consume.store_failing;
    pthread_mutex_unlock(&l->consume.lock);
    return known;
}

static void look_at_store(struct live *l)
{
    struct model_watch *w = &l->watch;
    struct pal_error err;
    uint64_t mark;
    bool away = store_mark(l->store, &mark, &err) != PAL_OK;
    pthread_mutex_lock(&w->lock);
    bool was = w->store_away;
    w->store_away = away;
    if (away)
        w->store_error = err;
    pthread_mutex_unlock(&w->lock);
    if (away && !was && !is_known_away(l))
        live_say(l, LIVE_WARNING, "the store does not answer: %s", err.message);
    else if (was && !away && !is_known_away(l))
        live_say(l, LIVE_INFO, "the store answers again");
}

static bool looks_at_store(const struct live *l)
{
    return !live_does(l, ROLE_RECS) && l->store;
}

static void *watch_loop(void *arg)
{
    struct live *l = arg;
    pthread_setname_np(pthread_self(), "palate-watch");
    while (wait_a_little(l)) {
        if (l->config.live.models_poll_ms)
            look(l);
        if (looks_at_store(l))
            look_at_store(l);
    }
    return NULL;
}

void watch_begin(struct live *l)
{
    struct registry_version now = {0};
    struct pal_error ignored;
    if (l->config.live.models_poll_ms &&
        registry_current(l->config.live.models, &now, &ignored) == PAL_OK)
        l->watch.seen = now.number;
}

enum pal_status watch_start(struct live *l, struct pal_error *err)
{
    struct model_watch *w = &l->watch;
    if (l->config.live.models_poll_ms == 0 && !looks_at_store(l))
        return PAL_OK;
    if (pthread_create(&w->thread, NULL, watch_loop, l))
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for watching models");
    w->running = true;
    return PAL_OK;
}

void watch_stop(struct live *l)
{
    struct model_watch *w = &l->watch;
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->running = false;
}
