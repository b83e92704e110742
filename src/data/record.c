/* Records as bytes: the numbers of a kind first, then its texts, each with the NUL behind it, in
 * the order of the tables below. Nothing else is in there: the kind and the size are kept by
 * whoever keeps the record. The tables also say what a text may be, once for records from outside
 * (record_check) and for those that come back from a disk (record_decode). */
#include "data/record.h"

#include "base/text.h"
#include "data/served.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { FUTURE_MS = 5 * 60 * 1000 };

enum json_shape { NO_JSON, JSON_TEXTS, JSON_MAP, JSON_LIST };

struct text_field {
    const char *name;
    size_t offset; /* of the pointer in struct record */
    size_t most;   /* bytes */
    bool needed;
    enum json_shape shape;
};

#define TEXT(member, name, most, needed, shape)                                                    \
    {                                                                                              \
        name, offsetof(struct record, member), most, needed, shape                                 \
    }

/* Together well below what a record of the journal may hold. */
static const struct text_field event_texts[] = {
    TEXT(event.user_id, "user_id", RECORD_ID_MOST, true, NO_JSON),
    TEXT(event.item_id, "item_id", RECORD_ID_MOST, true, NO_JSON),
    TEXT(event.type, "type", RECORD_TYPE_MOST, true, NO_JSON),
    TEXT(event.event_id, "event_id", RECORD_ID_MOST, false, NO_JSON),
    TEXT(event.recommendation_id, "recommendation_id", RECORD_ID_MOST, false, NO_JSON),
};
static const struct text_field item_texts[] = {
    TEXT(item.item_id, "item_id", RECORD_ID_MOST, true, NO_JSON),
    TEXT(item.title, "title", RECORD_TITLE_MOST, false, NO_JSON),
    TEXT(item.categories, "categories", RECORD_CATEGORIES_MOST, false, JSON_TEXTS),
    TEXT(item.attributes, "attributes", RECORD_ATTRIBUTES_MOST, false, JSON_MAP),
    TEXT(item.image_url, "image_url", RECORD_URL_MOST, false, NO_JSON),
};
static const struct text_field user_texts[] = {
    TEXT(user.user_id, "user_id", RECORD_ID_MOST, true, NO_JSON),
    TEXT(user.attributes, "attributes", RECORD_ATTRIBUTES_MOST, false, JSON_MAP),
};
static const struct text_field served_texts[] = {
    TEXT(served.recommendation_id, "recommendation_id", RECORD_ID_MOST, true, NO_JSON),
    TEXT(served.user_id, "user_id", RECORD_ID_MOST, false, NO_JSON),
    TEXT(served.list, "list", RECORD_LIST_MOST, true, JSON_LIST),
};
static const struct text_field packed_texts[] = {
    TEXT(served.recommendation_id, "recommendation_id", RECORD_ID_MOST, true, NO_JSON),
    TEXT(served.user_id, "user_id", RECORD_ID_MOST, false, NO_JSON),
};
static const struct text_field item_id[] = {
    TEXT(id, "item_id", RECORD_ID_MOST, true, NO_JSON),
};
static const struct text_field user_id[] = {
    TEXT(id, "user_id", RECORD_ID_MOST, true, NO_JSON),
};

static const struct layout {
    const char *name;
    const struct text_field *texts;
    size_t count;
    size_t numbers; /* bytes before the texts */
} layouts[] = {
    [RECORD_EVENT] = {"event", event_texts, 5, 8 + 4},
    [RECORD_ITEM] = {"item", item_texts, 5, 8 + 1},
    [RECORD_ITEM_DELETE] = {"item to delete", item_id, 1, 0},
    [RECORD_USER] = {"user", user_texts, 2, 8},
    [RECORD_USER_DELETE] = {"user to delete", user_id, 1, 0},
    [RECORD_SERVED] = {"served list", served_texts, 3, 8},
    /* a byte, since a journal keeps no record of nothing */
    [RECORD_CLEAR] = {"order to forget everything", NULL, 0, 1},
    /* behind its texts, to the end: the list */
    [RECORD_SERVED_PACKED] = {"packed served list", packed_texts, 2, 8},
};
enum { KINDS = sizeof layouts / sizeof layouts[0] };

static const char **text_at(const struct record *r, const struct text_field *f)
{
    return (const char **)((char *)(uintptr_t)r + f->offset);
}

/* The record's time; NULL for kinds without one. */
static int64_t *time_of(const struct record *record)
{
    struct record *r = (struct record *)(uintptr_t)record;
    switch (r->kind) {
    case RECORD_EVENT:
        return &r->event.time_ms;
    case RECORD_ITEM:
        return &r->item.created_ms;
    case RECORD_USER:
        return &r->user.created_ms;
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        return &r->served.time_ms;
    case RECORD_ITEM_DELETE:
    case RECORD_USER_DELETE:
    case RECORD_CLEAR:
        break;
    }
    return NULL;
}

