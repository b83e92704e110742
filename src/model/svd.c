/* Biased matrix factorization of ratings, `svd`, and the same with implicit feedback, `svdpp`:
 * models that predict how many stars a user would give.
 *
 * Both are the Bayesian form that gibbs.h describes: instead of one set of vectors, found by
 * descent under a regularization that has to be tuned, a few dozen samples of what the ratings
 * leave possible, whose predictions are averaged (Salakhutdinov and Mnih, ICML 2008). svdpp adds
 * Koren's observation (KDD 2008) that which items a user rated tells of the user too, whatever the
 * stars, and the same for who rated an item, as Rendle, Zhang and Koren do in "On the Difficulty of
 * Evaluating Baselines", 2019, where this beats what was published for ten years after it.
 *
 * Of each sample s only what concerns items is kept. A user is solved from the history by the ridge
 * regression that the sample's normal distributions come to, which takes about 1 µs per sample of
 * 16 factors for 50 ratings, and a rating is the mean over samples,
 *
 *     r(u, i) = mean + deviation * (1/S) Σ_s (b_i^s + b_u^s + p_u^s · q_i^s),
 *
 * so a user's own level is in the prediction: an item rated below it pulls its like down, however
 * many stars it got. The score is the prediction less the mean of the user's predictions over the
 * catalog, in stars: what is below 0 the user would like less than most. Predicted ratings order
 * lists badly when compared with models made for that, since what a user chose to rate at all says
 * more than the stars: use als or ease to recommend, this to tell stars.
 *
 * What a rating is, and what becomes of likes and dislikes, is told in stars.h. */
#include "model/gibbs.h"
#include "model/models.h"
#include "model/stars.h"
#include "model/stored.h"

#include "base/mem.h"
#include "math/kernels.h"
#include "math/solve.h"

#include <math.h>
#include <string.h>

struct svd_options {
    int64_t factors, samples, burn, every;
    double spread;
};

struct svd_model {
    struct model model;
    struct stars stars;
    size_t d, samples;      /* S */
    const float *W;         /* (S, items, d) vectors, 1 in the last place; own, or in the file */
    const float *bias;      /* (S, items) */
    const float *Y;         /* (S, items, d), NULL without implicit feedback */
    const float *mean;      /* (S, d) of users */
    const float *precision; /* (S, d, d) of users */
    const float *noise;     /* (S) */
    float *own;             /* all of these, when just fitted */
    float *taste;  /* (S, d, d) users' covariance; the last row and column, biases', are 0 */
    float *middle; /* (S, d) mean of the items' vectors */
    float *length; /* (S, items) of the items' vectors from there, by taste */
    float flat[STARS_FLAT]; /* for the file */
};

#define FIELD(name) offsetof(struct svd_options, name)

static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "16", 2, GIBBS_FACTORS, OPT_LOG2, NULL,
     "length of a vector, the bias included"},
    {"samples", OPT_INT, FIELD(samples), "32", 1, 1024, OPT_LOG2, NULL,
     "how many sets of vectors are kept and averaged"},
    {"burn", OPT_INT, FIELD(burn), "32", 1, 10000, OPT_LOG, NULL,
     "rounds before the first is kept"},
    {"every", OPT_INT, FIELD(every), "4", 1, 1000, OPT_LOG, NULL, "rounds from one to the next"},
    {"spread", OPT_REAL, FIELD(spread), "0.5", 1e-3, 1e3, OPT_LOG, NULL,
     "how far vectors are expected to lie apart before any rating is seen"},
};

static struct svd_model *self(const struct model *m)
{
    return (struct svd_model *)(uintptr_t)m;
}

static bool is_implicit(const struct model *m)
{
    return m->ops == &model_svdpp;
}

static struct gibbs_settings settings_of(const struct svd_options *o, bool implicit)
{
    return (struct gibbs_settings){.factors = (size_t)o->factors,
                                   .burn = (size_t)o->burn,
                                   .every = (size_t)o->every,
                                   .samples = (size_t)o->samples,
                                   .spread = o->spread,
                                   .implicit = implicit};
}

/* Floats of one sample. */
static uint64_t sample_size(uint64_t d, uint64_t items, bool implicit)
{
    return items * (d * (implicit ? 2 : 1) + 1) + d * (d + 1) + 1;
}

static uint64_t memory(const void *options, uint64_t users, uint64_t items, uint64_t entries,
                       bool implicit)
{
    const struct svd_options *o = options;
    struct gibbs_settings set = settings_of(o, implicit);
    uint64_t d = set.factors, kept = set.samples * sample_size(d, items, implicit) * sizeof(float);
    uint64_t after = set.samples * (d * (d + 1) + items) * sizeof(float);
    uint64_t ratings = entries * 12 + (items + 1) * 8;
    uint64_t fit = ratings + gibbs_bytes(&set, users, items, entries, pool_cores());
    return kept + (fit > after ? fit : after);
}

