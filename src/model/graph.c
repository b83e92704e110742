/* Graph filters: a history is a signal on the graph of items, and what it lacks is found by letting
 * its low frequencies through.
 * Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021 (GF-CF);
 * Choi et al., "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023 (BSPM);
 * Kim et al., "Graph Spectral Filtering with Chebyshev Interpolation for Recommendation", SIGIR
 * 2025 (ChebyCF).
 *
 * From the signed weights X (users, items), with d and n the sums of |X| over a user and an item,
 *
 *     A = D^-user_power X N^-item_power,      P = AᵀA, divided by its largest eigenvalue if above 1
 *
 * and eigenvectors V of P: those of the large eigenvalues are smooth, items that go together have
 * like values in them; noise sits in the many small ones. A history h is scored as
 *
 *     h N^-source_power F(P) N^target_power  +  ideal · h N^-ideal_power V Vᵀ N^ideal_power
 *
 * F is a polynomial (graph_filter.h), one of two. `filter` = sharpened is P e^(-sharpen P): a
 * linear low-pass P (GF-CF) that blurs, followed by a sharpening that undoes some of what blurring
 * does to the very lowest frequencies, which only tell what is popular; e^-x is its Taylor
 * polynomial of order 4, one step of Runge and Kutta's as BSPM takes it. `filter` = plateau tells
 * low frequencies from high ones, and those in between hardly from each other (ChebyCF). The second
 * term is an ideal low-pass: the `factors` lowest frequencies pass unchanged, others not at all.
 *
 * With sharpen 0, ideal 0.3 and factors 256 this is GF-CF as published. BSPM sharpens the ideal
 * term, too, which would take a second V. With filter plateau and the same source_power,
 * target_power and ideal_power it is ChebyCF; both terms have the same ends then, and are stored
 * and scored as one. These ends need not be those inside of P (Fu et al., "Revisiting
 * Neighborhood-based Link Prediction for Collaborative Filtering", WWW 2022, too): target_power
 * gives back some of what popular items are held down, source_power takes weight from those of the
 * history.
 *
 * What is stored. F(P) is dense. It is cut in two: its `factors` lowest frequencies, which V holds
 * anyway, and the rest, of which the `neighbors` numbers that weigh most for each item are kept
 * (links.h). Being without its low frequencies the rest is local, and little is lost by that. A
 * user's row appears nowhere: a model takes 4 bytes for each item and factor and 8 for each link,
 * so 410 MB for 40,981 items with 512 factors and 1000 links. Scoring costs 4 operations for each
 * item and factor, 2 where both terms are one.
 *
 * The lowest frequencies are filtered by F as it is. The rest, whose eigenvalues lie below the last
 * of V's, is filtered by the shortest polynomial that differs from it by no more than 2 % of P
 * there: with 448 factors on Gowalla P itself and one power more. Each power costs 4 operations for
 * each item and interaction (graph_rows.c); that and the products that find V (math/lanczos.h) are
 * what training takes. */
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

static const double MARGIN = 1.05; /* the last eigenvalue may be found a little too small */

enum { SHARPENED, PLATEAU }; /* as the choices of `filter` are ordered */

struct graph_options {
    int64_t factors, neighbors;
    double ideal, sharpen, flatness;
    double user_power, item_power, source_power, target_power, ideal_power;
    int filter;
};

struct graph_model {
    struct model model;
    struct links links;
    size_t factors;         /* found, at most the option's */
    const float *V;         /* (items, factors) */
    const float *low;       /* (factors) the filter at each */
    const float *from, *to; /* (items) N^-ideal_power, ideal N^ideal_power; NULL: ideal is in low */
    const float *source;    /* (items) N^-source_power, or NULL = 1; the links have it in them */
    const float *target;    /* (items) N^target_power, likewise */
    float *own;             /* all of these, unless they are in the file */
};

