/* Writing: the events here, then all else, with the names that the events brought, in the catalog's
 * transaction, whose commit is what counts.
 *
 * Places. The catalog draws one place for each event that is kept here, behind its mark; events get
 * the places mark + 1, mark + 2… A row counts when its place is not behind the catalog's mark. So
 * rows whose transaction was not committed are nothing, and before the next ones take their places
 * they are deleted.
 *
 * Once. Ids of new events are looked for among the rows that count (clickhouse_ids.c); only one
 * process writes at a time (the catalog sees to that), so nobody can come in between. An event
 * without an id has its number in a journal, which the catalog's position passes over.
 *
 * An erasure ends a transaction, so that what is before and behind it differ by their places. */
#include "store/clickhouse_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xxhash.h>

enum {
    LOW_BITS = 20,
    IDS_AT_ONCE = 8192,  /* in one statement */
    DELETE_TRIES = 3000, /* of 20 ms: a minute for the rows of a broken transaction */
};

/* One transaction. */
struct batch {
    struct ch_store *s;
    const struct store_change *changes;
    size_t count;
    struct store_change *rest; /* (count) what the catalog gets */
    size_t rest_count, events, repeated;
    uint64_t mark;     /* the catalog's before it */
    struct intern ids; /* of this batch's events */
    bool *seen;        /* (ids.count) it is stored, or was in this batch */
    uint64_t *hash;    /* (ids.count) */
    struct str rows;
};

/* How the catalog is told. */
struct commit {
    bool stream;
    uint64_t seq;
    const char *note, *text;
    const struct store_reach *reaches;
    size_t reach_count;
};

static uint64_t hash_of(const char *id)
{
    return XXH3_64bits(id, strlen(id)) | 1; /* 0 = none */
}

/* ---- rows of transactions that were not committed ---- */

/* Deletes the rows of a table that a condition names, and waits until they are gone. */
static enum pal_status delete_rows(struct ch_store *s, const char *table, const char *where,
                                   struct pal_error *err)
{
    char count[300], sql[300];
    uint64_t rows = 0;
    snprintf(count, sizeof count, "SELECT count() FROM $DB.%s WHERE %s", table, where);
    snprintf(sql, sizeof sql, "ALTER TABLE $DB.%s DELETE WHERE %s", table, where);
    enum pal_status st = ch_number(&s->writer, count, &rows, err);
    if (st == PAL_OK && rows)
        st = ch_run(&s->writer, sql, NULL, err);
    for (int i = 0; i < DELETE_TRIES && st == PAL_OK && rows; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        st = ch_number(&s->writer, count, &rows, err);
    }
    if (st == PAL_OK && rows)
        st =
            pal_fail(err, PAL_EIO,
                     "%s has not deleted yet what an interrupted write left there: it goes on when "
                     "that is done",
                     s->place.shown);
    return st;
}

static enum pal_status delete_behind(struct ch_store *s, uint64_t mark, struct pal_error *err)
{
    char where[64];
    struct pal_error ignored;
    /* An insert that was given up may still be at work; not every user may end it. */
    enum pal_status st =
        ch_run(&s->writer,
               "KILL QUERY WHERE query_id LIKE 'palate-$DB-%' AND query LIKE 'INSERT%' "
               "SYNC",
               NULL, &ignored);
    snprintf(where, sizeof where, "place > %llu", (unsigned long long)mark);
    st = delete_rows(s, "events", where, err);
    snprintf(where, sizeof where, "before > %llu", (unsigned long long)mark + 1);
    return st == PAL_OK ? delete_rows(s, "erased", where, err) : st;
}

/* ---- which events are new ---- */

/* When a user was erased last, or everything (""); 0 = never. */
static uint64_t erased_at(const struct ch_store *s, const char *user)
{
    uint32_t i = intern_find(&s->erasures.users, user, strlen(user));
    return i == INTERN_NONE ? 0 : s->erasures.of[i].at;
}

/* Is it from before an erasure, or one that was done? What says when it happened can be. The
 * catalog goes by the same rules. */
