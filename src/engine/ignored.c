/* See ignored.h. The note is {"item_id": [amount, time_ms], …}. */
#include "engine/live_inside.h"

#include "base/emit.h"
#include "base/mem.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOTE "bandit.ignored"

enum { IDS_AT_ONCE = 2048, DAY_MS = 86400000 };

/* What is left of an amount after so long; one that lies in the future is whole. */
static double faded(const struct live *l, double amount, int64_t age_ms)
{
    double half_life = l->config.bandit.half_life_days * DAY_MS;
    return half_life > 0 && age_ms > 0 ? amount * exp2(-(double)age_ms / half_life) : amount;
}

/* Under the lock. */
static void add(struct live *l, uint32_t number, float amount, int64_t time_ms)
{
    struct ignored *g = &l->ignored;
    if (mem_grow(&g->item, &g->cap, (size_t)number + 1, sizeof *g->item))
        return;
    while (g->count <= number)
        g->item[g->count++] = (struct ignored_sum){0};
    struct ignored_sum *s = &g->item[number];
    int64_t then = s->time_ms > time_ms ? s->time_ms : time_ms;
    s->amount = (float)(faded(l, (double)s->amount, then - s->time_ms) +
                        faded(l, (double)amount, then - time_ms));
    s->time_ms = then;
    g->changed = true;
}

void ignored_add(struct live *l, const uint32_t *items, size_t n, float amount, int64_t time_ms)
{
    pthread_mutex_lock(&l->ignored.lock);
    for (size_t i = 0; i < n; i++)
        if (items[i] < l->ignored.count)
            __builtin_prefetch(&l->ignored.item[items[i]], 1);
    for (size_t i = 0; i < n; i++)
        add(l, items[i], amount, time_ms);
    pthread_mutex_unlock(&l->ignored.lock);
}

void ignored_clear(struct live *l)
{
    pthread_mutex_lock(&l->ignored.lock);
    l->ignored.count = 0;
    l->ignored.changed = false;
    pthread_mutex_unlock(&l->ignored.lock);
}

void ignored_clear_note(struct live *l)
{
    struct pal_error err;
    if (store_put_note(l->store, NOTE, "{}", &err) != PAL_OK)
        live_say(l, LIVE_WARNING, "a note of what was ignored is left: %s", err.message);
}

/* Items [from, to) of the copy, appended; false if everything was forgotten meanwhile. */
static bool put_some(struct live *l, uint64_t epoch, const struct ignored_sum *item, size_t from,
                     size_t to, struct str *out)
{
    live_read_lock(l);
    bool same = l->epoch == epoch;
    for (size_t i = from; same && i < to; i++) {
        if (!(item[i].amount > 0))
            continue;
        if (out->len > 1)
            str_char(out, ',');
        emit_quoted(out, intern_text(catalog_ids(l->catalog), (uint32_t)i));
        str_put(out, ":[");
        str_real(out, (double)item[i].amount);
        str_fmt(out, ",%lld]", (long long)item[i].time_ms);
    }
    live_unlock(l);
    return same;
}

void ignored_save(struct live *l)
{
    struct ignored *g = &l->ignored;
    struct pal_error err;
    struct str out = {0};
    bool same = true;
    live_read_lock(l);
    uint64_t epoch = l->epoch;
    pthread_mutex_lock(&g->lock);
    size_t count = g->changed ? g->count : 0;
    struct ignored_sum *copy = mem_alloc(count, sizeof *copy);
    if (copy && count)
        memcpy(copy, g->item, count * sizeof *copy);
    g->changed = g->changed && !copy;
    pthread_mutex_unlock(&g->lock);
    live_unlock(l);
    str_char(&out, '{');
    for (size_t i = 0; copy && same && i < count; i += IDS_AT_ONCE)
        same = put_some(l, epoch, copy, i, count - i > IDS_AT_ONCE ? i + IDS_AT_ONCE : count, &out);
    str_char(&out, '}');
    if (copy && count && same && str_ok(&out) &&
        store_put_note(l->store, NOTE, str_text(&out), &err) != PAL_OK) {
        pthread_mutex_lock(&g->lock);
        g->changed = true; /* the next time, then */
        pthread_mutex_unlock(&g->lock);
    }
    mem_free(copy);
    str_done(&out);
}

static void restore_one(struct live *l, uint64_t epoch, const char *id, const json_t *sum)
{
    struct pal_error ignored;
    double amount = json_number_value(json_array_get(sum, 0));
    int64_t time_ms = json_integer_value(json_array_get(sum, 1));
    if (!(amount > 0) || amount > 1e9 || time_ms < 0)
        return;
    live_read_lock(l);
    uint32_t number = l->epoch == epoch ? catalog_find(l->catalog, id) : INTERN_NONE;
    if (number != INTERN_NONE &&
        bandit_count(l->bandit, number, -(float)amount, true, time_ms, &ignored) == PAL_OK)
        ignored_add(l, &number, 1, (float)amount, time_ms);
    live_unlock(l);
}

void ignored_restore(struct live *l, uint64_t epoch)
{
    char *text = NULL;
    struct pal_error none;
    const char *id;
    json_t *sum;
    if (store_note(l->store, NOTE, &text, &none) != PAL_OK)
        return;
    json_t *all = json_loads(text, 0, NULL);
    json_object_foreach(all, id, sum) restore_one(l, epoch, id, sum);
    json_decref(all);
    mem_free(text);
}
