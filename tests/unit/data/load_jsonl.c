/* JSON lines: keys by usual names or as the caller says, ids as texts or numbers, all or no
 * timestamps; and what is complained of. Expectations are written out by hand. */
#include "test.h"

#include "data/load.h"

#include "in_folder.h"

static struct pal_error err;

static void check(const char *text, const char *columns, const char *user, const char *history)
{
    struct load_options options = {.columns = columns};
    struct dataset *d;
    assert_ok(dataset_load(write_text(folder, "e.jsonl", text), &options, NULL, &d, &err), &err);
    assert_string_equal(d->format, "jsonl");
    assert_string_equal(history_text(d, &d->all, user), history);
    dataset_free(d);
}

static void events_are_read(void **state)
{
    (void)state;
    check("{\"user_id\":\"u\",\"item_id\":\"a\",\"type\":\"like\",\"value\":1,\"timestamp\":9}\n"
          "{\"item_id\":\"b\",\"user_id\":\"u\",\"type\":\"view\",\"timestamp\":1600000000000}\r\n"
          "{ \"timestamp\" : 7.75, \"type\":\"rating\", \"value\":4.5, \"user_id\":\"u\","
          "\"item_id\":\"c\", \"x\":{\"user_id\":[1,null,true]}, \"event_id\":\"e\" }",
          NULL, "u", "rating=c:4.5:7 like=a:1:9 view=b:1:1600000000");
}

static void ids_may_be_numbers(void **state)
{
    (void)state;
    check("{\"userId\":42,\"movieId\":18446744073709551615}\n{\"userId\":\"42\",\"movieId\":-7}\n",
          NULL, "42", "18446744073709551615:1:- -7:1:-");
    check("{\"user\":\"\\u00e9\\\"\\\\\",\"item\":\"\xf0\x9f\x8e\xac\"}\n", NULL, "\xc3\xa9\"\\",
          "\xf0\x9f\x8e\xac:1:-");
}

static void types_are_guessed(void **state)
{
    (void)state;
    check("{\"user\":\"u\",\"item\":\"a\",\"rating\":4}\n{\"user\":\"u\",\"item\":\"b\"}\n", NULL,
          "u", "rating=a:4:- interaction=b:1:-");
    check("{\"user\":\"u\",\"item\":\"a\",\"quantity\":\"4\",\"time\":null}\n", NULL, "u", "a:4:-");
}

/* The surer of two keys for one role is taken, whichever comes first. */
static void surer_keys_win(void **state)
{
    (void)state;
    check("{\"user\":\"x\",\"user_id\":\"u\",\"item\":\"a\",\"item_id\":\"b\"}\n"
          "{\"item_id\":\"c\",\"item\":\"a\",\"user_id\":\"u\",\"user\":\"x\"}\n",
          NULL, "u", "b:1:- c:1:-");
    check("{\"user_id\":\"x\",\"who\":\"u\",\"item\":\"a\",\"what\":\"b\"}\n", "user=who,item=what",
          "u", "b:1:-");
}

static void rules_follow_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *text, *weights;
    } rows[] = {
        {"{\"user\":1,\"item\":2}\n", "*:1"},
        {"{\"user\":1,\"item\":2,\"rating\":2}\n{\"user\":1,\"item\":3,\"rating\":5}\n",
         "rating>=4:1,rating>=3:0.2,rating:-0.2"},
        {"{\"user\":1,\"item\":2,\"type\":\"like\"}\n", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dataset *d;
        const char *path = write_text(folder, "e.ndjson", rows[i].text);
        assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
        assert_string_equal(d->weights, rows[i].weights ? rows[i].weights : weights_default);
        dataset_free(d);
    }
}

#define GOOD "{\"user_id\":\"u\",\"item_id\":\"a\"}\n"
#define TIME "a time (unix seconds or YYYY-MM-DD HH:MM:SS, from 1970 to 2106)"

