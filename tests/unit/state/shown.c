/* What every kind of live state promises of lists that were shown in state.h; like contract.c. */
#include "base/clock.h"
#include "site.h"

static const struct state_version nothing = {0};

static struct state_view look(struct site *w, struct state *s, struct state_version known)
{
    struct state_view v;
    struct pal_error err;
    assert_ok(state_look(s, "ann", &known, &w->tmp, &v, &err), &err);
    return v;
}

/* ann is there, and whole. */
static void begin(struct site *w)
{
    struct pal_error err;
    bool filled;
    struct state_view v = look(w, w->a, nothing);
    assert_int_equal(v.found, STATE_NONE);
    assert_ok(state_fill(w->a, "ann", v.token, NULL, 0, &filled, &err), &err);
    assert_true(filled);
}

/* A list of `count` items "NAME-0", "NAME-1", …, called NAME. */
static struct state_shown list_of(struct site *w, const char *name, size_t count, int64_t time_ms)
{
    const char **items = arena_alloc(&w->tmp, count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        char *id = arena_alloc(&w->tmp, 1, 64);
        snprintf(id, 64, "%s-%zu", name, i);
        items[i] = id;
    }
    return (struct state_shown){"ann", {name, time_ms, items, count}};
}

static struct state_before show(struct site *w, struct state *s, const char *name, int64_t time_ms)
{
    struct state_shown shown = list_of(w, name, 3, time_ms);
    struct state_before before;
    struct pal_error err;
    assert_ok(state_show(s, &shown, 1, &w->tmp, &before, &err), &err);
    return before;
}

static void like(struct state *s, const char *item, int64_t time_ms)
{
    const struct event e = {
        .user_id = "ann", .item_id = item, .type = "like", .value = 1, .time_ms = time_ms};
    const struct event *events = &e;
    struct pal_error err;
    assert_ok(state_add(s, &events, 1, false, &err), &err);
}

static void who_shows_learns_what_was_before(void **state)
{
    struct site *w = *state;
    int64_t now = clock_wall_ms();
    begin(w);
    like(w->a, "before", 1);
    struct state_before b = show(w, w->a, "one", now);
    assert_true(b.there);
    assert_int_equal(b.list.count, 0);
    like(w->b, "one-1", 5); /* its own time says nothing */
    like(w->a, "other", 6);
    for (int again = 0; again < 2; again++) { /* an answer that was lost is given again */
        b = show(w, w->b, "two", now + 1);
        assert_true(b.there);
        assert_string_equal(b.list.id, "one");
        assert_int_equal(b.list.time_ms, now);
        assert_int_equal(b.list.count, 3);
        assert_string_equal(b.list.items[2], "one-2");
        assert_int_equal(b.count, 2);
        assert_string_equal(b.events[0].item_id, "one-1");
        assert_string_equal(b.events[1].item_id, "other");
        like(w->a, "late", 7);
    }
    b = show(w, w->a, "three", now + 2);
    assert_string_equal(b.list.id, "two");
    assert_int_equal(b.count, 1);
}

static void everybody_sees_them(void **state)
{
    struct site *w = *state;
    int64_t now = clock_wall_ms();
    begin(w);
    struct state_view v = look(w, w->b, nothing);
    assert_int_equal(v.list_count, 0);
    struct state_version known = v.version;
    show(w, w->a, "one", now);
    v = look(w, w->b, known);
    assert_int_equal(v.found, STATE_MORE);
    assert_int_equal(v.count, 0);
    assert_int_equal(v.list_count, 1);
    assert_string_equal(v.lists[0].items[1], "one-1");
    assert_int_equal(look(w, w->b, v.version).found, STATE_SAME);
    known = v.version;
    for (int i = 0; i < STATE_LISTS + 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        show(w, w->a, name, now + i);
    }
    like(w->a, "x", 1);
    v = look(w, w->b, known);
    assert_int_equal(v.count, 1);
    v = look(w, w->b, nothing); /* the last of them, in order */
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.list_count, STATE_LISTS);
    assert_string_equal(v.lists[0].id, "n3");
    assert_string_equal(v.lists[STATE_LISTS - 1].id, "n10");
    assert_int_equal(look(w, w->b, v.version).found, STATE_SAME);
}

/* Who is erased, or forgotten with everybody, has no lists, nor gets those from before. */
static void they_go_with_the_user(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    int64_t before = clock_wall_ms() - 10;
    assert_false(show(w, w->a, "nobody", before).there); /* of whom nothing is known */
    begin(w);
    for (int clear = 0; clear < 2; clear++) {
        show(w, w->a, "one", before);
        assert_int_equal(count_keys(w), 2);
        if (clear)
            assert_ok(state_clear(w->b, false, &err), &err);
        else
            assert_ok(state_erase(w->b, &ann, 1, false, &err), &err);
        assert_false(show(w, w->a, "two", before).there);
        struct state_view v = look(w, w->b, nothing);
        assert_int_equal(v.list_count, 0);
        struct state_before b = show(w, w->a, "after", clock_wall_ms() + 1000);
        assert_true(b.there);
        assert_int_equal(b.list.count, 0);
    }
    assert_ok(state_clear(w->b, false, &err), &err);
    for (int i = 0; i < 5; i++)
        assert_ok(state_mend(w->b, &err), &err);
    assert_int_equal(count_keys(w), 0);
}

/* Many in one call, of which each is told of its own. */
static void many_at_once(void **state)
{
    enum { MANY = 50 };
    struct site *w = *state;
    struct state_shown shown[MANY];
    struct state_before before[MANY];
    struct pal_error err;
    int64_t now = clock_wall_ms();
    begin(w);
    for (int i = 0; i < MANY; i++) {
        char *name = arena_alloc(&w->tmp, 1, 16);
        snprintf(name, 16, "l%d", i);
        shown[i] = list_of(w, name, (size_t)(i % 3), now + i);
    }
    assert_ok(state_show(w->a, shown, MANY, &w->tmp, before, &err), &err);
    for (int i = 1; i < MANY; i++) {
        assert_true(before[i].there);
        assert_string_equal(before[i].list.id, shown[i - 1].list.id);
        assert_int_equal(before[i].list.count, shown[i - 1].list.count);
    }
}

int main(void)
{
    if (!have_server())
        return 77;
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(who_shows_learns_what_was_before),
        TEST(everybody_sees_them),
        TEST(they_go_with_the_user),
        TEST(many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
