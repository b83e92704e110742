/* The view that draws read, and how bandit_refresh makes the next one.
 *
 * A draw wants the few items whose variates come out on top, without making all the others. So the
 * view holds thresholds ("rungs") above which a known small number of variates is expected, and for
 * each rung the chance of every item with evidence to be above it, sorted by powers of two; items
 * without evidence share one chance. bandit_draw.c says how exact draws come of that.
 *
 * Thresholds are chosen by one draw of everything, when there is no view yet, when the evidence has
 * faded by more than a horizon (half-life / 256) or when the expected numbers have moved away from
 * what was wanted. Otherwise only the chances of items counted since the last time are computed
 * anew. Any thresholds give exact draws: a bad choice costs only time.
 *
 * For propensities the view also holds what came of some draws made in advance, deep enough for
 * common lists; they are made again when the expected numbers have moved by a fiftieth. */
#include "engine/bandit_inside.h"

#include "base/mem.h"
#include "base/turns.h"
#include "math/beta.h"
#include "math/topk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double wanted[RUNGS] = {8, 32, 96, 320, 1280};

enum {
    TOP = 4 * 1280,      /* variates that the choice of thresholds looks at */
    CLOCK_SLACK = 60000, /* ms that the clock may go back without the view being made anew */
};

/* What is being made. */
struct making {
    struct bandit *b;
    struct keeping *k;
    struct view *v;
    uint32_t limit;
    uint32_t *list; /* (listed) numbers of changed items */
    size_t listed;
    bool whole; /* everything is computed anew */
};

/* ---- life ---- */

void bandit_view_free(struct view *v)
{
    if (!v)
        return;
    for (size_t r = 0; r < RUNGS; r++)
        mem_free(v->rung[r].member);
    mem_free(v->prior);
    mem_free(v->place);
    mem_free(v->memo);
    mem_free(v->popular.number);
    mem_free(v->trending.number);
    mem_free(v);
}

void bandit_keeping_done(struct keeping *k)
{
    mem_free(k->chance);
    mem_free(k->popular);
    mem_free(k->trending);
    mem_free(k->changed);
    *k = (struct keeping){.views = k->views};
}

void bandit_publish(struct bandit *b, struct view *v)
{
    pthread_mutex_lock(&b->pin_lock);
    struct view *old = b->view;
    b->view = v;
    if (old)
        old->retired = true;
    bool unused = old && old->pins == 0;
    pthread_mutex_unlock(&b->pin_lock);
    if (unused)
        bandit_view_free(old);
}

void bandit_unpin(const struct bandit *b, struct view *v)
{
    struct bandit *own = (struct bandit *)(uintptr_t)b;
    pthread_mutex_lock(&own->pin_lock);
    bool unused = --v->pins == 0 && v->retired;
    pthread_mutex_unlock(&own->pin_lock);
    if (unused)
        bandit_view_free(v);
}

/* ---- chances ---- */

/* Of the item to be above each rung; chance[0] < 0 for an item without evidence. */
static void find_chances(const struct making *m, uint32_t number, float chance[RUNGS])
{
    struct bandit_sums e = bandit_evidence(m->b, number);
    double alpha, beta;
    memset(chance, 0, RUNGS * sizeof *chance);
    if (!bandit_beta(m->b, &e, m->v->time_ms, &alpha, &beta)) {
        chance[0] = -1;
        return;
    }
    for (size_t r = m->v->rungs; r-- > 0;) {
        chance[r] = (float)beta_above(alpha, beta, m->k->rung_y[r], NULL);
        if (chance[r] < 0x1p-40f)
            break; /* and less so for the rungs above */
    }
}

/* How many are expected above y: the top variates that were drawn, and the others by chance. */
static double expected_above(const struct bandit *b, const struct scored *top, size_t n,
                             size_t priors, double y)
{
    size_t low = 0, high = n; /* top descends: find the first that is not above y */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (top[middle].score > y)
            low = middle + 1;
        else
            high = middle;
    }
    double prior = priors ? beta_above(b->o.prior_alpha, b->o.prior_beta, y, NULL) : 0;
    return (double)low + prior * (double)priors;
}

