/* What comes through a stream, and following what changed: anything may come twice, late, or after
 * something that made it void, and what is stored is as if each thing had come once, in the order
 * of their moments. Whoever follows has, after each step, what the store has. */
#include "test.h"

#include <inttypes.h>

#include "world.h"

static struct store_change at(struct store_change c, int64_t at_ms)
{
    c.at_ms = at_ms;
    return c;
}

static struct store_change item_change(uint64_t seq, const char *id, const char *title)
{
    return (struct store_change){
        .seq = seq, .record = {.kind = RECORD_ITEM, .item = {.item_id = id, .title = title}}};
}

static struct store_change user_change(uint64_t seq, const char *id, const char *attributes)
{
    return (struct store_change){.seq = seq,
                                 .record = {.kind = RECORD_USER, .user = {id, attributes, 0}}};
}

static size_t take(struct store *s, const struct store_change *changes, size_t count)
{
    struct pal_error err;
    size_t repeated = 77;
    assert_ok(store_take(s, changes, count, NULL, 0, &repeated, &err), &err);
    return repeated;
}

static void assert_store_has(struct store *s, const char *expected)
{
    struct str is = {0};
    store_text(s, &is);
    assert_string_equal(str_text(&is), expected);
    str_done(&is);
}

static void each_comes_once(void **state)
{
    struct scene *w = *state;
    struct store_change c[] = {
        at(event_change(1, "u", "i", "like", 5, "0123456789ab-0000000000000001"), 100),
        at(event_change(2, "u", "j", "like", 6, "0123456789ab-0000000000000002"), 100),
        at(event_change(3, "v", "i", "view", 7, "mine"), 101),
    };
    assert_int_equal(take(w->s, c, 3), 0);
    assert_int_equal(take(w->s, c + 1, 2), 2);
    reopen(w);
    assert_int_equal(take(w->s, c, 3), 3);
    assert_store_has(w->s, "item i|||||1|0\nitem j|||||1|0\nuser u||0\nuser v||0\n"
                           "event u|i|like|1|5|0123456789ab-0000000000000001|\n"
                           "event u|j|like|1|6|0123456789ab-0000000000000002|\n"
                           "event v|i|view|1|7|mine|\n"
                           "2 items, 2 users, 3 events, 0 served, position 0\n");
}

/* The later of two wins, in whichever order they come, also of two in one millisecond. */
static void the_later_stays(void **state)
{
    struct scene *w = *state;
    struct store_change c[] = {
        at(item_change(7, "i", "new"), 200),
        at(item_change(6, "i", "old"), 200),
        at(item_change(9, "j", "new"), 200),
        at(item_change(10, "j", "old"), 100),
        at(user_change(1, "u", "{\"age\":2}"), 200),
        at(user_change(2, "u", "{\"age\":1}"), 100),
        at(item_change(1, "gone", "was here"), 200),
        at(id_change(2, RECORD_ITEM_DELETE, "gone"), 300),
        at(item_change(1, "gone", "was here"), 200),
        at(item_change(1, "back", "first"), 100),
        at(id_change(2, RECORD_ITEM_DELETE, "back"), 200),
        at(item_change(3, "back", "again"), 300),
        at(id_change(2, RECORD_ITEM_DELETE, "back"), 200),
    };
    for (int pass = 0; pass < 2; pass++) {
        take(w->s, c, sizeof c / sizeof c[0]);
        assert_store_has(w->s, "item i|new||||0|0\nitem j|new||||0|0\nitem back|again||||0|0\n"
                               "user u|{\"age\":2}|0\n"
                               "3 items, 1 users, 0 events, 0 served, position 0\n");
        reopen(w);
    }
}

/* An erasure that comes again erases nothing that came after it; what came before it and comes
 * again stays away. */
static void erased_is_erased(void **state)
{
    struct scene *w = *state;
    struct store_change list = {
        .seq = 4,
        .at_ms = 100,
        .record = {.kind = RECORD_SERVED, .served = {"r1", "u", 99, "[]", NULL, 0}}};
    struct store_change c[] = {
        at(event_change(1, "u", "i", "like", 1, "e1"), 100),
        at(user_change(2, "u", "{\"age\":9}"), 100),
        list,
        at(event_change(1, "v", "i", "like", 1, "e2"), 100),
        at(id_change(5, RECORD_USER_DELETE, "u"), 200),
        at(event_change(6, "u", "j", "like", 2, "e3"), 200),
    };
    for (int pass = 0; pass < 3; pass++) {
        take(w->s, c, sizeof c / sizeof c[0]);
        assert_store_has(w->s, "item i|||||1|0\nitem j|||||1|0\nuser v||0\nuser u||0\n"
                               "event v|i|like|1|1|e2|\nevent u|j|like|1|2|e3|\n"
                               "2 items, 2 users, 2 events, 0 served, position 0\n");
        if (pass == 1)
            reopen(w);
    }
}

