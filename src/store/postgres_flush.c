/* Writing what a part changed, in bulk: users and items by arrays, events and served lists by COPY;
 * and erasing. */
#include "store/postgres_tx.h"

/* ---- Writing a part ---- */

/* A column of those that were touched; of a user or item without a row nothing is known. */
#define COLUMN(names, type, put_one, value)                                                        \
    do {                                                                                           \
        pg_array_begin(p, type);                                                                   \
        for (size_t i_ = 0; i_ < (names)->work_count; i_++) {                                      \
            const struct pg_work *w = &(names)->work[i_];                                          \
            if (w->touched)                                                                        \
                put_one(p, value);                                                                 \
        }                                                                                          \
        pg_array_end(p);                                                                           \
    } while (0)

static bool any_touched(const struct pg_names *n)
{
    for (size_t i = 0; i < n->work_count; i++)
        if (n->work[i].touched)
            return true;
    return false;
}

static void put_users(const struct pg_names *n, struct pg_params *p)
{
#define ROW ((const struct user_row *)w->row)
    pg_params_clear(p);
    COLUMN(n, PG_INT4, pg_array_int, pg_names_slot(n, w)->number);
    COLUMN(n, PG_TEXT, pg_array_text, intern_text(&n->texts, w->slot));
    COLUMN(n, PG_TEXT, pg_array_text, ROW ? ROW->attributes : NULL);
    COLUMN(n, PG_INT8, pg_array_int, ROW ? ROW->created_ms : 0);
    COLUMN(n, PG_INT8, pg_array_int, w->at);
#undef ROW
}

static void put_items(const struct pg_names *n, struct pg_params *p)
{
#define ROW ((const struct item_row *)w->row)
    pg_params_clear(p);
    COLUMN(n, PG_INT4, pg_array_int, pg_names_slot(n, w)->number);
    COLUMN(n, PG_TEXT, pg_array_text, intern_text(&n->texts, w->slot));
    COLUMN(n, PG_INT4, pg_array_int, w->standing);
    COLUMN(n, PG_TEXT, pg_array_text, ROW ? ROW->title : NULL);
    COLUMN(n, PG_TEXT, pg_array_text, ROW ? ROW->categories : NULL);
    COLUMN(n, PG_TEXT, pg_array_text, ROW ? ROW->attributes : NULL);
    COLUMN(n, PG_TEXT, pg_array_text, ROW ? ROW->image_url : NULL);
    COLUMN(n, PG_BOOL, pg_array_int, ROW ? ROW->available : w->standing == PG_NAMED);
    COLUMN(n, PG_INT8, pg_array_int, ROW ? ROW->created_ms : 0);
    COLUMN(n, PG_INT8, pg_array_int, w->place);
    COLUMN(n, PG_INT8, pg_array_int, w->at);
#undef ROW
}

static enum pal_status copy_rows(struct pg_tx *t, const char *sql, struct str *rows, size_t *count,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (*count) {
        pg_copy_end(rows);
        st = pg_copy_in(t->c, sql, rows, err);
    }
    str_clear(rows);
    *count = 0;
    return st;
}

enum pal_status pg_flush(struct pg_tx *t, struct pal_error *err)
{
    struct pg_ask asks[2];
    size_t n = 0;
    enum pal_status st = PAL_OK;
    if (any_touched(&t->s->users)) {
        put_users(&t->s->users, &t->params[0]);
        asks[n++] = (struct pg_ask){.sql = PG_USERS_PUT, .params = &t->params[0]};
    }
    if (any_touched(&t->s->items)) {
        put_items(&t->s->items, &t->params[1]);
        asks[n++] = (struct pg_ask){.sql = PG_ITEMS_PUT, .params = &t->params[1]};
    }
    if (n)
        st = pg_ask(t->c, asks, n, PG_LONG_MS, err);
    if (st == PAL_OK)
        st = copy_rows(t, pg_into_events, &t->events, &t->event_count, err);
    return st == PAL_OK ? copy_rows(t, pg_into_served, &t->served, &t->served_count, err) : st;
}

/* ---- Erasing ---- */

enum pal_status pg_erase_user(struct pg_tx *t, const char *id, int64_t at, struct pal_error *err)
{
    struct pg_work *w = pg_names_work(&t->s->users, id);
    struct pg_slot *slot = pg_names_slot(&t->s->users, w);
    struct pg_params *by_id = &t->params[0], *by_no = &t->params[1], *put = &t->params[2],
                     *before = &t->params[3];
    struct pg_ask asks[] = {
        {.sql = PG_ERASE_LISTS, .params = by_id},    {.sql = PG_ERASED_PUT, .params = put},
        {.sql = PG_ERASED_FORGET, .params = before}, {.sql = PG_ERASE_EVENTS, .params = by_no},
        {.sql = PG_ERASE_USER, .params = by_no},
    };
    for (int i = 0; i < 4; i++)
        pg_params_clear(&t->params[i]);
    pg_put_text(by_id, id);
    pg_put_int(by_no, slot->number);
    pg_put_text(put, id);
    pg_put_int(put, at);
    pg_put_int(put, t->state.next_place++);
    pg_put_int(before, at - CHANGE_ERASED_KEPT);
    enum pal_status st = pg_ask(t->c, asks, slot->number ? 5 : 3, PG_LONG_MS, err);
    if (st != PAL_OK)
        return st;
    t->state.served -= asks[0].rows;
    if (slot->number) {
        t->state.events -= asks[3].rows;
        t->state.users--;
        t->state.epoch++;
        slot->number = 0;
    }
    return PAL_OK;
}

/* Notes stay, but for those about imports: they say what is in the tables that are empty now. */
enum pal_status pg_clear_all(struct pg_tx *t, int64_t at, struct pal_error *err)
{
    struct pg_ask asks[] = {{.sql = PG_CLEAR_EVENTS}, {.sql = PG_CLEAR_LISTS},
                            {.sql = PG_CLEAR_USERS},  {.sql = PG_CLEAR_ITEMS},
                            {.sql = PG_CLEAR_TYPES},  {.sql = PG_CLEAR_ERASED},
                            {.sql = PG_CLEAR_NOTES}};
    enum pal_status st = pg_script(t->c, "SET LOCAL statement_timeout = 0", PG_LONG_MS, err);
    if (st == PAL_OK)
        st = pg_ask(t->c, asks, sizeof asks / sizeof asks[0], PG_CLEAR_MS, err);
    pg_names_done(&t->s->users);
    pg_names_done(&t->s->items);
    pg_names_done(&t->s->types);
    t->state.items = t->state.users = t->state.events = t->state.served = 0;
    t->state.cleared = t->state.next_place++;
    t->state.cleared_at = at;
    t->state.epoch++;
    return st;
}
