/* See folds.h. One fold at a time is in memory; what is kept of it are its lists. */
#include "rank/folds.h"

#include "data/split.h"

#include <stdio.h>

enum { EARLY_LEAST = 25 }; /* per cent */

struct fold {
    struct split split;               /* its train: early */
    const struct interactions *later; /* its test, or where more lies behind, its validation part */
    struct training early;
    struct model *source[RANK_SOURCES]; /* fitted on early */
    struct known known;                 /* as of the end of it */
    struct asks asks;
};

/* Of how many there is room for, the first in any case. */
static int count_folds(const struct folds_plan *p)
{
    int fits = (100 - EARLY_LEAST) / p->part;
    return fits < 1 ? 1 : fits < p->folds ? fits : p->folds;
}

/* By one point in time for all; the newest fold is number 0. data borrows all of t. */
static enum pal_status cut_log(const struct folds_plan *p, int number, const struct run *run,
                               struct fold *fold, struct pal_error *err)
{
    struct dataset data = {.all = *p->t->log, .items = *p->t->items, .types = *p->t->types};
    char spec[64];
    int behind = number * p->part, early = 100 - p->part - behind;
    snprintf(data.name, sizeof data.name, "the training data");
    if (behind)
        snprintf(spec, sizeof spec, "time:%d/%d/%d", early, p->part, behind);
    else
        snprintf(spec, sizeof spec, "time:%d/%d", early, p->part);
    enum pal_status st = split_make(&data, spec, run ? run->seed : 0, &fold->split, err);
    fold->later = behind ? &fold->split.valid : &fold->split.test;
    if (st == PAL_OK)
        st = training_make(&data, &fold->split.train, p->t->weights, run, &fold->early, err);
    fold->early.items = p->t->items;
    fold->early.types = p->t->types;
    return st;
}

/* The sources once more, on the early part alone. How that goes is not how the ranker learns. */
static enum pal_status refit(const struct folds_plan *p, const struct run *run, struct fold *fold,
                             struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct run untold = run ? *run : (struct run){0};
    untold.metric = NULL;
    for (size_t i = 0; i < p->sources && st == PAL_OK; i++) {
        const struct model *s = p->source[i];
        st = model_fit(s->ops, s->options, &fold->early, 0, run ? &untold : NULL, &fold->source[i],
                       err);
        if (st != PAL_OK && st != PAL_EINTERRUPTED)
            st = pal_within(err, st, "fitting %s for the ranker", s->ops->name);
    }
    return st;
}

static enum pal_status ask(const struct folds_plan *p, const struct run *run, struct fold *fold,
                           struct pal_error *err)
{
    const struct asks_plan plan = {
        .source = (const struct model *const *)fold->source,
        .sources = p->sources,
        .quota = p->quota,
        .again = p->again,
        .whole = p->whole,
        .known = &fold->known,
        .early = &fold->early,
        .later = fold->later,
        .per_user = p->per_user,
        .most = p->most / (size_t)count_folds(p),
        .seed = run ? run->seed : 0,
    };
    if (features_count(&fold->known, p->sources) > FEATURES_MOST)
        return pal_fail(err, PAL_EUSAGE, "the ranker can't do with so many sources");
    return asks_make(&plan, run, &fold->asks, err);
}

static void fold_done(struct fold *fold)
{
    for (size_t i = 0; i < RANK_SOURCES; i++)
        model_free(fold->source[i]);
    asks_done(&fold->asks);
    known_done(&fold->known);
    training_done(&fold->early);
    split_done(&fold->split);
}

/* Kinds and attributes are those of the whole catalog, so each fold has the same features. */
static enum pal_status add_fold(const struct folds_plan *p, int number, const struct run *run,
                                struct asks *all, struct pal_error *err)
{
    struct fold fold = {0};
    enum pal_status st = cut_log(p, number, run, &fold, err);
    if (st == PAL_OK)
        st = refit(p, run, &fold, err);
    if (st == PAL_OK)
        st = known_make(&fold.early, p->again, &fold.known, err);
    if (st == PAL_OK)
        st = ask(p, run, &fold, err);
    if (st == PAL_OK)
        st = asks_append(all, &fold.asks, err);
    fold_done(&fold);
    return st;
}

enum pal_status folds_ask(const struct folds_plan *p, const struct run *run, struct asks *out,
                          struct pal_error *err)
{
    struct asks all = {0};
    enum pal_status st = PAL_OK;
    if (!p->t->log->time_s)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "the ranker learns from what came last, so it needs times, which these "
                        "data lack");
    for (int k = 0; k < count_folds(p) && st == PAL_OK; k++)
        st = add_fold(p, k, run, &all, err);
    if (st == PAL_OK)
        *out = all;
    else
        asks_done(&all);
    return st;
}
