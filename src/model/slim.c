/* SLIM, a sparse linear model: every item is predicted from a few others, with weights above 0.
 * X. Ning and G. Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011.
 *
 * With X (users, items), column j of W minimizes
 *
 *     ½‖x_j - X w‖² + ½ l2 ‖w‖² + l1 ‖w‖₁      under w_j = 0 and, if asked for, w ≥ 0      (eq. 3)
 *
 * and a history h is scored as h W. Columns don't know of each other: they go to threads.
 *
 * How one is solved. All that is needed of X is its Gram matrix G = XᵀX (Friedman et al.,
 * "Regularization Paths for Generalized Linear Models via Coordinate Descent", JSS 2010, calls it
 * covariance updates). With the slope q = G_j - G w, one step of coordinate descent is
 *
 *     w_i = S(q_i + G_ii w_i, l1) / (G_ii + l2),      S(x, t) = sign(x) max(|x| - t, 0)
 *
 * and w is the solution when |q_i| ≤ l1 wherever w_i = 0 and no step moves anything. Nearly all
 * weights are 0, so descent runs over an active set alone, whose part of G is gathered into a small
 * dense block that fits the cache. Then q is computed anew for all items; those whose slope passes
 * l1 are violators, the steepest of them join, and it goes on until there are none. What is active
 * is what G puts before us, so most items are never looked at: q_i ≤ G_ij at w = 0.
 *
 * G is kept dense where histories are long enough to fill a good part of it, else by its entries.
 * Of each solution the `neighbors` largest weights are kept. */
#include "model/links.h"
#include "model/models.h"
#include "model/slim_solve.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 4, CHUNK = 512 };

struct slim_options {
    double l1, l2;
    int64_t neighbors;
    bool nonnegative;
};

struct slim_model {
    struct model model;
    struct links links;
};

#define FIELD(name) offsetof(struct slim_options, name)
static const struct opt rows[] = {
    {"l1", OPT_REAL, FIELD(l1), "1", 1e-3, 1e4, OPT_LOG, NULL,
     "weight of the absolute values: larger leaves fewer items"},
    {"l2", OPT_REAL, FIELD(l2), "500", 1e-3, 1e6, OPT_LOG, NULL,
     "weight of the squares: larger shares among items that are alike"},
    {"neighbors", OPT_INT, FIELD(neighbors), "200", 1, 2048, OPT_LOG2, NULL,
     "weights kept for each item, the largest"},
    {"nonnegative", OPT_BOOL, FIELD(nonnegative), "true", 0, 0, OPT_LINEAR, NULL,
     "no item speaks against another"},
};
#undef FIELD

static struct slim_model *self(const struct model *m)
{
    return (struct slim_model *)(uintptr_t)m;
}

static size_t kept(const struct slim_options *o, uint64_t items)
{
    return (uint64_t)o->neighbors < items ? (size_t)o->neighbors : (size_t)items;
}

/* How many entries G can have at most: every user's pairs. */
static uint64_t pairs_of(const struct csr *X)
{
    uint64_t pairs = 0;
    for (uint32_t u = 0; u < X->rows; u++)
        pairs += (X->start[u + 1] - X->start[u]) * (X->start[u + 1] - X->start[u]);
    return pairs;
}

/* An entry with its number takes twice the memory of one in a dense matrix. */
static bool is_dense(uint64_t pairs, uint64_t items)
{
    return pairs >= items * items / 2;
}

static uint64_t memory_of(const struct slim_options *o, uint64_t items, uint64_t entries,
                          uint64_t gram)
{
    return gram + entries * 12 + items * 8 + pool_cores() * slim_work_bytes(items) +
           links_bytes(items, kept(o, items));
}

static uint64_t slim_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    uint64_t square;
    if (__builtin_mul_overflow(items, items * sizeof(float), &square))
        return UINT64_MAX;
    return memory_of(options, items, entries, square);
}

static uint64_t slim_memory_for(const void *options, const struct csr *X)
{
    uint64_t pairs = pairs_of(X), items = X->cols;
    return memory_of(options, items, csr_entries(X),
                     is_dense(pairs, items) ? items * items * sizeof(float) : 8 * (pairs + items));
}

struct fit {
    struct slim_gram gram;
    struct csr sparse;
    float *dense;
    struct slim_settings set;
    struct slim_work *work; /* (threads) */
    unsigned threads;
    size_t k;
    struct scored *best; /* (items, k) */
    uint32_t *count;     /* (items) */
    uint32_t first;      /* column of the chunk that is being worked on */
};

