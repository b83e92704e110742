/* See stream_json.h. The members that say where a message comes from are read by hand; what
 * happened is then a line as record_json.h reads it, in a copy with room behind it. Deletions are
 * rare, and read by jansson. */
#include "data/stream_json.h"

#include "base/emit.h"
#include "base/mem.h"
#include "data/record_json.h"
#include "data/served.h"

#include <jansson.h>
#include <string.h>

enum {
    ROOM = 64, /* bytes behind a line, so that the parser need not copy it */
    HOUR_MS = 3600 * 1000,
};

static const int64_t TIME_END_MS = 9000000000000000;

/* ---- Writing ---- */

static void put_id(struct str *out, const char *name, const char *member, const char *id)
{
    str_fmt(out, "\"%s\":{", name);
    if (member) {
        str_fmt(out, "\"%s\":", member);
        emit_quoted(out, id);
    }
    str_put(out, "}}");
}

/* Appends a record of record_json.h's, without the brace that it begins with and its line's end. */
static void put_line(struct str *out, const struct record *r)
{
    size_t at = out->len;
    record_json_write(r, out);
    if (!str_ok(out) || out->len == at)
        return;
    memmove(out->text + at, out->text + at + 1, out->len - at - 1);
    out->len -= 2;
    out->text[out->len] = 0;
}

static void put_packed(struct str *out, const struct record *r)
{
    struct str list = {0};
    struct record plain = {.kind = RECORD_SERVED, .served = r->served};
    served_json(r->served.packed, r->served.packed_size, &list);
    plain.served.list = str_text(&list);
    put_line(out, &plain);
    out->failed = out->failed || list.failed;
    str_done(&list);
}

void stream_json_write(const struct record *r, const struct stream_origin *from, struct str *out)
{
    str_fmt(out, "{\"journal\":\"%s\",\"seq\":%llu,\"at\":%lld,", from->journal,
            (unsigned long long)from->seq, (long long)from->at_ms);
    switch (r->kind) {
    case RECORD_EVENT:
    case RECORD_ITEM:
    case RECORD_USER:
    case RECORD_SERVED:
        put_line(out, r);
        break;
    case RECORD_SERVED_PACKED:
        put_packed(out, r);
        break;
    case RECORD_ITEM_DELETE:
        put_id(out, "item_delete", "item_id", r->id);
        break;
    case RECORD_USER_DELETE:
        put_id(out, "user_delete", "user_id", r->id);
        break;
    case RECORD_CLEAR:
        put_id(out, "clear", NULL, NULL);
        break;
    }
}

const char *stream_key(const struct record *r)
{
    switch (r->kind) {
    case RECORD_EVENT:
        return r->event.user_id;
    case RECORD_ITEM:
        return r->item.item_id;
    case RECORD_USER:
        return r->user.user_id;
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        return r->served.user_id && *r->served.user_id ? r->served.user_id
                                                       : r->served.recommendation_id;
    case RECORD_ITEM_DELETE:
    case RECORD_USER_DELETE:
        return r->id;
    case RECORD_CLEAR:
        break;
    }
    return NULL;
}

/* ---- Reading ---- */

struct stream_reader {
    struct record_reader *records;
    struct lines line;
    char *copy; /* (cap) */
    size_t cap;
};

enum pal_status stream_reader_new(struct stream_reader **out, struct pal_error *err)
{
    struct stream_reader *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    enum pal_status st = record_reader_new(&r->records, err);
    if (st != PAL_OK) {
        mem_free(r);
        return st;
    }
    *out = r;
    return PAL_OK;
}

void stream_reader_free(struct stream_reader *r)
{
    if (!r)
        return;
    record_reader_free(r->records);
    mem_free(r->copy);
    mem_free(r);
}

