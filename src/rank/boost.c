/* See boost.h: XGBoost's C API, as it has been from 1.7 to 3.
 *
 * The library is opened when something is trained, not linked: 4 ms and 5 MB at each start are too
 * much for what servers never call. It stays open, since its threads can't be taken back. */
#include "rank/boost.h"

#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#define CALLS(CALL)                                                                                \
    CALL(XGBGetLastError)                                                                          \
    CALL(XGDMatrixCreateFromMat)                                                                   \
    CALL(XGDMatrixSetFloatInfo)                                                                    \
    CALL(XGDMatrixSetUIntInfo)                                                                     \
    CALL(XGDMatrixFree)                                                                            \
    CALL(XGBoosterCreate)                                                                          \
    CALL(XGBoosterFree)                                                                            \
    CALL(XGBoosterSetParam)                                                                        \
    CALL(XGBoosterUpdateOneIter)                                                                   \
    CALL(XGBoosterEvalOneIter)                                                                     \
    CALL(XGBoosterSaveModelToBuffer)

/* The calls, by their own names. */
struct xgboost {
#define MEMBER(name) __typeof__(&name) name;
    CALLS(MEMBER)
#undef MEMBER
};

static enum pal_status open_library(struct xgboost *out, struct pal_error *err)
{
    static const char *const names[] = {"libxgboost.so.0", "libxgboost.so.1", "libxgboost.so.2",
                                        "libxgboost.so.3", "libxgboost.so"};
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "the ranker is trained by XGBoost, which can't be opened (%.200s): install "
                        "libxgboost0 or libxgboost-dev, or leave trees out of --model",
                        dlerror());
