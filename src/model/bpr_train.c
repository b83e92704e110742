/* Stochastic gradient descent for BPR in the schedule of strata.h: rows are users, columns items.
 *
 * Each epoch mixes the items anew and deals every user's entries out to the cells. In a cell first
 * all samples are drawn, user by user: while the items that a user likes are marked, a negative is
 * one look, without a search, and drawn from the cell's own block of items. Since blocks are random
 * and other ones in each epoch, each item is as likely to be another's negative as if it were drawn
 * from all. Then the cell's samples are walked in random order, their vectors asked for a few steps
 * ahead. */
#include "model/bpr_train.h"
#include "model/strata.h"

#include "base/mem.h"
#include "math/alias.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum {
    LEAST = 128,  /* items in a block: fewer would be too small a choice of negatives */
    TRIES = 32,   /* to draw a negative that the user doesn't like */
    AHEAD = 6,    /* samples whose vectors are asked for */
    LISTENED = 8, /* of so many steps one is looked at, for who wants to see the loss fall */
};

struct entry {
    uint32_t user, place; /* of the item in the mixed order */
    float weight;         /* of the sample, negative for a dislike */
};

/* A user, an item, and what is less than it: candidates, of which the best is taken. */
struct sample {
    uint32_t user, item;
    float weight;
    uint32_t negatives;
    uint32_t negative[]; /* (settings.hardest) */
};

struct trainer {
    const struct csr *R;
    const struct bpr_settings *set;
    float *X, *Y, *bias;
    const atomic_int *stop; /* NULL = never */
    float mean, rate;
    uint32_t blocks, epoch;
    struct strata_order mixed;          /* items */
    uint32_t first[STRATA + 1];         /* user at which a block begins */
    uint64_t cell[STRATA * STRATA + 1]; /* where a cell begins in entries */
    struct entry *entries;              /* (entries of R) cell by cell */
    struct alias *alias;                /* (items) by place; NULL = all alike */
    double *popularity;                 /* (items) (users + 1)^power; NULL with alias */
    double *shares;                     /* (items) room to make the aliases, */
    uint32_t *stack;                    /* and this, too */
    size_t sample_bytes, room;          /* samples of a cell, at most */
    struct strata_tally *tally;         /* (blocks, blocks) of the epoch; NULL = nobody listens */
    struct scratch {
        uint32_t *mark;         /* (items in a block) user + 1 that likes it */
        unsigned char *samples; /* (room) */
    } * scratch;                /* (workers) */
};

/* ---- dealing entries out to cells ---- */

/* One block of users: their entries, cell by cell, in the order of users within each. */
static void deal_block(struct trainer *t, uint32_t b)
{
    const struct csr *R = t->R;
    uint64_t at[STRATA + 1] = {0}, base = R->start[t->first[b]];
    for (uint64_t e = base; e < R->start[t->first[b + 1]]; e++)
        at[t->mixed.block[R->col[e]] + 1]++;
    for (uint32_t i = 0; i < t->blocks; i++) {
        t->cell[b * t->blocks + i] = base + at[i];
        at[i + 1] += at[i];
    }
    for (uint32_t u = t->first[b]; u < t->first[b + 1]; u++)
        for (uint64_t e = R->start[u]; e < R->start[u + 1]; e++) {
            uint32_t place = t->mixed.place[R->col[e]];
            float c = bpr_confidence(R->val[e], t->mean);
            t->entries[base + at[t->mixed.block[R->col[e]]]++] =
                (struct entry){u, place, R->val[e] < 0 ? -c : c};
        }
}

static void deal(void *ctx, size_t begin, size_t end, unsigned worker)
{
    for (size_t b = begin; b < end; b++)
        deal_block(ctx, (uint32_t)b);
}

/* ---- negatives ---- */

static void make_alias(struct trainer *t, uint32_t b)
{
    uint32_t begin = strata_begin(t->R->cols, t->blocks, b);
    uint32_t n = strata_begin(t->R->cols, t->blocks, b + 1) - begin;
    for (uint32_t i = begin; i < begin + n; i++)
        t->shares[i] = t->popularity[t->mixed.order[i]];
    alias_make(t->shares + begin, n, t->alias + begin, t->stack + begin);
}

