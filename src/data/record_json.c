/* See record_json.h. A line's outer object is taken off by hand; the inner one is parsed by
 * simdjson as a flat list of members, of which the nested ones are then copied as they stand in the
 * text, so that a number in somebody's attributes keeps its digits. */
#include "data/record_json.h"

#include "base/emit.h"
#include "base/mem.h"
#include "base/text.h"
#include "data/json_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The members there are, over all kinds. */
enum part {
    PART_USER_ID,
    PART_ITEM_ID,
    PART_TYPE,
    PART_VALUE,
    PART_TIME,
    PART_EVENT_ID,
    PART_RECOMMENDATION_ID,
    PART_TITLE,
    PART_CATEGORIES,
    PART_ATTRIBUTES,
    PART_IMAGE_URL,
    PART_AVAILABLE,
    PART_CREATED,
    PART_LIST,
    PARTS
};

/* How a member is read. */
enum shape { SHAPE_ID, SHAPE_TEXT, SHAPE_NUMBER, SHAPE_TIME, SHAPE_YES, SHAPE_JSON };

static const struct {
    const char *name;
    enum shape shape;
    unsigned kinds; /* bits: 1 << enum record_kind */
    const char *expected;
} parts[PARTS] = {
#define EVENT  (1u << RECORD_EVENT)
#define ITEM   (1u << RECORD_ITEM)
#define USER   (1u << RECORD_USER)
#define SERVED (1u << RECORD_SERVED)
    [PART_USER_ID] = {"user_id", SHAPE_ID, EVENT | USER | SERVED, "a text or a whole number"},
    [PART_ITEM_ID] = {"item_id", SHAPE_ID, EVENT | ITEM, "a text or a whole number"},
    [PART_TYPE] = {"type", SHAPE_TEXT, EVENT, "a text"},
    [PART_VALUE] = {"value", SHAPE_NUMBER, EVENT, "a number"},
    [PART_TIME] = {"timestamp", SHAPE_TIME, EVENT | SERVED, "milliseconds since 1970, or a date"},
    [PART_EVENT_ID] = {"event_id", SHAPE_ID, EVENT, "a text"},
    [PART_RECOMMENDATION_ID] = {"recommendation_id", SHAPE_ID, EVENT | SERVED, "a text"},
    [PART_TITLE] = {"title", SHAPE_TEXT, ITEM, "a text"},
    [PART_CATEGORIES] = {"categories", SHAPE_JSON, ITEM, "an array of texts"},
    [PART_ATTRIBUTES] = {"attributes", SHAPE_JSON, ITEM | USER, "an object"},
    [PART_IMAGE_URL] = {"image_url", SHAPE_TEXT, ITEM, "a text"},
    [PART_AVAILABLE] = {"available", SHAPE_YES, ITEM, "true or false"},
    [PART_CREATED] = {"created_at", SHAPE_TIME, ITEM | USER, "milliseconds since 1970, or a date"},
    [PART_LIST] = {"items", SHAPE_JSON, SERVED, "an array of objects"},
#undef EVENT
#undef ITEM
#undef USER
#undef SERVED
};

