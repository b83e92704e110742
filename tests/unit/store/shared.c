/* Several processes on one store, as threads with handles of their own: each journal's records are
 * in it once, in their order, whoever writes meanwhile, and whoever follows misses nothing. A store
 * that is not shared keeps the second one out instead. Of every kind of store (see world.h). */
#include "test.h"

#include <inttypes.h>
#include <pthread.h>

#include "world.h"

enum { WRITERS = 3, EVENTS = 600, BATCH = 20 };

struct writer {
    const struct scene *w;
    unsigned number;
    bool failed;
    char user[EVENTS][24], id[EVENTS][48];
};

static bool must(enum pal_status st, const struct pal_error *err)
{
    if (st != PAL_OK)
        print_error("%s\n", err->message);
    return st == PAL_OK;
}

/* Its journal's records, every batch twice and with a new handle now and then. Users and items are
 * shared with the others, and somebody whom all know is erased on the way. */
static void *write_all(void *ctx)
{
    struct writer *me = ctx;
    struct store *s = NULL;
    struct pal_error err;
    char journal[24];
    snprintf(journal, sizeof journal, "journal-%u", me->number);
    for (unsigned from = 0; from < EVENTS && !me->failed; from += BATCH) {
        struct store_change c[BATCH];
        for (unsigned i = 0; i < BATCH; i++) {
            unsigned n = from + i;
            snprintf(me->user[n], sizeof me->user[n], "u%u", n % 50);
            snprintf(me->id[n], sizeof me->id[n], "%s-%016x", journal, n);
            c[i] = event_change(n + 1, me->user[n], n % 2 ? "odd" : "even", "like", n + 1,
                                n % 3 ? me->id[n] : NULL);
            if (n % 100 == 99)
                c[i] = id_change(n + 1, RECORD_USER_DELETE, "u49");
        }
        if (from % 100 == 0) {
            store_close(s);
            s = NULL;
            me->failed = !must(store_open(me->w->url, false, &s, &err), &err) ||
                         !must(store_source(s, journal, &err), &err);
        }
        for (int twice = 0; twice < 2 && !me->failed; twice++)
            me->failed = !must(store_apply(s, c, BATCH, from + BATCH, NULL, &err), &err);
    }
    store_close(s);
    return NULL;
}

struct follower {
    struct store *s;
    atomic_int *stop;
    bool failed;
    uint64_t mark, events, erased;
    bool seen[WRITERS][EVENTS];
};

static enum pal_status meet(void *ctx, const struct record *r, struct pal_error *err)
{
    struct follower *f = ctx;
    unsigned journal, n;
    f->events += r->kind == RECORD_EVENT;
    f->erased += r->kind == RECORD_USER_DELETE;
    if (r->kind == RECORD_EVENT && *r->event.event_id) {
        if (sscanf(r->event.event_id, "journal-%u-%x", &journal, &n) != 2 || f->seen[journal][n])
            return pal_fail(err, PAL_ECORRUPT, "'%s' comes twice", r->event.event_id);
        f->seen[journal][n] = true;
    }
    return PAL_OK;
}

static void *follow_all(void *ctx)
{
    struct follower *f = ctx;
    struct pal_error err;
    for (bool last = false; !f->failed;) {
        uint64_t before = f->mark;
        f->failed = !must(store_follow(f->s, &f->mark, 37, meet, f, &err), &err);
        if (f->mark == before && last)
            return NULL;
        last = *f->stop && f->mark == before;
    }
    return NULL;
}

static void assert_one_writes(struct scene *w)
{
    struct store *second;
    struct pal_error err;
    assert_int_equal(store_open(w->url, false, &second, &err), PAL_EIO);
}

