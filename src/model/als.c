/* iALS: implicit alternating least squares.
 *
 * A user is a vector x, an item a vector y, and x·y says how much the one likes the other: 1 where
 * something was liked, −1 where it was disliked, 0 where nothing is known. als_solve.h has the loss
 * and its two forms, after Rendle et al. (2022) and Hu, Koren and Volinsky (2008). An epoch solves
 * all users with the items held still, then all items with the users held still.
 *
 * Only the items' vectors Y are kept. A user's vector is solved anew from the history whenever it
 * is wanted ("fold-in"): the very half-step that training does, so nothing is lost by it,
 *
 *     x = A⁻¹ Σ_j b_j y_j,     A = α0 YᵀY + Σ_j a_j y_j y_jᵀ + λ_x I,     j over the history
 *
 * which takes about 5 µs with 64 factors for a history of 70 items, 90 µs with 256 (AVX-512). The
 * same formula explains a score (Hu et al., section 5): it is a sum over the history,
 *
 *     y_i·x = Σ_j b_j (A⁻¹ y_i)·y_j,
 *
 * and its terms are each liked item's part in it. A disliked item has b_j < 0 and pulls its
 * neighbours down.
 *
 * The defaults of nu and regularization were chosen together on parts of the training data of
 * ML-1M, ML-100K, ML-small and the invented world: with nu = 1/2 one regularization suits catalogs
 * of very different size, with nu = 1, as in Rendle et al., it must fall with the catalog. */
#include "model/als_solve.h"
#include "model/model.h"
#include "model/models.h"
#include "model/stored.h"
#include "model/vectors.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum { EXACT, CG };

struct als_options {
    int64_t factors, epochs, cg_steps;
    double alpha, alpha0, regularization, nu, sigma;
    int solver, objective; /* EXACT, CG; enum als_objective */
};

struct als_model {
    struct model model;
    const float *Y; /* (items, d): own, or in the file */
    float *own;
    struct als_side side;   /* Y as the side that fold-in holds still */
    struct vectors vectors; /* Y as what is scored */
};

#define FIELD(name) offsetof(struct als_options, name)

static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "64", 4, 1024, OPT_LOG2, NULL,
     "length of an item's vector"},
    {"epochs", OPT_INT, FIELD(epochs), "16", 1, 1000, OPT_LOG, NULL,
     "how often users and items are solved"},
    {"alpha0", OPT_REAL, FIELD(alpha0), "0.1", 1e-5, 100, OPT_LOG, NULL,
     "weight of a pair about which nothing is known (objective rendle)"},
    {"regularization", OPT_REAL, FIELD(regularization), "0.35", 0, 1e4, OPT_LOG, NULL,
     "how strongly vectors are kept short"},
    {"nu", OPT_REAL, FIELD(nu), "0.5", 0, 1, OPT_LINEAR, NULL,
     "how much more so for who has much: 0 = all alike, 1 = in proportion (objective rendle)"},
    {"sigma", OPT_REAL, FIELD(sigma), "0.1", 1e-6, 10, OPT_LOG, NULL,
     "deviation of the random start, divided by the root of factors"},
    {"alpha", OPT_REAL, FIELD(alpha), "1", 1e-4, 1e4, OPT_LOG, NULL,
     "by how much the weights of events are multiplied"},
    {"objective", OPT_CHOICE, FIELD(objective), "rendle", 0, 0, OPT_LINEAR, "rendle|hu",
     "the loss: Rendle et al. 2022, or Hu et al. 2008 as in the package implicit"},
    {"solver", OPT_CHOICE, FIELD(solver), "exact", 0, 0, OPT_LINEAR, "exact|cg",
     "Cholesky, or a few steps of conjugate gradients: 2 to 8 times quicker, not quite as near "
     "the minimum"},
    {"cg_steps", OPT_INT, FIELD(cg_steps), "3", 1, 64, OPT_LOG, NULL,
     "steps of solver cg for each row"},
};

static struct als_model *self(const struct model *m)
{
    return (struct als_model *)(uintptr_t)m;
}

static struct als_settings settings_of(const struct als_options *o)
{
    return (struct als_settings){
        .factors = (size_t)o->factors,
        .objective = (enum als_objective)o->objective,
        .alpha = (float)o->alpha,
        .alpha0 = (float)o->alpha0,
        .lambda = (float)o->regularization,
        .nu = (float)o->nu,
        .cg_steps = o->solver == CG ? (unsigned)o->cg_steps : 0,
    };
}

static uint64_t als_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    struct als_settings set = settings_of(options);
    uint64_t vectors = (users + items) * set.factors * sizeof(float);
    uint64_t transposed = entries * 8 + (items + 1) * 8;
    uint64_t half = als_half_bytes(&set, entries, pool_cores());
    uint64_t bytes = vectors_bytes(items, set.factors);
    uint64_t halves = users * set.factors * sizeof(float) + transposed + half; /* freed by then */
    return vectors + transposed + half + (bytes > halves ? bytes - halves : 0);
}