static enum pal_status make_gram(struct fit *f, const struct csr *X, struct pool *pool,
                                 struct pal_error *err)
{
    size_t n = X->cols;
    f->gram.n = n;
    if (!is_dense(pairs_of(X), n)) {
        f->gram.sparse = &f->sparse;
        return csr_gram_sparse(X, &f->sparse, pool, err);
    }
    f->gram.dense = f->dense = mem_aligned(n * n, sizeof *f->dense);
    return f->dense ? csr_gram(X, f->dense, pool, err) : pal_no_memory(err);
}

static enum pal_status prepare(struct fit *f, const struct csr *X, struct pool *pool,
                               struct pal_error *err)
{
    size_t n = X->cols;
    f->threads = pool_size(pool);
    f->best = mem_alloc(n * f->k, sizeof *f->best);
    f->count = mem_alloc(n, sizeof *f->count);
    f->work = mem_zero(f->threads, sizeof *f->work);
    enum pal_status st = f->best && f->count && f->work ? PAL_OK : pal_no_memory(err);
    for (unsigned i = 0; st == PAL_OK && i < f->threads; i++)
        st = slim_work_init(&f->work[i], n, err);
    return st == PAL_OK ? make_gram(f, X, pool, err) : st;
}

static void fit_done(struct fit *f)
{
    for (unsigned i = 0; f->work && i < f->threads; i++)
        slim_work_done(&f->work[i]);
    mem_free(f->work);
    mem_free(f->best);
    mem_free(f->count);
    mem_free(f->dense);
    csr_done(&f->sparse);
}

static void columns(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct fit *f = ctx;
    for (size_t c = begin; c < end; c++) {
        uint32_t j = f->first + (uint32_t)c;
        f->count[j] =
            (uint32_t)slim_column(&f->work[worker], &f->gram, &f->set, j, f->k, f->best + j * f->k);
    }
}

static enum pal_status slim_fit(struct model *m, const struct training *t, const struct run *run,
                                struct pal_error *err)
{
    const struct slim_options *o = m->options;
    struct pool *pool = run ? run->pool : NULL;
    uint32_t items = m->ids.count;
    struct fit f = {.set = {(float)o->l1, (float)o->l2, o->nonnegative}, .k = kept(o, items)};
    enum pal_status st = prepare(&f, &t->by_user, pool, err);
    while (st == PAL_OK && f.first < items) {
        uint32_t rest = items - f.first, now = rest < CHUNK ? rest : CHUNK;
        st = run_step(run, "training", f.first, items, err);
        if (st == PAL_OK)
            pool_for(pool, now, GRAIN, columns, &f);
        f.first += now;
    }
    if (st == PAL_OK)
        st = links_make(f.best, f.count, items, f.k, &self(m)->links, err);
    fit_done(&f);
    return st;
}

static enum pal_status slim_score(const struct model *m, const struct history *h, size_t n,
                                  float *scores, struct arena *tmp, struct pal_error *err)
{
    links_score(&self(m)->links, h, n, scores);
    return PAL_OK;
}

static enum pal_status slim_similar(const struct model *m, uint32_t item, float *scores,
                                    struct arena *tmp, struct pal_error *err)
{
    links_similar(&self(m)->links, item, scores);
    return PAL_OK;
}

static enum pal_status slim_explain(const struct model *m, const struct history *h, uint32_t item,
                                    float *part, struct arena *tmp, struct pal_error *err)
{
    links_explain(&self(m)->links, h, item, part);
    return PAL_OK;
}

static enum pal_status slim_save(const struct model *m, struct tensors_out *out,
                                 struct pal_error *err)
{
    return links_save(&self(m)->links, out, err);
}

static enum pal_status slim_load(struct model *m, const struct tensors *file, struct pal_error *err)
{
    return links_load(file, m->ids.count, &self(m)->links, err);
}

static void slim_done(struct model *m)
{
    links_done(&self(m)->links);
}

const struct model_ops model_slim = {
    .name = "slim",
    .title = "SLIM, sparse linear model by elastic net",
    .paper = "Ning and Karypis, SLIM: Sparse Linear Methods for Top-N Recommender Systems, "
             "ICDM 2011",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "l1=0.05..50, l2=10..10000, nonnegative",
    .options_size = sizeof(struct slim_options),
    .model_size = sizeof(struct slim_model),
    .memory = slim_memory,
    .memory_for = slim_memory_for,
    .fit = slim_fit,
    .score = slim_score,
    .similar = slim_similar,
    .explain = slim_explain,
    .save = slim_save,
    .load = slim_load,
    .done = slim_done,
};