#define FIELD(name) offsetof(struct graph_options, name)
static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "64", 1, 4096, OPT_LOG2, NULL,
     "lowest frequencies that are kept exactly"},
    {"ideal", OPT_REAL, FIELD(ideal), "0.1", 0, 10, OPT_LINEAR, NULL,
     "weight of the ideal low-pass"},
    {"filter", OPT_CHOICE, FIELD(filter), "sharpened", 0, 0, OPT_LINEAR, "sharpened|plateau",
     "blurred, then sharpened; or flat between low and high frequencies"},
    {"sharpen", OPT_REAL, FIELD(sharpen), "2", 0, 3, OPT_LINEAR, NULL,
     "filter sharpened: how long to sharpen after blurring; 0 = not at all"},
    {"flatness", OPT_REAL, FIELD(flatness), "1.5", 1, 100, OPT_LOG, NULL,
     "filter plateau: how flat; 1 = about linear"},
    {"neighbors", OPT_INT, FIELD(neighbors), "1000", 1, 10000, OPT_LOG2, NULL,
     "links kept for each item"},
    {"user_power", OPT_REAL, FIELD(user_power), "0.5", 0, 1, OPT_LINEAR, NULL,
     "a user with d items counts d^-user_power"},
    {"item_power", OPT_REAL, FIELD(item_power), "0.5", 0, 1, OPT_LINEAR, NULL,
     "an item with n users counts n^-item_power"},
    {"source_power", OPT_REAL, FIELD(source_power), "0", 0, 1, OPT_LINEAR, NULL,
     "an item of the history counts n^-source_power, but for the ideal part"},
    {"target_power", OPT_REAL, FIELD(target_power), "0", 0, 1, OPT_LINEAR, NULL,
     "scores but for the ideal part are multiplied by n^target_power"},
    {"ideal_power", OPT_REAL, FIELD(ideal_power), "0.5", 0, 1, OPT_LINEAR, NULL,
     "both of these for the ideal part"},
};
#undef FIELD

static struct graph_model *self(const struct model *m)
{
    return (struct graph_model *)(uintptr_t)m;
}

/* The ideal part needs no vectors of its own: it is nothing, or has the ends of the other. */
static bool is_one(const struct graph_options *o)
{
    return o->ideal == 0 ||
           (o->ideal_power == o->source_power && o->ideal_power == o->target_power);
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
    return entries * 16 + (users + 7 * items) * 8 + (find > keep ? find : keep);
}

struct fit {
    const struct graph_options *o;
    const struct run *run;
    struct pal_error *err;
    uint64_t steps, total;
    struct csr A, T;    /* A's start and col are borrowed from the training matrix */
    float *user, *item; /* (users), (items) d^-user_power, n^-item_power */
    float *n;           /* (items) */
    float *value;       /* (factors) eigenvalues */
    float *taken;       /* (factors) what the links' polynomial makes of them */
    struct scored *best;
    uint32_t *count;
};

/* out[i] = sum[i]^p, 1 where there is nothing; in place, if they are the same. */
static void raise_to(const float *sum, size_t count, double p, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = sum[i] > 0 ? (float)pow(sum[i], p) : 1;
}

