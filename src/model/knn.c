/* Item-kNN: an item is worth what the items of the history that are like it are worth.
 * Sarwar et al., "Item-based Collaborative Filtering Recommendation Algorithms", WWW 2001.
 *
 * Items are the columns of the users' matrix W. With c_ij = Σ_u W_ui W_uj and n_i = c_ii,
 *
 *     cosine, tfidf   s_ij = c_ij / (n_j^α n_i^(1-α) + shrink)
 *     jaccard         s_ij = c_ij / (n_i + n_j - c_ij + shrink)      (Tanimoto for real weights)
 *     bm25            s_ij = c_ij
 *
 * s_ij^power is kept for the k items j nearest to each i, if it is above 0, and a history scores
 * Σ_j w_j s_ij. α = ½ is the cosine; a larger one divides more by how popular the history's item
 * is and less by how popular the target is (Aiolli, "Efficient Top-N Recommendation for Very Large
 * Scale Binary Rated Datasets", RecSys 2013). W is the signed matrix of weights X with
 *
 *     cosine, jaccard  W_ui = X_ui
 *     tfidf            W_ui = √X_ui · log((1 + N) / (1 + d_u)), N items, d_u of them the user's
 *     bm25             W_ui = X_ui (K1 + 1) / (K1 (1 - B + B L_i / L) + X_ui) · the same logarithm,
 *                      L_i the item's sum of |X|, L its mean (Robertson and Zaragoza, 2009)
 *
 * where roots and quotients apply to |X| and the sign stays; all times d_u^(-user_power): someone
 * with a thousand items says less about any two of them than someone with five. (With user_power ½
 * c_ij is a step of a random walk from item to user to item, as in Paudel et al., "Updatable,
 * Accurate, Diverse, and Scalable Recommendations for Interactive Applications", TiiS 2017.) A
 * dislike in a history subtracts what is like it; two items that the same people disagree on are
 * not near each other.
 *
 * What helps where: on MovieLens 1M the defaults do best; on Gowalla's check-ins, where histories
 * are short and most items rare, alpha .8, power 1.4, user_power .25 and 1000 neighbors do.
 *
 * The product WᵀW is computed a row at a time in an array of one float per item and never stored.
 * Rows go to threads; each is summed in the order of users, so threads don't change a bit. */
#include "model/links.h"
#include "model/models.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 8, CHUNK = 1024 };

enum similarity { COSINE, TFIDF, BM25, JACCARD };

struct knn_options {
    int similarity;
    int64_t neighbors;
    double alpha, shrink, user_power, power, k1, b;
    bool normalize;
};

struct knn_model {
    struct model model;
    struct links links;
};

#define FIELD(name) offsetof(struct knn_options, name)
static const struct opt rows[] = {
    {"similarity", OPT_CHOICE, FIELD(similarity), "cosine", 0, 0, OPT_LINEAR,
     "cosine|tfidf|bm25|jaccard", "how near two items are"},
    {"neighbors", OPT_INT, FIELD(neighbors), "200", 1, 10000, OPT_LOG2, NULL,
     "nearest items kept for each item"},
    {"alpha", OPT_REAL, FIELD(alpha), "0.5", 0, 1, OPT_LINEAR, NULL,
     "cosine, tfidf: share of the history's item in the norm; 0.5 = the cosine"},
    {"shrink", OPT_REAL, FIELD(shrink), "0", 0, 10000, OPT_LINEAR, NULL,
     "added to the norm: pairs seen together by few count less"},
    {"user_power", OPT_REAL, FIELD(user_power), "0.5", 0, 2, OPT_LINEAR, NULL,
     "a user with d items counts d^-user_power; 0 = all the same"},
    {"power", OPT_REAL, FIELD(power), "1", 0.1, 5, OPT_LOG, NULL, "similarities are raised to it"},
    {"normalize", OPT_BOOL, FIELD(normalize), "false", 0, 0, OPT_LINEAR, NULL,
     "divide an item's similarities by their sum"},
    {"k1", OPT_REAL, FIELD(k1), "100", 0.01, 10000, OPT_LOG, NULL,
     "bm25: how soon a weight saturates"},
    {"b", OPT_REAL, FIELD(b), "0.5", 0, 1, OPT_LINEAR, NULL,
     "bm25: how much popular items are held back"},
};
#undef FIELD

static struct knn_model *self(const struct model *m)
{
    return (struct knn_model *)(uintptr_t)m;
}

static size_t kept(const struct knn_options *o, uint64_t items)
{
    return (uint64_t)o->neighbors < items ? (size_t)o->neighbors : (size_t)items;
}

