/* What the store's tests share: a store of its own for each test; invented changes; a naive store
 * in plain arrays that applies them the obvious way; and both written out as text, to be compared.
 *
 * The store is an SQLite file in a folder of the test's. With PALATE_TEST_STORE it is that URL,
 * whose every "%s" becomes a name of its own: so the same tests run against every kind of store,
 * for which tests/backend starts the servers. */
#ifndef TEST_STORE_WORLD_H
#define TEST_STORE_WORLD_H

#include "folder.h"

#include "base/rng.h"
#include "store/clickhouse.h"

#include <sys/stat.h>
#include <unistd.h>

struct scene {
    char dir[64], path[96], url[256];
    struct store *s; /* open for writing; NULL after close_store */
};

/* Whether the store is a server's, where everything takes a round trip or more. */
static inline bool is_elsewhere(void)
{
    return getenv("PALATE_TEST_STORE") != NULL;
}

/* The URL of a store that is not there yet. */
static inline void name_store(struct scene *w)
{
    static unsigned count;
    const char *other = getenv("PALATE_TEST_STORE"), *hole;
    size_t len = 0;
    if (!other) {
        snprintf(w->path, sizeof w->path, "%s/palate.db", w->dir);
        snprintf(w->url, sizeof w->url, "sqlite:%s", w->path);
        unlink(w->path);
        return;
    }
    if (!strstr(other, "%s"))
        fail_msg("PALATE_TEST_STORE has no %%s in it: %s", other);
    count++;
    for (; (hole = strstr(other, "%s")) && len < sizeof w->url; other = hole + 2)
        len += (size_t)snprintf(w->url + len, sizeof w->url - len, "%.*st%ld_%u",
                                (int)(hole - other), other, (long)getpid(), count);
    if (len < sizeof w->url)
        snprintf(w->url + len, sizeof w->url - len, "%s", other);
}

