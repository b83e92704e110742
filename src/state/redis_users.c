/* Users' events in Redis; the scripts say how they lie there. */
#include "state/redis_inside.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FILL_AT_ONCE = 500, SWEEP_AT_ONCE = 1000, SWEEPS = 20 /* in one state_mend */ };

void redis_user_script(const struct redis *r, struct commands *c, enum redis_script script,
                       const char *user_id, size_t more)
{
    struct str key = {0};
    command_script(r, c, script, 3, 4 + more);
    str_fmt(&key, "%s:u:%s", r->url.prefix, user_id);
    command_word(c, str_text(&key), key.len);
    command_word(c, str_text(&r->meta), r->meta.len);
    str_clear(&key);
    str_fmt(&key, "%s:s:%s", r->url.prefix, user_id);
    command_word(c, str_text(&key), key.len);
    command_number(c, (uint64_t)r->ttl_ms);
    c->bytes.failed = c->bytes.failed || !str_ok(&key);
    str_done(&key);
}

/* Identity and member of an event, as two words. */
static void put_event(struct commands *c, const struct event *e, struct str *tmp)
{
    str_clear(tmp);
    redis_event_identity(e, tmp);
    command_word(c, str_text(tmp), tmp->len);
    str_clear(tmp);
    redis_event_encode(e, tmp);
    command_word(c, str_text(tmp), tmp->len);
    c->bytes.failed = c->bytes.failed || !str_ok(tmp);
}

/* Events and their ids. */
static uint64_t members_most(const struct redis *r)
{
    return 2 * (uint64_t)r->keep;
}

/* ---- Looking ---- */

struct looking {
    struct redis *r;
    struct arena *tmp;
    struct state_view *out;
};

static bool is_number(const redisReply *x)
{
    return x->type == REDIS_REPLY_STRING && x->len > 0 &&
           strspn(x->str, "0123456789") == (size_t)x->len;
}

enum pal_status redis_take_events(const redisReply *members, struct arena *tmp,
                                  struct event **events, size_t *count, struct pal_error *err)
{
    size_t n = 0;
    *events = arena_alloc(tmp, members->elements, sizeof **events);
    if (!*events)
        return pal_no_memory(err);
    for (size_t i = 0; i < members->elements; i++) {
        const redisReply *x = members->element[i];
        size_t size = x->type == REDIS_REPLY_STRING ? (size_t)x->len : 0;
        struct event seen;
        if (!size || !redis_event_decode(x->str, size, &seen))
            continue; /* the id of an event */
        char *copy = arena_text(tmp, x->str, size);
        if (!copy)
            return pal_no_memory(err);
        if (redis_event_decode(copy, size, &(*events)[n]))
            n++;
    }
    *count = n;
    return PAL_OK;
}

/* A reply_fn: {found, born, at, events, lists}. */
static enum pal_status take_look(void *ctx, size_t i, const redisReply *reply,
                                 struct pal_error *err)
{
    struct looking *k = ctx;
    struct state_view v = {0};
    const bool whole = reply->type == REDIS_REPLY_ARRAY && reply->elements >= 3;
    if (!whole || reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[0]->integer < 0 || reply->element[0]->integer >= STATE_FOUNDS ||
        !is_number(reply->element[1]) || !is_number(reply->element[2]))
        return redis_odd(k->r, reply, err);
    v.found = (enum state_found)reply->element[0]->integer;
    v.version.born = strtoull(reply->element[1]->str, NULL, 10);
    v.version.at = strtoull(reply->element[2]->str, NULL, 10);
    enum pal_status st = PAL_OK;
    if (v.found == STATE_NONE) {
        v.token = v.version.born;
        v.version = (struct state_version){0};
    } else if (v.found != STATE_SAME) {
        if (reply->elements != 5 || reply->element[3]->type != REDIS_REPLY_ARRAY ||
            reply->element[4]->type != REDIS_REPLY_ARRAY)
            return redis_odd(k->r, reply, err);
        st = redis_take_events(reply->element[3], k->tmp, &v.events, &v.count, err);
        if (st == PAL_OK)
            st = redis_take_lists(reply->element[4], k->tmp, &v, err);
    }
    if (st == PAL_OK)
        *k->out = v;
    return st;
}

enum pal_status redis_look(struct state *s, const char *user_id, const struct state_version *known,
                           struct arena *tmp, struct state_view *out, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct looking k = {r, tmp, out};
    redis_user_script(r, &c, SCRIPT_LOOK, user_id, 2);
    command_number(&c, known->born);
    command_number(&c, known->at);
    enum pal_status st = redis_call(r, &c, 0, take_look, &k, err);
    if (st == PAL_OK)
        atomic_fetch_add_explicit(&r->found[out->found], 1, memory_order_relaxed);
    return st;
}

/* ---- Filling ---- */

/* A reply_fn: 1 = it was taken. */
static enum pal_status take_filled(void *ctx, size_t i, const redisReply *reply,
                                   struct pal_error *err)
{
    bool *filled = ctx;
    *filled = *filled && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    return PAL_OK;
}

