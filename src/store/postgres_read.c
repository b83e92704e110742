/* Reading: single rows and a user's latest by prepared statements; everything by COPY, in one
 * transaction that sees one moment. */
#include "store/postgres.h"

#include "base/mem.h"
#include "data/served.h"

#include <string.h>

/* ---- Rows ---- */

struct event pg_event_of(const struct pg_row *row)
{
    return (struct event){.user_id = pg_text(row, 1),
                          .item_id = pg_text(row, 2),
                          .type = pg_text(row, 3),
                          .value = pg_real(row, 4),
                          .time_ms = pg_int(row, 5),
                          .event_id = pg_text(row, 6),
                          .recommendation_id = pg_text(row, 7)};
}

struct item_row pg_item_of(const struct pg_row *row)
{
    return (struct item_row){.item_id = pg_text(row, 0),
                             .title = pg_text(row, 1),
                             .categories = pg_text(row, 2),
                             .attributes = pg_text(row, 3),
                             .image_url = pg_text(row, 4),
                             .available = pg_int(row, 5) != 0,
                             .created_ms = pg_int(row, 6)};
}

/* Who gets what is read. */
struct giving {
    union {
        store_event_fn *event;
        store_item_fn *item;
        store_user_fn *user;
        store_served_fn *served;
    } fn;
    void *ctx;
    struct str json; /* of the list at hand, where it was packed */
};

static enum pal_status give_event(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct giving *g = ctx;
    struct stored_event e = {(uint64_t)pg_int(row, 0), pg_event_of(row)};
    return g->fn.event(g->ctx, &e, err);
}

static enum pal_status give_item(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct giving *g = ctx;
    struct item_row i = pg_item_of(row);
    return g->fn.item(g->ctx, &i, err);
}

static enum pal_status give_user(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct giving *g = ctx;
    struct user_row u = {pg_text(row, 0), pg_text(row, 1), pg_int(row, 2)};
    return g->fn.user(g->ctx, &u, err);
}

static enum pal_status give_served(void *ctx, const struct pg_row *row, struct pal_error *err)
{
    struct giving *g = ctx;
    struct served_row x = {.recommendation_id = pg_text(row, 0),
                           .user_id = pg_text(row, 1),
                           .time_ms = pg_int(row, 2),
                           .list = pg_text(row, 3)};
    if (row->field[4].len >= 0) {
        const void *packed = row->field[4].p;
        size_t size = (size_t)row->field[4].len;
        if (served_fault(packed, size))
            return pal_fail(err, PAL_ECORRUPT,
                            "a served list in the store is damaged: restore a "
                            "dump");
        str_clear(&g->json);
        served_json(packed, size, &g->json);
        if (!str_ok(&g->json))
            return pal_no_memory(err);
        x.list = str_text(&g->json);
    }
    return g->fn.served(g->ctx, &x, err);
}

/* ---- Walks and look-ups ---- */

static enum pal_status walk(struct pg_store *s, const char *sql, const char *shape, pg_row_fn *fn,
                            struct giving *g, struct pal_error *err)
{
    struct pg_link *c;
    enum pal_status st = pg_moment_begin(s, &c, err);
    return st == PAL_OK ? pg_moment_end(s, c, pg_copy_out(c, sql, shape, fn, g, err)) : st;
}

