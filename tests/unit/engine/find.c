/* Finding items by what people type, in a small catalog written the way MovieLens writes. Every
 * expectation is what a person would mean. */
#include "test.h"

#include "engine/recommender.h"

static const char *const films[][2] = {
    {"1", "Toy Story (1995)"},
    {"2", "Toy Story 2 (1999)"},
    {"6", "Heat (1995)"},
    {"7", "Body Heat (1981)"},
    {"8", "Matrix, The (1999)"},
    {"9", "Matrix Reloaded, The (2003)"},
    {"10", "Good, the Bad and the Ugly, The (1966)"},
    {"11", "Emma (1996)"},
    {"12", "Emma (2020)"},
    {"13", "Seven (a.k.a. Se7en) (1995)"},
    {"14", "Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)"},
    {"15", "1984"},
    {"1984", "Nineteen Eighty-Four"},
    {"17", "-30- (1959)"},
    {"18", ""},
    {"19", "Me, Myself & Irene (2000)"},
    {"x,y", "An id with a comma"},
    {"20", "Dracula (1931)"},
    {"21", "Dracula (1931)"},
};
enum { FILMS = sizeof films / sizeof films[0] };

static int make_catalog(void **state)
{
    struct items *items = calloc(1, sizeof *items);
    struct pal_error err;
    for (uint32_t i = 0; i < FILMS; i++) {
        uint32_t number;
        assert_ok(intern_add(&items->ids, films[i][0], strlen(films[i][0]), &number, &err), &err);
        assert_int_equal(number, i);
        assert_ok(texts_add(&items->titles, films[i][1], strlen(films[i][1]), &err), &err);
    }
    *state = items;
    return 0;
}

static int drop_catalog(void **state)
{
    items_done(*state);
    free(*state);
    return 0;
}

static void check_found(const struct items *items, const char *text, const char *id)
{
    struct pal_error err;
    uint32_t item = 99;
    assert_ok(find_item(items, text, &item, &err), &err);
    assert_string_equal(intern_text(&items->ids, item), id);
}