static void choose_rungs(struct making *m, const struct scored *top, size_t n, size_t priors)
{
    m->v->rungs = 0;
    for (size_t r = 0; r < RUNGS && wanted[r] < m->v->span / 2.0; r++) {
        double low = -1000, high = 1000;
        for (int step = 0; step < 60; step++) {
            double y = (low + high) / 2;
            if (expected_above(m->b, top, n, priors, y) > wanted[r])
                low = y;
            else
                high = y;
        }
        m->k->rung_y[m->v->rungs++] = high;
    }
}

/* Draws everything with evidence once and sets the thresholds by it. */
static enum pal_status find_rungs(struct making *m, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    float *drawn = mem_alloc(m->limit, sizeof *drawn);
    struct scored *top = mem_alloc(TOP, sizeof *top);
    struct rng rng;
    rng_init(&rng, 0x7468726573686f6c, m->k->views);
    if (!drawn || !top) {
        st = pal_no_memory(err);
        goto done;
    }
    size_t evident = 0;
    for (uint32_t i = 0; i < m->limit; i++) {
        struct bandit_sums e = bandit_evidence(m->b, i);
        double alpha, beta;
        if (bandit_beta(m->b, &e, m->v->time_ms, &alpha, &beta))
            drawn[evident++] = (float)beta_logit(alpha, beta, &rng);
    }
    size_t n = topk(drawn, evident, TOP, top);
    choose_rungs(m, top, n, m->v->span - evident);
    for (uint32_t i = 0; i < m->limit; i++)
        find_chances(m, i, m->k->chance[i]);
done:
    mem_free(drawn);
    mem_free(top);
    return st;
}

/* ---- rungs of a view ---- */

/* The level of a chance: l for (2^-(l+1), 2^-l]; LEVELS and more for one that is left out. */
static size_t level_of(float chance)
{
    int e;
    if (!(chance > 0))
        return LEVELS;
    float mantissa = frexpf(chance, &e);
    return (size_t)(mantissa == 0.5f ? 1 - e : -e);
}

static enum pal_status fill_rung(struct making *m, size_t r, struct pal_error *err)
{
    struct rung *rung = &m->v->rung[r];
    const struct keeping *k = m->k;
    size_t size[LEVELS] = {0}, place[LEVELS], all = 0;
    rung->y = k->rung_y[r];
    rung->prior_chance = beta_above(m->b->o.prior_alpha, m->b->o.prior_beta, rung->y, NULL);
    rung->expected = rung->prior_chance * (double)m->v->priors;
    for (uint32_t i = 0; i < m->limit; i++) {
        if (k->chance[i][0] < 0)
            continue;
        size_t level = level_of(k->chance[i][r]);
        if (level < LEVELS)
            size[level]++;
        rung->expected += k->chance[i][r];
    }
    for (size_t l = 0; l < LEVELS; l++) {
        rung->start[l] = place[l] = all;
        all += size[l];
    }
    rung->start[LEVELS] = all;
    rung->ahead[0] = rung->ahead[1] = 0;
    for (size_t l = 1; l < LEVELS; l++)
        rung->ahead[l + 1] = rung->ahead[l] + (double)size[l] * m->v->hazard[l];
    rung->member = mem_alloc(all, sizeof *rung->member);
    if (!rung->member)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < m->limit; i++) {
        size_t level = k->chance[i][0] < 0 ? LEVELS : level_of(k->chance[i][r]);
        if (level < LEVELS)
            rung->member[place[level]++] = (struct member){i, k->chance[i][r]};
    }
    return PAL_OK;
}

static enum pal_status fill_rungs(struct making *m, struct pal_error *err)
{
    struct view *v = m->v;
    enum pal_status st = PAL_OK;
    struct turns turns = {0};
    v->priors = 0;
    mem_free(v->prior);
    v->prior = mem_alloc(v->span, sizeof *v->prior);
    if (!v->prior)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < v->span; i++)
        if (i >= m->limit || m->k->chance[i][0] < 0)
            v->prior[v->priors++] = i;
    for (size_t r = 0; r < v->rungs && st == PAL_OK; r++) {
        mem_free(v->rung[r].member);
        v->rung[r].member = NULL;
        st = fill_rung(m, r, err);
        turns_pass(&turns, 0);
    }
    return st;
}