static enum pal_status find_one(struct pg_store *s, enum pg_sql which, const char *shape,
                                pg_row_fn *fn, struct giving *g, const char *what, const char *id,
                                struct pal_error *err)
{
    struct pg_params p = {0};
    struct pg_ask a = {which, &p, shape, fn, g, 0};
    pg_put_whole(&p, id);
    enum pal_status st = pg_read(s, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    if (st == PAL_OK && a.rows == 0)
        st = pal_fail(err, PAL_ENOTFOUND, "no %s '%s' is known", what, id);
    return st;
}

static int64_t limit_of(size_t most)
{
    return most == 0 || most > INT64_MAX ? INT64_MAX : (int64_t)most;
}

enum pal_status pg_user_events(struct store *base, const char *user_id, uint64_t before,
                               size_t most, store_event_fn *fn, void *ctx, struct pal_error *err)
{
    struct giving g = {.fn.event = fn, .ctx = ctx};
    struct pg_params p = {0};
    struct pg_ask a = {PG_READ_USER_EVENTS, &p, PG_EVENT_SHAPE, give_event, &g, 0};
    if (most == 0)
        return PAL_OK;
    pg_put_whole(&p, user_id);
    pg_put_int(&p, before == 0 || before > INT64_MAX ? INT64_MAX : (int64_t)before);
    pg_put_int(&p, limit_of(most));
    enum pal_status st = pg_read((struct pg_store *)base, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    return st;
}

static enum pal_status one_number(void *number, const struct pg_row *row, struct pal_error *err)
{
    (void)err;
    *(int64_t *)number = pg_int(row, 0);
    return PAL_OK;
}

enum pal_status pg_user_count(struct store *base, const char *user_id, uint64_t *events,
                              struct pal_error *err)
{
    int64_t count = 0;
    struct pg_params p = {0};
    struct pg_ask a = {PG_READ_USER_COUNT, &p, "i", one_number, &count, 0};
    pg_put_whole(&p, user_id);
    enum pal_status st = pg_read((struct pg_store *)base, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    if (st == PAL_OK)
        *events = (uint64_t)count;
    return st;
}

enum pal_status pg_events(struct store *base, uint64_t after, store_event_fn *fn, void *ctx,
                          struct pal_error *err)
{
    struct giving g = {.fn.event = fn, .ctx = ctx};
    char sql[512];
    pg_all_events(sql, sizeof sql, after);
    return walk((struct pg_store *)base, sql, PG_EVENT_SHAPE, give_event, &g, err);
}

enum pal_status pg_items(struct store *base, const char *item_id, store_item_fn *fn, void *ctx,
                         struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    struct giving g = {.fn.item = fn, .ctx = ctx};
    return item_id ? find_one(s, PG_READ_ITEM, PG_ITEM_SHAPE, give_item, &g, "item", item_id, err)
                   : walk(s, pg_all_items, PG_ITEM_SHAPE, give_item, &g, err);
}

enum pal_status pg_deleted_items(struct store *base, store_item_fn *fn, void *ctx,
                                 struct pal_error *err)
{
    struct giving g = {.fn.item = fn, .ctx = ctx};
    return walk((struct pg_store *)base, pg_all_deleted, PG_ITEM_SHAPE, give_item, &g, err);
}

enum pal_status pg_users(struct store *base, const char *user_id, store_user_fn *fn, void *ctx,
                         struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    struct giving g = {.fn.user = fn, .ctx = ctx};
    return user_id ? find_one(s, PG_READ_USER, PG_USER_SHAPE, give_user, &g, "user", user_id, err)
                   : walk(s, pg_all_users, PG_USER_SHAPE, give_user, &g, err);
}

static enum pal_status walk_served(struct pg_store *s, const char *sql, store_served_fn *fn,
                                   void *ctx, struct pal_error *err)
{
    struct giving g = {.fn.served = fn, .ctx = ctx};
    enum pal_status st = walk(s, sql, PG_SERVED_SHAPE, give_served, &g, err);
    str_done(&g.json);
    return st;
}

enum pal_status pg_served(struct store *base, const char *user_id, size_t most, store_served_fn *fn,
                          void *ctx, struct pal_error *err)
{
    struct giving g = {.fn.served = fn, .ctx = ctx};
    struct pg_params p = {0};
    struct pg_ask a = {
        user_id ? PG_READ_SERVED_OF : PG_READ_SERVED, &p, PG_SERVED_SHAPE, give_served, &g, 0};
    if (!user_id && most == 0)
        return walk_served((struct pg_store *)base, pg_all_served_back, fn, ctx, err);
    if (user_id)
        pg_put_whole(&p, user_id);
    pg_put_int(&p, limit_of(most));
    enum pal_status st = pg_read((struct pg_store *)base, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    str_done(&g.json);
    return st;
}

enum pal_status pg_all_served_lists(struct store *base, store_served_fn *fn, void *ctx,
                                    struct pal_error *err)
{
    return walk_served((struct pg_store *)base, pg_all_served, fn, ctx, err);
}

/* ---- Types and notes ---- */

static enum pal_status add_type(void *types, const struct pg_row *row, struct pal_error *err)
{
    struct event_types *out = types;
    uint8_t number;
    const char *name = pg_text(row, 1);
    return out->count < EVENT_TYPES ? event_type_add(out, name, strlen(name), &number, err)
                                    : PAL_OK;
}

enum pal_status pg_types(struct store *base, struct event_types *out, struct pal_error *err)
{
    struct pg_ask a = {PG_TYPES, NULL, "it", add_type, out, 0};
    out->count = 0;
    return pg_read((struct pg_store *)base, &a, 1, PG_SHORT_MS, err);
}

static enum pal_status copy_text(void *text, const struct pg_row *row, struct pal_error *err)
{
    char **out = text;
    *out = mem_text(pg_text(row, 0), strlen(pg_text(row, 0)));
    return *out ? PAL_OK : pal_no_memory(err);
}

enum pal_status pg_note(struct store *base, const char *name, char **out, struct pal_error *err)
{
    struct pg_store *s = (struct pg_store *)base;
    char *text = NULL;
    struct pg_params p = {0};
    struct pg_ask a = {PG_NOTE, &p, "t", copy_text, &text, 0};
    pg_put_whole(&p, name);
    enum pal_status st = pg_read(s, &a, 1, PG_SHORT_MS, err);
    pg_params_done(&p);
    if (st == PAL_OK && !text)
        st = pal_fail(err, PAL_ENOTFOUND, "%s has no note '%s'", s->shown, name);
    if (st == PAL_OK)
        *out = text;
    else
        mem_free(text);
    return st;
}
