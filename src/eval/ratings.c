/* See ratings.h. */
#include "eval/ratings.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

static const double item_shrink = 25, user_shrink = 10; /* Koren 2010, lambda 2 and 3 */

struct sample { /* a training rating that the map is fitted on */
    uint32_t user;
    uint64_t at;     /* its place in the training part */
    double z, error; /* standardized score; rating - baseline */
};

struct fitting {
    const struct dataset *d;
    const struct split *split;
    const struct weights *weights;
    const struct ratings *r;
    struct sample *sample; /* (n) */
    size_t n;
};

void ratings_done(struct ratings *r)
{
    mem_free(r->sum);
    mem_free(r->count);
    memset(r, 0, sizeof *r);
}

/* mu, b(i) and the range; *n receives how many ratings there are. */
static enum pal_status gather(const struct interactions *x, struct ratings *r, uint64_t *n,
                              struct pal_error *err)
{
    uint64_t all = interactions_count(x);
    double sum = 0;
    *n = 0;
    r->low = INFINITY;
    r->high = -INFINITY;
    for (uint64_t i = 0; i < all; i++)
        if (interactions_type(x, i) == r->type) {
            double v = interactions_value(x, i);
            sum += v;
            r->low = fmin(r->low, v);
            r->high = fmax(r->high, v);
            ++*n;
        }
    if (*n == 0)
        return PAL_OK;
    r->mean = sum / (double)*n;
    r->sum = mem_zero(x->items, sizeof *r->sum);
    r->count = mem_zero(x->items, sizeof *r->count);
    if (!r->sum || !r->count)
        return pal_no_memory(err);
    for (uint64_t i = 0; i < all; i++)
        if (interactions_type(x, i) == r->type) {
            r->sum[x->item[i]] += interactions_value(x, i) - r->mean;
            r->count[x->item[i]]++;
        }
    return PAL_OK;
}

static double item_deviation(const struct ratings *r, uint32_t item)
{
    return r->sum[item] / (item_shrink + r->count[item]);
}

double ratings_user(const struct ratings *r, const struct interactions *x, uint32_t user,
                    uint64_t without)
{
    double sum = 0, n = 0;
    for (uint64_t i = x->start[user]; i < x->start[user + 1]; i++)
        if (i != without && interactions_type(x, i) == r->type) {
            sum += interactions_value(x, i) - r->mean - item_deviation(r, x->item[i]);
            n++;
        }
    return sum / (user_shrink + n);
}

struct standard ratings_standard(const float *scores, size_t n)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(scores[i])) {
            sum += scores[i];
            count++;
        }
    double mean = count > 0 ? sum / count : 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(scores[i]))
            squares += (scores[i] - mean) * (scores[i] - mean);
    return (struct standard){mean, squares > 0 ? 1 / sqrt(squares / count) : 0};
}

static double standardized(struct standard z, float score)
{
    return isfinite(score) ? (score - z.mean) * z.scale : 0;
}

double ratings_predict(const struct ratings *r, double user, uint32_t item, struct standard z,
                       float score)
{
    double x = r->mean + item_deviation(r, item) + user + r->c0 + r->c1 * standardized(z, score);
    return fmin(fmax(x, r->low), r->high);
}

/* Draws ratings of the training part, all equally likely, in order of place. */
static void draw(const struct interactions *x, uint64_t ratings, uint64_t seed, struct fitting *f)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    uint64_t left = ratings, want = f->n;
    size_t n = 0;
    for (uint32_t u = 0; u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1] && want; i++) {
            if (interactions_type(x, i) != f->r->type)
                continue;
            if (rng_below(&rng, left--) < want) {
                f->sample[n++] = (struct sample){.user = u, .at = i};
                want--;
            }
        }
}

static enum pal_status history_without(void *ctx, size_t i, struct arena *tmp, struct history *out,
                                       struct pal_error *err)
{
    const struct fitting *f = ctx;
    const struct sample *p = &f->sample[i];
    enum pal_status st =
        history_of(&f->split->train, &f->d->types, f->weights, p->user, tmp, out, err);
    if (st)
        return st;
    uint32_t *item = arena_alloc(tmp, out->n, sizeof *item);
    float *weight = arena_alloc(tmp, out->n, sizeof *weight);
    if (!item || !weight)
        return pal_no_memory(err);
    size_t n = 0;
    for (size_t j = 0; j < out->n; j++)
        if (out->item[j] != f->split->train.item[p->at]) {
            item[n] = out->item[j];
            weight[n++] = out->weight[j];
        }
    *out = (struct history){.n = n, .item = item, .weight = weight};
    return PAL_OK;
}

static void measure(void *ctx, size_t i, float *scores, unsigned worker)
{
    const struct fitting *f = ctx;
    const struct ratings *r = f->r;
    const struct interactions *x = &f->split->train;
    struct sample *p = &f->sample[i];
    uint32_t item = x->item[p->at];
    double value = interactions_value(x, p->at);
    double of_item = (r->sum[item] - (value - r->mean)) / (item_shrink + r->count[item] - 1);
    double of_user = ratings_user(r, x, p->user, p->at);
    p->z = standardized(ratings_standard(scores, x->items), scores[item]);
    p->error = value - r->mean - of_item - of_user;
}

/* Least squares of error on 1 and z. */
static void solve(const struct fitting *f, struct ratings *r)
{
    double n = (double)f->n, z = 0, e = 0, zz = 0, ze = 0;
    for (size_t i = 0; i < f->n; i++) {
        z += f->sample[i].z / n;
        e += f->sample[i].error / n;
    }
    for (size_t i = 0; i < f->n; i++) {
        double dz = f->sample[i].z - z;
        zz += dz * dz;
        ze += dz * (f->sample[i].error - e);
    }
    r->c1 = zz > 1e-9 * n ? ze / zz : 0;
    r->c0 = e - r->c1 * z;
}

enum pal_status ratings_fit(const struct dataset *d, const struct split *s, const struct weights *w,
                            uint64_t seed, struct scoring *sc, struct ratings *out,
                            struct pal_error *err)
{
    struct ratings r = {.type = event_type_rating(&d->types)};
    uint64_t count = 0;
    enum pal_status st = r.type < 0 ? PAL_OK : gather(&s->train, &r, &count, err);
    struct fitting f = {d, s, w, &r, NULL, count < RATINGS_SAMPLE ? count : RATINGS_SAMPLE};
    if (!sc)
        f.n = 0;
    if (st == PAL_OK && f.n) {
        f.sample = mem_alloc(f.n, sizeof *f.sample);
        if (!f.sample)
            st = pal_no_memory(err);
    }
    if (st == PAL_OK && f.n) {
        struct scoring_calls calls = {.history = history_without, .visit = measure, .ctx = &f};
        draw(&s->train, count, seed, &f);
        st = scoring_run(sc, f.n, "calibrating", &calls, err);
    }
    if (st == PAL_OK && f.n)
        solve(&f, &r);
    if (st == PAL_OK) {
        *out = r;
        memset(&r, 0, sizeof r);
    }
    ratings_done(&r);
    mem_free(f.sample);
    return st;
}
