/* Graph filters: a history is a signal on the graph of items, and what it lacks is found by letting
 * its low frequencies through.
 * Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021 (GF-CF);
 * Choi et al., "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023 (BSPM).
 *
 * From the signed weights X (users, items), with d and n the sums of |X| over a user and an item,
 *
 *     A = D^-user_power X N^-item_power,      P = AᵀA, divided by its largest eigenvalue if above 1
 *
 * and eigenvectors V of P: those of the large eigenvalues are smooth, items that go together have
 * like values in them; noise sits in the many small ones. A history h is scored as
 *
 *     h P e^(-sharpen P) N^target_power  +  ideal · h N^-item_power V Vᵀ N^item_power
 *
 * The first term is a linear low-pass P (GF-CF) that blurs, followed by a sharpening that undoes
 * some of what blurring does to the very lowest frequencies, which only tell what is popular; e^-x
 * is its Taylor polynomial of order 4, one step of Runge and Kutta's as BSPM takes it. The second
 * is an ideal low-pass: the `factors` lowest frequencies pass unchanged, others not at all. With
 * sharpen 0, ideal 0.3 and factors 256 this is GF-CF as published. BSPM sharpens the ideal term,
 * too; to leave it as it is scored higher on validation data. The ends of the linear term need not
 * be normalized alike (Fu et al., "Revisiting Neighborhood-based Link Prediction for Collaborative
 * Filtering", WWW 2022): target_power gives back some of what popular items are held down.
 *
 * What is stored. P e^(-sharpen P) is dense. It is cut in two: its `factors` lowest frequencies,
 * which V holds anyway, and the rest, of which the `neighbors` largest numbers are kept for each
 * item (links.h). Being without its low frequencies the rest is local, and little is lost by that.
 * A user's row appears nowhere: a model takes 4 bytes for each item and factor and 8 for each link,
 * so 410 MB for 40,981 items with 512 factors and 1000 links. Scoring costs 4 operations for each
 * item and factor.
 *
 * The lowest frequencies are filtered by the polynomial as it is. The rest, whose eigenvalues lie
 * below the last of V's, is filtered by the shortest one that differs from it by no more than 2 %
 * of P there: with 448 factors on Gowalla one of order 1 instead of 4. Each order costs 4
 * operations for each item and interaction (graph_rows.c); that and the products that find V
 * (math/lanczos.h) are what training takes. */
#include "model/graph_rows.h"
#include "model/links.h"
#include "model/models.h"
#include "model/stored.h"

#include "base/mem.h"
#include "math/dense.h"
#include "math/kernels.h"
#include "math/lanczos.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { TOGETHER = 16 }; /* histories scored at once */

static const double NEAR_ENOUGH = 0.02; /* of one polynomial to another, whose value at 0 is 1 */
static const double MARGIN = 1.05;      /* the last eigenvalue may be found a little too small */

struct graph_options {
    int64_t factors, neighbors;
    double ideal, sharpen, user_power, item_power, target_power;
};

struct graph_model {
    struct model model;
    struct links links;
    size_t factors;         /* found, at most the option's */
    const float *V;         /* (items, factors) */
    const float *low;       /* (factors) the filter at each */
    const float *from, *to; /* (items) N^-item_power, ideal N^item_power */
    const float *target;    /* (items) N^target_power, or NULL = 1; the links have it in them */
    float *own;             /* all of these, unless they are in the file */
};

#define FIELD(name) offsetof(struct graph_options, name)
static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "64", 1, 4096, OPT_LOG2, NULL,
     "lowest frequencies that are kept exactly"},
    {"ideal", OPT_REAL, FIELD(ideal), "0.1", 0, 10, OPT_LINEAR, NULL,
     "weight of the ideal low-pass"},
    {"sharpen", OPT_REAL, FIELD(sharpen), "2", 0, 3, OPT_LINEAR, NULL,
     "how long to sharpen after blurring; 0 = not at all"},
    {"neighbors", OPT_INT, FIELD(neighbors), "1000", 1, 10000, OPT_LOG2, NULL,
     "links kept for each item"},
    {"user_power", OPT_REAL, FIELD(user_power), "0.5", 0, 1, OPT_LINEAR, NULL,
     "a user with d items counts d^-user_power"},
    {"item_power", OPT_REAL, FIELD(item_power), "0.5", 0, 1, OPT_LINEAR, NULL,
     "an item with n users counts n^-item_power"},
    {"target_power", OPT_REAL, FIELD(target_power), "0", 0, 1, OPT_LINEAR, NULL,
     "scores but for the ideal part are multiplied by n^target_power"},
};
#undef FIELD

