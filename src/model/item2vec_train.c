/* Skip-gram with negative sampling in the schedule of strata.h: rows are items at the centre,
 * columns items as contexts, whose vectors are different ones.
 *
 * Histories are taken a stretch of users at a time, so that there are never more than PAIRS pairs.
 * Short stretches are better: what meets in a block changes more often, and the pairs of a user
 * stay near each other in time, as they do in word2vec. On ML-1M stretches of 2^20 pairs cost 4 %
 * of the recall, while below 2^17 nothing is gained. But each stretch deals out all items anew. Of
 * a stretch, first each part counts its pairs by cell, then, drawing the same random numbers again,
 * it puts them where they belong: no list is kept that would have to be sorted. Then the cells are
 * walked, each one's pairs in random order. Negatives are drawn from the cell's block of contexts;
 * blocks are other ones in each stretch. */
#include "model/item2vec_train.h"
#include "model/strata.h"

#include "base/mem.h"
#include "math/alias.h"
#include "math/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    LEAST = 64,            /* items in a block: fewer would be too small a choice of negatives */
    PAIRS_LEAST = 1 << 17, /* in a stretch; see pairs_most */
    PAIRS = 1 << 20,       /* in a stretch, unless a single history has more */
    PAIRS_AN_ITEM = 4,
    PARTS = 64, /* of a stretch, for threads to share */
    CELLS = STRATA * STRATA,
    AHEAD = 6,     /* pairs whose vectors are asked for */
    LISTENED = 16, /* of so many steps one is looked at, for who wants to see the loss fall */
};

struct pair {
    uint32_t centre, context; /* item; place in the mixed order */
    float weight;
};

struct trainer {
    const struct interactions *log;
    const struct item2vec_settings *set;
    float *X, *C;
    const atomic_int *stop; /* NULL = never */
    uint32_t blocks, items;
    uint64_t epoch, stretch;
    float rate;
    float *weight;                         /* (entries) of each event, at most 1; 0 = left out */
    uint32_t *keep;                        /* (items) kept if 32 random bits are not above it */
    double *chance, *shares;               /* (items) (count + 1)^power; room for aliases */
    uint32_t *stack;                       /* (items) room for aliases */
    struct alias *alias;                   /* (items) by place */
    struct strata_order centres, contexts; /* items */
    uint32_t first, last;                  /* users of the stretch */
    uint64_t room;                         /* pairs of a stretch, at most */
    uint32_t longest;                      /* history */
    struct pair *pairs;                    /* (room) cell by cell */
    uint32_t (*counts)[CELLS];             /* (PARTS) pairs; then where the next one goes */
    uint32_t cell[CELLS + 1];
    uint32_t *token;            /* (workers, longest) events that are left of a history */
    struct strata_tally *tally; /* (CELLS) of the epoch; NULL = nobody listens */
};

/* ---- pairs of a stretch ---- */

/* Where the pairs of a history go. */
struct sink {
    struct trainer *t;
    uint32_t *count; /* (CELLS) */
    int fill;        /* 0 = they are counted only */
    const uint32_t *item;
    const float *weight; /* of the history's events */
};

static inline void put_pair(const struct sink *s, uint32_t a, uint32_t b)
{
    struct trainer *t = s->t;
    uint32_t centre = s->item[a], context = s->item[b];
    if (centre == context)
        return;
    uint32_t *n = s->count + t->centres.block[centre] * t->blocks + t->contexts.block[context];
    if (s->fill)
        t->pairs[*n] = (struct pair){centre, t->contexts.place[context],
                                     s->weight[a] < s->weight[b] ? s->weight[a] : s->weight[b]};
    ++*n;
}

/* token (n): the events of one history. */
static void pair_up(const struct sink *s, const uint32_t *token, uint32_t n, struct rng *rng)
{
    const struct item2vec_settings *set = s->t->set;
    for (uint32_t i = 0; i < n && n > 1; i++) {
        uint64_t bits = rng_next(rng);
        uint32_t reach = 1 + strata_below((uint32_t)bits, set->window);
        if (set->near) {
            uint32_t end = n - i > reach ? i + reach + 1 : n;
            for (uint32_t j = i > reach ? i - reach : 0; j < end; j++)
                if (j != i)
                    put_pair(s, token[i], token[j]);
            continue;
        }
        for (uint32_t k = 0; k < 2 * reach && k < n - 1; k++) { /* any, but itself */
            uint32_t j = strata_below((uint32_t)(rng_next(rng) >> 32), n - 1);
            put_pair(s, token[i], token[j + (j >= i)]);
        }
    }
}