static void put_number(struct str *out, uint64_t x, size_t bytes)
{
    char little[8];
    for (size_t i = 0; i < bytes; i++)
        little[i] = (char)(x >> (8 * i) & 0xff);
    str_add(out, little, bytes);
}

static uint64_t get_number(const unsigned char *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = 0; i < bytes; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

void record_encode(const struct record *r, struct str *out)
{
    const struct layout *layout = &layouts[r->kind];
    const int64_t *time = time_of(r);
    if (time)
        put_number(out, (uint64_t)*time, 8);
    if (r->kind == RECORD_EVENT) {
        uint32_t bits;
        memcpy(&bits, &r->event.value, sizeof bits);
        put_number(out, bits, 4);
    }
    if (r->kind == RECORD_ITEM)
        put_number(out, r->item.available, 1);
    if (r->kind == RECORD_CLEAR)
        put_number(out, 0, 1);
    for (size_t i = 0; i < layout->count; i++) {
        const char *text = *text_at(r, &layout->texts[i]);
        str_add(out, text ? text : "", text ? strlen(text) + 1 : 1);
    }
    if (r->kind == RECORD_SERVED_PACKED)
        str_add(out, r->served.packed, r->served.packed_size);
}

/* What is wrong with a text, or NULL. */
static const char *text_fault(const struct text_field *f, const char *text, size_t len)
{
    if (f->needed && len == 0)
        return "is missing or empty";
    if (len > f->most)
        return "is too long";
    if (!text_is_utf8(text, len))
        return "is not valid UTF-8";
    return NULL;
}

static enum pal_status damaged(const struct layout *layout, const char *field, const char *fault,
                               struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "a record is damaged: %s: %s%s%s", layout->name, field,
                    *field ? " " : "", fault);
}

static enum pal_status decode_numbers(const struct layout *layout, const unsigned char *p,
                                      struct record *r, struct pal_error *err)
{
    int64_t *time = time_of(r);
    if (time)
        *time = (int64_t)get_number(p, 8);
    if (time && *time < 0)
        return damaged(layout, "the time", "lies before 1970", err);
    if (r->kind == RECORD_EVENT) {
        uint32_t bits = (uint32_t)get_number(p + 8, 4);
        memcpy(&r->event.value, &bits, sizeof bits);
        if (!isfinite(r->event.value))
            return damaged(layout, "value", "is no finite number", err);
    }
    if (r->kind == RECORD_ITEM) {
        if (p[8] > 1)
            return damaged(layout, "available", "is neither yes nor no", err);
        r->item.available = p[8];
    }
    if (r->kind == RECORD_CLEAR && *p)
        return damaged(layout, "its byte", "is not 0", err);
    return PAL_OK;
}

void record_date(int64_t at_ms, struct str *out)
{
    for (unsigned i = 0; i < RECORD_DATE; i++)
        str_char(out, (char)((uint64_t)at_ms >> 8 * i));
}

int64_t record_accepted(uint8_t kind, const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t at = 0;
    for (unsigned i = 0; (kind & RECORD_DATED) && size >= RECORD_DATE && i < RECORD_DATE; i++)
        at |= (uint64_t)p[i] << 8 * i;
    return at <= INT64_MAX ? (int64_t)at : 0;
}

enum pal_status record_decode(uint8_t kind, const void *data, size_t size, struct record *out,
                              struct pal_error *err)
{
    if ((kind & RECORD_DATED) && size >= RECORD_DATE)
        return record_decode(kind ^ RECORD_DATED, (const char *)data + RECORD_DATE,
                             size - RECORD_DATE, out, err);
    if (kind == 0 || kind >= KINDS)
        return pal_fail(err, PAL_ECORRUPT, "a record is damaged or from a later version: kind %u",
                        kind);
    const struct layout *layout = &layouts[kind];
    struct record r = {.kind = (enum record_kind)kind};
    const char *p = data, *end = p + size;
    if (size < layout->numbers)
        return damaged(layout, "", "it ends early", err);
    enum pal_status st = decode_numbers(layout, data, &r, err);
    p += layout->numbers;
    for (size_t i = 0; i < layout->count && st == PAL_OK; i++) {
        const struct text_field *f = &layout->texts[i];
        const char *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        if (!nul)
            return damaged(layout, f->name, "has no end", err);
        const char *fault = text_fault(f, p, (size_t)(nul - p));
        if (fault)
            return damaged(layout, f->name, fault, err);
        *text_at(&r, f) = p;
        p = nul + 1;
    }
    if (st == PAL_OK && kind == RECORD_SERVED_PACKED) {
        r.served.packed = p;
        r.served.packed_size = (size_t)(end - p);
        const char *fault = served_fault(p, r.served.packed_size);
        if (fault)
            st = damaged(layout, "list", fault, err);
        p = end;
    }
    if (st == PAL_OK && p != end)
        st = damaged(layout, "", "there are bytes behind its end", err);
    if (st == PAL_OK)
        *out = r;
    return st;
}

