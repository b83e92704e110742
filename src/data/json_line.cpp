/* See json_line.h. simdjson's DOM checks every byte of a line, which its faster on-demand interface
 * does not. Nothing here throws: all calls are the ones that return error codes. */
#include "data/json_line.h"

#include <charconv>
#include <new>
#include <simdjson.h>

struct json_reader {
    simdjson::dom::parser parser{JSON_LINE_BYTES};
};

extern "C" struct json_reader *json_reader_new(void)
{
    return new (std::nothrow) json_reader;
}

extern "C" void json_reader_free(struct json_reader *r)
{
    delete r;
}

template <typename Whole> static void put_whole(struct json_member *m, Whole value)
{
    m->kind = JSON_WHOLE;
    m->number = static_cast<double>(value);
    m->text = m->digits;
    m->text_len = static_cast<size_t>(
        std::to_chars(m->digits, m->digits + sizeof m->digits, value).ptr - m->digits);
}

static void put_value(struct json_member *m, simdjson::dom::element value)
{
    using simdjson::dom::element_type;
    std::string_view text;
    int64_t whole = 0;
    uint64_t large = 0;
    m->kind = JSON_NESTED;
    m->text = "";
    m->text_len = 0;
    m->number = 0;
    switch (value.type()) {
    case element_type::STRING:
        if (value.get(text) == simdjson::SUCCESS) {
            m->kind = JSON_TEXT;
            m->text = text.data();
            m->text_len = text.size();
        }
        break;
    case element_type::INT64:
        if (value.get(whole) == simdjson::SUCCESS)
            put_whole(m, whole);
        break;
    case element_type::UINT64:
        if (value.get(large) == simdjson::SUCCESS)
            put_whole(m, large);
        break;
    case element_type::DOUBLE:
        if (value.get(m->number) == simdjson::SUCCESS)
            m->kind = JSON_FRACTION;
        break;
    case element_type::NULL_VALUE:
        m->kind = JSON_NULL_VALUE;
        break;
    default:
        break;
    }
}

extern "C" enum json_outcome json_line_parse(struct json_reader *r, const char *p, size_t len,
                                             size_t room, struct json_member *member, size_t *count)
{
    simdjson::dom::element root;
    simdjson::dom::object object;
    auto error =
        r->parser
            .parse(reinterpret_cast<const uint8_t *>(p), len, room < simdjson::SIMDJSON_PADDING)
            .get(root);
    if (error == simdjson::MEMALLOC)
        return JSON_LINE_MEMORY;
    if (error)
        return JSON_LINE_BAD;
    if (root.get(object) != simdjson::SUCCESS)
        return JSON_LINE_NO_OBJECT;
    size_t n = 0;
    for (auto field : object) {
        if (n == JSON_MEMBERS)
            return JSON_LINE_CROWDED;
        member[n].key = field.key.data();
        member[n].key_len = field.key.size();
        put_value(&member[n++], field.value);
    }
    *count = n;
    return JSON_LINE_OK;
}