static inline int begin_scene(void **state)
{
    struct scene *w = calloc(1, sizeof *w);
    struct pal_error err;
    store_add_kind(&store_clickhouse);
#ifdef HAVE_POSTGRES
    store_add_kind(&store_postgres);
    store_add_kind(&store_postgresql);
#endif
    strcpy(w->dir, "/tmp/palate-store-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    name_store(w);
    *state = w;
    enum pal_status st = store_open(w->url, false, &w->s, &err);
    if (st != PAL_OK)
        print_error("%s\n", err.message);
    return st == PAL_OK ? 0 : -1;
}

static inline int end_scene(void **state)
{
    struct scene *w = *state;
    store_close(w->s);
    remove_folder(w->dir);
    free(w);
    return 0;
}

static inline void close_store(struct scene *w)
{
    store_close(w->s);
    w->s = NULL;
}

static inline void reopen(struct scene *w)
{
    struct pal_error err;
    close_store(w);
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
}

/* With an empty store in the place of the old one. */
static inline void begin_anew(struct scene *w)
{
    struct pal_error err;
    close_store(w);
    name_store(w);
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
}

static inline struct store_change event_change(uint64_t seq, const char *user, const char *item,
                                               const char *type, int64_t time_ms,
                                               const char *event_id)
{
    return (struct store_change){
        .seq = seq,
        .record = {.kind = RECORD_EVENT, .event = {user, item, type, 1, time_ms, event_id, NULL}}};
}

static inline struct store_change id_change(uint64_t seq, enum record_kind kind, const char *id)
{
    return (struct store_change){.seq = seq, .record = {.kind = kind, .id = id}};
}

static inline void apply(struct store *s, const struct store_change *changes, size_t count,
                         uint64_t seq)
{
    struct pal_error err;
    assert_ok(store_apply(s, changes, count, seq, NULL, &err), &err);
}

/* ---- Invented changes ---- */

enum { WORLD_MOST = 4096 };

/* Changes 1 to count, and their texts. */
struct history_of_site {
    size_t count;
    struct store_change change[WORLD_MOST];
    char text[WORLD_MOST][5][48];
};

static inline const char *word(char *room, const char *what, uint64_t number)
{
    snprintf(room, 48, "%s%" PRIu64, what, number);
    return room;
}

static inline void invent_event(struct rng *r, char room[5][48], struct event *e)
{
    static const char *const types[] = {"like", "dislike", "view", "purchase"};
    *e = (struct event){.user_id = word(room[0], "user-", rng_below(r, 12)),
                        .item_id = word(room[1], "item \"\xf0\x9f\x8e\xac\" ", rng_below(r, 20)),
                        .type = types[rng_below(r, 4)],
                        .value = (float)rng_below(r, 5) * 0.5f,
                        .time_ms = 1600000000000 + (int64_t)rng_below(r, 100000000)};
    if (rng_below(r, 3) == 0)
        e->event_id = word(room[2], "e", rng_below(r, 150));
    if (rng_below(r, 4) == 0)
        e->recommendation_id = word(room[3], "rec", rng_below(r, 50));
}

static inline void invent_item(struct rng *r, char room[5][48], struct item_row *i)
{
    *i = (struct item_row){.item_id = word(room[0], "item \"\xf0\x9f\x8e\xac\" ", rng_below(r, 25)),
                           .available = rng_below(r, 2),
                           .created_ms = (int64_t)rng_below(r, 1000)};
    if (rng_below(r, 2))
        i->title = word(room[1], "title ", rng_below(r, 100));
    if (rng_below(r, 2))
        snprintf(room[2], 48, "[\"a\",\"c%u\"]", (unsigned)rng_below(r, 5)),
            i->categories = room[2];
    if (rng_below(r, 2))
        snprintf(room[3], 48, "{\"year\":%u}", 1990 + (unsigned)rng_below(r, 30)),
            i->attributes = room[3];
    if (rng_below(r, 2))
        i->image_url = word(room[4], "https://example.org/", rng_below(r, 9));
}

/* One source, one item: explored, a score of 0.5, a propensity of 1; see data/served.h. */
static const char packed_list[] = "\x01"
                                  "als\0"
                                  "\x01\0"
                                  "\x80\0\0\0\x3f\0\0\x80\x3f"
                                  "y";

/* rare: now and then everything is forgotten. */
static inline void invent(struct history_of_site *h, size_t count, uint64_t seed, bool rare)
{
    struct rng r;
    rng_init(&r, seed, 0);
    h->count = count;
    for (size_t i = 0; i < count; i++) {
        struct record *x = &h->change[i].record;
        char(*room)[48] = h->text[i];
        unsigned die = (unsigned)rng_below(&r, 100);
        h->change[i].seq = i + 1;
        if (rare && rng_below(&r, 300) == 0) {
            x->kind = RECORD_CLEAR;
        } else if (die < 70) {
            x->kind = RECORD_EVENT;
            invent_event(&r, room, &x->event);
        } else if (die < 80) {
            x->kind = RECORD_ITEM;
            invent_item(&r, room, &x->item);
        } else if (die < 84) {
            x->kind = RECORD_ITEM_DELETE;
            x->id = word(room[0], "item \"\xf0\x9f\x8e\xac\" ", rng_below(&r, 25));
        } else if (die < 89) {
            x->kind = RECORD_USER;
            x->user = (struct user_row){word(room[0], "user-", rng_below(&r, 15)), NULL,
                                        (int64_t)rng_below(&r, 1000)};
            if (rng_below(&r, 2))
                snprintf(room[1], 48, "{\"age\":%u}", (unsigned)rng_below(&r, 90)),
                    x->user.attributes = room[1];
        } else if (die < 92) {
            x->kind = RECORD_USER_DELETE;
            x->id = word(room[0], "user-", rng_below(&r, 15));
        } else {
            x->kind = RECORD_SERVED;
            x->served = (struct served_row){.recommendation_id = word(room[0], "rec", i),
                                            .time_ms = (int64_t)i * 1000,
                                            .list = "[{\"item_id\":\"x\",\"score\":0.5}]"};
            if (rng_below(&r, 4))
                x->served.user_id = word(room[1], "user-", rng_below(&r, 12));
            if (rng_below(&r, 2)) { /* list: what it is when it is read */
                x->kind = RECORD_SERVED_PACKED;
                x->served.packed = packed_list;
                x->served.packed_size = sizeof packed_list;
                x->served.list = "[{\"item_id\":\"y\",\"source\":\"als\",\"score\":0.5,"
                                 "\"explored\":true,\"propensity\":1}]";
            }
        }
    }
}

static inline bool is_served(const struct record *r)
{
    return r->kind == RECORD_SERVED || r->kind == RECORD_SERVED_PACKED;
}

/* ---- The naive store: which of the changes are still in force, found by looking at all ---- */

static inline bool same_id(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

struct naive {
    const struct history_of_site *h;
    size_t n;               /* changes applied */
    bool alive[WORLD_MOST]; /* events and served lists that are stored */
    size_t item_count, user_count;
    struct naive_item {
        const char *id;
        const struct item_row *row; /* NULL = named only */
        bool deleted;
    } item[64];
    struct naive_user {
        const char *id;
        const struct user_row *row;
    } user[64];
};

static inline struct naive_item *naive_item(struct naive *w, const char *id, bool add)
{
    for (size_t i = 0; i < w->item_count; i++)
        if (strcmp(w->item[i].id, id) == 0)
            return &w->item[i];
    if (!add)
        return NULL;
    w->item[w->item_count] = (struct naive_item){id, NULL, false};
    return &w->item[w->item_count++];
}

static inline struct naive_user *naive_user(struct naive *w, const char *id)
{
    for (size_t i = 0; i < w->user_count; i++)
        if (strcmp(w->user[i].id, id) == 0)
            return &w->user[i];
    w->user[w->user_count] = (struct naive_user){id, NULL};
    return &w->user[w->user_count++];
}

static inline void naive_forget(struct naive *w, const char *user)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct record *r = &w->h->change[i].record;
        if ((r->kind == RECORD_EVENT && strcmp(r->event.user_id, user) == 0) ||
            (is_served(r) && same_id(r->served.user_id, user)))
            w->alive[i] = false;
    }
    for (size_t i = 0; i < w->user_count; i++)
        if (strcmp(w->user[i].id, user) == 0) {
            memmove(&w->user[i], &w->user[i + 1], (--w->user_count - i) * sizeof w->user[0]);
            return;
        }
}

