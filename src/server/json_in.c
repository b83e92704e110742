/* See json_in.h. */
#include "server/json_in.h"

#include "base/text.h"
#include "data/record.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum pal_status json_parse(const char *body, size_t len, json_t **out, struct pal_error *err)
{
    json_error_t e;
    if (len == 0)
        return pal_fail(err, PAL_EUSAGE, "the body is empty: expected JSON");
    json_t *json =
        json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
    if (!json && json_error_code(&e) == json_error_out_of_memory)
        return pal_no_memory(err);
    if (!json)
        return pal_fail(err, PAL_EUSAGE, "the body is not JSON: line %d, column %d: %s", e.line,
                        e.column, e.text);
    *out = json;
    return PAL_OK;
}

static const char *describe(const json_t *json)
{
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

void json_object_begin(struct json_object *o, const json_t *json, const char *where,
                       struct arena *tmp, struct pal_error *err)
{
    *o = (struct json_object){.object = json, .where = where, .tmp = tmp, .err = err};
    if (!json_is_object(json))
        o->st = pal_fail(err, PAL_EUSAGE, "%s must be an object, not %s",
                         *where ? where : "the body", describe(json));
}

/* "events[3].user_id" */
static void wrong(struct json_object *o, const char *name, const char *expected,
                  const json_t *given)
{
    o->st = pal_fail(o->err, PAL_EUSAGE, "%s%s%s must be %s, not %s", o->where,
                     *o->where ? "." : "", name, expected, describe(given));
}

/* The member, NULL if it is absent or null. */
static const json_t *member(struct json_object *o, const char *name, enum json_need need)
{
    if (o->st)
        return NULL;
    const json_t *json = json_object_get(o->object, name);
    if (o->fields < JSON_FIELDS)
        o->field[o->fields++] = name;
    o->present += json != NULL;
    if (json_is_null(json))
        json = NULL;
    if (!json && need == JSON_NEEDED)
        o->st =
            pal_fail(o->err, PAL_EUSAGE, "%s%s%s is missing", o->where, *o->where ? "." : "", name);
    return json;
}

static bool asked_for(const struct json_object *o, const char *name)
{
    for (size_t i = 0; i < o->fields; i++)
        if (strcmp(o->field[i], name) == 0)
            return true;
    return false;
}

enum pal_status json_object_end(struct json_object *o)
{
    const char *name;
    json_t *value;
    if (o->st || json_object_size(o->object) == o->present)
        return o->st;
    json_object_foreach((json_t *)(uintptr_t)o->object, name, value)
    {
        if (!asked_for(o, name))
            return pal_fail(o->err, PAL_EUSAGE, "there is no field '%s%s%s' here", o->where,
                            *o->where ? "." : "", name);
    }
    return PAL_OK;
}

/* A text with a NUL inside would be cut: it is refused. */
static const char *whole_text(const json_t *json)
{
    const char *text = json_string_value(json); /* NULL for what is no text */
    return text && strlen(text) == json_string_length(json) ? text : NULL;
}

const char *json_text(struct json_object *o, const char *name, enum json_need need)
{
    const json_t *json = member(o, name, need);
    const char *text = json ? whole_text(json) : NULL;
    if (json && !text)
        wrong(o, name, "a text without NUL", json);
    return text;
}

const char *json_id_of(const json_t *json, struct arena *tmp)
{
    char digits[24];
    if (json_is_string(json))
        return whole_text(json);
    if (!json_is_integer(json))
        return NULL;
    int n = snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    return arena_text(tmp, digits, (size_t)n);
}

const char *json_id(struct json_object *o, const char *name, enum json_need need)
{
    const json_t *json = member(o, name, need);
    const char *id = json ? json_id_of(json, o->tmp) : NULL;
    if (json && !id)
        wrong(o, name, json_is_string(json) ? "a text without NUL" : "a text or an integer", json);
    else if (id && (!*id || strlen(id) > RECORD_ID_MOST))
        o->st = pal_fail(o->err, PAL_EUSAGE, "%s%s%s must have 1 to %d bytes", o->where,
                         *o->where ? "." : "", name, RECORD_ID_MOST);
    return id;
}

double json_number(struct json_object *o, const char *name, double missing)
{
    const json_t *json = member(o, name, JSON_OPTIONAL);
    if (json && !json_is_number(json))
        wrong(o, name, "a number", json);
    return json && !o->st ? json_number_value(json) : missing;
}

int64_t json_whole(struct json_object *o, const char *name, int64_t missing, int64_t least,
                   int64_t most)
{
    const json_t *json = member(o, name, JSON_OPTIONAL);
    if (!json)
        return missing;
    int64_t value = json_integer_value(json);
    if (!json_is_integer(json) || value < least || value > most) {
        o->st = pal_fail(o->err, PAL_EUSAGE,
                         "%s%s%s must be a whole number from %" PRId64 " to %" PRId64, o->where,
                         *o->where ? "." : "", name, least, most);
        return missing;
    }
    return value;
}

bool json_flag(struct json_object *o, const char *name, bool missing)
{
    const json_t *json = member(o, name, JSON_OPTIONAL);
    if (json && !json_is_boolean(json))
        wrong(o, name, "true or false", json);
    return json && !o->st ? json_is_true(json) : missing;
}

/* Up to `digits` digits at *p. */
static bool digits(const char **p, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

/* "Z", "+02:00", "+0200", or nothing: in minutes. */
static bool zone(const char *p, int *minutes)
{
    int hour, minute, sign = *p == '-' ? -1 : 1;
    *minutes = 0;
    if (*p == 'Z' || *p == 'z' || !*p)
        return !*p || !p[1];
    if (*p != '+' && *p != '-')
        return false;
    p++;
    if (!digits(&p, 2, &hour))
        return false;
    p += *p == ':';
    if (!digits(&p, 2, &minute) || *p || hour > 23 || minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

bool json_iso_time(const char *p, int64_t *ms)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour = 0, minute = 0, second = 0, fraction = 0, offset = 0;
    if (!digits(&p, 4, &year) || *p++ != '-' || !digits(&p, 2, &month) || *p++ != '-' ||
        !digits(&p, 2, &day))
        return false;
    if (*p == 'T' || *p == 't' || *p == ' ') {
        p++;
        if (!digits(&p, 2, &hour) || *p++ != ':' || !digits(&p, 2, &minute))
            return false;
        if (*p == ':' && (p++, !digits(&p, 2, &second)))
            return false;
        if (*p == '.')
            for (int unit = 100, i = 0; p++, *p >= '0' && *p <= '9' && i < 9; unit /= 10, i++)
                fraction += (*p - '0') * unit;
        if (!zone(p, &offset))
            return false;
    } else if (*p) {
        return false;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || day < 1 || day > length[month - 1] + (month == 2 && leap) ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    *ms = (text_unix_time(year, month, day, hour, minute, second) - offset * 60) * 1000 + fraction;
    return true;
}

enum { TIME_SHOWN = 40 }; /* bytes of a wrong time that are repeated to its sender */

int64_t json_time(struct json_object *o, const char *name)
{
    const json_t *json = member(o, name, JSON_OPTIONAL);
    int64_t ms = 0;
    if (!json)
        return 0;
    if (json_is_integer(json) && json_integer_value(json) >= 0)
        return json_integer_value(json);
    const char *text = whole_text(json);
    if (text && json_iso_time(text, &ms) && ms >= 0)
        return ms;
    static const char expected[] = "milliseconds since 1970 or a time like 2026-11-22T05:40:00Z";
    if (text && strlen(text) <= TIME_SHOWN)
        o->st = pal_fail(o->err, PAL_EUSAGE, "%s%s%s must be %s, not '%s'", o->where,
                         *o->where ? "." : "", name, expected, text);
    else
        wrong(o, name, expected, json);
    return 0;
}

const json_t *json_array_of(struct json_object *o, const char *name, enum json_need need)
{
    const json_t *json = member(o, name, need);
    if (json && !json_is_array(json))
        wrong(o, name, "an array", json);
    return o->st ? NULL : json;
}

const json_t *json_object_of(struct json_object *o, const char *name, enum json_need need)
{
    const json_t *json = member(o, name, need);
    if (json && !json_is_object(json))
        wrong(o, name, "an object", json);
    return o->st ? NULL : json;
}

const char **json_ids(struct json_object *o, const char *name, enum json_need need, size_t *count)
{
    const json_t *json = json_array_of(o, name, need);
    size_t n = json ? json_array_size(json) : 0;
    const char **ids = arena_alloc(o->tmp, n, sizeof *ids);
    *count = 0;
    if (!ids) {
        o->st = pal_no_memory(o->err);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = json_id_of(json_array_get(json, i), o->tmp);
        if (!ids[i] || !*ids[i] || strlen(ids[i]) > RECORD_ID_MOST) {
            o->st = pal_fail(o->err, PAL_EUSAGE,
                             "%s%s%s[%zu] must be a text of 1 to %d bytes or an integer", o->where,
                             *o->where ? "." : "", name, i, RECORD_ID_MOST);
            return NULL;
        }
    }
    *count = n;
    return ids;
}

const char *json_compact(const json_t *json, struct arena *tmp)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    size_t n = json_dumpb(json, NULL, 0, flags);
    char *text = n ? arena_alloc(tmp, n + 1, 1) : NULL;
    if (!text || json_dumpb(json, text, n, flags) != n)
        return NULL;
    text[n] = 0;
    return text;
}

enum pal_status json_batch(const json_t *body, const char *name, size_t most, const json_t **list,
                           struct pal_error *err)
{
    const json_t *found = json_is_array(body) ? body : json_object_get(body, name);
    if (found && !json_is_array(found))
        return pal_fail(err, PAL_EUSAGE, "%s must be an array", name);
    if (found && found != body && json_object_size(body) != 1)
        return pal_fail(err, PAL_EUSAGE, "beside '%s' there must be no other field", name);
    if (json_array_size(found) > most)
        return pal_fail(err, PAL_EUSAGE, "a batch of %zu: send at most %zu at once",
                        json_array_size(found), most);
    *list = found;
    return PAL_OK;
}
