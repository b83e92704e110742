/* Records as bytes: what is written comes back equal; whatever is cut or flipped is refused or
 * still a record within its bounds, never a crash (blocks of exactly the size show it under the
 * sanitizer); what may not come in from outside is named. */
#include "test.h"

#include "data/record.h"

#include <math.h>

static const int64_t now_ms = 1700000000000;

static const char packed[] = "\x02"
                             "als\0"
                             "bandit\0"
                             "\x02\0"
                             "\x00\0\0\0\x3f\0\0\x80\x3f"
                             "i 1\0"
                             "\x81\0\0\x80\x3e\0\0\0\x3d"
                             "i\xf0\x9f\x98\x80";

static const struct record samples[] = {
    {.kind = RECORD_EVENT,
     .event = {"u 1", "i\"\xf0\x9f\x98\x80", "like", -2.5f, 1699999999999, "e-1", "r-1"}},
    {.kind = RECORD_EVENT, .event = {"u", "i", "view", 1, 0, NULL, ""}},
    {.kind = RECORD_ITEM,
     .item = {"i", "Heat (1995)", "[\"Crime\",\"Drama\"]", "{\"year\":1995}", "https://x/y.png",
              true, now_ms}},
    {.kind = RECORD_ITEM, .item = {"i", NULL, NULL, NULL, NULL, false, 0}},
    {.kind = RECORD_ITEM_DELETE, .id = "i"},
    {.kind = RECORD_USER, .user = {"u", "{\"age\":33}", now_ms}},
    {.kind = RECORD_USER_DELETE, .id = "u"},
    {.kind = RECORD_SERVED,
     .served = {"r-1", "u", now_ms, "[{\"item_id\":\"i\",\"source\":\"als\",\"score\":0.5}]", NULL,
                0}},
    {.kind = RECORD_SERVED, .served = {"r-2", NULL, now_ms, "[]", NULL, 0}},
    {.kind = RECORD_CLEAR},
    {.kind = RECORD_SERVED_PACKED,
     .served = {.recommendation_id = "r-3",
                .user_id = "u",
                .time_ms = now_ms,
                .packed = packed,
                .packed_size = sizeof packed}},
    {.kind = RECORD_SERVED_PACKED,
     .served = {.recommendation_id = "r-4", .packed = "\0\0", .packed_size = 3}},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static void same_text(const char *a, const char *b)
{
    assert_string_equal(a ? a : "", b ? b : "");
}

static void same(const struct record *a, const struct record *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case RECORD_EVENT:
        same_text(a->event.user_id, b->event.user_id);
        same_text(a->event.item_id, b->event.item_id);
        same_text(a->event.type, b->event.type);
        same_text(a->event.event_id, b->event.event_id);
        same_text(a->event.recommendation_id, b->event.recommendation_id);
        assert_true(a->event.value == b->event.value);
        assert_true(a->event.time_ms == b->event.time_ms);
        break;
    case RECORD_ITEM:
        same_text(a->item.item_id, b->item.item_id);
        same_text(a->item.title, b->item.title);
        same_text(a->item.categories, b->item.categories);
        same_text(a->item.attributes, b->item.attributes);
        same_text(a->item.image_url, b->item.image_url);
        assert_int_equal(a->item.available, b->item.available);
        assert_true(a->item.created_ms == b->item.created_ms);
        break;
    case RECORD_USER:
        same_text(a->user.user_id, b->user.user_id);
        same_text(a->user.attributes, b->user.attributes);
        assert_true(a->user.created_ms == b->user.created_ms);
        break;
    case RECORD_SERVED:
        same_text(a->served.recommendation_id, b->served.recommendation_id);
        same_text(a->served.user_id, b->served.user_id);
        same_text(a->served.list, b->served.list);
        assert_true(a->served.time_ms == b->served.time_ms);
        break;
    case RECORD_SERVED_PACKED:
        same_text(a->served.recommendation_id, b->served.recommendation_id);
        same_text(a->served.user_id, b->served.user_id);
        assert_true(a->served.time_ms == b->served.time_ms);
        assert_int_equal(a->served.packed_size, b->served.packed_size);
        assert_memory_equal(a->served.packed, b->served.packed, a->served.packed_size);
        break;
    case RECORD_ITEM_DELETE:
    case RECORD_USER_DELETE:
        same_text(a->id, b->id);
        break;
    case RECORD_CLEAR:
        break;
    }
}

