/* Messages of a stream: every kind of record comes back as it was, with where it came from; what
 * others publish is read too; what is no message is refused with a reason. */
#include "test.h"

#include "data/served.h"
#include "data/stream_json.h"

static const int64_t now_ms = 1700000000000;

static enum pal_status read_text(const char *text, size_t size, struct arena *texts,
                                 struct record *out, struct stream_origin *from,
                                 struct pal_error *err)
{
    struct stream_reader *reader;
    assert_ok(stream_reader_new(&reader, err), err);
    err->message[0] = 0;
    enum pal_status st = stream_json_read(reader, text, size, now_ms, texts, out, from, err);
    stream_reader_free(reader);
    return st;
}

/* Written, read and written again it is the same. */
static void comes_back(const struct record *r, const char *expected)
{
    const struct stream_origin from = {"1f0c22aa90de", 42, 1600000000000};
    struct stream_origin back;
    struct str once = {0}, twice = {0};
    struct arena texts = {0};
    struct record read;
    struct pal_error err;
    char whole[600];
    snprintf(whole, sizeof whole,
             "{\"journal\":\"1f0c22aa90de\",\"seq\":42,\"at\":1600000000000,%s}", expected);
    stream_json_write(r, &from, &once);
    assert_string_equal(str_text(&once), whole);
    assert_ok(read_text(once.text, once.len, &texts, &read, &back, &err), &err);
    assert_string_equal(back.journal, from.journal);
    assert_int_equal(back.seq, 42);
    assert_int_equal(back.at_ms, 1600000000000);
    stream_json_write(&read, &back, &twice);
    assert_string_equal(str_text(&twice), str_text(&once));
    assert_true(stream_key(r) ? strcmp(stream_key(r), stream_key(&read)) == 0 : !stream_key(&read));
    str_done(&once);
    str_done(&twice);
    arena_done(&texts);
}

static void every_kind_comes_back(void **state)
{
    (void)state;
    const struct record event = {.kind = RECORD_EVENT,
                                 .event = {"u \"1\"", "i", "like", 0.5F, 5, "e", ""}};
    const struct record item = {.kind = RECORD_ITEM,
                                .item = {"i", "T é", "[\"a\"]", "{\"x\":0.10}", "", true, 7}};
    const struct record user = {.kind = RECORD_USER, .user = {"u", "{}", 8}};
    const struct record served = {.kind = RECORD_SERVED,
                                  .served = {"r", "u", 9, "[{\"item_id\":\"i\"}]", NULL, 0}};
    const struct record gone = {.kind = RECORD_ITEM_DELETE, .id = "i\\"};
    const struct record erased = {.kind = RECORD_USER_DELETE, .id = "ü"};
    const struct record clear = {.kind = RECORD_CLEAR, .id = ""};
    comes_back(&event, "\"event\":{\"user_id\":\"u \\\"1\\\"\",\"item_id\":\"i\",\"type\":\"like\","
                       "\"value\":0.5,\"timestamp\":5,\"event_id\":\"e\"}");
    comes_back(&item, "\"item\":{\"item_id\":\"i\",\"title\":\"T é\",\"categories\":[\"a\"],"
                      "\"attributes\":{\"x\":0.10},\"available\":true,\"created_at\":7}");
    comes_back(&user, "\"user\":{\"user_id\":\"u\",\"attributes\":{},\"created_at\":8}");
    comes_back(&served, "\"served\":{\"recommendation_id\":\"r\",\"user_id\":\"u\",\"timestamp\":9,"
                        "\"items\":[{\"item_id\":\"i\"}]}");
    comes_back(&gone, "\"item_delete\":{\"item_id\":\"i\\\\\"}");
    comes_back(&erased, "\"user_delete\":{\"user_id\":\"ü\"}");
    comes_back(&clear, "\"clear\":{}");
}

