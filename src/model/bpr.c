/* BPR: Bayesian personalized ranking.
 *
 * A user is a vector x, an item a vector y and a bias b, and the score is x·y + b. Training wants
 * what a user liked to stand above what the user didn't: for triples of a user, a liked item i and
 * another one j it goes down, by stochastic gradient, the loss of Rendle et al. (2009),
 *
 *     −w ln σ( x·(y_i − y_j) + b_i − b_j )  +  λ/2 ( |x|² + |y_i|² + |y_j|² + b_i² + b_j² ).
 *
 * w is the weight of the event in proportion to the mean weight. Which j is taken makes the model:
 * drawn from all items alike, or by popularity to some power; one that the user disliked, where
 * there is one, since that is a sure negative and not merely an unknown; and, of several drawn, the
 * one that the user would be offered first (dynamic negative sampling, Zhang et al., SIGIR 2013),
 * which has the larger gradient and aims at the top of the list.
 *
 * Training is exact gradient descent, step after step, on any number of threads, and gives the same
 * bytes on each: strata.h says how, bpr_train.c does it. It costs that the items of one step are
 * from one block of items, which are other ones in each epoch.
 *
 * Users' vectors are forgotten. A history gets its own by a few steps of Newton's method on the
 * same loss, averaged over all negatives in closed form (bpr_fold.c); a disliked item pushes. Item
 * vectors are centred first: what all have in common changes no order.
 *
 * The defaults were chosen on parts of the training data of ML-1M (bench/quality says which); a
 * catalog with many rare items, such as Gowalla's, wants a higher rate and more candidates. That
 * dislikes help little there is no wonder: who rates a film badly has chosen to see it. */
#include "model/bpr_fold.h"
#include "model/bpr_train.h"
#include "model/model.h"
#include "model/models.h"
#include "model/stored.h"
#include "model/vectors.h"

#include "base/mem.h"
#include "model/als_solve.h"

#include <string.h>

struct bpr_options {
    int64_t factors, epochs, hardest;
    double rate, regularization, power, dislikes, sigma, fold_regularization;
};

struct bpr_model {
    struct model model;
    const float *Y;    /* (items, d + 1) vectors and biases: own, or in the file */
    const float *mean; /* (1) weight of an event that counts 1 */
    float *own, own_mean;
    struct bpr_fold fold;
    struct vectors vectors;
};

#define FIELD(name) offsetof(struct bpr_options, name)

static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "64", 4, 1000, OPT_LOG2, NULL,
     "length of an item's vector"},
    {"epochs", OPT_INT, FIELD(epochs), "30", 1, 10000, OPT_LOG, NULL,
     "how often each event is a step"},
    {"rate", OPT_REAL, FIELD(rate), "0.1", 1e-5, 1, OPT_LOG, NULL,
     "how far the first steps go; the last ones go a twentieth of it"},
    {"regularization", OPT_REAL, FIELD(regularization), "0.03", 0, 1, OPT_LOG, NULL,
     "how strongly vectors and biases are kept short"},
    {"power", OPT_REAL, FIELD(power), "0", 0, 2, OPT_LINEAR, NULL,
     "negatives are drawn by popularity to this power; 0 = all items alike"},
    {"hardest", OPT_INT, FIELD(hardest), "8", 1, BPR_HARDEST, OPT_LOG2, NULL,
     "of so many negatives drawn the one with the best score is taken"},
    {"dislikes", OPT_REAL, FIELD(dislikes), "0.1", 0, 1, OPT_LINEAR, NULL,
     "how often a disliked item is the negative, where there is one"},
    {"sigma", OPT_REAL, FIELD(sigma), "0.1", 1e-6, 10, OPT_LOG, NULL,
     "deviation of the random start, divided by the root of factors"},
    {"fold_regularization", OPT_REAL, FIELD(fold_regularization), "0.03", 0, 10, OPT_LOG, NULL,
     "how strongly a vector made from a history is kept short"},
};

