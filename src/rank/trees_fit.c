/* Training: see rank.h for how it stays honest. */
#include "rank/folds.h"
#include "rank/prove.h"
#include "rank/trees.h"

#include <stdio.h>
#include <string.h>

/* What is needed until the trees are there. */
struct fitting {
    const struct training *t;
    const struct trees_options *o;
    const struct run *run;
    struct trees_model *m;
    struct asks asks;
    struct arena tmp;
};

static enum pal_status ask(struct fitting *f, struct pal_error *err)
{
    const struct folds_plan plan = {
        .t = f->t,
        .source = f->m->ranker.source,
        .sources = f->m->ranker.sources,
        .quota = (size_t)f->o->quota,
        .part = (int)f->o->holdout,
        .folds = (int)f->o->folds,
        .per_user = (size_t)f->o->moments,
        .most = (size_t)f->o->lists,
        .again = f->o->again,
        .whole = f->o->whole,
    };
    return folds_ask(&plan, f->run, &f->asks, err);
}

/* One of rank_base's numbers. */
static size_t choose_base(const struct fitting *f)
{
    size_t best = asks_best_base(&f->asks), sources = f->m->ranker.sources;
    if (f->o->base == BASE_POPULARITY)
        return sources + 1;
    return f->o->base == BASE_SCORE && best < sources ? sources + 2 + best : best;
}

/* The trees by most of the users, kept if the others say that they are worth it; then as many anew
 * by all of them. */
static enum pal_status boost(struct fitting *f, const struct asks_parts *lists,
                             struct boosted *made, struct pal_error *err)
{
    struct boost_options o = f->o->boost;
    struct run untold = f->run ? *f->run : (struct run){0};
    struct boosted again;
    untold.metric = NULL;
    o.seed = untold.seed;
    enum pal_status st =
        boost_train(&lists->train, &lists->held, &o, f->run, &f->m->own, made, err);
    if (st == PAL_OK)
        st = prove_trees(&lists->held, o.loss == BOOST_NDCG ? 1 : 0, &f->tmp, made, err);
    if (st != PAL_OK || !made->forest.trees)
        return st;
    o.rounds = made->forest.trees;
    o.all = true;
    st = boost_train(&lists->all, &lists->held, &o, &untold, &f->m->own, &again, err);
    if (st == PAL_OK) {
        made->forest = again.forest;
        made->gain = again.gain;
    }
    return st;
}

static enum pal_status learn(struct fitting *f, struct pal_error *err)
{
    struct asks_parts lists;
    struct boosted made;
    struct trees_model *m = f->m;
    m->base = choose_base(f);
    enum pal_status st = asks_lists(&f->asks, m->base, &f->tmp, &lists, err);
    if (st != PAL_OK)
        return st;
    if (!lists.train.lists || !lists.held.lists)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%s: in the newest %d %% of the events hardly anybody likes what its "
                        "sources put forward: it has nothing to learn from",
                        m->ranker.model.ops->name, (int)f->o->holdout);
    m->trained[0] = (double)lists.all.lists;
    asks_done(&f->asks);
    st = boost(f, &lists, &made, err);
    if (st != PAL_OK)
        return st;
    m->forest = made.forest;
    m->gain = made.gain;
    m->trained[1] = made.first;
    m->trained[2] = made.best;
    return PAL_OK;
}

enum pal_status trees_fit(struct model *model, const struct training *t, const struct run *run,
                          struct pal_error *err)
{
    struct fitting f = {.t = t, .o = model->options, .run = run, .m = trees_self(model)};
    enum pal_status st = boost_check(err); /* better said before the work than after it */
    if (st == PAL_OK)
        st = ranker_take(&f.m->ranker, t, err);
    if (st == PAL_OK)
        st = ask(&f, err);
    if (st == PAL_OK)
        st = learn(&f, err);
    if (st == PAL_OK)
        st = known_make(t, f.o->again, &f.m->known, err);
    asks_done(&f.asks);
    arena_done(&f.tmp);
    return st;
}