/* Do the thresholds no longer separate what they were chosen to? */
static bool is_off(const struct making *m)
{
    if (m->v->rungs < RUNGS && wanted[m->v->rungs] < m->v->span / 4.0)
        return true; /* the catalog has grown */
    for (size_t r = 0; r < m->v->rungs; r++) {
        double now = m->v->rung[r].expected, first = m->k->first_expected[r];
        if (now > 2.5 * first || now < 0.4 * first)
            return true;
    }
    return false;
}

static enum pal_status make_rungs(struct making *m, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct turns turns = {0};
    if (!m->whole) {
        for (size_t i = 0; i < m->listed; i++) {
            find_chances(m, m->list[i], m->k->chance[m->list[i]]);
            turns_pass(&turns, 6);
        }
        st = fill_rungs(m, err);
        if (st != PAL_OK || !is_off(m))
            return st;
        m->whole = true;
    }
    st = find_rungs(m, err);
    if (st == PAL_OK)
        st = fill_rungs(m, err);
    for (size_t r = 0; r < m->v->rungs; r++)
        m->k->first_expected[r] = m->v->rung[r].expected;
    return st;
}

/* ---- draws in advance ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Means of the QUANTILES equal parts of a sample, which gets sorted. */
static void find_quantiles(double *sample, double *quantile)
{
    const size_t part = SIMULATED / QUANTILES;
    qsort(sample, SIMULATED, sizeof *sample, ascending);
    for (size_t q = 0; q < QUANTILES; q++) {
        double sum = 0;
        for (size_t i = 0; i < part; i++)
            sum += sample[q * part + i];
        quantile[q] = sum / (double)part;
    }
}

/* Do the draws that were made in advance for the last view serve this one? */
static bool still_serve(const struct making *m, const struct view *old)
{
    const struct view *v = m->v;
    if (m->whole || !old || old->span != v->span || v->rungs == 0)
        return false;
    for (size_t r = 0; r < v->rungs; r++) {
        double last = m->k->last_expected[r];
        if (fabs(v->rung[r].expected - last) > 0.02 * last)
            return false;
    }
    return true;
}

static enum pal_status simulate(struct making *m, const struct view *old, struct pal_error *err)
{
    struct view *v = m->v;
    double sample[SIMULATED];
    struct rng rng;
    enum pal_status st;
    bool reuse = still_serve(m, old);
    v->rows = v->span < DEPTH + 1 ? v->span : DEPTH + 1;
    v->place = mem_alloc(v->rows * QUANTILES, sizeof *v->place);
    if (v->place && reuse) {
        memcpy(v->place, old->place, v->rows * QUANTILES * sizeof *v->place);
        return PAL_OK;
    }
    struct drawn *drawn = mem_alloc(v->rows * SIMULATED, sizeof *drawn);
    if (!v->place || !drawn) {
        st = pal_no_memory(err);
        goto done;
    }
    rng_init(&rng, 0x73696d756c617465, m->k->views);
    st = bandit_simulate(m->b, v, v->rows, v->rows ? SIMULATED : 0, &rng, drawn, err);
    for (size_t r = 0; r < v->rows && st == PAL_OK; r++) {
        for (size_t s = 0; s < SIMULATED; s++)
            sample[s] = drawn[s * v->rows + r].y;
        find_quantiles(sample, v->place + r * QUANTILES);
    }
    for (size_t r = 0; r < v->rungs; r++)
        m->k->last_expected[r] = v->rung[r].expected;
done:
    mem_free(drawn);
    return st;
}

/* ---- orders ---- */

