/* Bought together: association rules between pairs of items (Agrawal, Imieliński and Swami, "Mining
 * Association Rules between Sets of Items in Large Databases", SIGMOD 1993).
 *
 * Of N baskets (see baskets.h) n_j hold item j, and c_ij both i and j, less those in which one of
 * the two is disliked. For pairs with c_ij >= support, j speaks for i by
 *
 *     confidence   c_ij / n_j               the share of j's baskets that hold i, too
 *     lift         N c_ij / (n_i n_j)       how many times more often than by chance (Brin,
 * Motwani, Ullman and Tsur, SIGMOD 1997): prefers the rare, so that support matters cosine c_ij /
 * √(n_i n_j)        in between: √(support · lift)
 *
 * The k strongest j are kept for each i. `similar` is what is bought together with an item. A
 * history scores the sum over its last `recent` items, each by its weight, which is what belongs to
 * the basket at hand; dislikes subtract.
 *
 * Where an order's lines carry one time (Complete Journey), any window finds it. The rows of c are
 * computed one at a time, over the baskets that hold the item; threads each do some. */
#include "model/baskets.h"
#include "model/links.h"
#include "model/models.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { GRAIN = 8, CHUNK = 1024, FEW = 32 };

enum measure { CONFIDENCE, LIFT, COSINE };

struct together_options {
    int measure;
    int64_t support, neighbors, recent;
    double window_minutes, least;
};

struct together_model {
    struct model model;
    struct links links;
};

#define FIELD(name) offsetof(struct together_options, name)
static const struct opt rows[] = {
    {"measure", OPT_CHOICE, FIELD(measure), "cosine", 0, 0, OPT_LINEAR, "confidence|lift|cosine",
     "how strongly one item speaks for another"},
    {"support", OPT_INT, FIELD(support), "2", 1, 1000000, OPT_LOG, NULL,
     "baskets that must hold both"},
    {"neighbors", OPT_INT, FIELD(neighbors), "200", 1, 10000, OPT_LOG2, NULL,
     "items kept for each item"},
    {"recent", OPT_INT, FIELD(recent), "0", 0, 1000000, OPT_LINEAR, NULL,
     "how many of a history's last items count; 0 = all"},
    {"window_minutes", OPT_REAL, FIELD(window_minutes), "60", 0, 5e6, OPT_LINEAR, NULL,
     "from a basket's first event to its last at most"},
    {"least", OPT_REAL, FIELD(least), "0.5", 0, 1000000, OPT_LINEAR, NULL,
     "the weight that an item must have in a basket: leaves out what was only viewed"},
};
#undef FIELD

static struct together_model *self(const struct model *m)
{
    return (struct together_model *)(uintptr_t)m;
}

static size_t kept(const struct together_options *o, uint64_t items)
{
    return (uint64_t)o->neighbors < items ? (size_t)o->neighbors : (size_t)items;
}

/* Baskets at worst have one entry each. */
static uint64_t together_memory(const void *options, uint64_t users, uint64_t items,
                                uint64_t entries)
{
    const uint64_t threads = pool_cores();
    return entries * (2 * (sizeof(float) + sizeof(uint32_t)) + 3 * sizeof(uint64_t)) +
           items * sizeof(float) * (1 + 4 * threads) + links_bytes(items, kept(options, items));
}

/* What one thread needs for an item: the others that it shares baskets with. */
struct pairs {
    float *c;        /* (items) baskets that hold both; of others than `other` it means nothing */
    float *strength; /* (items) of the first `count` */
    uint32_t *stamp; /* (items) number of the item that it was met for last, + 1 */
    uint32_t *other; /* (items) which they are, ascending */
    uint32_t count;
};

struct counting {
    const struct together_options *o;
    struct csr baskets, by_item; /* (baskets, items) of 1 and -1, and its transpose */
    size_t k;
    struct scored *best; /* (items, k) */
    uint32_t *count;     /* (items) */
    struct pairs *pairs; /* (threads) */
    unsigned threads;
    uint32_t first; /* item of the chunk that is being worked on */
};

