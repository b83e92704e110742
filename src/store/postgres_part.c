/* A part of a transaction: what it names is looked up in one round trip; then it is gone through in
 * order, here, as the naive store would; then it is written in bulk. */
#include "store/postgres_tx.h"

#include "base/mem.h"

#include <string.h>

static bool has(const char *text)
{
    return text && *text;
}

/* ---- Looking up what a part names ---- */

static enum pal_status once_add(struct pg_once *o, const char *id, bool *fresh,
                                struct pal_error *err)
{
    uint32_t i, before = o->texts.count;
    if (mem_grow(&o->there, &o->cap, (size_t)before + 1, sizeof *o->there))
        return pal_no_memory(err);
    enum pal_status st = intern_add(&o->texts, id, strlen(id), &i, err);
    *fresh = st == PAL_OK && i == before;
    if (*fresh)
        o->there[i] = false;
    return st;
}

void pg_once_clear(struct pg_once *o)
{
    intern_done(&o->texts);
    pg_params_clear(&o->params);
}

/* Whether it was there already; it is from now on. */
static bool once_met(struct pg_once *o, const char *id)
{
    uint32_t i = intern_find(&o->texts, id, strlen(id));
    bool met = o->there[i];
    o->there[i] = true;
    return met;
}

bool pg_tx_counts(const struct pg_tx *t, const struct store_change *c)
{
    return t->stream || c->seq == 0 || (int64_t)c->seq > t->position;
}

/* Whether somebody was erased after this happened: mostly that can't be of what just came in. */
static bool erased_later(const struct pg_tx *t, const struct store_change *c)
{
    return t->stream || (c->at_ms > 0 && t->s->erased_at > change_at(c));
}

static enum pal_status want_event(struct pg_tx *t, const struct store_change *c,
                                  struct pal_error *err)
{
    const struct event *e = &c->record.event;
    bool fresh;
    enum pal_status st = pg_names_want(&t->s->users, e->user_id, erased_later(t, c), err);
    if (st == PAL_OK)
        st = pg_names_want(&t->s->items, e->item_id, false, err);
    return st == PAL_OK && has(e->event_id) && !c->elsewhere
               ? once_add(&t->ids, e->event_id, &fresh, err)
               : st;
}

static enum pal_status want_served(struct pg_tx *t, const struct store_change *c,
                                   struct pal_error *err)
{
    const struct served_row *x = &c->record.served;
    enum pal_status st = PAL_OK;
    bool fresh;
    if (!erased_later(t, c))
        return PAL_OK;
    if (t->stream)
        st = once_add(&t->lists, x->recommendation_id, &fresh, err);
    return st == PAL_OK && has(x->user_id) ? pg_names_want(&t->s->users, x->user_id, true, err)
                                           : st;
}

static enum pal_status want(struct pg_tx *t, const struct store_change *c, struct pal_error *err)
{
    const struct record *r = &c->record;
    switch (r->kind) {
    case RECORD_EVENT:
        return want_event(t, c, err);
    case RECORD_ITEM:
        return pg_names_want(&t->s->items, r->item.item_id, true, err);
    case RECORD_ITEM_DELETE:
        return pg_names_want(&t->s->items, r->id, true, err);
    case RECORD_USER:
        return pg_names_want(&t->s->users, r->user.user_id, pg_tx_judges(t, c), err);
    case RECORD_USER_DELETE:
        return pg_names_want(&t->s->users, r->id, pg_tx_judges(t, c), err);
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        return want_served(t, c, err);
    case RECORD_CLEAR:
        return PAL_OK;
    }
    return pal_fail(err, PAL_EUSAGE, "kind %d: no such kind of record", (int)r->kind);
}

static enum pal_status is_there(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct pg_once *o = ctx;
    int64_t n = pg_int(row, 0);
    if (n < 1 || n > (int64_t)o->texts.count)
        return pal_fail(err, PAL_ECORRUPT, "the store named an event that nobody asked for");
    o->there[n - 1] = true;
    return PAL_OK;
}