static enum pal_status normalize(struct fit *f, const struct csr *X)
{
    f->A = *X;
    f->A.val = mem_aligned(csr_entries(X), sizeof(float));
    f->user = mem_zero(X->rows, sizeof *f->user);
    f->item = mem_alloc(X->cols, sizeof *f->item);
    f->n = mem_zero(X->cols, sizeof *f->n);
    if (!f->A.val || !f->user || !f->item || !f->n)
        return pal_no_memory(f->err);
    for (uint32_t u = 0; u < X->rows; u++)
        for (uint64_t e = X->start[u]; e < X->start[u + 1]; e++) {
            f->user[u] += fabsf(X->val[e]);
            f->n[X->col[e]] += fabsf(X->val[e]);
        }
    raise_to(f->user, X->rows, -f->o->user_power, f->user);
    raise_to(f->n, X->cols, -f->o->item_power, f->item);
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

static struct graph_filter filter_of(const struct graph_options *o)
{
    struct graph_filter filter;
    if (o->filter == PLATEAU)
        graph_plateau(o->flatness, &filter);
    else
        graph_sharpened(o->sharpen, &filter);
    return filter;
}

/* Powers below 1/2 let eigenvalues above 1 come about, which filters are not made for: P is divided
 * by the largest. */
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

/* What stands at the ends of the filters, to `ends` (4 items). */
static void find_ends(const struct fit *f, struct graph_model *g, float *ends)
{
    const struct graph_options *o = f->o;
    size_t items = f->A.cols;
    float *source = ends, *target = source + items, *from = target + items, *to = from + items;
    raise_to(f->n, items, -o->source_power, source);
    raise_to(f->n, items, o->target_power, target);
    raise_to(f->n, items, -o->ideal_power, from);
    for (size_t i = 0; i < items; i++)
        to[i] = (float)(o->ideal / from[i]);
    g->source = o->source_power > 0 ? source : NULL;
    g->target = o->target_power > 0 ? target : NULL;
    if (is_one(o))
        return;
    g->from = from;
    g->to = to;
}

/* V, low and the ends, into one block. */
static enum pal_status find_vectors(struct fit *f, struct graph_model *g,
                                    const struct graph_filter *filter)
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
    float *V = g->own = mem_aligned(items * found + found + 4 * items, sizeof *g->own);
    if (!V) {
        st = pal_no_memory(f->err);
        goto done;
    }
    float *low = V + items * found;
    for (size_t i = 0; i < items; i++)
        for (size_t j = 0; j < found; j++)
            V[i * found + j] = Vt[j * items + i];
    for (size_t j = 0; j < found; j++)
        low[j] = (float)(value[j] * graph_filter_at(filter, value[j]) +
                         (is_one(f->o) ? f->o->ideal : 0));
    g->factors = found;
    g->V = V;
    g->low = low;
    find_ends(f, g, low + found);
done:
    mem_free(Vt);
    return st;
}

static enum pal_status find_links(struct fit *f, struct graph_model *g,
                                  const struct graph_filter *filter)
{
    size_t items = f->A.cols;
    struct graph_rows r = {
        .A = &f->A, .T = &f->T, .factors = g->factors, .V = g->V, .source = g->source};
    /* fewer than asked for: nothing is left but zeros */
    bool all = g->factors < least(f->o->factors, items) || g->factors == items;
    graph_filter_shorten(filter, all ? 0 : MARGIN * f->value[g->factors - 1], &r.filter);
    r.k = least(f->o->neighbors, items);
    f->best = mem_alloc(items * r.k, sizeof *f->best);
    f->count = mem_alloc(items, sizeof *f->count);
    f->taken = mem_alloc(g->factors, sizeof *f->taken);
    if (!f->best || !f->count || !f->taken)
        return pal_no_memory(f->err);
    for (size_t i = 0; i < g->factors; i++)
        f->taken[i] = (float)(f->value[i] * graph_filter_at(&r.filter, f->value[i]));
    r.low = f->taken;
    enum pal_status st = graph_rows(&r, f->run, f->steps, f->total, f->best, f->count, f->err);
    if (st != PAL_OK)
        return st;
    for (size_t i = 0; i < items && g->target; i++)
        for (uint32_t x = 0; x < f->count[i]; x++)
            f->best[i * r.k + x].score *= g->target[i];
    return links_make(f->best, f->count, (uint32_t)items, r.k, &g->links, f->err);
}

static enum pal_status graph_fit(struct model *m, const struct training *t, const struct run *run,
                                 struct pal_error *err)
{
    struct fit f = {.o = m->options, .run = run, .err = err};
    struct graph_filter filter = filter_of(f.o);
    size_t items = m->ids.count;
    f.total = lanczos_steps(items, least(f.o->factors, items)) + graph_rows_steps(items);
    enum pal_status st = normalize(&f, &t->by_user);
    if (st == PAL_OK)
        st = find_vectors(&f, self(m), &filter);
    if (st == PAL_OK)
        st = find_links(&f, self(m), &filter);
    mem_free(f.A.val);
    csr_done(&f.T);
    mem_free(f.user);
    mem_free(f.item);
    mem_free(f.n);
    mem_free(f.value);
    mem_free(f.taken);
    mem_free(f.best);
    mem_free(f.count);
    return st;
}

