/* What `palate export` writes, as a data set: items with titles, categories and attributes, users
 * with theirs, and events. Served lists, images and whether an item is available have no place in a
 * data set and are passed over. Items and users stand before the events that name them, as an
 * export has them. */
#include "base/clock.h"
#include "data/loading.h"

#include "base/mem.h"
#include "data/record_json.h"
#include "data/records.h"

#include <string.h>

struct export_reader {
    struct record_reader *json;
    struct arena texts; /* of a line */
    int64_t now_ms;
    bool timed; /* an event had a time */
};

/* The number of an item or user that must be new; else *bad says so. */
static enum pal_status new_id(struct intern *ids, const char *id, const struct lines *lines,
                              const char *expected, uint32_t *row, struct complaint *bad,
                              struct pal_error *err)
{
    if (intern_find(ids, id, strlen(id)) == INTERN_NONE)
        return intern_add(ids, id, strlen(id), row, err);
    lines_wrong(bad, (struct field){id, id + strlen(id), lines->p}, expected);
    return PAL_OK;
}

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

static enum pal_status put_text(struct texts *t, uint32_t row, const char *text,
                                struct pal_error *err)
{
    return texts_put(t, row, text ? text : "", length(text), err);
}

static enum pal_status take_item(struct loading *l, const struct lines *lines,
                                 const struct item_row *item, struct complaint *bad,
                                 struct pal_error *err)
{
    struct items *items = &l->d->items;
    uint32_t row;
    enum pal_status st = new_id(&items->ids, item->item_id, lines,
                                "an item that no line before names", &row, bad, err);
    if (st != PAL_OK || bad->expected)
        return st;
    st = put_text(&items->titles, row, item->title, err);
    if (st == PAL_OK)
        st = put_text(&items->attributes, row, item->attributes, err);
    if (st == PAL_OK)
        st = labels_fill(&items->categories, row, err);
    return st == PAL_OK ? labels_add_json(&items->categories, item->categories, err) : st;
}

static enum pal_status take_user(struct loading *l, const struct lines *lines,
                                 const struct user_row *user, struct complaint *bad,
                                 struct pal_error *err)
{
    struct users *users = &l->d->users;
    uint32_t row;
    enum pal_status st = new_id(&users->ids, user->user_id, lines,
                                "a user that no line before names", &row, bad, err);
    if (st != PAL_OK || bad->expected)
        return st;
    return put_text(&users->attributes, row, user->attributes, err);
}

static enum pal_status take_event(struct loading *l, struct export_reader *r, const struct event *e,
                                  struct pal_error *err)
{
    struct row row = {.value = e->value};
    uint8_t type;
    int64_t time_s = e->time_ms / 1000;
    row.time_s = time_s > UINT32_MAX ? UINT32_MAX : (uint32_t)time_s;
    r->timed |= e->time_ms != 0;
    enum pal_status st = loading_type(l, e->type, &type, err);
    if (st == PAL_OK)
        st = intern_add(&l->d->users.ids, e->user_id, strlen(e->user_id), &row.user, err);
    if (st == PAL_OK)
        st = intern_add(&l->d->items.ids, e->item_id, strlen(e->item_id), &row.item, err);
    return st == PAL_OK ? rows_add(l->all, row, type, err) : st;
}

/* A record that is no good for what it says, not for how it is written. */
static enum pal_status refuse(struct lines *lines, struct pal_error *err)
{
    if (lines->reading->skipped < lines->reading->allowed) {
        lines->reading->skipped++;
        return PAL_OK;
    }
    err->status = PAL_EFORMAT;
    return PAL_EFORMAT;
}

/* A record_fn. */
static enum pal_status take(struct loading *l, struct lines *lines, void *ctx,
                            struct complaint *bad, struct pal_error *err)
{
    struct export_reader *r = ctx;
    struct record record;
    struct pal_error why;
    arena_reset(&r->texts);
    enum pal_status st =
        record_json_read(r->json, lines, r->now_ms, &r->texts, &record, bad, err ? err : &why);
    if (st == PAL_EUSAGE)
        return refuse(lines, err ? err : &why);
    if (st != PAL_OK || bad->expected)
        return st;
    switch (record.kind) {
    case RECORD_ITEM:
        return take_item(l, lines, &record.item, bad, err);
    case RECORD_USER:
        return take_user(l, lines, &record.user, bad, err);
    case RECORD_EVENT:
        return take_event(l, r, &record.event, err);
    default:
        return PAL_OK;
    }
}

static enum pal_status read_export(struct loading *l, const char *path, struct pal_error *err)
{
    const struct record_format whole = {RECORD_LINE, ' ', false};
    struct export_reader r = {0};
    r.now_ms = clock_wall_ms() / 1000 * 1000;
    arena_init(&r.texts);
    reading_expect(&l->reading, path);
    enum pal_status st = record_reader_new(&r.json, err);
    if (st == PAL_OK)
        st = records_read(l, path, &whole, take, &r, err);
    l->has_times = r.timed;
    l->d->weights = weights_default;
    record_reader_free(r.json);
    arena_done(&r.texts);
    return st;
}

const struct loader loader_export = {
    "export", "what palate export writes: {\"item\":…}, {\"user\":…} and {\"event\":…} lines",
    record_json_file, read_export, false};