static struct graph_model *self(const struct model *m)
{
    return (struct graph_model *)(uintptr_t)m;
}

static uint64_t least(int64_t option, uint64_t items)
{
    return (uint64_t)option < items ? (uint64_t)option : items;
}

static uint64_t graph_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    const struct graph_options *o = options;
    uint64_t factors = least(o->factors, items), k = least(o->neighbors, items);
    uint64_t vectors = (items + 1) * factors * sizeof(float);
    uint64_t find = lanczos_bytes(users, items, factors) + 2 * vectors;
    uint64_t keep = vectors + graph_rows_bytes(users, items, factors, pool_cores());
    uint64_t links = links_bytes(items, k);
    keep += links;
    return entries * 16 + (users + 5 * items) * 8 + (find > keep ? find : keep);
}

struct fit {
    const struct graph_options *o;
    const struct run *run;
    struct pal_error *err;
    uint64_t steps, total;
    struct csr A, T;    /* A's start and col are borrowed from the training matrix */
    float *user, *item; /* (users), (items) d^-user_power, n^-item_power */
    float *target;      /* (items) n^target_power */
    float *value;       /* (factors) eigenvalues */
    float *taken;       /* (factors) what the links' polynomial makes of them */
    struct scored *best;
    uint32_t *count;
};

/* power[i] = sum[i]^-p, 1 where there is nothing. */
static void powers(float *sum, size_t n, double p)
{
    for (size_t i = 0; i < n; i++)
        sum[i] = sum[i] > 0 ? (float)pow(sum[i], -p) : 1;
}

static enum pal_status normalize(struct fit *f, const struct csr *X)
{
    f->A = *X;
    f->A.val = mem_aligned(csr_entries(X), sizeof(float));
    f->user = mem_zero(X->rows, sizeof *f->user);
    f->item = mem_zero(X->cols, sizeof *f->item);
    f->target = mem_alloc(X->cols, sizeof *f->target);
    if (!f->A.val || !f->user || !f->item || !f->target)
        return pal_no_memory(f->err);
    for (uint32_t u = 0; u < X->rows; u++)
        for (uint64_t e = X->start[u]; e < X->start[u + 1]; e++) {
            f->user[u] += fabsf(X->val[e]);
            f->item[X->col[e]] += fabsf(X->val[e]);
        }
    memcpy(f->target, f->item, X->cols * sizeof *f->target);
    powers(f->target, X->cols, -f->o->target_power);
    powers(f->user, X->rows, f->o->user_power);
    powers(f->item, X->cols, f->o->item_power);
    for (uint32_t u = 0; u < X->rows; u++)
        for (uint64_t e = X->start[u]; e < X->start[u + 1]; e++)
            f->A.val[e] = X->val[e] * f->user[u] * f->item[X->col[e]];
    return csr_transpose(&f->A, &f->T, f->err);
}

static int step(void *ctx, size_t done, size_t total)
{
    struct fit *f = ctx;
    return run_step(f->run, "training", f->steps++, f->total, f->err) != PAL_OK;
}

/* The sharpening's polynomial. */
static void coefficients(double t, double coef[GRAPH_ORDER + 1])
{
    coef[0] = 1;
    for (int o = 1; o <= GRAPH_ORDER; o++)
        coef[o] = coef[o - 1] * -t / o;
}

static double polynomial(const double coef[GRAPH_ORDER + 1], double x)
{
    double sum = 0;
    for (int o = GRAPH_ORDER; o >= 0; o--)
        sum = sum * x + coef[o];
    return sum;
}

/* q of order `order` that meets the polynomial p at the nodes of Chebyshev on [0, x]: Newton's form
 * by divided differences, multiplied out. */
