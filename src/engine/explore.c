/* Each slot of the finished list is explored with the given chance: the bandit draws one item of
 * all that may be shown and is in no slot, and that takes the slot's place. pipeline.h says what
 * the propensities then are; for them to hold, a slot past the number of items that can be drawn is
 * never explored, so that an earlier draw can't leave a later one without any. */
#include "engine/pipeline_inside.h"

/* Inverse propensity scoring divides by it. */
static float above_zero(double propensity)
{
    return propensity > 1e-6 ? (float)propensity : 1e-6f;
}

enum pal_status list_explore(struct ask *a, double chance, struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    if (!in->bandit || chance <= 0)
        return PAL_OK;
    size_t free = ask_free(a, a->count);
    for (size_t i = 0; i < a->count; i++) {
        struct pipeline_item *x = &a->list[i];
        struct bandit_pick pick;
        size_t drawn = 0;
        if (i < free && rng_real(in->rng) < chance) {
            enum pal_status st = bandit_draw(in->bandit, a->items, 1, in->now_ms, in->rng,
                                             ask_allows, a, &pick, &drawn, err);
            if (st != PAL_OK)
                return st;
        }
        if (drawn) {
            *x = (struct pipeline_item){.item = pick.number,
                                        .score = pick.score,
                                        .source = "bandit",
                                        .explored = true,
                                        .propensity = above_zero(chance * pick.propensity)};
            take(a, pick.number);
        } else if (i < free) {
            x->propensity = above_zero((1 - chance) * x->propensity);
        }
    }
    return PAL_OK;
}