static void make_pairs(struct trainer *t, uint32_t part, uint32_t *token, int fill)
{
    const struct interactions *x = t->log;
    struct rng rng;
    uint32_t users = t->last - t->first;
    rng_init(&rng, t->set->seed,
             ((uint64_t)1 << 44) + (t->epoch << 24) + t->stretch * PARTS + part);
    for (uint32_t u = t->first + strata_begin(users, PARTS, part);
         u < t->first + strata_begin(users, PARTS, part + 1); u++) {
        uint64_t begin = x->start[u];
        uint32_t n = 0, length = (uint32_t)(x->start[u + 1] - begin);
        struct sink s = {t, t->counts[part], fill, x->item + begin, t->weight + begin};
        for (uint32_t i = 0; i < length; i++)
            if (s.weight[i] > 0 && (uint32_t)rng_next(&rng) <= t->keep[s.item[i]])
                token[n++] = i;
        pair_up(&s, token, n, &rng);
    }
}

static void count_parts(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct trainer *t = ctx;
    for (size_t p = begin; p < end; p++) {
        memset(t->counts[p], 0, sizeof t->counts[p]);
        make_pairs(t, (uint32_t)p, t->token + (size_t)worker * t->longest, 0);
    }
}

static void fill_parts(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct trainer *t = ctx;
    for (size_t p = begin; p < end; p++)
        make_pairs(t, (uint32_t)p, t->token + (size_t)worker * t->longest, 1);
}

/* From counts to places: cell by cell, in each the parts in their order. */
static void place_parts(struct trainer *t)
{
    uint32_t at = 0;
    for (uint32_t c = 0; c < t->blocks * t->blocks; c++) {
        t->cell[c] = at;
        for (uint32_t p = 0; p < PARTS; p++) {
            uint32_t n = t->counts[p][c];
            t->counts[p][c] = at;
            at += n;
        }
    }
    t->cell[t->blocks * t->blocks] = at;
}

/* ---- steps ---- */

/* What the pairs of a cell are walked with. */
struct cell {
    const struct trainer *t;
    struct rng rng;
    uint32_t begin, count; /* places of the block of contexts */
    struct pair *pairs;
    uint32_t n;
    struct strata_tally *tally; /* NULL = nobody listens */
};

static void ask_for(const float *row, size_t d)
{
    for (size_t i = 0; i < d; i += 16)
        __builtin_prefetch(row + i, 1);
}

/* Moves a random one of the pairs from i on to place i, and asks for its vectors. */
static void choose(struct cell *c, uint32_t i)
{
    size_t d = c->t->set->factors;
    uint32_t other = i + strata_below((uint32_t)(rng_next(&c->rng) >> 32), c->n - i);
    struct pair p = c->pairs[other];
    c->pairs[other] = c->pairs[i];
    c->pairs[i] = p;
    ask_for(c->t->X + p.centre * d, d);
    ask_for(c->t->C + c->t->contexts.order[p.context] * d, d);
}

/* The loss of a step before it is taken; target as in kernels.h, sgd_targets. */
static void count_step(const struct cell *c, const struct pair *p, const uint32_t *target,
                       uint32_t n)
{
    const struct trainer *t = c->t;
    size_t d = t->set->factors;
    float score[1 + ITEM2VEC_NEGATIVES];
    kernels()->gather_dot(t->C, d, d, target, n, 0, t->X + p->centre * d, score);
    for (uint32_t k = 0; k < n; k++) { /* -ln σ(x) = ln (1 + e^-x) */
        double x = (double)(k ? -score[k] : score[k]);
        c->tally->loss += (double)p->weight * (x > -30 ? log1p(exp(-x)) : -x);
    }
    c->tally->weight += (double)p->weight;
}

static void step(struct cell *c, const struct pair *p, bool listened)
{
    const struct trainer *t = c->t;
    uint32_t target[1 + ITEM2VEC_NEGATIVES], n = 1;
    size_t d = t->set->factors;
    target[0] = t->contexts.order[p->context];
    for (uint32_t k = 0; k < t->set->negatives; k++) {
        uint32_t i = c->begin + alias_draw(t->alias + c->begin, c->count, rng_next(&c->rng));
        if (i != p->context)
            target[n++] = t->contexts.order[i];
    }
    if (listened)
        count_step(c, p, target, n);
    kernels()->sgd_targets(t->X + p->centre * d, t->C, d, d, target, n, t->rate * p->weight);
}

