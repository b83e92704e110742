/* See import_store.h. Whatever the source, it is a sequence of records that is the same at every
 * reading; they go into the store in transactions, each of which notes how many of them are in. The
 * note is found by a hash of the source's contents. */
#include "cli/import_store.h"
#include "base/clock.h"

#include "base/emit.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/scheme.h"
#include "cli/source.h"
#include "data/record_json.h"
#include "store/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum { BATCH = 20000, BATCH_BYTES = 64 << 20 };

struct import {
    struct job *job;
    struct store *store;
    char shown[256];    /* its URL, without a password */
    struct arena texts; /* of the batch */
    size_t bytes;       /* of its lines */
    struct store_change change[BATCH];
    size_t count;
    struct event_types types; /* those in the store and those to come */
    char note[32];
    uint64_t done;  /* records (or lines) of the source that are in */
    uint64_t start; /* as of when this began */
    uint64_t events, items, users, served, repeated, skipped;
    bool complete; /* it was all in before */
    int64_t now_ms;
};

/* Commits the batch, and that `done` records are in. */
static enum pal_status commit(struct import *m, bool complete, struct pal_error *err)
{
    char text[64];
    size_t repeated;
    snprintf(text, sizeof text, "{\"records\":%" PRIu64 ",\"complete\":%s}", m->done,
             complete ? "true" : "false");
    enum pal_status st = store_load(m->store, m->change, m->count, m->note, text, &repeated, err);
    if (st)
        return st;
    m->repeated += repeated;
    m->count = 0;
    m->bytes = 0;
    arena_reset(&m->texts);
    return PAL_OK;
}

/* Where an earlier import of the same contents stopped. */
static enum pal_status find_note(struct import *m, uint64_t hash, struct pal_error *err)
{
    char *text = NULL, whole[8] = "";
    snprintf(m->note, sizeof m->note, "import:%016" PRIx64, hash);
    enum pal_status st = store_note(m->store, m->note, &text, err);
    if (st == PAL_ENOTFOUND)
        return PAL_OK;
    if (st)
        return st;
    if (sscanf(text, "{\"records\":%" SCNu64 ",\"complete\":%4[a-z]", &m->start, whole) != 2)
        st = pal_fail(err, PAL_ECORRUPT, "the store's note %s can't be read", m->note);
    m->complete = strcmp(whole, "true") == 0;
    m->done = m->start;
    mem_free(text);
    return st;
}

static enum pal_status add_type(struct import *m, const char *type, struct pal_error *err)
{
    uint8_t number;
    return event_type_add(&m->types, type, strlen(type), &number, err);
}

/* Puts a record into the batch, whose texts stay until it is committed. */
static enum pal_status put(struct import *m, const struct record *r, struct pal_error *err)
{
    enum pal_status st = r->kind == RECORD_EVENT ? add_type(m, r->event.type, err) : PAL_OK;
    if (st)
        return st;
    m->change[m->count++] = (struct store_change){.seq = 0, .record = *r};
    m->done++;
    m->events += r->kind == RECORD_EVENT;
    m->items += r->kind == RECORD_ITEM;
    m->users += r->kind == RECORD_USER;
    m->served += r->kind == RECORD_SERVED;
    return m->count == BATCH || m->bytes > BATCH_BYTES ? commit(m, false, err) : PAL_OK;
}

/* ---- An export ---- */

/* What is wrong with a record, unless it may be passed over. */
static enum pal_status complain(struct import *m, struct lines *l, const struct complaint *bad,
                                enum pal_status st, struct pal_error *err)
{
    m->done++;
    m->skipped++;
    if (bad->expected)
        return lines_bad(l, bad, err);
    if (l->reading->skipped < l->reading->allowed) {
        l->reading->skipped++;
        return PAL_OK;
    }
    return lines_within(l, st == PAL_EUSAGE ? PAL_EFORMAT : st, err);
}

static enum pal_status take_line(struct import *m, struct record_reader *reader, struct lines *l,
                                 struct pal_error *err)
{
    struct complaint bad = {0};
    struct record r;
    enum pal_status st = record_json_read(reader, l, m->now_ms, &m->texts, &r, &bad, err);
    if (bad.expected || st == PAL_EUSAGE)
        return complain(m, l, &bad, st, err);
    m->bytes += (size_t)(l->stop - l->p);
    st = st ? st : put(m, &r, err);
    return st ? lines_within(l, st, err) : PAL_OK;
}

