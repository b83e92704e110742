/* How likely it was that an item comes: the propensities of a draw.
 *
 * An item's propensity π is the chance that its variate X passes the k-th best of the others, T,
 * which doesn't depend on X. T is the k-th best of all where the item is not among the first k, the
 * (k+1)-th where it is; of both the view has quantiles from draws made in advance. With p and p'
 * the means of P(X > T) over either, π = (1 - π) p + π p', so π = p / (1 + p - p'). All of it
 * depends on the view, the item and the place alone, so the view remembers what was computed for
 * items that come on top again and again.
 *
 * Where many had to be passed over, or past DEPTH places, no quantiles are of the right T: it
 * depends on who was allowed. Then the draw goes on to the next one who is, and π is P(X > T) for
 * the T of this very draw: the chance given what the others drew. The mean of 1 / π over the draws
 * in which an item comes is right for that, too: given the others it comes with chance π.
 */
#include "engine/bandit_drawing.h"

#include "base/mem.h"
#include "math/beta.h"

#include <math.h>
#include <string.h>

#define MIX UINT64_C(0x9e3779b97f4a7c15)

enum {
    NODES = 6,       /* of the interpolation of P(X > T) */
    PASSED_OVER = 4, /* a fourth of those found are few */
};

/* P(X > y) for y between `low` and `high`: ln P at NODES places, parabolas between. */
struct curve {
    double low, step, value[NODES];
};

static void fit_curve(struct curve *c, double alpha, double beta, double low, double high)
{
    c->low = low;
    c->step = fmax((high - low) / (NODES - 1), 1e-9);
    for (int i = 0; i < NODES; i++)
        c->value[i] = log(fmax(beta_above(alpha, beta, low + i * c->step, NULL), 1e-300));
}

/* The mean of P(X > T) over the quantiles of a place. */
static double mean_above(const struct curve *c, const double *quantile)
{
    double sum = 0;
    for (size_t q = 0; q < QUANTILES; q++) {
        double at = fmin(fmax((quantile[q] - c->low) / c->step, 0), NODES - 1);
        int node = (int)(at + 0.5);
        node = node < 1 ? 1 : node > NODES - 2 ? NODES - 2 : node;
        const double *v = c->value + node;
        double x = at - node, curved = (v[1] - 2 * v[0] + v[-1]) / 2;
        sum += exp(v[0] + x * ((v[1] - v[-1]) / 2 + x * curved));
    }
    return fmin(sum / QUANTILES, 1);
}

/* By the quantiles of the place of the last one that was looked at. */
static double by_quantiles(const struct drawing *d, double alpha, double beta)
{
    const double *place = d->v->place + (d->asked - 1) * QUANTILES;
    const double *next = d->asked < d->v->rows ? place + QUANTILES : place;
    struct curve curve;
    fit_curve(&curve, alpha, beta, next[0], place[QUANTILES - 1]);
    double out = mean_above(&curve, place), in = mean_above(&curve, next);
    return out / (1 + out - in);
}

static struct memo *memo_of(const struct drawing *d, uint32_t number)
{
    uint32_t hash = number * 2654435769u + (uint32_t)d->asked * 2246822519u;
    return &d->v->memo[(hash >> 8) % MEMO];
}

/* Below 0: not known. */
static double recall(const struct drawing *d, uint32_t number)
{
    const struct memo *m = memo_of(d, number);
    uint64_t value = atomic_load_explicit(&m->value, memory_order_relaxed);
    uint64_t check = atomic_load_explicit(&m->check, memory_order_relaxed);
    uint32_t bits = (uint32_t)(value >> 32);
    float p;
    if ((uint32_t)value != number || check != (value ^ (uint64_t)d->asked * MIX) || !bits)
        return -1;
    memcpy(&p, &bits, sizeof p);
    return (double)p;
}

static void remember(const struct drawing *d, uint32_t number, float p)
{
    struct memo *m = memo_of(d, number);
    uint32_t bits;
    memcpy(&bits, &p, sizeof bits);
    uint64_t value = (uint64_t)bits << 32 | number;
    atomic_store_explicit(&m->value, value, memory_order_relaxed);
    atomic_store_explicit(&m->check, value ^ (uint64_t)d->asked * MIX, memory_order_relaxed);
}

/* Whether no quantiles tell what T is like: too many were passed over, or it lies too deep. */
static bool out_of_reach(const struct drawing *d)
{
    return d->asked - d->found > d->found / PASSED_OVER || d->asked > DEPTH ||
           d->asked > d->v->rows;
}

static double propensity(const struct drawing *d, uint32_t number)
{
    const struct view *v = d->v;
    double alpha, beta;
    bool fresh = drawing_fresh(d, number) != NULL;
    if (!fresh) {
        double known = recall(d, number);
        if (known >= 0)
            return known;
    }
    drawing_posterior(d, number, fresh ? d->now_ms : v->time_ms, &alpha, &beta);
    float p = (float)by_quantiles(d, alpha, beta);
    if (!fresh)
        remember(d, number, p);
    return (double)p;
}

/* Given what the others drew: T is the best of those who are allowed and not among the first. */
static double propensity_here(const struct drawing *d, uint32_t number, double next_y)
{
    double alpha, beta;
    bool fresh = drawing_fresh(d, number) != NULL;
    drawing_posterior(d, number, fresh ? d->now_ms : d->v->time_ms, &alpha, &beta);
    return beta_above(alpha, beta, next_y, NULL);
}

/* The propensities of those found, into p (found). */
static enum pal_status find_propensities(struct drawing *d, double *p, struct pal_error *err)
{
    size_t n = d->found;
    double shared = -1; /* the same for all without evidence, where there are many */
    bool certain = n < d->k || d->asked >= d->count; /* whoever is allowed is in */
    bool here = !certain && out_of_reach(d);
    enum pal_status st = here ? drawing_go_on(d, n + 1, err) : PAL_OK;
    certain = certain || (here && d->found == n);
    double next_y = here && !certain ? d->out[n].y : 0;
    d->found = n;
    for (size_t i = 0; i < n && st == PAL_OK; i++) {
        uint32_t number = d->out[i].number;
        double alpha, beta;
        bool alike = d->v->priors > 1000 && !drawing_posterior(d, number, d->now_ms, &alpha, &beta);
        if (alike && shared >= 0)
            p[i] = shared;
        else
            p[i] = certain ? 1 : here ? propensity_here(d, number, next_y) : propensity(d, number);
        shared = alike ? p[i] : shared;
    }
    return st;
}

enum pal_status drawing_picks(struct drawing *d, struct bandit_pick *out, struct pal_error *err)
{
    double few[DRAWING_FEW], *p = d->found <= DRAWING_FEW ? few : mem_alloc(d->found, sizeof *p);
    enum pal_status st = p ? find_propensities(d, p, err) : pal_no_memory(err);
    for (size_t i = 0; i < d->found && st == PAL_OK; i++)
        /* above 0, so that a weight of 1 / propensity is always finite */
        out[i] = (struct bandit_pick){d->out[i].number, (float)beta_from_logit(d->out[i].y),
                                      (float)fmax(fmin(p[i], 1), 1e-9)};
    if (p != few)
        mem_free(p);
    return st;
}