static struct pg_work *asked(const struct pg_names *n, int64_t ordinal)
{
    return ordinal >= 1 && ordinal <= (int64_t)n->asked_count ? &n->work[n->asked[ordinal - 1]]
                                                              : NULL;
}

static enum pal_status user_found(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct pg_names *n = ctx;
    struct pg_work *w = asked(n, pg_int(row, 0));
    if (!w)
        return pal_fail(err, PAL_ECORRUPT, "the store named a user whom nobody asked for");
    pg_names_slot(n, w)->number = (int32_t)pg_int(row, 1);
    w->at = pg_int(row, 2);
    w->erased_at = pg_int(row, 3);
    return PAL_OK;
}

static enum pal_status item_found(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct pg_names *n = ctx;
    struct pg_work *w = asked(n, pg_int(row, 0));
    if (!w)
        return pal_fail(err, PAL_ECORRUPT, "the store named an item that nobody asked for");
    pg_names_slot(n, w)->number = (int32_t)pg_int(row, 1);
    w->standing = (int)pg_int(row, 2);
    w->at = pg_int(row, 3);
    return PAL_OK;
}

static void put_asked(const struct pg_names *n, struct pg_params *p)
{
    pg_params_clear(p);
    pg_array_begin(p, PG_TEXT);
    for (size_t i = 0; i < n->asked_count; i++)
        pg_array_text(p, intern_text(&n->texts, n->work[n->asked[i]].slot));
    pg_array_end(p);
}

static void put_ids(struct pg_once *o)
{
    pg_array_begin(&o->params, PG_TEXT);
    for (uint32_t i = 0; i < o->texts.count; i++)
        pg_array_text(&o->params, intern_text(&o->texts, i));
    pg_array_end(&o->params);
}

/* Of the lists to come, by whom and which. */
static void put_lists(struct pg_tx *t, const struct store_change *changes, size_t count)
{
    struct pg_params *p = &t->lists.params;
    const char **who = mem_zero(t->lists.texts.count, sizeof *who);
    for (size_t i = 0; i < count && who; i++) {
        const struct record *r = &changes[i].record;
        if (r->kind == RECORD_SERVED || r->kind == RECORD_SERVED_PACKED) {
            const char *id = r->served.recommendation_id;
            who[intern_find(&t->lists.texts, id, strlen(id))] = r->served.user_id;
        }
    }
    pg_array_begin(p, PG_TEXT);
    for (uint32_t i = 0; i < t->lists.texts.count && who; i++)
        pg_array_text(p, who[i]);
    pg_array_end(p);
    p->bytes.failed |= !who;
    mem_free(who);
    put_ids(&t->lists);
}

static enum pal_status look_up(struct pg_tx *t, const struct store_change *changes, size_t count,
                               struct pal_error *err)
{
    struct pg_ask asks[4];
    size_t n = 0;
    struct pg_names *users = &t->s->users, *items = &t->s->items;
    if (t->ids.texts.count) {
        put_ids(&t->ids);
        asks[n++] = (struct pg_ask){PG_IDS, &t->ids.params, "i", is_there, &t->ids, 0};
    }
    if (t->lists.texts.count) {
        put_lists(t, changes, count);
        asks[n++] = (struct pg_ask){PG_LISTS_FIND, &t->lists.params, "i", is_there, &t->lists, 0};
    }
    if (users->asked_count) {
        put_asked(users, &t->params[0]);
        asks[n++] = (struct pg_ask){PG_USERS_FIND, &t->params[0], "iiii", user_found, users, 0};
    }
    if (items->asked_count) {
        put_asked(items, &t->params[1]);
        asks[n++] = (struct pg_ask){PG_ITEMS_FIND, &t->params[1], "iiii", item_found, items, 0};
    }
    return n ? pg_ask(t->c, asks, n, PG_LONG_MS, err) : PAL_OK;
}

/* ---- Going through a part ---- */

