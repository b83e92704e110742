/* What every kind of live state promises of users in state.h, asked of the server that
 * PALATE_TEST_STATE names; tests/backend/state_contract.py starts it and runs this. */
#include "site.h"

#include <pthread.h>
#include <stdatomic.h>

static struct event event_of(const char *user, const char *item, int64_t time_ms)
{
    return (struct event){
        .user_id = user, .item_id = item, .type = "like", .value = 1, .time_ms = time_ms};
}

static void add(struct state *s, const struct event *e, bool known_only)
{
    struct pal_error err;
    assert_ok(state_add(s, &e, 1, known_only, &err), &err);
}

static struct state_view look(struct site *w, struct state *s, const char *user,
                              struct state_version known)
{
    struct state_view v;
    struct pal_error err;
    assert_ok(state_look(s, user, &known, &w->tmp, &v, &err), &err);
    return v;
}

static const struct state_version nothing = {0};

/* Fills a user with what "the store" has: items `from` … `to`, the last one the newest. */
static void fill(struct site *w, struct state *s, const char *user, unsigned from, unsigned to)
{
    struct pal_error err;
    struct event *events = arena_alloc(&w->tmp, to - from, sizeof *events);
    bool filled;
    struct state_view v = look(w, s, user, nothing);
    assert_int_equal(v.found, STATE_NONE);
    assert_true(v.token != 0);
    for (unsigned i = from; i < to; i++) {
        char *id = arena_alloc(&w->tmp, 1, 16);
        snprintf(id, 16, "i%u", i);
        events[to - 1 - i] = event_of(user, id, 1000 + i);
    }
    assert_ok(state_fill(s, user, v.token, events, to - from, &filled, &err), &err);
    assert_true(filled);
}

static bool has(const struct state_view *v, const char *item)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->events[i].item_id, item) == 0)
            return true;
    return false;
}

/* ---- Users ---- */

static void what_one_adds_the_other_sees(void **state)
{
    struct site *w = *state;
    fill(w, w->a, "ann", 0, 5);
    struct state_view v = look(w, w->b, "ann", nothing);
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.count, 5);
    for (unsigned i = 0; i < 5; i++) { /* as they came */
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        assert_string_equal(v.events[i].item_id, id);
        assert_int_equal(v.events[i].time_ms, 1000 + i);
        assert_string_equal(v.events[i].type, "like");
    }
    assert_int_equal(look(w, w->b, "ann", v.version).found, STATE_SAME);
    struct event e = event_of("ann", "new", 500); /* late, and yet the last that came */
    add(w->a, &e, false);
    struct state_view more = look(w, w->b, "ann", v.version);
    assert_int_equal(more.found, STATE_MORE);
    assert_int_equal(more.count, 1);
    assert_string_equal(more.events[0].item_id, "new");
    assert_int_equal(look(w, w->b, "ann", more.version).found, STATE_SAME);
    v = look(w, w->a, "ann", nothing);
    assert_int_equal(v.count, 6);
    assert_string_equal(v.events[5].item_id, "new");
}

static void the_same_event_is_added_once(void **state)
{
    struct site *w = *state;
    struct event e = event_of("ann", "x", 7), retry;
    fill(w, w->a, "ann", 0, 1);
    add(w->a, &e, false);
    struct state_version after = look(w, w->a, "ann", nothing).version;
    add(w->b, &e, false);
    add(w->b, &e, true);
    e.event_id = "0123456789ab-0000000000000001"; /* as the drain names it */
    add(w->b, &e, true);
    assert_int_equal(look(w, w->a, "ann", after).found, STATE_SAME);
    e = event_of("ann", "x", 8);
    e.event_id = "order 1";
    add(w->a, &e, false);
    after = look(w, w->a, "ann", nothing).version;
    retry = e;
    retry.time_ms = 9; /* the clock went on until the client asked again */
    add(w->b, &retry, false);
    assert_int_equal(look(w, w->a, "ann", after).found, STATE_SAME);
    retry.event_id = "order 2";
    add(w->b, &retry, false);
    assert_int_equal(look(w, w->a, "ann", after).count, 1);
}

static void filling_keeps_what_is_there(void **state)
{
    struct site *w = *state;
    struct event e = event_of("ann", "early", 5);
    struct event both = event_of("ann", "i3", 1003); /* added, and stored meanwhile */
    add(w->a, &e, false);
    add(w->a, &both, false);
    fill(w, w->b, "ann", 0, 4);
    struct state_view v = look(w, w->a, "ann", nothing);
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.count, 5);
    assert_string_equal(v.events[0].item_id, "i0");
    assert_string_equal(v.events[3].item_id, "early");
    assert_string_equal(v.events[4].item_id, "i3");
}

