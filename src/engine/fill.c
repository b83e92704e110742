/* Until there are n: the rest of the candidates, what the bandit draws, what is popular, and in the
 * end the catalog from a random place on; last what the user ignored. First under the cap, then, if
 * that leaves the list short, without it. */
#include "engine/pipeline_inside.h"

/* Appends what is allowed of picks. */
static void put_picks(struct ask *a, const struct forward *f)
{
    for (size_t i = 0; i < f->count && a->count < a->n; i++)
        if (!is_taken(a, f->pick[i].number) && cap_allows(a, f->pick[i].number))
            list_put(a, f->pick[i].number, 0, f->name, f->pick[i].propensity);
}

static enum pal_status put_rest(struct ask *a, struct pal_error *err)
{
    uint32_t *place;
    size_t n;
    enum pal_status st = blend_order(a, a->candidates, &place, &n, err);
    for (size_t i = 0; st == PAL_OK && i < n && a->count < a->n; i++) {
        const struct candidate *c = &a->candidate[place[i]];
        if (!is_taken(a, c->item) && cap_allows(a, c->item))
            list_put(a, c->item, a->in->model ? c->score : c->blend, c->name, c->chance);
    }
    return st;
}

static void put_catalog(struct ask *a)
{
    uint32_t words = (a->items + 63) / 64;
    uint32_t from = words ? (uint32_t)rng_below(a->in->rng, words) : 0;
    ask_filter(a);
    for (uint32_t i = 0; i < words && a->count < a->n; i++) {
        uint32_t w = from + i < words ? from + i : from + i - words;
        for (uint64_t open = ~a->taken[w]; open && a->count < a->n; open &= open - 1) {
            uint32_t item = w * 64 + (uint32_t)__builtin_ctzll(open);
            if (cap_allows(a, item))
                list_put(a, item, 0, "catalog", 1);
        }
    }
}

static enum pal_status fill_once(struct ask *a, struct pal_error *err)
{
    static const struct quota sources[] = {{FROM_BANDIT, "bandit", 1},
                                           {FROM_POPULAR, "popular", 1}};
    enum pal_status st = put_rest(a, err);
    for (size_t i = 0; i < 2 && a->count < a->n && st == PAL_OK; i++) {
        struct forward f;
        st = candidates_of(a, &sources[i], &f, err);
        if (st == PAL_OK)
            put_picks(a, &f);
    }
    if (st == PAL_OK && a->count < a->n)
        put_catalog(a);
    return st;
}

/* The least ignored first. */
static void put_rested(struct ask *a)
{
    ask_wake(a);
    for (size_t i = a->rests; i-- > 0 && a->count < a->n;)
        if (!is_taken(a, a->rest[i]))
            list_put(a, a->rest[i], 0, "catalog", 1);
}

enum pal_status list_fill(struct ask *a, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (a->count < a->n)
        st = fill_once(a, err);
    if (st == PAL_OK && a->count < a->n && a->used) {
        a->used = NULL;
        st = fill_once(a, err);
    }
    if (st == PAL_OK && a->count < a->n)
        put_rested(a);
    return st;
}