/* The user's number; made, and to be written, if there is none. */
static int64_t user_number(struct pg_tx *t, struct pg_work *w)
{
    struct pg_slot *slot = pg_names_slot(&t->s->users, w);
    if (slot->number == 0) {
        slot->number = (int32_t)t->state.next_user++;
        t->state.users++;
        w->touched = true;
    }
    return slot->number;
}

static int64_t item_number(struct pg_tx *t, struct pg_work *w)
{
    struct pg_slot *slot = pg_names_slot(&t->s->items, w);
    if (slot->number == 0) {
        slot->number = (int32_t)t->state.next_item++;
        t->state.items++;
        w->touched = true;
        w->standing = PG_NAMED;
    }
    return slot->number;
}

static enum pal_status type_found(void *number, const struct pg_row *row, struct pal_error *err)
{
    (void)err;
    *(int64_t *)number = pg_int(row, 0);
    return PAL_OK;
}

/* The number of a type: from memory, or asked for and made. */
static enum pal_status type_number(struct pg_tx *t, const char *name, int64_t *number,
                                   struct pal_error *err)
{
    struct pg_names *types = &t->s->types;
    uint32_t i = intern_find(&types->texts, name, strlen(name));
    enum pal_status st = PAL_OK;
    if (i == INTERN_NONE) {
        st = pg_names_want(types, name, false, err);
        pg_names_rest(types);
        i = st == PAL_OK ? intern_find(&types->texts, name, strlen(name)) : 0;
    }
    if (st == PAL_OK && types->slot[i].number == 0) {
        struct pg_ask a = {PG_TYPE, &t->params[2], "i", type_found, number, 0};
        pg_params_clear(&t->params[2]);
        pg_put_text(&t->params[2], name);
        st = pg_ask(t->c, &a, 1, PG_LONG_MS, err);
        if (st == PAL_OK)
            types->slot[i].number = (int32_t)*number;
    }
    if (st == PAL_OK)
        *number = types->slot[i].number;
    return st;
}

static enum pal_status do_event(struct pg_tx *t, const struct store_change *c, int64_t at,
                                struct pal_error *err)
{
    const struct event *e = &c->record.event;
    struct pg_work *user = pg_names_work(&t->s->users, e->user_id);
    int64_t type;
    if (pg_tx_judges(t, c) && user->erased_at > at)
        return PAL_OK;
    if (!c->elsewhere && has(e->event_id) && once_met(&t->ids, e->event_id)) {
        t->repeated++;
        return PAL_OK;
    }
    enum pal_status st = type_number(t, e->type, &type, err);
    if (st != PAL_OK)
        return st;
    int64_t user_no = user_number(t, user);
    int64_t item_no = item_number(t, pg_names_work(&t->s->items, e->item_id));
    int64_t place = t->state.next_place++;
    if (c->elsewhere)
        return PAL_OK;
    if (t->event_count++ == 0)
        pg_copy_begin(&t->events);
    pg_copy_row(&t->events, 8);
    pg_copy_int(&t->events, place, 8);
    pg_copy_int(&t->events, user_no, 4);
    pg_copy_int(&t->events, item_no, 4);
    pg_copy_int(&t->events, type, 4);
    pg_copy_real(&t->events, e->value);
    pg_copy_int(&t->events, e->time_ms, 8);
    pg_copy_text(&t->events, e->event_id);
    pg_copy_text(&t->events, e->recommendation_id);
    t->state.events++;
    return PAL_OK;
}

static void do_item(struct pg_tx *t, const struct store_change *c, int64_t at)
{
    const struct record *r = &c->record;
    bool put = r->kind == RECORD_ITEM;
    struct pg_work *w = pg_names_work(&t->s->items, put ? r->item.item_id : r->id);
    bool there = pg_names_slot(&t->s->items, w)->number != 0;
    if ((pg_tx_judges(t, c) && w->at > at) || (!put && (!there || w->standing == PG_DELETED)))
        return;
    item_number(t, w);
    t->state.items += there && put && w->standing == PG_DELETED;
    t->state.items -= !put;
    w->standing = put ? PG_PUT : PG_DELETED;
    w->row = put ? &r->item : NULL;
    w->touched = true;
    w->place = t->state.next_place++;
    w->at = at;
}