/* ---- training ---- */

struct als_fit {
    struct als_settings set;
    const struct csr *by_user;
    struct csr by_item;
    float *X, *Y; /* (users, d), (items, d) */
};

static enum pal_status half_step(const struct als_settings *set, const struct csr *R, float *Y,
                                 float *X, const struct run *run, struct pal_error *err)
{
    struct als_side side = {0};
    struct pool *pool = run ? run->pool : NULL;
    enum pal_status st = als_side_init(&side, set, Y, R->cols, pool, err);
    if (st == PAL_OK && set->cg_steps)
        st = als_side_turn(&side, Y, X, R->rows, pool, err);
    if (st == PAL_OK)
        st = als_half(&side, R, X, run, err);
    als_side_done(&side);
    return st;
}

/* Some of the items' vectors as they were before an epoch, for who wants to see it settle. */
struct sample {
    size_t rows, d, stride; /* rows 0: nobody does, or there was no memory for it */
    float *before;          /* (rows, d) */
};

enum { SAMPLE_MOST = 1024 };

static void sample_init(struct sample *s, const struct als_fit *f, const struct run *run)
{
    size_t items = f->by_user->cols;
    *s = (struct sample){.d = f->set.factors, .stride = items / SAMPLE_MOST + 1};
    if (run && run->metric)
        s->before = mem_alloc((items / s->stride) * s->d, sizeof *s->before);
    s->rows = s->before ? items / s->stride : 0;
}

static void sample_take(const struct sample *s, const float *Y)
{
    for (size_t i = 0; i < s->rows; i++)
        memcpy(s->before + i * s->d, Y + i * s->stride * s->d, s->d * sizeof *Y);
}

/* How far the epoch moved them, beside their length. */
static double sample_change(const struct sample *s, const float *Y)
{
    double moved = 0, length = 0;
    for (size_t i = 0; i < s->rows * s->d; i++) {
        double now = (double)Y[(i / s->d) * s->stride * s->d + i % s->d];
        double step = now - (double)s->before[i];
        moved += step * step;
        length += now * now;
    }
    return length > 0 ? sqrt(moved / length) : 0;
}

static enum pal_status alternate(struct als_fit *f, uint64_t epochs, const struct run *run,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct sample sample;
    sample_init(&sample, f, run);
    for (uint64_t half = 0; half < 2 * epochs && st == PAL_OK; half++) {
        st = run_step(run, "training", half, 2 * epochs, err);
        if (st == PAL_OK && half % 2 == 0) {
            st = half_step(&f->set, f->by_user, f->Y, f->X, run, err);
        } else if (st == PAL_OK) {
            sample_take(&sample, f->Y);
            st = half_step(&f->set, &f->by_item, f->X, f->Y, run, err);
            if (st == PAL_OK && sample.rows)
                run_metric(run, "change", half / 2 + 1, sample_change(&sample, f->Y));
        }
    }
    mem_free(sample.before);
    return st == PAL_OK ? run_step(run, "training", 2 * epochs, 2 * epochs, err) : st;
}

/* What is computed from Y once, for scoring. */
static enum pal_status get_ready(struct als_model *m, const struct als_settings *set,
                                 struct pool *pool, struct pal_error *err)
{
    uint32_t items = m->model.ids.count;
    size_t d = set->factors;
    enum pal_status st = als_side_init(&m->side, set, m->Y, items, pool, err);
    return st == PAL_OK ? vectors_init(&m->vectors, m->Y, items, d, d, err) : st;
}

static enum pal_status als_fit(struct model *m, const struct training *t, const struct run *run,
                               struct pal_error *err)
{
    const struct als_options *o = m->options;
    struct als_fit f = {.set = settings_of(o), .by_user = &t->by_user};
    struct pool *pool = run ? run->pool : NULL;
    uint32_t users = t->by_user.rows, items = t->by_user.cols;
    uint64_t seed = run ? run->seed : 0;
    size_t d = f.set.factors;
    enum pal_status st = PAL_OK;
    f.X = mem_aligned((size_t)users * d, sizeof *f.X);
    f.Y = mem_aligned((size_t)items * d, sizeof *f.Y);
    if (!f.X || !f.Y) {
        st = pal_no_memory(err);
        goto done;
    }
    st = csr_transpose(&t->by_user, &f.by_item, err);
    if (st != PAL_OK)
        goto done;
    als_random(f.Y, items, d, (float)o->sigma, seed, 0, pool);
    als_random(f.X, users, d, (float)o->sigma, seed, (uint64_t)1 << 32, pool);
    st = alternate(&f, (uint64_t)o->epochs, run, err);
    if (st != PAL_OK)
        goto done;
    mem_free(f.X);
    f.X = NULL;
    self(m)->Y = self(m)->own = f.Y;
    f.Y = NULL; /* handed over */
    st = get_ready(self(m), &f.set, pool, err);
done:
    mem_free(f.X);
    mem_free(f.Y);
    csr_done(&f.by_item);
    return st;
}