static uint64_t svd_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    return memory(options, users, items, entries, false);
}

static uint64_t svdpp_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    return memory(options, users, items, entries, true);
}

/* ---- training ---- */

/* Lays the samples' arrays out in own. */
static void lay_out(struct svd_model *m, size_t items)
{
    size_t S = m->samples, d = m->d;
    float *at = m->own;
    m->W = at;
    at += S * items * d;
    if (is_implicit(&m->model)) {
        m->Y = at;
        at += S * items * d;
    }
    m->bias = at;
    at += S * items;
    m->mean = at;
    at += S * d;
    m->precision = at;
    at += S * d * d;
    m->noise = at;
}

static void put(const float *base, size_t sample, size_t n, const float *from)
{
    memcpy((float *)(uintptr_t)base + sample * n, from, n * sizeof *from);
}

static void keep(void *ctx, size_t sample, const struct gibbs_half *h)
{
    struct svd_model *m = ctx;
    size_t d = m->d, items = m->model.ids.count;
    put(m->W, sample, items * d, h->W);
    put(m->bias, sample, items, h->bias);
    if (m->Y)
        put(m->Y, sample, items * d, h->Y);
    put(m->mean, sample, d, h->mean);
    put(m->precision, sample, d * d, h->precision);
    put(m->noise, sample, 1, &h->noise);
}

static struct gibbs_half half_of(const struct svd_model *m, size_t sample)
{
    size_t d = m->d, items = m->model.ids.count;
    return (struct gibbs_half){.d = d,
                               .W = m->W + sample * items * d,
                               .bias = m->bias + sample * items,
                               .Y = m->Y ? m->Y + sample * items * d : NULL,
                               .mean = m->mean + sample * d,
                               .precision = m->precision + sample * d * d,
                               .noise = m->noise[sample]};
}

/* The covariance of tastes in one sample: what two items' vectors say of each other is how far
 * users' opinions of them go together, whatever basis the sample's vectors are in. */
static void find_taste(const struct svd_model *m, size_t sample, float *scratch)
{
    size_t d = m->d, stride = solve_stride(d);
    const float *precision = m->precision + sample * d * d;
    float *taste = m->taste + sample * d * d;
    memset(taste, 0, d * d * sizeof *taste);
    for (size_t i = 0; i < d; i++)
        memcpy(scratch + i * stride, precision + i * d, d * sizeof *scratch);
    if (cholesky_factor(scratch, d, stride) != 0)
        return;
    for (size_t i = 0; i + 1 < d; i++) {
        taste[i * d + i] = 1;
        cholesky_solve(scratch, d, stride, taste + i * d);
        taste[i * d + d - 1] = 0;
    }
}

/* out (d) = taste times (an item's vector less the middle); the product with that vector itself. */
static float turn(const struct svd_model *m, size_t sample, uint32_t item, float *out)
{
    size_t d = m->d, items = m->model.ids.count;
    const float *w = m->W + (sample * items + item) * d, *taste = m->taste + sample * d * d;
    float from[GIBBS_FACTORS];
    for (size_t k = 0; k < d; k++)
        from[k] = w[k] - m->middle[sample * d + k];
    kernels()->gemv(taste, d, d, d, from, out);
    return kernels()->dot(from, out, d);
}

/* What is computed from the samples once, for similar. */
static enum pal_status get_ready(struct svd_model *m, struct pal_error *err)
{
    size_t S = m->samples, d = m->d, items = m->model.ids.count;
    float out[GIBBS_FACTORS], *scratch = mem_aligned(d * solve_stride(d), sizeof *scratch);
    m->taste = mem_aligned(S * d * d, sizeof *m->taste);
    m->middle = mem_zero(S * d, sizeof *m->middle);
    m->length = mem_alloc(S * items, sizeof *m->length);
    if (!scratch || !m->taste || !m->middle || !m->length) {
        mem_free(scratch);
        return pal_no_memory(err);
    }
    for (size_t s = 0; s < S; s++) {
        find_taste(m, s, scratch);
        for (size_t i = 0; i < items; i++)
            kernels()->axpy(1 / (float)items, m->W + (s * items + i) * d, m->middle + s * d, d);
        for (uint32_t i = 0; i < items; i++) {
            float square = turn(m, s, i, out);
            m->length[s * items + i] = square > 0 ? sqrtf(square) : 0;
        }
    }
    mem_free(scratch);
    return PAL_OK;
}