static bool is_void(const struct ch_store *s, const struct store_change *c, bool stream)
{
    uint64_t at = (uint64_t)change_at(c), all = erased_at(s, "");
    if (!stream && (c->at_ms <= 0 || !s->ops.shared))
        return false;
    switch (c->record.kind) {
    case RECORD_EVENT:
        return all > at || erased_at(s, c->record.event.user_id) > at;
    case RECORD_USER_DELETE:
        return all > at || erased_at(s, c->record.id) >= at;
    case RECORD_CLEAR:
        return all >= at;
    default:
        return false; /* the catalog's to say */
    }
}

static bool is_erasure(const struct store_change *c)
{
    return c->record.kind == RECORD_USER_DELETE || c->record.kind == RECORD_CLEAR;
}

static bool has_id(const struct store_change *c)
{
    return c->record.kind == RECORD_EVENT && c->record.event.event_id && *c->record.event.event_id;
}

/* fields: event_id, place, user */
static enum pal_status on_id(void *ctx, const union ch_field *f, struct pal_error *err)
{
    struct batch *b = ctx;
    uint32_t i = intern_find(&b->ids, f[0].text, strlen(f[0].text));
    if (i != INTERN_NONE && f[1].u64 >= ch_erased_before(&b->s->erasures, f[2].text))
        b->seen[i] = true;
    return PAL_OK;
}

/* Asks for `count` of the batch's ids. */
static enum pal_status look_up(struct batch *b, const uint32_t *which, size_t count,
                               struct pal_error *err)
{
    struct str where = {0}, sql = {0};
    uint64_t since = b->mark > CH_IDS_BACK ? b->mark - CH_IDS_BACK : 0;
    for (size_t i = 0; i < count; i++)
        str_fmt(&where, "%s%llu", i ? "," : "", (unsigned long long)b->hash[which[i]]);
    str_fmt(
        &sql,
        "SELECT event_id, place, user FROM $DB.events PREWHERE id_hash IN (%s) WHERE place > %llu "
        "AND place <= %llu FORMAT RowBinary",
        str_text(&where), (unsigned long long)since, (unsigned long long)b->mark);
    enum pal_status st = str_ok(&where) && str_ok(&sql)
                             ? ch_select(&b->s->writer, str_text(&sql), "sqs", on_id, b, err)
                             : pal_no_memory(err);
    str_done(&where);
    str_done(&sql);
    return st;
}

/* Of the batch's ids those that may be stored are asked for. */
static enum pal_status look_up_doubtful(struct batch *b, struct pal_error *err)
{
    uint32_t *which = mem_alloc(b->ids.count, sizeof *which);
    size_t n = 0;
    enum pal_status st =
        which ? ch_ids_follow(&b->s->writer, &b->s->ids, b->mark, err) : pal_no_memory(err);
    for (uint32_t i = 0; i < b->ids.count && st == PAL_OK; i++) {
        const char *id = intern_text(&b->ids, i);
        b->hash[i] = hash_of(id);
        if (ch_ids_maybe(&b->s->ids, b->hash[i]))
            which[n++] = i;
    }
    for (size_t i = 0; i < n && st == PAL_OK; i += IDS_AT_ONCE)
        st = look_up(b, which + i, n - i > IDS_AT_ONCE ? IDS_AT_ONCE : n - i, err);
    mem_free(which);
    return st;
}

static enum pal_status find_seen(struct batch *b, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    uint32_t number;
    for (size_t i = 0; i < b->count && st == PAL_OK; i++)
        if (has_id(&b->changes[i])) {
            const char *id = b->changes[i].record.event.event_id;
            st = intern_add(&b->ids, id, strlen(id), &number, err);
        }
    if (st != PAL_OK || b->ids.count == 0)
        return st;
    b->seen = mem_zero(b->ids.count, sizeof *b->seen);
    b->hash = mem_alloc(b->ids.count, sizeof *b->hash);
    return b->seen && b->hash ? look_up_doubtful(b, err) : pal_no_memory(err);
}

/* The batch is committed: its ids are known from now on, and where nobody else writes all up to the
 * mark is. */
static void remember_ids(struct batch *b)
{
    struct ch_store *s = b->s;
    struct pal_error ignored;
    uint64_t mark = b->mark + b->events;
    if (b->ids.count == 0 && s->ids.through < b->mark)
        return; /* it is read when ids are asked for */
    ch_ids_add(&s->ids, b->hash, b->ids.count);
    if (!s->ops.shared && store_mark(s->catalog, &mark, &ignored) != PAL_OK)
        mark = b->mark + b->events;
    s->ids.through = mark;
}

