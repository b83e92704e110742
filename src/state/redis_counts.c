/* What the bandit counted, in Redis; the scripts say how it lies there. */
#include "state/redis_inside.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DAY_MS 86400e3

enum { LOCK_MS = 60000, SUMS_MOST = 200 };

static void put_days(struct commands *c, double days)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", days * DAY_MS);
    command_text(c, text);
}

/* EVALSHA of one of the scripts, up to and with the half-lives; `more` words follow. */
static void begin(const struct redis *r, struct commands *c, enum redis_script script,
                  const struct state_fading *f, size_t more)
{
    static const char *const names[] = {"sums", "changed", "meta", "lock"};
    enum { NAMES = sizeof names / sizeof names[0] };
    struct str key = {0};
    uint64_t hash = XXH3_64bits(f, sizeof *f);
    command_script(r, c, script, NAMES + 1, NAMES + 4 + more);
    for (size_t i = 0; i < NAMES; i++) {
        str_clear(&key);
        str_fmt(&key, "%s:c:%016llx:%s", r->url.prefix, (unsigned long long)hash, names[i]);
        command_word(c, str_text(&key), key.len);
    }
    command_word(c, str_text(&r->meta), r->meta.len);
    put_days(c, f->reward);
    put_days(c, f->popular);
    put_days(c, f->recent);
    c->bytes.failed = c->bytes.failed || !str_ok(&key);
    str_done(&key);
}

static void put_counts(struct commands *c, const struct state_count *counts, size_t count)
{
    char text[SUMS_MOST];
    for (size_t i = 0; i < count; i++) {
        const struct state_sums *x = &counts[i].sums;
        command_text(c, counts[i].item_id);
        snprintf(text, sizeof text, "%.17g %.17g %.17g %.17g %lld", x->success, x->failure,
                 x->popular, x->recent, (long long)x->last_ms);
        command_text(c, text);
    }
}

/* ---- Adding ---- */

struct answer {
    const struct redis *r;
    uint64_t number;
};

/* A reply_fn: a number, as such or as a text. */
static enum pal_status take_number(void *ctx, size_t i, const redisReply *reply,
                                   struct pal_error *err)
{
    struct answer *a = ctx;
    if (reply->type == REDIS_REPLY_INTEGER)
        a->number = (uint64_t)reply->integer;
    else if (reply->type == REDIS_REPLY_STRING)
        a->number = strtoull(reply->str, NULL, 10);
    else
        return redis_odd(a->r, reply, err);
    return PAL_OK;
}

enum pal_status redis_count_up(struct state *s, const struct state_fading *f, uint64_t generation,
                               const char *who, uint64_t batch, uint64_t seq,
                               const struct state_count *counts, size_t count, bool *taken,
                               struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct answer a = {.r = r};
    begin(r, &c, SCRIPT_COUNT_UP, f, 4 + 2 * count);
    command_number(&c, generation);
    command_text(&c, who);
    command_number(&c, batch);
    command_number(&c, seq);
    put_counts(&c, counts, count);
    enum pal_status st = redis_call(r, &c, count, take_number, &a, err);
    if (st == PAL_OK)
        *taken = a.number == 1;
    return st;
}

enum pal_status redis_count_lock(struct state *s, const struct state_fading *f, const char *who,
                                 bool *mine, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct answer a = {.r = r};
    begin(r, &c, SCRIPT_COUNT_LOCK, f, 2);
    command_text(&c, who);
    command_number(&c, LOCK_MS);
    enum pal_status st = redis_call(r, &c, 0, take_number, &a, err);
    if (st == PAL_OK)
        *mine = a.number == 1;
    return st;
}

enum pal_status redis_count_put(struct state *s, const struct state_fading *f, const char *who,
                                uint64_t batch, uint64_t seq, const struct state_count *counts,
                                size_t count, bool last, uint64_t *generation,
                                struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct answer a = {.r = r};
    begin(r, &c, SCRIPT_COUNT_PUT, f, 4 + 2 * count);
    command_text(&c, who);
    command_number(&c, batch);
    command_number(&c, seq);
    command_text(&c, last ? "1" : "0");
    put_counts(&c, counts, count);
    enum pal_status st = redis_call(r, &c, count, take_number, &a, err);
    if (st == PAL_OK)
        *generation = a.number;
    return st;
}

/* ---- Reading ---- */

struct reading {
    struct redis *r;
    struct arena *tmp;
    struct state_counts *out;
};

static bool read_sums(const redisReply *x, struct state_sums *out)
{
    struct state_sums s;
    long long time_ms;
    if (x->type != REDIS_REPLY_STRING || sscanf(x->str, "%lf %lf %lf %lf %lld", &s.success,
                                                &s.failure, &s.popular, &s.recent, &time_ms) != 5)
        return false;
    s.last_ms = time_ms;
    *out = s;
    return isfinite(s.success) && isfinite(s.failure) && isfinite(s.popular) &&
           isfinite(s.recent) && s.success >= 0 && s.failure >= 0 && s.popular >= 0 &&
           s.recent >= 0;
}

static uint64_t number(const redisReply *x)
{
    return x->type == REDIS_REPLY_STRING ? strtoull(x->str, NULL, 10) : 0;
}

/* A reply_fn: {generation, batch, seq, mark, item, sums, item, sums…}. */
static enum pal_status take_counts(void *ctx, size_t at, const redisReply *reply,
                                   struct pal_error *err)
{
    struct reading *k = ctx;
    struct state_counts out = {0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 4 || reply->elements % 2)
        return redis_odd(k->r, reply, err);
    out.generation = number(reply->element[0]);
    out.batch = number(reply->element[1]);
    out.seq = number(reply->element[2]);
    out.mark = number(reply->element[3]);
    out.counts = arena_alloc(k->tmp, (reply->elements - 4) / 2, sizeof *out.counts);
    if (!out.counts)
        return pal_no_memory(err);
    for (size_t i = 4; i < reply->elements; i += 2) {
        struct state_count *c = &out.counts[out.count];
        const redisReply *id = reply->element[i];
        if (id->type != REDIS_REPLY_STRING || !id->len || id->len > RECORD_ID_MOST ||
            !read_sums(reply->element[i + 1], &c->sums))
            continue;
        c->item_id = arena_text(k->tmp, id->str, (size_t)id->len);
        if (!c->item_id)
            return pal_no_memory(err);
        out.count++;
    }
    *k->out = out;
    return PAL_OK;
}

enum pal_status redis_counted(struct state *s, const struct state_fading *f, const char *who,
                              uint64_t generation, uint64_t mark, size_t most, struct arena *tmp,
                              struct state_counts *out, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    struct reading k = {r, tmp, out};
    begin(r, &c, SCRIPT_COUNTED, f, 4);
    command_text(&c, who);
    command_number(&c, generation);
    command_number(&c, mark);
    command_number(&c, most);
    return redis_call(r, &c, most, take_counts, &k, err);
}
