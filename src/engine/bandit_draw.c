/* The best k of a Thompson draw without drawing everything.
 *
 * A full draw would give each item i a variate X_i from its posterior and keep the k largest. Take
 * a threshold τ above which E = Σ P(X_i > τ), a little more than k, are expected. Which items are
 * above τ is a matter of independent coins with chances p_i = P(X_i > τ); the view has them sorted
 * into levels with p_i in (2^-(l+1), 2^-l]. Those of a level that pass a coin of 2^-l are found by
 * skipping ahead: lay all items end to end, each as long as its hazard h_l = -ln(1 - 2^-l), and let
 * a Poisson process of rate 1 run along them. The chance that an item has no point is exp(-h_l) =
 * 1 - 2^-l, for each by itself, so that one exponential variate leads to the next item that has
 * one, whatever level it is in. It is kept with chance p_i / 2^-l: exactly a coin of p_i for
 * everyone, at the cost of at most 2 E visits. Items without evidence share one chance and are
 * skipped through in the same way. Whoever is kept gets his variate from his posterior's tail
 * beyond τ. Then the k largest of these are the k largest of all, if there are k (and allowed):
 * exactly the distribution of a full draw.
 *
 * If not, the next lower threshold τ' is taken. An item that was not above τ lies in (τ', τ] with
 * chance (p' - p) / (1 - p), which p' bounds, so the same levels serve. Below the last threshold,
 * or in a catalog too small for any, each remaining item is drawn by itself.
 *
 * Posteriors are those of the view, at most a horizon old; items counted since it was made (up to
 * FRESH) are drawn by themselves from their posterior as of now. Left out are only chances below
 * 2^-40: at a million items all together less than one draw in a million.
 */
#include "engine/bandit_drawing.h"

#include "base/mem.h"
#include "base/turns.h"
#include "math/beta.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is known about an item ---- */

bool drawing_posterior(const struct drawing *d, uint32_t number, int64_t now_ms, double *alpha,
                       double *beta)
{
    struct bandit_sums e = bandit_evidence(d->b, number);
    return bandit_beta(d->b, &e, now_ms, alpha, beta);
}