static void only_known_users_get_what_was_stored(void **state)
{
    struct site *w = *state;
    struct event e = event_of("nobody", "x", 5);
    add(w->a, &e, true);
    struct state_view v = look(w, w->a, "nobody", nothing);
    assert_int_equal(v.found, STATE_NONE);
    add(w->a, &e, true); /* somebody is about to fill it: the store may have been read before */
    struct pal_error err;
    bool filled;
    assert_ok(state_fill(w->a, "nobody", v.token, NULL, 0, &filled, &err), &err);
    assert_int_equal(look(w, w->a, "nobody", nothing).count, 1);
}

static void a_fill_that_was_overtaken_is_refused(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    bool filled;
    struct event old = event_of("ann", "old", 1);
    for (int how = 0; how < 4; how++) {
        struct state_view v = look(w, w->a, "ann", nothing);
        assert_int_equal(v.found, STATE_NONE);
        if (how == 0)
            assert_ok(state_erase(w->b, &ann, 1, false, &err), &err);
        else if (how == 1)
            assert_ok(state_doubt(w->b, &ann, 1, &err), &err);
        else if (how == 2)
            assert_ok(state_doubt(w->b, NULL, 0, &err), &err);
        else
            assert_ok(state_clear(w->b, false, &err), &err);
        assert_ok(state_fill(w->a, "ann", v.token, &old, 1, &filled, &err), &err);
        assert_false(filled);
        v = look(w, w->a, "ann", nothing);
        assert_int_equal(v.found, how == 0 ? STATE_WHOLE : STATE_NONE);
        assert_int_equal(v.count, 0);
        if (how == 0)
            assert_ok(state_doubt(w->b, &ann, 1, &err), &err);
    }
}

static void erasing_leaves_nothing(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *users[] = {"ann", "bob"};
    fill(w, w->a, "ann", 0, 5);
    struct state_version before = look(w, w->a, "ann", nothing).version;
    assert_ok(state_erase(w->b, users, 2, false, &err), &err);
    struct state_view v = look(w, w->a, "ann", before);
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.count, 0);
    struct event e = event_of("ann", "x", 5), old = event_of("ann", "i1", 1001);
    add(w->a, &e, false);
    add(w->a, &old, true); /* it comes into the store only now */
    assert_int_equal(look(w, w->b, "ann", nothing).count, 1);
    assert_ok(state_erase(w->a, users, 1, true, &err), &err); /* the erasure as well */
    assert_int_equal(look(w, w->b, "ann", nothing).count, 1);
}

/* Nobody could say so before: what was filled in meanwhile goes, and is filled in again. */
static void an_erasure_that_is_only_stored_counts(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    fill(w, w->a, "ann", 0, 5);
    assert_ok(state_erase(w->b, &ann, 1, true, &err), &err);
    fill(w, w->a, "ann", 0, 0);
    assert_int_equal(look(w, w->b, "ann", nothing).count, 0);
    struct event e = event_of("ann", "x", 5);
    add(w->a, &e, true);
    assert_int_equal(look(w, w->b, "ann", nothing).count, 1);
}

static void who_is_in_doubt_is_filled_again(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    for (int all = 0; all < 2; all++) {
        struct event e = event_of("ann", all ? "y" : "x", 5);
        if (!all)
            fill(w, w->a, "ann", 0, 2);
        add(w->a, &e, false);
        assert_ok(state_doubt(w->a, all ? NULL : &ann, 1, &err), &err);
        fill(w, w->b, "ann", 0, 4); /* the store knows more by now; what was added is kept */
        struct state_view v = look(w, w->a, "ann", nothing);
        assert_int_equal(v.count, all ? 6 : 5);
        assert_true(has(&v, "x") && has(&v, "i3"));
    }
}

static void clearing_forgets_everybody(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    struct event e = event_of("bob", "x", 5);
    fill(w, w->a, "ann", 0, 5);
    add(w->a, &e, false);
    assert_ok(state_clear(w->b, true, &err), &err);
    assert_int_equal(look(w, w->a, "ann", nothing).found, STATE_NONE);
    fill(w, w->a, "bob", 0, 0);
    assert_int_equal(look(w, w->a, "bob", nothing).count, 0);
}

/* Of what was cleared nothing is left where somebody could read it. */
static void what_was_cleared_is_deleted(void **state)
{
    enum { USERS = 3000 };
    struct site *w = *state;
    struct pal_error err;
    for (unsigned i = 0; i < USERS; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", i);
        struct event e = event_of(user, "x", 5);
        add(w->a, &e, false);
    }
    assert_ok(state_clear(w->a, true, &err), &err);
    struct event e = event_of("new", "x", 5);
    add(w->b, &e, false);
    assert_ok(state_mend(w->a, &err), &err);
    assert_false(atomic_load(&((struct redis *)w->a)->sweeping));
    unsigned left = count_keys(w);
    assert_int_equal(left, 1);
    assert_ok(state_mend(w->a, &err), &err);
}