static void one_item_is_found(void **state)
{
    static const char *const cases[][2] = {
        {"6", "6"},                          /* by id */
        {"1984", "1984"},                    /* an id goes before a title */
        {"Toy Story (1995)", "1"},           /* exactly, though it begins another title */
        {"toy story", "1"},                  /* the whole title, though it begins another's */
        {"TOY STORY 2", "2"},                /**/
        {"Heat", "6"},                       /* the whole title, though it ends another's */
        {"heat (1995)", "6"},                /**/
        {"heat (1981)", "7"},                /* only one with that year contains it */
        {"The Matrix", "8"},                 /**/
        {"Matrix", "8"},                     /**/
        {"matrix, the", "8"},                /**/
        {"the matrix 1999", "8"},            /**/
        {"reloaded", "9"},                   /* contains */
        {"good the bad and the ugly", "10"}, /**/
        {"bad and the ugly", "10"},          /**/
        {"emma 2020", "12"},                 /**/
        {"Emma (1996)", "11"},               /**/
        {"se7en", "13"},                     /* the other name */
        {"seven", "13"},                     /**/
        {"amelie", "14"},                    /**/
        {"Le fabuleux destin d'amelie poulain", "14"},
        {"eighty four", "1984"},
        {"  Heat ", "6"},
        {"x,y", "x,y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_found(*state, cases[i][0], cases[i][1]);
}

static void check_refused(const struct items *items, const char *text, enum pal_status st,
                          const char *message)
{
    struct pal_error err = {.message = ""};
    uint32_t item = 99;
    assert_int_equal(find_item(items, text, &item, &err), st);
    if (!strstr(err.message, message))
        fail_msg("'%s' is not in: %s", message, err.message);
    assert_int_equal(item, 99);
}

static void several_or_none_are_an_error_that_helps(void **state)
{
    check_refused(*state, "Emma", PAL_ENOTFOUND,
                  "2 titles match 'Emma': 'Emma (1996)' (id 11), 'Emma (2020)' (id 12)");
    check_refused(*state, "Dracula (1931)", PAL_ENOTFOUND, "2 titles match");
    check_refused(*state, "toy", PAL_ENOTFOUND, "'Toy Story (1995)' (id 1), 'Toy Story 2 (1999)'");
    check_refused(*state, "(1995)", PAL_ENOTFOUND, "3 titles match");
    check_refused(*state, "e", PAL_ENOTFOUND, ", …; be more exact");
    check_refused(*state, "Toy Storry", PAL_ENOTFOUND,
                  "no title matches 'Toy Storry': nearest are 'Toy Story (1995)' (id 1), 'Toy "
                  "Story 2 (1999)' (id 2)");
    check_refused(*state, "Nineteen Eigthy Fuor", PAL_ENOTFOUND, "nearest is 'Nineteen Eighty-F");
    check_refused(*state, "heat (1950)", PAL_ENOTFOUND, "nearest are 'Heat (1995)'");
    check_refused(*state, "zzzzqqqq", PAL_ENOTFOUND, "nor is any like it");
    check_refused(*state, "", PAL_EUSAGE, "empty");
    check_refused(*state, "  ", PAL_EUSAGE, "empty");

    struct items bare = {0};
    check_refused(&bare, "Heat", PAL_ENOTFOUND, "give an id");
}

/* expect: ids with their signs, in order */
static void check_history(const struct items *items, const char *text, const char *expect)
{
    struct pal_error err;
    struct arena tmp = {0};
    struct history h = {0};
    char got[256] = "";
    assert_ok(find_history(items, text, &tmp, &h, &err), &err);
    for (size_t i = 0; i < h.n; i++) {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s%s", i ? " " : "", h.weight[i] < 0 ? "-" : "",
                 intern_text(&items->ids, h.item[i]));
    }
    assert_string_equal(got, expect);
    arena_done(&tmp);
}

static void lists_are_cut_at_the_right_commas(void **state)
{
    static const char *const cases[][2] = {
        {"Toy Story (1995),Heat (1995)", "1 6"},
        {"6", "6"},
        {" heat , -matrix ,1 ", "6 -8 1"},
        {"Good, the Bad and the Ugly, The (1966)", "10"},
        {"heat,Good, the Bad and the Ugly, The,Matrix, The (1999),se7en", "6 10 8 13"},
        {"-Good, the Bad and the Ugly, The, Me, Myself & Irene", "-10 19"},
        {"-30- (1959),-heat", "17 -6"},
        {"--30-", "-17"},
        {"x,y,1", "x,y 1"},
        {"1,,6,", "1 6"},
        {"heat,1,-heat", "1 -6"}, /* the last word on it counts */
        {"1,2,6,7,8,9,10,11,12,13,14", "1 2 6 7 8 9 10 11 12 13 14"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_history(*state, cases[i][0], cases[i][1]);
}

static void lists_with_a_mistake_are_refused(void **state)
{
    static const struct {
        const char *text, *message;
        enum pal_status st;
    } cases[] = {
        {"heat,Toy Storry", "no title matches 'Toy Storry'", PAL_ENOTFOUND},
        {"heat,emma,1", "2 titles match 'emma'", PAL_ENOTFOUND},
        {"", "the history is empty", PAL_EUSAGE},
        {" , ,", "the history is empty", PAL_EUSAGE},
        {"heat,-", "empty text", PAL_EUSAGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pal_error err = {.message = ""};
        struct arena tmp = {0};
        struct history h = {.n = 77};
        assert_int_equal(find_history(*state, cases[i].text, &tmp, &h, &err), cases[i].st);
        if (!strstr(err.message, cases[i].message))
            fail_msg("'%s' is not in: %s", cases[i].message, err.message);
        assert_int_equal(h.n, 77);
        arena_done(&tmp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_item_is_found),
        cmocka_unit_test(several_or_none_are_an_error_that_helps),
        cmocka_unit_test(lists_are_cut_at_the_right_commas),
        cmocka_unit_test(lists_with_a_mistake_are_refused),
    };
    return cmocka_run_group_tests(tests, make_catalog, drop_catalog);
}