const struct drawn *drawing_fresh(const struct drawing *d, uint32_t number)
{
    if (!(d->fresh_bits >> number % 64 & 1))
        return NULL;
    for (size_t i = 0; i < d->freshes; i++)
        if (d->fresh[i].number == number)
            return &d->fresh[i];
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool is_decided(const struct drawing *d, uint32_t number)
{
    return d->settled > 0 &&
           bsearch(&number, d->decided, d->settled, sizeof number, by_number) != NULL;
}

/* Takes down what was counted since the view was made, each item once; not drawn yet. */
static void list_fresh(struct drawing *d)
{
    struct bandit *b = (struct bandit *)(uintptr_t)d->b;
    for (size_t i = 0; i < FRESH; i++) {
        uint64_t entry = atomic_load_explicit(&b->fresh[i], memory_order_acquire);
        uint32_t round = (uint32_t)(entry >> 32), number = (uint32_t)entry;
        if (round < d->v->round || number >= d->count || drawing_fresh(d, number))
            continue;
        d->fresh_bits |= UINT64_C(1) << number % 64;
        d->fresh[d->freshes++] = (struct drawn){NAN, number};
    }
}

/* The chance of the i-th of them to be above a rung's threshold: as of the first draw that asked
 * since it was counted last, which the view remembers. */
static double fresh_chance(const struct drawing *d, size_t i, const struct rung *rung)
{
    uint32_t number = d->fresh[i].number, bits;
    uint32_t whose = number * 2654435769u ^ bandit_sequence(d->b, number);
    struct view *v = (struct view *)(uintptr_t)d->v;
    _Atomic uint64_t *memo = &v->fresh_memo[i][rung - v->rung];
    uint64_t known = atomic_load_explicit(memo, memory_order_relaxed);
    float p;
    if (known && (uint32_t)known == whose) {
        bits = (uint32_t)(known >> 32);
        memcpy(&p, &bits, sizeof p);
        return (double)p;
    }
    double alpha, beta;
    drawing_posterior(d, number, d->now_ms, &alpha, &beta);
    p = (float)beta_above(alpha, beta, rung->y, NULL);
    memcpy(&bits, &p, sizeof bits);
    atomic_store_explicit(memo, (uint64_t)bits << 32 | whose, memory_order_relaxed);
    return (double)p;
}

/* ---- hits ---- */

static int need_hits(struct drawing *d, size_t need)
{
    if (need <= d->cap)
        return 0;
    bool few = d->hit == d->few;
    size_t cap = 2 * d->cap > need ? 2 * d->cap : need;
    struct drawn *hit = mem_resize(few ? NULL : d->hit, cap, sizeof *hit);
    if (!hit)
        return -1;
    if (few)
        memcpy(hit, d->few, d->hits * sizeof *hit);
    d->hit = hit;
    d->cap = cap;
    return 0;
}

static int put_hit(struct drawing *d, double y, uint32_t number)
{
    if (need_hits(d, d->hits + 1))
        return -1;
    d->hit[d->hits++] = (struct drawn){y, number};
    return 0;
}

/* A variate of the posterior in (floor, d->above], where p is P(above floor). */
static double draw_between(const struct drawing *d, double alpha, double beta, double floor,
                           double p)
{
    return beta_logit_between(alpha, beta, floor, d->above, p, d->rng);
}

static int visit_member(struct drawing *d, const struct rung *rung, const struct member *m,
                        double bound)
{
    double coin = rng_real(d->rng) * bound, alpha, beta, below;
    if (coin >= m->chance || m->number >= d->count || drawing_fresh(d, m->number))
        return 0;
    drawing_posterior(d, m->number, d->v->time_ms, &alpha, &beta);
    if (d->above < INFINITY) {
        double passed = beta_above(alpha, beta, d->above, &below);
        if (!(coin * below < m->chance - passed) || is_decided(d, m->number))
            return 0;
    }
    return put_hit(d, draw_between(d, alpha, beta, rung->y, m->chance), m->number);
}

static int visit_levels(struct drawing *d, const struct rung *rung)
{
    const double *hazard = d->v->hazard;
    for (size_t i = 0; i < rung->start[1]; i++) /* level 0: each of them */
        if (visit_member(d, rung, &rung->member[i], 1))
            return -1;
    double at = 0;
    for (size_t l = 1;;) {
        at -= log(1 - rng_real(d->rng));
        while (l < LEVELS && at >= rung->ahead[l + 1])
            l++;
        if (l >= LEVELS)
            return 0;
        size_t n = rung->start[l + 1] - rung->start[l];
        size_t place = (size_t)((at - rung->ahead[l]) / hazard[l]);
        place = place < n ? place : n - 1; /* rounding */
        if (visit_member(d, rung, &rung->member[rung->start[l] + place], ldexp(1, -(int)l)))
            return -1;
        at = rung->ahead[l] + (double)(place + 1) * hazard[l];
    }
}

/* The items without evidence: those of the view, and all numbers from its span on. */
static int visit_priors(struct drawing *d, const struct rung *rung)
{
    const struct view *v = d->v;
    double alpha = d->b->o.prior_alpha, beta = d->b->o.prior_beta, chance = rung->prior_chance;
    double below = 1, passed = 0;
    if (d->above < INFINITY)
        passed = beta_above(alpha, beta, d->above, &below);
    double coin = below > 0 ? (chance - passed) / below : 0;
    double extra = d->count > v->span ? d->count - v->span : 0, n = (double)v->priors + extra;
    double stride = coin < 1 ? 1 / log1p(-coin) : 0;
    for (double at = 0; coin > 0 && at < n; at++) {
        if (coin < 1)
            at += floor(log(1 - rng_real(d->rng)) * stride);
        if (at >= n)
            break;
        size_t place = (size_t)at;
        uint32_t number =
            place < v->priors ? v->prior[place] : v->span + (uint32_t)(place - v->priors);
        if (number >= d->count || drawing_fresh(d, number) || is_decided(d, number))
            continue;
        if (put_hit(d, draw_between(d, alpha, beta, rung->y, chance), number))
            return -1;
    }
    return 0;
}

/* Above the first threshold that is tried: a coin for each. */
static int visit_fresh_first(struct drawing *d, const struct rung *rung)
{
    for (size_t i = 0; i < d->freshes; i++) {
        double alpha, beta, chance = fresh_chance(d, i, rung);
        if (rng_real(d->rng) >= chance)
            continue;
        drawing_posterior(d, d->fresh[i].number, d->now_ms, &alpha, &beta);
        if (put_hit(d, draw_between(d, alpha, beta, rung->y, chance), d->fresh[i].number))
            return -1;
        d->fresh[i].y = INFINITY; /* above all that comes */
    }
    return 0;
}

/* Those in (floor, d->above]; whoever was not above the first threshold is drawn now. */
static int visit_fresh(struct drawing *d, double floor)
{
    for (size_t i = 0; i < d->freshes; i++) {
        struct drawn *x = &d->fresh[i];
        double alpha, beta;
        if (isnan(x->y)) {
            drawing_posterior(d, x->number, d->now_ms, &alpha, &beta);
            x->y = draw_between(d, alpha, beta, -INFINITY, 1);
        }
        if (x->y > floor && x->y <= d->above && put_hit(d, x->y, x->number))
            return -1;
    }
    return 0;
}

static int visit_rung(struct drawing *d, const struct rung *rung)
{
    if (visit_levels(d, rung))
        return -1;
    if (visit_priors(d, rung))
        return -1;
    return d->above < INFINITY ? visit_fresh(d, rung->y) : visit_fresh_first(d, rung);
}

/* Everything that is left. */
static int visit_all(struct drawing *d)
{
    if (need_hits(d, d->hits + d->count))
        return -1;
    for (uint32_t i = 0; i < d->count; i++) {
        double alpha, beta;
        if (drawing_fresh(d, i) || is_decided(d, i))
            continue;
        drawing_posterior(d, i, d->v->time_ms, &alpha, &beta);
        d->hit[d->hits++] = (struct drawn){draw_between(d, alpha, beta, -INFINITY, 1), i};
    }
    return visit_fresh(d, -INFINITY);
}

/* ---- from hits to answers ---- */

static bool before(struct drawn a, struct drawn b)
{
    return a.y > b.y || (a.y == b.y && a.number < b.number);
}

static void sift_down(struct drawn *heap, size_t n, size_t i)
{
    struct drawn x = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], x))
            break;
        heap[i] = heap[child];
    }
    heap[i] = x;
}

