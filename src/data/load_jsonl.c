/* JSON lines: one event per line, an object with user_id, item_id and, where known, type, value and
 * timestamp (or keys of other usual names, or those that the caller says). Other members don't
 * matter.
 *
 * Ids may be texts or whole numbers. Without a type an event is a "rating" if it has a member of
 * that name (score, stars…), else an "interaction"; without a value it is worth 1. Either all
 * events have a timestamp or none has. */
#include "data/columns.h"
#include "data/json_line.h"
#include "data/records.h"

#include "base/mem.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 64, KEY_BYTES = 48 };

/* A key met before, and what it is for: lines tend to have the same keys in the same order. */
struct known_key {
    char text[KEY_BYTES];
    size_t len;
    enum role role;
    unsigned rank;
};

enum timed { TIMED_UNKNOWN, TIMED_NEVER, TIMED_ALWAYS };

struct jsonl_reader {
    struct json_reader *json;
    struct rows *rows;
    struct columns_wanted wanted;
    struct known_key key[KEYS];
    size_t keys;
    int holder[ROLES]; /* the key that fills each role: the surest one met so far; -1 = none */
    bool rating;       /* the values are opinions */
    bool typed;        /* some event named its type */
    enum timed timed;
    struct json_member member[JSON_MEMBERS];
};

/* Where a member stands in the line: its key's text, or the line's begin if that can't be found. */
static struct field locate(const struct lines *lines, const struct json_member *m)
{
    char quoted[KEY_BYTES + 3];
    int n = snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)m->key_len, m->key);
    const char *at = NULL;
    if (n > 0 && (size_t)n < sizeof quoted)
        at = memmem(lines->p, (size_t)(lines->stop - lines->p), quoted, (size_t)n);
    if (!at)
        return (struct field){lines->p, lines->stop, lines->p};
    const char *value = at + n;
    while (value < lines->stop && (*value == ' ' || *value == ':' || *value == '\t'))
        value++;
    return (struct field){value, lines->stop, value};
}

/* Where a line that simdjson refuses goes wrong: jansson, slower, knows the end of the token that
 * it stumbled over; back to the token's begin from there. */
static size_t stumble(const char *p, size_t len)
{
    json_error_t error = {.position = 1};
    json_t *parsed = json_loadb(p, len, JSON_DECODE_ANY, &error);
    size_t at = parsed || error.position < 1 ? 0 : (size_t)error.position;
    json_decref(parsed);
    at = at < len ? at : len;
    while (at > 0 && !strchr(" \t,:{}[]", p[at - 1]))
        at--;
    return at;
}

static void refuse(const struct lines *lines, enum json_outcome outcome, struct complaint *bad)
{
    size_t len = (size_t)(lines->stop - lines->p);
    size_t at = outcome == JSON_LINE_BAD && len ? stumble(lines->p, len) : 0;
    const char *p = lines->p + at;
    lines_wrong(bad, (struct field){p, lines->stop, p},
                outcome == JSON_LINE_CROWDED ? "an object of at most 128 members"
                : at                         ? "valid JSON"
                                             : "a JSON object");
}

/* Remembers a key; the surest key for a role holds it. */
static int add_key(struct jsonl_reader *r, const struct json_member *m)
{
    unsigned rank;
    enum role role = columns_role(&r->wanted, m->key, m->key_len, &rank);
    if (r->keys == KEYS || m->key_len > KEY_BYTES)
        return -1;
    struct known_key *k = &r->key[r->keys];
    memcpy(k->text, m->key, m->key_len);
    k->len = m->key_len;
    k->role = role;
    k->rank = rank;
    if (role != ROLE_NONE && (r->holder[role] < 0 || rank < r->key[r->holder[role]].rank)) {
        r->holder[role] = (int)r->keys;
        if (role == ROLE_VALUE)
            r->rating = columns_is_rating(k->text, k->len);
    }
    return (int)r->keys++;
}

static bool is_key(const struct known_key *k, const struct json_member *m)
{
    return k->len == m->key_len && memcmp(k->text, m->key, m->key_len) == 0;
}