/* weighted = the history's weights times `by` (items), NULL = 1; then ways (factors) = how much of
 * each frequency is in it. */
static void frequencies(const struct graph_model *g, const struct history *h, const float *by,
                        float *weighted, float *ways)
{
    size_t k = g->factors;
    for (size_t i = 0; i < h->n; i++)
        weighted[i] = h->weight[i] * (by ? by[h->item[i]] : 1);
    memset(ways, 0, k * sizeof *ways);
    kernels()->gather_axpy(g->V, k, k, h->item, h->n, weighted, ways);
}

/* scores += what came of the frequencies: part (parts, items). */
static void add_parts(const struct graph_model *g, size_t items, const float *part, float *scores)
{
    for (size_t i = 0; i < items; i++)
        scores[i] += (g->target ? g->target[i] : 1) * part[i];
    for (size_t i = 0; i < items && g->to; i++)
        scores[i] += g->to[i] * part[items + i];
}

/* Up to TOGETHER histories share one pass over V. */
static enum pal_status graph_score(const struct model *m, const struct history *h, size_t n,
                                   float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct graph_model *g = self(m);
    size_t items = m->ids.count, k = g->factors, longest = 0, parts = g->to ? 2 : 1;
    size_t most = n < TOGETHER ? n : TOGETHER;
    links_score(&g->links, h, n, scores);
    for (size_t r = 0; r < n; r++)
        longest = h[r].n > longest ? h[r].n : longest;
    float *ways = arena_alloc(tmp, parts * most * k, sizeof *ways);
    float *weighted = arena_alloc(tmp, longest, sizeof *weighted);
    float *part = arena_alloc(tmp, parts * most * items, sizeof *part);
    if (!ways || !weighted || !part)
        return pal_no_memory(err);
    for (size_t at = 0; at < n && k > 0; at += most) {
        size_t now = n - at < most ? n - at : most;
        for (size_t r = 0; r < now; r++) {
            float *way = ways + parts * r * k;
            frequencies(g, &h[at + r], g->source, weighted, way);
            for (size_t f = 0; f < k; f++)
                way[f] *= g->low[f];
            if (g->to)
                frequencies(g, &h[at + r], g->from, weighted, way + k);
        }
        dense_gemm(parts * now, items, k, 1, ways, k, g->V, k, 1, 0, part, items, NULL);
        for (size_t r = 0; r < now; r++)
            add_parts(g, items, part + parts * r * items, scores + (at + r) * items);
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
        low *= g->source ? g->source[h->item[i]] : 1;
        ideal *= g->to ? (double)g->from[h->item[i]] * g->to[item] : 0;
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
    if (st == PAL_OK && g->to)
        st = tensors_add(out, "from", TENSOR_F32, items, 0, g->from, err);
    if (st == PAL_OK && g->to)
        st = tensors_add(out, "to", TENSOR_F32, items, 0, g->to, err);
    if (st == PAL_OK && g->source)
        st = tensors_add(out, "source", TENSOR_F32, items, 0, g->source, err);
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
    const struct graph_options *o = m->options;
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
    if (st == PAL_OK && !is_one(o))
        st = stored_floats_get(file, "from", items, 0, &g->from, err);
    if (st == PAL_OK && !is_one(o))
        st = stored_floats_get(file, "to", items, 0, &g->to, err);
    if (st == PAL_OK && o->source_power > 0)
        st = stored_floats_get(file, "source", items, 0, &g->source, err);
    if (st == PAL_OK && o->target_power > 0)
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
    .title = "graph filters: linear, sharpened, flat and ideal low-pass",
    .paper = "Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021; "
             "Choi et al., Blurring-Sharpening Process Models, SIGIR 2023; "
             "Kim et al., Graph Spectral Filtering with Chebyshev Interpolation, SIGIR 2025",
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
