/* What every kind of store does (see world.h). Random sequences of every kind of change, in random
 * batches, with the store closed and opened in between, against a naive store in plain arrays:
 * whatever can be read must be the same. And each thing that store.h promises by itself. */
#include "test.h"

#include <inttypes.h>

#include "world.h"

/* The user's events, newest first, in pages of a few, as the naive store has them. */
static void assert_user_is(struct store *store, const struct naive *w, const char *user)
{
    struct pal_error err;
    struct str is = {0}, expected = {0};
    uint64_t count, events = 0;
    struct telling t = {.s = &is, .newest_first = true};
    for (size_t before = SIZE_MAX; before != is.len;) { /* until nothing is added */
        before = is.len;
        assert_ok(store_user_events(store, user, t.last, 3, tell_event, &t, &err), &err);
    }
    for (size_t i = w->n; i-- > 0;)
        if (w->alive[i] && w->h->change[i].record.kind == RECORD_EVENT &&
            strcmp(w->h->change[i].record.event.user_id, user) == 0) {
            put_event(&expected, &w->h->change[i].record.event);
            events++;
        }
    assert_string_equal(str_text(&is), str_text(&expected));
    assert_ok(store_user_count(store, user, &count, &err), &err);
    assert_int_equal(count, events);
    str_clear(&is);
    str_clear(&expected);
    assert_ok(store_served(store, user, 2, tell_served, &is, &err), &err);
    for (size_t i = w->n, given = 0; i-- > 0 && given < 2;)
        if (w->alive[i] && is_served(&w->h->change[i].record) &&
            same_id(w->h->change[i].record.served.user_id, user)) {
            put_served(&expected, &w->h->change[i].record.served);
            given++;
        }
    assert_string_equal(str_text(&is), str_text(&expected));
    str_done(&is);
    str_done(&expected);
}

static void any_history_as_the_naive_store(void **state)
{
    struct scene *w = *state;
    static struct history_of_site h;
    static struct naive naive;
    struct rng r;
    rng_init(&r, 7, 1);
    for (uint64_t seed = 1; seed <= (is_elsewhere() ? 2 : 6); seed++) {
        struct pal_error err;
        begin_anew(w);
        invent(&h, is_elsewhere() ? 600 : 1500, seed, seed % 2);
        memset(&naive, 0, sizeof naive);
        naive.h = &h;
        while (naive.n < h.count) {
            size_t from = naive.n, n = 1 + rng_below(&r, 200), stored = 0, repeated = 77;
            n = n < h.count - from ? n : h.count - from;
            for (size_t i = 0; i < n; i++)
                naive_step(&naive);
            assert_ok(store_apply(w->s, h.change + from, n, from + n, &repeated, &err), &err);
            for (size_t i = from; i < from + n; i++)
                stored += h.change[i].record.kind == RECORD_EVENT;
            assert_true(repeated <= stored);
            assert_store_is(w->s, &naive);
            if (rng_below(&r, 3) == 0)
                reopen(w);
        }
        for (unsigned u = 0; u < 15; u++) {
            char user[48];
            assert_user_is(w->s, &naive, word(user, "user-", u));
        }
    }
}

/* What a drain does that was killed before it could say that it was done. */
static void changes_come_twice(void **state)
{
    struct scene *w = *state;
    static struct history_of_site h;
    static struct naive naive;
    invent(&h, 900, 42, false);
    naive.h = &h;
    for (size_t i = 0; i < 600; i++)
        naive_step(&naive);
    apply(w->s, h.change, 500, 500);
    apply(w->s, h.change + 200, 400, 600); /* 300 of them again */
    assert_store_is(w->s, &naive);
    apply(w->s, h.change, 600, 600);
    assert_store_is(w->s, &naive);
    reopen(w);
    apply(w->s, h.change + 100, 500, 600);
    assert_store_is(w->s, &naive);
}

static void repeats_are_counted(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store_counts counts;
    size_t repeated;
    struct store_change a[] = {
        event_change(1, "u", "i", "like", 1, "one"), event_change(2, "u", "i", "like", 1, "one"),
        event_change(3, "u", "i", "like", 1, NULL), event_change(4, "u", "i", "like", 1, NULL),
        event_change(5, "v", "i", "like", 1, "two")};
    assert_ok(store_apply(w->s, a, 5, 5, &repeated, &err), &err);
    assert_int_equal(repeated, 1);
    reopen(w); /* ids are found again */
    struct store_change b[] = {event_change(6, "u", "i", "like", 1, "one"),
                               event_change(7, "v", "j", "view", 9, "two"),
                               event_change(8, "v", "i", "like", 1, "three")};
    assert_ok(store_apply(w->s, b, 3, 8, &repeated, &err), &err);
    assert_int_equal(repeated, 2);
    assert_ok(store_counts(w->s, &counts, &err), &err);
    assert_int_equal(counts.events, 5);
    assert_int_equal(counts.items, 1); /* a repeat adds no item either */
}