/* The key of member i of a line; -1 if it is none to remember. */
static int key_of(struct jsonl_reader *r, size_t i)
{
    const struct json_member *m = &r->member[i];
    if (i < r->keys && is_key(&r->key[i], m))
        return (int)i;
    for (size_t j = 0; j < r->keys; j++)
        if (is_key(&r->key[j], m))
            return (int)j;
    return add_key(r, m);
}

/* The line's members by role; NULL where it has none or null. */
static bool sort_members(struct jsonl_reader *r, const struct lines *lines, size_t count,
                         const struct json_member *by_role[ROLES], struct complaint *bad)
{
    int key[JSON_MEMBERS];
    for (int i = 0; i < ROLES; i++)
        by_role[i] = NULL;
    for (size_t i = 0; i < count; i++) /* all before any: a later key may be the surer one */
        key[i] = key_of(r, i);
    for (size_t i = 0; i < count; i++) {
        enum role role = key[i] < 0 ? ROLE_NONE : r->key[key[i]].role;
        if (role == ROLE_NONE || r->holder[role] != key[i] || r->member[i].kind == JSON_NULL_VALUE)
            continue;
        if (by_role[role])
            return lines_wrong(bad, locate(lines, by_role[role]), "each key once");
        by_role[role] = &r->member[i];
    }
    return true;
}

static bool is_text(const struct json_member *m)
{
    return m->kind == JSON_TEXT || m->kind == JSON_WHOLE;
}

/* The member's text, said to stand where the line has it. */
static struct field text_of(const struct lines *lines, const struct json_member *m)
{
    return (struct field){m->text, m->text + m->text_len, lines->p};
}

static bool take_value(const struct lines *lines, const struct json_member *m,
                       struct loaded_event *e, struct complaint *bad)
{
    if (!m)
        return true;
    if (m->kind == JSON_NESTED || (m->kind != JSON_TEXT && !isfinite((float)m->number)))
        return lines_wrong(bad, locate(lines, m), event_names_plain.value);
    if (m->kind == JSON_TEXT)
        e->value = text_of(lines, m);
    else
        e->otherwise = (float)m->number;
    return true;
}

static bool take_time(const struct jsonl_reader *r, const struct lines *lines,
                      const struct json_member *m, char digits[32], struct loaded_event *e,
                      struct complaint *bad)
{
    if (!m && r->timed == TIMED_ALWAYS)
        return lines_wrong(bad, (struct field){lines->stop, lines->stop, lines->stop},
                           "a timestamp, as in the lines before");
    if (!m)
        return true;
    if (r->timed == TIMED_NEVER)
        return lines_wrong(bad, locate(lines, m), "no timestamp, as in the lines before");
    if (m->kind == JSON_FRACTION && m->number >= 0 && m->number < 1e15) {
        int n = snprintf(digits, 32, "%.0f", floor(m->number));
        e->time = (struct field){digits, digits + n, lines->p};
        return true;
    }
    if (!is_text(m))
        return lines_wrong(bad, locate(lines, m), event_names_plain.time);
    e->time = text_of(lines, m);
    return true;
}

static bool take_id(const struct lines *lines, const struct json_member *m, const char *missing,
                    struct field *id, struct complaint *bad)
{
    if (!m)
        return lines_wrong(bad, (struct field){lines->stop, lines->stop, lines->stop}, missing);
    if (!is_text(m))
        return lines_wrong(bad, locate(lines, m), "an id (a text or a whole number)");
    *id = text_of(lines, m);
    return true;
}

static bool take_type(const struct jsonl_reader *r, const struct lines *lines,
                      const struct json_member *m, bool has_value, struct loaded_event *e,
                      struct complaint *bad)
{
    static const char rating[] = "rating", interaction[] = "interaction";
    if (m && m->kind != JSON_TEXT)
        return lines_wrong(bad, locate(lines, m), "an event type (a text)");
    if (m)
        e->type_name = text_of(lines, m);
    else if (r->rating && has_value)
        e->type_name = (struct field){rating, rating + strlen(rating), lines->p};
    else
        e->type_name = (struct field){interaction, interaction + strlen(interaction), lines->p};
    return true;
}

