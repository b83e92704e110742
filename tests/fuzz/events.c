/* Bodies of POST /v1/events: whatever the fast reader takes, the strict one takes, too, and reads
 * the same out of it. */
#include "fuzz.h"

#include "server/events_json.h"
#include "server/events_read.h"

enum { MOST = 100 };

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same_event(const struct event *a, const struct event *b)
{
    return same_text(a->user_id, b->user_id) && same_text(a->item_id, b->item_id) &&
           same_text(a->type, b->type) && same_text(a->event_id, b->event_id) &&
           same_text(a->recommendation_id, b->recommendation_id) &&
           memcmp(&a->value, &b->value, sizeof a->value) == 0 && a->time_ms == b->time_ms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena tmp = {0};
    struct pal_error err = {0};
    struct record *fast, *strict;
    size_t fast_count, strict_count;
    json_t *json = NULL;
    const char *body = size ? (const char *)data : "";
    bool plain = events_json(body, size, MOST, &tmp, &fast, &fast_count);
    enum pal_status st = events_read(body, size, MOST, &tmp, &json, &strict, &strict_count, &err);
    FUZZ_CHECK(st == PAL_OK || err.message[0]);
    FUZZ_CHECK(!plain || st == PAL_OK);
    FUZZ_CHECK(!plain || fast_count == strict_count);
    for (size_t i = 0; plain && i < fast_count; i++)
        FUZZ_CHECK(same_event(&fast[i].event, &strict[i].event));
    json_decref(json);
    arena_done(&tmp);
    return 0;
}
