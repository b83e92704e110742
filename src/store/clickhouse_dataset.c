/* Everything as a data set, the same as if the events lay in the catalog: events must come in the
 * order of their places, since equal times are told apart by it. Sorting them in the server would
 * take it long; but places are drawn without gaps to speak of, so the rows of one range, in
 * whatever order they come, are put into a table at their places and taken out in order. */
#include "store/clickhouse_inside.h"
#include "store/gather.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { STEP_ROWS = 1 << 16 };

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
    struct str ids;     /* event_ids that are asked for, each with a NUL; one byte at first */
    char type_name[64]; /* of the last row's type, and its number */
    uint8_t type;
    char user_id[RECORD_ID_MOST + 1]; /* of the last row, since a user's rows come together, */
    uint32_t user;                    /* what gather calls the user, */
    bool known;                       /* who is one, */
    uint64_t before;                  /* and whose rows below that place were erased */
    uint64_t done, total;
};

static enum pal_status number_of_type(struct reading *r, const char *name, uint8_t *out,
                                      struct pal_error *err)
{
    if (strcmp(name, r->type_name) != 0 || !*name) {
        enum pal_status st = gather_type(r->g, name, &r->type, err);
        if (st != PAL_OK)
            return st;
        snprintf(r->type_name, sizeof r->type_name, "%s", name);
    }
    *out = r->type;
    return PAL_OK;
}

static void look_at_user(struct reading *r, const char *id)
{
    if (*id && strcmp(id, r->user_id) == 0)
        return;
    snprintf(r->user_id, sizeof r->user_id, "%s", id);
    r->known = gather_user_of(r->g, id, &r->user);
    r->before = ch_erased_before(&r->erasures, id);
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
    look_at_user(r, f[0].text);
    if (!r->known || place < r->before || !gather_item_of(r->g, f[2].text, &slot.item))
        return PAL_OK;
    slot.user = r->user;
    st = number_of_type(r, f[3].text, &slot.type, err);
    if (st == PAL_OK && *f[5].text && gather_asks_for(r->g, f[5].text)) {
        slot.id = (uint32_t)r->ids.len;
        str_add(&r->ids, f[5].text, strlen(f[5].text) + 1);
        if (!str_ok(&r->ids))
            st = pal_no_memory(err);
    }
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
    enum pal_status st = ch_select(c, sql, "sqssfsi", on_row, r, err);
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
    enum pal_status st =
        r->slots ? ch_erasures_read(c, mark, &r->erasures, err) : pal_no_memory(err);
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
        st = ch_new(&s->place, &c, err);
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
    str_done(&r.ids);
    return st;
}