/* ---- scoring ---- */

static size_t longest(const struct history *h, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = h[i].n > most ? h[i].n : most;
    return most;
}

static enum pal_status als_score(const struct model *model, const struct history *h, size_t n,
                                 float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct als_model *m = self(model);
    const struct als_side *s = &m->side;
    size_t d = s->set.factors;
    float *scratch = arena_alloc(tmp, als_scratch(s, longest(h, n)), sizeof *scratch);
    float *users = arena_alloc(tmp, n * d, sizeof *users);
    if (!scratch || !users)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++)
        als_solve_row(s, h[i].item, h[i].weight, h[i].n, users + i * d, scratch);
    return vectors_score(&m->vectors, users, n, scores, tmp, err);
}

static enum pal_status als_retrieve(const struct model *model, const struct history *h,
                                    const uint8_t *skip, size_t k, struct arena *tmp,
                                    struct scored *out, size_t *count, bool *done,
                                    struct pal_error *err)
{
    const struct als_model *m = self(model);
    float *scratch = arena_alloc(tmp, als_scratch(&m->side, h->n), sizeof *scratch);
    float *x = arena_alloc(tmp, m->side.set.factors, sizeof *x);
    if (!scratch || !x)
        return pal_no_memory(err);
    als_solve_row(&m->side, h->item, h->weight, h->n, x, scratch);
    return vectors_top(&m->vectors, x, skip, k, tmp, out, count, done, err);
}

static enum pal_status als_similar(const struct model *m, uint32_t item, float *scores,
                                   struct arena *tmp, struct pal_error *err)
{
    return vectors_similar(&self(m)->vectors, item, scores, tmp, err);
}

static enum pal_status als_nearest(const struct model *m, uint32_t item, size_t k,
                                   struct arena *tmp, struct scored *out, size_t *count, bool *done,
                                   struct pal_error *err)
{
    return vectors_nearest(&self(m)->vectors, item, k, tmp, out, count, done, err);
}

static enum pal_status als_explain(const struct model *model, const struct history *h,
                                   uint32_t item, float *part, struct arena *tmp,
                                   struct pal_error *err)
{
    const struct als_model *m = self(model);
    const struct als_side *s = &m->side;
    size_t d = s->set.factors;
    float *scratch = arena_alloc(tmp, als_scratch(s, h->n), sizeof *scratch);
    float *z = arena_alloc(tmp, d, sizeof *z);
    if (!scratch || !z)
        return pal_no_memory(err);
    memcpy(z, m->Y + item * d, d * sizeof *z);
    als_solve_for(s, h->item, h->weight, h->n, z, scratch);
    kernels()->gather_dot(m->Y, d, d, h->item, h->n, 0, z, part);
    for (size_t j = 0; j < h->n; j++)
        part[j] *= s->set.alpha * h->weight[j];
    return PAL_OK;
}

/* ---- files ---- */

static enum pal_status als_save(const struct model *m, struct tensors_out *out,
                                struct pal_error *err)
{
    const struct als_options *o = m->options;
    return tensors_add(out, "item_factors", TENSOR_F32, m->ids.count, (uint64_t)o->factors,
                       self(m)->Y, err);
}

static enum pal_status als_load(struct model *m, const struct tensors *file, struct pal_error *err)
{
    const struct als_options *o = m->options;
    struct als_settings set = settings_of(o);
    enum pal_status st =
        stored_floats_get(file, "item_factors", m->ids.count, set.factors, &self(m)->Y, err);
    if (st != PAL_OK)
        return st;
    return get_ready(self(m), &set, NULL, err);
}

static void als_done(struct model *m)
{
    als_side_done(&self(m)->side);
    vectors_done(&self(m)->vectors);
    mem_free(self(m)->own);
}

const struct model_ops model_als = {
    .name = "als",
    .title = "implicit alternating least squares (iALS)",
    .paper = "Hu, Koren, Volinsky 2008; Rendle, Krichene, Zhang, Koren 2022",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "factors=16..256, alpha0=0.01..1, regularization=0.03..3, nu=0..1",
    .options_size = sizeof(struct als_options),
    .model_size = sizeof(struct als_model),
    .memory = als_memory,
    .fit = als_fit,
    .score = als_score,
    .retrieve = als_retrieve,
    .similar = als_similar,
    .nearest = als_nearest,
    .explain = als_explain,
    .save = als_save,
    .load = als_load,
    .done = als_done,
};