/* Erasures are remembered for thirty days of the stream's time. */
static void long_ago_is_forgotten(void **state)
{
    struct scene *w = *state;
    const int64_t day = 86400000;
    struct store_change c[] = {
        at(id_change(1, RECORD_USER_DELETE, "u"), 1000),
        at(id_change(2, RECORD_USER_DELETE, "v"), 1000 + 29 * day),
        at(event_change(3, "u", "i", "like", 1, "e1"), 999),
        at(id_change(4, RECORD_USER_DELETE, "v"), 1001 + 30 * day),
    };
    struct store_change late = at(event_change(5, "u", "i", "like", 1, "e2"), 999);
    take(w->s, c, 3);
    assert_store_has(w->s, "0 items, 0 users, 0 events, 0 served, position 0\n");
    take(w->s, c + 3, 1);
    take(w->s, &late, 1);
    assert_store_has(w->s, "item i|||||1|0\nuser u||0\nevent u|i|like|1|1|e2|\n"
                           "1 items, 1 users, 1 events, 0 served, position 0\n");
}

static void forgetting_comes_once(void **state)
{
    struct scene *w = *state;
    struct store_change c[] = {
        at(event_change(1, "u", "i", "like", 1, "e1"), 100),
        at(item_change(2, "i", "old"), 100),
        at(id_change(3, RECORD_CLEAR, NULL), 200),
        at(event_change(4, "u", "j", "like", 1, "e2"), 200),
        at(item_change(5, "j", "new"), 200),
    };
    for (int pass = 0; pass < 3; pass++) {
        take(w->s, c, sizeof c / sizeof c[0]);
        assert_store_has(w->s, "item j|new||||0|0\nuser u||0\nevent u|j|like|1|1|e2|\n"
                               "1 items, 1 users, 1 events, 0 served, position 0\n");
        if (pass == 1)
            reopen(w);
    }
}

static void lists_come_once(void **state)
{
    struct scene *w = *state;
    struct store_change c[4];
    static const char *const user[] = {"u", NULL, "v", "u"};
    static const char *const id[] = {"r0", "r1", "r2", "r3"};
    for (int i = 0; i < 4; i++)
        c[i] = (struct store_change){
            .seq = (uint64_t)i + 1,
            .at_ms = 100 + i,
            .record = {.kind = RECORD_SERVED, .served = {id[i], user[i], 90 + i, "[]", NULL, 0}}};
    take(w->s, c, 4);
    take(w->s, c, 4);
    take(w->s, c + 1, 3);
    assert_store_has(w->s, "served r3|u|93|[]\nserved r2|v|92|[]\nserved r1||91|[]\n"
                           "served r0|u|90|[]\n"
                           "0 items, 0 users, 0 events, 4 served, position 0\n");
}

