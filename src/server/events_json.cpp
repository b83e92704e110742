/* See events_json.h. simdjson's DOM checks every byte, unescapes texts into a buffer of its own and
 * puts a NUL behind each, so that records can point there. Nothing here throws: all calls are the
 * ones that return error codes. */
extern "C" {
#include "base/arena.h"
#include "data/record.h"
}
#include "server/events_json.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <simdjson.h>

namespace
{

enum { KEEP_BYTES = 4 << 20, BODY_MOST = 64 << 20 };

enum field { USER_ID, ITEM_ID, TYPE, VALUE, TIMESTAMP, EVENT_ID, RECOMMENDATION_ID, UNKNOWN };

field field_of(std::string_view key)
{
    static const struct {
        std::string_view name;
        field number;
    } names[] = {{"user_id", USER_ID},
                 {"item_id", ITEM_ID},
                 {"type", TYPE},
                 {"value", VALUE},
                 {"timestamp", TIMESTAMP},
                 {"event_id", EVENT_ID},
                 {"recommendation_id", RECOMMENDATION_ID}};
    for (const auto &row : names)
        if (row.name == key)
            return row.number;
    return UNKNOWN;
}

/* A text without a NUL inside. */
bool get_text(simdjson::dom::element value, const char **out)
{
    const char *text;
    size_t length;
    if (value.get_c_str().get(text) || value.get_string_length().get(length) ||
        std::strlen(text) != length)
        return false;
    *out = text;
    return true;
}

/* A text of 1 to RECORD_ID_MOST bytes, or an integer as its decimal text. */
bool get_id(simdjson::dom::element value, struct arena *tmp, const char **out)
{
    int64_t whole;
    char digits[24];
    if (value.type() != simdjson::dom::element_type::INT64)
        return get_text(value, out) && **out && std::strlen(*out) <= RECORD_ID_MOST;
    if (value.get(whole))
        return false;
    auto end = std::to_chars(digits, digits + sizeof digits, whole).ptr;
    *out = arena_text(tmp, digits, static_cast<size_t>(end - digits));
    return *out != nullptr;
}

bool get_field(struct event *e, field which, simdjson::dom::element value, struct arena *tmp)
{
    double number;
    switch (which) {
    case USER_ID:
        return get_id(value, tmp, &e->user_id);
    case ITEM_ID:
        return get_id(value, tmp, &e->item_id);
    case TYPE:
        return get_text(value, &e->type);
    case VALUE:
        if (value.get(number) || value.type() == simdjson::dom::element_type::UINT64)
            return false; /* past INT64_MAX it is no number for the strict reader */
        e->value = static_cast<float>(number);
        return true;
    case TIMESTAMP:
        return !value.get(e->time_ms) && e->time_ms >= 0;
    case EVENT_ID:
        return get_text(value, &e->event_id);
    case RECOMMENDATION_ID:
        return get_text(value, &e->recommendation_id);
    default:
        return false;
    }
}

bool get_event(simdjson::dom::element json, struct arena *tmp, struct record *out)
{
    simdjson::dom::object object;
    struct event e = {};
    unsigned had = 0;
    if (json.get(object))
        return false;
    e.value = 1;
    e.type = "like";
    for (auto member : object) {
        field which = field_of(member.key);
        if (which == UNKNOWN || (had & (1u << which)) || !get_field(&e, which, member.value, tmp))
            return false;
        had |= 1u << which;
    }
    out->kind = RECORD_EVENT;
    out->event = e;
    return e.user_id && e.item_id;
}

/* The array of a batch; false if the body is something else. */
bool get_list(simdjson::dom::element root, simdjson::dom::array *out)
{
    simdjson::dom::object object;
    if (!root.get(*out))
        return true;
    return !root.get(object) && object.size() == 1 && !object["events"].get(*out);
}

} // namespace

extern "C" bool events_json(const char *body, size_t len, size_t most, struct arena *tmp,
                            struct record **out, size_t *count)
{
    static thread_local simdjson::dom::parser parser{BODY_MOST};
    simdjson::dom::element root;
    simdjson::dom::array list;
    if (parser.capacity() > KEEP_BYTES && len < KEEP_BYTES)
        parser = simdjson::dom::parser{BODY_MOST}; /* one large body is no reason to keep so much */
    if (parser.parse(reinterpret_cast<const uint8_t *>(body), len, true).get(root))
        return false;
    bool many = get_list(root, &list);
    size_t n = many ? list.size() : 1, at = 0;
    if (n > most)
        return false;
    auto records = static_cast<struct record *>(arena_alloc(tmp, n, sizeof(struct record)));
    if (!records)
        return false;
    if (!many && !get_event(root, tmp, &records[0]))
        return false;
    if (many)
        for (auto event : list)
            if (!get_event(event, tmp, &records[at++]))
                return false;
    *out = records;
    *count = n;
    return true;
}
