/* Reading: a row counts when its place is not behind the catalog's mark and not before an erasure.
 * Rows come in the order of places; of several with one place, which an insert that was given up
 * and came all the same may leave, the first counts. */
#include "base/clock.h"
#include "store/clickhouse_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { AWAY_MS = 3000 };

#define COLUMNS "user, place, item, type, value, event_id, recommendation_id, time_ms"
#define KINDS   "sqssfssi"

/* ---- erasures ---- */

void ch_erasures_done(struct ch_erasures *e)
{
    intern_done(&e->users);
    mem_free(e->of);
    memset(e, 0, sizeof *e);
}

/* fields: user, before, at */
static enum pal_status on_erased(void *ctx, const union ch_field *f, struct pal_error *err)
{
    struct ch_erasures *e = ctx;
    uint32_t i;
    if (mem_grow(&e->of, &e->cap, (size_t)e->users.count + 1, sizeof *e->of))
        return pal_no_memory(err);
    uint32_t before = e->users.count;
    enum pal_status st = intern_add(&e->users, f[0].text, strlen(f[0].text), &i, err);
    if (st != PAL_OK)
        return st;
    if (i == before)
        e->of[i] = (struct ch_erased){0, 0};
    if (f[1].u64 > e->of[i].before)
        e->of[i].before = f[1].u64;
    if (f[2].u64 > e->of[i].at)
        e->of[i].at = f[2].u64;
    return PAL_OK;
}

/* When users were erased long before another was is forgotten, as the catalog does. */
static void forget(struct ch_erasures *e)
{
    uint64_t newest = 0;
    uint32_t all = intern_find(&e->users, "", 0);
    for (uint32_t i = 0; i < e->users.count; i++)
        if (i != all && e->of[i].at > newest)
            newest = e->of[i].at;
    for (uint32_t i = 0; i < e->users.count; i++)
        if (i != all && newest > CHANGE_ERASED_KEPT && e->of[i].at < newest - CHANGE_ERASED_KEPT)
            e->of[i].at = 0;
}

enum pal_status ch_erasures_read(struct ch *c, uint64_t mark, struct ch_erasures *out,
                                 struct pal_error *err)
{
    struct ch_erasures fresh = {.cap = 0};
    char sql[120];
    snprintf(sql, sizeof sql,
             "SELECT user, before, at FROM $DB.erased WHERE before <= %llu FORMAT RowBinary",
             (unsigned long long)mark + 1);
    enum pal_status st = ch_select(c, sql, "sqq", on_erased, &fresh, err);
    if (st != PAL_OK) {
        ch_erasures_done(&fresh);
        return st;
    }
    forget(&fresh);
    ch_erasures_done(out);
    *out = fresh;
    return PAL_OK;
}

uint64_t ch_erased_before(const struct ch_erasures *e, const char *user)
{
    uint32_t all = intern_find(&e->users, "", 0);
    uint32_t one = intern_find(&e->users, user, strlen(user));
    uint64_t before = all == INTERN_NONE ? 0 : e->of[all].before;
    return one != INTERN_NONE && e->of[one].before > before ? e->of[one].before : before;
}

/* ---- walks ---- */

struct walk {
    const struct ch_erasures *erasures; /* NULL = the statement sees to them */
    store_event_fn *fn;
    void *ctx;
    uint64_t last; /* place */
    size_t given, most;
};

static enum pal_status on_event(void *ctx, const union ch_field *f, struct pal_error *err)
{
    struct walk *w = ctx;
    if (f[1].u64 == w->last || w->given == w->most ||
        (w->erasures && f[1].u64 < ch_erased_before(w->erasures, f[0].text)))
        return PAL_OK;
    struct stored_event e = {.place = f[1].u64,
                             .event = {.user_id = f[0].text,
                                       .item_id = f[2].text,
                                       .type = f[3].text,
                                       .value = f[4].f32,
                                       .event_id = f[5].text,
                                       .recommendation_id = f[6].text,
                                       .time_ms = f[7].i64}};
    w->last = e.place;
    w->given++;
    return w->fn(w->ctx, &e, err);
}

/* Rows that a condition names, in an order; limit 0 = all. */
static enum pal_status read_rows(struct ch *c, const char *where, const char *order, size_t limit,
                                 struct walk *w, struct pal_error *err)
{
    struct str sql = {0};
    char most[40] = "";
    if (limit)
        snprintf(most, sizeof most, " LIMIT %zu", limit);
    str_fmt(&sql, "SELECT " COLUMNS " FROM $DB.events WHERE %s ORDER BY %s%s FORMAT RowBinary",
            where, order, most);
    enum pal_status st =
        str_ok(&sql) ? ch_select(c, str_text(&sql), KINDS, on_event, w, err) : pal_no_memory(err);
    str_done(&sql);
    return st;
}