/* A packed list is published as JSON, and kept in order by its user or, without one, by its id. */
static void packed_lists_are_unpacked(void **state)
{
    const struct served_item items[] = {{"a", "als", 0.5F, 1, false}};
    struct str packed = {0}, text = {0};
    (void)state;
    served_pack(items, 1, &packed);
    struct record r = {.kind = RECORD_SERVED_PACKED,
                       .served = {"r", "u", 9, NULL, packed.text, packed.len}};
    const struct stream_origin from = {"1f0c22aa90de", 1, 2};
    stream_json_write(&r, &from, &text);
    assert_non_null(strstr(str_text(&text), "\"items\":[{\"item_id\":\"a\",\"source\":\"als\","));
    assert_string_equal(stream_key(&r), "u");
    r.served.user_id = "";
    assert_string_equal(stream_key(&r), "r");
    str_done(&packed);
    str_done(&text);
}

static void what_others_publish_is_read(void **state)
{
    static const char text[] = " { \"event\": {\"user_id\":1,\"item_id\":2,\"event_id\":\"x\"} } ";
    struct arena texts = {0};
    struct stream_origin from;
    struct record r;
    struct pal_error err;
    (void)state;
    assert_ok(read_text(text, sizeof text - 1, &texts, &r, &from, &err), &err);
    assert_string_equal(from.journal, "");
    assert_int_equal(from.seq, 0);
    assert_int_equal(from.at_ms, now_ms);
    assert_string_equal(r.event.user_id, "1");
    assert_string_equal(r.event.type, "like");
    assert_int_equal(r.event.time_ms, now_ms);
    arena_done(&texts);
}

static void what_is_no_message_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "expected {\"journal\""},
        {"event", "expected {\"journal\""},
        {"{\"journal\":\"xyz\",\"seq\":1,\"at\":1,\"clear\":{}}", "expected {\"journal\""},
        {"{\"journal\":\"1f0c22aa90de\",\"seq\":-1,\"at\":1,\"clear\":{}}",
         "expected {\"journal\""},
        {"{\"seq\":1234567890123456789,\"clear\":{}}", "expected {\"journal\""},
        {"{\"at\":9999999999999999,\"clear\":{}}", "expected {\"journal\""},
        {"{\"clear\":{\"x\":1}}", "\"clear\":{}"},
        {"{\"clear\":{},\"item\":{\"item_id\":\"i\"}}", "nothing else"},
        {"{\"item_delete\":{}}", "\"item_id\":…"},
        {"{\"item_delete\":{\"item_id\":7}}", "\"item_id\":…"},
        {"{\"user_delete\":{\"user_id\":\"\"}}", "1 to 256"},
        {"{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\"}}", "event_id"},
        {"{\"event\":{\"user_id\":\"u\",\"event_id\":\"e\"}}", "item_id"},
        {"{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"event_id\":\"e\",\"x\":1}}", "members"},
        {"{\"event\":{\"user_id\":\"u\",\"item_id\":\"i\",\"event_id\":\"e\","
         "\"timestamp\":1700000900000}}",
         "future"},
        {"{\"served\":7}", "an object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena texts = {0};
        struct stream_origin from = {"untouched", 77, 77};
        struct record r = {.kind = RECORD_USER};
        struct pal_error err;
        enum pal_status st = read_text(rows[i].text, strlen(rows[i].text), &texts, &r, &from, &err);
        if (st != PAL_EFORMAT || !strstr(err.message, rows[i].why))
            fail_msg("%s: %d %s", rows[i].text, (int)st, err.message);
        assert_int_equal(r.kind, RECORD_USER);
        assert_int_equal(from.seq, 77);
        arena_done(&texts);
    }
}

/* What is refused has come all the same: it says where from, if anywhere. */
static void what_is_refused_says_where_from(void **state)
{
    static const char text[] = "{\"journal\":\"1f0c22aa90de\",\"seq\":42,\"at\":7,"
                               "\"event\":{\"user_id\":\"u\"}}";
    struct arena texts = {0};
    struct stream_origin from = {.seq = 77};
    struct record r;
    struct pal_error err;
    (void)state;
    assert_int_equal(read_text(text, sizeof text - 1, &texts, &r, &from, &err), PAL_EFORMAT);
    assert_string_equal(from.journal, "1f0c22aa90de");
    assert_int_equal(from.seq, 42);
    assert_int_equal(from.at_ms, 7);
    arena_done(&texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(packed_lists_are_unpacked),
        cmocka_unit_test(what_others_publish_is_read),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(what_is_refused_says_where_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