static void put_row(struct batch *b, const struct event *e)
{
    uint64_t place = b->mark + b->events;
    uint64_t hash = e->event_id && *e->event_id ? hash_of(e->event_id) : 0;
    int64_t s = e->time_ms / 1000;
    uint32_t time_s = s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
    ch_put_text(&b->rows, e->user_id);
    ch_put_bytes(&b->rows, &time_s, sizeof time_s);
    ch_put_bytes(&b->rows, &place, sizeof place);
    ch_put_text(&b->rows, e->item_id);
    ch_put_text(&b->rows, e->type);
    ch_put_bytes(&b->rows, &e->value, sizeof e->value);
    ch_put_bytes(&b->rows, &e->time_ms, sizeof e->time_ms);
    ch_put_bytes(&b->rows, &hash, sizeof hash);
    ch_put_text(&b->rows, e->event_id);
    ch_put_text(&b->rows, e->recommendation_id);
}

/* Parts the changes: rows for here, and what the catalog gets. */
static void part(struct batch *b, bool stream)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct store_change *c = &b->changes[i];
        struct store_change *kept = &b->rest[b->rest_count];
        *kept = *c;
        if (c->record.kind != RECORD_EVENT) {
            if (is_erasure(c) && c->at_ms <= 0) /* one moment, for the catalog and for here */
                kept->at_ms = change_at(c) >> LOW_BITS;
            b->rest_count++;
            continue;
        }
        if (is_void(b->s, c, stream))
            continue;
        if (has_id(c)) {
            const char *id = c->record.event.event_id;
            bool *seen = &b->seen[intern_find(&b->ids, id, strlen(id))];
            if (*seen) {
                b->repeated++;
                continue;
            }
            *seen = true;
        }
        b->events++;
        put_row(b, &c->record.event);
        kept->elsewhere = true;
        b->rest_count++;
    }
}

/* ---- erasures ---- */

/* What the last change of a batch erases, before its transaction is committed: rows up to the mark.
 * First it is written down, which readers go by, then the rows are deleted, in the background. */
static enum pal_status erase(struct ch_store *s, const struct store_change *c, uint64_t before,
                             struct pal_error *err)
{
    const char *user = c->record.kind == RECORD_CLEAR ? "" : c->record.id;
    struct str row = {0}, sql = {0};
    uint64_t at = (uint64_t)change_at(c);
    ch_put_text(&row, user);
    ch_put_bytes(&row, &before, sizeof before);
    ch_put_bytes(&row, &at, sizeof at);
    enum pal_status st =
        ch_insert(&s->writer, "INSERT INTO $DB.erased FORMAT RowBinary", &row, err);
    str_fmt(&sql, "ALTER TABLE $DB.events DELETE WHERE place < %llu", (unsigned long long)before);
    if (*user) {
        str_put(&sql, " AND user = ");
        ch_quote(&sql, user);
    }
    if (st == PAL_OK)
        st = str_ok(&sql) ? ch_run(&s->writer, str_text(&sql), NULL, err) : pal_no_memory(err);
    str_done(&row);
    str_done(&sql);
    return st;
}

/* ---- a transaction ---- */

static enum pal_status commit(struct batch *b, const struct commit *c, struct pal_error *err)
{
    const struct store_ops *ops = b->s->catalog->ops;
    return c->stream ? ops->take(b->s->catalog, b->rest, b->rest_count, c->reaches, c->reach_count,
                                 NULL, err)
                     : ops->apply(b->s->catalog, b->rest, b->rest_count, c->seq, c->note, c->text,
                                  NULL, err);
}

