/* Lists that were served: kept in the journal, without making anybody wait, and compared with what
 * the user does next. */
#include "engine/live_inside.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum {
    QUEUE_MOST = 16 << 20, /* bytes that wait for the journal; what is more is lost, and counted */
    NUMBER_MOST = 24,
    ITEM_MOST = 128, /* bytes of an item in a list, without its id */
};

/* ---- Writing the list as JSON: a request's hot path, so without printf ---- */

static char *put(char *to, const char *text)
{
    size_t len = strlen(text);
    memcpy(to, text, len);
    return to + len;
}

/* A number with nine digits behind the point, or as few as it has; 0 for what JSON lacks. */
static char *put_number(char *to, double x)
{
    char digits[NUMBER_MOST];
    size_t n = 0;
    if (!isfinite(x))
        x = 0;
    if (x < 0)
        *to++ = '-';
    x = fabs(x) > 1e9 ? 1e9 : fabs(x);
    uint64_t all = (uint64_t)(x * 1e9 + 0.5), whole = all / 1000000000, rest = all % 1000000000;
    do
        digits[n++] = (char)('0' + whole % 10);
    while (whole /= 10);
    while (n)
        *to++ = digits[--n];
    if (rest)
        *to++ = '.';
    for (uint64_t place = 100000000; rest; place /= 10) {
        *to++ = (char)('0' + rest / place);
        rest %= place;
    }
    return to;
}

/* A text that is UTF-8 as a JSON string, at most six times as long. */
static char *put_quoted(char *to, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '"';
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            *to++ = '\\';
            *to++ = (char)*p;
        } else if (*p < 0x20) {
            to = put(to, "\\u00");
            *to++ = hex[*p >> 4];
            *to++ = hex[*p & 15];
        } else {
            *to++ = (char)*p;
        }
    }
    *to++ = '"';
    return to;
}

/* The list as JSON in the arena; NULL when memory is out. */
static const char *list_json(const struct live_answer *a, struct arena *tmp)
{
    size_t most = 3;
    for (size_t i = 0; i < a->count; i++)
        most += 6 * strlen(a->items[i].row.item_id) + strlen(a->items[i].source) + ITEM_MOST;
    char *list = arena_alloc(tmp, most, 1), *to = list;
    if (!list)
        return NULL;
    *to++ = '[';
    for (size_t i = 0; i < a->count; i++) {
        const struct live_item *item = &a->items[i];
        to = put(to, i ? ",{\"item_id\":" : "{\"item_id\":");
        to = put_quoted(to, item->row.item_id);
        to = put(to, ",\"source\":");
        to = put_quoted(to, item->source);
        to = put(to, ",\"score\":");
        to = put_number(to, (double)item->score);
        to = put(to, item->explored ? ",\"explored\":true,\"propensity\":" : ",\"propensity\":");
        to = put_number(to, (double)item->propensity);
        *to++ = '}';
    }
    *to++ = ']';
    *to = 0;
    return list;
}

/* ---- The queue ---- */

static bool enqueue(struct served_queue *q, const struct record *r)
{
    pthread_mutex_lock(&q->lock);
    size_t before = q->bytes.len;
    bool room = before < QUEUE_MOST && !mem_grow(&q->size, &q->cap, q->count + 1, sizeof *q->size);
    if (room) {
        record_encode(r, &q->bytes);
        room = str_ok(&q->bytes);
        q->bytes.failed = false;
        if (room)
            q->size[q->count++] = q->bytes.len - before;
        else
            q->bytes.len = before;
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

/* What waits is taken out of the queue. */
static struct served_queue take(struct served_queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct served_queue taken = {
        .bytes = q->bytes, .size = q->size, .count = q->count, .cap = q->cap};
    q->bytes = (struct str){0};
    q->size = NULL;
    q->count = q->cap = 0;
    pthread_mutex_unlock(&q->lock);
    return taken;
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
    struct served_queue q = take(&l->served);
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
        records[i] = (struct journal_record){RECORD_SERVED, at, q.size[i]};
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
    mem_free(q.size);
    str_done(&q.bytes);
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
    struct served_queue *q = &l->served;
    struct record r;
    size_t from = 0, to = 0, kept = 0;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->count; from += q->size[i++]) {
        size_t size = q->size[i];
        if (!user_id ||
            (record_decode(RECORD_SERVED, q->bytes.text + from, size, &r, NULL) == PAL_OK &&
             strcmp(r.served.user_id, user_id) == 0))
            continue;
        memmove(q->bytes.text + to, q->bytes.text + from, size);
        to += size;
        q->size[kept++] = size; /* kept <= i */
    }
    q->count = kept;
    q->bytes.len = to;
    pthread_mutex_unlock(&q->lock);
}

/* ---- After an answer ---- */

void served_compare(struct live *l, const char *user_id, const uint32_t *items, size_t n,
                    int64_t now_ms)
{
    uint32_t ignored[SERVED_MOST];
    struct pal_error err;
    float weight = -(float)l->config.bandit.ignored;
    size_t count = profiles_serve(l->profiles, user_id, items, n, ignored);
    for (size_t i = 0; i < count && weight < 0; i++)
        if (bandit_count(l->bandit, ignored[i], weight, true, now_ms, &err) == PAL_OK)
            ignored_add(l, ignored[i], -weight, now_ms);
}

void served_note(struct live *l, const char *user_id, const struct live_answer *a, int64_t now_ms,
                 struct arena *tmp)
{
    if (!l->config.live.served || !a->count)
        return;
    const struct record r = {.kind = RECORD_SERVED,
                             .served = {.recommendation_id = a->recommendation_id,
                                        .user_id = user_id,
                                        .time_ms = now_ms,
                                        .list = list_json(a, tmp)}};
    if (!r.served.list || !enqueue(&l->served, &r))
        atomic_fetch_add(&l->served.lost, 1);
}