/* "user = 'x' AND place <= MARK and not erased" */
static enum pal_status of_user(struct ch_store *s, const char *user_id, struct str *where,
                               struct pal_error *err)
{
    uint64_t mark;
    enum pal_status st = store_mark(s->catalog, &mark, err);
    if (st != PAL_OK)
        return st;
    str_put(where, "user = ");
    ch_quote(where, user_id);
    str_fmt(where,
            " AND place <= %llu AND place >= (SELECT max(before) FROM $DB.erased WHERE before <= "
            "%llu AND user IN ('', ",
            (unsigned long long)mark, (unsigned long long)mark + 1);
    ch_quote(where, user_id);
    str_put(where, "))");
    return str_ok(where) ? PAL_OK : pal_no_memory(err);
}

/* ---- of one user ---- */

/* Somebody waits for an answer. A server that doesn't answer costs them seconds, so while it is
 * away one of them pays for that, now and then. */
static enum pal_status begin(struct ch_store *s, struct ch *c, struct pal_error *err)
{
    pthread_mutex_lock(&s->away_lock);
    bool away = s->away_until_ms && clock_steady_ms() < s->away_until_ms;
    if (away && err)
        *err = s->away;
    else if (s->away_until_ms)
        s->away_until_ms = clock_steady_ms() + AWAY_MS; /* the others, while this one tries */
    pthread_mutex_unlock(&s->away_lock);
    return away ? PAL_EIO : ch_new(&s->place, true, c, err);
}

/* c->fetch NULL: it was not asked. */
static void end(struct ch_store *s, struct ch *c, enum pal_status st, const struct pal_error *err)
{
    if (c->fetch) {
        pthread_mutex_lock(&s->away_lock);
        s->away_until_ms = st == PAL_EIO ? clock_steady_ms() + AWAY_MS : 0;
        if (st == PAL_EIO && err)
            s->away = *err;
        pthread_mutex_unlock(&s->away_lock);
    }
    ch_done(c);
}

/* Twice as many rows as are wanted: should some of them be of one place. */
enum pal_status clickhouse_user_events(struct store *base, const char *user_id, uint64_t before,
                                       size_t most, store_event_fn *fn, void *ctx,
                                       struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct walk w = {.fn = fn, .ctx = ctx, .most = most};
    struct str where = {0};
    struct ch c = {.place = NULL};
    enum pal_status st = of_user(s, user_id, &where, err);
    if (st == PAL_OK && before)
        str_fmt(&where, " AND place < %llu", (unsigned long long)before);
    if (st == PAL_OK && !str_ok(&where))
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = begin(s, &c, err);
    if (st == PAL_OK && most)
        st = read_rows(&c, str_text(&where), "place DESC", most < SIZE_MAX / 2 ? 2 * most : 0, &w,
                       err);
    end(s, &c, st, err);
    str_done(&where);
    return st;
}

enum pal_status clickhouse_user_count(struct store *base, const char *user_id, uint64_t *events,
                                      struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct str where = {0}, sql = {0};
    struct ch c = {.place = NULL};
    enum pal_status st = of_user(s, user_id, &where, err);
    str_fmt(&sql, "SELECT uniqExact(place) FROM $DB.events WHERE %s", str_text(&where));
    if (st == PAL_OK && !str_ok(&sql))
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = begin(s, &c, err);
    if (st == PAL_OK)
        st = ch_number(&c, str_text(&sql), events, err);
    end(s, &c, st, err);
    str_done(&sql);
    str_done(&where);
    return st;
}

/* One range of places after the other, so that the server sorts a few million at a time. */
static enum pal_status read_places(struct ch *c, uint64_t after, uint64_t upto, struct walk *w,
                                   struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    while (after < upto && st == PAL_OK && w->given < w->most) {
        char where[100];
        uint64_t end = ((after >> CH_RANGE_BITS) + 1) << CH_RANGE_BITS;
        if (end > upto)
            end = upto;
        snprintf(where, sizeof where, "place > %llu AND place <= %llu", (unsigned long long)after,
                 (unsigned long long)end);
        st = read_rows(c, where, "place", 0, w, err);
        after = end;
    }
    return st;
}