static enum pal_status svd_fit(struct model *model, const struct training *t, const struct run *run,
                               struct pal_error *err)
{
    struct svd_model *m = self(model);
    struct gibbs_settings set = settings_of(model->options, is_implicit(model));
    struct csr R = {0}, by_item = {0};
    size_t items = t->by_user.cols;
    enum pal_status st = stars_learn(t, &m->stars, &R, err);
    if (st == PAL_OK)
        st = csr_transpose(&R, &by_item, err);
    m->d = set.factors;
    m->samples = set.samples;
    set.deviation = (double)m->stars.deviation;
    if (st == PAL_OK) {
        m->own = mem_aligned(m->samples * sample_size(m->d, items, set.implicit), sizeof *m->own);
        st = m->own ? PAL_OK : pal_no_memory(err);
    }
    if (st == PAL_OK) {
        lay_out(m, items);
        st = gibbs_run(&set, &R, &by_item, run, keep, m, err);
    }
    mem_free(R.val); /* its rows are the training's */
    csr_done(&by_item);
    return st == PAL_OK ? get_ready(m, err) : st;
}

/* ---- scoring ---- */

static size_t longest(const struct history *h, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = h[i].n > most ? h[i].n : most;
    return most;
}

/* scores (items) += what one sample predicts, in deviations */
static void add_sample(const struct svd_model *m, const struct gibbs_half *h, const float *x,
                       float *scores, float *part)
{
    size_t items = m->model.ids.count;
    kernels()->gemv(h->W, items, m->d, m->d, x, part);
    kernels()->axpy(1, part, scores, items);
    kernels()->axpy(1, h->bias, scores, items);
}

/* From a sum over samples to stars above the mean of the row. */
static void centre(const struct svd_model *m, float *scores)
{
    size_t items = m->model.ids.count;
    double sum = 0;
    for (size_t i = 0; i < items; i++)
        sum += scores[i];
    float mean = (float)(sum / (double)items), unit = m->stars.deviation / (float)m->samples;
    for (size_t i = 0; i < items; i++)
        scores[i] = (scores[i] - mean) * unit;
}

static enum pal_status svd_score(const struct model *model, const struct history *h, size_t n,
                                 float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct svd_model *m = self(model);
    size_t items = model->ids.count, most = longest(h, n);
    float x[GIBBS_FACTORS], prior[GIBBS_FACTORS];
    float *scratch = arena_alloc(tmp, gibbs_scratch(m->d, most), sizeof *scratch);
    float *part = arena_alloc(tmp, items, sizeof *part);
    float **rating = arena_alloc(tmp, n, sizeof *rating);
    if (!scratch || !part || !rating)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        rating[i] = arena_alloc(tmp, h[i].n, sizeof **rating);
        if (!rating[i])
            return pal_no_memory(err);
        stars_read(&m->stars, &h[i], rating[i]);
    }
    memset(scores, 0, n * items * sizeof *scores);
    for (size_t s = 0; s < m->samples; s++) { /* its items stay in the cache for all histories */
        struct gibbs_half half = half_of(m, s);
        for (size_t i = 0; i < n; i++) {
            gibbs_row(&half, h[i].item, rating[i], h[i].n, NULL, x, prior, scratch);
            add_sample(m, &half, x, scores + i * items, part);
        }
    }
    for (size_t i = 0; i < n; i++)
        centre(m, scores + i * items);
    return PAL_OK;
}

static enum pal_status svd_rate(const struct model *model, const struct history *h,
                                const uint32_t *item, size_t n, float *stars, struct arena *tmp,
                                struct pal_error *err)
{
    const struct svd_model *m = self(model);
    float x[GIBBS_FACTORS], prior[GIBBS_FACTORS];
    float *scratch = arena_alloc(tmp, gibbs_scratch(m->d, h->n), sizeof *scratch);
    float *part = arena_alloc(tmp, n, sizeof *part), *sum = arena_zero(tmp, n, sizeof *sum);
    float *rating = arena_alloc(tmp, h->n, sizeof *rating);
    if (!scratch || !part || !sum || !rating)
        return pal_no_memory(err);
    stars_read(&m->stars, h, rating);
    for (size_t s = 0; s < m->samples; s++) {
        struct gibbs_half half = half_of(m, s);
        gibbs_row(&half, h->item, rating, h->n, NULL, x, prior, scratch);
        kernels()->gather_dot(half.W, m->d, m->d, item, n, 0, x, part);
        for (size_t i = 0; i < n; i++)
            sum[i] += part[i] + half.bias[item[i]];
    }
    for (size_t i = 0; i < n; i++)
        stars[i] = m->stars.rated ? stars_said(&m->stars, sum[i] / (float)m->samples) : NAN;
    return PAL_OK;
}