/* A complaint about a text points to where the line has it. */
static void point(const struct lines *lines, const struct loaded_event *e,
                  const struct json_member *by_role[ROLES], struct complaint *bad)
{
    const char *texts[ROLES] = {e->user.p, e->item.p, e->value.p, e->time.p, e->type_name.p};
    for (int i = 0; i < ROLES; i++)
        if (by_role[i] && texts[i] == bad->p)
            bad->at = locate(lines, by_role[i]).at;
}

static enum pal_status take(struct loading *l, struct lines *lines, void *ctx,
                            struct complaint *bad, struct pal_error *err)
{
    struct jsonl_reader *r = ctx;
    const struct json_member *m[ROLES];
    size_t count;
    char digits[32];
    struct loaded_event e = {.otherwise = 1};
    enum json_outcome outcome = json_line_parse(
        r->json, lines->p, (size_t)(lines->stop - lines->p),
        (size_t)(lines->map.data + lines->map.size - lines->stop), r->member, &count);
    if (outcome == JSON_LINE_MEMORY)
        return pal_no_memory(err);
    if (outcome != JSON_LINE_OK) {
        refuse(lines, outcome, bad);
        return PAL_OK;
    }
    if (!sort_members(r, lines, count, m, bad) ||
        !take_id(lines, m[ROLE_USER], "a user_id", &e.user, bad) ||
        !take_id(lines, m[ROLE_ITEM], "an item_id", &e.item, bad) ||
        !take_value(lines, m[ROLE_VALUE], &e, bad) ||
        !take_time(r, lines, m[ROLE_TIME], digits, &e, bad) ||
        !take_type(r, lines, m[ROLE_TYPE], m[ROLE_VALUE] != NULL, &e, bad))
        return PAL_OK;
    enum pal_status st = loading_event(l, r->rows, &e, &event_names_plain, bad, err);
    if (bad->expected)
        point(lines, &e, m, bad);
    else if (st == PAL_OK) {
        r->timed = m[ROLE_TIME] ? TIMED_ALWAYS : TIMED_NEVER;
        r->typed |= m[ROLE_TYPE] != NULL;
    }
    return st;
}

/* The rules that suit what was found. */
static const char *choose_weights(const struct loading *l, bool typed)
{
    if (typed || l->d->types.count != 1)
        return weights_default;
    return strcmp(l->d->types.name[0], "rating") == 0 ? loading_rating_weights(l) : "*:1";
}

enum pal_status jsonl_read(struct loading *l, const char *path, struct rows *rows,
                           struct pal_error *err)
{
    const struct record_format whole = {RECORD_LINE, ' ', false};
    struct jsonl_reader *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    r->rows = rows;
    for (int i = 0; i < ROLES; i++)
        r->holder[i] = -1;
    enum pal_status st = columns_parse(l->options->columns, &r->wanted, err);
    if (st == PAL_OK && !(r->json = json_reader_new()))
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = records_read(l, path, &whole, take, r, err);
    l->has_times = r->timed == TIMED_ALWAYS;
    l->d->weights = choose_weights(l, r->typed);
    json_reader_free(r->json);
    mem_free(r);
    return st;
}

static enum pal_status read_file(struct loading *l, const char *path, struct pal_error *err)
{
    reading_expect(&l->reading, path);
    return jsonl_read(l, path, l->all, err);
}

static bool fits(const char *path)
{
    char first = 0;
    if (file_is_dir(path))
        return false;
    FILE *f = fopen(path, "rb");
    bool got = f && fscanf(f, " %c", &first) == 1;
    if (f)
        fclose(f);
    return file_ends(path, ".jsonl") || file_ends(path, ".ndjson") || (got && first == '{');
}

const struct loader loader_jsonl = {
    "jsonl", "JSON lines: an object with user_id, item_id, type, value, timestamp per line", fits,
    read_file, true};