static void unnumbered_changes_always_count(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    uint64_t position, events;
    struct store_change first = event_change(9, "u", "i", "like", 1, NULL);
    struct store_change plain = event_change(0, "u", "i", "like", 1, NULL);
    apply(w->s, &first, 1, 9);
    apply(w->s, &plain, 1, 0);
    apply(w->s, &plain, 1, 0);
    assert_ok(store_position(w->s, &position, &err), &err);
    assert_ok(store_user_count(w->s, "u", &events, &err), &err);
    assert_int_equal(position, 9);
    assert_int_equal(events, 3);
    apply(w->s, NULL, 0, 12); /* a position alone */
    assert_ok(store_position(w->s, &position, &err), &err);
    assert_int_equal(position, 12);
}

/* A store keeps whatever it is given, even if training will not take so many. */
static void more_types_than_training_knows(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct event_types types;
    struct store_counts counts;
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < EVENT_TYPES + 8; i++) {
            char type[48];
            struct store_change c = event_change(0, "u", "i", word(type, "t", i), 1, NULL);
            apply(w->s, &c, 1, 0);
        }
        reopen(w);
    }
    assert_ok(store_counts(w->s, &counts, &err), &err);
    assert_int_equal(counts.events, 2 * (EVENT_TYPES + 8));
    assert_ok(store_types(w->s, &types, &err), &err);
    assert_int_equal(types.count, EVENT_TYPES);
    assert_string_equal(types.name[EVENT_TYPES - 1], "t63");
    struct dataset *d;
    assert_int_equal(store_dataset(w->s, NULL, 0, NULL, &d, NULL, &err), PAL_EUSAGE);
}

static enum pal_status stop_at_two(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    (void)e;
    return ++*(int *)ctx == 2 ? pal_fail(err, PAL_EFULL, "enough") : PAL_OK;
}

static void a_callback_ends_its_walk(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    int seen = 0;
    for (int i = 0; i < 5; i++) {
        struct store_change c = event_change(0, "u", "i", "like", i, NULL);
        apply(w->s, &c, 1, 0);
    }
    assert_int_equal(store_events(w->s, 0, stop_at_two, &seen, &err), PAL_EFULL);
    assert_int_equal(seen, 2);
    assert_string_equal(err.message, "enough");
    seen = 0;
    assert_int_equal(store_user_events(w->s, "u", 0, 9, stop_at_two, &seen, &err), PAL_EFULL);
    assert_int_equal(seen, 2);
}

static void single_rows_are_found(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct str s = {0};
    uint64_t events;
    struct store_change c[] = {
        {.seq = 1,
         .record = {.kind = RECORD_ITEM, .item = {"a", "A", "[\"x\"]", "{}", "u", true, 5}}},
        {.seq = 2, .record = {.kind = RECORD_USER, .user = {"p", "{\"age\":3}", 6}}},
        id_change(3, RECORD_ITEM_DELETE, "never there"),
    };
    apply(w->s, c, 3, 3);
    assert_ok(store_item(w->s, "a", tell_item, &s, &err), &err);
    assert_ok(store_user(w->s, "p", tell_user, &s, &err), &err);
    assert_string_equal(str_text(&s), "item a|A|[\"x\"]|{}|u|1|5\nuser p|{\"age\":3}|6\n");
    assert_int_equal(store_item(w->s, "b", tell_item, &s, &err), PAL_ENOTFOUND);
    assert_int_equal(store_item(w->s, "never there", tell_item, &s, &err), PAL_ENOTFOUND);
    assert_int_equal(store_user(w->s, "q", tell_user, &s, &err), PAL_ENOTFOUND);
    assert_ok(store_user_count(w->s, "q", &events, &err), &err);
    assert_int_equal(events, 0);
    str_done(&s);
}

static void old_served_lists_go(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store_counts counts;
    uint64_t deleted;
    for (unsigned i = 0; i < 10; i++) {
        char id[48];
        struct store_change c = {
            .seq = 0,
            .record = {.kind = RECORD_SERVED,
                       .served = {word(id, "r", i), "u", i * 100, "[]", NULL, 0}}};
        apply(w->s, &c, 1, 0);
    }
    assert_ok(store_forget_served(w->s, 300, &deleted, &err), &err);
    assert_int_equal(deleted, 3);
    assert_ok(store_forget_served(w->s, 300, NULL, &err), &err);
    reopen(w);
    assert_ok(store_counts(w->s, &counts, &err), &err);
    assert_int_equal(counts.served, 7);
}

/* Lists that came in another order than that of their times go once what came before them does;
 * what is left of a user is found, and goes on growing, also when everything went. */