static void interpolate(const double p[GRAPH_ORDER + 1], double x, size_t order, double *q)
{
    double node[GRAPH_ORDER + 1], slope[GRAPH_ORDER + 1];
    for (size_t i = 0; i <= order; i++) {
        node[i] = 0.5 * x * (1 - cos(M_PI * ((double)i + 0.5) / ((double)order + 1)));
        slope[i] = polynomial(p, node[i]);
    }
    for (size_t i = 1; i <= order; i++)
        for (size_t j = order; j >= i; j--)
            slope[j] = (slope[j] - slope[j - 1]) / (node[j] - node[j - i]);
    memset(q, 0, (GRAPH_ORDER + 1) * sizeof *q);
    for (size_t i = order + 1; i-- > 0;) {
        for (size_t j = order; j > 0; j--)
            q[j] = q[j - 1] - node[i] * q[j];
        q[0] = slope[i] - node[i] * q[0];
    }
}

/* The shortest polynomial that is as good as p for eigenvalues up to x; returns its order. */
static size_t shorten(const double p[GRAPH_ORDER + 1], double x, double q[GRAPH_ORDER + 1])
{
    enum { PLACES = 64 };
    for (size_t order = 0; order < GRAPH_ORDER; order++) {
        double worst = 0;
        interpolate(p, x, order, q);
        for (int i = 0; i <= PLACES; i++) {
            double at = x * i / PLACES;
            worst = fmax(worst, fabs(polynomial(p, at) - polynomial(q, at)));
        }
        if (worst <= NEAR_ENOUGH)
            return order;
    }
    memcpy(q, p, (GRAPH_ORDER + 1) * sizeof *q);
    return GRAPH_ORDER;
}

/* Powers below 1/2 let eigenvalues above 1 come about, which the sharpening's polynomial is not
 * made for: P is divided by the largest. */
static void keep_below_one(struct fit *f, size_t found)
{
    float most = found ? f->value[0] : 0;
    if (!(most > 1))
        return;
    float by = 1 / sqrtf(most);
    for (uint64_t e = 0; e < csr_entries(&f->A); e++) {
        f->A.val[e] *= by;
        f->T.val[e] *= by;
    }
    for (size_t i = 0; i < found; i++)
        f->value[i] /= most;
}

/* V, low, from, to and target, into one block. */
static enum pal_status find_vectors(struct fit *f, struct graph_model *g,
                                    const double coef[GRAPH_ORDER + 1])
{
    size_t items = f->A.cols, k = least(f->o->factors, items), found;
    float *value = f->value = mem_alloc(k, sizeof *value);
    float *Vt = mem_aligned(k * items, sizeof *Vt);
    struct pool *pool = f->run ? f->run->pool : NULL;
    enum pal_status st = value && Vt ? PAL_OK : pal_no_memory(f->err);
    if (st == PAL_OK)
        st = lanczos(&f->A, &f->T, k, f->run ? f->run->seed : 0, pool, step, f, value, Vt, &found,
                     f->err);
    if (st != PAL_OK)
        goto done;
    keep_below_one(f, found);
    float *V = g->own = mem_aligned(items * found + found + 3 * items, sizeof *g->own);
    if (!V) {
        st = pal_no_memory(f->err);
        goto done;
    }
    float *low = V + items * found, *from = low + found, *to = from + items;
    float *target = to + items;
    for (size_t i = 0; i < items; i++)
        for (size_t j = 0; j < found; j++)
            V[i * found + j] = Vt[j * items + i];
    for (size_t j = 0; j < found; j++)
        low[j] = (float)(value[j] * polynomial(coef, value[j]));
    for (size_t i = 0; i < items; i++) {
        from[i] = f->item[i];
        to[i] = (float)(f->o->ideal / f->item[i]);
    }
    memcpy(target, f->target, items * sizeof *target);
    g->factors = found;
    g->V = V;
    g->target = f->o->target_power > 0 ? target : NULL;
    g->low = low;
    g->from = from;
    g->to = to;
done:
    mem_free(Vt);
    return st;
}

