/* Titles as words: case, apostrophes, years, other alphabets, and bytes that are no characters. */
#include "test.h"

#include "base/text.h"
#include "model/words.h"

#include <stdbool.h>

struct joined {
    char text[512];
    int words, stop_at;
};

static int join(void *ctx, const char *word, size_t len)
{
    struct joined *j = ctx;
    assert_true(len > 0 && len <= WORD_MOST);
    assert_true(text_is_utf8(word, len));
    if (j->words++)
        strcat(j->text, "|");
    strncat(j->text, word, len);
    return j->words == j->stop_at;
}

static void splits(const char *title, const char *want)
{
    struct joined j = {.stop_at = -1};
    assert_int_equal(words_of(title, strlen(title), join, &j), 0);
    assert_string_equal(j.text, want);
}

static void titles_become_words(void **state)
{
    (void)state;
    splits("", "");
    splits(" -- ", "");
    splits("Toy Story (1995)", "toy|story|(1995)|(199_)");
    splits("2001: A Space Odyssey (1968)", "2001|a|space|odyssey|(1968)|(196_)");
    splits("One Flew Over the Cuckoo's Nest", "one|flew|over|the|cuckoos|nest");
    splits("'Burbs, The", "burbs|the");
    splits("Cit\xc3\xa9 des ENFANTS PERDUS", "cit\xc3\xa9|des|enfants|perdus");
    splits("\xc3\x89TOILE", "\xc3\xa9toile");                  /* É */
    splits("\xd0\x9c\xd0\x9e\xd0\xa1\xd0\x9a\xd0\x92\xd0\x90", /* МОСКВА */
           "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0");
    splits("\xce\x91\xce\xa9", "\xce\xb1\xcf\x89");                           /* ΑΩ */
    splits("\xc5\xa0koda \xc5\xbd\xc5\x81", "\xc5\xa1koda|\xc5\xbe\xc5\x82"); /* Š, ŽŁ */
    splits("\xe4\xb8\x83\xe4\xba\xba\xe3\x80\x81x", "\xe4\xb8\x83\xe4\xba\xba|x");
    splits("what\xe2\x80\x99s \xe2\x80\x93 up", "whats|up"); /* ’ and – */
    splits("(1995", "1995");
    splits("(19a5)", "19a5");
    splits("(3995)", "3995");
}

static void stops_when_told(void **state)
{
    (void)state;
    struct joined j = {.stop_at = 2};
    assert_int_equal(words_of("a b c (1990)", 12, join, &j), 1);
    assert_string_equal(j.text, "a|b");
}

/* Any bytes at all give words that are UTF-8 and not too long; join checks it. */
static void any_bytes_will_do(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            char text[5] = {'x', (char)a, (char)b, 'y', 'z'};
            struct joined j = {.stop_at = -1};
            char *copy = malloc(5); /* exact, so that a read past the end is seen */
            memcpy(copy, text, 5);
            assert_int_equal(words_of(copy, 5, join, &j), 0);
            memset(&j, 0, sizeof j);
            words_of(copy, 3, join, &j);
            free(copy);
        }
    char longest[400];
    memset(longest, 'Q', sizeof longest);
    struct joined j = {.stop_at = -1};
    words_of(longest, sizeof longest, join, &j);
    assert_int_equal(j.words, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(titles_become_words),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(any_bytes_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