static struct bpr_model *self(const struct model *m)
{
    return (struct bpr_model *)(uintptr_t)m;
}

static struct bpr_settings settings_of(const struct bpr_options *o, const struct run *run)
{
    return (struct bpr_settings){
        .factors = (size_t)o->factors,
        .epochs = (uint64_t)o->epochs,
        .rate = (float)o->rate,
        .regularization = (float)o->regularization,
        .power = (float)o->power,
        .dislikes = (float)o->dislikes,
        .hardest = (uint32_t)o->hardest,
        .seed = run ? run->seed : 0,
    };
}

static uint64_t bpr_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    struct bpr_settings set = settings_of(options, NULL);
    uint64_t d = set.factors, kept = items * (d + 1) * 4;
    uint64_t training = (users * d + items * (d + 1)) * 4 +
                        bpr_train_bytes(&set, users, items, entries, pool_cores());
    uint64_t ready = vectors_bytes(items, d + 1) + d * (d + 80) * 4;
    return kept + (training > ready ? training : ready);
}

/* ---- training ---- */

/* Y (items, d) and bias (items) as rows of d + 1 whose means are 0. NULL when memory is out. */
static float *centred(const float *Y, const float *bias, uint32_t items, size_t d)
{
    float *out = mem_aligned((size_t)items * (d + 1), sizeof *out);
    double *mean = mem_zero(d + 1, sizeof *mean);
    for (uint32_t i = 0; out && mean && i < items; i++) {
        float *row = out + i * (d + 1);
        memcpy(row, Y + i * d, d * sizeof *row);
        row[d] = bias[i];
        for (size_t k = 0; k <= d; k++)
            mean[k] += row[k] / (double)items;
    }
    for (uint32_t i = 0; out && mean && i < items; i++)
        for (size_t k = 0; k <= d; k++)
            out[i * (d + 1) + k] -= (float)mean[k];
    if (!mean) {
        mem_free(out);
        out = NULL;
    }
    mem_free(mean);
    return out;
}

static enum pal_status get_ready(struct bpr_model *m, struct pal_error *err)
{
    const struct bpr_options *o = m->model.options;
    size_t d = (size_t)o->factors;
    uint32_t items = m->model.ids.count;
    enum pal_status st =
        bpr_fold_init(&m->fold, m->Y, items, d, *m->mean, (float)o->fold_regularization, err);
    return st == PAL_OK ? vectors_init(&m->vectors, m->Y, items, d + 1, d, err) : st;
}

static enum pal_status bpr_fit(struct model *model, const struct training *t, const struct run *run,
                               struct pal_error *err)
{
    struct bpr_model *m = self(model);
    const struct bpr_options *o = model->options;
    struct bpr_settings set = settings_of(o, run);
    uint32_t users = t->by_user.rows, items = t->by_user.cols;
    size_t d = set.factors;
    struct pool *pool = run ? run->pool : NULL;
    float *X = mem_aligned((size_t)users * d, sizeof *X);
    float *Y = mem_aligned((size_t)items * d, sizeof *Y), *bias = mem_zero(items, sizeof *bias);
    enum pal_status st = X && Y && bias ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK) {
        als_random(Y, items, d, (float)o->sigma, set.seed, 0, pool);
        als_random(X, users, d, (float)o->sigma, set.seed, (uint64_t)1 << 32, pool);
        st = bpr_train(&t->by_user, &set, X, Y, bias, run, err);
    }
    mem_free(X);
    if (st == PAL_OK) {
        m->own_mean = bpr_mean_weight(&t->by_user);
        m->mean = &m->own_mean;
        m->Y = m->own = centred(Y, bias, items, d);
        st = m->own ? PAL_OK : pal_no_memory(err);
    }
    mem_free(Y);
    mem_free(bias);
    return st == PAL_OK ? get_ready(m, err) : st;
}

/* ---- scoring ---- */

