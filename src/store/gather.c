/* See gather.h. The changes are looked through once before anything else: for each item and user
 * they name, which change is the last about it. */
#include "store/gather.h"

#include "base/mem.h"

#include <string.h>

enum { NEVER = -1 };

/* Set in the number of a user of the store who is deleted by a change; the rest is its fate's. */
#define GONE 0x80000000u

/* What the changes say of an item or a user: indices into `more`. */
struct fate {
    int64_t put;    /* the last that put it */
    int64_t gone;   /* the last that deleted it */
    int64_t erased; /* users: the last deletion that was passed while going through the changes */
};

/* By which event an event_id is held: one of the store's (at IN_STORE) or of the changes; by a user
 * who is deleted at some time (an index into the fates) or not (INTERN_NONE). */
struct holder {
    int64_t at;
    uint32_t user;
};
enum { IN_STORE = -1, FREE = -2 };

/* Ids that changes put or delete. */
struct fates {
    struct intern ids;
    struct fate *fate; /* (ids.count) */
    size_t cap;
};

struct gather {
    struct dataset *d;
    struct rows *rows;
    const struct store_change *more;
    size_t count;
    size_t from; /* changes before this one don't count any more */
    uint64_t position;
    bool cleared, has_times;
    struct fates items, users;
    struct intern event_ids; /* of the changes' events */
    struct holder *holder;   /* (event_ids.count) */
    size_t holder_cap;
};

static bool on_its_way(const struct gather *g, size_t i)
{
    return g->more[i].seq == 0 || g->more[i].seq > g->position;
}

static enum pal_status fate_add(struct fates *f, const char *id, struct fate **out,
                                struct pal_error *err)
{
    uint32_t i;
    if (mem_grow(&f->fate, &f->cap, (size_t)f->ids.count + 1, sizeof *f->fate))
        return pal_no_memory(err);
    uint32_t before = f->ids.count;
    enum pal_status st = intern_add(&f->ids, id, strlen(id), &i, err);
    if (st != PAL_OK)
        return st;
    if (i == before)
        f->fate[i] = (struct fate){NEVER, NEVER, NEVER};
    *out = &f->fate[i];
    return PAL_OK;
}

static struct fate *fate_of(const struct fates *f, const char *id)
{
    uint32_t i = intern_find(&f->ids, id, strlen(id));
    return i == INTERN_NONE ? NULL : &f->fate[i];
}

static enum pal_status note_event_id(struct gather *g, const char *id, struct pal_error *err)
{
    uint32_t i;
    size_t n = g->event_ids.count;
    if (mem_grow(&g->holder, &g->holder_cap, n + 1, sizeof *g->holder))
        return pal_no_memory(err);
    g->holder[n] = (struct holder){FREE, INTERN_NONE};
    return intern_add(&g->event_ids, id, strlen(id), &i, err);
}

static enum pal_status look_at(struct gather *g, size_t i, struct pal_error *err)
{
    const struct record *r = &g->more[i].record;
    struct fate *f = NULL;
    enum pal_status st = PAL_OK;
    switch (r->kind) {
    case RECORD_ITEM:
        if ((st = fate_add(&g->items, r->item.item_id, &f, err)) == PAL_OK)
            f->put = (int64_t)i;
        break;
    case RECORD_ITEM_DELETE:
        if ((st = fate_add(&g->items, r->id, &f, err)) == PAL_OK)
            f->gone = (int64_t)i;
        break;
    case RECORD_USER:
        if ((st = fate_add(&g->users, r->user.user_id, &f, err)) == PAL_OK)
            f->put = (int64_t)i;
        break;
    case RECORD_USER_DELETE:
        if ((st = fate_add(&g->users, r->id, &f, err)) == PAL_OK)
            f->gone = (int64_t)i;
        break;
    case RECORD_EVENT:
        if (r->event.event_id && *r->event.event_id)
            st = note_event_id(g, r->event.event_id, err);
        break;
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
    case RECORD_CLEAR:
        break;
    }
    return st;
}

