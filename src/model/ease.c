/* EASE^R: the best linear model in which every item is predicted from all others, in closed form.
 * H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
 *
 * With X (users, items) it minimizes ‖X - XB‖² + λ‖B‖² under diag(B) = 0. With the Gram matrix
 * G = XᵀX, P = (G + λI)⁻¹:
 *
 *     B_ji = -P_ji / P_ii for j ≠ i,   B_ii = 0                                    (eq. 8)
 *
 * and a history x is scored as x B. `dropout` p adds p/(1-p) diag(G) to the diagonal: what training
 * with each input left out with probability p comes to, which keeps popular items from predicting
 * themselves through their doubles (Steck, "Autoencoders that don't overfit towards the Identity",
 * NeurIPS 2020). Weights enter X with their sign: what a user disliked pulls down whatever others
 * like together with it.
 *
 * Two options take popularity out of the problem: `user_power` p divides each user's row by d^p, d
 * the sum of its sizes, so that someone with a thousand items says less about any two of them than
 * someone with five; `item_power` q makes λ grow with an item's n users, λ n^q, which is the same
 * as to solve for columns of X over n^(q/2) and to undo that afterwards. (Normalization by both for
 * linear autoencoders: Park et al., "Why is Normalization Necessary for Linear Recommenders?",
 * SIGIR 2025.)
 *
 * G, P and B are one and the same block of n² floats, one after the other; see math/dense.h for the
 * inverse. Kept is either all of B, or with `neighbors` k, for each item the k others that tell
 * most of it (largest |B_ji|), which is a small fraction of the memory and nearly as good. */
#include "model/links.h"
#include "model/models.h"
#include "model/stored.h"

#include "base/mem.h"
#include "math/dense.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 16 };

struct ease_options {
    double regularization, dropout, user_power, item_power;
    int64_t neighbors;
};

struct ease_model {
    struct model model;
    const float *B; /* (items, items) own or in the file; NULL when truncated */
    float *own;
    struct links links; /* when truncated */
};

static const struct opt rows[] = {
    {"regularization", OPT_REAL, offsetof(struct ease_options, regularization), "500", 1e-3, 1e6,
     OPT_LOG, NULL, "λ: larger trusts rare items less"},
    {"dropout", OPT_REAL, offsetof(struct ease_options, dropout), "0", 0, 0.95, OPT_LINEAR, NULL,
     "share of each history to learn without; adds dropout/(1-dropout) of an item's own count"},
    {"user_power", OPT_REAL, offsetof(struct ease_options, user_power), "0", 0, 1, OPT_LINEAR, NULL,
     "a user with d items counts d^-2user_power; 0 = all the same"},
    {"item_power", OPT_REAL, offsetof(struct ease_options, item_power), "0", 0, 1, OPT_LINEAR, NULL,
     "λ grows with an item's n users as n^item_power; 0 = not at all"},
    {"neighbors", OPT_INT, offsetof(struct ease_options, neighbors), "0", 0, 100000, OPT_LOG2, NULL,
     "items kept for each item, 0 = all (4 bytes for each pair of items)"},
};

static struct ease_model *self(const struct model *m)
{
    return (struct ease_model *)(uintptr_t)m;
}

static size_t kept(const struct ease_options *o, uint64_t items)
{
    return (uint64_t)o->neighbors < items ? (size_t)o->neighbors : (size_t)items;
}

static uint64_t ease_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    const struct ease_options *o = options;
    uint64_t square, gram = entries * 16 + items * 12, inverse = dense_inverse_bytes(items);
    if (__builtin_mul_overflow(items, items * sizeof(float), &square))
        return UINT64_MAX;
    uint64_t most = gram > inverse ? gram : inverse;
    uint64_t links = o->neighbors ? links_bytes(items, kept(o, items)) : 0;
    return square + (most > links ? most : links);
}

struct finish {
    float *P; /* (n, n) becomes B when not truncated */
    size_t n, k;
    const float *diagonal; /* (n) of P */
    struct scored *best;   /* (n, k) */
    uint32_t *count;       /* (n) */
    float *scratch;        /* (threads, n) */
};