static uint64_t knn_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    const uint64_t threads = pool_cores();
    return entries * (sizeof(float) * 2 + sizeof(uint32_t)) +
           items * sizeof(float) * (4 + 2 * threads) + links_bytes(items, kept(options, items));
}

struct knn {
    const struct knn_options *o;
    struct csr by_user; /* W; start and col are borrowed from the training matrix */
    struct csr by_item; /* its transpose */
    bool binary;
    float *norm; /* (items) n_i */
    float *from; /* (items) 1 / n_j^α */
    float *to;   /* (items) 1 / n_i^(1-α) */
    size_t k;
    struct scored *best; /* (items, k) */
    uint32_t *count;     /* (items) */
    float *scratch;      /* (threads, 2 items) */
    uint32_t first;      /* item of the chunk that is being worked on */
};

static void knn_done_fit(struct knn *f)
{
    mem_free(f->by_user.val);
    csr_done(&f->by_item);
    mem_free(f->norm);
    mem_free(f->from);
    mem_free(f->to);
    mem_free(f->best);
    mem_free(f->count);
    mem_free(f->scratch);
}

/* sum (items) = L_i; returns their mean. */
static double item_sums(const struct csr *X, float *sum)
{
    uint64_t n = csr_entries(X);
    double all = 0;
    memset(sum, 0, X->cols * sizeof *sum);
    for (uint64_t i = 0; i < n; i++) {
        sum[X->col[i]] += fabsf(X->val[i]);
        all += fabsf(X->val[i]);
    }
    return X->cols ? all / X->cols : 0;
}

/* W's values from X's; sum is scratch (items). */
static void weigh(const struct knn_options *o, const struct csr *X, float *sum, float *W)
{
    double mean = o->similarity == BM25 ? item_sums(X, sum) : 0;
    for (uint32_t u = 0; u < X->rows; u++) {
        double d = (double)(X->start[u + 1] - X->start[u]);
        double user = o->user_power > 0 && d > 0 ? pow(d, -o->user_power) : 1;
        double idf = log((1.0 + X->cols) / (1.0 + d));
        for (uint64_t i = X->start[u]; i < X->start[u + 1]; i++) {
            double x = fabs(X->val[i]);
            if (o->similarity == TFIDF) {
                x = sqrt(x) * idf;
            } else if (o->similarity == BM25) {
                double length = 1 - o->b + o->b * sum[X->col[i]] / mean;
                x = x * (o->k1 + 1) / (o->k1 * length + x) * idf;
            }
            W[i] = copysignf((float)(x * user), X->val[i]);
        }
    }
}

/* norm, from and to, from W's columns. */
static void measure(struct knn *f)
{
    const struct csr *T = &f->by_item;
    for (uint32_t i = 0; i < T->rows; i++) {
        double n = 0;
        for (uint64_t e = T->start[i]; e < T->start[i + 1]; e++)
            n += (double)T->val[e] * T->val[e];
        f->norm[i] = (float)n;
        f->from[i] = n > 0 ? (float)pow(n, f->o->alpha) : 1;
        f->to[i] = n > 0 ? (float)pow(n, 1 - f->o->alpha) : 1;
    }
}

/* c (items): sums over the users who have item i of their rows. */
static void common(const struct knn *f, uint32_t i, float *c)
{
    const struct csr *T = &f->by_item, *W = &f->by_user;
    memset(c, 0, W->cols * sizeof *c);
    for (uint64_t e = T->start[i]; e < T->start[i + 1]; e++) {
        uint64_t begin = W->start[T->col[e]], end = W->start[T->col[e] + 1];
        kernels()->scatter_axpy(T->val[e], W->col + begin, f->binary ? NULL : W->val + begin,
                                end - begin, c);
    }
}

/* s (items): how near each item is to i; -INFINITY where it is not, and for i itself. */
static void compare(const struct knn *f, uint32_t i, const float *c, float *s)
{
    const float *from = f->from, *norm = f->norm;
    float to = f->to[i], own = norm[i], shrink = (float)f->o->shrink;
    size_t n = f->by_user.cols;
    switch ((enum similarity)f->o->similarity) {
    case COSINE:
    case TFIDF:
        for (size_t j = 0; j < n; j++)
            s[j] = c[j] / (from[j] * to + shrink);
        break;
    case JACCARD:
        for (size_t j = 0; j < n; j++)
            s[j] = c[j] / (own + norm[j] - c[j] + shrink);
        break;
    case BM25:
        memcpy(s, c, n * sizeof *s);
        break;
    }
    for (size_t j = 0; j < n; j++)
        s[j] = s[j] > 0 ? s[j] : -INFINITY;
    s[i] = -INFINITY;
}

