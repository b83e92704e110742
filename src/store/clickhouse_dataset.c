/* Everything as a data set, the same as if the events lay in the catalog: events must come in the
 * order of their places, since equal times are told apart by it. Sorting them in the server would
 * take it long; but places are drawn without gaps to speak of, so the rows of one range, in
 * whatever order they come, are put into a table at their places and taken out in order. */
#include "store/clickhouse_inside.h"
#include "store/gather.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { STEP_ROWS = 1 << 16, MET_BITS = 15 };

/* An item that was met lately. */
struct met {
    uint32_t number;
    uint8_t size; /* of its id; 0 = none */
    char id[27];
};

struct slot {
    uint32_t user, item; /* as gather calls them; INTERN_NONE as item = free */
    float value;
    uint32_t id; /* where its id lies in `ids`; 0 = not asked for */
    int64_t time_ms;
    uint8_t type;
};

struct reading {
    struct gather *g;
    const struct run *run;
    struct ch_erasures erasures;
    struct slot *slots; /* for places base … base + count - 1 */
    uint64_t base, count;
    struct str ids; /* event_ids that are asked for, each with a NUL; one byte at first */
    struct met_type {
        char name[RECORD_TYPE_MOST];
        uint8_t size, number;
    } type[EVENT_TYPES]; /* (types) */
    size_t types;
    char user_id[RECORD_ID_MOST + 1]; /* of the last row, since a user's rows come together, */
    size_t user_size;
    uint32_t user;   /* what gather calls the user, */
    bool known;      /* who is one, */
    uint64_t before; /* and whose rows below that place were erased */
    uint64_t done, total;
    struct met *met; /* (1 << MET_BITS) of each hash the last one: 1 MB, which caches hold */
};

static bool is_same(const struct ch_words *w, const char *text, size_t size)
{
    return w->size == size && memcmp(w->p, text, size) == 0;
}

/* A text of its own; "", which names nothing, for one that is longer than any id. */
static const char *as_text(const struct ch_words *w, char text[RECORD_ID_MOST + 1])
{
    size_t size = w->size <= RECORD_ID_MOST ? w->size : 0;
    memcpy(text, w->p, size);
    text[size] = 0;
    return text;
}

static enum pal_status number_of_type(struct reading *r, const struct ch_words *name, uint8_t *out,
                                      struct pal_error *err)
{
    char text[RECORD_ID_MOST + 1];
    for (size_t i = 0; i < r->types; i++)
        if (is_same(name, r->type[i].name, r->type[i].size)) {
            *out = r->type[i].number;
            return PAL_OK;
        }
    enum pal_status st = gather_type(r->g, as_text(name, text), out, err);
    if (st != PAL_OK || name->size > RECORD_TYPE_MOST || r->types == EVENT_TYPES)
        return st;
    struct met_type *t = &r->type[r->types++];
    memcpy(t->name, name->p, name->size);
    t->size = (uint8_t)name->size;
    t->number = *out;
    return PAL_OK;
}

static void look_at_user(struct reading *r, const struct ch_words *id)
{
    if (id->size && is_same(id, r->user_id, r->user_size))
        return;
    as_text(id, r->user_id);
    r->user_size = strlen(r->user_id);
    r->known = gather_user_of(r->g, r->user_id, &r->user);
    r->before = ch_erased_before(&r->erasures, r->user_id);
}

/* Of the first and the last eight bytes, which is enough for this. */
static size_t met_at(const char *id, size_t size)
{
    uint64_t first = 0, last = 0;
    memcpy(&first, id, size < 8 ? size : 8);
    memcpy(&last, size < 8 ? id : id + size - 8, size < 8 ? size : 8);
    return (first * 0x9e3779b97f4a7c15u ^ last) * 0xff51afd7ed558ccdu >> (64 - MET_BITS);
}

/* As gather_item_of; most items come often. */
static bool item_of(struct reading *r, const struct ch_words *id, uint32_t *number)
{
    char text[RECORD_ID_MOST + 1];
    if (!id->size || id->size > sizeof r->met->id)
        return gather_item_of(r->g, as_text(id, text), number);
    struct met *m = &r->met[met_at(id->p, id->size)];
    if (!is_same(id, m->id, m->size)) {
        if (!gather_item_of(r->g, as_text(id, text), number))
            return false;
        m->number = *number;
        m->size = (uint8_t)id->size;
        memcpy(m->id, id->p, id->size);
    }
    *number = m->number;
    return true;
}

