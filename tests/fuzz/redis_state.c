/* What stands in a Redis that others may write to, too: members of a user's sets, read as
 * events and lists; and URLs of the shared state. What was taken can be written and is then the
 * same. */
#include "fuzz.h"

#include "state/redis_inside.h"

static void check_member(const char *bytes, size_t size)
{
    struct event e, again;
    struct str s = {0};
    if (!redis_event_decode(bytes, size, &e))
        return;
    redis_event_encode(&e, &s);
    FUZZ_CHECK(str_ok(&s) && redis_event_decode(s.text, s.len, &again));
    FUZZ_CHECK(strcmp(again.item_id, e.item_id) == 0 && strcmp(again.type, e.type) == 0);
    FUZZ_CHECK(again.time_ms == e.time_ms && again.value == e.value);
    str_done(&s);
}

static void check_list(const char *bytes, size_t size)
{
    struct state_list l, again;
    struct arena tmp = {0};
    struct str s = {0};
    struct pal_error err = {.message = ""};
    arena_init(&tmp);
    if (redis_list_decode(bytes, size, &tmp, &l, &err) == PAL_OK) {
        redis_list_encode(&l, &s);
        FUZZ_CHECK(str_ok(&s) && s.len == size && memcmp(s.text, bytes, size) == 0);
        FUZZ_CHECK(redis_list_decode(s.text, s.len, &tmp, &again, &err) == PAL_OK);
        FUZZ_CHECK(again.count == l.count && again.time_ms == l.time_ms);
    } else {
        FUZZ_CHECK(err.message[0]);
    }
    str_done(&s);
    arena_done(&tmp);
}

static void check_url(const char *text)
{
    struct redis_url u;
    struct pal_error err = {.message = ""};
    if (redis_url_parse(text, &u, &err) != PAL_OK) {
        FUZZ_CHECK(err.message[0]);
        return;
    }
    FUZZ_CHECK(!u.path != !u.host && *u.prefix);
    redis_url_done(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_text((const char *)data, size);
    if (!text)
        return 0;
    check_member(text, size);
    check_list(text, size);
    check_url(text);
    mem_free(text);
    return 0;
}
