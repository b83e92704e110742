/* Event types by number: they are worth, mark and teach what the lists say and keep their numbers;
 * those of the configuration have their places, and too many others are refused as one. */
#include "test.h"

#include "engine/kinds.h"

static void types_mean_what_the_lists_say(void **state)
{
    struct kinds k;
    struct pal_error err;
    uint8_t like, view, rating;
    assert_ok(kinds_init(&k, "like:1,rating>=4:2,rating:-1,*:0.5", "like, rating", "*", 2, &err),
              &err);
    assert_int_equal(kinds_find(&k, "view"), -1);
    assert_ok(kinds_add(&k, "like", &like, &err), &err);
    assert_ok(kinds_add(&k, "view", &view, &err), &err);
    assert_ok(kinds_add(&k, "rating", &rating, &err), &err);
    assert_int_equal(kinds_find(&k, "view"), view);
    assert_int_equal(view, 3); /* after like, rating and dislike */
    assert_true(kinds_weight(&k, like, 1) == 1);
    assert_true(kinds_weight(&k, view, 1) == 0.5f);
    assert_true(kinds_weight(&k, rating, 4) == 2);
    assert_true(kinds_weight(&k, rating, 3) == -1);
    assert_true(k.marks[like] && k.marks[rating] && !k.marks[view]);
    assert_true(k.teaches[like] && k.teaches[view]);
    kinds_done(&k);
    assert_int_equal(kinds_init(&k, "like", NULL, NULL, 0, &err), PAL_EUSAGE);
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

enum { NEW = 4 };

/* NEW + 2 records, of which the second is no event. */
static void make_records(struct record *r, char name[][16])
{
    for (size_t i = 0; i < NEW + 2; i++) {
        sprintf(name[i], "type-%zu", i);
        r[i] = (struct record){.kind = RECORD_EVENT, .event = {.type = name[i]}};
    }
    r[1].kind = RECORD_ITEM;
}

static void too_many_are_refused_as_one(void **state)
{
    struct kinds k;
    struct pal_error err;
    struct record r[NEW + 2];
    struct event_types types;
    char name[NEW + 2][16];
    uint8_t type[NEW + 2];
    assert_ok(kinds_init(&k, "view:1", NULL, NULL, NEW, &err), &err);
    make_records(r, name);
    assert_int_equal(kinds_of(&k, r, NEW + 2, type, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "record 6: there is no event type 'type-5'"));
    kinds_types(&k, &types);
    assert_int_equal(types.count, 3); /* view, like, dislike: none was added */
    assert_null(kinds_news(&k));
    assert_ok(kinds_of(&k, r, NEW + 1, type, &err), &err);
    assert_int_equal(type[0], 3);
    assert_int_equal(type[2], 4);
    kinds_types(&k, &types);
    assert_string_equal(types.name[type[NEW]], name[NEW]);
    assert_string_equal(kinds_news(&k), "type-0");
    assert_string_equal(kinds_news(&k), "type-2");         /* each once */
    assert_ok(kinds_of(&k, r, NEW + 1, type, &err), &err); /* known ones always go */
    kinds_done(&k);
}

/* However many misspelled ones come: what the rules and lists name goes, though it comes last. */
static void mistakes_take_no_place(void **state)
{
    struct kinds k;
    struct pal_error err;
    uint8_t type;
    char name[EVENT_NAME];
    unsigned taken = 0;
    assert_ok(kinds_init(&k, "order:2,*:0", "watched", "order,stars", 8, &err), &err);
    for (int i = 0; i < 3 * EVENT_TYPES; i++) {
        sprintf(name, "oder-%d", i);
        const struct record r = {.kind = RECORD_EVENT, .event = {.type = name}};
        taken += kinds_of(&k, &r, 1, &type, &err) == PAL_OK;
    }
    assert_int_equal(taken, 8);
    const char *const named[] = {"order", "watched", "stars", "like", "dislike"};
    for (size_t i = 0; i < 5; i++) {
        const struct record r = {.kind = RECORD_EVENT, .event = {.type = named[i]}};
        assert_ok(kinds_of(&k, &r, 1, &type, &err), &err);
    }
    const struct record near = {.kind = RECORD_EVENT, .event = {.type = "odrer"}};
    assert_int_equal(kinds_of(&k, &near, 1, &type, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "no event type 'odrer': did you mean 'order'?"));
    assert_non_null(strstr(err.message, "order, watched, stars, like, dislike"));
    assert_ok(kinds_add(&k, "from the store", &type, &err), &err); /* what is there already */
    kinds_done(&k);
}

static void too_many_of_the_configuration(void **state)
{
    struct kinds k;
    struct pal_error err;
    char seen[EVENT_TYPES * 8] = "";
    for (int i = 0; i < EVENT_TYPES - 10; i++)
        sprintf(seen + strlen(seen), "s%d,", i);
    assert_ok(kinds_init(&k, "*:1", seen, NULL, 8, &err), &err); /* with like and dislike: all */
    kinds_done(&k);
    assert_int_equal(kinds_init(&k, "*:1", seen, NULL, 9, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "live.new_types"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_mean_what_the_lists_say),
        cmocka_unit_test(lists_are_read_word_by_word),
        cmocka_unit_test(too_many_are_refused_as_one),
        cmocka_unit_test(mistakes_take_no_place),
        cmocka_unit_test(too_many_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