static enum pal_status make_orders(struct making *m, const struct view *old, int64_t now_ms,
                                   struct pal_error *err)
{
    static const struct order none;
    struct keeping *k = m->k;
    double age = fabs((double)now_ms - (double)k->trending_ms);
    bool anew = m->whole || age > m->b->o.trending_days * 86400000.0 / 64;
    for (size_t i = 0; i < m->listed; i++) {
        struct bandit_sums e = bandit_evidence(m->b, m->list[i]);
        k->popular[m->list[i]] = bandit_popular_key(m->b, &e);
        if (!anew)
            k->trending[m->list[i]] = bandit_trending_score(m->b, &e, k->trending_ms);
    }
    enum pal_status st = bandit_order_merge(old ? &old->popular : &none, k->popular, k->changed,
                                            m->list, m->listed, &m->v->popular, err);
    if (st != PAL_OK || !anew)
        return st != PAL_OK ? st
                            : bandit_order_merge(&old->trending, k->trending, k->changed, m->list,
                                                 m->listed, &m->v->trending, err);
    uint32_t *all = mem_alloc(m->limit, sizeof *all);
    if (!all)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < m->limit; i++) {
        struct bandit_sums e = bandit_evidence(m->b, i);
        k->trending[i] = bandit_trending_score(m->b, &e, now_ms);
        all[i] = i;
    }
    k->trending_ms = now_ms;
    st = bandit_order_merge(&none, k->trending, k->changed, all, m->limit, &m->v->trending, err);
    mem_free(all);
    return st;
}

/* ---- refresh ---- */

static int grow(struct keeping *k, uint32_t items)
{
    if (items <= k->items)
        return 0;
    uint32_t want = items < UINT32_MAX - items / 4 ? items + items / 4 + 64 : items;
    void *chance = mem_resize(k->chance, want, sizeof *k->chance);
    k->chance = chance ? chance : k->chance;
    double *popular = mem_resize(k->popular, want, sizeof *k->popular);
    k->popular = popular ? popular : k->popular;
    double *trending = mem_resize(k->trending, want, sizeof *k->trending);
    k->trending = trending ? trending : k->trending;
    uint8_t *changed = mem_resize(k->changed, want, sizeof *k->changed);
    k->changed = changed ? changed : k->changed;
    if (!chance || !popular || !trending || !changed)
        return -1;
    for (uint32_t i = k->items; i < want; i++) {
        k->chance[i][0] = -1;
        k->popular[i] = k->trending[i] = -INFINITY;
        k->changed[i] = 0;
    }
    k->items = want;
    return 0;
}

/* Which items are to be looked at. */
static enum pal_status list_changed(struct making *m, int64_t now_ms, struct pal_error *err)
{
    struct keeping *k = m->k;
    bool back = (double)k->refreshed_ms - (double)now_ms > CLOCK_SLACK;
    m->list = mem_alloc(m->limit, sizeof *m->list);
    if (!m->list)
        return pal_no_memory(err);
    bandit_collect(m->b, m->limit, k->changed);
    for (uint32_t i = 0; i < m->limit; i++) {
        k->changed[i] |= m->whole || back;
        if (k->changed[i])
            m->list[m->listed++] = i;
    }
    /* an event may be ahead of our clock by what is accepted, not by years */
    for (size_t i = 0; i < m->listed; i++)
        if ((double)bandit_evidence(m->b, m->list[i]).last_ms - (double)now_ms > 10.0 * CLOCK_SLACK)
            bandit_repair(m->b, m->list[i], now_ms);
    return PAL_OK;
}

/* From here on counted items count as newer than the view that is being made. */
static uint32_t next_round(struct bandit *b)
{
    uint32_t round = atomic_fetch_add_explicit(&b->round, 1, memory_order_acq_rel) + 1;
    atomic_store_explicit(&b->fresh_count, 0, memory_order_relaxed);
    return round;
}

static bool must_be_whole(const struct bandit *b, const struct view *old, int64_t now_ms)
{
    if (!old || b->keep.broken)
        return true;
    double age = (double)now_ms - (double)old->time_ms;
    return age > b->horizon_ms || age < -fmax(b->horizon_ms, CLOCK_SLACK);
}