static const struct {
    const char *name;
    enum record_kind kind;
} kinds[] = {{"event", RECORD_EVENT},
             {"item", RECORD_ITEM},
             {"user", RECORD_USER},
             {"served", RECORD_SERVED}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- Writing ---- */

static void put_key(struct str *out, const char *name, bool *first)
{
    str_char(out, *first ? '{' : ',');
    *first = false;
    str_fmt(out, "\"%s\":", name);
}

static void put_text(struct str *out, enum part part, const char *text, bool *first)
{
    if (!text || !*text)
        return;
    put_key(out, parts[part].name, first);
    if (parts[part].shape == SHAPE_JSON)
        str_put(out, text);
    else
        emit_quoted(out, text);
}

static void put_int(struct str *out, enum part part, int64_t value, bool *first)
{
    put_key(out, parts[part].name, first);
    str_fmt(out, "%lld", (long long)value);
}

/* With as few digits as read back the same float. */
static void put_float(struct str *out, enum part part, float value, bool *first)
{
    value = value == 0 ? 0 : value; /* "-0" would be read as a whole number, without its sign */
    char text[40];
    put_key(out, parts[part].name, first);
    for (int precision = 6; precision <= 9; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    str_put(out, text);
}

void record_json_write(const struct record *r, struct str *out)
{
    bool first = true;
    switch (r->kind) {
    case RECORD_EVENT:
        str_put(out, "{\"event\":");
        put_text(out, PART_USER_ID, r->event.user_id, &first);
        put_text(out, PART_ITEM_ID, r->event.item_id, &first);
        put_text(out, PART_TYPE, r->event.type, &first);
        put_float(out, PART_VALUE, r->event.value, &first);
        put_int(out, PART_TIME, r->event.time_ms, &first);
        put_text(out, PART_EVENT_ID, r->event.event_id, &first);
        put_text(out, PART_RECOMMENDATION_ID, r->event.recommendation_id, &first);
        break;
    case RECORD_ITEM:
        str_put(out, "{\"item\":");
        put_text(out, PART_ITEM_ID, r->item.item_id, &first);
        put_text(out, PART_TITLE, r->item.title, &first);
        put_text(out, PART_CATEGORIES, r->item.categories, &first);
        put_text(out, PART_ATTRIBUTES, r->item.attributes, &first);
        put_text(out, PART_IMAGE_URL, r->item.image_url, &first);
        put_key(out, parts[PART_AVAILABLE].name, &first);
        str_put(out, r->item.available ? "true" : "false");
        put_int(out, PART_CREATED, r->item.created_ms, &first);
        break;
    case RECORD_USER:
        str_put(out, "{\"user\":");
        put_text(out, PART_USER_ID, r->user.user_id, &first);
        put_text(out, PART_ATTRIBUTES, r->user.attributes, &first);
        put_int(out, PART_CREATED, r->user.created_ms, &first);
        break;
    case RECORD_SERVED:
        str_put(out, "{\"served\":");
        put_text(out, PART_RECOMMENDATION_ID, r->served.recommendation_id, &first);
        put_text(out, PART_USER_ID, r->served.user_id, &first);
        put_int(out, PART_TIME, r->served.time_ms, &first);
        put_text(out, PART_LIST, r->served.list, &first);
        break;
    case RECORD_SERVED_PACKED: /* the store unpacks what it gives */
    case RECORD_ITEM_DELETE:
    case RECORD_USER_DELETE:
    case RECORD_CLEAR:
        return;
    }
    str_put(out, "}}\n");
}

/* ---- Reading ---- */

struct record_reader {
    struct json_reader *json;
    struct json_member member[JSON_MEMBERS];
    struct field span[JSON_MEMBERS]; /* each member's value as it stands in the line */
    const char *text[PARTS];         /* those of the line at hand; NULL = not there */
    double number[PARTS];
};

enum pal_status record_reader_new(struct record_reader **out, struct pal_error *err)
{
    struct record_reader *r = mem_zero(1, sizeof *r);
    if (r && !(r->json = json_reader_new())) {
        mem_free(r);
        r = NULL;
    }
    if (!r)
        return pal_no_memory(err);
    *out = r;
    return PAL_OK;
}

void record_reader_free(struct record_reader *r)
{
    if (!r)
        return;
    json_reader_free(r->json);
    mem_free(r);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* Reads {"event": up to the value's first character; returns where that is, or NULL. */
static const char *find_value(const char *p, const char *end, enum record_kind *kind)
{
    p = skip_blanks(p, end);
    if (p == end || *p != '{')
        return NULL;
    p = skip_blanks(p + 1, end);
    for (size_t i = 0; i < KINDS; i++) {
        size_t len = strlen(kinds[i].name);
        if ((size_t)(end - p) < len + 2 || p[0] != '"' || p[len + 1] != '"' ||
            memcmp(p + 1, kinds[i].name, len) != 0)
            continue;
        p = skip_blanks(p + len + 2, end);
        *kind = kinds[i].kind;
        return p < end && *p == ':' ? skip_blanks(p + 1, end) : NULL;
    }
    return NULL;
}

/* Takes the outer object off: {"event": X } gives the kind and X. */
static bool unwrap(const char *p, const char *end, enum record_kind *kind, struct field *inner)
{
    while (end > p && is_blank(end[-1]))
        end--;
    if (end - p < 2 || end[-1] != '}')
        return false;
    end--;
    const char *value = find_value(p, end, kind);
    if (!value)
        return false;
    while (end > value && is_blank(end[-1]))
        end--;
    *inner = (struct field){value, end, value};
    return true;
}

bool record_json_looks(const struct lines *l)
{
    enum record_kind kind;
    const char *value = find_value(l->p, l->stop, &kind);
    return value && value < l->stop && *value == '{';
}

bool record_json_file(const char *path)
{
    char first[4096];
    enum record_kind kind;
    FILE *f = file_is_dir(path) ? NULL : fopen(path, "rb");
    size_t n = f ? fread(first, 1, sizeof first, f) : 0;
    if (f)
        fclose(f);
    const char *p = first, *end = first + n;
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    const char *value = find_value(p, end, &kind);
    return value && value < end && *value == '{';
}

/* Past a text that begins at p. The JSON is known to be valid. */
static const char *past_text(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

/* Past a value that begins at p. */
static const char *past_value(const char *p, const char *end)
{
    int depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = past_text(p, end);
        } else {
            if (depth == 0 && (*p == ',' || *p == '}'))
                break;
            depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
            p++;
        }
        if (depth == 0 && (p[-1] == '"' || p[-1] == '}' || p[-1] == ']'))
            break;
    }
    return p;
}

/* Where the values of the members of an object stand. */
static void find_spans(struct record_reader *r, struct field object, size_t count)
{
    const char *p = object.p + 1;
    for (size_t i = 0; i < count; i++) {
        p = skip_blanks(p, object.end);
        p = past_text(p, object.end);
        p = skip_blanks(p, object.end) + 1; /* the colon */
        p = skip_blanks(p, object.end);
        const char *end = past_value(p, object.end);
        r->span[i] = (struct field){p, end, p};
        p = skip_blanks(end, object.end) + 1; /* the comma */
    }
}

/* A JSON value without blanks between its parts. */
static const char *compact(struct field f, struct arena *texts)
{
    char *copy = arena_text(texts, f.p, (size_t)(f.end - f.p)), *out = copy;
    if (!copy)
        return NULL;
    for (const char *p = f.p; p < f.end;) {
        const char *next = *p == '"' ? past_text(p, f.end) : p + 1;
        if (!is_blank(*p))
            for (; p < next; p++)
                *out++ = *p;
        p = next;
    }
    *out = 0;
    return copy;
}

static bool take_time(const struct json_member *m, double *ms)
{
    uint32_t seconds;
    *ms = m->number;
    if (m->kind == JSON_TEXT) {
        if (!text_time(m->text, m->text + m->text_len, &seconds))
            return false;
        *ms = (double)seconds * 1000;
    }
    return (m->kind == JSON_TEXT || m->kind == JSON_WHOLE) && *ms >= 0 && *ms < 9e15;
}

/* Member i as part `part`; false if it is not what it should be. *st: memory. */
static bool take_part(struct record_reader *r, size_t i, enum part part, struct arena *texts,
                      enum pal_status *st)
{
    const struct json_member *m = &r->member[i];
    const struct field *span = &r->span[i];
    enum shape shape = parts[part].shape;
    switch (shape) {
    case SHAPE_NUMBER:
        r->number[part] = m->number;
        r->text[part] = "";
        return m->kind == JSON_WHOLE || m->kind == JSON_FRACTION;
    case SHAPE_TIME:
        r->text[part] = "";
        return take_time(m, &r->number[part]);
    case SHAPE_YES:
        r->number[part] = span->p < span->end && *span->p == 't';
        r->text[part] = "";
        return m->kind == JSON_NESTED && (*span->p == 't' || *span->p == 'f');
    case SHAPE_JSON:
        r->text[part] = compact(*span, texts);
        *st = r->text[part] ? PAL_OK : PAL_ENOMEM;
        return m->kind == JSON_NESTED;
    case SHAPE_ID:
    case SHAPE_TEXT:
        break;
    }
    if ((m->kind != JSON_TEXT && (m->kind != JSON_WHOLE || shape != SHAPE_ID)) ||
        memchr(m->text, 0, m->text_len))
        return false;
    r->text[part] = arena_text(texts, m->text, m->text_len);
    *st = r->text[part] ? PAL_OK : PAL_ENOMEM;
    return true;
}

static enum part part_of(const struct json_member *m, enum record_kind kind)
{
    for (int i = 0; i < PARTS; i++)
        if ((parts[i].kinds & 1u << kind) && strlen(parts[i].name) == m->key_len &&
            memcmp(parts[i].name, m->key, m->key_len) == 0)
            return (enum part)i;
    return PARTS;
}

static int64_t time_or(const struct record_reader *r, enum part part, int64_t now_ms)
{
    return r->text[part] ? (int64_t)r->number[part] : now_ms;
}

static void fill(const struct record_reader *r, enum record_kind kind, int64_t now_ms,
                 struct record *out)
{
    const char *const *text = r->text;
    memset(out, 0, sizeof *out);
    out->kind = kind;
    if (kind == RECORD_EVENT)
        out->event = (struct event){.user_id = text[PART_USER_ID],
                                    .item_id = text[PART_ITEM_ID],
                                    .type = text[PART_TYPE] ? text[PART_TYPE] : "like",
                                    .value = text[PART_VALUE] ? (float)r->number[PART_VALUE] : 1,
                                    .time_ms = time_or(r, PART_TIME, now_ms),
                                    .event_id = text[PART_EVENT_ID],
                                    .recommendation_id = text[PART_RECOMMENDATION_ID]};
    else if (kind == RECORD_ITEM)
        out->item =
            (struct item_row){.item_id = text[PART_ITEM_ID],
                              .title = text[PART_TITLE],
                              .categories = text[PART_CATEGORIES],
                              .attributes = text[PART_ATTRIBUTES],
                              .image_url = text[PART_IMAGE_URL],
                              .available = !text[PART_AVAILABLE] || r->number[PART_AVAILABLE] > 0,
                              .created_ms = time_or(r, PART_CREATED, now_ms)};
    else if (kind == RECORD_USER)
        out->user = (struct user_row){text[PART_USER_ID], text[PART_ATTRIBUTES],
                                      time_or(r, PART_CREATED, now_ms)};
    else
        out->served = (struct served_row){.recommendation_id = text[PART_RECOMMENDATION_ID],
                                          .user_id = text[PART_USER_ID],
                                          .time_ms = time_or(r, PART_TIME, now_ms),
                                          .list = text[PART_LIST]};
}

static enum pal_status take_members(struct record_reader *r, enum record_kind kind, size_t count,
                                    struct arena *texts, struct complaint *bad,
                                    struct pal_error *err)
{
    memset(r->text, 0, sizeof r->text);
    for (size_t i = 0; i < count; i++) {
        const struct json_member *m = &r->member[i];
        enum part part = part_of(m, kind);
        enum pal_status st = PAL_OK;
        if (part == PARTS)
            lines_wrong(bad, r->span[i], "only members that `palate export` writes");
        else if (r->text[part])
            lines_wrong(bad, r->span[i], "each key once");
        else if (m->kind != JSON_NULL_VALUE && !take_part(r, i, part, texts, &st))
            lines_wrong(bad, r->span[i], parts[part].expected);
        if (st != PAL_OK)
            return pal_no_memory(err);
        if (bad->expected)
            return PAL_OK;
    }
    return PAL_OK;
}

enum pal_status record_json_read(struct record_reader *r, const struct lines *l, int64_t now_ms,
                                 struct arena *texts, struct record *out, struct complaint *bad,
                                 struct pal_error *err)
{
    enum record_kind kind;
    struct field inner, line = {l->p, l->stop, l->p};
    size_t count;
    struct record record;
    if (!unwrap(l->p, l->stop, &kind, &inner)) {
        lines_wrong(bad, line,
                    "{\"item\":{…}}, {\"user\":{…}}, {\"event\":{…}} or {\"served\":{…}}");
        return PAL_OK;
    }
    size_t room = (size_t)(l->map.data + l->map.size - inner.end);
    enum json_outcome outcome =
        json_line_parse(r->json, inner.p, (size_t)(inner.end - inner.p), room, r->member, &count);
    if (outcome == JSON_LINE_MEMORY)
        return pal_no_memory(err);
    if (outcome != JSON_LINE_OK) {
        lines_wrong(bad, inner, "valid JSON: an object");
        return PAL_OK;
    }
    find_spans(r, inner, count);
    enum pal_status st = take_members(r, kind, count, texts, bad, err);
    if (st != PAL_OK || bad->expected)
        return st;
    fill(r, kind, now_ms, &record);
    st = record_check(&record, now_ms, err);
    if (st == PAL_OK)
        *out = record;
    return st;
}
