/* Records as JSON lines: there and back again gives the same line, whatever ids and attributes
 * hold; what may be left out; and what is refused, with the place where it is wrong. */
#include "test.h"

#include "data/record_json.h"
#include "files.h"

static const int64_t now_ms = 1700000000000;

/* Reads a line; the complaint or error in *why, "" if there is none. */
static enum pal_status read_line(const char *line, size_t len, struct arena *texts,
                                 struct record *out, char why[600])
{
    struct pal_error err = {.message = ""};
    struct reading reading = {0};
    struct record_reader *reader;
    struct complaint bad = {0};
    const char *folder = make_folder();
    static struct lines l;
    const char *path = write_bytes(folder, "x.jsonl", line, len);
    enum pal_status st = PAL_OK;
    assert_ok(record_reader_new(&reader, &err), &err);
    assert_ok(lines_open(&l, &reading, path, &err), &err);
    assert_true(lines_next(&l, &st, &err));
    st = record_json_read(reader, &l, now_ms, texts, out, &bad, &err);
    if (bad.expected)
        st = lines_bad(&l, &bad, &err);
    const char *slash = strrchr(err.message, '/'); /* without the folder */
    snprintf(why, 600, "%s", slash ? slash + 1 : err.message);
    lines_close(&l);
    record_reader_free(reader);
    remove_folder(folder);
    return st;
}

static void same_line_again(const char *line)
{
    struct arena texts = {0};
    struct record r;
    struct str again = {0};
    char why[600];
    if (read_line(line, strlen(line), &texts, &r, why) != PAL_OK)
        fail_msg("%s: %s", line, why);
    record_json_write(&r, &again);
    str_char(&again, 0);
    again.text[again.len - 2] = 0; /* the line's end */
    assert_string_equal(again.text, line);
    str_done(&again);
    arena_done(&texts);
}

