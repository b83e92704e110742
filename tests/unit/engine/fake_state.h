/* A shared state in this process's memory, for tests of what makes use of one: everybody who opens
 * "fake:x" has the same. It can be told to fail. Obvious rather than fast; counts are there only if
 * a test says so, or everybody keeps to their own. */
#ifndef FAKE_STATE_H
#define FAKE_STATE_H

#include "test.h"

#include "state/backend.h"

#include <pthread.h>

enum {
    FAKE_USERS = 64,
    FAKE_EVENTS = 600,
    FAKE_ITEMS = 200,
    FAKE_BYS = 8,
    FAKE_LIST = 30,
    FAKE_LISTS = 200
};

struct fake_item {
    char id[64];
    struct state_sums sums;
    uint64_t at;
};

struct fake_by {
    char who[16];
    uint64_t batch, seq;
};

struct fake_user {
    char id[64];
    bool there, whole, deaf;
    uint64_t born, at;
    struct {
        char item[64], type[32], id[64];
        float value;
        int64_t time_ms;
        uint64_t at;
    } event[FAKE_EVENTS];
    size_t count;
    struct fake_list {
        char id[32], item[FAKE_LIST][64];
        int64_t time_ms;
        uint64_t at;
        size_t count;
    } list[STATE_LISTS];
    size_t lists;
};

static struct {
    pthread_mutex_t lock;
    struct fake_user user[FAKE_USERS];
    size_t users;
    uint64_t clock;
    struct fake_item item[FAKE_ITEMS];
    struct fake_by by[FAKE_BYS];
    size_t items, bys;
    uint64_t generation;
    bool counts;    /* are kept */
    unsigned lose;  /* the answer of this change of counts from here on gets lost */
    bool away;      /* every call fails */
    bool stuck;     /* what puts right what was missed does */
    bool deaf;      /* what would be added is refused, as by a server that is full */
    unsigned calls; /* that were answered */
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .clock = 1};

static enum pal_status fake_up(struct pal_error *err)
{
    fake.calls += !fake.away;
    return fake.away ? pal_fail(err, PAL_EIO, "the fake is away") : PAL_OK;
}

static enum pal_status fake_loose(struct pal_error *err)
{
    enum pal_status st = fake_up(err);
    return st == PAL_OK && fake.stuck ? pal_fail(err, PAL_EIO, "the fake is stuck") : st;
}

static struct fake_user *fake_find(const char *id)
{
    for (size_t i = 0; i < fake.users; i++)
        if (strcmp(fake.user[i].id, id) == 0)
            return &fake.user[i];
    assert_true(fake.users < FAKE_USERS);
    snprintf(fake.user[fake.users].id, sizeof fake.user[0].id, "%s", id);
    return &fake.user[fake.users++];
}

static void fake_begin(struct fake_user *u, bool whole, bool deaf)
{
    u->there = true;
    u->whole = whole;
    u->deaf = deaf;
    u->born = ++fake.clock;
}

static bool fake_has(const struct fake_user *u, const struct event *e)
{
    for (size_t i = 0; i < u->count; i++) {
        bool named = e->event_id && *e->event_id && strcmp(u->event[i].id, e->event_id) == 0;
        bool same = strcmp(u->event[i].item, e->item_id) == 0 &&
                    u->event[i].time_ms == e->time_ms && strcmp(u->event[i].type, e->type) == 0;
        if (named || same)
            return true;
    }
    return false;
}

/* before: it is older than all that is there. */
static void fake_put(struct fake_user *u, const struct event *e, bool before)
{
    if (fake_has(u, e))
        return;
    assert_true(u->count < FAKE_EVENTS);
    size_t to = before ? 0 : u->count;
    memmove(&u->event[to + 1], &u->event[to], (u->count - to) * sizeof u->event[0]);
    snprintf(u->event[to].item, sizeof u->event[to].item, "%s", e->item_id);
    snprintf(u->event[to].type, sizeof u->event[to].type, "%s", e->type);
    snprintf(u->event[to].id, sizeof u->event[to].id, "%s", e->event_id ? e->event_id : "");
    u->event[to].value = e->value;
    u->event[to].time_ms = e->time_ms;
    u->event[to].at = before ? 0 : ++fake.clock;
    u->at = before ? u->at : fake.clock;
    u->count++;
}