static void complaints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {GOOD "{\"user_id\":\"u\"}\n", ":2:16: expected an item_id, found the end of the line"},
        {GOOD "{\"item_id\":\"u\"}\n", ":2:16: expected a user_id, found the end of the line"},
        {GOOD "{\"user_id\":\"u\",\"item_id\":1.5}\n",
         ":2:26: expected an id (a text or a whole number), found '1.5}'"},
        {GOOD "{\"user_id\":true,\"item_id\":1}\n",
         ":2:12: expected an id (a text or a whole number), found 'true,\"item_id\":1}'"},
        {GOOD "{\"user_id\":\"\",\"item_id\":1}\n", ":2:12: expected a user id, found nothing"},
        {GOOD "{\"user_id\":1,\"item_id\":\"a\\nb\"}\n",
         ":2:24: expected an id without control characters, found 'a?b'"},
        {GOOD "{\"user_id\":1,\"item_id\":2,\"value\":\"x\"}\n",
         ":2:34: expected a value (a number), found 'x'"},
        {GOOD "{\"user_id\":1,\"item_id\":2,\"value\":[]}\n",
         ":2:34: expected a value (a number), found '[]}'"},
        {GOOD "{\"user_id\":1,\"item_id\":2,\"value\":1e39}\n",
         ":2:34: expected a value (a number), found '1e39}'"},
        {GOOD "{\"user_id\":1,\"item_id\":2,\"type\":3}\n",
         ":2:33: expected an event type (a text), found '3}'"},
        {GOOD "{\"user_id\":1,\"item_id\":2,\"type\":\"\"}\n",
         ":2:33: expected an event type (1 to 31 bytes of UTF-8), found nothing"},
        {GOOD "{\"user_id\":1,\"user_id\":2,\"item_id\":2}\n",
         ":2:12: expected each key once, found '1,\"user_id\":2,\"item_id\":2}'"},
        {GOOD "{\"user_id\":1,\"item_id\":2,\"timestamp\":5}\n",
         ":2:38: expected no timestamp, as in the lines before, found '5}'"},
        {"{\"user_id\":1,\"item_id\":2,\"timestamp\":5}\n" GOOD,
         ":2:30: expected a timestamp, as in the lines before, found the end of the line"},
        {"{\"user_id\":1,\"item_id\":2,\"timestamp\":\"noon\"}\n",
         ":1:38: expected " TIME ", found 'noon'"},
        {"{\"user_id\":1,\"item_id\":2,\"timestamp\":-5}\n",
         ":1:38: expected " TIME ", found '-5'"},
        {"{\"user_id\":1,\"item_id\":2,\"timestamp\":[5]}\n",
         ":1:38: expected " TIME ", found '[5]}'"},
        {GOOD "[1]\n", ":2:1: expected a JSON object, found '[1]'"},
        {GOOD "\n" GOOD, ":2:1: expected a JSON object, found the end of the line"},
        {GOOD "nonsense\n", ":2:1: expected a JSON object, found 'nonsense'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dataset *d = NULL;
        char expected[600];
        const char *path = write_text(folder, "e.jsonl", rows[i].text);
        snprintf(expected, sizeof expected, "%s%s", path, rows[i].message);
        assert_int_equal(dataset_load(path, NULL, NULL, &d, &err), PAL_EFORMAT);
        assert_string_equal(err.message, expected);
        assert_null(d);
    }
}

/* What is no JSON is refused, and the complaint points near to where it goes wrong. */
static void broken_json_is_located(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned from, to;
    } rows[] = {
        {"{\"user_id\":1,\"item_id\":nul}", 24, 28},
        {"{\"user_id\":1,\"item_id\":2", 24, 26},
        {"{\"user_id\":1,\"item_id\":2} x", 25, 28},
        {"{\"user_id\":1 \"item_id\":2}", 13, 23},
        {"{\"user_id\":01,\"item_id\":2}", 12, 14},
        {"{\"user_id\":1,\"item_id\":\"\xff\"}", 1, 26},
        {"{\"user_id\":1,\"item_id\":\"\\ud800\"}", 24, 33},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dataset *d = NULL;
        unsigned line = 0, column = 0;
        const char *path = write_text(folder, "e.jsonl", rows[i].line);
        assert_int_equal(dataset_load(path, NULL, NULL, &d, &err), PAL_EFORMAT);
        assert_int_equal(sscanf(err.message + strlen(path), ":%u:%u:", &line, &column), 2);
        assert_int_equal(line, 1);
        assert_in_range(column, rows[i].from, rows[i].to);
        assert_non_null(strstr(err.message, "JSON"));
    }
}

/* A bad line does not change what keys mean, and is counted by itself. */
static void bad_lines_are_passed_over(void **state)
{
    (void)state;
    struct load_options options = {.skip_bad = 3};
    struct dataset *d;
    const char *path = write_text(folder, "e.jsonl",
                                  "{\"user_id\":\"u\",\"item_id\":\"a\"}\n"
                                  "{\"user_id\":\"v\",\n"
                                  "\"item_id\":\"b\"}\n"
                                  "{\"user_id\":\"u\",\"item_id\":\"c\"}\n"
                                  "{\"user_id\":\"w\",\"item_id\":{}}\n"
                                  "{\"user_id\":\"u\",\"item_id\":\"d\"}");
    assert_ok(dataset_load(path, &options, NULL, &d, &err), &err);
    assert_int_equal(d->skipped, 3);
    assert_int_equal(d->users.ids.count, 1);
    assert_string_equal(history_text(d, &d->all, "u"), "a:1:- c:1:- d:1:-");
    dataset_free(d);
}

static void many_keys_and_long_lines(void **state)
{
    (void)state;
    size_t size = 1 << 16, n = 0;
    char *text = malloc(size);
    struct dataset *d = NULL;
    n += (size_t)snprintf(text + n, size - n, "{\"user\":\"u\",\"item\":\"a\"");
    for (int i = 0; i < 126; i++)
        n += (size_t)snprintf(text + n, size - n, ",\"%dkey\":%d", i, i);
    snprintf(text + n, size - n, "}\n");
    check(text, NULL, "u", "a:1:-");
    snprintf(text + n, size - n, ",\"last\":0}\n");
    assert_int_equal(dataset_load(write_text(folder, "e.jsonl", text), NULL, NULL, &d, &err),
                     PAL_EFORMAT);
    assert_non_null(strstr(err.message, "an object of at most 128 members"));
    /* a line that ends where its last page does: nothing behind it may be read */
    memset(text, ' ', 8192);
    memcpy(text, "{\"user\":\"u\",\"item\":\"a\"", 22);
    text[4095] = '}';
    text[4096] = 0;
    check(text, NULL, "u", "a:1:-");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read),
        cmocka_unit_test(ids_may_be_numbers),
        cmocka_unit_test(types_are_guessed),
        cmocka_unit_test(surer_keys_win),
        cmocka_unit_test(rules_follow_what_was_found),
        cmocka_unit_test(complaints),
        cmocka_unit_test(broken_json_is_located),
        cmocka_unit_test(bad_lines_are_passed_over),
        cmocka_unit_test(many_keys_and_long_lines),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