/* Under refresh_lock. Nothing is lost on failure: the changed marks stay. */
static enum pal_status refresh(struct bandit *b, int64_t now_ms, struct pal_error *err)
{
    struct view *old = b->view;
    struct making m = {.b = b, .k = &b->keep, .whole = must_be_whole(b, old, now_ms)};
    m.limit = atomic_load_explicit(&b->limit, memory_order_acquire);
    uint32_t asked = atomic_load_explicit(&b->asked, memory_order_relaxed);
    uint32_t span = m.limit > asked ? m.limit : asked;
    m.v = mem_zero(1, sizeof *m.v);
    if (m.v)
        m.v->memo = mem_zero(MEMO, sizeof *m.v->memo);
    if (!m.v || !m.v->memo || grow(&b->keep, m.limit)) {
        bandit_view_free(m.v);
        return pal_no_memory(err);
    }
    m.v->round = next_round(b);
    m.v->span = span;
    m.v->time_ms = m.whole ? now_ms : old->time_ms;
    m.v->rungs = m.whole ? 0 : old->rungs;
    for (size_t l = 0; l < LEVELS; l++)
        m.v->hazard[l] = l ? -log1p(-ldexp(1, -(int)l)) : INFINITY;
    m.k->views++;
    m.k->broken = false;
    enum pal_status st = list_changed(&m, now_ms, err);
    if (st != PAL_OK || (!m.whole && m.listed == 0 && span == old->span))
        goto done;
    st = make_rungs(&m, err);
    if (st == PAL_OK)
        st = simulate(&m, old, err);
    if (st == PAL_OK)
        st = make_orders(&m, old, now_ms, err);
    if (st != PAL_OK)
        goto done;
    for (uint32_t i = 0; i < m.listed; i++)
        b->keep.changed[m.list[i]] = 0;
    bandit_publish(b, m.v);
    m.v = NULL;
done:
    if (st == PAL_OK)
        b->keep.refreshed_ms = now_ms;
    else
        b->keep.broken = true;
    mem_free(m.list);
    bandit_view_free(m.v);
    return st;
}

enum pal_status bandit_refresh(struct bandit *b, int64_t now_ms, struct pal_error *err)
{
    pthread_mutex_lock(&b->refresh_lock);
    enum pal_status st = refresh(b, now_ms, err);
    pthread_mutex_unlock(&b->refresh_lock);
    return st;
}

/* ---- pins ---- */

/* The view, if there is one that serves. */
static struct view *try_pin(struct bandit *b, uint32_t count, int64_t now_ms, bool any)
{
    pthread_mutex_lock(&b->pin_lock);
    struct view *v = b->view;
    bool fits = v && (any || (count <= (uint64_t)v->span + v->span / 16 &&
                              (double)now_ms - (double)v->time_ms <= 2 * b->horizon_ms));
    if (fits)
        v->pins++;
    pthread_mutex_unlock(&b->pin_lock);
    return fits ? v : NULL;
}

static enum pal_status pin(struct bandit *b, uint32_t count, int64_t now_ms, bool any,
                           struct view **out, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    bandit_raise(&b->asked, count);
    *out = try_pin(b, count, now_ms, any);
    while (!*out && st == PAL_OK) {
        pthread_mutex_lock(&b->refresh_lock);
        bandit_raise(&b->asked, count);        /* bandit_forget may have been here… */
        *out = try_pin(b, count, now_ms, any); /* …or another thread that made a view */
        if (!*out)
            st = refresh(b, now_ms, err);
        if (!*out && st == PAL_OK)
            *out = try_pin(b, count, now_ms, any);
        pthread_mutex_unlock(&b->refresh_lock);
    }
    return st;
}

enum pal_status bandit_pin(const struct bandit *b, uint32_t count, int64_t now_ms,
                           struct view **out, struct pal_error *err)
{
    return pin((struct bandit *)(uintptr_t)b, count, now_ms, false, out, err);
}

enum pal_status bandit_pin_any(const struct bandit *b, int64_t now_ms, struct view **out,
                               struct pal_error *err)
{
    return pin((struct bandit *)(uintptr_t)b, 0, now_ms, true, out, err);
}