/* In the arena; no id when memory is out. */
static struct state_list fake_give_list(const struct fake_list *from, struct arena *tmp)
{
    const char **items = arena_alloc(tmp, from->count, sizeof *items);
    struct state_list to = {.time_ms = from->time_ms, .items = items, .count = from->count};
    to.id = arena_text(tmp, from->id, strlen(from->id));
    for (size_t i = 0; items && i < from->count; i++)
        if (!(items[i] = arena_text(tmp, from->item[i], strlen(from->item[i]))))
            items = NULL;
    return items && to.id ? to : (struct state_list){.id = NULL};
}

static bool fake_give_event(const struct fake_user *u, size_t i, struct arena *tmp,
                            struct event *out)
{
    const char *item = arena_text(tmp, u->event[i].item, strlen(u->event[i].item));
    const char *type = arena_text(tmp, u->event[i].type, strlen(u->event[i].type));
    *out = (struct event){
        .item_id = item, .type = type, .value = u->event[i].value, .time_ms = u->event[i].time_ms};
    return item && type;
}

static enum pal_status fake_show(struct state *s, const struct state_shown *shown, size_t count,
                                 struct arena *tmp, struct state_before *before,
                                 struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        struct fake_user *u = fake_find(shown[i].user_id);
        const struct state_list *l = &shown[i].list;
        before[i] = (struct state_before){.there = u->there};
        if (!u->there)
            continue;
        assert_true(l->count <= FAKE_LIST);
        if (u->lists == STATE_LISTS)
            memmove(&u->list[0], &u->list[1], --u->lists * sizeof u->list[0]);
        struct fake_list *to = &u->list[u->lists++], *last = u->lists > 1 ? to - 1 : NULL;
        snprintf(to->id, sizeof to->id, "%s", l->id);
        to->time_ms = l->time_ms;
        to->count = l->count;
        for (size_t k = 0; k < l->count; k++)
            snprintf(to->item[k], sizeof to->item[k], "%s", l->items[k]);
        u->at = to->at = ++fake.clock;
        if (!last)
            continue;
        before[i].list = fake_give_list(last, tmp);
        before[i].events = arena_alloc(tmp, u->count, sizeof *before[i].events);
        bool fine = before[i].list.id && before[i].events;
        for (size_t k = 0; k < u->count && fine; k++)
            if (u->event[k].at > last->at)
                fine = fake_give_event(u, k, tmp, &before[i].events[before[i].count++]);
        st = fine ? PAL_OK : pal_no_memory(err);
    }
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_look(struct state *s, const char *user_id,
                                 const struct state_version *known, struct arena *tmp,
                                 struct state_view *out, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    struct fake_user *u = fake_find(user_id);
    struct state_view v = {.version = {u->born, u->at}};
    if (st == PAL_OK && (!u->there || !u->whole)) {
        if (!u->there)
            fake_begin(u, false, false);
        v = (struct state_view){.found = STATE_NONE, .token = u->born};
    } else if (st == PAL_OK) {
        bool same = known->born == u->born;
        v.found = !same ? STATE_WHOLE : known->at == u->at ? STATE_SAME : STATE_MORE;
        v.events = arena_alloc(tmp, u->count, sizeof *v.events);
        v.lists = arena_alloc(tmp, u->lists, sizeof *v.lists);
        bool fine = v.events && v.lists, more = v.found == STATE_MORE;
        for (size_t i = 0; i < u->count && fine && v.found != STATE_SAME; i++)
            if (!more || u->event[i].at > known->at)
                fine = fake_give_event(u, i, tmp, &v.events[v.count++]);
        for (size_t i = 0; i < u->lists && fine && v.found != STATE_SAME; i++)
            if (!more || u->list[i].at > known->at) {
                v.lists[v.list_count] = fake_give_list(&u->list[i], tmp);
                fine = v.lists[v.list_count++].id;
            }
        st = fine ? PAL_OK : pal_no_memory(err);
    }
    if (st == PAL_OK)
        *out = v;
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_fill(struct state *s, const char *user_id, uint64_t token,
                                 const struct event *events, size_t count, bool *filled,
                                 struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    struct fake_user *u = fake_find(user_id);
    *filled = u->there && u->born == token;
    for (size_t i = 0; i < count && st == PAL_OK && *filled && !u->whole; i++)
        fake_put(u, &events[i], true);
    if (st == PAL_OK && *filled)
        u->whole = true;
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_add(struct state *s, const struct event *const *events, size_t count,
                                bool known_only, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    if (st == PAL_OK && fake.deaf)
        st = pal_fail(err, PAL_EFULL, "the fake is full");
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        struct fake_user *u = fake_find(events[i]->user_id);
        if (known_only && (!u->there || u->deaf))
            continue;
        if (!u->there)
            fake_begin(u, false, false);
        fake_put(u, events[i], false);
    }
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_erase(struct state *s, const char *const *users, size_t count,
                                  bool stored, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_loose(err);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        struct fake_user *u = fake_find(users[i]);
        if (stored && u->there && u->deaf)
            continue;
        u->count = u->lists = 0;
        fake_begin(u, !stored, !stored);
    }
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_doubt(struct state *s, const char *const *users, size_t count,
                                  struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_loose(err);
    for (size_t i = 0; i < fake.users && st == PAL_OK; i++) {
        bool meant = !users;
        for (size_t j = 0; j < count && users; j++)
            meant = meant || strcmp(users[j], fake.user[i].id) == 0;
        if (meant && fake.user[i].there)
            fake_begin(&fake.user[i], false, false);
    }
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_clear(struct state *s, bool counts, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_loose(err);
    for (size_t i = 0; i < fake.users && st == PAL_OK; i++) {
        fake.user[i].there = false;
        fake.user[i].count = fake.user[i].lists = 0;
    }
    pthread_mutex_unlock(&fake.lock);
    return st;
}

/* ---- Counts, which don't fade here ---- */

static struct fake_by *fake_by(const char *who)
{
    size_t i = 0;
    while (i < fake.bys && strcmp(fake.by[i].who, who) != 0)
        i++;
    assert_true(i < FAKE_BYS);
    if (i == fake.bys)
        snprintf(fake.by[fake.bys++].who, sizeof fake.by[0].who, "%s", who);
    return &fake.by[i];
}

static void fake_count(const struct state_count *c, bool put)
{
    size_t i = 0;
    while (i < fake.items && strcmp(fake.item[i].id, c->item_id) != 0)
        i++;
    assert_true(i < FAKE_ITEMS);
    struct fake_item *x = &fake.item[i];
    if (i == fake.items)
        snprintf(fake.item[fake.items++].id, sizeof x->id, "%s", c->item_id);
    if (put)
        x->sums = (struct state_sums){0};
    x->sums.success += c->sums.success;
    x->sums.failure += c->sums.failure;
    x->sums.popular += c->sums.popular;
    x->sums.recent += c->sums.recent;
    x->sums.last_ms = c->sums.last_ms > x->sums.last_ms ? c->sums.last_ms : x->sums.last_ms;
    x->at = ++fake.clock;
}

/* Whether an answer gets lost, now that all is done. */
static enum pal_status fake_lose(struct pal_error *err)
{
    return fake.lose && --fake.lose == 0 ? pal_fail(err, PAL_EIO, "the answer is lost") : PAL_OK;
}

static enum pal_status fake_count_up(struct state *s, const struct state_fading *f,
                                     uint64_t generation, const char *who, uint64_t batch,
                                     uint64_t seq, const struct state_count *counts, size_t count,
                                     bool *taken, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    *taken = st == PAL_OK && generation && generation == fake.generation;
    if (*taken && fake_by(who)->batch < batch) {
        for (size_t i = 0; i < count; i++)
            fake_count(&counts[i], false);
        fake_by(who)->batch = batch;
        fake_by(who)->seq = seq;
    }
    st = st == PAL_OK ? fake_lose(err) : st;
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_counted(struct state *s, const struct state_fading *f, const char *who,
                                    uint64_t generation, uint64_t mark, size_t most,
                                    struct arena *tmp, struct state_counts *out,
                                    struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    mark = generation == fake.generation ? mark : 0;
    *out = (struct state_counts){.generation = fake.generation,
                                 .mark = mark,
                                 .seq = fake_by(who)->seq,
                                 .batch = fake_by(who)->batch};
    out->counts = arena_alloc(tmp, fake.items, sizeof *out->counts);
    assert_true(most == 0 || most > fake.items);
    for (size_t i = 0; i < fake.items && st == PAL_OK && most && fake.generation; i++) {
        if (fake.item[i].at <= mark)
            continue;
        out->counts[out->count++] = (struct state_count){fake.item[i].id, fake.item[i].sums};
        out->mark = fake.item[i].at > out->mark ? fake.item[i].at : out->mark;
    }
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_lock(struct state *s, const struct state_fading *f, const char *who,
                                 bool *mine, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    *mine = fake.counts && !fake.generation;
    if (*mine)
        fake.items = 0;
    pthread_mutex_unlock(&fake.lock);
    return PAL_OK;
}

static enum pal_status fake_count_put(struct state *s, const struct state_fading *f,
                                      const char *who, uint64_t batch, uint64_t seq,
                                      const struct state_count *counts, size_t count, bool last,
                                      uint64_t *generation, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    for (size_t i = 0; i < count && st == PAL_OK; i++)
        fake_count(&counts[i], true);
    if (st == PAL_OK && last) {
        fake.generation = ++fake.clock;
        fake_by(who)->batch = batch;
        fake_by(who)->seq = seq;
    }
    *generation = fake.generation;
    st = st == PAL_OK ? fake_lose(err) : st;
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static enum pal_status fake_mend(struct state *s, struct pal_error *err)
{
    pthread_mutex_lock(&fake.lock);
    enum pal_status st = fake_up(err);
    pthread_mutex_unlock(&fake.lock);
    return st;
}

static void fake_status(struct state *s, struct state_status *out)
{
    pthread_mutex_lock(&fake.lock);
    *out = (struct state_status){.up = !fake.away, .instance = 1};
    pthread_mutex_unlock(&fake.lock);
}

static void fake_close(struct state *s)
{
}

static enum pal_status fake_open(const char *url, const struct state_options *o, size_t keep,
                                 struct state **out, struct pal_error *away, struct pal_error *err);

static const struct state_ops fake_ops = {
    {"fake", "fake:x"}, fake_open, fake_close,     fake_mend,  fake_look,  fake_fill,
    fake_add,           fake_show, fake_erase,     fake_doubt, fake_clear, fake_count_up,
    fake_counted,       fake_lock, fake_count_put, fake_status};

static struct state fake_state = {&fake_ops};

static enum pal_status fake_open(const char *url, const struct state_options *o, size_t keep,
                                 struct state **out, struct pal_error *away, struct pal_error *err)
{
    *away = (struct pal_error){.status = PAL_OK};
    if (fake.away)
        pal_fail(away, PAL_EIO, "the fake is away");
    *out = &fake_state;
    return PAL_OK;
}

static void fake_reset(void)
{
    memset(fake.user, 0, sizeof fake.user);
    memset(fake.by, 0, sizeof fake.by);
    fake.users = fake.items = fake.bys = 0;
    fake.generation = 0;
    fake.away = fake.stuck = fake.deaf = fake.counts = false;
    fake.calls = fake.lose = 0;
}

#endif