static void make_aliases(void *ctx, size_t begin, size_t end, unsigned worker)
{
    for (size_t b = begin; b < end; b++)
        make_alias(ctx, (uint32_t)b);
}

/* What samples of a cell are drawn from. */
struct cell {
    const struct trainer *t;
    struct rng rng;
    uint32_t begin, count; /* places of the block of items */
    uint32_t *mark;
    unsigned char *samples;
    size_t n; /* drawn */
};

static struct sample *sample_at(const struct cell *c, size_t i)
{
    return (struct sample *)(void *)(c->samples + i * c->t->sample_bytes);
}

/* Items of the block that the user doesn't like; fewer than asked for where they are rare. */
static uint32_t draw_unliked(struct cell *c, uint32_t user, uint32_t *negative)
{
    const struct alias *table = c->t->alias ? c->t->alias + c->begin : NULL;
    uint32_t n = 0;
    for (int tries = 0; tries < TRIES && n < c->t->set->hardest; tries++) {
        uint32_t i = alias_draw(table, c->count, rng_next(&c->rng));
        negative[n] = c->t->mixed.order[c->begin + i];
        n += c->mark[i] != user + 1;
    }
    return n;
}

/* Samples for one user's entries in the cell. */
static void draw_user(struct cell *c, const struct entry *e, size_t n)
{
    const struct trainer *t = c->t;
    size_t dislikes = 0;
    for (size_t i = 0; i < n; i++) {
        if (e[i].weight < 0)
            dislikes++;
        else
            c->mark[e[i].place - c->begin] = e[i].user + 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (e[i].weight < 0)
            continue;
        struct sample *s = sample_at(c, c->n);
        *s = (struct sample){e[i].user, t->mixed.order[e[i].place], e[i].weight, 0};
        if (dislikes > 0 && rng_real(&c->rng) < (double)t->set->dislikes) {
            size_t which = rng_below(&c->rng, dislikes), j = 0;
            while (e[j].weight >= 0 || which-- > 0)
                j++;
            s->negative[s->negatives++] = t->mixed.order[e[j].place];
        } else {
            s->negatives = draw_unliked(c, e[i].user, s->negative);
        }
        c->n += s->negatives > 0;
    }
}

static void draw_cell(struct cell *c, uint64_t begin, uint64_t end)
{
    const struct entry *e = c->t->entries;
    memset(c->mark, 0, c->count * sizeof *c->mark);
    while (begin < end) {
        uint64_t next = begin + 1;
        while (next < end && e[next].user == e[begin].user)
            next++;
        draw_user(c, e + begin, next - begin);
        begin = next;
    }
}

/* ---- steps ---- */

static void ask_for(const float *row, size_t d)
{
    for (size_t i = 0; i < d; i += 16)
        __builtin_prefetch(row + i, 1);
}

/* Moves a random one of the samples from i on to place i, and asks for its vectors. */
static void choose(struct cell *c, size_t i)
{
    const struct trainer *t = c->t;
    size_t d = t->set->factors, words = t->sample_bytes / 4;
    uint32_t other = strata_below((uint32_t)rng_next(&c->rng), (uint32_t)(c->n - i));
    struct sample *a = sample_at(c, i);
    uint32_t *x = (uint32_t *)(void *)a, *y = (uint32_t *)(void *)sample_at(c, i + other);
    for (size_t k = 0; k < words; k++) {
        uint32_t swap = x[k];
        x[k] = y[k];
        y[k] = swap;
    }
    ask_for(t->X + a->user * d, d);
    ask_for(t->Y + a->item * d, d);
    for (uint32_t k = 0; k < a->negatives; k++)
        ask_for(t->Y + a->negative[k] * d, d);
}

/* The candidate that the user would be offered first. */
static uint32_t hardest(const struct trainer *t, const struct sample *s)
{
    float score[BPR_HARDEST];
    size_t d = t->set->factors;
    uint32_t best = 0;
    if (s->negatives == 1)
        return s->negative[0];
    kernels()->gather_dot(t->Y, d, d, s->negative, s->negatives, 0, t->X + s->user * d, score);
    for (uint32_t k = 0; k < s->negatives; k++) {
        score[k] += t->bias[s->negative[k]];
        best = score[k] > score[best] ? k : best;
    }
    return s->negative[best];
}