static void lines_come_back(void **state)
{
    (void)state;
    const char *lines[] = {
        "{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"type\":\"like\",\"value\":1,"
        "\"timestamp\":0}}",
        "{\"event\":{\"user_id\":\"a\\\"b\\\\ é "
        "\xf0\x9f\x98\x80\",\"item_id\":\"12\",\"type\":"
        "\"rating\",\"value\":-0.1,\"timestamp\":1699999999123,\"event_id\":\"e\","
        "\"recommendation_id\":\"r\"}}",
        "{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"type\":\"t\",\"value\":16777215,"
        "\"timestamp\":5}}",
        "{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"type\":\"t\",\"value\":1.0000001,"
        "\"timestamp\":5}}",
        "{\"item\":{\"item_id\":\"i\",\"title\":\"A, \\\"B\\\" {C}\",\"categories\":[\"x]\",\"}\"],"
        "\"attributes\":{\"a\":0.1,\"b\":[1,{\"c\":\"\\\\\\\"]}\"}],\"d\":1e-7,\"e\":null},"
        "\"image_url\":\"https://x/?a=b&c\",\"available\":false,\"created_at\":7}}",
        "{\"item\":{\"item_id\":\"bare\",\"available\":true,\"created_at\":0}}",
        "{\"user\":{\"user_id\":\"u\",\"attributes\":{\"age\":33.50},\"created_at\":1}}",
        "{\"user\":{\"user_id\":\"u\",\"created_at\":1}}",
        "{\"served\":{\"recommendation_id\":\"r\",\"user_id\":\"u\",\"timestamp\":3,\"items\":"
        "[{\"item_id\":\"i\",\"score\":0.30000001}]}}",
        "{\"served\":{\"recommendation_id\":\"r\",\"timestamp\":3,\"items\":[]}}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        same_line_again(lines[i]);
}

static void much_may_be_left_out(void **state)
{
    (void)state;
    struct arena texts = {0};
    struct record r;
    char why[600];
    const char *event = "  { \"event\" : {\"item_id\":7,\"user_id\":-3, \"value\":null } } ";
    assert_int_equal(read_line(event, strlen(event), &texts, &r, why), PAL_OK);
    assert_string_equal(r.event.user_id, "-3");
    assert_string_equal(r.event.item_id, "7");
    assert_string_equal(r.event.type, "like");
    assert_true(r.event.value == 1 && r.event.time_ms == now_ms);
    const char *item = "{\"item\":{\"item_id\":\"i\",\"categories\": [ \"a b\" , \"c\" ],"
                       "\"created_at\":\"2001-09-09 01:46:40\"}}";
    assert_int_equal(read_line(item, strlen(item), &texts, &r, why), PAL_OK);
    assert_string_equal(r.item.categories, "[\"a b\",\"c\"]");
    assert_true(r.item.available && r.item.created_ms == 1000000000000);
    arena_done(&texts);
}

static void refused(const char *line, enum pal_status st, const char *says)
{
    struct arena texts = {0};
    struct record r = {.kind = RECORD_CLEAR};
    char why[600];
    assert_int_equal(read_line(line, strlen(line), &texts, &r, why), st);
    assert_int_equal(r.kind, RECORD_CLEAR); /* untouched */
    if (!strstr(why, says))
        fail_msg("%s: '%s' does not say '%s'", line, why, says);
    arena_done(&texts);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refused("{}", PAL_EFORMAT, "x.jsonl:1:1: expected {\"item\"");
    refused("[]", PAL_EFORMAT, "x.jsonl:1:1");
    refused("{\"event\":[]}", PAL_EFORMAT, "valid JSON: an object");
    refused("{\"event\":{\"user_id\":\"u\"}", PAL_EFORMAT, "valid JSON");
    refused("{\"event\":{},\"item\":{}}", PAL_EFORMAT, "valid JSON");
    refused("{\"event\":{\"user_id\":\"u\",}}", PAL_EFORMAT, "valid JSON");
    refused("{\"event\":{\"user\":\"u\"}}", PAL_EFORMAT, "x.jsonl:1:18: expected only members");
    refused("{\"event\":{\"title\":\"u\"}}", PAL_EFORMAT, "only members");
    refused("{\"event\":{\"user_id\":\"u\",\"user_id\":\"u\"}}", PAL_EFORMAT, "each key once");
    refused("{\"event\":{\"user_id\":1.5}}", PAL_EFORMAT, "a text or a whole number, found '1.5");
    refused("{\"event\":{\"user_id\":\"a\\u0000b\"}}", PAL_EFORMAT, "a text or a whole number");
    refused("{\"event\":{\"value\":\"1\"}}", PAL_EFORMAT, "expected a number");
    refused("{\"event\":{\"timestamp\":-1}}", PAL_EFORMAT, "milliseconds since 1970");
    refused("{\"event\":{\"timestamp\":1.5}}", PAL_EFORMAT, "milliseconds since 1970");
    refused("{\"event\":{\"timestamp\":\"soon\"}}", PAL_EFORMAT, "milliseconds since 1970");
    refused("{\"item\":{\"available\":1}}", PAL_EFORMAT, "true or false");
    refused("{\"item\":{\"categories\":\"x\"}}", PAL_EFORMAT, "an array of texts");
    /* and what record_check refuses */
    refused("{\"event\":{\"user_id\":\"u\"}}", PAL_EUSAGE, "item_id is missing");
    refused("{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"value\":1e300}}", PAL_EUSAGE,
            "value");
    refused("{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"timestamp\":1800000000000}}",
            PAL_EUSAGE, "in the future");
    refused("{\"item\":{\"item_id\":\"i\",\"categories\":{}}}", PAL_EUSAGE, "categories must be");
    refused("{\"user\":{\"user_id\":\"u\",\"attributes\":{\"a\":1,\"a\":2}}}", PAL_EUSAGE,
            "attributes: not valid JSON: duplicate");
    refused("{\"served\":{\"recommendation_id\":\"r\"}}", PAL_EUSAGE, "list is missing");
}

static void memory_runs_out(void **state)
{
    (void)state;
    const char *line = "{\"item\":{\"item_id\":\"i\",\"title\":\"t\",\"attributes\":{\"a\":1}}}";
    struct reading reading = {0};
    struct pal_error err;
    struct record_reader *reader;
    static struct lines l;
    enum pal_status st = PAL_OK;
    const char *folder = make_folder();
    assert_ok(lines_open(&l, &reading, write_text(folder, "x.jsonl", line), &err), &err);
    assert_true(lines_next(&l, &st, &err));
    mem_fail_at(1);
    assert_int_equal(record_reader_new(&reader, &err), PAL_ENOMEM);
    assert_ok(record_reader_new(&reader, &err), &err);
    for (long n = 1;; n++) {
        struct arena texts = {0};
        struct complaint bad = {0};
        struct record r;
        mem_fail_at(n);
        st = record_json_read(reader, &l, now_ms, &texts, &r, &bad, &err);
        mem_fail_at(0);
        arena_done(&texts);
        assert_null(bad.expected);
        if (st == PAL_OK) {
            assert_true(n > 1);
            break;
        }
        assert_int_equal(st, PAL_ENOMEM);
    }
    record_reader_free(reader);
    lines_close(&l);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_back),
        cmocka_unit_test(much_may_be_left_out),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