static enum pal_status find_links(struct fit *f, struct graph_model *g,
                                  const double coef[GRAPH_ORDER + 1])
{
    size_t items = f->A.cols;
    struct graph_rows r = {.A = &f->A, .T = &f->T, .factors = g->factors, .V = g->V};
    /* fewer than asked for: nothing is left but zeros */
    bool all = g->factors < least(f->o->factors, items) || g->factors == items;
    r.order = shorten(coef, all ? 0 : MARGIN * f->value[g->factors - 1], r.coef);
    r.k = least(f->o->neighbors, items);
    f->best = mem_alloc(items * r.k, sizeof *f->best);
    f->count = mem_alloc(items, sizeof *f->count);
    f->taken = mem_alloc(g->factors, sizeof *f->taken);
    if (!f->best || !f->count || !f->taken)
        return pal_no_memory(f->err);
    for (size_t i = 0; i < g->factors; i++)
        f->taken[i] = (float)(f->value[i] * polynomial(r.coef, f->value[i]));
    r.low = f->taken;
    enum pal_status st = graph_rows(&r, f->run, f->steps, f->total, f->best, f->count, f->err);
    if (st != PAL_OK)
        return st;
    for (size_t i = 0; i < items; i++)
        for (uint32_t x = 0; x < f->count[i]; x++)
            f->best[i * r.k + x].score *= f->target[i];
    return links_make(f->best, f->count, (uint32_t)items, r.k, &g->links, f->err);
}

static enum pal_status graph_fit(struct model *m, const struct training *t, const struct run *run,
                                 struct pal_error *err)
{
    struct fit f = {.o = m->options, .run = run, .err = err};
    double coef[GRAPH_ORDER + 1];
    size_t items = m->ids.count;
    coefficients(f.o->sharpen, coef);
    f.total = lanczos_steps(items, least(f.o->factors, items)) + graph_rows_steps(items);
    enum pal_status st = normalize(&f, &t->by_user);
    if (st == PAL_OK)
        st = find_vectors(&f, self(m), coef);
    if (st == PAL_OK)
        st = find_links(&f, self(m), coef);
    mem_free(f.A.val);
    csr_done(&f.T);
    mem_free(f.user);
    mem_free(f.item);
    mem_free(f.target);
    mem_free(f.value);
    mem_free(f.taken);
    mem_free(f.best);
    mem_free(f.count);
    return st;
}

/* ways (2, factors): what a history is in each frequency, times the filter there, and the same of
 * the history weighted for the ideal low-pass. */
static void frequencies(const struct graph_model *g, const struct history *h, float *weighted,
                        float *ways)
{
    size_t k = g->factors;
    memset(ways, 0, 2 * k * sizeof *ways);
    for (size_t i = 0; i < h->n; i++)
        weighted[i] = h->weight[i] * g->from[h->item[i]];
    kernels()->gather_axpy(g->V, k, k, h->item, h->n, h->weight, ways);
    kernels()->gather_axpy(g->V, k, k, h->item, h->n, weighted, ways + k);
    for (size_t f = 0; f < k; f++)
        ways[f] *= g->low[f];
}

/* Up to TOGETHER histories share one pass over V. */
static enum pal_status graph_score(const struct model *m, const struct history *h, size_t n,
                                   float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct graph_model *g = self(m);
    size_t items = m->ids.count, k = g->factors, longest = 0;
    size_t most = n < TOGETHER ? n : TOGETHER;
    links_score(&g->links, h, n, scores);
    for (size_t r = 0; r < n; r++)
        longest = h[r].n > longest ? h[r].n : longest;
    float *ways = arena_alloc(tmp, 2 * most * k, sizeof *ways);
    float *weighted = arena_alloc(tmp, longest, sizeof *weighted);
    float *both = arena_alloc(tmp, 2 * most * items, sizeof *both);
    if (!ways || !weighted || !both)
        return pal_no_memory(err);
    for (size_t at = 0; at < n && k > 0; at += most) {
        size_t now = n - at < most ? n - at : most;
        for (size_t r = 0; r < now; r++)
            frequencies(g, &h[at + r], weighted, ways + 2 * r * k);
        dense_gemm(2 * now, items, k, 1, ways, k, g->V, k, 1, 0, both, items, NULL);
        for (size_t r = 0; r < now; r++) {
            const float *low = both + 2 * r * items, *ideal = low + items;
            float *row = scores + (at + r) * items;
            for (size_t i = 0; i < items; i++)
                row[i] += (g->target ? g->target[i] : 1) * low[i] + g->to[i] * ideal[i];
        }
    }
    return PAL_OK;
}

static enum pal_status graph_similar(const struct model *m, uint32_t item, float *scores,
                                     struct arena *tmp, struct pal_error *err)
{
    float one = 1;
    struct history h = {.n = 1, .item = &item, .weight = &one};
    enum pal_status st = graph_score(m, &h, 1, scores, tmp, err);
    for (uint32_t i = 0; i < m->ids.count && st == PAL_OK; i++)
        scores[i] = scores[i] > 0 ? scores[i] : -INFINITY;
    return st;
}

