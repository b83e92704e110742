/* The metrics. Relevance is yes or no; i counts positions from 1; R is the number of a user's
 * relevant items. Where the literature has several definitions, the one that the published tables
 * of implicit-feedback models use (He et al. 2020, LightGCN, and its leaderboards) is taken:
 * recall divides by R also when R > k, and NDCG's ideal list has min(k, R) hits. */
#include "eval/metrics.h"

#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double precision(const struct metric_data *, const struct ranked *, uint32_t);
static double recall(const struct metric_data *, const struct ranked *, uint32_t);
static double ndcg(const struct metric_data *, const struct ranked *, uint32_t);
static double average_precision(const struct metric_data *, const struct ranked *, uint32_t);
static double reciprocal_rank(const struct metric_data *, const struct ranked *, uint32_t);
static double hit(const struct metric_data *, const struct ranked *, uint32_t);
static double novelty(const struct metric_data *, const struct ranked *, uint32_t);
static double popularity(const struct metric_data *, const struct ranked *, uint32_t);
static double diversity(const struct metric_data *, const struct ranked *, uint32_t);
static double coverage(const struct metric_data *, uint32_t *);
static double gini(const struct metric_data *, uint32_t *);
static double square(double);
static double absolute(double);

static const struct metric_ops table[] = {
    {"precision", "hits in the first k, divided by k", METRIC_RANK, false, precision, NULL, NULL,
     NULL},
    {"recall", "hits in the first k, divided by all relevant items of the user", METRIC_RANK, false,
     recall, NULL, NULL, NULL},
    {"ndcg", "hits in the first k discounted by log2(1 + position), divided by the best possible",
     METRIC_RANK, false, ndcg, NULL, NULL, NULL},
    {"map", "precision at each hit in the first k, summed, divided by min(k, relevant)",
     METRIC_RANK, false, average_precision, NULL, NULL, NULL},
    {"mrr", "1 / position of the first hit, 0 if it is not among the first k", METRIC_RANK, false,
     reciprocal_rank, NULL, NULL, NULL},
    {"hit", "share of users with a hit among the first k (hit rate)", METRIC_RANK, false, hit, NULL,
     NULL, NULL},
    {"coverage", "share of the catalog that stands in at least one list of k", METRIC_WHOLE, false,
     NULL, coverage, NULL, NULL},
    {"novelty",
     "mean self-information of the first k: -log2 of the share of users who had the item",
     METRIC_LIST, false, novelty, NULL, NULL, NULL},
    {"popularity", "mean share of users who had an item of the first k: the popularity bias",
     METRIC_LIST, true, popularity, NULL, NULL, NULL},
    {"diversity", "1 - mean cosine of the categories of each two items of the first k", METRIC_LIST,
     false, diversity, NULL, NULL, NULL},
    {"gini", "inequality of how often items stand in lists of k: 0 all alike, 1 always the same",
     METRIC_WHOLE, true, NULL, gini, NULL, NULL},
    {"rmse", "root of the mean squared error of predicted ratings", METRIC_RATING, true, NULL, NULL,
     square, sqrt},
    {"mae", "mean absolute error of predicted ratings", METRIC_RATING, true, NULL, NULL, absolute,
     NULL},
};

enum { METRICS = sizeof table / sizeof *table };

const char *metric_name(size_t i)
{
    return i < METRICS ? table[i].name : NULL;
}

const char *metric_help(size_t i)
{
    return i < METRICS ? table[i].help : NULL;
}

bool metric_falls(const struct metric *m)
{
    return m->ops->falls;
}

/* ---- reading a list of them ---- */

static enum pal_status unknown(const char *p, const char *end, struct pal_error *err)
{
    char names[256] = "";
    size_t len = 0;
    for (size_t i = 0; i < METRICS; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s%s", i ? ", " : "",
                                table[i].name, table[i].kind == METRIC_RATING ? "" : "@k");
    return pal_fail(err, PAL_EUSAGE, "there is no metric '%.*s'; there are %s",
                    (int)(end - p > 40 ? 40 : end - p), p, names);
}

/* One piece between commas: "name@k", "name", or a bare "k" that repeats the name before it. */
static enum pal_status parse_one(const char *p, const char *end, const struct metric_ops *before,
                                 struct metric *out, struct pal_error *err)
{
    const char *at = memchr(p, '@', (size_t)(end - p));
    const char *name_end = at ? at : end;
    uint64_t k = 0;
    out->ops = NULL;
    for (size_t i = 0; i < METRICS; i++)
        if (text_is(p, name_end, table[i].name))
            out->ops = &table[i];
    bool bare = !at && before && text_u64(p, end, &k);
    if (bare)
        out->ops = before;
    if (!out->ops)
        return unknown(p, name_end, err);
    const char *name = out->ops->name;
    bool rating = out->ops->kind == METRIC_RATING;
    if (rating && (at || bare))
        return pal_fail(err, PAL_EUSAGE, "metric %s has no length: write just that", name);
    if (!rating && !at && !bare)
        return pal_fail(err, PAL_EUSAGE, "metric %s needs a length of list: write %s@10", name,
                        name);
    if (at && !text_u64(at + 1, end, &k))
        k = 0;
    if (!rating && (k < 1 || k > METRIC_K_MAX))
        return pal_fail(err, PAL_EUSAGE, "metric '%.*s': the length must be a number from 1 to %d",
                        (int)(end - p > 40 ? 40 : end - p), p, METRIC_K_MAX);
    out->k = (uint32_t)k;
    if (rating)
        snprintf(out->name, sizeof out->name, "%s", name);
    else
        snprintf(out->name, sizeof out->name, "%s@%u", name, out->k);
    return PAL_OK;
}