static inline bool naive_repeated(const struct naive *w, const char *event_id)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->h->change[i].record.kind == RECORD_EVENT && w->alive[i] &&
            same_id(w->h->change[i].record.event.event_id, event_id))
            return true;
    return false;
}

static inline void naive_step(struct naive *w)
{
    const struct record *r = &w->h->change[w->n].record;
    struct naive_item *i;
    bool alive = false;
    switch (r->kind) {
    case RECORD_EVENT:
        alive = !naive_repeated(w, r->event.event_id);
        if (alive) {
            naive_item(w, r->event.item_id, true);
            naive_user(w, r->event.user_id);
        }
        break;
    case RECORD_ITEM:
        i = naive_item(w, r->item.item_id, true);
        i->row = &r->item;
        i->deleted = false;
        break;
    case RECORD_ITEM_DELETE:
        i = naive_item(w, r->id, false);
        if (i)
            i->deleted = true;
        break;
    case RECORD_USER:
        naive_user(w, r->user.user_id)->row = &r->user;
        break;
    case RECORD_USER_DELETE:
        naive_forget(w, r->id);
        break;
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        alive = true;
        break;
    case RECORD_CLEAR:
        memset(w->alive, 0, sizeof w->alive);
        w->item_count = w->user_count = 0;
        break;
    }
    w->alive[w->n++] = alive;
}

/* ---- Both as text ---- */

static inline const char *or_none(const char *s)
{
    return s ? s : "";
}

static inline void put_item(struct str *s, const struct item_row *i)
{
    str_fmt(s, "item %s|%s|%s|%s|%s|%d|%lld\n", i->item_id, or_none(i->title),
            or_none(i->categories), or_none(i->attributes), or_none(i->image_url), i->available,
            (long long)i->created_ms);
}

