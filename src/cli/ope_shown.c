/* See ope_shown.h. Lists first, then events, both out of the store and then of what the journal
 * holds beyond it. What was drained between the two readings comes twice, which changes nothing: a
 * list that is known is passed over, and a slot takes the largest of the weights. */
#include "cli/ope_shown.h"
#include "cli/pending.h"

#include "base/mem.h"
#include "base/scheme.h"
#include "data/served.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

struct reading_shown {
    struct shown s;
    const struct weights *weights;
    int64_t window_ms;
};

void shown_done(struct shown *s)
{
    intern_done(&s->lists);
    intern_done(&s->items);
    intern_done(&s->users);
    intern_done(&s->sources);
    mem_free(s->slot);
    mem_free(s->list);
    mem_free(s->order);
    mem_free(s->begin);
}

static enum pal_status number(struct intern *t, const char *text, uint32_t *out,
                              struct pal_error *err)
{
    return intern_add(t, text, strlen(text), out, err);
}

/* Whether every slot says by what chance it was filled. */
static bool has_propensities(const json_t *items)
{
    size_t i;
    const json_t *x;
    json_array_foreach(items, i, x)
    {
        double p = json_number_value(json_object_get(x, "propensity"));
        if (!json_string_value(json_object_get(x, "item_id")) || !(p > 0 && p <= 1))
            return false;
    }
    return json_array_size(items) > 0;
}

static enum pal_status put_slot(struct shown *s, const json_t *x, uint32_t unit,
                                struct pal_error *err)
{
    const char *source = json_string_value(json_object_get(x, "source"));
    struct slot slot = {.propensity = json_number_value(json_object_get(x, "propensity")),
                        .unit = unit,
                        .explored = json_is_true(json_object_get(x, "explored"))};
    if (mem_grow(&s->slot, &s->slot_cap, s->slots + 1, sizeof *s->slot))
        return pal_no_memory(err);
    enum pal_status st =
        number(&s->items, json_string_value(json_object_get(x, "item_id")), &slot.item, err);
    if (!st)
        st = number(&s->sources, source ? source : "unknown", &slot.source, err);
    if (!st) {
        s->slot[s->slots++] = slot;
        s->explored += slot.explored;
    }
    return st;
}

/* Who saw it: a user's number, or one past all users for somebody without an id. Users get theirs
 * first come, so both kinds are told apart by the top bit until all are known. */
enum { NOBODY = 1u << 31 };

static enum pal_status put_list(struct shown *s, const struct served_row *row, const json_t *items,
                                struct pal_error *err)
{
    uint32_t unit = NOBODY + s->units, at;
    if (mem_grow(&s->list, &s->list_cap, (size_t)s->lists.count + 2, sizeof *s->list))
        return pal_no_memory(err);
    enum pal_status st = PAL_OK;
    if (row->user_id && *row->user_id)
        st = number(&s->users, row->user_id, &unit, err);
    else
        s->units++;
    if (!st)
        st = number(&s->lists, row->recommendation_id, &at, err);
    if (st)
        return st;
    s->list[at].time_ms = row->time_ms;
    s->list[at].first = s->slots;
    for (size_t i = 0; i < json_array_size(items) && !st; i++)
        st = put_slot(s, json_array_get(items, i), unit, err);
    s->list[at + 1].first = s->slots;
    return st;
}

static enum pal_status take_list(void *ctx, const struct served_row *row, struct pal_error *err)
{
    struct shown *s = &((struct reading_shown *)ctx)->s;
    struct str text = {0};
    const char *id = row->recommendation_id;
    if (!id || !*id || intern_find(&s->lists, id, strlen(id)) != INTERN_NONE)
        return PAL_OK;
    if (row->packed)
        served_json(row->packed, row->packed_size, &text);
    json_t *items = json_loads(row->packed ? str_text(&text) : row->list, 0, NULL);
    bool fine = str_ok(&text);
    str_done(&text);
    enum pal_status st = fine ? PAL_OK : pal_no_memory(err);
    if (!st && has_propensities(items))
        st = put_list(s, row, items, err);
    else
        s->without++;
    json_decref(items);
    return st;
}

/* ---- Whose lists are when ---- */

/* The user who saw a list; INTERN_NONE for somebody without an id. */
static uint32_t viewer(const struct shown *s, uint32_t list)
{
    uint32_t unit = s->slot[s->list[list].first].unit;
    return unit < NOBODY ? unit : INTERN_NONE;
}

/* Lists come in the order of time but for clocks that were set back: each goes behind those of its
 * user that are not later. */
static void put_in_order(struct shown *s, uint32_t list, uint32_t begin, uint32_t end)
{
    uint32_t at = end;
    while (at > begin && s->list[s->order[at - 1]].time_ms > s->list[list].time_ms) {
        s->order[at] = s->order[at - 1];
        at--;
    }
    s->order[at] = list;
}