static void do_user(struct pg_tx *t, const struct store_change *c, int64_t at)
{
    const struct user_row *u = &c->record.user;
    struct pg_work *w = pg_names_work(&t->s->users, u->user_id);
    if (pg_tx_judges(t, c) && (w->erased_at > at || w->at > at))
        return;
    user_number(t, w);
    w->row = u;
    w->touched = true;
    w->at = at;
}

static void do_served(struct pg_tx *t, const struct store_change *c, int64_t at)
{
    const struct served_row *x = &c->record.served;
    if (erased_later(t, c) && has(x->user_id) &&
        pg_names_work(&t->s->users, x->user_id)->erased_at > at)
        return;
    if (t->stream && once_met(&t->lists, x->recommendation_id))
        return;
    if (t->served_count++ == 0)
        pg_copy_begin(&t->served);
    pg_copy_row(&t->served, 6);
    pg_copy_int(&t->served, t->state.next_place++, 8);
    pg_copy_text(&t->served, x->recommendation_id);
    pg_copy_text(&t->served, x->user_id);
    pg_copy_int(&t->served, x->time_ms, 8);
    pg_copy_text(&t->served, x->packed ? NULL : x->list);
    if (x->packed)
        pg_copy_bytes(&t->served, x->packed, x->packed_size);
    else
        pg_copy_null(&t->served);
    t->state.served++;
}

static enum pal_status do_one(struct pg_tx *t, const struct store_change *c, struct pal_error *err)
{
    int64_t at = change_at(c);
    if (pg_tx_judges(t, c) && t->state.cleared_at > at)
        return PAL_OK;
    switch (c->record.kind) {
    case RECORD_EVENT:
        return do_event(t, c, at, err);
    case RECORD_ITEM:
    case RECORD_ITEM_DELETE:
        do_item(t, c, at);
        break;
    case RECORD_USER:
        do_user(t, c, at);
        break;
    case RECORD_SERVED:
    case RECORD_SERVED_PACKED:
        do_served(t, c, at);
        break;
    case RECORD_USER_DELETE:
    case RECORD_CLEAR:
        break; /* these end a part */
    }
    return PAL_OK;
}

/* ---- All of it ---- */

/* What the last change of a part erases. */
static enum pal_status erase(struct pg_tx *t, const struct store_change *c, struct pal_error *err)
{
    int64_t at = change_at(c);
    bool judged = pg_tx_judges(t, c);
    if (judged && t->state.cleared_at > at)
        return PAL_OK;
    if (c->record.kind == RECORD_CLEAR)
        return judged && t->state.cleared_at >= at ? PAL_OK : pg_clear_all(t, at, err);
    if (c->record.kind != RECORD_USER_DELETE ||
        (judged && pg_names_work(&t->s->users, c->record.id)->erased_at >= at))
        return PAL_OK;
    return pg_erase_user(t, c->record.id, at, err);
}

enum pal_status pg_part(struct pg_tx *t, const struct store_change *changes, size_t count,
                        struct pal_error *err)
{
    const struct store_change *last = &changes[count - 1];
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < count && st == PAL_OK; i++)
        if (pg_tx_counts(t, &changes[i]))
            st = want(t, &changes[i], err);
    if (st == PAL_OK)
        st = look_up(t, changes, count, err);
    for (size_t i = 0; i < count && st == PAL_OK; i++)
        if (pg_tx_counts(t, &changes[i]))
            st = do_one(t, &changes[i], err);
    if (st == PAL_OK)
        st = pg_flush(t, err);
    if (st == PAL_OK && pg_tx_counts(t, last))
        st = erase(t, last, err);
    pg_names_rest(&t->s->users);
    pg_names_rest(&t->s->items);
    pg_once_clear(&t->ids);
    pg_once_clear(&t->lists);
    return st;
}
