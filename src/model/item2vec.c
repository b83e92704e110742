/* item2vec: skip-gram with negative sampling over histories.
 *
 * A history is read as a sentence (Barkan and Koenigstein 2016). Each item has two vectors, one for
 * when it is at the centre, x, and one for when it is near others, c. For an item a and one b that
 * was met within a window around it, training goes down, by stochastic gradient, the loss of
 * Mikolov et al. (2013),
 *
 *     −w [ ln σ(x_a·c_b) + Σ_n ln σ(−x_a·c_n) ],
 *
 * with a few items n drawn by popularity to some power. Window sizes are drawn anew for each
 * centre, so that near items count more; the most frequent items are thinned out before windows are
 * laid. Events that count against an item are no words of the sentence. Where histories have no
 * times, contexts come from anywhere in the history, as in the paper's sets; `contexts` says
 * otherwise.
 *
 * At its minimum x_a·c_b is the pointwise mutual information of a and b, less a constant (Levy and
 * Goldberg 2014). A score is a sum over the history, of what each of its items says of the
 * candidate,
 *
 *     s_i = Σ_j w_j 2^(−age_j / recency) m(j, i),
 *
 * age in items that came later; a disliked item has w_j < 0 and says the contrary. m(j, i) is
 * x_j·c_i, what training makes a prediction of, or, with `scores` = cosine, that of x_j and x_i.
 * The latter, which is the paper's, knows nothing of how often an item is met at all, and on ML-1M
 * finds a tenth of what the former does. Similar items are those with the largest cosine.
 *
 * Training is exact gradient descent and the same at any thread count: see strata.h and
 * item2vec_train.c. */
#include "model/item2vec_train.h"
#include "model/model.h"
#include "model/models.h"
#include "model/stored.h"
#include "model/vectors.h"

#include "base/mem.h"
#include "math/kernels.h"
#include "model/als_solve.h"

#include <math.h>
#include <string.h>

enum { PREDICT, COSINE };
enum { BY_TIMES, NEAR, ANYWHERE };

struct item2vec_options {
    int64_t factors, epochs, window, negatives;
    double rate, power, sample, recency;
    int contexts, scores;
};

struct item2vec_model {
    struct model model;
    const float *X, *C; /* (items, d) of length 1, and contexts: own, or in the file */
    float *own_X, *own_C;
    struct vectors centres, contexts; /* of X, of C; the latter with `scores` = predict only */
};

#define FIELD(name) offsetof(struct item2vec_options, name)

static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "64", 4, 1024, OPT_LOG2, NULL,
     "length of an item's vector"},
    {"epochs", OPT_INT, FIELD(epochs), "20", 1, 10000, OPT_LOG, NULL,
     "how often each history is walked"},
    {"window", OPT_INT, FIELD(window), "5", 1, ITEM2VEC_WINDOW, OPT_LOG2, NULL,
     "items at most that a context is away; a size up to it is drawn for each centre"},
    {"negatives", OPT_INT, FIELD(negatives), "5", 1, ITEM2VEC_NEGATIVES, OPT_LOG2, NULL,
     "items drawn against each context"},
    {"power", OPT_REAL, FIELD(power), "0.5", -1, 2, OPT_LINEAR, NULL,
     "negatives are drawn by popularity to this power"},
    {"sample", OPT_REAL, FIELD(sample), "0", 0, 1, OPT_LOG, NULL,
     "items with a larger share of events than this are thinned out; 0 = none"},
    {"rate", OPT_REAL, FIELD(rate), "0.05", 1e-5, 1, OPT_LOG, NULL,
     "how far the first steps go; the last ones go a hundredth of it"},
    {"contexts", OPT_CHOICE, FIELD(contexts), "auto", 0, 0, OPT_LINEAR, "auto|near|anywhere",
     "from the window around the item, or from all of the history; auto = near if there are times"},
    {"scores", OPT_CHOICE, FIELD(scores), "predict", 0, 0, OPT_LINEAR, "predict|cosine",
     "by what training predicts to be met beside the history, or by how alike items are"},
    {"recency", OPT_REAL, FIELD(recency), "0", 0, 10000, OPT_LOG, NULL,
     "after so many more items an item of the history counts half; 0 = all count the same"},
};

static struct item2vec_model *self(const struct model *m)
{
    return (struct item2vec_model *)(uintptr_t)m;
}

static size_t factors_of(const struct model *m)
{
    return (size_t)((const struct item2vec_options *)m->options)->factors;
}