static enum pal_status order_lists(struct shown *s, struct pal_error *err)
{
    uint32_t users = s->users.count, lists = s->lists.count, user;
    uint32_t *end = mem_zero((size_t)users + 1, sizeof *end);
    s->order = mem_alloc(lists ? lists : 1, sizeof *s->order);
    s->begin = mem_zero((size_t)users + 1, sizeof *s->begin);
    if (!end || !s->order || !s->begin) {
        mem_free(end);
        return pal_no_memory(err);
    }
    for (uint32_t i = 0; i < lists; i++)
        if ((user = viewer(s, i)) != INTERN_NONE)
            s->begin[user + 1]++;
    for (uint32_t u = 0; u < users; u++) {
        s->begin[u + 1] += s->begin[u];
        end[u] = s->begin[u];
    }
    for (uint32_t i = 0; i < lists; i++)
        if ((user = viewer(s, i)) != INTERN_NONE)
            put_in_order(s, i, s->begin[user], end[user]++);
    mem_free(end);
    return PAL_OK;
}

/* ---- What came of them ---- */

/* The slot of a list that holds the item; SIZE_MAX if none does. */
static size_t slot_of(const struct shown *s, uint32_t list, uint32_t item)
{
    for (size_t i = s->list[list].first; i < s->list[list + 1].first; i++)
        if (s->slot[i].item == item)
            return i;
    return SIZE_MAX;
}

/* The latest list before the event that showed its item to its user. */
static size_t guess(const struct reading_shown *r, const struct event *e, uint32_t item)
{
    const struct shown *s = &r->s;
    uint32_t user = intern_find(&s->users, e->user_id, strlen(e->user_id));
    if (user == INTERN_NONE || item == INTERN_NONE)
        return SIZE_MAX;
    for (uint32_t i = s->begin[user + 1]; i-- > s->begin[user];) {
        uint32_t list = s->order[i];
        if (s->list[list].time_ms > e->time_ms)
            continue;
        if (e->time_ms - s->list[list].time_ms > r->window_ms)
            break;
        size_t slot = slot_of(s, list, item);
        if (slot != SIZE_MAX)
            return slot;
    }
    return SIZE_MAX;
}

static void earn(struct shown *s, size_t slot, double weight)
{
    double was = s->slot[slot].reward;
    s->counted++;
    if (fabs(weight) > fabs(was) || (fabs(weight) == fabs(was) && weight > was))
        s->slot[slot].reward = weight;
}

static void take(struct reading_shown *r, const struct event *e)
{
    struct shown *s = &r->s;
    const char *id = e->recommendation_id;
    double weight = weights_of(r->weights, e->type, e->value);
    uint32_t item = intern_find(&s->items, e->item_id, strlen(e->item_id));
    if (!id || !*id) {
        size_t slot = guess(r, e, item);
        if (slot == SIZE_MAX)
            return; /* it answers no list */
        s->guessed++;
        earn(s, slot, weight);
        return;
    }
    uint32_t list = intern_find(&s->lists, id, strlen(id));
    size_t slot = list == INTERN_NONE ? SIZE_MAX : slot_of(s, list, item);
    if (slot == SIZE_MAX)
        s->unknown++;
    else if (e->time_ms < s->list[list].time_ms ||
             e->time_ms - s->list[list].time_ms > r->window_ms)
        s->outside++;
    else
        earn(s, slot, weight);
}

static enum pal_status take_event(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    take(ctx, &e->event);
    return PAL_OK;
}

static enum pal_status take_pending(struct reading_shown *r, const struct pending *p, bool events,
                                    struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < p->count && !st; i++) {
        const struct record *x = &p->change[i].record;
        if (events && x->kind == RECORD_EVENT)
            take(r, &x->event);
        if (!events && (x->kind == RECORD_SERVED || x->kind == RECORD_SERVED_PACKED))
            st = take_list(r, &x->served, err);
    }
    return st;
}

/* Gives those without an id numbers behind the users'. */
static void number_units(struct shown *s)
{
    for (size_t i = 0; i < s->slots; i++)
        if (s->slot[i].unit >= NOBODY)
            s->slot[i].unit += s->users.count - NOBODY;
    s->units += s->users.count;
}

enum pal_status shown_read(struct job *job, const struct weights *w, int64_t window_ms,
                           struct shown *out, struct pal_error *err)
{
    struct reading_shown r = {.weights = w, .window_ms = window_ms};
    struct store *s = NULL;
    struct pending p = {0};
    char url[256];
    scheme_copy(url, sizeof url, job->set.store);
    enum pal_status st = store_open(job->set.store, true, &s, err);
    if (!st)
        st = run_step(&job->run, "loading", 0, 0, err);
    if (!st)
        st = pending_read(job, s, &p, err);
    if (!st)
        st = store_all_served(s, take_list, &r, err);
    if (!st)
        st = take_pending(&r, &p, false, err);
    if (!st && !r.s.slots)
        st = pal_fail(err, PAL_EUNSUPPORTED,
                      "%s holds no served lists with propensities (%zu without): palate serve "
                      "keeps them unless live.served is off",
                      url, r.s.without);
    if (!st)
        st = order_lists(&r.s, err);
    if (!st)
        st = store_events(s, 0, take_event, &r, err);
    if (!st)
        st = take_pending(&r, &p, true, err);
    if (!st) {
        number_units(&r.s);
        *out = r.s;
        memset(&r.s, 0, sizeof r.s);
    }
    shown_done(&r.s);
    store_close(s);
    pending_done(&p);
    return st;
}
