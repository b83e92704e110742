/* See off_policy.h. Each estimator is a quotient of two sums over rows; the rows of a unit are
 * added up once, and a resampling adds up units. Each has its own stream of random numbers. */
#include "eval/off_policy.h"
#include "eval/significance.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { SLAB = 256, GRAIN = 4 };

/* What is added up. */
enum sum { COUNT, REWARD, WEIGHTED, WEIGHT, EXPECTED, DOUBLY, SUMS };

static const struct {
    const char *name;
    enum sum above, below;
} estimators[POLICY_ESTIMATORS] = {
    [POLICY_LOGGED] = {"logged", REWARD, COUNT},  [POLICY_IPS] = {"ips", WEIGHTED, COUNT},
    [POLICY_SNIPS] = {"snips", WEIGHTED, WEIGHT}, [POLICY_DM] = {"dm", EXPECTED, COUNT},
    [POLICY_DR] = {"dr", DOUBLY, COUNT},
};

const char *policy_estimator_name(enum policy_estimator e)
{
    return estimators[e].name;
}

static bool modelled(const struct policy_log *log, size_t e)
{
    return (e != POLICY_DM && e != POLICY_DR) || log->predicted;
}

/* Of no row in a resampling with a weight there is no snips: NAN, which intervals leave out. */
static double quotient(const double *sum, size_t e)
{
    double below = sum[estimators[e].below];
    return below > 0 ? sum[estimators[e].above] / below : NAN;
}

static enum pal_status check_row(const struct policy_log *log, size_t i, struct pal_error *err)
{
    double p = log->propensity[i], e = log->target[i];
    if (!(p > 0 && p <= 1))
        return pal_fail(err, PAL_EUSAGE,
                        "row %zu was logged with a propensity of %g: it must be above 0 and up to "
                        "1, the chance with which the logging policy did what it did",
                        i + 1, p);
    if (!(e >= 0 && e <= 1))
        return pal_fail(err, PAL_EUSAGE,
                        "row %zu: the policy's chance to do the same is %g: it must be from 0 to 1",
                        i + 1, e);
    if (!isfinite(log->reward[i]))
        return pal_fail(err, PAL_EUSAGE, "row %zu has no finite reward", i + 1);
    return PAL_OK;
}

/* Adds every row to its unit's sums (units, SUMS) and fills what *out says of weights. */
static enum pal_status add_up(const struct policy_log *log, double clip, double *sums,
                              struct policy_value *out, struct pal_error *err)
{
    double all = 0, squares = 0;
    for (size_t i = 0; i < log->n; i++) {
        enum pal_status st = check_row(log, i, err);
        if (st != PAL_OK)
            return st;
        double w = log->target[i] / log->propensity[i];
        if (clip > 0 && w > clip) {
            w = clip;
            out->clipped++;
        }
        out->matched += w > 0;
        out->most_weight = fmax(out->most_weight, w);
        all += w;
        squares += w * w;
        double *sum = sums + SUMS * (log->unit ? log->unit[i] : i);
        sum[COUNT] += 1;
        sum[REWARD] += log->reward[i];
        sum[WEIGHTED] += w * log->reward[i];
        sum[WEIGHT] += w;
        if (log->predicted) {
            sum[EXPECTED] += log->expected[i];
            sum[DOUBLY] += log->expected[i] + w * (log->reward[i] - log->predicted[i]);
        }
    }
    if (!(all > 0))
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "the log never shows what the policy would do (%zu rows, none with a "
                        "chance above 0): nothing can be said of its value",
                        log->n);
    out->effective = all * all / squares;
    out->mean_weight = all / (double)log->n;
    return PAL_OK;
}

struct resampling {
    const double *sums; /* (units, SUMS) */
    uint32_t units;
    uint64_t seed;
    size_t n, offset; /* how many in all; where the slab in work begins */
    double *value;    /* (POLICY_ESTIMATORS, n) */
};

static void resample(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct resampling *b = ctx;
    (void)worker;
    for (size_t i = b->offset + begin; i < b->offset + end; i++) {
        struct rng rng;
        double sum[SUMS] = {0};
        rng_init(&rng, b->seed, i);
        for (uint32_t u = 0; u < b->units; u++) {
            const double *unit = b->sums + SUMS * rng_below(&rng, b->units);
            for (size_t s = 0; s < SUMS; s++)
                sum[s] += unit[s];
        }
        for (size_t e = 0; e < POLICY_ESTIMATORS; e++)
            b->value[e * b->n + i] = quotient(sum, e);
    }
}

static enum pal_status intervals(const struct policy_log *log, const double *sums, uint32_t units,
                                 const struct policy_options *o, const struct run *run,
                                 struct policy_value *out, struct pal_error *err)
{
    struct resampling b = {sums, units, o->seed, (size_t)o->bootstrap, 0, NULL};
    b.value = mem_alloc(POLICY_ESTIMATORS * b.n, sizeof *b.value);
    enum pal_status st = b.value ? PAL_OK : pal_no_memory(err);
    for (; st == PAL_OK && b.offset < b.n; b.offset += SLAB) {
        st = run_step(run, "resampling", b.offset, b.n, err);
        if (st == PAL_OK)
            pool_for(run ? run->pool : NULL, b.n - b.offset < SLAB ? b.n - b.offset : SLAB, GRAIN,
                     resample, &b);
    }
    for (size_t e = 0; st == PAL_OK && e < POLICY_ESTIMATORS; e++)
        if (modelled(log, e) && e != POLICY_DM)
            percentile_interval(b.value + e * b.n, b.n, o->confidence, &out->low[e], &out->high[e]);
    mem_free(b.value);
    return st;
}

