/* Titles reduced to names: each case is a title as catalogs write it beside what a person would
 * call it, written down by hand. */
#include "test.h"

#include "engine/names.h"

static struct name make(const char *title)
{
    struct name n;
    name_make(title, strlen(title), &n);
    assert_int_equal(n.len, strlen(n.key));
    return n;
}

static void titles_become_names(void **state)
{
    static const struct {
        const char *title, *key;
        int year;
    } cases[] = {
        {"Toy Story (1995)", "toy story", 1995},
        {"Matrix, The (1999)", "the matrix", 1999},
        {"  The   MATRIX ", "the matrix", 0},
        {"Good, the Bad and the Ugly, The (1966)", "the good the bad and the ugly", 1966},
        {"Schindler's List (1993)", "schindlers list", 1993},
        {"Schindler’s List", "schindlers list", 0},
        {"Fast & Furious", "fast and furious", 0},
        {"Léon: The Professional (a.k.a. The Professional) (Léon) (1994)", "leon the professional",
         1994},
        {"Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)", "amelie", 2001},
        {"Avventura, L' (a.k.a. Adventure, The) (1960)", "lavventura", 1960},
        {"ŁÓDŹ Straße Æon Œuvre", "lodz strasse aeon oeuvre", 0},
        {"ΟΔΥΣΣΕΙΑ", "οδυσσεια", 0},
        {"СТАЛКЕР Ёж", "сталкер ёж", 0},
        {"七人の侍 (1954)", "七人の侍", 1954},
        {"(500) Days of Summer (2009)", "500 days of summer", 2009},
        {"2001: A Space Odyssey (1968)", "2001 a space odyssey", 1968},
        {"1984", "1984", 0},
        {"M", "m", 0},
        {"Wish I Were, The", "the wish i were", 0},
        {"Me, Myself and Irene", "me myself and irene", 0},
        {"...", "", 0},
        {"", "", 0},
        {"(1995)", "1995", 0},
        {"Odd (3021)", "odd", 0}, /* no year that a film could have: a parenthesis like others */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct name n = make(cases[i].title);
        assert_string_equal(n.key, cases[i].key);
        assert_int_equal(n.year, cases[i].year);
    }
}

static void other_names_stand_in_parentheses(void **state)
{
    const char *title = "Seven (a.k.a. Se7en) (Sieben, Die) (1995)";
    size_t size = strlen(title);
    struct name n;
    assert_true(name_alias(title, size, 0, &n));
    assert_string_equal(n.key, "se7en");
    assert_true(name_alias(title, size, 1, &n));
    assert_string_equal(n.key, "die sieben");
    assert_false(name_alias(title, size, 2, &n));
    assert_false(name_alias("Open (no end", 12, 0, &n));
    name_whole(title, size, &n);
    assert_string_equal(n.key, "seven a k a se7en sieben die 1995");
    name_whole("Matrix, The (1999)", 18, &n);
    assert_string_equal(n.key, "the matrix 1999");
}

static void long_titles_are_cut_not_overrun(void **state)
{
    char title[4 * NAME_KEY];
    struct name n;
    for (size_t len = NAME_KEY - 20; len < sizeof title; len += 7) {
        for (size_t i = 0; i < len; i++)
            title[i] = i % 9 == 8 ? ' ' : (char)('a' + i % 26);
        memcpy(title + len - 7, " (1999)", 7);
        name_whole(title, len, &n);
        assert_true(n.len < NAME_KEY);
        assert_int_equal(n.len, strlen(n.key));
    }
}

static void likeness_orders_as_people_would(void **state)
{
    struct name storry = make("Toy Storry"), story = make("Toy Story"), two = make("Toy Story 2");
    struct name heat = make("Heat"), rings = make("lord rings");
    struct name lord = make("Lord of the Rings: The Fellowship of the Ring, The");
    assert_true(name_likeness(&story, &story) == 1);
    assert_true(name_likeness(&storry, &story) > name_likeness(&storry, &two));
    assert_true(name_likeness(&storry, &two) > name_likeness(&storry, &heat));
    assert_true(name_likeness(&rings, &lord) > 0.7);
    assert_true(name_likeness(&rings, &heat) < 0.4);
    assert_true(name_likeness(&(struct name){0}, &heat) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles_become_names),
        cmocka_unit_test(other_names_stand_in_parentheses),
        cmocka_unit_test(long_titles_are_cut_not_overrun),
        cmocka_unit_test(likeness_orders_as_people_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
