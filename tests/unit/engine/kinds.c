/* Event types by number: they are worth, mark and teach what the lists say, keep their numbers, and
 * are refused as one when there are too many. */
#include "test.h"

#include "engine/kinds.h"

static void types_mean_what_the_lists_say(void **state)
{
    struct kinds k;
    struct pal_error err;
    uint8_t like, view, rating;
    assert_ok(kinds_init(&k, "like:1,rating>=4:2,rating:-1,*:0.5", "like, rating", "*", &err),
              &err);
    assert_int_equal(kinds_find(&k, "like"), -1);
    assert_ok(kinds_add(&k, "like", &like, &err), &err);
    assert_ok(kinds_add(&k, "view", &view, &err), &err);
    assert_ok(kinds_add(&k, "rating", &rating, &err), &err);
    assert_int_equal(kinds_find(&k, "view"), view);
    assert_int_equal(view, 1);
    assert_true(kinds_weight(&k, like, 1) == 1);
    assert_true(kinds_weight(&k, view, 1) == 0.5f);
    assert_true(kinds_weight(&k, rating, 4) == 2);
    assert_true(kinds_weight(&k, rating, 3) == -1);
    assert_true(k.marks[like] && k.marks[rating] && !k.marks[view]);
    assert_true(k.teaches[like] && k.teaches[view]);
    kinds_done(&k);
    assert_int_equal(kinds_init(&k, "like", NULL, NULL, &err), PAL_EUSAGE);
}

static void lists_are_read_word_by_word(void **state)
{
    assert_true(kinds_listed("like,dislike", "dislike"));
    assert_true(kinds_listed(" like , view ", "view"));
    assert_true(kinds_listed("*", "anything"));
    assert_false(kinds_listed("", "like"));
    assert_false(kinds_listed("dislike", "like"));
    assert_false(kinds_listed("likes", "like"));
}

static void too_many_are_refused_as_one(void **state)
{
    struct kinds k;
    struct pal_error err;
    struct record r[EVENT_TYPES + 2];
    struct event_types types;
    char name[EVENT_TYPES + 2][16];
    uint8_t type[EVENT_TYPES + 2];
    assert_ok(kinds_init(&k, NULL, NULL, NULL, &err), &err);
    for (size_t i = 0; i < EVENT_TYPES + 2; i++) {
        sprintf(name[i], "type-%zu", i);
        r[i] = (struct record){.kind = RECORD_EVENT, .event = {.type = name[i]}};
    }
    r[1].kind = RECORD_ITEM; /* has no type */
    assert_int_equal(kinds_of(&k, r, EVENT_TYPES + 2, type, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "record 34: the event type 'type-33'"));
    kinds_types(&k, &types);
    assert_int_equal(types.count, 0); /* none was added */
    assert_ok(kinds_of(&k, r, EVENT_TYPES + 1, type, &err), &err);
    kinds_types(&k, &types);
    assert_int_equal(types.count, EVENT_TYPES);
    assert_int_equal(type[0], 0);
    assert_int_equal(type[2], 1);
    assert_string_equal(types.name[type[EVENT_TYPES]], name[EVENT_TYPES]);
    assert_ok(kinds_of(&k, r, EVENT_TYPES + 1, type, &err), &err); /* known ones always go */
    assert_int_equal(kinds_add(&k, "one more", type, &err), PAL_EUSAGE);
    kinds_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_mean_what_the_lists_say),
        cmocka_unit_test(lists_are_read_word_by_word),
        cmocka_unit_test(too_many_are_refused_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
