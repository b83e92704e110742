/* Training: see rank.h for how it stays honest. */
#include "rank/asks.h"
#include "rank/prove.h"
#include "rank/trees.h"

#include "data/split.h"

#include <stdio.h>
#include <string.h>

/* What is needed until the trees are there. */
struct fitting {
    const struct training *t;
    const struct trees_options *o;
    const struct run *run;
    struct trees_model *m;
    struct dataset data; /* borrows all of t */
    struct split split;  /* its train: early, its test: later */
    struct training early;
    struct model *source[RANK_SOURCES]; /* fitted on early */
    struct known known;                 /* as of the end of it */
    struct asks asks;
    struct arena tmp;
};

static enum pal_status take_sources(struct fitting *f, struct pal_error *err)
{
    struct ranker *r = &f->m->ranker;
    enum pal_status st = ranker_take(r, f->t, err);
    if (st == PAL_OK && features_count(&f->known, r->sources) > FEATURES_MOST)
        st = pal_fail(err, PAL_EUSAGE, "%s can't rank with so many sources", r->model.ops->name);
    return st;
}

/* By one point in time for all. */
static enum pal_status cut_log(struct fitting *f, struct pal_error *err)
{
    char spec[32];
    f->data.all = *f->t->log;
    f->data.items = *f->t->items;
    f->data.types = *f->t->types;
    snprintf(f->data.name, sizeof f->data.name, "the training data");
    snprintf(spec, sizeof spec, "time:%d/%d", (int)(100 - f->o->holdout), (int)f->o->holdout);
    if (!f->t->log->time_s)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s learns from what came last, so it needs times, which these data lack",
                        f->m->ranker.model.ops->name);
    enum pal_status st = split_make(&f->data, spec, f->run ? f->run->seed : 0, &f->split, err);
    if (st == PAL_OK)
        st = training_make(&f->data, &f->split.train, f->t->weights, f->run, &f->early, err);
    return st;
}

/* The sources once more, on the early part alone. How that goes is not how the ranker learns. */
static enum pal_status refit(struct fitting *f, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct run untold = f->run ? *f->run : (struct run){0};
    untold.metric = NULL;
    for (size_t i = 0; i < f->m->ranker.sources && st == PAL_OK; i++) {
        const struct model *s = f->m->ranker.source[i];
        st = model_fit(s->ops, s->options, &f->early, 0, f->run ? &untold : NULL, &f->source[i],
                       err);
        if (st != PAL_OK && st != PAL_EINTERRUPTED)
            st = pal_within(err, st, "fitting %s for %s", s->ops->name,
                            f->m->ranker.model.ops->name);
    }
    return st;
}

static enum pal_status ask(struct fitting *f, struct pal_error *err)
{
    const struct asks_plan plan = {
        .source = (const struct model *const *)f->source,
        .sources = f->m->ranker.sources,
        .quota = (size_t)f->o->quota,
        .known = &f->known,
        .early = &f->early,
        .later = &f->split.test,
        .per_user = (size_t)f->o->moments,
        .most = (size_t)f->o->lists,
        .seed = f->run ? f->run->seed : 0,
    };
    return asks_make(&plan, f->run, &f->asks, err);
}

static enum pal_status boost(struct fitting *f, struct pal_error *err)
{
    struct boost_options o = f->o->boost;
    struct boost_lists train, held;
    struct boosted made;
    struct trees_model *m = f->m;
    m->base = asks_best_base(&f->asks);
    enum pal_status st = asks_lists(&f->asks, false, m->base, &f->tmp, &train, err);
    if (st == PAL_OK)
        st = asks_lists(&f->asks, true, m->base, &f->tmp, &held, err);
    if (st != PAL_OK)
        return st;
    if (!train.lists || !held.lists)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s: in the newest %d %% of the events hardly anybody likes what its "
                        "sources put forward: it has nothing to learn from",
                        m->ranker.model.ops->name, (int)f->o->holdout);
    m->trained[0] = (double)(train.lists + held.lists);
    asks_done(&f->asks);
    o.seed = f->run ? f->run->seed : 0;
    st = boost_train(&train, &held, &o, f->run, &m->own, &made, err);
    if (st != PAL_OK)
        return st;
    st = prove_trees(&held, &f->tmp, &made, err);
    if (st != PAL_OK)
        return st;
    m->forest = made.forest;
    m->gain = made.gain;
    m->trained[1] = made.first;
    m->trained[2] = made.best;
    return PAL_OK;
}

static void fitting_done(struct fitting *f)
{
    for (size_t i = 0; i < RANK_SOURCES; i++)
        model_free(f->source[i]);
    asks_done(&f->asks);
    known_done(&f->known);
    training_done(&f->early);
    split_done(&f->split);
    arena_done(&f->tmp);
}

enum pal_status trees_fit(struct model *model, const struct training *t, const struct run *run,
                          struct pal_error *err)
{
    struct fitting f = {.t = t, .o = model->options, .run = run, .m = trees_self(model)};
    enum pal_status st = boost_check(err); /* better said before the work than after it */
    if (st == PAL_OK)
        st = take_sources(&f, err);
    if (st == PAL_OK)
        st = cut_log(&f, err);
    if (st == PAL_OK)
        st = refit(&f, err);
    if (st == PAL_OK)
        st = known_make(&f.early, &f.known, err);
    if (st == PAL_OK)
        st = ask(&f, err);
    if (st == PAL_OK)
        st = boost(&f, err);
    if (st == PAL_OK)
        st = known_make(t, &f.m->known, err);
    fitting_done(&f);
    return st;
}