/* The bytes in a block of exactly their size. */
static char *encoded(const struct record *r, size_t *size)
{
    struct str s = {0};
    record_encode(r, &s);
    assert_true(str_ok(&s));
    *size = s.len;
    char *block = malloc(s.len ? s.len : 1);
    if (s.len)
        memcpy(block, s.text, s.len);
    str_done(&s);
    return block;
}

static void what_is_written_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pal_error err;
        struct record back;
        size_t size;
        char *bytes = encoded(&samples[i], &size);
        assert_ok(record_decode((uint8_t)samples[i].kind, bytes, size, &back, &err), &err);
        same(&samples[i], &back);
        free(bytes);
    }
}

/* As a fixed text of bytes: files of earlier versions must stay readable. */
static void the_bytes_are_these(void **state)
{
    (void)state;
    static const char expected[] = "\x0a\0\0\0\0\0\0\0"
                                   "\0\0\x80\x3f"
                                   "u\0i\0like\0e\0";
    const struct record r = {.kind = RECORD_EVENT, .event = {"u", "i", "like", 1, 10, "e", NULL}};
    size_t size;
    char *bytes = encoded(&r, &size);
    assert_int_equal(size, sizeof expected); /* the NUL of the literal is the last, empty text's */
    assert_memory_equal(bytes, expected, size);
    free(bytes);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t size;
        char *bytes = encoded(&samples[i], &size);
        for (size_t cut = 0; cut < size; cut++) {
            struct pal_error err = {.message = ""};
            struct record back = {.kind = RECORD_CLEAR};
            char *part = malloc(cut ? cut : 1);
            memcpy(part, bytes, cut);
            assert_int_equal(record_decode((uint8_t)samples[i].kind, part, cut, &back, &err),
                             PAL_ECORRUPT);
            assert_int_equal(back.kind, RECORD_CLEAR); /* untouched */
            assert_non_null(strstr(err.message, "damaged"));
            free(part);
        }
        free(bytes);
    }
}

static void bytes_behind_the_end_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pal_error err;
        struct record back;
        struct str s = {0};
        record_encode(&samples[i], &s);
        str_char(&s, 0);
        assert_int_equal(record_decode((uint8_t)samples[i].kind, s.text, s.len, &back, &err),
                         PAL_ECORRUPT);
        str_done(&s);
    }
}

/* What still decodes is a record that would be written as those very bytes. */
static void every_flipped_bit_is_safe(void **state)
{
    (void)state;
    size_t refused = 0, taken = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t size;
        char *bytes = encoded(&samples[i], &size);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            struct pal_error err;
            struct record back;
            bytes[bit / 8] ^= (char)(1 << bit % 8);
            if (record_decode((uint8_t)samples[i].kind, bytes, size, &back, &err) == PAL_OK) {
                struct str again = {0};
                record_encode(&back, &again);
                assert_int_equal(again.len, size);
                assert_memory_equal(again.text, bytes, size);
                str_done(&again);
                taken++;
            } else {
                assert_int_equal(err.status, PAL_ECORRUPT);
                refused++;
            }
            bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        free(bytes);
    }
    assert_true(refused > 100 && taken > 100);
}

static void unknown_kinds_are_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        struct pal_error err;
        struct record back;
        if (kind == 0 || kind > RECORD_SERVED_PACKED)
            assert_int_equal(record_decode((uint8_t)kind, "x", 1, &back, &err), PAL_ECORRUPT);
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    struct str s = {0};
    mem_fail_at(1);
    record_encode(&samples[0], &s);
    assert_false(str_ok(&s));
    str_done(&s);
}

static void samples_are_acceptable(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pal_error err;
        assert_ok(record_check(&samples[i], now_ms, &err), &err);
    }
}

static void refused(struct record r, const char *field)
{
    struct pal_error err = {.message = ""};
    assert_int_equal(record_check(&r, now_ms, &err), PAL_EUSAGE);
    if (strncmp(err.message, field, strlen(field)) != 0)
        fail_msg("'%s' should begin with '%s'", err.message, field);
}

static struct record event_with(const char *user, const char *item, const char *type, float value,
                                int64_t time)
{
    return (struct record){.kind = RECORD_EVENT,
                           .event = {user, item, type, value, time, NULL, NULL}};
}