/* Hits from `first` on become the heap. */
static void make_heap(struct drawing *d, size_t first)
{
    d->first = first;
    d->left = d->hits - first;
    for (size_t i = d->left / 2; i-- > 0;)
        sift_down(d->hit + first, d->left, i);
}

/* Takes hits from the heap, best first, until `want` are found. */
static void take(struct drawing *d, size_t want)
{
    struct drawn *heap = d->left ? d->hit + d->first : NULL;
    while (d->left > 0 && d->found < want) {
        size_t n = --d->left;
        struct drawn best = heap[0];
        heap[0] = heap[n];
        heap[n] = best;
        if (n > 0)
            sift_down(heap, n, 0);
        d->asked++;
        if (!d->allow || d->allow(d->ctx, best.number))
            d->out[d->found++] = best;
    }
}

/* Makes the numbers of all hits findable. */
static int settle(struct drawing *d)
{
    uint32_t *decided = mem_resize(d->decided, d->hits, sizeof *decided);
    if (!decided)
        return -1;
    d->decided = decided;
    for (size_t i = 0; i < d->hits; i++)
        decided[i] = d->hit[i].number;
    d->settled = d->hits;
    qsort(decided, d->settled, sizeof *decided, by_number);
    return 0;
}

/* The first rung that will probably do: one in twenty draws needs another, at some four times the
 * cost, where waiting for a surer one would take four times as many variates each time. */
