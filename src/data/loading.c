/* See loading.h. */
#include "data/loading.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

const struct event_names event_names_rating = {
    "a user id", "an item id", "a rating (a number)",
    "a time (unix seconds or YYYY-MM-DD HH:MM:SS, from 1970 to 2106)"};
const struct event_names event_names_plain = {
    "a user id", "an item id", "a value (a number)",
    "a time (unix seconds or YYYY-MM-DD HH:MM:SS, from 1970 to 2106)"};

void loading_expect(struct loading *l, const char *folder, const char *name)
{
    char path[PATH_BYTES];
    if (*name && folder_has(folder, name) &&
        file_join(path, sizeof path, folder, name, NULL) == PAL_OK)
        reading_expect(&l->reading, path);
}

static bool has_control(const char *p, const char *end)
{
    for (; p < end; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

/* An id that is not known yet, checked. A Latin-1 one is rewritten into room (2 * ID_BYTES). */
static bool check_id(const struct loading *l, struct field *id, const char *expected, char *room,
                     struct complaint *bad)
{
    struct field f = *id;
    size_t len = (size_t)(f.end - f.p);
    if (len == 0)
        return lines_wrong(bad, f, expected);
    if (len > ID_BYTES)
        return lines_wrong(bad, f, "an id of at most 256 bytes");
    if (has_control(f.p, f.end))
        return lines_wrong(bad, f, "an id without control characters");
    if (text_is_utf8(f.p, len))
        return true;
    if (!l->latin1)
        return lines_wrong(bad, f, "an id in UTF-8");
    len = text_from_latin1(f.p, len, room);
    if (len > ID_BYTES)
        return lines_wrong(bad, f, "an id of at most 256 bytes");
    *id = (struct field){room, room + len, f.at};
    return true;
}

bool loading_good_id(const struct loading *l, struct field id, const char *expected,
                     struct complaint *bad)
{
    char room[2 * ID_BYTES];
    return check_id(l, &id, expected, room, bad);
}

/* The number of an id that may be new; INTERN_NONE and a complaint if it can't be one. */
static uint32_t look_up(const struct loading *l, const struct intern *ids, struct field *id,
                        const char *expected, char *room, struct complaint *bad)
{
    uint32_t number = intern_find(ids, id->p, (size_t)(id->end - id->p));
    if (number != INTERN_NONE)
        return number;
    if (!check_id(l, id, expected, room, bad))
        return INTERN_NONE;
    return id->p == room ? intern_find(ids, id->p, (size_t)(id->end - id->p)) : INTERN_NONE;
}

static enum pal_status add(struct intern *ids, struct field id, uint32_t *number,
                           struct pal_error *err)
{
    return intern_add(ids, id.p, (size_t)(id.end - id.p), number, err);
}

enum pal_status loading_id(struct loading *l, struct intern *ids, struct field id,
                           const char *expected, uint32_t *number, struct complaint *bad,
                           struct pal_error *err)
{
    char room[2 * ID_BYTES];
    bad->expected = NULL;
    *number = look_up(l, ids, &id, expected, room, bad);
    if (*number != INTERN_NONE || bad->expected)
        return PAL_OK;
    return add(ids, id, number, err);
}

enum pal_status loading_new_id(struct loading *l, struct intern *ids, struct field id,
                               const char *expected, struct complaint *bad, struct pal_error *err)
{
    char room[2 * ID_BYTES];
    uint32_t number;
    bad->expected = NULL;
    struct field known = id;
    if (look_up(l, ids, &known, expected, room, bad) != INTERN_NONE)
        lines_wrong(bad, id, "an id that was not listed before");
    return bad->expected ? PAL_OK : add(ids, known, &number, err);
}

/* The user of the last event again? */
static bool same_user(const struct loading *l, struct field user)
{
    const struct intern *ids = &l->d->users.ids;
    size_t len = (size_t)(user.end - user.p);
    return l->last_user < ids->count && intern_len(ids, l->last_user) == len &&
           memcmp(intern_text(ids, l->last_user), user.p, len) == 0;
}

static bool event_value(const struct loaded_event *e, const struct event_names *names,
                        struct row *row, struct complaint *bad)
{
    double value;
    row->value = e->otherwise;
    if (!e->value.p)
        return true;
    if (!text_real(e->value.p, e->value.end, &value) || !isfinite((float)value))
        return lines_wrong(bad, e->value, names->value);
    row->value = (float)value;
    return true;
}

static bool event_fields(const struct loaded_event *e, const struct event_names *names,
                         struct row *row, struct complaint *bad)
{
    size_t len = (size_t)(e->type_name.end - e->type_name.p);
    if (!event_value(e, names, row, bad))
        return false;
    if (e->time.p && !text_time(e->time.p, e->time.end, &row->time_s))
        return lines_wrong(bad, e->time, names->time);
    if (e->type_name.p && (len == 0 || len >= EVENT_NAME || !text_is_utf8(e->type_name.p, len) ||
                           has_control(e->type_name.p, e->type_name.end)))
        return lines_wrong(bad, e->type_name, "an event type (1 to 31 bytes of UTF-8)");
    return true;
}

enum pal_status loading_event(struct loading *l, struct rows *rows, const struct loaded_event *e,
                              const struct event_names *names, struct complaint *bad,
                              struct pal_error *err)
{
    struct intern *users = &l->d->users.ids, *items = &l->d->items.ids;
    struct field user = e->user, item = e->item;
    char user_room[2 * ID_BYTES], item_room[2 * ID_BYTES];
    struct row row = {INTERN_NONE, INTERN_NONE, 1, 0};
    enum pal_status st = PAL_OK;
    bad->expected = NULL;
    row.user =
        same_user(l, user) ? l->last_user : look_up(l, users, &user, names->user, user_room, bad);
    if (bad->expected)
        return PAL_OK;
    row.item = look_up(l, items, &item, names->item, item_room, bad);
    if (bad->expected || !event_fields(e, names, &row, bad))
        return PAL_OK;
    uint8_t type = e->type;
    if (e->type_name.p)
        st = event_type_add(&l->d->types, e->type_name.p,
                            (size_t)(e->type_name.end - e->type_name.p), &type, err);
    if (st == PAL_OK && row.user == INTERN_NONE)
        st = add(users, user, &row.user, err);
    if (st == PAL_OK && row.item == INTERN_NONE)
        st = add(items, item, &row.item, err);
    if (st != PAL_OK)
        return st;
    l->last_user = row.user;
    l->lowest = fminf(l->lowest, row.value);
    l->highest = fmaxf(l->highest, row.value);
    return rows_add(rows, row, type, err);
}

enum pal_status loading_type(struct loading *l, const char *name, uint8_t *number,
                             struct pal_error *err)
{
    return event_type_add(&l->d->types, name, strlen(name), number, err);
}

enum pal_status loading_test(struct loading *l, struct rows **out, struct pal_error *err)
{
    enum pal_status st = l->test ? PAL_OK : rows_new(&l->test, err);
    *out = l->test;
    return st;
}

enum pal_status loading_text(struct field t, struct str *room, struct field *text,
                             struct pal_error *err)
{
    *text = t;
    if (text_is_utf8(t.p, (size_t)(t.end - t.p)))
        return PAL_OK;
    str_clear(room);
    for (const char *p = t.p; p < t.end; p++) {
        char two[2];
        str_add(room, two, text_from_latin1(p, 1, two));
    }
    if (!str_ok(room))
        return pal_no_memory(err);
    *text = (struct field){room->text, room->text + room->len, t.at};
    return PAL_OK;
}

enum pal_status texts_put(struct texts *t, uint32_t row, const char *s, size_t len,
                          struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    while (t->count < row && st == PAL_OK)
        st = texts_add(t, "", 0, err);
    return st == PAL_OK ? texts_add(t, s, len, err) : st;
}

enum pal_status labels_fill(struct labels *l, uint32_t rows, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    while (l->rows < rows && st == PAL_OK)
        st = labels_end_row(l, err);
    return st;
}

void attr_begin(struct str *s)
{
    str_clear(s);
}

static void quoted(struct str *s, const char *p, const char *end)
{
    str_char(s, '"');
    while (p < end) {
        const char *plain = p;
        while (p < end && (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\')
            p++;
        str_add(s, plain, (size_t)(p - plain));
        if (p == end)
            break;
        if ((unsigned char)*p < 0x20)
            str_fmt(s, "\\u%04x", (unsigned char)*p);
        else
            str_fmt(s, "\\%c", *p);
        p++;
    }
    str_char(s, '"');
}

static void attr_key(struct str *s, const char *key)
{
    str_char(s, s->len ? ',' : '{');
    quoted(s, key, key + strlen(key));
    str_char(s, ':');
}

void attr_number(struct str *s, const char *key, const char *p, const char *end)
{
    uint64_t number;
    if (!text_u64(p, end, &number) || (*p == '0' && end - p > 1)) {
        attr_text(s, key, p, end);
        return;
    }
    attr_key(s, key);
    str_add(s, p, (size_t)(end - p));
}

void attr_text(struct str *s, const char *key, const char *p, const char *end)
{
    if (p == end)
        return;
    attr_key(s, key);
    quoted(s, p, end);
}

void attr_end(struct str *s)
{
    if (s->len)
        str_char(s, '}');
}

void attr_year(struct str *s, const char *title, const char *end)
{
    uint64_t year;
    while (end > title && end[-1] == ' ')
        end--;
    if (end - title >= 6 && end[-1] == ')' && end[-6] == '(' && text_u64(end - 5, end - 1, &year))
        attr_number(s, "year", end - 5, end - 1);
}

const char *loading_rating_weights(const struct loading *l)
{
    if (l->lowest >= l->highest)
        return "*:1"; /* all the same: a list of likes */
    if (l->highest <= 1 || l->lowest < 0)
        return "rating>=0.5:1,rating:-0.5"; /* no or yes, or against and for */
    if (l->highest <= 5)
        return "rating>=4:1,rating>=3:0.2,rating:-0.2";
    if (l->highest <= 10)
        return "rating>=8:1,rating>=6:0.2,rating:-0.2";
    if (l->highest <= 100)
        return "rating>=80:1,rating>=60:0.2,rating:-0.2";
    return "rating:1"; /* a count rather than an opinion */
}