static void nearest(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct knn *f = ctx;
    size_t n = f->by_user.cols;
    float *c = f->scratch + 2 * n * worker, *s = c + n;
    for (size_t r = begin; r < end; r++) {
        uint32_t i = f->first + (uint32_t)r;
        struct scored *best = f->best + i * f->k;
        common(f, i, c);
        compare(f, i, c, s);
        f->count[i] = (uint32_t)topk(s, n, f->k, best);
        double sum = 0;
        for (uint32_t x = 0; x < f->count[i]; x++) {
            if (f->o->power != 1)
                best[x].score = powf(best[x].score, (float)f->o->power);
            sum += best[x].score;
        }
        for (uint32_t x = 0; f->o->normalize && sum > 0 && x < f->count[i]; x++)
            best[x].score = (float)(best[x].score / sum);
    }
}

static enum pal_status prepare(struct knn *f, const struct csr *X, unsigned threads,
                               struct pal_error *err)
{
    size_t n = X->cols;
    f->by_user = *X;
    f->by_user.val = mem_aligned(csr_entries(X), sizeof(float));
    f->norm = mem_alloc(n, sizeof *f->norm);
    f->from = mem_alloc(n, sizeof *f->from);
    f->to = mem_alloc(n, sizeof *f->to);
    f->best = mem_alloc(n * f->k, sizeof *f->best);
    f->count = mem_alloc(n, sizeof *f->count);
    f->scratch = mem_alloc(2 * n * threads, sizeof *f->scratch);
    if (!f->by_user.val || !f->norm || !f->from || !f->to || !f->best || !f->count || !f->scratch)
        return pal_no_memory(err);
    weigh(f->o, X, f->norm, f->by_user.val);
    f->binary = csr_is_binary(&f->by_user);
    enum pal_status st = csr_transpose(&f->by_user, &f->by_item, err);
    if (st == PAL_OK)
        measure(f);
    return st;
}

static enum pal_status knn_fit(struct model *m, const struct training *t, const struct run *run,
                               struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    uint32_t items = m->ids.count;
    struct knn f = {.o = m->options, .k = kept(m->options, items)};
    enum pal_status st = prepare(&f, &t->by_user, pool_size(pool), err);
    while (st == PAL_OK && f.first < items) {
        uint32_t rest = items - f.first, now = rest < CHUNK ? rest : CHUNK;
        st = run_step(run, "training", f.first, items, err);
        if (st == PAL_OK)
            pool_for(pool, now, GRAIN, nearest, &f);
        f.first += now;
    }
    if (st == PAL_OK)
        st = links_make(f.best, f.count, items, f.k, &self(m)->links, err);
    knn_done_fit(&f);
    return st;
}

static enum pal_status knn_score(const struct model *m, const struct history *h, size_t n,
                                 float *scores, struct arena *tmp, struct pal_error *err)
{
    links_score(&self(m)->links, h, n, scores);
    return PAL_OK;
}

static enum pal_status knn_similar(const struct model *m, uint32_t item, float *scores,
                                   struct arena *tmp, struct pal_error *err)
{
    links_similar(&self(m)->links, item, scores);
    return PAL_OK;
}

static enum pal_status knn_explain(const struct model *m, const struct history *h, uint32_t item,
                                   float *part, struct arena *tmp, struct pal_error *err)
{
    links_explain(&self(m)->links, h, item, part);
    return PAL_OK;
}

static enum pal_status knn_save(const struct model *m, struct tensors_out *out,
                                struct pal_error *err)
{
    return links_save(&self(m)->links, out, err);
}

static enum pal_status knn_load(struct model *m, const struct tensors *file, struct pal_error *err)
{
    return links_load(file, m->ids.count, &self(m)->links, err);
}

static void knn_done(struct model *m)
{
    links_done(&self(m)->links);
}

const struct model_ops model_knn = {
    .name = "knn",
    .title = "nearest items by cosine, TF-IDF, BM25 or Jaccard",
    .paper =
        "Sarwar et al., Item-based Collaborative Filtering Recommendation Algorithms, WWW 2001",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "similarity, neighbors=10..1000, alpha, shrink=0..500, user_power, power=0.3..3, "
             "normalize",
    .options_size = sizeof(struct knn_options),
    .model_size = sizeof(struct knn_model),
    .memory = knn_memory,
    .fit = knn_fit,
    .score = knn_score,
    .similar = knn_similar,
    .explain = knn_explain,
    .save = knn_save,
    .load = knn_load,
    .done = knn_done,
};