static void counting_done(struct counting *f)
{
    for (unsigned i = 0; f->pairs && i < f->threads; i++) {
        mem_free(f->pairs[i].c);
        mem_free(f->pairs[i].strength);
        mem_free(f->pairs[i].stamp);
        mem_free(f->pairs[i].other);
    }
    mem_free(f->pairs);
    csr_done(&f->baskets);
    csr_done(&f->by_item);
    mem_free(f->best);
    mem_free(f->count);
}

static double baskets_with(const struct counting *f, uint32_t item)
{
    return (double)(f->by_item.start[item + 1] - f->by_item.start[item]);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Puts the others in order: by sorting where they are few, else by looking at all items. */
static void put_in_order(const struct counting *f, uint32_t i, struct pairs *p)
{
    if ((uint64_t)p->count * FEW < f->baskets.cols) {
        qsort(p->other, p->count, sizeof *p->other, ascending);
        return;
    }
    p->count = 0;
    for (uint32_t j = 0; j < f->baskets.cols; j++)
        if (p->stamp[j] == i + 1)
            p->other[p->count++] = j;
}

/* Which items share baskets with i, and how many. */
static void count_pairs(const struct counting *f, uint32_t i, struct pairs *p)
{
    const struct csr *T = &f->by_item, *B = &f->baskets;
    p->count = 0;
    for (uint64_t e = T->start[i]; e < T->start[i + 1]; e++)
        for (uint64_t x = B->start[T->col[e]]; x < B->start[T->col[e] + 1]; x++) {
            uint32_t j = B->col[x];
            if (p->stamp[j] != i + 1) {
                p->stamp[j] = i + 1;
                p->c[j] = 0;
                p->other[p->count++] = j;
            }
            p->c[j] += T->val[e] * B->val[x];
        }
    put_in_order(f, i, p);
}

/* How strongly an item speaks for i, by the baskets that hold both; -INFINITY if it does not. */
static float strength(const struct counting *f, uint32_t i, uint32_t other, double both)
{
    double own = baskets_with(f, i), its = baskets_with(f, other);
    if (other == i || both < (double)f->o->support)
        return -INFINITY;
    switch ((enum measure)f->o->measure) {
    case CONFIDENCE:
        return (float)(both / its);
    case LIFT:
        return (float)(both * f->baskets.rows / (own * its));
    case COSINE:
        break;
    }
    return (float)(both / sqrt(own * its));
}

static void strongest(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct counting *f = ctx;
    struct pairs *p = &f->pairs[worker];
    for (size_t r = begin; r < end; r++) {
        uint32_t i = f->first + (uint32_t)r;
        struct scored *best = f->best + i * f->k;
        count_pairs(f, i, p);
        for (uint32_t x = 0; x < p->count; x++)
            p->strength[x] = strength(f, i, p->other[x], p->c[p->other[x]]);
        f->count[i] = (uint32_t)topk(p->strength, p->count, f->k, best);
        for (uint32_t x = 0; x < f->count[i]; x++)
            best[x].index = p->other[best[x].index];
    }
}

static enum pal_status pairs_new(struct counting *f, size_t items, struct pal_error *err)
{
    f->pairs = mem_zero(f->threads, sizeof *f->pairs);
    if (!f->pairs)
        return pal_no_memory(err);
    for (unsigned i = 0; i < f->threads; i++) {
        struct pairs *p = &f->pairs[i];
        p->c = mem_alloc(items, sizeof *p->c);
        p->strength = mem_alloc(items, sizeof *p->strength);
        p->stamp = mem_zero(items, sizeof *p->stamp);
        p->other = mem_alloc(items, sizeof *p->other);
        if (!p->c || !p->strength || !p->stamp || !p->other)
            return pal_no_memory(err);
    }
    return PAL_OK;
}

static enum pal_status prepare(struct counting *f, const struct training *t, const struct run *run,
                               struct pal_error *err)
{
    size_t n = t->log->items;
    uint32_t window_s = (uint32_t)(f->o->window_minutes * 60);
    enum pal_status st = baskets_make(t, window_s, f->o->least, run, &f->baskets, err);
    if (st == PAL_OK)
        st = csr_transpose(&f->baskets, &f->by_item, err);
    if (st != PAL_OK)
        return st;
    f->best = mem_alloc(n * f->k, sizeof *f->best);
    f->count = mem_alloc(n, sizeof *f->count);
    return f->best && f->count ? pairs_new(f, n, err) : pal_no_memory(err);
}

static enum pal_status together_fit(struct model *m, const struct training *t,
                                    const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    uint32_t items = m->ids.count;
    struct counting f = {.o = m->options, .k = kept(m->options, items), .threads = pool_size(pool)};
    enum pal_status st = prepare(&f, t, run, err);
    while (st == PAL_OK && f.first < items) {
        uint32_t rest = items - f.first, now = rest < CHUNK ? rest : CHUNK;
        st = run_step(run, "training", f.first, items, err);
        if (st == PAL_OK)
            pool_for(pool, now, GRAIN, strongest, &f);
        f.first += now;
    }
    if (st == PAL_OK)
        st = links_make(f.best, f.count, items, f.k, &self(m)->links, err);
    counting_done(&f);
    return st;
}

/* How many of the history's oldest items don't count. */
static size_t passed_over(const struct model *m, const struct history *h)
{
    const struct together_options *o = m->options;
    return o->recent && (uint64_t)o->recent < h->n ? h->n - (size_t)o->recent : 0;
}

static struct history lately(const struct model *m, const struct history *h)
{
    size_t skip = passed_over(m, h);
    struct history last = *h;
    last.n -= skip;
    if (skip) {
        last.item += skip;
        last.weight += skip;
    }
    return last;
}

static enum pal_status together_score(const struct model *m, const struct history *h, size_t n,
                                      float *scores, struct arena *tmp, struct pal_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct history last = lately(m, &h[i]);
        links_score(&self(m)->links, &last, 1, scores + i * model_items(m));
    }
    return PAL_OK;
}

