/* Writing: checked here, durable by the journal, shown by live_apply, then told to who asked. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/mem.h"

#include <string.h>
#include <time.h>

enum { SPARE_ROOM = 4, SPARE_BYTES = 4096, SPARES = 256 };

/* Records on their way through the journal. They are decoded from the very bytes that go there. */
struct write {
    struct live *l;
    struct write *next; /* of the spare ones */
    live_done_fn *done; /* may be NULL */
    void *ctx;
    size_t count;
    size_t room; /* for so many records */
    bool erases; /* a user or everything */
    struct str bytes;
    struct record *records; /* (count) into bytes */
    uint8_t *type;          /* (count) */
};

void live_write_began(struct live *l)
{
    pthread_mutex_lock(&l->writes_lock);
    l->writes++;
    pthread_mutex_unlock(&l->writes_lock);
}

void live_write_ended(struct live *l)
{
    pthread_mutex_lock(&l->writes_lock);
    if (--l->writes == 0)
        pthread_cond_broadcast(&l->writes_done);
    pthread_mutex_unlock(&l->writes_lock);
}

static void really_free(struct write *w)
{
    str_done(&w->bytes);
    mem_free(w);
}

/* Writes are made by requests' threads and end in the journal's writer: those of few records, which
 * is one of nearly every request that writes, go back, since memory that one thread takes and
 * another one frees costs the C library's locks and searches. */
static void free_write(struct write *w)
{
    struct live *l = w->l;
    bool kept = false;
    if (w->room == SPARE_ROOM && w->bytes.cap <= SPARE_BYTES) {
        pthread_mutex_lock(&l->writes_lock);
        kept = l->spare_count < SPARES;
        if (kept) {
            w->next = l->spare_writes;
            l->spare_writes = w;
            l->spare_count++;
        }
        pthread_mutex_unlock(&l->writes_lock);
    }
    if (!kept)
        really_free(w);
}

void live_writes_done(struct live *l)
{
    while (l->spare_writes) {
        struct write *w = l->spare_writes;
        l->spare_writes = w->next;
        really_free(w);
    }
}

static struct write *take_spare(struct live *l)
{
    pthread_mutex_lock(&l->writes_lock);
    struct write *w = l->spare_writes;
    if (w) {
        l->spare_writes = w->next;
        l->spare_count--;
    }
    pthread_mutex_unlock(&l->writes_lock);
    return w;
}

/* One block for the struct and its arrays. */
static struct write *new_write(struct live *l, size_t count)
{
    size_t room = count <= SPARE_ROOM ? SPARE_ROOM : count;
    struct write *w = room == SPARE_ROOM ? take_spare(l) : NULL;
    struct str bytes = {0};
    if (w)
        bytes = w->bytes;
    else
        w = mem_alloc(1, sizeof *w + room * (sizeof *w->records + 1));
    if (!w)
        return NULL;
    str_clear(&bytes);
    *w = (struct write){.l = l, .count = count, .room = room, .bytes = bytes};
    w->records = (struct record *)(w + 1);
    w->type = (uint8_t *)(w->records + room);
    return w;
}

/* Erasures hold back lists that were served before them, until they are shown to memory. */
static void erasure_ended(struct live *l)
{
    pthread_mutex_lock(&l->writes_lock);
    atomic_fetch_sub(&l->served.erasing, 1);
    pthread_cond_broadcast(&l->writes_done);
    pthread_mutex_unlock(&l->writes_lock);
}

/* A journal_done_fn. */
static void written(void *ctx, enum pal_status st, uint64_t first, size_t count,
                    const struct pal_error *err)
{
    struct write *w = ctx;
    struct live *l = w->l;
    if (st == PAL_OK) {
        live_apply(l, w->records, w->type, w->count, first);
        drain_committed(&l->drain, first + count - 1);
    }
    if (w->erases)
        erasure_ended(l);
    if (w->done)
        w->done(w->ctx, st, err);
    free_write(w);
    live_write_ended(l);
}

const struct record *live_records(journal_done_fn *done, void *ctx, size_t *count)
{
    const struct write *w = done == written ? ctx : NULL;
    *count = w ? w->count : 0;
    return w ? w->records : NULL;
}

/* Encodes the records into w, points its own at the bytes and describes them for the journal. */
static enum pal_status encode(struct write *w, const struct record *records,
                              struct journal_record *out, struct pal_error *err)
{
    uint8_t dated = w->l->dated ? RECORD_DATED : 0;
    int64_t now = live_now_ms(w->l);
    for (size_t i = 0; i < w->count; i++) {
        size_t before = w->bytes.len;
        if (dated)
            record_date(now, &w->bytes);
        record_encode(&records[i], &w->bytes);
        if (!str_ok(&w->bytes))
            return pal_no_memory(err);
        out[i] = (struct journal_record){.kind = (uint8_t)records[i].kind | dated,
                                         .size = w->bytes.len - before};
        if (out[i].size > JOURNAL_RECORD_MOST)
            return pal_fail(err, PAL_EUSAGE, "record %zu: %zu bytes are too many: %d are allowed",
                            i + 1, out[i].size, JOURNAL_RECORD_MOST);
    }
    const char *at = w->bytes.text;
    for (size_t i = 0; i < w->count; i++) {
        out[i].data = at;
        at += out[i].size;
        enum pal_status st =
            record_decode(out[i].kind, out[i].data, out[i].size, &w->records[i], err);
        if (st != PAL_OK)
            return st;
        w->erases = w->erases || w->records[i].kind == RECORD_USER_DELETE ||
                    w->records[i].kind == RECORD_CLEAR;
    }
    return PAL_OK;
}