static void assert_all_is_there(struct scene *w, const struct follower *f)
{
    struct pal_error err;
    struct store_counts counts;
    uint64_t position;
    assert_ok(store_counts(w->s, &counts, &err), &err);
    /* of each writer's six erasures each is one record less; and u49's last events are gone */
    assert_int_equal(counts.items, 2);
    assert_true(counts.users == 49 || counts.users == 50);
    assert_true(counts.events >= WRITERS * (EVENTS - EVENTS / 50));
    assert_true(counts.events <= WRITERS * (EVENTS - EVENTS / 100));
    for (unsigned i = 0; i < WRITERS; i++) {
        char journal[24];
        snprintf(journal, sizeof journal, "journal-%u", i);
        assert_ok(store_source(w->s, journal, &err), &err);
        assert_ok(store_position(w->s, &position, &err), &err);
        assert_int_equal(position, EVENTS);
        for (unsigned n = 0; n < EVENTS; n++)
            assert_true(f->seen[i][n] || n % 3 == 0 || n % 50 == 49);
    }
    assert_true(f->erased >= 1);
    assert_true(f->events >= counts.events);
}

static void many_write_one_follows(void **state)
{
    struct scene *w = *state;
    static struct writer writer[WRITERS];
    static struct follower f;
    pthread_t id[WRITERS], following;
    atomic_int stop = 0;
    if (!store_shared(w->s)) {
        assert_one_writes(w);
        return;
    }
    f = (struct follower){.s = w->s, .stop = &stop};
    assert_int_equal(pthread_create(&following, NULL, follow_all, &f), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        writer[i] = (struct writer){.w = w, .number = i};
        assert_int_equal(pthread_create(&id[i], NULL, write_all, &writer[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(id[i], NULL);
        assert_false(writer[i].failed);
    }
    stop = 1;
    pthread_join(following, NULL);
    assert_false(f.failed);
    assert_all_is_there(w, &f);
}

/* What one process knows by heart is what another may erase: whoever comes back is somebody new,
 * and what is told of them is theirs. */
static void another_erases(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *other;
    struct str told = {0};
    uint64_t mark, events;
    if (!store_shared(w->s)) {
        assert_one_writes(w);
        return;
    }
    assert_ok(store_open(w->url, false, &other, &err), &err);
    assert_ok(store_source(w->s, "one", &err), &err);
    assert_ok(store_source(other, "other", &err), &err);
    struct store_change c = event_change(1, "u", "i", "like", 1, NULL);
    apply(w->s, &c, 1, 1);
    assert_ok(store_mark(w->s, &mark, &err), &err);
    struct store_change gone[] = {id_change(1, RECORD_USER_DELETE, "u"),
                                  event_change(2, "v", "j", "view", 2, NULL)};
    apply(other, gone, 2, 2);
    struct store_change again = event_change(2, "u", "i", "like", 3, NULL);
    apply(w->s, &again, 1, 2);
    assert_ok(store_user_count(other, "u", &events, &err), &err);
    assert_int_equal(events, 1);
    struct store_change all[] = {id_change(3, RECORD_CLEAR, NULL),
                                 event_change(4, "w", "k", "view", 4, NULL)};
    apply(other, all, 2, 4);
    struct store_change last = event_change(3, "u", "i", "like", 5, NULL);
    apply(w->s, &last, 1, 3);
    store_text(w->s, &told);
    assert_string_equal(str_text(&told), "item k|||||1|0\nitem i|||||1|0\nuser w||0\nuser u||0\n"
                                         "event w|k|view|1|4||\nevent u|i|like|1|5||\n"
                                         "2 items, 2 users, 2 events, 0 served, position 3\n");
    str_done(&told);
    store_close(other);
}

static struct store_change at(struct store_change c, int64_t ms)
{
    c.at_ms = ms;
    return c;
}

static struct store_change put_change(uint64_t seq, const char *item, const char *title)
{
    return (struct store_change){
        .seq = seq, .record = {.kind = RECORD_ITEM, .item = {.item_id = item, .title = title}}};
}

/* What lay in one process's journal, from before another erased a user, changed an item or forgot
 * everything, is void when it comes late; what was accepted after that counts, also of a user whom
 * the late one knows by heart. What does not say when it was counts. */
static void what_comes_late_may_be_void(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *late;
    struct str told = {0};
    if (!store_shared(w->s)) {
        assert_one_writes(w);
        return;
    }
    assert_ok(store_open(w->url, false, &late, &err), &err);
    assert_ok(store_source(w->s, "one", &err), &err);
    assert_ok(store_source(late, "late", &err), &err);
    const struct store_change first[] = {at(event_change(1, "u", "i", "like", 1, NULL), 1000),
                                         at(event_change(2, "v", "i", "like", 2, NULL), 1000)};
    apply(late, first, 2, 2);
    const struct store_change gone[] = {at(id_change(1, RECORD_USER_DELETE, "u"), 2000),
                                        at(put_change(2, "j", "new"), 2000),
                                        at(id_change(3, RECORD_USER_DELETE, "x"), 2000)};
    apply(w->s, gone, 3, 3);
    const struct served_row list = {
        .recommendation_id = "r", .user_id = "u", .time_ms = 5, .list = "[]"};
    const struct store_change old[] = {
        at(event_change(3, "u", "k", "like", 3, "e3"), 1500),
        at(event_change(4, "x", "k", "like", 4, NULL), 1999), /* of whom nothing was stored */
        at(put_change(5, "j", "old"), 1999),
        at(id_change(6, RECORD_USER_DELETE, "x"), 1999),
        at((struct store_change){.seq = 7, .record = {.kind = RECORD_SERVED, .served = list}},
           1999),
        at(event_change(8, "v", "k", "like", 8, NULL), 1999),
        at(event_change(9, "u", "j", "like", 9, "e3"), 2001),
        at(event_change(10, "x", "j", "like", 10, NULL), 2001),
        event_change(11, "u", "l", "view", 11, NULL)};
    apply(late, old, sizeof old / sizeof old[0], 11);
    store_text(w->s, &told);
    assert_string_equal(str_text(&told),
                        "item i|||||1|0\nitem j|new||||0|0\nitem k|||||1|0\nitem l|||||1|0\n"
                        "user v||0\nuser u||0\nuser x||0\n"
                        "event v|i|like|1|2||\nevent v|k|like|1|8||\nevent u|j|like|1|9|e3|\n"
                        "event x|j|like|1|10||\nevent u|l|view|1|11||\n"
                        "4 items, 3 users, 5 events, 0 served, position 3\n");
    const struct store_change clear = at(id_change(4, RECORD_CLEAR, NULL), 3000);
    apply(w->s, &clear, 1, 4);
    const struct store_change rest[] = {at(event_change(12, "u", "i", "like", 12, NULL), 2999),
                                        at(id_change(13, RECORD_CLEAR, NULL), 2999),
                                        at(event_change(14, "u", "m", "like", 14, NULL), 3001)};
    apply(late, rest, 3, 14);
    str_clear(&told);
    store_text(w->s, &told);
    assert_string_equal(str_text(&told), "item m|||||1|0\nuser u||0\nevent u|m|like|1|14||\n"
                                         "1 items, 1 users, 1 events, 0 served, position 4\n");
    str_done(&told);
    store_close(late);
}

static void *open_it(void *url)
{
    struct store *s;
    struct pal_error err;
    bool good = must(store_open(url, false, &s, &err), &err);
    if (good)
        store_close(s);
    return good ? url : NULL;
}

/* All of them find nothing there, and one makes it. */
static void many_make_it(void **state)
{
    struct scene *w = *state;
    pthread_t id[WRITERS];
    struct pal_error err;
    if (!store_shared(w->s)) {
        assert_one_writes(w);
        return;
    }
    close_store(w);
    name_store(w);
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&id[i], NULL, open_it, w->url), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        void *good;
        pthread_join(id[i], &good);
        assert_non_null(good);
    }
    assert_ok(store_open(w->url, true, &w->s, &err), &err);
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(many_write_one_follows),
        IN_A_STORE(another_erases),
        IN_A_STORE(what_comes_late_may_be_void),
        IN_A_STORE(many_make_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
