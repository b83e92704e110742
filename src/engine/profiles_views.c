/* Profiles that are views of a state which others change, too: each knows as of which version of
 * it. They are LOADED or not there: loaded whole by profiles_load, and brought up to date by what
 * came since. */
#include "engine/profiles_inside.h"

static bool is_loaded(const struct user *u)
{
    return u && u->state == LOADED;
}

struct profile_version profiles_version(struct profiles *p, const char *user_id, uint32_t items)
{
    uint64_t hash;
    struct profile_version v = {0};
    struct shard *s = profiles_lock(p, user_id, &hash);
    const struct user *u = profiles_find(s, hash, user_id);
    if (is_loaded(u) && (!u->unknown || u->unknown == items))
        v = u->version;
    pthread_mutex_unlock(&s->lock);
    return v;
}

void profiles_unload(struct profiles *p, const char *user_id, const struct profile_version *v)
{
    uint64_t hash;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    bool late =
        v && is_loaded(u) && !u->unknown &&
        (u->version.born > v->born || (u->version.born == v->born && u->version.at >= v->at));
    if (u && u->state != LOADING && !late)
        profiles_remove(s, u);
    pthread_mutex_unlock(&s->lock);
}

/* Lists that were shown before or at `until`, from *at on. */
static void show_some(struct profiles *p, struct user *u, const struct profile_list *lists,
                      size_t count, size_t *at, int64_t until)
{
    uint32_t ignored[SERVED_MOST];
    float amount;
    for (; *at < count && lists[*at].time_ms <= until; ++*at)
        profile_serve(&u->profile, lists[*at].items, lists[*at].count, lists[*at].time_ms,
                      &p->limits.ignoring, ignored, &amount);
}

/* All or nothing, but for want of memory, which costs the profile. */
static enum pal_status put_all(struct profiles *p, struct user *u,
                               const struct profile_event *events, size_t count,
                               const struct profile_list *lists, size_t list_count,
                               struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    size_t shown = 0;
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        show_some(p, u, lists, list_count, &shown, events[i].time_ms);
        st = profile_add(&u->profile, 0, &events[i], err);
        profile_act(&u->profile, events[i].item);
        if (st == PAL_OK && events[i].marks)
            st = profile_see(&u->profile, events[i].item, (size_t)p->limits.seen, err);
    }
    show_some(p, u, lists, list_count, &shown, INT64_MAX);
    profile_trim(&u->profile, (size_t)p->limits.events, UINT64_MAX);
    return st;
}

enum pal_status profiles_more(struct profiles *p, const char *user_id,
                              const struct profile_version *from, const struct profile_version *to,
                              const struct profile_event *events, size_t count,
                              const struct profile_list *lists, size_t list_count, uint32_t unknown,
                              struct pal_error *err)
{
    uint64_t hash;
    enum pal_status st = PAL_OK;
    struct shard *s = profiles_lock(p, user_id, &hash);
    struct user *u = profiles_find(s, hash, user_id);
    if (is_loaded(u) && u->version.born == from->born && u->version.at == from->at) {
        st = put_all(p, u, events, count, lists, list_count, err);
        u->version = *to;
        u->unknown = unknown ? unknown : u->unknown;
        if (st == PAL_OK)
            profiles_touch(p, s, u);
        else
            profiles_remove(s, u);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}
