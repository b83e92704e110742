/* Lists that were shown, together. Whoever shows one to a user puts it into the shared state, in
 * batches, some moments later, and learns which list was the last before it and what the user did
 * in between: so each list that was ignored is counted once, by the one who showed the next, and
 * every process finds all of them in what it reads of the user (shared_read.c). What the state does
 * not take is not counted. */
#include "engine/live_inside.h"

#include "base/mem.h"

#include <string.h>

enum { TEXTS_MOST = 4 << 20, AT_ONCE = 500 };

/* ---- What waits ---- */

void shared_shown(struct live *l, const char *user_id, const char *id, const uint32_t *items,
                  size_t n, int64_t now_ms)
{
    struct shared_lists *q = &l->shared->lists;
    n = n < STATE_LIST_MOST ? n : STATE_LIST_MOST;
    pthread_mutex_lock(&q->lock);
    size_t before = q->texts.len;
    bool room = before < TEXTS_MOST && !mem_grow(&q->list, &q->cap, q->count + 1, sizeof *q->list);
    if (room) {
        str_add(&q->texts, user_id, strlen(user_id) + 1);
        str_add(&q->texts, id, strlen(id) + 1);
        for (size_t i = 0; i < n; i++) {
            const char *item = intern_text(catalog_ids(l->catalog), items[i]);
            str_add(&q->texts, item, strlen(item) + 1);
        }
        room = str_ok(&q->texts);
        q->texts.failed = false;
    }
    if (room)
        q->list[q->count++] = (struct shared_list){before, n, now_ms};
    else
        q->texts.len = before;
    pthread_mutex_unlock(&q->lock);
}

void shared_lists_forget(struct live *l, const char *user_id)
{
    struct shared_lists *q = l->shared ? &l->shared->lists : NULL;
    size_t kept = 0;
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->count; i++)
        if (user_id && strcmp(q->texts.text + q->list[i].at, user_id) != 0)
            q->list[kept++] = q->list[i];
    q->count = kept;
    pthread_mutex_unlock(&q->lock);
}

void shared_lists_done(struct shared_lists *q)
{
    str_done(&q->texts);
    mem_free(q->list);
    *q = (struct shared_lists){.lock = PTHREAD_MUTEX_INITIALIZER};
}

/* What waits is taken out. */
static struct shared_lists take(struct shared_lists *q)
{
    struct shared_lists taken = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_lock(&q->lock);
    taken.texts = q->texts;
    taken.list = q->list;
    taken.count = q->count;
    q->texts = (struct str){0};
    q->list = NULL;
    q->count = q->cap = 0;
    pthread_mutex_unlock(&q->lock);
    return taken;
}

/* ---- Counting what was ignored ---- */

static size_t numbers_of(struct live *l, const struct state_list *list, uint32_t *number)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count && i < SERVED_MOST; i++) {
        number[n] = catalog_find(l->catalog, list->items[i]);
        n += number[n] != INTERN_NONE;
    }
    return n;
}

/* Of the list before this one, what nothing was done with in between. */
static void count_before(struct live *l, const struct state_list *list,
                         const struct state_before *before)
{
    const struct ignoring how = live_ignoring(l);
    uint32_t number[SERVED_MOST], ignored[SERVED_MOST];
    struct profile p = {.dirty = true};
    float amount = 0;
    live_read_lock(l);
    size_t n = numbers_of(l, &before->list, number);
    profile_serve(&p, number, n, before->list.time_ms, &how, ignored, &amount);
    for (size_t i = 0; i < before->count; i++)
        profile_act(&p, catalog_find(l->catalog, before->events[i].item_id));
    n = numbers_of(l, list, number);
    n = profile_serve(&p, number, n, list->time_ms, &how, ignored, &amount);
    served_ignored(l, ignored, n, amount, list->time_ms);
    live_unlock(l);
    profile_done(&p);
}

/* Lists [from, to) of those that were taken, as the state wants them. */
static struct state_shown *make_shown(const struct shared_lists *q, size_t from, size_t to,
                                      struct arena *tmp)
{
    struct state_shown *shown = arena_alloc(tmp, to - from, sizeof *shown);
    for (size_t i = from; i < to && shown; i++) {
        const struct shared_list *x = &q->list[i];
        const char **items = arena_alloc(tmp, x->count, sizeof *items);
        const char *user = q->texts.text + x->at, *id = user + strlen(user) + 1, *p = id;
        if (!items)
            return NULL;
        for (size_t k = 0; k < x->count; k++)
            items[k] = p += strlen(p) + 1;
        shown[i - from] = (struct state_shown){user, {id, x->time_ms, items, x->count}};
    }
    return shown;
}

void shared_lists_send(struct shared *s)
{
    struct shared_lists q = take(&s->lists);
    struct arena tmp;
    struct pal_error err;
    enum pal_status st = PAL_OK;
    arena_init(&tmp);
    for (size_t from = 0, n; from < q.count && st == PAL_OK; from += n) {
        n = q.count - from < AT_ONCE ? q.count - from : AT_ONCE;
        struct state_shown *shown = make_shown(&q, from, from + n, &tmp);
        struct state_before *before = arena_zero(&tmp, n, sizeof *before);
        if (shown && before)
            st = state_show(s->state, shown, n, &tmp, before, &err);
        else
            st = pal_no_memory(&err);
        for (size_t i = 0; i < n && st == PAL_OK; i++)
            if (before[i].there && before[i].list.count)
                count_before(s->l, &shown[i].list, &before[i]);
        arena_reset(&tmp);
    }
    if (st != PAL_OK)
        shared_fails(s, &err);
    arena_done(&tmp);
    shared_lists_done(&q);
}