static void reaches_go_forward(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store_reach out[4];
    size_t count = 9;
    struct store_change good = at(event_change(1, "u", "i", "like", 1, "e1"), 100);
    struct store_change bad = {.at_ms = 1, .record = {.kind = (enum record_kind)99}};
    const struct store_reach first[] = {
        {"aaaaaaaaaaaa", 0, 5}, {"aaaaaaaaaaaa", 2, 7}, {"bbbbbbbbbbbb", 0, 1}};
    const struct store_reach second[] = {{"aaaaaaaaaaaa", 0, 9}, {"aaaaaaaaaaaa", 2, 6}};
    const struct store_reach third[] = {{"aaaaaaaaaaaa", 0, 99}};
    assert_ok(store_reaches(w->s, "aaaaaaaaaaaa", out, 4, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_ok(store_take(w->s, &good, 1, first, 3, NULL, &err), &err);
    assert_ok(store_take(w->s, NULL, 0, second, 2, NULL, &err), &err);
    assert_int_equal(store_take(w->s, &bad, 1, third, 1, NULL, &err), PAL_EUSAGE);
    reopen(w);
    assert_ok(store_reaches(w->s, "aaaaaaaaaaaa", out, 4, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(out[0].journal, "aaaaaaaaaaaa");
    assert_true(out[0].shard == 0 && out[0].seq == 9 && out[1].shard == 2 && out[1].seq == 7);
    assert_ok(store_reaches(w->s, "aaaaaaaaaaaa", out, 1, &count, &err), &err);
    assert_int_equal(count, 1);
}

/* ---- Following ---- */

static enum pal_status tell_record(void *ctx, const struct record *r, struct pal_error *err)
{
    struct str *s = ctx;
    (void)err;
    switch (r->kind) {
    case RECORD_EVENT:
        put_event(s, &r->event);
        break;
    case RECORD_ITEM:
        put_item(s, &r->item);
        break;
    case RECORD_ITEM_DELETE:
        str_fmt(s, "no item %s\n", r->id);
        break;
    case RECORD_USER_DELETE:
        str_fmt(s, "no user %s\n", r->id);
        break;
    default:
        str_fmt(s, "kind %d\n", (int)r->kind);
    }
    return PAL_OK;
}

static void assert_follows(struct store *s, uint64_t *mark, size_t most, const char *expected)
{
    struct pal_error err;
    struct str is = {0};
    assert_ok(store_follow(s, mark, most, tell_record, &is, &err), &err);
    assert_string_equal(str_text(&is), expected);
    str_done(&is);
}

static void changes_are_told_in_order(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    uint64_t mark = 0, latest;
    struct store_change c[] = {
        at(event_change(1, "u", "i", "like", 1, "e1"), 100),
        at(item_change(2, "j", "J"), 100),
        at(event_change(3, "u", "j", "view", 2, "e2"), 100),
        at(item_change(4, "k", "K"), 100),
        at(id_change(5, RECORD_ITEM_DELETE, "j"), 101),
        at(id_change(6, RECORD_USER_DELETE, "v"), 101),
    };
    take(w->s, c, 6);
    assert_follows(w->s, &mark, 100,
                   "item k|K||||0|0\nno item j\nno user v\n"
                   "event u|i|like|1|1|e1|\nevent u|j|view|1|2|e2|\n");
    assert_ok(store_mark(w->s, &latest, &err), &err);
    assert_int_equal(mark, latest);
    assert_follows(w->s, &mark, 100, "");
    assert_int_equal(mark, latest);
    struct store_change more[] = {at(item_change(7, "k", "K2"), 102),
                                  at(id_change(8, RECORD_USER_DELETE, "u"), 102),
                                  at(event_change(9, "w", "k", "like", 3, NULL), 102)};
    take(w->s, more, 3);
    assert_follows(w->s, &mark, 100, "item k|K2||||0|0\nno user u\nevent w|k|like|1|3||\n");
    struct store_change all[] = {at(id_change(10, RECORD_CLEAR, NULL), 103),
                                 at(event_change(11, "w", "i", "like", 4, NULL), 104)};
    take(w->s, all, 2);
    assert_follows(w->s, &mark, 100, "kind 7\nevent w|i|like|1|4||\n");
    reopen(w);
    assert_follows(w->s, &mark, 100, "");
    mark = 0;
    assert_follows(w->s, &mark, 100, "kind 7\nevent w|i|like|1|4||\n");
}

static enum pal_status stop_at_once(void *ctx, const struct record *r, struct pal_error *err)
{
    (void)ctx;
    (void)r;
    return pal_fail(err, PAL_EFULL, "enough");
}

/* In steps of a few, all is told once; a step that fails is told again. */
static void few_at_a_time(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct str told = {0}, expected = {0};
    uint64_t mark = 0;
    for (unsigned i = 0; i < 50; i++) {
        char user[48], item[48];
        struct store_change c[] = {
            event_change(0, word(user, "u", i), "thing", "like", i, NULL),
            item_change(0, word(item, "i", i), "T"),
        };
        apply(w->s, c, 2, 0);
        put_event(&expected, &c[0].record.event);
    }
    assert_int_equal(store_follow(w->s, &mark, 7, stop_at_once, NULL, &err), PAL_EFULL);
    assert_int_equal(mark, 0);
    size_t steps = 0, items = 0;
    for (uint64_t before = 1; before != mark; steps++) {
        before = mark;
        struct str step = {0};
        assert_ok(store_follow(w->s, &mark, 7, tell_record, &step, &err), &err);
        size_t lines = 0;
        for (char *line = step.text ? strtok(step.text, "\n") : NULL; line;
             line = strtok(NULL, "\n"), lines++)
            if (strncmp(line, "event", 5) == 0)
                str_fmt(&told, "%s\n", line);
            else
                items++;
        assert_true(lines <= 21); /* of each of three kinds seven */
        str_done(&step);
    }
    assert_string_equal(str_text(&told), str_text(&expected));
    assert_int_equal(items, 50);
    assert_true(steps > 7);
    str_done(&told);
    str_done(&expected);
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(each_comes_once),       IN_A_STORE(the_later_stays),
        IN_A_STORE(erased_is_erased),      IN_A_STORE(long_ago_is_forgotten),
        IN_A_STORE(forgetting_comes_once), IN_A_STORE(lists_come_once),
        IN_A_STORE(reaches_go_forward),    IN_A_STORE(changes_are_told_in_order),
        IN_A_STORE(few_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