static size_t first_rung(const struct drawing *d)
{
    const struct view *v = d->v;
    double extra = d->count > v->span ? d->count - v->span : 0, k = (double)d->k;
    for (size_t r = 0; r < v->rungs; r++)
        if (v->rung[r].expected + extra * v->rung[r].prior_chance >= k + 2 * sqrt(k))
            return r;
    return v->rungs;
}

/* The next lower threshold; the last one is none at all. */
static int visit_next(struct drawing *d)
{
    const struct view *v = d->v;
    size_t first = d->hits;
    if (first > 0 && settle(d))
        return -1;
    if (d->next < v->rungs ? visit_rung(d, &v->rung[d->next]) : visit_all(d))
        return -1;
    make_heap(d, first);
    d->above = d->next < v->rungs ? v->rung[d->next].y : d->above;
    d->next++;
    return 0;
}

/* From where the draw stands, until `want` are found or there are no more. */
enum pal_status drawing_go_on(struct drawing *d, size_t want, struct pal_error *err)
{
    take(d, want);
    while (d->found < want && d->next <= d->v->rungs) {
        if (visit_next(d))
            return pal_no_memory(err);
        take(d, want);
    }
    return PAL_OK;
}

/* The buffers of hits are kept for the next draw; free_buffers frees them. */
static enum pal_status draw(struct drawing *d, struct pal_error *err)
{
    d->above = INFINITY;
    d->hits = d->settled = d->found = d->asked = d->left = 0;
    d->next = first_rung(d);
    return drawing_go_on(d, d->k, err);
}

static void begin(struct drawing *d, const struct bandit *b, const struct view *v, struct rng *rng)
{
    memset(d, 0, offsetof(struct drawing, fresh));
    d->b = b;
    d->v = v;
    d->rng = rng;
    d->hit = d->few;
    d->cap = DRAWING_FEW;
}

static void free_buffers(struct drawing *d)
{
    if (d->hit != d->few)
        mem_free(d->hit);
    mem_free(d->decided);
}

enum pal_status bandit_simulate(const struct bandit *b, const struct view *v, size_t k, size_t n,
                                struct rng *rng, struct drawn *out, struct pal_error *err)
{
    struct drawing d;
    enum pal_status st = PAL_OK;
    struct turns turns = {0};
    begin(&d, b, v, rng);
    d.count = v->span;
    d.k = k;
    for (size_t i = 0; i < n && st == PAL_OK; i++) {
        d.out = out + i * k;
        st = draw(&d, err);
        turns_pass(&turns, 1);
    }
    free_buffers(&d);
    return st;
}

enum pal_status bandit_draw(const struct bandit *b, uint32_t count, size_t k, int64_t now_ms,
                            struct rng *rng, bandit_allow_fn *allow, void *ctx,
                            struct bandit_pick *out, size_t *drawn, struct pal_error *err)
{
    struct drawing d;
    struct view *v;
    k = k < count ? k : count;
    if (k == 0) {
        *drawn = 0;
        return PAL_OK;
    }
    struct drawn few[DRAWING_FEW], *best = k < DRAWING_FEW ? few : mem_alloc(k + 1, sizeof *best);
    if (!best)
        return pal_no_memory(err);
    enum pal_status st = bandit_pin(b, count, now_ms, &v, err);
    if (st != PAL_OK)
        goto done;
    begin(&d, b, v, rng);
    d.count = count;
    d.k = k;
    d.now_ms = now_ms;
    d.allow = allow;
    d.ctx = ctx;
    d.out = best;
    list_fresh(&d);
    st = draw(&d, err);
    if (st == PAL_OK)
        st = drawing_picks(&d, out, err);
    if (st == PAL_OK)
        *drawn = d.found;
    free_buffers(&d);
    bandit_unpin(b, v);
done:
    if (best != few)
        mem_free(best);
    return st;
}