/* How far users' opinions of two items go together, as a correlation: the mean over samples. */
static enum pal_status svd_similar(const struct model *model, uint32_t item, float *scores,
                                   struct arena *tmp, struct pal_error *err)
{
    const struct svd_model *m = self(model);
    size_t items = model->ids.count;
    float out[GIBBS_FACTORS], *part = arena_alloc(tmp, items, sizeof *part);
    if (!part)
        return pal_no_memory(err);
    memset(scores, 0, items * sizeof *scores);
    for (size_t s = 0; s < m->samples; s++) {
        const float *length = m->length + s * items;
        if (length[item] <= 0)
            continue;
        turn(m, s, item, out);
        float middle = kernels()->dot(out, m->middle + s * m->d, m->d);
        kernels()->gemv(m->W + s * items * m->d, items, m->d, m->d, out, part);
        for (size_t i = 0; i < items; i++)
            if (length[i] > 0)
                scores[i] += (part[i] - middle) / (length[i] * length[item] * (float)m->samples);
    }
    return PAL_OK;
}

/* ---- files ---- */

static enum pal_status svd_save(const struct model *model, struct tensors_out *out,
                                struct pal_error *err)
{
    struct svd_model *m = self(model);
    uint64_t S = m->samples, d = m->d, items = model->ids.count;
    enum pal_status st = tensors_add(out, "item_factors", TENSOR_F32, S * items, d, m->W, err);
    if (st == PAL_OK && m->Y)
        st = tensors_add(out, "implicit_factors", TENSOR_F32, S * items, d, m->Y, err);
    if (st == PAL_OK)
        st = tensors_add(out, "item_bias", TENSOR_F32, S, items, m->bias, err);
    if (st == PAL_OK)
        st = tensors_add(out, "user_mean", TENSOR_F32, S, d, m->mean, err);
    if (st == PAL_OK)
        st = tensors_add(out, "user_precision", TENSOR_F32, S * d, d, m->precision, err);
    if (st == PAL_OK)
        st = tensors_add(out, "noise", TENSOR_F32, S, 0, m->noise, err);
    return st == PAL_OK ? stars_save(&m->stars, m->flat, out, err) : st;
}

static enum pal_status svd_load(struct model *model, const struct tensors *file,
                                struct pal_error *err)
{
    struct svd_model *m = self(model);
    const struct svd_options *o = model->options;
    uint64_t S = (uint64_t)o->samples, d = (uint64_t)o->factors, items = model->ids.count;
    m->samples = S;
    m->d = d;
    enum pal_status st = stored_floats_get(file, "item_factors", S * items, d, &m->W, err);
    if (st == PAL_OK && is_implicit(model))
        st = stored_floats_get(file, "implicit_factors", S * items, d, &m->Y, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "item_bias", S, items, &m->bias, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "user_mean", S, d, &m->mean, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "user_precision", S * d, d, &m->precision, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "noise", S, 0, &m->noise, err);
    if (st == PAL_OK)
        st = stars_load(file, &m->stars, err);
    return st == PAL_OK ? get_ready(m, err) : st;
}

static void svd_done(struct model *model)
{
    struct svd_model *m = self(model);
    mem_free(m->own);
    mem_free(m->taste);
    mem_free(m->middle);
    mem_free(m->length);
}

#define SVD_OPERATIONS                                                                             \
    .can = MODEL_SIMILAR | MODEL_PERSONAL | MODEL_RATES,                                           \
    .options = {rows, sizeof rows / sizeof rows[0]}, .tuned = "factors=8..64, spread=0.1..4",      \
    .options_size = sizeof(struct svd_options), .model_size = sizeof(struct svd_model),            \
    .fit = svd_fit, .score = svd_score, .rate = svd_rate, .similar = svd_similar,                  \
    .save = svd_save, .load = svd_load, .done = svd_done

const struct model_ops model_svd = {
    .name = "svd",
    .title = "biased matrix factorization of ratings, Bayesian",
    .paper = "Salakhutdinov, Mnih, Bayesian Probabilistic Matrix Factorization, ICML 2008",
    .memory = svd_memory,
    SVD_OPERATIONS,
};

const struct model_ops model_svdpp = {
    .name = "svdpp",
    .title = "SVD++: ratings and what was rated at all, Bayesian",
    .paper = "Koren, Factorization meets the neighborhood, KDD 2008; Rendle, Zhang, Koren 2019",
    .memory = svdpp_memory,
    SVD_OPERATIONS,
};