enum pal_status clickhouse_events(struct store *base, uint64_t after, store_event_fn *fn, void *ctx,
                                  struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct ch_erasures erasures = {.cap = 0};
    struct walk w = {.erasures = &erasures, .fn = fn, .ctx = ctx, .most = SIZE_MAX};
    struct ch c = {.place = NULL};
    uint64_t mark = 0;
    enum pal_status st = store_mark(s->catalog, &mark, err);
    if (st == PAL_OK)
        st = ch_new(&s->place, false, &c, err);
    if (st == PAL_OK)
        st = ch_erasures_read(&c, mark, &erasures, err);
    if (st == PAL_OK)
        st = read_places(&c, after, mark, &w, err);
    ch_erasures_done(&erasures);
    ch_done(&c);
    return st;
}

/* ---- following ---- */

struct follower {
    store_record_fn *fn;
    void *ctx;
    uint64_t last;
};

static enum pal_status give_record(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    struct follower *f = ctx;
    struct record r = {.kind = RECORD_EVENT, .event = e->event};
    f->last = e->place;
    return f->fn(f->ctx, &r, err);
}

/* The place of the most-th event behind `after`, or `upto` if there are fewer. */
static enum pal_status find_end(struct ch *c, uint64_t after, uint64_t upto, size_t most,
                                uint64_t *end, struct pal_error *err)
{
    char sql[300];
    uint64_t found = 0;
    snprintf(sql, sizeof sql,
             "SELECT if(count() < %zu, toUInt64(0), max(place)) FROM (SELECT place FROM $DB.events "
             "WHERE place > %llu AND place <= %llu ORDER BY place LIMIT %zu)",
             most, (unsigned long long)after, (unsigned long long)upto, most);
    enum pal_status st = ch_number(c, sql, &found, err);
    *end = found ? found : upto;
    return st;
}

/* What the catalog tells, then the events up to where that came, or to the mark if it told nothing.
 * Should there be far more events than are wanted the mark moves behind the last of those, and what
 * the catalog told of later is told once more: puts and erasures may be. */
enum pal_status clickhouse_follow(struct store *base, uint64_t *mark, size_t most,
                                  store_record_fn *fn, void *ctx, struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct ch_erasures erasures = {.cap = 0};
    struct follower f = {.fn = fn, .ctx = ctx};
    struct walk w = {.erasures = &erasures, .fn = give_record, .ctx = &f, .most = SIZE_MAX};
    struct ch c = {.place = NULL};
    uint64_t upto = 0, told = *mark, end = 0;
    enum pal_status st = store_mark(s->catalog, &upto, err);
    if (st == PAL_OK && upto <= *mark)
        return PAL_OK;
    if (st == PAL_OK)
        st = store_follow(s->catalog, &told, most, fn, ctx, err);
    if (st == PAL_OK)
        st = ch_new(&s->place, false, &c, err);
    if (st == PAL_OK)
        st = ch_erasures_read(&c, upto, &erasures, err);
    if (st == PAL_OK)
        st = find_end(&c, *mark, told > *mark ? told : upto, (most ? most : 1) << (told > *mark),
                      &end, err);
    if (st == PAL_OK)
        st = read_places(&c, *mark, end, &w, err);
    ch_erasures_done(&erasures);
    ch_done(&c);
    if (st == PAL_OK)
        *mark = end;
    return st;
}

enum pal_status clickhouse_counts(struct store *base, struct store_counts *out,
                                  struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct store_counts counts;
    struct ch c = {.place = NULL};
    uint64_t mark = 0, bytes = 0, deleting = 0;
    char sql[400];
    enum pal_status st = store_counts(s->catalog, &counts, err);
    if (st == PAL_OK)
        st = store_mark(s->catalog, &mark, err);
    if (st == PAL_OK)
        st = ch_new(&s->place, false, &c, err);
    if (st == PAL_OK)
        st = ch_number(
            &c, "SELECT count() FROM system.mutations WHERE database = '$DB' AND NOT is_done",
            &deleting, err);
    snprintf(
        sql, sizeof sql,
        "SELECT count() FROM $DB.events %s WHERE place <= %llu AND place >= (SELECT max(before) "
        "FROM $DB.erased WHERE user = '' AND before <= %llu)%s",
        deleting ? "ANY LEFT JOIN (SELECT user, max(before) AS gone FROM $DB.erased GROUP BY "
                   "user) USING user"
                 : "",
        (unsigned long long)mark, (unsigned long long)mark + 1,
        deleting ? " AND place >= gone" : "");
    if (st == PAL_OK)
        st = ch_number(&c, sql, &counts.events, err);
    if (st == PAL_OK)
        st = ch_number(&c, "SELECT sum(bytes) FROM system.parts WHERE database = '$DB' AND active",
                       &bytes, err);
    ch_done(&c);
    if (st == PAL_OK) {
        counts.bytes += bytes;
        *out = counts;
    }
    return st;
}