static enum pal_status submit(struct write *w, const struct journal_record *records,
                              struct pal_error *err)
{
    struct live *l = w->l;
    bool erases = w->erases; /* w may be gone once it is submitted */
    live_write_began(l);
    if (erases) {
        pthread_mutex_lock(&l->served.order);
        atomic_fetch_add(&l->served.erasing, 1);
    }
    enum pal_status st = journal_submit(l->journal, records, w->count, written, w, err);
    if (erases)
        pthread_mutex_unlock(&l->served.order);
    if (st != PAL_OK) {
        if (erases)
            erasure_ended(l);
        live_write_ended(l);
    }
    return st;
}

enum { FEW = 16 };

enum pal_status live_submit(struct live *l, const struct record *records, size_t count,
                            const uint8_t *type, live_done_fn *done, void *ctx,
                            struct pal_error *err)
{
    struct journal_record few[FEW], *to = few;
    struct write *w = new_write(l, count);
    if (count > FEW)
        to = mem_alloc(count, sizeof *to);
    enum pal_status st = w && to ? encode(w, records, to, err) : pal_no_memory(err);
    if (st == PAL_OK) {
        memcpy(w->type, type, count);
        w->done = done;
        w->ctx = ctx;
        st = submit(w, to, err);
    }
    if (st != PAL_OK && w)
        free_write(w);
    if (to != few)
        mem_free(to);
    return st;
}

bool live_settle(struct live *l, unsigned wait_ms)
{
    struct timespec until = clock_in_ms(wait_ms);
    pthread_mutex_lock(&l->writes_lock);
    while (l->writes)
        if (pthread_cond_timedwait(&l->writes_done, &l->writes_lock, &until))
            break;
    bool settled = l->writes == 0;
    pthread_mutex_unlock(&l->writes_lock);
    return settled;
}

/* Gives a record without a time the present one. */
static void set_time(struct record *r, int64_t now_ms)
{
    int64_t *time = r->kind == RECORD_EVENT    ? &r->event.time_ms
                    : r->kind == RECORD_ITEM   ? &r->item.created_ms
                    : r->kind == RECORD_USER   ? &r->user.created_ms
                    : r->kind == RECORD_SERVED ? &r->served.time_ms
                                               : NULL;
    if (time && *time == 0)
        *time = now_ms;
}

/* A type that nobody configured may be a client's mistake: once each, a person is told. */
static void tell_news(struct live *l)
{
    for (const char *type; (type = kinds_news(&l->kinds));)
        live_say(l, LIVE_WARNING,
                 "a new event type came up: '%s', worth %g by live.weights, which does not name it",
                 type, (double)weights_of(&l->kinds.rules, type, 1));
}

enum pal_status live_write(struct live *l, struct record *records, size_t count, live_done_fn *done,
                           void *ctx, struct pal_error *err)
{
    int64_t now = live_now_ms(l);
    if (!l->journal)
        return pal_fail(err, PAL_EUSAGE, "a pipeline takes nothing in");
    if (count == 0) {
        if (done)
            done(ctx, PAL_OK, NULL);
        return PAL_OK;
    }
    for (size_t i = 0; i < count; i++) {
        set_time(&records[i], now);
        enum pal_status st = record_check(&records[i], now, err);
        if (st != PAL_OK)
            return pal_within(err, st, "record %zu", i + 1);
    }
    uint8_t few[FEW], *type = few;
    if (count > FEW)
        type = mem_alloc(count, 1);
    if (!type)
        return pal_no_memory(err);
    enum pal_status st = kinds_of(&l->kinds, records, count, type, err);
    tell_news(l);
    if (st == PAL_OK)
        st = live_submit(l, records, count, type, done, ctx, err);
    if (type != few)
        mem_free(type);
    return st;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    enum pal_status st;
    struct pal_error err;
};

/* A live_done_fn. */
static void wake_waiter(void *ctx, enum pal_status st, const struct pal_error *err)
{
    struct waiter *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->st = st;
    if (err)
        w->err = *err;
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

enum pal_status live_write_wait(struct live *l, struct record *records, size_t count,
                                struct pal_error *err)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    enum pal_status st = live_write(l, records, count, wake_waiter, &w, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    if (w.st != PAL_OK && err)
        *err = w.err;
    return w.st;
}