static char *past_blanks(char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* Past a word, or NULL if it is not there. */
static char *past(char *p, const char *word)
{
    size_t len = strlen(word);
    return strncmp(p, word, len) == 0 ? past_blanks(p + len) : NULL;
}

/* Digits, at most 18 of them; past them and the comma behind, or NULL. */
static char *take_number(char *p, uint64_t *out)
{
    size_t len = strspn(p, "0123456789");
    if (len == 0 || len > 18)
        return NULL;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + (uint64_t)(p[i] - '0');
    return past(past_blanks(p + len), ",");
}

static char *take_journal(char *p, struct stream_origin *from)
{
    if (*p != '"' || strspn(p + 1, "0123456789abcdef") != STREAM_JOURNAL - 1)
        return NULL;
    memcpy(from->journal, p + 1, STREAM_JOURNAL - 1);
    from->journal[STREAM_JOURNAL - 1] = 0;
    p = past(p + STREAM_JOURNAL, "\"");
    return p ? past(p, ",") : NULL;
}

/* Takes what says where a message comes from, in this order if it is there. Returns where the last
 * member begins, which has taken the brace before it along; NULL for what is no message. */
static char *take_origin(char *p, struct stream_origin *from)
{
    char *next;
    uint64_t seq = 0, at = 0;
    p = past(past_blanks(p), "{");
    if (p && (next = past(p, "\"journal\"")))
        p = (next = past(next, ":")) ? take_journal(next, from) : NULL;
    if (p && (next = past(p, "\"seq\"")))
        p = (next = past(next, ":")) ? take_number(next, &seq) : NULL;
    if (p && (next = past(p, "\"at\"")))
        p = (next = past(next, ":")) ? take_number(next, &at) : NULL;
    if (!p || (int64_t)at >= TIME_END_MS)
        return NULL;
    from->seq = seq;
    if (at)
        from->at_ms = (int64_t)at;
    p[-1] = '{'; /* there was a brace, a comma or a blank */
    return p - 1;
}

static const struct {
    const char *name, *member;
    enum record_kind kind;
} deletions[] = {
    {"item_delete", "item_id", RECORD_ITEM_DELETE},
    {"user_delete", "user_id", RECORD_USER_DELETE},
    {"clear", NULL, RECORD_CLEAR},
};
enum { DELETIONS = sizeof deletions / sizeof deletions[0] };

/* Which deletion the line seems to be; DELETIONS = none. */
static size_t deletion_of(char *line)
{
    char *p = past_blanks(line + 1);
    for (size_t i = 0; i < DELETIONS; i++) {
        size_t len = strlen(deletions[i].name);
        if (*p == '"' && strncmp(p + 1, deletions[i].name, len) == 0 && p[len + 1] == '"')
            return i;
    }
    return DELETIONS;
}

static enum pal_status read_deletion(const char *line, size_t len, size_t which, int64_t now_ms,
                                     struct arena *texts, struct record *out, struct pal_error *err)
{
    const char *name = deletions[which].name, *member = deletions[which].member;
    struct record r = {.kind = deletions[which].kind, .id = ""};
    enum pal_status st = PAL_OK;
    json_t *all = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *inner = json_object_get(all, name);
    const char *id = member ? json_string_value(json_object_get(inner, member)) : "";
    if (!json_is_object(inner) || json_object_size(all) != 1 ||
        json_object_size(inner) != (member ? 1 : 0) || !id)
        st = pal_fail(err, PAL_EFORMAT, "expected \"%s\":{%s%s%s} and nothing else", name,
                      member ? "\"" : "", member ? member : "", member ? "\":…" : "");
    if (st == PAL_OK && !(r.id = arena_text(texts, id, strlen(id))))
        st = pal_no_memory(err);
    json_decref(all);
    if (st == PAL_OK)
        st = record_check(&r, now_ms, err);
    if (st == PAL_OK)
        *out = r;
    return st;
}

/* A line as record_json.h has it, in the reader's copy. */
static enum pal_status read_line(struct stream_reader *r, const char *line, size_t len,
                                 int64_t now_ms, struct arena *texts, struct record *out,
                                 struct pal_error *err)
{
    struct complaint bad = {0};
    struct record record;
    r->line.p = line;
    r->line.stop = line + len;
    r->line.map = (struct file_map){line, len + ROOM};
    enum pal_status st = record_json_read(r->records, &r->line, now_ms, texts, &record, &bad, err);
    if (st == PAL_OK && bad.expected)
        return pal_fail(err, PAL_EFORMAT, "expected %s, found: %.*s", bad.expected,
                        (int)(bad.end - bad.p < 60 ? bad.end - bad.p : 60), bad.p);
    if (st == PAL_OK && record.kind == RECORD_EVENT &&
        (!record.event.event_id || !*record.event.event_id))
        return pal_fail(err, PAL_EFORMAT,
                        "an event without event_id: it may come twice, so it "
                        "needs one");
    if (st == PAL_OK)
        *out = record;
    return st;
}

static enum pal_status copy_body(struct stream_reader *r, const char *body, size_t size,
                                 struct pal_error *err)
{
    if (mem_grow(&r->copy, &r->cap, size + ROOM + 1, 1))
        return pal_no_memory(err);
    memcpy(r->copy, body, size);
    memset(r->copy + size, 0, ROOM + 1);
    return PAL_OK;
}

enum pal_status stream_json_read(struct stream_reader *r, const char *body, size_t size,
                                 int64_t now_ms, struct arena *texts, struct record *out,
                                 struct stream_origin *from, struct pal_error *err)
{
    struct stream_origin origin = {.at_ms = now_ms};
    enum pal_status st = copy_body(r, body, size, err);
    if (st != PAL_OK)
        return st;
    if (memchr(r->copy, 0, size))
        return pal_fail(err, PAL_EFORMAT, "a zero byte in a message");
    char *line = take_origin(r->copy, &origin);
    if (!line)
        return pal_fail(err, PAL_EFORMAT,
                        "expected {\"journal\":…,\"seq\":…,\"at\":…,\"event\":{…}}, found: %.60s",
                        body);
    size_t len = (size_t)(r->copy + size - line), which = deletion_of(line);
    /* what came through a journal was checked there, by a clock that may not be ours */
    int64_t now = origin.journal[0] ? TIME_END_MS - HOUR_MS : origin.at_ms;
    st = which < DELETIONS ? read_deletion(line, len, which, now, texts, out, err)
                           : read_line(r, line, len, now, texts, out, err);
    st = st == PAL_EUSAGE ? PAL_EFORMAT : st;
    if (st == PAL_OK || (st == PAL_EFORMAT && origin.journal[0]))
        *from = origin;
    return st;
}