enum pal_status redis_fill(struct state *s, const char *user_id, uint64_t token,
                           const struct event *events, size_t count, bool *filled,
                           struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct str tmp = {0};
    size_t from = 0;
    do {
        size_t n = count - from < FILL_AT_ONCE ? count - from : FILL_AT_ONCE;
        redis_user_script(r, &c, SCRIPT_FILL, user_id, 3 + 2 * n);
        command_number(&c, members_most(r));
        command_number(&c, token);
        command_text(&c, from + n == count ? "1" : "0");
        for (size_t i = from; i < from + n; i++)
            put_event(&c, &events[i], &tmp);
        from += n;
    } while (from < count);
    str_done(&tmp);
    *filled = true;
    return redis_call(r, &c, count, take_filled, filled, err);
}

/* ---- Changing ---- */

enum pal_status redis_add(struct state *s, const struct event *const *events, size_t count,
                          bool known_only, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct str tmp = {0};
    for (size_t i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && n < FILL_AT_ONCE; n++)
            if (strcmp(events[i + n]->user_id, events[i]->user_id) != 0)
                break;
        redis_user_script(r, &c, SCRIPT_ADD, events[i]->user_id, 2 + 2 * n);
        command_number(&c, members_most(r));
        command_text(&c, known_only ? "1" : "0");
        for (size_t j = i; j < i + n; j++)
            put_event(&c, events[j], &tmp);
    }
    str_done(&tmp);
    return redis_call(r, &c, count, NULL, NULL, err);
}

static enum pal_status each(struct redis *r, enum redis_script script, const char *const *users,
                            size_t count, const char *how, struct pal_error *err)
{
    struct commands c = {0};
    for (size_t i = 0; i < count; i++) {
        redis_user_script(r, &c, script, users[i], 1);
        command_text(&c, how);
    }
    return redis_call(r, &c, count, NULL, NULL, err);
}

enum pal_status redis_erase(struct state *s, const char *const *users, size_t count, bool stored,
                            struct pal_error *err)
{
    return each((struct redis *)s, SCRIPT_ERASE, users, count, stored ? "1" : "0", err);
}

/* Users who are forgotten for want of memory of what was missed are told by another instance: who
 * has events of theirs that are not stored adds them again. */
static enum pal_status renew(struct redis *r, const char *field, const char *other,
                             struct pal_error *err)
{
    struct commands c = {0};
    command_script(r, &c, SCRIPT_RENEW, 1, other ? 3 : 2);
    command_word(&c, str_text(&r->meta), r->meta.len);
    command_text(&c, field);
    if (other)
        command_text(&c, other);
    return redis_call(r, &c, 0, NULL, NULL, err);
}

enum pal_status redis_doubt(struct state *s, const char *const *users, size_t count,
                            struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    return users ? each(r, SCRIPT_DOUBT, users, count, "", err) : renew(r, "doubt", NULL, err);
}

/* ---- After a clearing ---- */

struct sweeping {
    struct redis *r;
    struct commands next; /* for the keys that were found */
};

/* A key of events or of lists. */
static void sweep_one(struct sweeping *s, const redisReply *key)
{
    size_t before = strlen(s->r->url.prefix) + strlen(":u:");
    if ((size_t)key->len > before)
        redis_user_script(s->r, &s->next, SCRIPT_SWEEP, key->str + before, 0);
}

/* A reply_fn: {cursor, keys}. */
static enum pal_status take_keys(void *ctx, size_t i, const redisReply *reply,
                                 struct pal_error *err)
{
    struct sweeping *s = ctx;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !is_number(reply->element[0]) ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return redis_odd(s->r, reply, err);
    const redisReply *keys = reply->element[1];
    s->r->swept = strtoull(reply->element[0]->str, NULL, 10);
    for (size_t k = 0; k < keys->elements; k++)
        if (keys->element[k]->type == REDIS_REPLY_STRING)
            sweep_one(s, keys->element[k]);
    return PAL_OK;
}

enum pal_status redis_sweep(struct redis *r, struct pal_error *err)
{
    struct sweeping s = {.r = r};
    enum pal_status st = PAL_OK;
    for (int round = 0; round < SWEEPS && atomic_load(&r->sweeping) && st == PAL_OK; round++) {
        struct commands c = {0};
        struct str match = {0};
        command_begin(&c, 6);
        command_text(&c, "SCAN");
        command_number(&c, r->swept);
        command_text(&c, "MATCH");
        str_fmt(&match, "%s:[us]:*", r->url.prefix);
        command_word(&c, str_text(&match), match.len);
        command_text(&c, "COUNT");
        command_number(&c, SWEEP_AT_ONCE);
        c.bytes.failed = c.bytes.failed || !str_ok(&match);
        str_done(&match);
        st = redis_call(r, &c, SWEEP_AT_ONCE, take_keys, &s, err);
        size_t found = s.next.count;
        if (st == PAL_OK && found)
            st = redis_call(r, &s.next, found, NULL, NULL, err);
        else
            str_done(&s.next.bytes);
        s.next = (struct commands){0};
        if (st == PAL_OK && r->swept == 0)
            atomic_store(&r->sweeping, false);
    }
    return st;
}

enum pal_status redis_clear(struct state *s, bool counts, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    enum pal_status st = renew(r, "clear", counts ? "counts" : "instance", err);
    if (st == PAL_OK)
        atomic_store(&r->sweeping, true);
    return st;
}