/* Row j of B in place of row j of P. */
static void rows_of_B(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct finish *f = ctx;
    for (size_t j = begin; j < end; j++) {
        float *row = f->P + j * f->n;
        for (size_t i = 0; i < f->n; i++)
            row[i] = -row[i] / f->diagonal[i];
        row[j] = 0;
    }
}

/* P is symmetric, so row i of it, divided, is column i of B: what all others tell of item i. */
static void strongest(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct finish *f = ctx;
    float *size = f->scratch + worker * f->n;
    for (size_t i = begin; i < end; i++) {
        const float *row = f->P + i * f->n;
        for (size_t j = 0; j < f->n; j++)
            size[j] = row[j] != 0 ? fabsf(row[j]) : -INFINITY;
        size[i] = -INFINITY;
        struct scored *best = f->best + i * f->k;
        f->count[i] = (uint32_t)topk(size, f->n, f->k, best);
        for (uint32_t x = 0; x < f->count[i]; x++)
            best[x].score = -row[best[x].index] / f->diagonal[i];
    }
}

static enum pal_status truncate(struct finish *f, struct pool *pool, struct links *out,
                                struct pal_error *err)
{
    enum pal_status st;
    f->best = mem_alloc(f->n * f->k, sizeof *f->best);
    f->count = mem_alloc(f->n, sizeof *f->count);
    f->scratch = mem_alloc(f->n * pool_size(pool), sizeof *f->scratch);
    if (f->best && f->count && f->scratch) {
        pool_for(pool, f->n, GRAIN, strongest, f);
        st = links_make(f->best, f->count, (uint32_t)f->n, f->k, out, err);
    } else {
        st = pal_no_memory(err);
    }
    mem_free(f->best);
    mem_free(f->count);
    mem_free(f->scratch);
    return st;
}

struct progress {
    const struct run *run;
    struct pal_error *err;
};

static int step(void *ctx, size_t done, size_t total)
{
    const struct progress *p = ctx;
    return run_step(p->run, "training", done, total, p->err) != PAL_OK;
}

/* The Gram matrix of X, whose users count by user_power. */
static enum pal_status gram(const struct ease_options *o, const struct csr *X, float *G,
                            struct pool *pool, struct pal_error *err)
{
    if (o->user_power == 0)
        return csr_gram(X, G, pool, err);
    struct csr A = *X; /* start and col are borrowed */
    A.val = mem_aligned(csr_entries(X), sizeof *A.val);
    if (!A.val)
        return pal_no_memory(err);
    for (uint32_t u = 0; u < X->rows; u++) {
        double d = 0;
        for (uint64_t e = X->start[u]; e < X->start[u + 1]; e++)
            d += fabsf(X->val[e]);
        float scale = d > 0 ? (float)pow(d, -o->user_power) : 1;
        for (uint64_t e = X->start[u]; e < X->start[u + 1]; e++)
            A.val[e] = X->val[e] * scale;
    }
    enum pal_status st = csr_gram(&A, G, pool, err);
    mem_free(A.val);
    return st;
}

/* G's diagonal gets what dropout adds and the regularization; n (items) receives the items' sums.
 */
static void regularize(const struct ease_options *o, const struct csr *X, float *G, float *n)
{
    size_t items = X->cols;
    double own = 1 + o->dropout / (1 - o->dropout);
    memset(n, 0, items * sizeof *n);
    for (uint64_t e = 0; e < csr_entries(X); e++)
        n[X->col[e]] += fabsf(X->val[e]);
    for (size_t i = 0; i < items; i++) {
        double grown = n[i] > 0 ? pow(n[i], o->item_power) : 1;
        G[i * items + i] = (float)(G[i * items + i] * own + o->regularization * grown);
    }
}

/* P, from X; only its lower triangle needs the diagonal's additions. diagonal (n) is scratch. */
static enum pal_status invert(const struct ease_options *o, const struct csr *X, float *P,
                              float *diagonal, const struct run *run, struct pal_error *err)
{
    size_t n = X->cols;
    struct pool *pool = run ? run->pool : NULL;
    struct progress p = {run, err};
    enum pal_status st = gram(o, X, P, pool, err);
    if (st != PAL_OK)
        return st;
    regularize(o, X, P, diagonal);
    st = dense_inverse(P, n, pool, step, &p, err);
    if (st == PAL_EUSAGE)
        return pal_fail(err, st, "ease: regularization %g is too small for these data: give more",
                        o->regularization);
    return st;
}