/* Keeps the row's id if it is asked for. */
static enum pal_status keep_id(struct reading *r, const struct ch_words *id, struct slot *slot,
                               struct pal_error *err)
{
    char text[RECORD_ID_MOST + 1];
    if (!id->size || !gather_asks_for(r->g, as_text(id, text)))
        return PAL_OK;
    slot->id = (uint32_t)r->ids.len;
    str_add(&r->ids, text, strlen(text) + 1);
    return str_ok(&r->ids) ? PAL_OK : pal_no_memory(err);
}

static enum pal_status damaged(struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "a row of ClickHouse's table 'events' makes no sense");
}

/* fields: user, place, item, type, value, event_id, time_ms */
static enum pal_status on_row(void *ctx, const union ch_field *f, struct pal_error *err)
{
    struct reading *r = ctx;
    struct slot slot = {.value = f[4].f32, .time_ms = f[6].i64};
    uint64_t place = f[1].u64;
    enum pal_status st = PAL_OK;
    if (r->done++ % STEP_ROWS == 0)
        st = run_step(r->run, "loading", r->done, r->total, err);
    if (st == PAL_OK && (place < r->base || place - r->base >= r->count || f[6].i64 < 0))
        st = damaged(err);
    if (st != PAL_OK)
        return st;
    /* Of somebody who was erased, or of a moment after ours. */
    look_at_user(r, &f[0].words);
    if (!r->known || place < r->before || !item_of(r, &f[2].words, &slot.item))
        return PAL_OK;
    slot.user = r->user;
    st = number_of_type(r, &f[3].words, &slot.type, err);
    if (st == PAL_OK)
        st = keep_id(r, &f[5].words, &slot, err);
    r->slots[place - r->base] = slot;
    return st;
}

static enum pal_status give(struct reading *r, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (uint64_t i = 0; i < r->count && st == PAL_OK; i++) {
        const struct slot *s = &r->slots[i];
        if (s->item != INTERN_NONE)
            st = gather_event(r->g, s->user, s->item, s->type, s->value, s->time_ms,
                              s->id ? r->ids.text + s->id : NULL, err);
    }
    return st;
}

/* The rows of places base … base + count - 1. */
static enum pal_status read_range(struct ch *c, struct reading *r, struct pal_error *err)
{
    char sql[300];
    for (uint64_t i = 0; i < r->count; i++)
        r->slots[i].item = INTERN_NONE;
    str_clear(&r->ids);
    str_char(&r->ids, 0);
    snprintf(
        sql, sizeof sql,
        "SELECT user, place, item, type, value, %s, time_ms FROM $DB.events WHERE place >= %llu "
        "AND place < %llu FORMAT RowBinary",
        gather_wants_ids(r->g) ? "event_id" : "''", (unsigned long long)r->base,
        (unsigned long long)(r->base + r->count));
    enum pal_status st = ch_select(c, sql, "tqttfti", on_row, r, err);
    return st == PAL_OK ? give(r, err) : st;
}

static enum pal_status read_all(struct ch *c, struct reading *r, uint64_t mark,
                                struct pal_error *err)
{
    uint64_t most = (uint64_t)1 << CH_RANGE_BITS;
    if (most > mark + 1)
        most = mark + 1;
    r->total = mark;
    r->slots = mem_alloc(most, sizeof *r->slots);
    r->met = mem_zero((size_t)1 << MET_BITS, sizeof *r->met);
    enum pal_status st =
        r->slots && r->met ? ch_erasures_read(c, mark, &r->erasures, err) : pal_no_memory(err);
    for (r->base = 0; r->base <= mark && st == PAL_OK; r->base += most) {
        r->count = mark + 1 - r->base < most ? mark + 1 - r->base : most;
        st = read_range(c, r, err);
    }
    return st;
}

enum pal_status clickhouse_dataset(struct store *base, const struct store_change *more,
                                   size_t count, const struct run *run, struct dataset **out,
                                   uint64_t *position, struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct reading r = {.run = run};
    struct ch c = {.place = NULL};
    uint64_t at = 0, mark = 0;
    enum pal_status st =
        s->catalog->ops->frame(s->catalog, more, count, run, &r.g, &at, &mark, err);
    if (st == PAL_OK)
        st = ch_new(&s->place, false, &c, err);
    if (st == PAL_OK && !gather_cleared(r.g))
        st = read_all(&c, &r, mark, err);
    if (st == PAL_OK)
        st = gather_finish(r.g, out, err);
    if (st == PAL_OK && position)
        *position = at;
    ch_done(&c);
    gather_free(r.g);
    ch_erasures_done(&r.erasures);
    mem_free(r.slots);
    mem_free(r.met);
    str_done(&r.ids);
    return st;
}