/* Returns the chance, by the model as it was, that the user likes the other one better. */
static float step(const struct trainer *t, const struct sample *s)
{
    size_t d = t->set->factors;
    uint32_t i = s->item, j = hardest(t, s);
    float keep = 1 - t->rate * t->set->regularization;
    float g = kernels()->sgd_pair(t->X + s->user * d, t->Y + i * d, t->Y + j * d, d,
                                  t->bias[i] - t->bias[j], t->rate * s->weight, keep);
    t->bias[i] = keep * t->bias[i] + g;
    t->bias[j] = keep * t->bias[j] - g;
    return g / (t->rate * s->weight);
}

static void count_step(struct strata_tally *tally, float weight, float wrong)
{
    tally->weight += (double)weight;
    tally->loss -= (double)(weight * logf(fmaxf(1 - wrong, 1e-7f)));
    tally->right += (double)(wrong < 0.5f ? weight : 0);
}

static void walk_cell(void *ctx, uint32_t users, uint32_t items, unsigned worker)
{
    const struct trainer *t = ctx;
    const uint64_t *at = t->cell + users * t->blocks + items;
    struct strata_tally tally = {0};
    struct cell c = {.t = t,
                     .begin = strata_begin(t->R->cols, t->blocks, items),
                     .mark = t->scratch[worker].mark,
                     .samples = t->scratch[worker].samples};
    if (t->stop && *t->stop)
        return;
    c.count = strata_begin(t->R->cols, t->blocks, items + 1) - c.begin;
    rng_init(&c.rng, t->set->seed,
             ((uint64_t)1 << 41) + ((uint64_t)t->epoch << 16) + users * STRATA + items);
    draw_cell(&c, at[0], at[1]);
    for (size_t i = 0; i < c.n + AHEAD; i++) {
        if (i < c.n)
            choose(&c, i);
        if (i < AHEAD)
            continue;
        const struct sample *s = sample_at(&c, i - AHEAD);
        float wrong = step(t, s);
        if (t->tally && (i - AHEAD) % LISTENED == 0)
            count_step(&tally, s->weight, wrong);
    }
    if (t->tally)
        t->tally[users * t->blocks + items] = tally;
}

/* ---- all of it ---- */

float bpr_mean_weight(const struct csr *R)
{
    double sum = 0;
    uint64_t n = 0;
    for (uint64_t e = 0; e < csr_entries(R); e++)
        if (R->val[e] > 0) {
            sum += R->val[e];
            n++;
        }
    return n ? (float)(sum / (double)n) : 1;
}

/* Blocks of users with about as many entries each. Returns the entries of the largest. */
static uint64_t cut_users(struct trainer *t)
{
    const struct csr *R = t->R;
    uint64_t largest = 0;
    uint32_t u = 0;
    for (uint32_t b = 0; b < t->blocks; b++) {
        t->first[b] = u;
        uint64_t end = csr_entries(R) / t->blocks * (b + 1);
        while (u < R->rows && (R->start[u + 1] <= end || b + 1 == t->blocks))
            u++;
        uint64_t n = R->start[u] - R->start[t->first[b]];
        largest = n > largest ? n : largest;
    }
    t->first[t->blocks] = u;
    return largest;
}

static void weigh_items(struct trainer *t)
{
    for (uint32_t i = 0; i < t->R->cols; i++)
        t->popularity[i] = 1;
    for (uint64_t e = 0; e < csr_entries(t->R); e++)
        t->popularity[t->R->col[e]] += t->R->val[e] > 0;
    for (uint32_t i = 0; i < t->R->cols; i++)
        t->popularity[i] = pow(t->popularity[i], (double)t->set->power);
}

static size_t sample_bytes(const struct bpr_settings *set)
{
    return sizeof(struct sample) + set->hardest * sizeof(uint32_t);
}