static uint64_t item2vec_memory(const void *options, uint64_t users, uint64_t items,
                                uint64_t entries)
{
    const struct item2vec_options *o = options;
    uint64_t d = (uint64_t)o->factors, ready = 2 * vectors_bytes(items, d);
    uint64_t training = item2vec_train_bytes(items, entries, pool_cores());
    return 2 * items * d * sizeof(float) + (training > ready ? training : ready);
}

/* ---- training ---- */

/* An item that nobody liked is like no other: its vector, never trained, becomes 0. */
static enum pal_status forget_unmet(float *X, size_t d, const struct csr *R, struct pal_error *err)
{
    uint8_t *met = mem_zero(R->cols, sizeof *met);
    if (!met)
        return pal_no_memory(err);
    for (uint64_t e = 0; e < csr_entries(R); e++)
        met[R->col[e]] |= R->val[e] > 0;
    for (uint32_t i = 0; i < R->cols; i++)
        if (!met[i])
            memset(X + i * d, 0, d * sizeof *X);
    mem_free(met);
    return PAL_OK;
}

/* Rows of length 1, or 0. */
static void normalize(float *X, uint32_t items, size_t d)
{
    for (uint32_t i = 0; i < items; i++) {
        float *x = X + i * d, length = sqrtf(kernels()->dot(x, x, d));
        for (size_t k = 0; k < d; k++)
            x[k] = length > 0 ? x[k] / length : 0;
    }
}

/* Takes the mean row off all: what an item says of all others alike changes no order, but would
 * make what is liked and disliked hard to compare. */
static enum pal_status centre(float *C, uint32_t items, size_t d, struct pal_error *err)
{
    double *mean = mem_zero(d, sizeof *mean);
    if (!mean)
        return pal_no_memory(err);
    for (size_t i = 0; i < items * d; i++)
        mean[i % d] += C[i] / (double)items;
    for (size_t i = 0; i < items * d; i++)
        C[i] -= (float)mean[i % d];
    mem_free(mean);
    return PAL_OK;
}

static enum pal_status get_ready(struct item2vec_model *m, struct pal_error *err)
{
    const struct item2vec_options *o = m->model.options;
    uint32_t items = m->model.ids.count;
    size_t d = factors_of(&m->model);
    enum pal_status st = vectors_init(&m->centres, m->X, items, d, d, err);
    if (st == PAL_OK && o->scores == PREDICT)
        st = vectors_init(&m->contexts, m->C, items, d, d, err);
    return st;
}

static enum pal_status item2vec_fit(struct model *model, const struct training *t,
                                    const struct run *run, struct pal_error *err)
{
    struct item2vec_model *m = self(model);
    const struct item2vec_options *o = model->options;
    uint32_t items = model->ids.count;
    size_t d = factors_of(model);
    struct item2vec_settings set = {
        .factors = d,
        .epochs = (uint64_t)o->epochs,
        .window = (uint32_t)o->window,
        .negatives = (uint32_t)o->negatives,
        .near = o->contexts == NEAR || (o->contexts == BY_TIMES && t->log->time_s),
        .rate = (float)o->rate,
        .power = (float)o->power,
        .sample = (float)o->sample,
        .seed = run ? run->seed : 0,
    };
    struct worth worth;
    worth_init(&worth, t->weights, t->types);
    m->X = m->own_X = mem_aligned((size_t)items * d, sizeof(float));
    m->C = m->own_C = mem_aligned((size_t)items * d, sizeof(float));
    if (!m->X || !m->C)
        return pal_no_memory(err);
    memset(m->own_C, 0, (size_t)items * d * sizeof(float));
    als_random(m->own_X, items, d, 0.3f, set.seed, 0, run ? run->pool : NULL);
    enum pal_status st = item2vec_train(t->log, &worth, &set, m->own_X, m->own_C, run, err);
    if (st == PAL_OK)
        st = forget_unmet(m->own_X, d, &t->by_user, err);
    if (st == PAL_OK)
        st = centre(m->own_C, items, d, err);
    if (st != PAL_OK)
        return st;
    if (o->scores == COSINE)
        normalize(m->own_X, items, d);
    return get_ready(m, err);
}

/* ---- scoring ---- */

/* What the item at place j of the history counts. */
static float share(const struct item2vec_options *o, const struct history *h, size_t j)
{
    float age = (float)(h->n - 1 - j);
    return o->recency > 0 ? h->weight[j] * exp2f(-age / (float)o->recency) : h->weight[j];
}