static bool all_of(const json_t *list, json_type type)
{
    size_t i;
    json_t *element;
    json_array_foreach(list, i, element) if (json_typeof(element) != type) return false;
    return true;
}

static bool has_shape(const json_t *json, enum json_shape shape)
{
    switch (shape) {
    case JSON_TEXTS:
        return json_is_array(json) && all_of(json, JSON_STRING);
    case JSON_MAP:
        return json_is_object(json);
    case JSON_LIST:
        return json_is_array(json) && all_of(json, JSON_OBJECT);
    case NO_JSON:
        break;
    }
    return true;
}

static enum pal_status check_json(const struct text_field *f, const char *text,
                                  struct pal_error *err)
{
    static const char *const wanted[] = {"", "an array of texts, such as [\"Comedy\",\"Drama\"]",
                                         "an object, such as {\"year\":1995}",
                                         "an array of objects"};
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20) /* JSON lines hold it as it is */
            return pal_fail(err, PAL_EUSAGE, "%s: JSON without line ends and tabs is wanted",
                            f->name);
    json_error_t why;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!json && json_error_code(&why) == json_error_out_of_memory)
        return pal_no_memory(err);
    enum pal_status st = PAL_OK;
    if (!json)
        st = pal_fail(err, PAL_EUSAGE, "%s: not valid JSON: %s", f->name, why.text);
    else if (!has_shape(json, f->shape))
        st = pal_fail(err, PAL_EUSAGE, "%s must be %s", f->name, wanted[f->shape]);
    json_decref(json);
    return st;
}

/* An id names something in URLs and in files of lines, which hold no control characters: what has
 * one in its id could not be looked up or erased. */
static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

static enum pal_status check_text(const struct text_field *f, const char *text,
                                  struct pal_error *err)
{
    text = text ? text : "";
    const char *fault = text_fault(f, text, strlen(text));
    if (!fault && f->needed && f->most == RECORD_ID_MOST && has_control(text))
        return pal_fail(err, PAL_EUSAGE, "%s has a control character, which an id can't have",
                        f->name);
    if (fault)
        return pal_fail(err, PAL_EUSAGE, "%s %s: it takes %s%zu bytes of UTF-8", f->name, fault,
                        f->needed ? "1 to " : "at most ", f->most);
    return f->shape != NO_JSON && *text ? check_json(f, text, err) : PAL_OK;
}

static enum pal_status check_time(const struct record *r, int64_t now_ms, struct pal_error *err)
{
    const int64_t *time = time_of(r);
    const char *name =
        r->kind == RECORD_ITEM || r->kind == RECORD_USER ? "created_at" : "timestamp";
    if (!time || (*time >= 0 && (*time <= now_ms || *time - now_ms <= FUTURE_MS)))
        return PAL_OK;
    if (*time < 0)
        return pal_fail(err, PAL_EUSAGE, "%s lies before 1970: it takes milliseconds since then",
                        name);
    return pal_fail(err, PAL_EUSAGE,
                    "%s lies %lld seconds in the future: it takes milliseconds since 1970 UTC, and "
                    "at most 5 minutes ahead of this machine's clock",
                    name, (long long)((*time - now_ms) / 1000));
}

enum pal_status record_check(const struct record *r, int64_t now_ms, struct pal_error *err)
{
    if (r->kind == 0 || (size_t)r->kind >= KINDS)
        return pal_fail(err, PAL_EUSAGE, "kind %d: no such kind of record", (int)r->kind);
    const struct layout *layout = &layouts[r->kind];
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < layout->count && st == PAL_OK; i++)
        st = check_text(&layout->texts[i], *text_at(r, &layout->texts[i]), err);
    if (st == PAL_OK && r->kind == RECORD_SERVED_PACKED &&
        served_fault(r->served.packed, r->served.packed_size))
        st = pal_fail(err, PAL_EUSAGE, "the packed list %s",
                      served_fault(r->served.packed, r->served.packed_size));
    if (st == PAL_OK && r->kind == RECORD_EVENT && !isfinite(r->event.value))
        st = pal_fail(err, PAL_EUSAGE, "value must be a finite number that a float can hold");
    return st == PAL_OK ? check_time(r, now_ms, err) : st;
}
