/* Names as numbers, for the writer: what it met lately is in memory, so that an event of a known
 * user and item needs no look-up. Other processes write, too; whenever one of them makes numbers
 * meaningless (it erased a user, or everything) the epoch in `state` grows, and what is in memory
 * here is dropped. What the changes at hand say of a name is gathered in `work`. */
#include "store/postgres.h"

#include "base/mem.h"

#include <string.h>

enum { NAMES_MOST = 1 << 20 }; /* kept between two transactions: about 50 MB of users */

void pg_names_done(struct pg_names *n)
{
    intern_done(&n->texts);
    mem_free(n->slot);
    mem_free(n->work);
    mem_free(n->asked);
    memset(n, 0, sizeof *n);
}

void pg_names_trim(struct pg_names *n)
{
    if (n->texts.count > NAMES_MOST)
        pg_names_done(n);
}

enum pal_status pg_names_want(struct pg_names *n, const char *id, bool ask, struct pal_error *err)
{
    uint32_t i, before = n->texts.count;
    if (mem_grow(&n->slot, &n->slot_cap, (size_t)before + 1, sizeof *n->slot) ||
        mem_grow(&n->work, &n->work_cap, n->work_count + 1, sizeof *n->work) ||
        mem_grow(&n->asked, &n->asked_cap, n->asked_count + 1, sizeof *n->asked))
        return pal_no_memory(err);
    enum pal_status st = intern_add(&n->texts, id, strlen(id), &i, err);
    if (st != PAL_OK)
        return st;
    if (i == before)
        n->slot[i] = (struct pg_slot){0};
    if (n->slot[i].work == 0) {
        n->work[n->work_count++] = (struct pg_work){.slot = i};
        n->slot[i].work = (uint32_t)n->work_count;
    }
    struct pg_work *w = &n->work[n->slot[i].work - 1];
    if (!w->ask && (ask || n->slot[i].number == 0)) {
        w->ask = true;
        n->asked[n->asked_count++] = n->slot[i].work - 1;
    }
    return PAL_OK;
}

struct pg_work *pg_names_work(const struct pg_names *n, const char *id)
{
    return &n->work[n->slot[intern_find(&n->texts, id, strlen(id))].work - 1];
}

void pg_names_rest(struct pg_names *n)
{
    for (size_t i = 0; i < n->work_count; i++)
        n->slot[n->work[i].slot].work = 0;
    n->work_count = n->asked_count = 0;
}
