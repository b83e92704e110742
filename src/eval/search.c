/* See search.h.
 *
 * Successive halving (Jamieson and Talwalkar, 2016): nine new points are tried at a ninth of the
 * full cost, the best three of them at a third, the best one in full, so that nine points cost as
 * much as three. Each such bracket starts on the lowest rung; Hyperband's brackets that start
 * higher up insure against a cheap fidelity that misleads, at the price of fewer points, which did
 * not pay where fidelity is a number of epochs.
 *
 * The points of a bracket are proposed by TPE (tpe.h) one after the other, those already proposed
 * and not yet tried counting as bad ("constant liar"), so that they keep apart. What was seen is
 * ordered by the rung that it reached, then by its value there: values of different rungs can't be
 * compared, but who reached a rung was better than who did not. Without rungs four points make a
 * round. Until there is something to learn from, points are drawn evenly or, as often, near the
 * first one, which in the search of a model's options are the defaults: chosen with care. */
#include "eval/search.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALONE = 4, /* points in a round without rungs */
    EARLY = 9, /* points after the first before there is enough to learn from */
};

static const double good_share = 0.15; /* of what was seen, that TPE takes for good */

struct trial {
    double value;
    unsigned rung; /* the highest it was tried on */
    bool told;
};

struct standing { /* of a trial among the others */
    uint32_t trial;
    struct trial is;
};

struct search {
    struct search_settings set;
    double *points;       /* (set.trials, dims) */
    struct trial *trials; /* (set.trials) */
    size_t count;         /* points there are */
    struct search_task task[SEARCH_ROUND_MOST];
    size_t tasks;
    struct standing *standing; /* (set.trials) scratch */
    double *order;             /* (set.trials, dims) points, best first, then the untried ones */
    size_t good;               /* of order, that are taken for good */
};

void search_free(struct search *s)
{
    if (!s)
        return;
    mem_free(s->points);
    mem_free(s->trials);
    mem_free(s->order);
    mem_free(s->standing);
    mem_free(s);
}

enum pal_status search_new(const struct search_settings *settings, const double *first,
                           struct search **out, struct pal_error *err)
{
    size_t dims = settings->space.dims, n = settings->trials;
    assert(dims && dims <= TPE_DIMS_MOST && n && n <= SEARCH_TRIALS_MOST);
    assert(settings->rungs && settings->rungs <= SEARCH_RUNGS_MOST);
    struct search *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->set = *settings;
    s->points = mem_alloc(n * dims, sizeof *s->points);
    s->order = mem_alloc(n * dims, sizeof *s->order);
    s->trials = mem_zero(n, sizeof *s->trials);
    s->standing = mem_alloc(n, sizeof *s->standing);
    if (!s->points || !s->order || !s->trials || !s->standing) {
        search_free(s);
        return pal_no_memory(err);
    }
    memcpy(s->points, first, dims * sizeof *first);
    *out = s;
    return PAL_OK;
}

static bool failed(const struct trial *t)
{
    return !t->told || isnan(t->value);
}

/* Which is to be taken for better; of equals the earlier one. */
static int better_first(const void *left, const void *right)
{
    const struct standing *a = left, *b = right;
    if (failed(&a->is) != failed(&b->is))
        return failed(&a->is) ? 1 : -1;
    if (!failed(&a->is) && a->is.rung != b->is.rung)
        return a->is.rung > b->is.rung ? -1 : 1;
    if (!failed(&a->is) && a->is.value != b->is.value)
        return a->is.value > b->is.value ? -1 : 1;
    return a->trial < b->trial ? -1 : 1;
}

/* Puts all that was seen into order. */
static void rank(struct search *s)
{
    size_t dims = s->set.space.dims, seen = 0;
    for (size_t t = 0; t < s->count; t++) {
        s->standing[t] = (struct standing){(uint32_t)t, s->trials[t]};
        seen += !failed(&s->trials[t]);
    }
    qsort(s->standing, s->count, sizeof *s->standing, better_first);
    for (size_t i = 0; i < s->count; i++)
        memcpy(s->order + i * dims, s->points + s->standing[i].trial * dims,
               dims * sizeof *s->order);
    s->good = (size_t)ceil(good_share * (double)seen);
}

/* One more point, behind those of `order` as one that is not good. */
static void propose(struct search *s)
{
    const struct tpe_space *space = &s->set.space;
    double *at = s->points + s->count * space->dims;
    struct rng rng;
    rng_init(&rng, s->set.seed, s->count); /* of its own: a trial's draws depend on no other's */
    if (s->set.random)
        tpe_random(space, &rng, at);
    else if (s->count <= EARLY || !s->good)
        tpe_draw(space, s->points, 1, &rng, at);
    else
        tpe_propose(space, s->order, s->count, s->good, &rng, at);
    memcpy(s->order + s->count * space->dims, at, space->dims * sizeof *at);
    s->count++;
}

static void add_task(struct search *s, uint32_t trial, unsigned rung)
{
    s->trials[trial].told = false;
    s->task[s->tasks++] =
        (struct search_task){trial + 1, rung, s->points + trial * s->set.space.dims};
}

static void begin_bracket(struct search *s)
{
    size_t want = s->set.rungs == 1 ? ALONE : 1;
    for (unsigned r = 1; r < s->set.rungs; r++)
        want *= SEARCH_ETA;
    if (want > s->set.trials - s->count)
        want = s->set.trials - s->count;
    rank(s);
    for (size_t i = 0; i < want; i++) {
        propose(s);
        add_task(s, (uint32_t)(s->count - 1), 0);
    }
}

/* The best third of the round that was told, one rung up; nothing if all of it failed. */
static void promote(struct search *s)
{
    size_t n = s->tasks, most = n / SEARCH_ETA ? n / SEARCH_ETA : 1;
    unsigned rung = s->task[0].rung + 1;
    struct standing by[SEARCH_ROUND_MOST];
    for (size_t i = 0; i < n; i++) {
        uint32_t t = s->task[i].trial - 1;
        by[i] = (struct standing){t, s->trials[t]};
    }
    qsort(by, n, sizeof *by, better_first);
    s->tasks = 0;
    for (size_t i = 0; i < most && !failed(&by[i].is); i++)
        add_task(s, by[i].trial, rung);
}

size_t search_next(struct search *s, const struct search_task **tasks)
{
    for (size_t i = 0; i < s->tasks; i++)
        assert(s->trials[s->task[i].trial - 1].told);
    if (s->tasks && s->task[0].rung + 1 < s->set.rungs)
        promote(s);
    else
        s->tasks = 0;
    if (!s->count) {
        s->count = 1;
        add_task(s, 0, s->set.rungs - 1);
    } else if (!s->tasks) {
        begin_bracket(s);
    }
    *tasks = s->task;
    return s->tasks;
}

void search_tell(struct search *s, size_t i, double value)
{
    struct trial *t = &s->trials[s->task[i].trial - 1];
    t->value = value;
    t->rung = s->task[i].rung;
    t->told = true;
}