static void walk_cell(void *ctx, uint32_t centres, uint32_t contexts, unsigned worker)
{
    const struct trainer *t = ctx;
    uint32_t number = centres * t->blocks + contexts;
    struct cell c = {.t = t, .begin = strata_begin(t->items, t->blocks, contexts)};
    if (t->stop && *t->stop)
        return;
    c.count = strata_begin(t->items, t->blocks, contexts + 1) - c.begin;
    c.pairs = t->pairs + t->cell[number];
    c.n = t->cell[number + 1] - t->cell[number];
    c.tally = t->tally ? t->tally + number : NULL;
    rng_init(&c.rng, t->set->seed,
             ((uint64_t)1 << 45) + (t->epoch << 24) + t->stretch * CELLS + number);
    for (uint32_t i = 0; i < c.n + AHEAD; i++) {
        if (i < c.n)
            choose(&c, i);
        if (i >= AHEAD)
            step(&c, &c.pairs[i - AHEAD], c.tally && (i - AHEAD) % LISTENED == 0);
    }
}

/* ---- all of it ---- */

/* Weights of events beside the mean positive one, how often each item is met, and what follows from
 * that: who is thinned out (Mikolov et al. 2013, as word2vec has it), and the chances of negatives.
 */
static void weigh(struct trainer *t, const struct worth *worth)
{
    uint64_t n = interactions_count(t->log), positive = 0;
    double sum = 0;
    worth_of_range(worth, t->log, 0, n, t->weight);
    memset(t->chance, 0, t->items * sizeof *t->chance);
    for (uint64_t e = 0; e < n; e++)
        if (t->weight[e] > 0) {
            sum += t->weight[e];
            positive++;
            t->chance[t->log->item[e]]++;
        }
    for (uint64_t e = 0; e < n; e++) {
        float w = t->weight[e] > 0 ? (float)(t->weight[e] * ((double)positive / sum)) : 0;
        t->weight[e] = w < 1 ? w : 1;
    }
    for (uint32_t i = 0; i < t->items; i++) {
        double share = positive ? t->chance[i] / (double)positive : 0, kept = 1;
        if (t->set->sample > 0 && share > 0)
            kept = sqrt((double)t->set->sample / share) + (double)t->set->sample / share;
        t->keep[i] = kept < 1 ? (uint32_t)(kept * 4294967295.0) : UINT32_MAX;
        t->chance[i] = pow(t->chance[i] + 1, (double)t->set->power);
    }
}

/* Pairs that a stretch may have: so many that to deal out the items costs little beside them. */
static uint64_t pairs_most(uint32_t items)
{
    uint64_t pairs = (uint64_t)items * PAIRS_AN_ITEM;
    return pairs < PAIRS_LEAST ? PAIRS_LEAST : pairs > PAIRS ? PAIRS : pairs;
}

/* Where the stretch that begins with this user ends. */
static uint32_t stretch_end(const struct trainer *t, uint32_t first)
{
    const uint64_t *start = t->log->start;
    uint64_t most = pairs_most(t->items) / (2 * t->set->window);
    uint32_t u = first + 1;
    while (u < t->log->users && start[u + 1] - start[first] <= most)
        u++;
    return u;
}

static enum pal_status trainer_init(struct trainer *t, const struct worth *worth, unsigned workers,
                                    struct pal_error *err)
{
    const struct interactions *x = t->log;
    t->items = x->items;
    t->blocks = strata_blocks(t->items, LEAST);
    for (uint32_t u = 0; u < x->users; u = stretch_end(t, u)) {
        uint64_t pairs = (x->start[stretch_end(t, u)] - x->start[u]) * 2 * t->set->window;
        t->room = pairs > t->room ? pairs : t->room;
    }
    for (uint32_t u = 0; u < x->users; u++) {
        uint64_t n = x->start[u + 1] - x->start[u];
        t->longest = n > t->longest ? (uint32_t)n : t->longest;
    }
    if (t->room > UINT32_MAX)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "a history of %u events is too long for a window of %u: take a smaller one",
                        t->longest, t->set->window);
    enum pal_status st = strata_order_init(&t->centres, t->items, err);
    if (st == PAL_OK)
        st = strata_order_init(&t->contexts, t->items, err);
    if (st != PAL_OK)
        return st;
    t->weight = mem_alloc(interactions_count(x), sizeof *t->weight);
    t->keep = mem_alloc(t->items, sizeof *t->keep);
    t->chance = mem_alloc(t->items, sizeof *t->chance);
    t->shares = mem_alloc(t->items, sizeof *t->shares);
    t->stack = mem_alloc(t->items, sizeof *t->stack);
    t->alias = mem_alloc(t->items, sizeof *t->alias);
    t->pairs = mem_alloc(t->room, sizeof *t->pairs);
    t->counts = mem_alloc(PARTS, sizeof *t->counts);
    t->token = mem_alloc((size_t)workers * t->longest, sizeof *t->token);
    if (!t->weight || !t->keep || !t->chance || !t->shares || !t->stack || !t->alias || !t->pairs ||
        !t->counts || !t->token)
        return pal_no_memory(err);
    weigh(t, worth);
    return PAL_OK;
}

