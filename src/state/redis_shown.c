/* Lists that users were shown, in Redis; the scripts say how they lie there. */
#include "state/redis_inside.h"

#include <string.h>

enum pal_status redis_take_lists(const redisReply *members, struct arena *tmp,
                                 struct state_view *out, struct pal_error *err)
{
    out->lists = arena_alloc(tmp, members->elements, sizeof *out->lists);
    if (!out->lists)
        return pal_no_memory(err);
    for (size_t i = 0; i < members->elements; i++) {
        const redisReply *x = members->element[i];
        if (x->type != REDIS_REPLY_STRING)
            continue;
        char *copy = arena_text(tmp, x->str, (size_t)x->len);
        enum pal_status st =
            copy ? redis_list_decode(copy, (size_t)x->len, tmp, &out->lists[out->list_count], err)
                 : pal_no_memory(err);
        if (st == PAL_ENOMEM)
            return st;
        out->list_count += st == PAL_OK; /* or somebody else's */
    }
    return PAL_OK;
}

struct showing {
    const struct redis *r;
    struct arena *tmp;
    struct state_before *before;
};

/* A reply_fn: {0}, {1} or {1, the list before, members between}. */
static enum pal_status take_before(void *ctx, size_t i, const redisReply *reply,
                                   struct pal_error *err)
{
    struct showing *k = ctx;
    struct state_before *b = &k->before[i];
    *b = (struct state_before){.there = false};
    if (reply->type != REDIS_REPLY_ARRAY || (reply->elements != 1 && reply->elements != 3) ||
        reply->element[0]->type != REDIS_REPLY_INTEGER)
        return redis_odd(k->r, reply, err);
    b->there = reply->element[0]->integer == 1;
    if (reply->elements == 1)
        return PAL_OK;
    const redisReply *list = reply->element[1], *members = reply->element[2];
    if (list->type != REDIS_REPLY_STRING || members->type != REDIS_REPLY_ARRAY)
        return redis_odd(k->r, reply, err);
    char *copy = arena_text(k->tmp, list->str, (size_t)list->len);
    enum pal_status st = copy ? redis_list_decode(copy, (size_t)list->len, k->tmp, &b->list, err)
                              : pal_no_memory(err);
    if (st == PAL_EFORMAT)
        return PAL_OK; /* somebody else's */
    return st == PAL_OK ? redis_take_events(members, k->tmp, &b->events, &b->count, err) : st;
}

enum pal_status redis_show(struct state *s, const struct state_shown *shown, size_t count,
                           struct arena *tmp, struct state_before *before, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct showing k = {r, tmp, before};
    struct str list = {0};
    for (size_t i = 0; i < count; i++) {
        redis_user_script(r, &c, SCRIPT_SHOW, shown[i].user_id, 3);
        command_number(&c, STATE_LISTS);
        command_number(&c, (uint64_t)shown[i].list.time_ms);
        str_clear(&list);
        redis_list_encode(&shown[i].list, &list);
        command_word(&c, str_text(&list), list.len);
    }
    c.bytes.failed = c.bytes.failed || !str_ok(&list);
    str_done(&list);
    return redis_call(r, &c, count, take_before, &k, err);
}