/* users (n, d + 1) for n histories; NULL when memory is out. */
static float *fold_in(const struct bpr_model *m, const struct history *h, size_t n,
                      struct arena *tmp)
{
    size_t longest = 0, cols = m->fold.d + 1;
    for (size_t i = 0; i < n; i++)
        longest = h[i].n > longest ? h[i].n : longest;
    float *scratch = arena_alloc(tmp, bpr_fold_scratch(&m->fold, longest), sizeof *scratch);
    float *users = arena_alloc(tmp, n * cols, sizeof *users);
    for (size_t i = 0; scratch && users && i < n; i++)
        bpr_fold_in(&m->fold, &h[i], users + i * cols, scratch);
    return scratch ? users : NULL;
}

static enum pal_status bpr_score(const struct model *m, const struct history *h, size_t n,
                                 float *scores, struct arena *tmp, struct pal_error *err)
{
    const float *users = fold_in(self(m), h, n, tmp);
    return users ? vectors_score(&self(m)->vectors, users, n, scores, tmp, err)
                 : pal_no_memory(err);
}

static enum pal_status bpr_retrieve(const struct model *m, const struct history *h,
                                    const uint8_t *skip, size_t k, struct arena *tmp,
                                    struct scored *out, size_t *count, bool *done,
                                    struct pal_error *err)
{
    const float *x = fold_in(self(m), h, 1, tmp);
    return x ? vectors_top(&self(m)->vectors, x, skip, k, tmp, out, count, done, err)
             : pal_no_memory(err);
}

static enum pal_status bpr_similar(const struct model *m, uint32_t item, float *scores,
                                   struct arena *tmp, struct pal_error *err)
{
    return vectors_similar(&self(m)->vectors, item, scores, tmp, err);
}

static enum pal_status bpr_nearest(const struct model *m, uint32_t item, size_t k,
                                   struct arena *tmp, struct scored *out, size_t *count, bool *done,
                                   struct pal_error *err)
{
    return vectors_nearest(&self(m)->vectors, item, k, tmp, out, count, done, err);
}

/* ---- files ---- */

static enum pal_status bpr_save(const struct model *m, struct tensors_out *out,
                                struct pal_error *err)
{
    const struct bpr_options *o = m->options;
    enum pal_status st = tensors_add(out, "item_factors", TENSOR_F32, m->ids.count,
                                     (uint64_t)o->factors + 1, self(m)->Y, err);
    return st == PAL_OK ? tensors_add(out, "mean_weight", TENSOR_F32, 1, 0, self(m)->mean, err)
                        : st;
}

static enum pal_status bpr_load(struct model *m, const struct tensors *file, struct pal_error *err)
{
    const struct bpr_options *o = m->options;
    enum pal_status st = stored_floats_get(file, "item_factors", m->ids.count,
                                           (uint64_t)o->factors + 1, &self(m)->Y, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "mean_weight", 1, 0, &self(m)->mean, err);
    if (st == PAL_OK && !(*self(m)->mean > 0))
        st = pal_fail(err, PAL_ECORRUPT, "the mean weight of events is not positive");
    return st == PAL_OK ? get_ready(self(m), err) : st;
}

static void bpr_done(struct model *m)
{
    bpr_fold_done(&self(m)->fold);
    vectors_done(&self(m)->vectors);
    mem_free(self(m)->own);
}

const struct model_ops model_bpr = {
    .name = "bpr",
    .title = "Bayesian personalized ranking",
    .paper = "Rendle, Freudenthaler, Gantner, Schmidt-Thieme 2009",
    .can = MODEL_SIMILAR | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "factors=16..256, epochs=10..90, rate=0.005..0.2, regularization=0.0003..0.1, "
             "power=0..1, hardest",
    .options_size = sizeof(struct bpr_options),
    .model_size = sizeof(struct bpr_model),
    .memory = bpr_memory,
    .fit = bpr_fit,
    .score = bpr_score,
    .retrieve = bpr_retrieve,
    .similar = bpr_similar,
    .nearest = bpr_nearest,
    .save = bpr_save,
    .load = bpr_load,
    .done = bpr_done,
};