#define FIND(name)                                                                                 \
    *(void **)&out->name = dlsym(library, #name);                                                  \
    if (!out->name)                                                                                \
        return pal_fail(err, PAL_EUNSUPPORTED, "this XGBoost has no " #name ": 1.7 to 3 have it");
    CALLS(FIND)
#undef FIND
    return PAL_OK;
}

enum pal_status boost_check(struct pal_error *err)
{
    struct xgboost calls;
    return open_library(&calls, err);
}

/* What is at work in one training. */
struct work {
    struct xgboost call;
    struct arena tmp;
    DMatrixHandle train, held;
    BoosterHandle booster;
};

/* What it says when it fails is a C++ trace behind a first line or two. */
static enum pal_status failed(const struct work *w, struct pal_error *err)
{
    const char *why = w->call.XGBGetLastError();
    return pal_fail(err, PAL_EUNSUPPORTED, "XGBoost: %.300s", why ? why : "it failed");
}

static enum pal_status make_matrix(const struct work *w, const struct boost_lists *l,
                                   DMatrixHandle *out, struct pal_error *err)
{
    if (w->call.XGDMatrixCreateFromMat(l->x, l->rows, l->features, __builtin_nanf(""), out) ||
        w->call.XGDMatrixSetFloatInfo(*out, "label", l->label, l->rows) ||
        w->call.XGDMatrixSetFloatInfo(*out, "base_margin", l->base, l->rows) ||
        w->call.XGDMatrixSetUIntInfo(*out, "group", l->count, l->lists))
        return failed(w, err);
    return PAL_OK;
}

/* Such that the mean chance 1 / (1 + e^-(base + it)) is that of a like: by bisection, since it
 * falls together with what it is looked for with. */
static double offset_of(const struct boost_lists *l)
{
    double low = -40, high = 40, likes = 0;
    for (size_t i = 0; i < l->rows; i++)
        likes += l->label[i] / 2;
    for (int step = 0; step < 24; step++) {
        double middle = (low + high) / 2, sum = 0;
        for (size_t i = 0; i < l->rows; i++)
            sum += 1 / (1 + exp(-(l->base[i] + middle)));
        *(sum < likes ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

/* What the logistic loss wants: chances of a like for labels, and a base that is their log odds. A
 * lesser like counts half. */
static enum pal_status make_logistic(struct work *w, DMatrixHandle to, const struct boost_lists *l,
                                     double offset, struct pal_error *err)
{
    float *label = arena_alloc(&w->tmp, l->rows, sizeof *label);
    float *base = arena_alloc(&w->tmp, l->rows, sizeof *base);
    if (!label || !base)
        return pal_no_memory(err);
    for (size_t i = 0; i < l->rows; i++) {
        label[i] = fminf(l->label[i] / 2, 1);
        base[i] = l->base[i] + (float)offset;
    }
    if (w->call.XGDMatrixSetFloatInfo(to, "label", label, l->rows) ||
        w->call.XGDMatrixSetFloatInfo(to, "base_margin", base, l->rows))
        return failed(w, err);
    return PAL_OK;
}

static enum pal_status set_one(const struct work *w, const char *name, const char *value,
                               struct pal_error *err)
{
    return w->call.XGBoosterSetParam(w->booster, name, value) ? failed(w, err) : PAL_OK;
}

static enum pal_status set_all(const struct work *w, const struct boost_options *o,
                               struct pal_error *err)
{
    char number[7][32];
    snprintf(number[0], sizeof *number, "%lld", (long long)o->leaves);
    snprintf(number[1], sizeof *number, "%.9g", o->rate);
    snprintf(number[2], sizeof *number, "%.9g", o->least);
    snprintf(number[3], sizeof *number, "%.9g", o->lambda);
    snprintf(number[4], sizeof *number, "%.9g", o->sample);
    snprintf(number[5], sizeof *number, "%.9g", o->columns);
    snprintf(number[6], sizeof *number, "%llu", (unsigned long long)(o->seed & INT_MAX));
    const char *const all[][2] = {
        {"verbosity", "0"},
        {"nthread", "1"},
        {"objective", o->loss == BOOST_NDCG ? "rank:ndcg" : "binary:logistic"},
        /* "-": a list without a like counts as 0 */
        {"eval_metric", o->loss == BOOST_NDCG ? "ndcg@10-" : "logloss"},
        {"base_score", o->loss == BOOST_NDCG ? "0" : "0.5"}, /* unused: there is a base margin */
        {"tree_method", "hist"},
        {"grow_policy", "lossguide"},
        {"max_depth", "0"},
        {"max_leaves", number[0]},
        {"eta", number[1]},
        {"min_child_weight", number[2]},
        {"lambda", number[3]},
        {"subsample", number[4]},
        {"colsample_bytree", number[5]},
        {"seed", number[6]},
    };
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && st == PAL_OK; i++)
        st = set_one(w, all[i][0], all[i][1], err);
    return st;
}

/* "[3]\theld-ndcg@10-:0.4123": the number. */
static double metric_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    return colon ? strtod(colon + 1, NULL) : 0;
}

static enum pal_status judge(const struct work *w, int round, double *out, struct pal_error *err)
{
    DMatrixHandle held = w->held;
    const char *name = "held", *said;
    if (w->call.XGBoosterEvalOneIter(w->booster, round, &held, &name, 1, &said))
        return failed(w, err);
    *out = metric_of(said);
    return PAL_OK;
}

/* Boosts until it gets no better; *rounds: how many trees were best, or all there are. */
static enum pal_status boost(const struct work *w, const struct boost_options *o,
                             const struct run *run, struct boosted *out, uint32_t *rounds,
                             struct pal_error *err)
{
    bool falls = o->loss == BOOST_LOGISTIC;
    enum pal_status st = judge(w, 0, &out->first, err);
    out->best = out->first;
    for (int i = 0; i < o->rounds && i < (int)*rounds + o->patience && st == PAL_OK; i++) {
        double now = 0;
        st = run_step(run, "boosting", (uint64_t)i, (uint64_t)o->rounds, err);
        if (st == PAL_OK && w->call.XGBoosterUpdateOneIter(w->booster, i, w->train))
            st = failed(w, err);
        if (st == PAL_OK)
            st = judge(w, i, &now, err);
        if (st == PAL_OK)
            run_metric(run, falls ? "held_out_loss" : "held_out_ndcg", (uint64_t)i + 1, now);
        if (st == PAL_OK && (o->all || (falls ? now < out->best : now > out->best))) {
            out->best = now;
            *rounds = (uint32_t)i + 1;
        }
    }
    return st;
}

static enum pal_status take_trees(const struct work *w, uint32_t features, uint32_t rounds,
                                  struct arena *keep, struct boosted *out, struct pal_error *err)
{
    bst_ulong len;
    const char *json;
    if (w->call.XGBoosterSaveModelToBuffer(w->booster, "{\"format\": \"json\"}", &len, &json))
        return failed(w, err);
    out->gain = arena_alloc(keep, features, sizeof *out->gain);
    if (!out->gain)
        return pal_no_memory(err);
    return boost_read(json, len, features, rounds, keep, &out->forest, out->gain, err);
}

static enum pal_status begin(struct work *w, const struct boost_lists *train,
                             const struct boost_lists *held, const struct boost_options *o,
                             struct pal_error *err)
{
    enum pal_status st = make_matrix(w, train, &w->train, err);
    if (st == PAL_OK)
        st = make_matrix(w, held, &w->held, err);
    if (st == PAL_OK && o->loss == BOOST_LOGISTIC)
        st = make_logistic(w, w->train, train, offset_of(train), err);
    if (st == PAL_OK && o->loss == BOOST_LOGISTIC)
        st = make_logistic(w, w->held, held, offset_of(train), err);
    if (st != PAL_OK)
        return st;
    DMatrixHandle both[] = {w->train, w->held};
    if (w->call.XGBoosterCreate(both, 2, &w->booster))
        return failed(w, err);
    return set_all(w, o, err);
}

enum pal_status boost_train(const struct boost_lists *train, const struct boost_lists *held,
                            const struct boost_options *o, const struct run *run,
                            struct arena *keep, struct boosted *out, struct pal_error *err)
{
    struct work w = {.booster = NULL};
    struct boosted made = {0};
    uint32_t rounds = 0;
    enum pal_status st = open_library(&w.call, err);
    if (st != PAL_OK)
        return st;
    st = begin(&w, train, held, o, err);
    if (st == PAL_OK)
        st = boost(&w, o, run, &made, &rounds, err);
    if (st == PAL_OK)
        st = take_trees(&w, (uint32_t)train->features, rounds, keep, &made, err);
    if (st == PAL_OK)
        *out = made;
    if (w.train)
        w.call.XGDMatrixFree(w.train);
    if (w.held)
        w.call.XGDMatrixFree(w.held);
    if (w.booster)
        w.call.XGBoosterFree(w.booster);
    arena_done(&w.tmp);
    return st;
}
