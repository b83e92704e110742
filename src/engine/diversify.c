/* Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): each slot takes the candidate
 * with the greatest (1 - d) relevance - d likeness, where likeness is that to the most alike item
 * of the list so far. Relevance is the blend's sum as a share of the greatest; likeness the share
 * of categories that two items have in common (Jaccard's). Only the best candidates take part:
 * what stands far down would be there for its difference alone. */
#include "engine/pipeline_inside.h"

#include <string.h>

enum { POOL_LEAST = 50, POOL_FACTOR = 4 };

struct contender {
    uint64_t bits;     /* its categories as bits by number % 64: none in common, none in common */
    float worth;       /* (1 - d) relevance, relevance from 0 to 1 */
    float likeness;    /* d times that to the most alike of those in the list that it was… */
    uint32_t compared; /* …compared with */
    uint32_t count;    /* of its categories */
    const uint32_t *category;
    uint32_t place; /* among the candidates */
    bool open;      /* its categories have been looked up */
};

/* Contenders in the order of their worth, and those that were taken. What is like the list can only
 * become less worth than it is by itself, so that a slot's search ends where that is below the best
 * found; likeness is computed for those before that alone. */
struct pool {
    struct contender *in, *taken; /* (count), (takes) */
    size_t count, takes;
    float d;
    bool few; /* the catalog has no more categories than there are bits: these say it all */
};

static float jaccard(const struct contender *x, const struct contender *y, bool few)
{
    uint32_t common = 0;
    for (uint32_t i = 0; few && i < x->count; i++)
        common += y->bits >> x->category[i] & 1;
    for (uint32_t i = 0, j = 0; !few && i < x->count && j < y->count;) {
        uint32_t a = x->category[i], b = y->category[j];
        common += a == b;
        i += a <= b;
        j += b <= a;
    }
    return (float)common / (float)(x->count + y->count - common);
}

bool cap_allows(const struct ask *a, uint32_t item)
{
    uint32_t n;
    if (!a->used)
        return true;
    const uint32_t *category = catalog_categories(a->in->catalog, item, &n);
    for (uint32_t i = 0; i < n; i++)
        if (a->used[category[i]] >= a->in->options->category_cap)
            return false;
    return true;
}

void list_put(struct ask *a, uint32_t item, float score, const char *source, float propensity)
{
    a->list[a->count++] = (struct pipeline_item){
        .item = item, .score = score, .source = source, .propensity = propensity};
    take(a, item);
    if (a->used) {
        uint32_t n;
        const uint32_t *category = catalog_categories(a->in->catalog, item, &n);
        for (uint32_t i = 0; i < n; i++)
            a->used[category[i]]++;
    }
}

static void put_candidate(struct ask *a, const struct candidate *c)
{
    list_put(a, c->item, a->in->model ? c->score : c->blend, c->name, c->chance);
}

static enum pal_status open_pool(const struct ask *a, const uint32_t *place, size_t n, float d,
                                 struct pool *out, struct pal_error *err)
{
    *out = (struct pool){.count = n, .d = d};
    out->few = catalog_category_names(a->in->catalog)->count <= 64;
    out->in = arena_alloc(a->tmp, n, sizeof *out->in);
    out->taken = arena_alloc(a->tmp, a->n, sizeof *out->taken);
    if (!out->in || !out->taken)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct candidate *c = &a->candidate[place[i]], *first = &a->candidate[place[0]];
        out->in[i] =
            (struct contender){.place = place[i], .worth = (1 - d) * (c->blend / first->blend)};
        catalog_prefetch(a->in->catalog, c->item);
    }
    return PAL_OK;
}

static void open_contender(const struct ask *a, struct contender *x)
{
    x->category = catalog_categories(a->in->catalog, a->candidate[x->place].item, &x->count);
    for (uint32_t j = 0; j < x->count; j++)
        x->bits |= (uint64_t)1 << (x->category[j] % 64);
    x->open = true;
}

/* Its likeness to all that were taken. */
static void compare(const struct ask *a, const struct pool *p, struct contender *x)
{
    if (!x->open)
        open_contender(a, x);
    for (; x->compared < p->takes; x->compared++) {
        const struct contender *other = &p->taken[x->compared];
        if (!(other->bits & x->bits))
            continue;
        float like = p->d * jaccard(other, x, p->few);
        x->likeness = like > x->likeness ? like : x->likeness;
    }
}

/* The place in the pool of the contender for the next slot; p->count if the cap stops all that are
 * left. */
static size_t next(const struct ask *a, const struct pool *p)
{
    size_t best = p->count;
    float most = 0;
    for (size_t i = 0; i < p->count; i++) {
        struct contender *x = &p->in[i];
        if (best < p->count && x->worth <= most)
            break;
        compare(a, p, x);
        float worth = x->worth - x->likeness;
        if ((best == p->count || worth > most) && cap_allows(a, a->candidate[x->place].item)) {
            best = i;
            most = worth;
        }
    }
    return best;
}

static void take_out(struct pool *p, size_t x)
{
    p->taken[p->takes++] = p->in[x];
    memmove(p->in + x, p->in + x + 1, (--p->count - x) * sizeof *p->in);
}

enum pal_status list_diversify(struct ask *a, double diversity, struct pal_error *err)
{
    int64_t cap = a->in->model ? 0 : a->in->options->category_cap;
    size_t pool_most = POOL_FACTOR * a->n > POOL_LEAST ? POOL_FACTOR * a->n : POOL_LEAST, n;
    uint32_t *place;
    if (cap > 0) {
        a->used =
            arena_zero(a->tmp, catalog_category_names(a->in->catalog)->count, sizeof *a->used);
        if (!a->used)
            return pal_no_memory(err);
        pool_most = a->candidates;
    }
    bool plain = diversity <= 0 && cap == 0;
    enum pal_status st = blend_order(a, plain ? a->n : pool_most, &place, &n, err);
    if (st != PAL_OK)
        return st;
    for (size_t i = 0; plain && i < n; i++)
        put_candidate(a, &a->candidate[place[i]]);
    if (plain)
        return PAL_OK;
    struct pool pool;
    st = open_pool(a, place, n, (float)diversity, &pool, err);
    for (size_t x; st == PAL_OK && a->count < a->n && (x = next(a, &pool)) < pool.count;) {
        put_candidate(a, &a->candidate[pool.in[x].place]);
        take_out(&pool, x);
    }
    return st;
}
