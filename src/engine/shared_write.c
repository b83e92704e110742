/* Telling the shared state what came in; see shared.h. */
#include "engine/live_inside.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { READ_AT_ONCE = 1024 };

/* ---- Sending ---- */

/* What the state did not take is owed to it. */
static void send_events(struct shared *s, const struct event **events, size_t count,
                        bool known_only)
{
    struct pal_error err;
    enum pal_status st = state_add(s->state, events, count, known_only, &err);
    if (st == PAL_OK)
        return;
    shared_fails(s, &err);
    for (size_t i = 0; i < count; i++) {
        const char *user = events[i]->user_id;
        if (i > 0 && strcmp(user, events[i - 1]->user_id) == 0)
            continue;
        /* one that is full can still be told whose profile has a hole now */
        if (st != PAL_EFULL || state_doubt(s->state, &user, 1, &err) != PAL_OK)
            shared_missed(s, user, false);
    }
}

static void send_erasure(struct shared *s, const char *user_id, bool stored)
{
    struct pal_error err;
    if (state_erase(s->state, &user_id, 1, stored, &err) == PAL_OK)
        return;
    shared_fails(s, &err);
    shared_missed(s, user_id, true);
}

static void send_clear(struct shared *s)
{
    struct pal_error err;
    if (state_clear(s->state, true, &err) == PAL_OK)
        return;
    shared_fails(s, &err);
    shared_missed_clear(s);
}

static void flush(struct shared *s, struct shared_batch *b)
{
    if (b->count)
        send_events(s, b->events, b->count, false);
    b->count = 0;
}

/* Events on their way, in order; what forgets something goes in its place among them. */
static void gather(struct shared *s, struct shared_batch *b, const struct record *r)
{
    if (r->kind == RECORD_EVENT) {
        if (mem_grow(&b->events, &b->cap, b->count + 1, sizeof *b->events))
            shared_missed(s, r->event.user_id, false);
        else
            b->events[b->count++] = &r->event;
        return;
    }
    if (r->kind != RECORD_USER_DELETE && r->kind != RECORD_CLEAR)
        return;
    flush(s, b);
    if (r->kind == RECORD_USER_DELETE)
        send_erasure(s, r->id, false);
    else
        send_clear(s);
}

/* ---- From the journal's writer ---- */

void shared_commit(void *ctx, journal_done_fn *done, void *done_ctx, uint64_t first, size_t count)
{
    struct live *l = ctx;
    size_t records = 0;
    const struct record *r = done ? live_records(done, done_ctx, &records) : NULL;
    for (size_t i = 0; i < records; i++)
        gather(l->shared, &l->shared->batch, &r[i]);
    if (!done)
        flush(l->shared, &l->shared->batch);
}

/* ---- What was stored ---- */

static int by_user(const void *a, const void *b)
{
    const struct event *const *x = a, *const *y = b;
    int order = strcmp((*x)->user_id, (*y)->user_id);
    /* they lie in one array, in the order in which they came */
    return order ? order : (*x > *y) - (*x < *y);
}

static void offer(struct shared *s, const struct event **events, size_t count)
{
    if (!count)
        return;
    qsort(events, count, sizeof *events, by_user);
    send_events(s, events, count, true);
}

void shared_stored(struct live *l, const struct store_change *changes, size_t count)
{
    struct shared *s = l->shared;
    const struct event **events = s && count ? mem_alloc(count, sizeof *events) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < count && s; i++) {
        const struct record *r = &changes[i].record;
        if (r->kind == RECORD_USER_DELETE) {
            offer(s, events, n);
            n = 0;
            send_erasure(s, r->id, true);
        } else if (r->kind == RECORD_EVENT && !events) {
            shared_missed(s, r->event.user_id, false); /* no memory: it is asked of the store */
        } else if (r->kind == RECORD_EVENT) {
            events[n++] = &r->event;
        }
    }
    offer(s, events, n);
    mem_free(events);
}

/* ---- All that the store lacks ---- */

/* Entries (count), whose texts lie in them. */
static void tell_entries(struct shared *s, struct shared_batch *b, struct record *records,
                         const struct journal_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pal_error err;
        const struct journal_entry *e = &entries[i];
        if (record_decode(e->kind, e->data, e->size, &records[i], &err) == PAL_OK)
            gather(s, b, &records[i]);
    }
    flush(s, b);
}

static enum pal_status tell_all(struct shared *s, struct journal_reader *reader, uint64_t last,
                                struct journal_entry *entries, struct record *records,
                                struct pal_error *err)
{
    struct shared_batch b = {0};
    size_t count = 1;
    uint64_t at = 0;
    enum pal_status st = PAL_OK;
    while (st == PAL_OK && count && at < last) {
        st = journal_read(reader, entries, READ_AT_ONCE, 0, &count, err);
        if (st == PAL_OK && count) {
            tell_entries(s, &b, records, entries, count);
            at = entries[count - 1].seq;
        }
    }
    mem_free(b.events);
    return st;
}

void shared_tell_again(struct shared *s, uint64_t drained)
{
    struct journal_reader *reader = NULL;
    struct journal_status now;
    struct pal_error err;
    struct journal_entry *entries = mem_alloc(READ_AT_ONCE, sizeof *entries);
    struct record *records = mem_alloc(READ_AT_ONCE, sizeof *records);
    journal_status(s->l->journal, &now);
    enum pal_status st = entries && records ? PAL_OK : pal_no_memory(&err);
    if (st == PAL_OK)
        st = journal_reader_new(s->l->journal, drained + 1, &reader, &err);
    if (st == PAL_OK)
        st = tell_all(s, reader, now.committed, entries, records, &err);
    if (st != PAL_OK)
        live_say(s->l, LIVE_WARNING,
                 "the shared state does not have what the store lacks, until that has it: %s",
                 err.message);
    journal_reader_free(reader);
    mem_free(entries);
    mem_free(records);
}