static enum pal_status write_batch(struct batch *b, const struct commit *c, struct pal_error *err)
{
    struct ch_store *s = b->s;
    const struct store_change *last = b->count ? &b->changes[b->count - 1] : NULL;
    enum pal_status st = store_mark(s->catalog, &b->mark, err);
    if (st == PAL_OK && (s->unsure || s->ops.shared)) { /* others, too, may have been killed */
        st = delete_behind(s, b->mark, err);
        if (st == PAL_OK)
            st = ch_erasures_read(&s->writer, b->mark, &s->erasures, err);
        s->unsure = st != PAL_OK;
    }
    if (st == PAL_OK)
        st = find_seen(b, err);
    if (st != PAL_OK)
        return st;
    part(b, c->stream);
    bool erases = last && is_erasure(last) && !is_void(s, last, c->stream);
    s->unsure = true; /* until it is committed */
    if (b->events)
        st = ch_insert(&s->writer, "INSERT INTO $DB.events FORMAT RowBinary", &b->rows, err);
    if (st == PAL_OK && erases) /* before the commit, which ends the records of it */
        st = erase(s, &b->rest[b->rest_count - 1], b->mark + b->events + 1, err);
    if (st == PAL_OK)
        st = commit(b, c, err);
    if (st == PAL_OK)
        remember_ids(b);
    s->unsure = st != PAL_OK || erases; /* what is erased is read again */
    return st;
}

static void batch_done(struct batch *b)
{
    intern_done(&b->ids);
    mem_free(b->seen);
    mem_free(b->hash);
    mem_free(b->rest);
    str_done(&b->rows);
}

/* The changes up to the first erasure, that one included. */
static size_t length_of(const struct store_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_erasure(&changes[i]))
            return i + 1;
    return count;
}

/* All but the last transaction leave note and reaches as they are, and move the position only to
 * where they came. */
static enum pal_status write_all(struct ch_store *s, const struct store_change *changes,
                                 size_t count, const struct commit *all, size_t *repeated,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    size_t done = 0;
    *repeated = 0;
    do {
        struct batch b = {.s = s, .changes = done ? changes + done : changes};
        struct commit c = *all;
        b.count = length_of(b.changes, count - done);
        if (done + b.count < count)
            c = (struct commit){.stream = all->stream, .seq = b.changes[b.count - 1].seq};
        b.rest = mem_alloc(b.count, sizeof *b.rest);
        st = b.rest ? write_batch(&b, &c, err) : pal_no_memory(err);
        *repeated += b.repeated;
        done += b.count;
        batch_done(&b);
    } while (st == PAL_OK && done < count);
    return st;
}

/* Holds the catalog, where others could write, for as long as it takes. */
static enum pal_status write_held(struct store *base, const struct store_change *changes,
                                  size_t count, const struct commit *c, size_t *repeated,
                                  struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    const struct store_ops *ops = s->catalog->ops;
    size_t again = 0;
    if (s->read_only)
        return pal_fail(err, PAL_EUSAGE, "%s was opened for reading only", s->place.shown);
    pthread_mutex_lock(&s->write);
    enum pal_status st = ops->hold ? ops->hold(s->catalog, true, err) : PAL_OK;
    if (st == PAL_OK) {
        struct pal_error ignored;
        st = write_all(s, changes, count, c, &again, err);
        if (ops->hold && ops->hold(s->catalog, false, st == PAL_OK ? err : &ignored) != PAL_OK)
            s->unsure = true;
    }
    pthread_mutex_unlock(&s->write);
    if (st == PAL_OK && repeated)
        *repeated = again;
    return st;
}

/* Those with a number at or below the position are the catalog's to pass over, and ours. */
enum pal_status clickhouse_apply(struct store *base, const struct store_change *changes,
                                 size_t count, uint64_t seq, const char *note, const char *text,
                                 size_t *repeated, struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct commit c = {.seq = seq, .note = note, .text = text};
    uint64_t position = 0;
    size_t skip = 0;
    enum pal_status st = seq ? store_position(s->catalog, &position, err) : PAL_OK;
    while (skip < count && changes[skip].seq && changes[skip].seq <= position)
        skip++;
    return st == PAL_OK
               ? write_held(base, skip ? changes + skip : changes, count - skip, &c, repeated, err)
               : st;
}

enum pal_status clickhouse_take(struct store *base, const struct store_change *changes,
                                size_t count, const struct store_reach *reaches, size_t reach_count,
                                size_t *repeated, struct pal_error *err)
{
    struct commit c = {.stream = true, .reaches = reaches, .reach_count = reach_count};
    return write_held(base, changes, count, &c, repeated, err);
}