static enum pal_status ease_fit(struct model *m, const struct training *t, const struct run *run,
                                struct pal_error *err)
{
    const struct ease_options *o = m->options;
    struct pool *pool = run ? run->pool : NULL;
    size_t n = t->by_user.cols;
    float *P = mem_aligned(n * n, sizeof *P), *diagonal = mem_alloc(n, sizeof *diagonal);
    enum pal_status st =
        P && diagonal ? invert(o, &t->by_user, P, diagonal, run, err) : pal_no_memory(err);
    if (st != PAL_OK)
        goto done;
    for (size_t i = 0; i < n; i++)
        diagonal[i] = P[i * n + i];
    struct finish f = {.P = P, .n = n, .k = kept(o, n), .diagonal = diagonal};
    if (o->neighbors) {
        st = truncate(&f, pool, &self(m)->links, err);
    } else {
        pool_for(pool, n, GRAIN, rows_of_B, &f);
        self(m)->B = self(m)->own = P;
        P = NULL;
    }
done:
    mem_free(P);
    mem_free(diagonal);
    return st;
}

static enum pal_status ease_score(const struct model *m, const struct history *h, size_t n,
                                  float *scores, struct arena *tmp, struct pal_error *err)
{
    size_t items = m->ids.count;
    if (!self(m)->B) {
        links_score(&self(m)->links, h, n, scores);
        return PAL_OK;
    }
    memset(scores, 0, n * items * sizeof *scores);
    for (size_t row = 0; row < n; row++)
        kernels()->gather_axpy(self(m)->B, items, items, h[row].item, h[row].n, h[row].weight,
                               scores + row * items);
    return PAL_OK;
}

static enum pal_status ease_similar(const struct model *m, uint32_t item, float *scores,
                                    struct arena *tmp, struct pal_error *err)
{
    size_t items = m->ids.count;
    if (!self(m)->B) {
        links_similar(&self(m)->links, item, scores);
        return PAL_OK;
    }
    for (size_t j = 0; j < items; j++) {
        float link = self(m)->B[j * items + item];
        scores[j] = link > 0 ? link : -INFINITY;
    }
    return PAL_OK;
}

static enum pal_status ease_explain(const struct model *m, const struct history *h, uint32_t item,
                                    float *part, struct arena *tmp, struct pal_error *err)
{
    if (!self(m)->B) {
        links_explain(&self(m)->links, h, item, part);
        return PAL_OK;
    }
    for (size_t i = 0; i < h->n; i++)
        part[i] = h->weight[i] * self(m)->B[(size_t)h->item[i] * m->ids.count + item];
    return PAL_OK;
}

static enum pal_status ease_save(const struct model *m, struct tensors_out *out,
                                 struct pal_error *err)
{
    if (!self(m)->B)
        return links_save(&self(m)->links, out, err);
    return tensors_add(out, "B", TENSOR_F32, m->ids.count, m->ids.count, self(m)->B, err);
}

static enum pal_status ease_load(struct model *m, const struct tensors *file, struct pal_error *err)
{
    const struct ease_options *o = m->options;
    uint32_t items = m->ids.count;
    if (o->neighbors)
        return links_load(file, items, &self(m)->links, err);
    return stored_floats_get(file, "B", items, items, &self(m)->B, err);
}

static void ease_done(struct model *m)
{
    mem_free(self(m)->own);
    links_done(&self(m)->links);
}

const struct model_ops model_ease = {
    .name = "ease",
    .title = "EASE^R, a linear autoencoder in closed form",
    .paper = "Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "regularization=10..10000, dropout=0..0.8",
    .options_size = sizeof(struct ease_options),
    .model_size = sizeof(struct ease_model),
    .memory = ease_memory,
    .fit = ease_fit,
    .score = ease_score,
    .similar = ease_similar,
    .explain = ease_explain,
    .save = ease_save,
    .load = ease_load,
    .done = ease_done,
};