static void bad_events_are_named(void **state)
{
    (void)state;
    char long_id[258];
    struct pal_error err;
    memset(long_id, 'x', 257);
    long_id[257] = 0;
    refused(event_with("", "i", "like", 1, 0), "user_id is missing");
    refused(event_with(NULL, "i", "like", 1, 0), "user_id is missing");
    refused(event_with(long_id, "i", "like", 1, 0), "user_id is too long");
    refused(event_with("u", "\xff", "like", 1, 0), "item_id is not valid UTF-8");
    refused(event_with("a\nb", "i", "like", 1, 0), "user_id has a control character");
    refused(event_with("u", "\x7f", "like", 1, 0), "item_id has a control character");
    refused(event_with("u", "i", "a-type-that-is-one-byte-too-long", 1, 0), "type is too long");
    refused(event_with("u", "i", "like", NAN, 0), "value");
    refused(event_with("u", "i", "like", INFINITY, 0), "value");
    refused(event_with("u", "i", "like", 1, -1), "timestamp lies before 1970");
    refused(event_with("u", "i", "like", 1, now_ms + 300001), "timestamp lies 300 seconds");
    refused(event_with("u", "i", "like", 1, INT64_MAX), "timestamp lies");
    struct record r = event_with(long_id + 1, "i", "like", 1, now_ms + 300000);
    assert_ok(record_check(&r, now_ms, &err), &err); /* 256 bytes, five minutes: just so */
    r.event.event_id = long_id;
    refused(r, "event_id is too long");
    r.event.event_id = "e";
    r.event.recommendation_id = long_id;
    refused(r, "recommendation_id is too long");
}

static void bad_json_is_named(void **state)
{
    (void)state;
    struct record item = samples[2];
    const char *categories[] = {"[", "{}", "[1]", "\"Crime\"", "[\"a\"]x", "[\"a\",\n\"b\"]"};
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++) {
        item.item.categories = categories[i];
        refused(item, "categories");
    }
    struct record user = samples[5];
    const char *attributes[] = {"[]", "{\"a\":1,\"a\":2}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}"};
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        user.user.attributes = attributes[i];
        refused(user, "attributes");
    }
    struct record served = samples[7];
    served.served.list = "[1]";
    refused(served, "list must be an array of objects");
    served.served.list = "";
    refused(served, "list is missing");
    refused((struct record){.kind = RECORD_ITEM_DELETE, .id = ""}, "item_id is missing");
    refused((struct record){.kind = RECORD_USER_DELETE, .id = NULL}, "user_id is missing");
    refused((struct record){.kind = (enum record_kind)99}, "kind 99");
}

/* With the moment at which it was accepted before it a record is the same; what is cut is not. */
static void a_dated_record_says_when(void **state)
{
    const int64_t at = 1760000000123;
    const struct record r = {.kind = RECORD_USER_DELETE, .id = "u"};
    struct record back;
    struct str s = {0};
    struct pal_error err;
    (void)state;
    record_date(at, &s);
    record_encode(&r, &s);
    assert_int_equal(record_accepted(RECORD_USER_DELETE | RECORD_DATED, s.text, s.len), at);
    assert_int_equal(record_accepted(RECORD_USER_DELETE, s.text, s.len), 0);
    assert_ok(record_decode(RECORD_USER_DELETE | RECORD_DATED, s.text, s.len, &back, &err), &err);
    assert_int_equal(back.kind, RECORD_USER_DELETE);
    assert_string_equal(back.id, "u");
    for (size_t cut = 0; cut < s.len; cut++) {
        assert_int_equal(record_decode(RECORD_USER_DELETE | RECORD_DATED, s.text, cut, &back, &err),
                         PAL_ECORRUPT);
        assert_int_equal(record_accepted(RECORD_USER_DELETE | RECORD_DATED, s.text, cut),
                         cut < RECORD_DATE ? 0 : at);
    }
    str_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(the_bytes_are_these),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(bytes_behind_the_end_are_refused),
        cmocka_unit_test(every_flipped_bit_is_safe),
        cmocka_unit_test(unknown_kinds_are_refused),
        cmocka_unit_test(a_dated_record_says_when),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(samples_are_acceptable),
        cmocka_unit_test(bad_events_are_named),
        cmocka_unit_test(bad_json_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