static enum pal_status trainer_init(struct trainer *t, unsigned workers, struct pal_error *err)
{
    uint32_t items = t->R->cols;
    t->mean = bpr_mean_weight(t->R);
    t->blocks = strata_blocks(items, LEAST);
    t->sample_bytes = sample_bytes(t->set);
    uint64_t room = cut_users(t);
    enum pal_status st = strata_order_init(&t->mixed, items, err);
    if (st != PAL_OK)
        return st;
    t->entries = mem_alloc(csr_entries(t->R), sizeof *t->entries);
    t->scratch = mem_zero(workers, sizeof *t->scratch);
    if (!t->entries || !t->scratch)
        return pal_no_memory(err);
    for (unsigned w = 0; w < workers; w++) {
        t->scratch[w].mark = mem_alloc(items / t->blocks + 1, sizeof *t->scratch[w].mark);
        t->scratch[w].samples = mem_alloc(room + 1, t->sample_bytes);
        if (!t->scratch[w].mark || !t->scratch[w].samples)
            return pal_no_memory(err);
    }
    if (t->set->power == 0)
        return PAL_OK;
    t->alias = mem_alloc(items, sizeof *t->alias);
    t->stack = mem_alloc(items, sizeof *t->stack);
    t->shares = mem_alloc(items, sizeof *t->shares);
    t->popularity = mem_alloc(items, sizeof *t->popularity);
    if (!t->alias || !t->stack || !t->shares || !t->popularity)
        return pal_no_memory(err);
    weigh_items(t);
    return PAL_OK;
}

static void trainer_done(struct trainer *t, unsigned workers)
{
    for (unsigned w = 0; t->scratch && w < workers; w++) {
        mem_free(t->scratch[w].mark);
        mem_free(t->scratch[w].samples);
    }
    mem_free(t->scratch);
    strata_order_done(&t->mixed);
    mem_free(t->entries);
    mem_free(t->alias);
    mem_free(t->stack);
    mem_free(t->shares);
    mem_free(t->popularity);
}

uint64_t bpr_train_bytes(const struct bpr_settings *set, uint64_t users, uint64_t items,
                         uint64_t entries, unsigned threads)
{
    uint64_t blocks = strata_blocks((uint32_t)items, LEAST);
    uint64_t samples = (entries / blocks + items + 1) * sample_bytes(set) + items / blocks * 4;
    return entries * sizeof(struct entry) +
           items * (STRATA_ORDER_BYTES + (set->power > 0 ? 28 : 0)) + threads * samples;
}

static void run_epoch(struct trainer *t, struct pool *pool)
{
    struct rng rng;
    rng_init(&rng, t->set->seed, ((uint64_t)1 << 40) + t->epoch);
    strata_mix(&t->mixed, t->R->cols, t->blocks, &rng);
    pool_for(pool, t->blocks, 1, deal, t);
    t->cell[t->blocks * t->blocks] = csr_entries(t->R);
    if (t->alias)
        pool_for(pool, t->blocks, 1, make_aliases, t);
    strata_walk(pool, t->blocks, walk_cell, t);
}

static void tell(const struct trainer *t, const struct run *run)
{
    struct strata_tally all = strata_total(t->tally, t->blocks);
    if (all.weight > 0) {
        run_metric(run, "loss", t->epoch + 1, all.loss / all.weight);
        run_metric(run, "accuracy", t->epoch + 1, all.right / all.weight);
    }
}

enum pal_status bpr_train(const struct csr *R, const struct bpr_settings *set, float *X, float *Y,
                          float *bias, const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    struct trainer t = {.R = R, .set = set, .X = X, .Y = Y, .bias = bias};
    struct strata_tally tally[STRATA * STRATA] = {{0}};
    t.stop = run ? run->stop : NULL;
    t.tally = run && run->metric ? tally : NULL;
    enum pal_status st = trainer_init(&t, pool_size(pool), err);
    for (uint64_t e = 0; e < set->epochs && st == PAL_OK; e++) {
        st = run_step(run, "training", e, set->epochs, err);
        t.epoch = (uint32_t)e;
        t.rate = set->rate * (1 - 0.95f * (float)e / (float)set->epochs);
        if (st == PAL_OK)
            run_epoch(&t, pool);
        if (st == PAL_OK && t.tally)
            tell(&t, run);
    }
    trainer_done(&t, pool_size(pool));
    return st == PAL_OK ? run_step(run, "training", set->epochs, set->epochs, err) : st;
}