/* What is bought together with the item: its row, the other way round than links_similar. */
static enum pal_status together_similar(const struct model *m, uint32_t item, float *scores,
                                        struct arena *tmp, struct pal_error *err)
{
    const struct csr *from = &self(m)->links.from;
    for (uint32_t i = 0; i < from->cols; i++)
        scores[i] = -INFINITY;
    for (uint64_t e = from->start[item]; e < from->start[item + 1]; e++)
        scores[from->col[e]] = from->val[e];
    return PAL_OK;
}

static enum pal_status together_explain(const struct model *m, const struct history *h,
                                        uint32_t item, float *part, struct arena *tmp,
                                        struct pal_error *err)
{
    size_t skip = passed_over(m, h);
    struct history last = lately(m, h);
    for (size_t i = 0; i < skip; i++)
        part[i] = 0;
    links_explain(&self(m)->links, &last, item, part + skip);
    return PAL_OK;
}

static enum pal_status together_save(const struct model *m, struct tensors_out *out,
                                     struct pal_error *err)
{
    return links_save(&self(m)->links, out, err);
}

static enum pal_status together_load(struct model *m, const struct tensors *file,
                                     struct pal_error *err)
{
    return links_load(file, m->ids.count, &self(m)->links, err);
}

static void together_done(struct model *m)
{
    links_done(&self(m)->links);
}

const struct model_ops model_together = {
    .name = "together",
    .title = "what is bought together: confidence, lift or cosine over baskets",
    .paper = "Agrawal et al., Mining Association Rules between Sets of Items in Large Databases, "
             "SIGMOD 1993",
    .can = MODEL_SIMILAR | MODEL_EXPLAIN | MODEL_PERSONAL,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .tuned = "measure, support=1..20, neighbors=10..1000, recent=0..50",
    .options_size = sizeof(struct together_options),
    .model_size = sizeof(struct together_model),
    .memory = together_memory,
    .fit = together_fit,
    .score = together_score,
    .similar = together_similar,
    .explain = together_explain,
    .save = together_save,
    .load = together_load,
    .done = together_done,
};
