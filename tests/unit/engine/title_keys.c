/* Titles are found by their words, whatever the case, accents and punctuation. */
#include "test.h"

#include "base/rng.h"
#include "engine/title_keys.h"

static bool finds(const struct title_keys *t, const char *search, uint32_t number)
{
    struct arena tmp;
    struct wanted w;
    struct pal_error err;
    arena_init(&tmp);
    assert_ok(title_keys_want(search, &tmp, &w, &err), &err);
    bool found = title_keys_match(t, number, &w);
    arena_done(&tmp);
    return found;
}

static void every_word_must_be_there(void **state)
{
    struct title_keys t = {0};
    title_keys_set(&t, 3, "Matrix, The (1999)");
    title_keys_set(&t, 0, "Les Mis\xc3\xa9rables");
    assert_true(finds(&t, "MATRIX", 3));
    assert_true(finds(&t, "the matr", 3));
    assert_true(finds(&t, "1999 matrix", 3));
    assert_false(finds(&t, "matrix 2003", 3));
    assert_true(finds(&t, "miserables les", 0));
    assert_true(finds(&t, "mis\xc3\xa9r", 0));
    assert_true(finds(&t, "", 1)); /* nothing is wanted: everything is right */
    assert_false(finds(&t, "x", 1));
    assert_false(finds(&t, "x", 77));
    title_keys_set(&t, 3, "Else");
    assert_false(finds(&t, "matrix", 3));
    assert_true(finds(&t, "else", 3));
    title_keys_set(&t, 3, NULL);
    assert_false(finds(&t, "else", 3));
    title_keys_set(&t, 0, NULL);
    assert_int_equal(t.bytes, 0);
    title_keys_done(&t);
}

static void one_word_may_be_many(void **state)
{
    struct title_keys t = {0};
    char search[200];
    title_keys_set(&t, 0, "a b c d e f g h");
    assert_true(finds(&t, "h-g.f,e/d:c b!a", 0));
    assert_false(finds(&t, "h-g.f,e/d:c b!z", 0));
    for (size_t i = 0; i + 1 < sizeof search; i++)
        search[i] = i % 2 ? '&' : 'a'; /* each "&" is a word "and" */
    search[sizeof search - 1] = 0;
    assert_false(finds(&t, search, 0));
    title_keys_set(&t, 0, "and a");
    assert_true(finds(&t, search, 0));
    title_keys_done(&t);
}

/* The pairs may only say no where the words do. */
static void pairs_lose_nothing(void **state)
{
    enum { TITLES = 300 };
    struct title_keys t = {0};
    char title[TITLES][24], search[8];
    struct rng rng;
    size_t found = 0;
    rng_init(&rng, 5, 0);
    for (uint32_t i = 0; i < TITLES; i++) {
        size_t n = 1 + rng_below(&rng, 20);
        for (size_t j = 0; j < n; j++)
            title[i][j] = rng_below(&rng, 5) ? (char)('b' + rng_below(&rng, 4)) : ' ';
        title[i][n] = 0;
        title_keys_set(&t, i, title[i]);
    }
    for (int round = 0; round < 400; round++) {
        size_t n = 1 + rng_below(&rng, 4);
        for (size_t j = 0; j < n; j++)
            search[j] = (char)('b' + rng_below(&rng, 4));
        search[n] = 0;
        for (uint32_t i = 0; i < TITLES; i++) {
            bool in = strstr(title[i], search);
            found += in;
            assert_int_equal(finds(&t, search, i), in);
        }
    }
    assert_in_range(found, 1000, 400 * TITLES - 1000); /* both happen often */
    title_keys_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_must_be_there),
        cmocka_unit_test(one_word_may_be_many),
        cmocka_unit_test(pairs_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