static void trainer_done(struct trainer *t)
{
    strata_order_done(&t->centres);
    strata_order_done(&t->contexts);
    mem_free(t->weight);
    mem_free(t->keep);
    mem_free(t->chance);
    mem_free(t->shares);
    mem_free(t->stack);
    mem_free(t->alias);
    mem_free(t->pairs);
    mem_free(t->counts);
    mem_free(t->token);
}

uint64_t item2vec_train_bytes(uint64_t items, uint64_t entries, unsigned threads)
{
    uint64_t most = entries * 2 * ITEM2VEC_WINDOW;
    uint64_t pairs = (most < PAIRS ? most : PAIRS) * sizeof(struct pair);
    return entries * 4 + items * (2 * STRATA_ORDER_BYTES + 32) + pairs +
           (uint64_t)PARTS * CELLS * 4 + threads * entries / 16;
}

static void mix(struct trainer *t)
{
    struct rng rng;
    rng_init(&rng, t->set->seed, ((uint64_t)1 << 43) + (t->epoch << 24) + t->stretch);
    strata_mix(&t->centres, t->items, t->blocks, &rng);
    strata_mix(&t->contexts, t->items, t->blocks, &rng);
    for (uint32_t i = 0; i < t->items; i++)
        t->shares[i] = t->chance[t->contexts.order[i]];
    for (uint32_t b = 0; b < t->blocks; b++) {
        uint32_t begin = strata_begin(t->items, t->blocks, b);
        uint32_t n = strata_begin(t->items, t->blocks, b + 1) - begin;
        alias_make(t->shares + begin, n, t->alias + begin, t->stack + begin);
    }
}

static enum pal_status run_epoch(struct trainer *t, const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    uint64_t entries = interactions_count(t->log), total = t->set->epochs * entries;
    enum pal_status st = PAL_OK;
    t->stretch = 0;
    for (t->first = 0; t->first < t->log->users && st == PAL_OK; t->first = t->last) {
        uint64_t done = t->epoch * entries + t->log->start[t->first];
        st = run_step(run, "training", done, total, err);
        t->last = stretch_end(t, t->first);
        t->rate = t->set->rate * (1 - 0.99f * (float)((double)done / (double)(total + 1)));
        if (st == PAL_OK) {
            mix(t);
            pool_for(pool, PARTS, 1, count_parts, t);
            place_parts(t);
            pool_for(pool, PARTS, 1, fill_parts, t);
            strata_walk(pool, t->blocks, walk_cell, t);
        }
        t->stretch++;
    }
    return st;
}

static void tell(const struct trainer *t, const struct run *run)
{
    struct strata_tally all = strata_total(t->tally, t->blocks);
    if (all.weight > 0)
        run_metric(run, "loss", t->epoch + 1, all.loss / all.weight);
}

enum pal_status item2vec_train(const struct interactions *log, const struct worth *worth,
                               const struct item2vec_settings *set, float *X, float *C,
                               const struct run *run, struct pal_error *err)
{
    struct trainer t = {.log = log, .set = set, .X = X, .C = C, .stop = run ? run->stop : NULL};
    struct strata_tally tally[CELLS];
    uint64_t total = set->epochs * interactions_count(log);
    t.tally = run && run->metric ? tally : NULL;
    enum pal_status st = trainer_init(&t, worth, pool_size(run ? run->pool : NULL), err);
    for (t.epoch = 0; t.epoch < set->epochs && st == PAL_OK; t.epoch++) {
        memset(tally, 0, sizeof tally);
        st = run_epoch(&t, run, err);
        if (st == PAL_OK && t.tally)
            tell(&t, run);
    }
    trainer_done(&t);
    return st == PAL_OK ? run_step(run, "training", total, total, err) : st;
}