enum pal_status gather_new(const struct store_change *more, size_t count, uint64_t position,
                           struct gather **out, struct pal_error *err)
{
    struct gather *g = mem_zero(1, sizeof *g);
    if (!g)
        return pal_no_memory(err);
    g->more = more;
    g->count = count;
    g->position = position;
    enum pal_status st = rows_new(&g->rows, err);
    if (st == PAL_OK && !(g->d = dataset_new()))
        st = pal_no_memory(err);
    for (size_t i = 0; i < count; i++)
        if (more[i].record.kind == RECORD_CLEAR && on_its_way(g, i)) {
            g->cleared = true;
            g->from = i + 1;
        }
    for (size_t i = g->from; i < count && st == PAL_OK; i++)
        if (on_its_way(g, i))
            st = look_at(g, i, err);
    if (st != PAL_OK) {
        gather_free(g);
        return st;
    }
    strcpy(g->d->name, "store");
    g->d->format = "store";
    *out = g;
    return PAL_OK;
}

static void fates_done(struct fates *f)
{
    intern_done(&f->ids);
    mem_free(f->fate);
}

void gather_free(struct gather *g)
{
    if (!g)
        return;
    dataset_free(g->d);
    rows_free(g->rows);
    fates_done(&g->items);
    fates_done(&g->users);
    intern_done(&g->event_ids);
    mem_free(g->holder);
    mem_free(g);
}

bool gather_cleared(const struct gather *g)
{
    return g->cleared;
}

bool gather_wants_ids(const struct gather *g)
{
    return g->event_ids.count > 0;
}

static enum pal_status add_text(struct texts *t, const char *s, struct pal_error *err)
{
    return texts_add(t, s ? s : "", s ? strlen(s) : 0, err);
}

/* The next item of the data set; row NULL: only its id is known. */
static enum pal_status add_item(struct gather *g, const char *id, const struct item_row *row,
                                uint32_t *number, struct pal_error *err)
{
    static const struct item_row nothing;
    struct items *items = &g->d->items;
    row = row ? row : &nothing;
    enum pal_status st = intern_add(&items->ids, id, strlen(id), number, err);
    if (st == PAL_OK)
        st = add_text(&items->titles, row->title, err);
    if (st == PAL_OK)
        st = add_text(&items->attributes, row->attributes, err);
    return st == PAL_OK ? labels_add_json(&items->categories, row->categories, err) : st;
}

static enum pal_status add_user(struct gather *g, const char *id, const char *attributes,
                                uint32_t *number, struct pal_error *err)
{
    enum pal_status st = intern_add(&g->d->users.ids, id, strlen(id), number, err);
    return st == PAL_OK ? add_text(&g->d->users.attributes, attributes, err) : st;
}

enum pal_status gather_item(struct gather *g, const struct item_row *row, bool removed,
                            uint32_t *number, struct pal_error *err)
{
    struct fate *f = fate_of(&g->items, row->item_id);
    const struct item_row *last = removed ? NULL : row;
    if (f) {
        last = f->put > f->gone ? &g->more[f->put].record.item : NULL;
    }
    return add_item(g, row->item_id, last, number, err);
}

enum pal_status gather_user(struct gather *g, const struct user_row *row, uint32_t *number,
                            struct pal_error *err)
{
    struct fate *f = fate_of(&g->users, row->user_id);
    if (!f)
        return add_user(g, row->user_id, row->attributes, number, err);
    if (f->gone != NEVER) { /* whoever comes back is somebody new */
        *number = GONE | (uint32_t)(f - g->users.fate);
        return PAL_OK;
    }
    return add_user(g, row->user_id, g->more[f->put].record.user.attributes, number, err);
}

bool gather_item_of(const struct gather *g, const char *id, uint32_t *number)
{
    *number = intern_find(&g->d->items.ids, id, strlen(id));
    return *number != INTERN_NONE;
}

bool gather_user_of(const struct gather *g, const char *id, uint32_t *number)
{
    *number = intern_find(&g->d->users.ids, id, strlen(id));
    const struct fate *f = *number == INTERN_NONE ? fate_of(&g->users, id) : NULL;
    if (f && f->gone != NEVER)
        *number = GONE | (uint32_t)(f - g->users.fate);
    return *number != INTERN_NONE;
}

bool gather_asks_for(const struct gather *g, const char *event_id)
{
    return g->event_ids.count &&
           intern_find(&g->event_ids, event_id, strlen(event_id)) != INTERN_NONE;
}

enum pal_status gather_type(struct gather *g, const char *name, uint8_t *number,
                            struct pal_error *err)
{
    return event_type_add(&g->d->types, name, strlen(name), number, err);
}