enum pal_status policy_evaluate(const struct policy_log *log, const struct policy_options *o,
                                const struct run *run, struct policy_value *out,
                                struct pal_error *err)
{
    struct policy_value v = {0};
    uint32_t units = log->unit ? log->units : (uint32_t)log->n;
    if (log->n == 0 || log->n > UINT32_MAX)
        return pal_fail(err, PAL_EUNSUPPORTED, "the log has %s rows: nothing can be estimated",
                        log->n ? "more than 4 billion" : "no");
    double *sums = mem_zero((size_t)units * SUMS, sizeof *sums);
    if (!sums)
        return pal_no_memory(err);
    enum pal_status st = add_up(log, o->clip, sums, &v, err);
    double all[SUMS] = {0};
    for (size_t i = 0; i < (size_t)units * SUMS; i++)
        all[i % SUMS] += sums[i];
    for (size_t e = 0; e < POLICY_ESTIMATORS; e++) {
        v.value[e] = modelled(log, e) ? quotient(all, e) : NAN;
        v.low[e] = v.high[e] = NAN;
    }
    if (st == PAL_OK && o->bootstrap > 0)
        st = intervals(log, sums, units, o, run, &v, err);
    if (st == PAL_OK)
        *out = v;
    mem_free(sums);
    return st;
}

/* ---- a model of rewards ---- */

struct cell {
    double reward, rows;
};

struct means {
    uint32_t actions, places;
    struct cell *cell;   /* (POLICY_FOLDS, places + 1, actions): the last place stands for all */
    struct cell *whole;  /* (POLICY_FOLDS) */
    struct cell *totals; /* (places + 1, actions): over the folds */
    double *expected;    /* (POLICY_FOLDS, places): of the policy, fitted without that fold */
    double prior;
};

static struct cell *cell_at(const struct means *m, size_t fold, size_t place, uint32_t action)
{
    return &m->cell[(fold * (m->places + 1) + place) * m->actions + action];
}

static void add(struct cell *c, double reward)
{
    c->reward += reward;
    c->rows += 1;
}

/* The mean of all but one fold's rows, drawn to `toward`. */
static double shrunk(const struct cell *all, const struct cell *fold, double prior, double toward)
{
    double rows = all->rows - fold->rows, reward = all->reward - fold->reward;
    return rows + prior > 0 ? (reward + prior * toward) / (rows + prior) : toward;
}

static double predict(const struct means *m, const struct cell *all, size_t fold, uint32_t place,
                      uint32_t action)
{
    const struct cell *totals = m->totals;
    double mean = shrunk(all, &m->whole[fold], 0, 0);
    double by_action = shrunk(&totals[(size_t)m->places * m->actions + action],
                              cell_at(m, fold, m->places, action), m->prior, mean);
    return shrunk(&totals[(size_t)place * m->actions + action], cell_at(m, fold, place, action),
                  m->prior, by_action);
}

/* Which fold a unit is in: by a number that its own alone decides. */
static size_t fold_of(uint64_t seed, uint32_t unit)
{
    struct rng rng;
    rng_init(&rng, seed, unit);
    return (size_t)rng_below(&rng, POLICY_FOLDS);
}

static void count_rows(struct means *m, const uint32_t *action, const uint32_t *place,
                       const struct policy_log *log, uint64_t seed, struct cell *all)
{
    for (size_t i = 0; i < log->n; i++) {
        size_t fold = fold_of(seed, log->unit ? log->unit[i] : (uint32_t)i);
        add(cell_at(m, fold, place[i], action[i]), log->reward[i]);
        add(cell_at(m, fold, m->places, action[i]), log->reward[i]);
        add(&m->whole[fold], log->reward[i]);
        add(all, log->reward[i]);
    }
    size_t cells = ((size_t)m->places + 1) * m->actions;
    for (size_t i = 0; i < cells * POLICY_FOLDS; i++) {
        m->totals[i % cells].reward += m->cell[i].reward;
        m->totals[i % cells].rows += m->cell[i].rows;
    }
}

enum pal_status reward_model(const struct policy_table *policy, const uint32_t *action,
                             const uint32_t *place, const struct policy_log *log, double prior,
                             uint64_t seed, double *predicted, double *expected,
                             struct pal_error *err)
{
    struct means m = {.actions = policy->actions, .places = policy->places, .prior = prior};
    struct cell all = {0};
    size_t cells = ((size_t)m.places + 1) * m.actions;
    m.cell = mem_zero(cells * POLICY_FOLDS, sizeof *m.cell);
    m.totals = mem_zero(cells, sizeof *m.totals);
    m.whole = mem_zero(POLICY_FOLDS, sizeof *m.whole);
    m.expected = mem_zero((size_t)POLICY_FOLDS * m.places, sizeof *m.expected);
    enum pal_status st = PAL_OK;
    if (!m.cell || !m.totals || !m.whole || !m.expected) {
        st = pal_no_memory(err);
        goto done;
    }
    count_rows(&m, action, place, log, seed, &all);
    for (size_t fold = 0; fold < POLICY_FOLDS; fold++)
        for (uint32_t p = 0; p < m.places; p++)
            for (uint32_t a = 0; a < m.actions; a++)
                m.expected[fold * m.places + p] +=
                    policy->chance[(size_t)p * m.actions + a] * predict(&m, &all, fold, p, a);
    for (size_t i = 0; i < log->n; i++) {
        size_t fold = fold_of(seed, log->unit ? log->unit[i] : (uint32_t)i);
        predicted[i] = predict(&m, &all, fold, place[i], action[i]);
        expected[i] = m.expected[fold * m.places + place[i]];
    }
done:
    mem_free(m.cell);
    mem_free(m.totals);
    mem_free(m.whole);
    mem_free(m.expected);
    return st;
}