enum pal_status metrics_parse(const char *text, struct metric *out, size_t *count,
                              struct pal_error *err)
{
    const struct metric_ops *before = NULL;
    size_t room = *count, n = 0;
    for (const char *p = text, *end;; p = end + 1) {
        end = strchrnul(p, ',');
        struct metric m;
        enum pal_status st = parse_one(p, end, before, &m, err);
        if (st)
            return st;
        before = m.ops;
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known |= strcmp(out[i].name, m.name) == 0;
        if (!known && n == room)
            return pal_fail(err, PAL_EUSAGE, "more than %zu metrics", room);
        if (!known)
            out[n++] = m;
        if (!*end)
            break;
    }
    *count = n;
    return PAL_OK;
}

/* ---- where the relevant items stand ---- */

static size_t shorter(const struct ranked *r, uint32_t k)
{
    return r->n < k ? r->n : k;
}

static uint32_t hits(const struct ranked *r, uint32_t k)
{
    uint32_t sum = 0;
    for (size_t i = 0, n = shorter(r, k); i < n; i++)
        sum += r->hit[i];
    return sum;
}

static double precision(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    return (double)hits(r, k) / k;
}

static double recall(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    return (double)hits(r, k) / r->relevant;
}

/* Järvelin and Kekäläinen 2002, binary gains. */
static double ndcg(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    double gain = 0, ideal = 0;
    for (size_t i = 0, n = shorter(r, k); i < n; i++)
        if (r->hit[i])
            gain += 1 / log2((double)i + 2);
    for (uint32_t i = 0; i < k && i < r->relevant; i++)
        ideal += 1 / log2(i + 2.0);
    return gain / ideal;
}

static double average_precision(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    double sum = 0;
    uint32_t found = 0;
    for (size_t i = 0, n = shorter(r, k); i < n; i++)
        if (r->hit[i])
            sum += (double)++found / (double)(i + 1);
    return sum / (k < r->relevant ? k : r->relevant);
}

static double reciprocal_rank(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    for (size_t i = 0, n = shorter(r, k); i < n; i++)
        if (r->hit[i])
            return 1 / (double)(i + 1);
    return 0;
}

static double hit(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    return hits(r, k) > 0;
}

/* ---- which items the list holds ---- */

/* Zhou et al. 2010 (PNAS 107): -log2 of the chance that a random user had the item. An item that
 * nobody had counts as if one user had. */
static double novelty(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    size_t n = shorter(r, k);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = d->audience[r->item[i]];
        sum += log2((double)d->users / (a ? a : 1));
    }
    return n ? sum / (double)n : NAN;
}

/* The average recommendation popularity of Yin et al. 2012 and Abdollahpouri et al. 2019, divided
 * by the number of users so that data sets of any size compare. */
static double popularity(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    size_t n = shorter(r, k);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)d->audience[r->item[i]] / d->users;
    return n ? sum / (double)n : NAN;
}

/* Cosine of two sets; NaN if one is empty. */
static double alike(const struct labels *l, uint32_t a, uint32_t b)
{
    uint32_t na, nb, both = 0;
    const uint32_t *x = labels_at(l, a, &na), *y = labels_at(l, b, &nb);
    for (uint32_t i = 0; i < na; i++)
        for (uint32_t j = 0; j < nb; j++)
            both += x[i] == y[j];
    return both / sqrt((double)na * nb);
}

/* Intra-list diversity (Ziegler et al. 2005). Pairs with an item without categories don't count. */
static double diversity(const struct metric_data *d, const struct ranked *r, uint32_t k)
{
    size_t n = shorter(r, k), pairs = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            double a = alike(d->categories, r->item[i], r->item[j]);
            if (!isnan(a)) {
                sum += a;
                pairs++;
            }
        }
    return pairs ? 1 - sum / (double)pairs : NAN;
}

/* ---- all lists together ---- */

static double coverage(const struct metric_data *d, uint32_t *shown)
{
    uint32_t some = 0;
    for (uint32_t i = 0; i < d->items; i++)
        some += shown[i] > 0;
    return (double)some / d->items;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Shani and Gunawardana 2011: the sum of (2 i - n - 1) x_i over (n - 1) times the sum of x_i, x
 * ascending over the whole catalog, so that one item alone is 1. */
static double gini(const struct metric_data *d, uint32_t *shown)
{
    double n = d->items, sum = 0, above = 0;
    qsort(shown, d->items, sizeof *shown, ascending);
    for (uint32_t i = 0; i < d->items; i++) {
        above += (2.0 * (i + 1) - n - 1) * shown[i];
        sum += shown[i];
    }
    return sum > 0 && n > 1 ? above / (sum * (n - 1)) : NAN;
}

/* ---- ratings ---- */

static double square(double error)
{
    return error * error;
}

static double absolute(double error)
{
    return fabs(error);
}
