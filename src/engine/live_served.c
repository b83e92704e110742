/* Lists that were served: kept in the journal, without making anybody wait, and compared with what
 * the user does next. */
#include "engine/live_inside.h"

#include "base/mem.h"
#include "data/served.h"

#include <jansson.h>
#include <string.h>

enum {
    SPARE_MOST = 1 << 20,  /* bytes of memory that is kept from one flush to the next */
    QUEUE_MOST = 16 << 20, /* bytes that wait for the journal; what is more is lost, and counted */
    LISTS_LOADED = 16,
};

/* ---- The queue ---- */

static uint8_t packed_kind(const struct live *l)
{
    return RECORD_SERVED_PACKED | (l->dated ? RECORD_DATED : 0);
}

/* The record, which has no list yet, and behind it the list, packed where it is to lie. */
static bool enqueue(struct live *l, const struct record *r, const struct served_item *items,
                    size_t count)
{
    struct served_queue *q = &l->served;
    struct served_lists *to = &q->lists;
    pthread_mutex_lock(&q->lock);
    size_t before = to->bytes.len;
    bool room =
        before < QUEUE_MOST && !mem_grow(&to->size, &to->cap, to->count + 1, sizeof *to->size);
    if (room) {
        if (l->dated)
            record_date(r->served.time_ms, &to->bytes);
        record_encode(r, &to->bytes);
        served_pack(items, count, &to->bytes);
        room = str_ok(&to->bytes);
        to->bytes.failed = false;
        if (room)
            to->size[to->count++] = to->bytes.len - before;
        else
            to->bytes.len = before;
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

/* What waits is taken out of the queue. */
static struct served_lists take(struct served_queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct served_lists taken = q->lists;
    q->lists = q->spare;
    q->spare = (struct served_lists){0};
    pthread_mutex_unlock(&q->lock);
    return taken;
}

static void free_lists(struct served_lists *x)
{
    mem_free(x->size);
    str_done(&x->bytes);
}

/* Its memory is for those who come after the next flush: grown anew ten times a second it would
 * cost more than what is written into it. */
static void give_back(struct served_queue *q, struct served_lists *taken)
{
    taken->count = 0;
    str_clear(&taken->bytes);
    pthread_mutex_lock(&q->lock);
    if (!q->spare.bytes.cap && taken->bytes.cap <= SPARE_MOST) {
        struct served_lists none = q->spare;
        q->spare = *taken;
        *taken = none;
    }
    pthread_mutex_unlock(&q->lock);
    free_lists(taken);
}

void served_done(struct served_queue *q)
{
    free_lists(&q->lists);
    free_lists(&q->spare);
}

struct flush {
    struct live *l;
    bool *done; /* under writes_lock; NULL = nobody waits */
};

/* A journal_done_fn. */
static void flushed(void *ctx, enum pal_status st, uint64_t first, size_t count,
                    const struct pal_error *err)
{
    struct flush *f = ctx;
    if (st == PAL_OK)
        drain_committed(&f->l->drain, first + count - 1);
    else
        atomic_fetch_add(&f->l->served.lost, count);
    if (f->done) {
        pthread_mutex_lock(&f->l->writes_lock);
        *f->done = true;
        pthread_cond_broadcast(&f->l->writes_done);
        pthread_mutex_unlock(&f->l->writes_lock);
    }
    live_write_ended(f->l);
    mem_free(f);
}

/* Takes what waits and submits it. *submitted: there was something. */
static enum pal_status submit(struct live *l, bool *done, bool *submitted)
{
    struct served_lists q = take(&l->served);
    struct pal_error err;
    struct journal_record *records = NULL;
    struct flush *f = NULL;
    enum pal_status st = PAL_OK;
    *submitted = q.count;
    if (!q.count) /* what waited was forgotten; its room is still there */
        goto done;
    records = mem_alloc(q.count, sizeof *records);
    f = mem_alloc(1, sizeof *f);
    st = records && f ? PAL_OK : pal_no_memory(&err);
    const char *at = str_text(&q.bytes);
    for (size_t i = 0; st == PAL_OK && i < q.count; at += q.size[i++])
        records[i] = (struct journal_record){packed_kind(l), at, q.size[i]};
    if (st == PAL_OK) {
        *f = (struct flush){l, done};
        live_write_began(l);
        st = journal_submit(l->journal, records, q.count, flushed, f, &err);
        if (st != PAL_OK)
            live_write_ended(l);
    }
    if (st != PAL_OK) {
        atomic_fetch_add(&l->served.lost, q.count);
        mem_free(f);
    }
done:
    mem_free(records);
    give_back(&l->served, &q);
    return st;
}

void served_flush(struct live *l, bool wait)
{
    bool done = false, submitted = false;
    enum pal_status st = PAL_OK;
    pthread_mutex_lock(&l->served.order);
    while (wait && atomic_load(&l->served.erasing)) { /* erasures end soon, one way or the other */
        pthread_mutex_unlock(&l->served.order);
        pthread_mutex_lock(&l->writes_lock);
        while (atomic_load(&l->served.erasing))
            pthread_cond_wait(&l->writes_done, &l->writes_lock);
        pthread_mutex_unlock(&l->writes_lock);
        pthread_mutex_lock(&l->served.order);
    }
    if (!atomic_load(&l->served.erasing))
        st = submit(l, wait ? &done : NULL, &submitted);
    pthread_mutex_unlock(&l->served.order);
    if (st != PAL_OK || !submitted || !wait)
        return;
    pthread_mutex_lock(&l->writes_lock);
    while (!done)
        pthread_cond_wait(&l->writes_done, &l->writes_lock);
    pthread_mutex_unlock(&l->writes_lock);
}

void served_forget(struct live *l, const char *user_id)
{
    struct served_lists *q = &l->served.lists;
    struct record r;
    size_t from = 0, to = 0, kept = 0;
    pthread_mutex_lock(&l->served.lock);
    for (size_t i = 0; i < q->count; from += q->size[i++]) {
        size_t size = q->size[i];
        if (!user_id ||
            (record_decode(packed_kind(l), q->bytes.text + from, size, &r, NULL) == PAL_OK &&
             strcmp(r.served.user_id, user_id) == 0))
            continue;
        memmove(q->bytes.text + to, q->bytes.text + from, size);
        to += size;
        q->size[kept++] = size; /* kept <= i */
    }
    q->count = kept;
    q->bytes.len = to;
    pthread_mutex_unlock(&l->served.lock);
}

/* ---- After an answer ---- */

struct ignoring live_ignoring(const struct live *l)
{
    return (struct ignoring){(size_t)l->config.live.profile_ignored,
                             l->config.engine.ignored_days * 86400e3};
}

void served_ignored(struct live *l, const uint32_t *items, size_t count, float amount,
                    int64_t time_ms)
{
    float weight = -(float)l->config.bandit.ignored * amount;
    uint32_t counted[SERVED_MOST];
    struct pal_error err;
    size_t n = 0;
    if (!(weight < 0))
        return;
    for (size_t i = 0; i < count && l->bandit; i++)
        bandit_prefetch(l->bandit, items[i]);
    for (size_t i = 0; i < count; i++) {
        if (shared_count(l, intern_text(catalog_ids(l->catalog), items[i]), items[i], weight, true,
                         time_ms, 0, &err) == PAL_OK)
            counted[n++] = items[i];
        if (n == SERVED_MOST || i + 1 == count) {
            ignored_add(l, counted, n, -weight, time_ms);
            n = 0;
        }
    }
}

void served_compare(struct live *l, struct profiles *p, const char *user_id, const char *id,
                    const uint32_t *items, size_t n, int64_t now_ms)
{
    uint32_t ignored[SERVED_MOST];
    float amount = 0;
    if (l->shared && p == l->shared->views) {
        shared_shown(l, user_id, id, items, n, now_ms);
        return;
    }
    size_t count = profiles_serve(p, user_id, items, n, now_ms, ignored, &amount);
    served_ignored(l, ignored, count, amount, now_ms);
}

void served_note(struct live *l, const char *user_id, const struct live_answer *a, int64_t now_ms,
                 struct arena *tmp)
{
    if (!l->config.live.served || !a->count)
        return;
    struct served_item *item = arena_alloc(tmp, a->count, sizeof *item);
    for (size_t i = 0; item && i < a->count; i++)
        item[i] = (struct served_item){.item_id = a->items[i].row.item_id,
                                       .source = a->items[i].source,
                                       .score = a->items[i].score,
                                       .propensity = a->items[i].propensity,
                                       .explored = a->items[i].explored};
    const struct record r = {.kind = RECORD_SERVED_PACKED,
                             .served = {.recommendation_id = a->recommendation_id,
                                        .user_id = user_id,
                                        .time_ms = now_ms}};
    if (!item || !enqueue(l, &r, item, a->count))
        atomic_fetch_add(&l->served.lost, 1);
}

/* ---- Out of the store again ---- */

struct telling {
    profile_list_fn *fn;
    void *ctx;
};

/* A store_served_fn. What is no list of items is passed over. */
static enum pal_status tell_list(void *ctx, const struct served_row *x, struct pal_error *err)
{
    const struct telling *t = ctx;
    const char *id[SERVED_MOST];
    size_t n = 0, i;
    json_t *list = json_loads(x->list ? x->list : "", 0, NULL), *item;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(json_object_get(item, "item_id"));
        if (text && n < SERVED_MOST)
            id[n++] = text;
    }
    enum pal_status st = t->fn(t->ctx, x->time_ms, id, n, err);
    json_decref(list);
    return st;
}

enum pal_status served_lists(struct live *l, const char *user_id, profile_list_fn *fn, void *fn_ctx,
                             struct pal_error *err)
{
    struct telling t = {fn, fn_ctx};
    return store_served(l->store, user_id, LISTS_LOADED, tell_list, &t, err);
}