static enum pal_status import_lines(struct import *m, const char *path, struct pal_error *err)
{
    struct reading reading = {.run = &m->job->run, .allowed = (uint64_t)m->job->set.skip_bad};
    struct record_reader *reader = NULL;
    struct lines *l = mem_zero(1, sizeof *l);
    if (!l)
        return pal_no_memory(err);
    reading_expect(&reading, path);
    enum pal_status st = lines_open(l, &reading, path, err);
    if (!st)
        st = record_reader_new(&reader, err);
    if (!st)
        st = find_note(m, XXH3_64bits(l->map.data, l->map.size), err);
    for (uint64_t i = 0; !st && !m->complete && i < m->start; i++)
        if (!lines_next(l, &st, err))
            break;
    while (!st && !m->complete && lines_next(l, &st, err))
        st = take_line(m, reader, l, err);
    if (!st && !m->complete)
        st = commit(m, true, err);
    record_reader_free(reader);
    lines_close(l);
    mem_free(l);
    return st;
}

/* ---- A data set ---- */

/* One event of a data set: which, and when. */
struct when {
    uint32_t time_s, user;
    uint64_t at;
};

static int by_time(const void *a, const void *b)
{
    const struct when *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static const char *batch_text(struct import *m, const struct str *s)
{
    m->bytes += s->len;
    return str_ok(s) ? arena_text(&m->texts, str_text(s), s->len) : NULL;
}

static enum pal_status put_item(struct import *m, const struct dataset *d, uint32_t i,
                                struct pal_error *err)
{
    struct str list = {0};
    uint32_t n;
    const uint32_t *labels = labels_at(&d->items.categories, i, &n);
    str_char(&list, '[');
    for (uint32_t j = 0; j < n; j++) {
        str_put(&list, j ? "," : "");
        emit_quoted(&list, intern_text(&d->items.categories.names, labels[j]));
    }
    str_char(&list, ']');
    const char *categories = n ? batch_text(m, &list) : "";
    str_done(&list);
    struct record r = {.kind = RECORD_ITEM,
                       .item = {.item_id = intern_text(&d->items.ids, i),
                                .title = texts_at(&d->items.titles, i),
                                .categories = categories,
                                .attributes = texts_at(&d->items.attributes, i),
                                .available = true,
                                .created_ms = m->now_ms}};
    enum pal_status st = categories ? record_check(&r, m->now_ms, err) : pal_no_memory(err);
    return st ? st : put(m, &r, err);
}

static enum pal_status put_user(struct import *m, const struct dataset *d, uint32_t u,
                                struct pal_error *err)
{
    struct record r = {
        .kind = RECORD_USER,
        .user = {intern_text(&d->users.ids, u), texts_at(&d->users.attributes, u), m->now_ms}};
    enum pal_status st = record_check(&r, m->now_ms, err);
    return st ? st : put(m, &r, err);
}

static enum pal_status put_event(struct import *m, const struct dataset *d,
                                 const struct interactions *x, const struct when *w,
                                 struct pal_error *err)
{
    struct record r = {.kind = RECORD_EVENT,
                       .event = {.user_id = intern_text(&d->users.ids, w->user),
                                 .item_id = intern_text(&d->items.ids, x->item[w->at]),
                                 .type = d->types.name[interactions_type(x, w->at)],
                                 .value = interactions_value(x, w->at),
                                 .time_ms = (int64_t)w->time_s * 1000}};
    enum pal_status st = record_check(&r, m->now_ms, err);
    if (st)
        return pal_within(err, PAL_EFORMAT, "an event of user %.60s with item %.60s",
                          r.event.user_id, r.event.item_id);
    return put(m, &r, err);
}

/* Events in the order of time: what arrived last is then what happened last. */
static enum pal_status put_events(struct import *m, const struct dataset *d,
                                  const struct interactions *x, uint64_t before, uint64_t total,
                                  struct pal_error *err)
{
    enum { STEP = 1 << 14 };
    uint64_t n = interactions_count(x), from = m->start > before ? m->start - before : 0;
    struct when *when = mem_alloc(n, sizeof *when);
    enum pal_status st = PAL_OK;
    if (!when)
        return pal_no_memory(err);
    for (uint32_t u = 0; u < x->users && n; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            when[i] = (struct when){interactions_time(x, i), u, i};
    qsort(when, n, sizeof *when, by_time);
    for (uint64_t i = from; i < n && !st; i++) {
        if (i % STEP == 0)
            st = run_step(&m->job->run, "importing", before + i, total, err);
        st = st ? st : put_event(m, d, x, &when[i], err);
    }
    mem_free(when);
    return st;
}

static uint64_t hash_texts(uint64_t hash, const struct texts *t)
{
    return t->count ? XXH3_64bits_withSeed(t->bytes, t->start[t->count], hash) : hash;
}

static enum pal_status put_dataset(struct import *m, const struct dataset *d, struct pal_error *err)
{
    uint64_t items = d->items.ids.count, users = d->users.ids.count;
    uint64_t all = interactions_count(&d->all), test = interactions_count(&d->test);
    uint64_t total = items + users + all + test;
    enum pal_status st = PAL_OK;
    for (uint64_t i = m->start; i < items && !st; i++)
        st = put_item(m, d, (uint32_t)i, err);
    for (uint64_t u = m->start > items ? m->start - items : 0; u < users && !st; u++)
        st = put_user(m, d, (uint32_t)u, err);
    if (!st)
        st = put_events(m, d, &d->all, items + users, total, err);
    if (!st && test)
        st = put_events(m, d, &d->test, items + users + all, total, err);
    return st ? st : commit(m, true, err);
}

static enum pal_status import_dataset(struct import *m, const char *path, struct pal_error *err)
{
    struct dataset *d = NULL;
    enum pal_status st = path ? source_load(m->job, path, &d, err)
                              : source_invent(m->job, (uint64_t)m->job->set.seed, &d, err);
    if (!st) {
        uint64_t hash = hash_texts(dataset_fingerprint(d), &d->items.titles);
        hash = hash_texts(hash, &d->items.attributes);
        st = find_note(m, hash_texts(hash, &d->users.attributes), err);
    }
    if (!st && !m->complete)
        st = put_dataset(m, d, err);
    if (!st)
        m->skipped += d->skipped;
    dataset_free(d);
    return st;
}

/* ---- What is said ---- */

static void emit_outcome(struct import *m, double seconds)
{
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_string(&e, "store", m->shown);
    emit_boolean(&e, "already_imported", m->complete);
    emit_uint(&e, "resumed_at", m->start);
    emit_uint(&e, "events", m->events);
    emit_uint(&e, "items", m->items);
    emit_uint(&e, "users", m->users);
    emit_uint(&e, "served", m->served);
    emit_uint(&e, "repeated_events", m->repeated);
    emit_uint(&e, "skipped_lines", m->skipped);
    emit_number(&e, "seconds", seconds);
    emit_close(&e, '}');
    emit_say(&e, &m->job->out);
}

static void say_outcome(struct import *m, double seconds)
{
    struct console *c = &m->job->out;
    struct str text = {0};
    if (m->complete) {
        say(c, "%s has all of it already: nothing to do\n", m->shown);
        return;
    }
    if (m->start) {
        str_put(&text, "went on behind the first ");
        put_count(&text, m->start);
        str_put(&text, " records\n");
    }
    put_count(&text, m->events);
    str_put(&text, " events, ");
    put_count(&text, m->items);
    str_put(&text, " items and ");
    put_count(&text, m->users);
    str_fmt(&text, " users are in %s; ", m->shown);
    put_seconds(&text, seconds);
    if (m->repeated) {
        str_put(&text, "; ");
        put_count(&text, m->repeated);
        str_put(&text, " of the events were there before");
    }
    if (m->skipped) {
        str_put(&text, "; ");
        put_count(&text, m->skipped);
        str_put(&text, " malformed lines passed over");
    }
    str_char(&text, '\n');
    c->pending.failed |= text.failed;
    say_text(c, str_text(&text));
    str_done(&text);
}

enum pal_status import_into_store(struct job *job, const char *path, struct pal_error *err)
{
    char found[PATH_MAX];
    struct import *m = mem_zero(1, sizeof *m);
    if (!m)
        return pal_no_memory(err);
    m->job = job;
    scheme_copy(m->shown, sizeof m->shown, job->set.store);
    m->now_ms = clock_wall_ms() / 1000 * 1000;
    double began = now_seconds();
    if (path)
        path = source_look_up(path, found, sizeof found);
    enum pal_status st = store_open(job->set.store, false, &m->store, err);
    if (!st)
        st = store_types(m->store, &m->types, err);
    if (!st && path && !job->set.format && record_json_file(path))
        st = import_lines(m, path, err);
    else if (!st)
        st = import_dataset(m, path, err);
    if (!st)
        (job->set.json ? emit_outcome : say_outcome)(m, now_seconds() - began);
    store_close(m->store);
    arena_done(&m->texts);
    mem_free(m);
    return st;
}