static inline void put_user(struct str *s, const struct user_row *u)
{
    str_fmt(s, "user %s|%s|%lld\n", u->user_id, or_none(u->attributes), (long long)u->created_ms);
}

static inline void put_event(struct str *s, const struct event *e)
{
    str_fmt(s, "event %s|%s|%s|%g|%lld|%s|%s\n", e->user_id, e->item_id, e->type, e->value,
            (long long)e->time_ms, or_none(e->event_id), or_none(e->recommendation_id));
}

static inline void put_served(struct str *s, const struct served_row *x)
{
    str_fmt(s, "served %s|%s|%lld|%s\n", x->recommendation_id, or_none(x->user_id),
            (long long)x->time_ms, x->list);
}

static inline void naive_text(const struct naive *w, struct str *s)
{
    size_t events = 0, served = 0, items = 0;
    for (size_t i = 0; i < w->item_count; i++) {
        struct item_row bare = {.item_id = w->item[i].id, .available = true};
        items += !w->item[i].deleted;
        if (!w->item[i].deleted)
            put_item(s, w->item[i].row ? w->item[i].row : &bare);
    }
    for (size_t i = 0; i < w->user_count; i++) {
        struct user_row bare = {.user_id = w->user[i].id};
        put_user(s, w->user[i].row ? w->user[i].row : &bare);
    }
    for (size_t i = 0; i < w->n; i++)
        if (w->alive[i] && w->h->change[i].record.kind == RECORD_EVENT) {
            events++;
            put_event(s, &w->h->change[i].record.event);
        }
    for (size_t i = w->n; i-- > 0;)
        if (w->alive[i] && is_served(&w->h->change[i].record)) {
            served++;
            put_served(s, &w->h->change[i].record.served);
        }
    str_fmt(s, "%zu items, %zu users, %zu events, %zu served, position %zu\n", items, w->user_count,
            events, served, w->n);
}

struct telling {
    struct str *s;
    uint64_t last; /* place */
    bool newest_first;
};

static inline enum pal_status tell_item(void *ctx, const struct item_row *i, struct pal_error *err)
{
    (void)err;
    put_item(ctx, i);
    return PAL_OK;
}

static inline enum pal_status tell_user(void *ctx, const struct user_row *u, struct pal_error *err)
{
    (void)err;
    put_user(ctx, u);
    return PAL_OK;
}

static inline enum pal_status tell_event(void *ctx, const struct stored_event *e,
                                         struct pal_error *err)
{
    struct telling *t = ctx;
    (void)err;
    if (t->last)
        assert_true(t->newest_first ? e->place < t->last : e->place > t->last);
    t->last = e->place;
    put_event(t->s, &e->event);
    return PAL_OK;
}

static inline enum pal_status tell_served(void *ctx, const struct served_row *x,
                                          struct pal_error *err)
{
    (void)err;
    put_served(ctx, x);
    return PAL_OK;
}

static inline void store_text(struct store *store, struct str *s)
{
    struct pal_error err;
    struct telling t = {.s = s};
    struct store_counts c;
    uint64_t position;
    assert_ok(store_items(store, tell_item, s, &err), &err);
    assert_ok(store_users(store, tell_user, s, &err), &err);
    assert_ok(store_events(store, 0, tell_event, &t, &err), &err);
    assert_ok(store_served(store, NULL, 0, tell_served, s, &err), &err);
    assert_ok(store_counts(store, &c, &err), &err);
    assert_ok(store_position(store, &position, &err), &err);
    str_fmt(s, "%zu items, %zu users, %zu events, %zu served, position %zu\n", (size_t)c.items,
            (size_t)c.users, (size_t)c.events, (size_t)c.served, (size_t)position);
}

static inline void assert_store_is(struct store *store, const struct naive *w)
{
    struct str is = {0}, expected = {0};
    store_text(store, &is);
    naive_text(w, &expected);
    assert_string_equal(str_text(&is), str_text(&expected));
    str_done(&is);
    str_done(&expected);
}

#endif