static void old_served_lists_go_from_the_front(void **state)
{
    static const int times[] = {100, 250, 900, 200, 950};
    struct scene *w = *state;
    struct pal_error err;
    struct str s = {0};
    uint64_t deleted;
    for (unsigned i = 0; i < 5; i++) {
        char id[48], user[48];
        struct store_change c = {.seq = 0,
                                 .record = {.kind = RECORD_SERVED,
                                            .served = {word(id, "r", i), word(user, "u", i % 2),
                                                       times[i], "[]", NULL, 0}}};
        apply(w->s, &c, 1, 0);
    }
    assert_ok(store_forget_served(w->s, 300, &deleted, &err), &err);
    assert_int_equal(deleted, 2); /* the one of 200 lies behind the one of 900 */
    assert_ok(store_served(w->s, "u1", 0, tell_served, &s, &err), &err);
    assert_string_equal(str_text(&s), "served r3|u1|200|[]\n");
    assert_ok(store_forget_served(w->s, 925, &deleted, &err), &err);
    assert_int_equal(deleted, 2);
    assert_ok(store_forget_served(w->s, 1000, &deleted, &err), &err);
    assert_int_equal(deleted, 1);
    struct store_change c[] = {
        {.seq = 0, .record = {.kind = RECORD_SERVED, .served = {"s0", "u0", 2000, "[]", NULL, 0}}},
        {.seq = 0, .record = {.kind = RECORD_SERVED, .served = {"s1", "u0", 2001, "[]", NULL, 0}}},
    };
    apply(w->s, c, 2, 0);
    reopen(w);
    str_clear(&s);
    assert_ok(store_served(w->s, "u0", 0, tell_served, &s, &err), &err);
    assert_ok(store_served(w->s, "u1", 0, tell_served, &s, &err), &err);
    assert_string_equal(str_text(&s), "served s1|u0|2001|[]\nserved s0|u0|2000|[]\n");
    str_done(&s);
}

static void notes_are_kept(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    char *text = NULL;
    assert_int_equal(store_note(w->s, "a", &text, &err), PAL_ENOTFOUND);
    assert_ok(store_put_note(w->s, "a", "first", &err), &err);
    assert_ok(store_put_note(w->s, "a", "second", &err), &err);
    assert_ok(store_put_note(w->s, "empty", "", &err), &err);
    reopen(w);
    assert_ok(store_note(w->s, "a", &text, &err), &err);
    assert_string_equal(text, "second");
    mem_free(text);
    assert_ok(store_note(w->s, "empty", &text, &err), &err);
    assert_string_equal(text, "");
    mem_free(text);
}

/* A note goes in with the changes, or neither does. */
static void a_note_in_the_same_transaction(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store_change good = event_change(0, "u", "i", "like", 1, NULL);
    struct store_change bad = {.seq = 0, .record = {.kind = (enum record_kind)99}};
    char *text = NULL;
    uint64_t position;
    assert_ok(store_load(w->s, &good, 1, "n", "one", NULL, &err), &err);
    assert_int_equal(store_load(w->s, &bad, 1, "n", "two", NULL, &err), PAL_EUSAGE);
    assert_ok(store_note(w->s, "n", &text, &err), &err);
    assert_string_equal(text, "one");
    mem_free(text);
    assert_ok(store_position(w->s, &position, &err), &err);
    assert_int_equal(position, 0);
    /* what is known of imports goes with what they brought; other notes stay */
    assert_ok(store_put_note(w->s, "import:1", "all", &err), &err);
    struct store_change clear = id_change(0, RECORD_CLEAR, NULL);
    apply(w->s, &clear, 1, 0);
    assert_int_equal(store_note(w->s, "import:1", &text, &err), PAL_ENOTFOUND);
    assert_ok(store_note(w->s, "n", &text, &err), &err);
    mem_free(text);
}

static void served_lists_in_the_order_of_arrival(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct str s = {0};
    struct store_change c[] = {
        {.seq = 0, .record = {.kind = RECORD_SERVED, .served = {"r1", "u", 9, "[]", NULL, 0}}},
        {.seq = 0, .record = {.kind = RECORD_SERVED, .served = {"r2", NULL, 3, "[]", NULL, 0}}},
    };
    apply(w->s, c, 2, 0);
    assert_ok(store_all_served(w->s, tell_served, &s, &err), &err);
    assert_string_equal(str_text(&s), "served r1|u|9|[]\nserved r2||3|[]\n");
    str_done(&s);
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(any_history_as_the_naive_store),
        IN_A_STORE(changes_come_twice),
        IN_A_STORE(repeats_are_counted),
        IN_A_STORE(unnumbered_changes_always_count),
        IN_A_STORE(more_types_than_training_knows),
        IN_A_STORE(a_callback_ends_its_walk),
        IN_A_STORE(single_rows_are_found),
        IN_A_STORE(old_served_lists_go),
        IN_A_STORE(old_served_lists_go_from_the_front),
        IN_A_STORE(notes_are_kept),
        IN_A_STORE(a_note_in_the_same_transaction),
        IN_A_STORE(served_lists_in_the_order_of_arrival),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