static enum pal_status graph_explain(const struct model *m, const struct history *h, uint32_t item,
                                     float *part, struct arena *tmp, struct pal_error *err)
{
    const struct graph_model *g = self(m);
    size_t k = g->factors;
    const float *y = g->V + item * k;
    double target = g->target ? g->target[item] : 1;
    links_explain(&g->links, h, item, part);
    for (size_t i = 0; i < h->n; i++) {
        const float *x = g->V + h->item[i] * k;
        double low = 0, ideal = 0;
        for (size_t f = 0; f < k; f++) {
            low += (double)g->low[f] * x[f] * y[f];
            ideal += (double)x[f] * y[f];
        }
        ideal *= (double)g->from[h->item[i]] * g->to[item];
        part[i] += h->weight[i] * (float)(target * low + ideal);
    }
    return PAL_OK;
}

static enum pal_status graph_save(const struct model *m, struct tensors_out *out,
                                  struct pal_error *err)
{
    const struct graph_model *g = self(m);
    uint64_t items = m->ids.count;
    enum pal_status st = links_save(&g->links, out, err);
    if (st == PAL_OK)
        st = tensors_add(out, "low", TENSOR_F32, g->factors, 0, g->low, err);
    if (st == PAL_OK && g->factors)
        st = tensors_add(out, "V", TENSOR_F32, items, g->factors, g->V, err);
    if (st == PAL_OK)
        st = tensors_add(out, "from", TENSOR_F32, items, 0, g->from, err);
    if (st == PAL_OK)
        st = tensors_add(out, "to", TENSOR_F32, items, 0, g->to, err);
    if (st == PAL_OK && g->target)
        st = tensors_add(out, "target", TENSOR_F32, items, 0, g->target, err);
    return st;
}

/* Eigenvectors of length 1; anything larger could make a score infinite. */
static enum pal_status check_vectors(const struct graph_model *g, uint32_t items,
                                     const struct tensors *file, struct pal_error *err)
{
    float most = 0;
    for (uint64_t i = 0; i < items * g->factors; i++)
        most = fmaxf(most, fabsf(g->V[i]));
    if (most > 1.01f)
        return pal_fail(err, PAL_ECORRUPT, "%s: 'V' holds no vectors of length 1",
                        tensors_path(file));
    return PAL_OK;
}

static enum pal_status graph_load(struct model *m, const struct tensors *file,
                                  struct pal_error *err)
{
    struct graph_model *g = self(m);
    uint32_t items = m->ids.count;
    struct tensor low;
    enum pal_status st = tensors_get(file, "low", TENSOR_F32, UINT64_MAX, 0, &low, err);
    if (st != PAL_OK)
        return st;
    g->factors = low.shape[0];
    st = stored_floats_get(file, "low", g->factors, 0, &g->low, err);
    if (st == PAL_OK && g->factors)
        st = stored_floats_get(file, "V", items, g->factors, &g->V, err);
    if (st == PAL_OK)
        st = check_vectors(g, items, file, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "from", items, 0, &g->from, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "to", items, 0, &g->to, err);
    if (st == PAL_OK && ((const struct graph_options *)m->options)->target_power > 0)
        st = stored_floats_get(file, "target", items, 0, &g->target, err);
    return st == PAL_OK ? links_load(file, items, &g->links, err) : st;
}

static void graph_done(struct model *m)
{
    mem_free(self(m)->own);
    links_done(&self(m)->links);
}

const struct model_ops model_graph = {
    .name = "graph",
    .title = "graph filters: linear, sharpened and ideal low-pass",
    .paper = "Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021; "
             "Choi et al., Blurring-Sharpening Process Models, SIGIR 2023",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "factors=32..1024, ideal=0..1, sharpen, user_power, item_power, target_power=0..0.3",
    .options_size = sizeof(struct graph_options),
    .model_size = sizeof(struct graph_model),
    .memory = graph_memory,
    .fit = graph_fit,
    .score = graph_score,
    .similar = graph_similar,
    .explain = graph_explain,
    .save = graph_save,
    .load = graph_load,
    .done = graph_done,
};