static void the_oldest_go(void **state)
{
    struct site *w = *state;
    fill(w, w->a, "ann", 0, 2000);
    struct state_view v = look(w, w->a, "ann", nothing);
    assert_in_range(v.count, KEEP, 2 * KEEP);
    assert_string_equal(v.events[v.count - 1].item_id, "i1999");
    for (unsigned i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%u", i);
        struct event e = event_of("ann", id, 5000 + i);
        add(w->a, &e, false);
    }
    v = look(w, w->a, "ann", nothing);
    assert_in_range(v.count, KEEP, 2 * KEEP);
    assert_string_equal(v.events[v.count - 1].item_id, "n999");
    assert_false(has(&v, "i1999"));
}

static void many_go_in_one_trip(void **state)
{
    enum { USERS = 40, EACH = 30 };
    struct site *w = *state;
    struct pal_error err;
    struct event *events = arena_alloc(&w->tmp, USERS * EACH, sizeof *events);
    const struct event **in_order = arena_alloc(&w->tmp, USERS * EACH, sizeof *in_order);
    struct state_status before, after;
    for (unsigned i = 0; i < USERS * EACH; i++) {
        char *text = arena_alloc(&w->tmp, 1, 32);
        snprintf(text, 16, "u%u", i / EACH);
        snprintf(text + 16, 16, "i%u", i % EACH);
        events[i] = event_of(text, text + 16, i);
        in_order[i] = &events[i];
    }
    state_status(w->a, &before);
    assert_ok(state_add(w->a, in_order, USERS * EACH, false, &err), &err);
    state_status(w->a, &after);
    assert_int_equal(after.trips, before.trips + 1);
    for (unsigned u = 0; u < USERS; u++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", u);
        fill(w, w->b, user, 0, 0);
        assert_int_equal(look(w, w->b, user, nothing).count, EACH);
    }
}

/* ---- At the same time ---- */

enum { ADDERS = 4, ADDS = 200 };

struct adder {
    struct site *w;
    unsigned number;
};

static void *add_many(void *arg)
{
    struct adder *me = arg;
    for (unsigned i = 0; i < ADDS; i++) {
        char id[32];
        snprintf(id, sizeof id, "%u-%u", me->number, i);
        struct event e = event_of("crowd", id, i);
        add(i % 2 ? me->w->a : me->w->b, &e, false);
    }
    return NULL;
}

/* A reader that only ever takes what is more has all of it at the end, each once. */
static void nothing_is_missed_between_looks(void **state)
{
    struct site *w = *state;
    pthread_t thread[ADDERS];
    struct adder adder[ADDERS];
    bool got[ADDERS][ADDS] = {{0}};
    unsigned n = 0;
    fill(w, w->a, "crowd", 0, 0);
    struct state_version known = look(w, w->a, "crowd", nothing).version;
    for (unsigned i = 0; i < ADDERS; i++) {
        adder[i] = (struct adder){w, i};
        pthread_create(&thread[i], NULL, add_many, &adder[i]);
    }
    const time_t began = time(NULL);
    while (n < ADDERS * ADDS) {
        if (time(NULL) > began + 120)
            fail_msg("%u of %u came", n, ADDERS * ADDS);
        struct arena tmp;
        struct pal_error err;
        struct state_view v;
        arena_init(&tmp);
        assert_ok(state_look(w->b, "crowd", &known, &tmp, &v, &err), &err);
        assert_true(v.found == STATE_MORE || v.found == STATE_SAME);
        for (size_t i = 0; i < v.count; i++, n++) {
            unsigned a, b;
            assert_int_equal(sscanf(v.events[i].item_id, "%u-%u", &a, &b), 2);
            assert_false(got[a][b]);
            got[a][b] = true;
        }
        if (v.found == STATE_MORE)
            known = v.version;
        arena_done(&tmp);
    }
    for (unsigned i = 0; i < ADDERS; i++)
        pthread_join(thread[i], NULL);
}

int main(void)
{
    if (!have_server())
        return 77;
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(what_one_adds_the_other_sees),
        TEST(the_same_event_is_added_once),
        TEST(filling_keeps_what_is_there),
        TEST(only_known_users_get_what_was_stored),
        TEST(a_fill_that_was_overtaken_is_refused),
        TEST(erasing_leaves_nothing),
        TEST(an_erasure_that_is_only_stored_counts),
        TEST(who_is_in_doubt_is_filled_again),
        TEST(clearing_forgets_everybody),
        TEST(what_was_cleared_is_deleted),
        TEST(the_oldest_go),
        TEST(many_go_in_one_trip),
        TEST(nothing_is_missed_between_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
