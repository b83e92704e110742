/* Who gets a list, and what is in none (see lists.h). */
#include "cli/lists.h"

#include "base/mem.h"
#include "cli/source.h"
#include "store/store.h"

#include <string.h>

enum { DAY_S = 86400 };

static uint32_t last_time(const struct interactions *x, uint32_t user)
{
    return x->start[user + 1] > x->start[user] ? interactions_time(x, x->start[user + 1] - 1) : 0;
}

/* Before that nobody was active. PAL_EUNSUPPORTED where no event has a time. */
static enum pal_status earliest(const struct dataset *d, int64_t days, uint32_t *out,
                                struct pal_error *err)
{
    const struct interactions *x = &d->all;
    uint32_t newest = 0;
    if (!x->time_s)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "--for active: %s has no times, so nobody knows who was active lately",
                        d->name);
    for (uint32_t u = 0; u < x->users; u++) {
        uint32_t t = last_time(x, u);
        newest = t > newest ? t : newest;
    }
    *out = newest > days * DAY_S ? newest - (uint32_t)(days * DAY_S) : 0;
    return PAL_OK;
}

enum pal_status lists_users(const struct dataset *d, const struct lists_head *head, uint32_t **out,
                            size_t *count, struct pal_error *err)
{
    const struct interactions *x = &d->all;
    uint32_t from = 0, *users = mem_alloc(x->users ? x->users : 1, sizeof *users);
    enum pal_status st = users ? PAL_OK : pal_no_memory(err);
    size_t n = 0;
    if (st == PAL_OK && head->whose == WHOSE_ACTIVE)
        st = earliest(d, head->days, &from, err);
    if (st != PAL_OK) {
        mem_free(users);
        return st;
    }
    for (uint32_t u = 0; u < x->users; u++)
        if (head->whose == WHOSE_ALL || (x->start[u + 1] > x->start[u] && last_time(x, u) >= from))
            users[n++] = u;
    *out = users;
    *count = n;
    return PAL_OK;
}

struct marking {
    const struct items *items;
    uint8_t *mark;
    size_t marked;
};

/* A store_item_fn. */
static enum pal_status mark_one(void *ctx, const struct item_row *row, struct pal_error *err)
{
    struct marking *m = ctx;
    uint32_t number = row->available
                          ? INTERN_NONE
                          : intern_find(&m->items->ids, row->item_id, strlen(row->item_id));
    if (number != INTERN_NONE) {
        m->mark[number] = 1;
        m->marked++;
    }
    return PAL_OK;
}

/* A store_item_fn. */
static enum pal_status mark_deleted(void *ctx, const struct item_row *row, struct pal_error *err)
{
    struct item_row gone = *row;
    gone.available = false;
    return mark_one(ctx, &gone, err);
}

enum pal_status lists_never(const struct job *job, const struct items *items, uint8_t **out,
                            struct pal_error *err)
{
    struct marking m = {.items = items};
    struct store *s;
    *out = NULL;
    if (!source_is_store(job->set.data))
        return PAL_OK;
    enum pal_status st = store_open(job->set.data, true, &s, err);
    if (st != PAL_OK)
        return st;
    m.mark = mem_zero(items->ids.count ? items->ids.count : 1, 1);
    st = m.mark ? store_items(s, mark_one, &m, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = store_deleted_items(s, mark_deleted, &m, err);
    store_close(s);
    if (st == PAL_OK && m.marked)
        *out = m.mark;
    else
        mem_free(m.mark);
    return st;
}

size_t lists_done(const struct dataset *d, const uint32_t *users, size_t count, uint64_t done,
                  const char *last)
{
    if (done == 0 || done > count)
        return 0;
    const char *id = intern_text(&d->users.ids, users[done - 1]);
    return strcmp(id, last) == 0 ? (size_t)done : 0;
}
