/* The plain rules that a simulation compares with. See sim_site.h. */
#include "base/mem.h"
#include "base/rng.h"
#include "cli/sim_site.h"
#include "math/topk.h"

#include <math.h>
#include <string.h>

struct rule_site {
    struct sim_site site;
    const struct sim_world *w;
    enum sim_rule rule;
    struct rng rng;
    uint32_t items;
    uint8_t *seen; /* (users, items) */
    float *liked;  /* (items) how often, less dislikes */
    float *scores; /* (items) */
    struct scored *top;
    size_t top_cap;
};

static enum pal_status add_items(struct sim_site *site, const struct items *items,
                                 struct pal_error *err)
{
    (void)site, (void)items, (void)err;
    return PAL_OK;
}

static float score(struct rule_site *s, uint32_t user, uint32_t item)
{
    switch (s->rule) {
    case SIM_RANDOM:
        return (float)rng_real(&s->rng);
    case SIM_POPULAR: /* at random among equals */
        return s->liked[item] + 0.5f * (float)rng_real(&s->rng);
    default:
        return sim_world_preference(s->w, user, item);
    }
}

static enum pal_status recommend(struct sim_site *site, uint32_t user, size_t n, uint32_t *out,
                                 size_t *count, struct pal_error *err)
{
    struct rule_site *s = (struct rule_site *)site;
    const uint8_t *seen = s->seen + (size_t)user * s->items;
    if (mem_grow(&s->top, &s->top_cap, n, sizeof *s->top))
        return pal_no_memory(err);
    for (uint32_t i = 0; i < s->items; i++)
        s->scores[i] = seen[i] ? -INFINITY : score(s, user, i);
    *count = topk(s->scores, s->items, n, s->top);
    for (size_t i = 0; i < *count; i++) {
        out[i] = s->top[i].index;
        s->seen[(size_t)user * s->items + out[i]] = 1;
    }
    return PAL_OK;
}

static enum pal_status interact(struct sim_site *site, uint32_t user, const uint32_t *item,
                                const enum opinion *opinion, size_t count, struct pal_error *err)
{
    struct rule_site *s = (struct rule_site *)site;
    (void)user, (void)err;
    for (size_t i = 0; i < count; i++)
        s->liked[item[i]] += (float)opinion[i];
    return PAL_OK;
}

static void done(struct sim_site *site)
{
    struct rule_site *s = (struct rule_site *)site;
    mem_free(s->seen);
    mem_free(s->liked);
    mem_free(s->scores);
    mem_free(s->top);
    mem_free(s);
}

static const struct sim_site_ops ops = {add_items, recommend, interact, NULL, NULL, done};

enum pal_status sim_rule_new(const struct sim_world *w, enum sim_rule rule, uint64_t seed,
                             struct sim_site **out, struct pal_error *err)
{
    static const char *const names[] = {"random", "popular", "oracle"};
    struct rule_site *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->site = (struct sim_site){&ops, names[rule]};
    s->w = w;
    s->rule = rule;
    s->items = sim_world_items(w)->ids.count;
    rng_init(&s->rng, seed, rule);
    s->seen = mem_zero(sim_world_users(w), s->items);
    s->liked = mem_zero(s->items, sizeof *s->liked);
    s->scores = mem_zero(s->items, sizeof *s->scores);
    if (!s->seen || !s->liked || !s->scores) {
        done(&s->site);
        return pal_no_memory(err);
    }
    *out = &s->site;
    return PAL_OK;
}