enum pal_status gather_event(struct gather *g, uint32_t user, uint32_t item, uint8_t type,
                             float value, int64_t time_ms, const char *event_id,
                             struct pal_error *err)
{
    bool gone = user & GONE;
    if (event_id && *event_id && g->event_ids.count) {
        uint32_t i = intern_find(&g->event_ids, event_id, strlen(event_id));
        if (i != INTERN_NONE)
            g->holder[i] = (struct holder){IN_STORE, gone ? user & ~GONE : INTERN_NONE};
    }
    if (gone)
        return PAL_OK;
    int64_t time_s = time_ms / 1000;
    g->has_times |= time_ms != 0;
    struct row row = {user, item, value, time_s > UINT32_MAX ? UINT32_MAX : (uint32_t)time_s};
    return rows_add(g->rows, row, type, err);
}

/* The number of an item that a change names, with what is known of it in the end. */
static enum pal_status meet_item(struct gather *g, const char *id, uint32_t *number,
                                 struct pal_error *err)
{
    *number = intern_find(&g->d->items.ids, id, strlen(id));
    if (*number != INTERN_NONE)
        return PAL_OK;
    struct fate *f = fate_of(&g->items, id);
    return add_item(g, id, f && f->put > f->gone ? &g->more[f->put].record.item : NULL, number,
                    err);
}

static enum pal_status meet_user(struct gather *g, const char *id, uint32_t *number,
                                 struct pal_error *err)
{
    *number = intern_find(&g->d->users.ids, id, strlen(id));
    if (*number != INTERN_NONE)
        return PAL_OK;
    struct fate *f = fate_of(&g->users, id);
    return add_user(g, id, f && f->put > f->gone ? g->more[f->put].record.user.attributes : NULL,
                    number, err);
}

/* Is the event_id that of an event that is there at this point of the changes? */
static bool held(const struct gather *g, uint32_t id)
{
    const struct holder *h = &g->holder[id];
    return h->at != FREE && (h->user == INTERN_NONE || g->users.fate[h->user].erased == NEVER ||
                             g->users.fate[h->user].erased < h->at);
}

/* An event on its way, number i of the changes. */
static enum pal_status take_event(struct gather *g, size_t i, struct pal_error *err)
{
    const struct event *e = &g->more[i].record.event;
    const struct fate *f = fate_of(&g->users, e->user_id);
    uint32_t user, item, id = INTERN_NONE;
    uint8_t type;
    if (e->event_id && *e->event_id)
        id = intern_find(&g->event_ids, e->event_id, strlen(e->event_id));
    if (id != INTERN_NONE && held(g, id))
        return PAL_OK;
    if (id != INTERN_NONE)
        g->holder[id] =
            (struct holder){(int64_t)i, f ? (uint32_t)(f - g->users.fate) : INTERN_NONE};
    enum pal_status st = meet_item(g, e->item_id, &item, err); /* it is known of, even if ... */
    if (st != PAL_OK || (f && f->gone > (int64_t)i))           /* ... its user will be deleted */
        return st;
    st = meet_user(g, e->user_id, &user, err);
    if (st == PAL_OK)
        st = gather_type(g, e->type, &type, err);
    return st == PAL_OK ? gather_event(g, user, item, type, e->value, e->time_ms, NULL, err) : st;
}

static enum pal_status take_change(struct gather *g, size_t i, struct pal_error *err)
{
    const struct record *r = &g->more[i].record;
    struct fate *f;
    uint32_t number;
    switch (r->kind) {
    case RECORD_EVENT:
        return take_event(g, i, err);
    case RECORD_ITEM:
        return meet_item(g, r->item.item_id, &number, err);
    case RECORD_USER:
        f = fate_of(&g->users, r->user.user_id);
        return f->gone > (int64_t)i ? PAL_OK : meet_user(g, r->user.user_id, &number, err);
    case RECORD_USER_DELETE:
        f = fate_of(&g->users, r->id);
        f->erased = (int64_t)i;
        break;
    case RECORD_ITEM_DELETE:
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
    case RECORD_CLEAR:
        break;
    }
    return PAL_OK;
}

enum pal_status gather_finish(struct gather *g, struct dataset **out, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = g->from; i < g->count && st == PAL_OK; i++)
        if (on_its_way(g, i))
            st = take_change(g, i, err);
    if (st == PAL_OK)
        st = rows_finish(g->rows, g->d->users.ids.count, g->d->items.ids.count, g->has_times,
                         &g->d->all, err);
    if (st == PAL_OK) {
        *out = g->d;
        g->d = NULL;
    }
    return st;
}