/* users (n, d) for n histories; NULL when memory is out. */
static float *sum_up(const struct model *m, const struct history *h, size_t n, struct arena *tmp)
{
    size_t d = factors_of(m), longest = 0;
    for (size_t i = 0; i < n; i++)
        longest = h[i].n > longest ? h[i].n : longest;
    float *users = arena_zero(tmp, n * d, sizeof *users);
    float *weight = arena_alloc(tmp, longest, sizeof *weight);
    for (size_t i = 0; users && weight && i < n; i++) {
        for (size_t j = 0; j < h[i].n; j++)
            weight[j] = share(m->options, &h[i], j);
        kernels()->gather_axpy(self(m)->X, d, d, h[i].item, h[i].n, weight, users + i * d);
    }
    return weight ? users : NULL;
}

static const struct vectors *scored_by(const struct model *m)
{
    const struct item2vec_options *o = m->options;
    return o->scores == PREDICT ? &self(m)->contexts : &self(m)->centres;
}

static enum pal_status item2vec_score(const struct model *m, const struct history *h, size_t n,
                                      float *scores, struct arena *tmp, struct pal_error *err)
{
    const float *users = sum_up(m, h, n, tmp);
    return users ? vectors_score(scored_by(m), users, n, scores, tmp, err) : pal_no_memory(err);
}

static enum pal_status item2vec_retrieve(const struct model *m, const struct history *h,
                                         const uint8_t *skip, size_t k, struct arena *tmp,
                                         struct scored *out, size_t *count, bool *done,
                                         struct pal_error *err)
{
    const float *x = sum_up(m, h, 1, tmp);
    return x ? vectors_top(scored_by(m), x, skip, k, tmp, out, count, done, err)
             : pal_no_memory(err);
}

static enum pal_status item2vec_similar(const struct model *m, uint32_t item, float *scores,
                                        struct arena *tmp, struct pal_error *err)
{
    return vectors_similar(&self(m)->centres, item, scores, tmp, err);
}

static enum pal_status item2vec_nearest(const struct model *m, uint32_t item, size_t k,
                                        struct arena *tmp, struct scored *out, size_t *count,
                                        bool *done, struct pal_error *err)
{
    return vectors_nearest(&self(m)->centres, item, k, tmp, out, count, done, err);
}

static enum pal_status item2vec_explain(const struct model *m, const struct history *h,
                                        uint32_t item, float *part, struct arena *tmp,
                                        struct pal_error *err)
{
    size_t d = factors_of(m);
    kernels()->gather_dot(self(m)->X, d, d, h->item, h->n, 0, scored_by(m)->Y + item * d, part);
    for (size_t j = 0; j < h->n; j++)
        part[j] *= share(m->options, h, j);
    return PAL_OK;
}

/* ---- files ---- */

static enum pal_status item2vec_save(const struct model *m, struct tensors_out *out,
                                     struct pal_error *err)
{
    uint64_t items = m->ids.count, d = factors_of(m);
    enum pal_status st = tensors_add(out, "item_vectors", TENSOR_F32, items, d, self(m)->X, err);
    return st == PAL_OK ? tensors_add(out, "context_vectors", TENSOR_F32, items, d, self(m)->C, err)
                        : st;
}

static enum pal_status item2vec_load(struct model *m, const struct tensors *file,
                                     struct pal_error *err)
{
    uint64_t items = m->ids.count, d = factors_of(m);
    enum pal_status st = stored_floats_get(file, "item_vectors", items, d, &self(m)->X, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "context_vectors", items, d, &self(m)->C, err);
    return st == PAL_OK ? get_ready(self(m), err) : st;
}

static void item2vec_done(struct model *m)
{
    vectors_done(&self(m)->centres);
    vectors_done(&self(m)->contexts);
    mem_free(self(m)->own_X);
    mem_free(self(m)->own_C);
}

const struct model_ops model_item2vec = {
    .name = "item2vec",
    .title = "skip-gram with negative sampling over histories",
    .paper = "Barkan, Koenigstein 2016; Mikolov et al. 2013",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "factors=16..256, epochs=10..90, window=1..50, negatives=1..20, power=0..1, "
             "rate=0.01..0.3, scores",
    .options_size = sizeof(struct item2vec_options),
    .model_size = sizeof(struct item2vec_model),
    .memory = item2vec_memory,
    .fit = item2vec_fit,
    .score = item2vec_score,
    .retrieve = item2vec_retrieve,
    .similar = item2vec_similar,
    .nearest = item2vec_nearest,
    .explain = item2vec_explain,
    .save = item2vec_save,
    .load = item2vec_load,
    .done = item2vec_done,
};
