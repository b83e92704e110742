/* See stars.h. */
#include "model/stars.h"

#include "base/mem.h"
#include "model/stored.h"
#include "model/worth.h"

#include <math.h>
#include <string.h>

/* The mean rating of each weight that ratings can have. */
struct by_weight {
    size_t n;
    float weight[STARS_KNOTS];
    double sum[STARS_KNOTS], count[STARS_KNOTS];
};

static void count_rating(struct by_weight *b, float weight, float rating)
{
    size_t i = 0;
    while (i < b->n && b->weight[i] < weight)
        i++;
    if (i == b->n || b->weight[i] != weight) {
        for (size_t j = b->n++; j > i; j--) {
            b->weight[j] = b->weight[j - 1];
            b->sum[j] = b->sum[j - 1];
            b->count[j] = b->count[j - 1];
        }
        b->weight[i] = weight;
        b->sum[i] = b->count[i] = 0;
    }
    b->sum[i] += rating;
    b->count[i]++;
}

/* Fills val with the last rating of each pair; place (items) is scratch. One type has at most
 * WEIGHT_RULES + 1 weights. */
static void read_ratings(const struct training *t, uint8_t type, const struct worth *worth,
                         uint64_t *place, float *val, struct by_weight *b)
{
    const struct interactions *x = t->log;
    const struct csr *R = &t->by_user;
    for (uint32_t u = 0; u < x->users; u++) {
        uint64_t begin = R->start[u], end = R->start[u + 1];
        for (uint64_t at = begin; at < end; at++)
            place[R->col[at]] = at;
        for (uint64_t e = x->start[u]; e < x->start[u + 1]; e++) {
            uint64_t at = place[x->item[e]]; /* of this user, or left by one before */
            if (interactions_type(x, e) != type || at < begin || at >= end)
                continue; /* what weighs nothing is in no row */
            val[at] = interactions_value(x, e);
            count_rating(b, worth_of(worth, type, val[at]), val[at]);
        }
    }
}

static void ends_of_weights(const struct csr *R, struct by_weight *b)
{
    float low = INFINITY, high = -INFINITY;
    for (uint64_t i = 0; i < csr_entries(R); i++) {
        low = fminf(low, R->val[i]);
        high = fmaxf(high, R->val[i]);
    }
    if (low <= high) {
        count_rating(b, low, low);
        count_rating(b, high, high);
    }
}

/* Mean, deviation and range of val; NAN are passed over. */
static void describe(const float *val, uint64_t n, struct stars *s)
{
    double sum = 0, squares = 0, count = 0;
    s->low = INFINITY;
    s->high = -INFINITY;
    for (uint64_t i = 0; i < n; i++)
        if (!isnan(val[i])) {
            sum += val[i];
            count++;
            s->low = fminf(s->low, val[i]);
            s->high = fmaxf(s->high, val[i]);
        }
    double mean = count > 0 ? sum / count : 0;
    for (uint64_t i = 0; i < n; i++)
        if (!isnan(val[i]))
            squares += (val[i] - mean) * (val[i] - mean);
    s->mean = (float)mean;
    s->deviation = count > 0 ? (float)sqrt(squares / count) : 0;
}

enum pal_status stars_learn(const struct training *t, struct stars *s, struct csr *out,
                            struct pal_error *err)
{
    const struct csr *R = &t->by_user;
    uint64_t n = csr_entries(R);
    int type = event_type_rating(t->types);
    struct by_weight b = {0};
    struct worth *worth = mem_zero(1, sizeof *worth);
    uint64_t *place = mem_alloc(R->cols, sizeof *place);
    float *val = mem_alloc(n, sizeof *val);
    if (!worth || !place || !val) {
        mem_free(worth);
        mem_free(place);
        mem_free(val);
        return pal_no_memory(err);
    }
    memset(place, 0xff, R->cols * sizeof *place);
    for (uint64_t i = 0; i < n; i++)
        val[i] = NAN;
    worth_init(worth, t->weights, t->types);
    if (type >= 0)
        read_ratings(t, (uint8_t)type, worth, place, val, &b);
    mem_free(worth);
    mem_free(place);
    *s = (struct stars){.rated = b.n > 0};
    if (!s->rated) {
        memcpy(val, R->val, n * sizeof *val);
        ends_of_weights(R, &b);
    }
    describe(val, n, s);
    if (!(s->high > s->low)) {
        mem_free(val);
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "there are no ratings that differ to learn from: train on stars, or on "
                        "likes and dislikes; for likes alone take als");
    }
    s->knots = (uint32_t)b.n;
    for (size_t i = 0; i < b.n; i++) {
        s->weight[i] = b.weight[i];
        s->rating[i] = (float)(b.sum[i] / b.count[i]);
    }
    for (uint64_t i = 0; i < n; i++)
        val[i] = (val[i] - s->mean) / s->deviation;
    *out = (struct csr){R->rows, R->cols, R->start, R->col, val};
    return PAL_OK;
}

static float of_weight(const struct stars *s, float weight)
{
    uint32_t i = 0;
    while (i < s->knots && s->weight[i] < weight)
        i++;
    if (i == 0)
        return s->rating[0];
    if (i == s->knots)
        return s->rating[i - 1];
    float part = (weight - s->weight[i - 1]) / (s->weight[i] - s->weight[i - 1]);
    return s->rating[i - 1] + part * (s->rating[i] - s->rating[i - 1]);
}

void stars_read(const struct stars *s, const struct history *h, float *centred)
{
    bool any = false;
    for (size_t i = 0; s->rated && h->rating && i < h->n; i++)
        any |= !isnan(h->rating[i]);
    for (size_t i = 0; i < h->n; i++) {
        float rating = any ? h->rating[i] : of_weight(s, h->weight[i]);
        if (!isnan(rating))
            rating = fminf(fmaxf(rating, s->low), s->high);
        centred[i] = (rating - s->mean) / s->deviation;
    }
}

float stars_said(const struct stars *s, float centred)
{
    return fminf(fmaxf(s->mean + s->deviation * centred, s->low), s->high);
}

/* ---- files ---- */

enum pal_status stars_save(const struct stars *s, float flat[STARS_FLAT], struct tensors_out *out,
                           struct pal_error *err)
{
    const float first[] = {s->rated, s->mean, s->deviation, s->low, s->high};
    memcpy(flat, first, sizeof first);
    for (uint32_t i = 0; i < s->knots; i++) {
        flat[5 + 2 * i] = s->weight[i];
        flat[6 + 2 * i] = s->rating[i];
    }
    enum pal_status st = tensors_add(out, "ratings", TENSOR_F32, 5, 0, flat, err);
    return st == PAL_OK
               ? tensors_add(out, "ratings.weights", TENSOR_F32, s->knots, 2, flat + 5, err)
               : st;
}

enum pal_status stars_load(const struct tensors *file, struct stars *s, struct pal_error *err)
{
    const float *first, *knots;
    struct tensor t;
    enum pal_status st = stored_floats_get(file, "ratings", 5, 0, &first, err);
    if (st == PAL_OK)
        st = tensors_get(file, "ratings.weights", TENSOR_F32, UINT64_MAX, 2, &t, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "ratings.weights", t.shape[0], 2, &knots, err);
    if (st != PAL_OK)
        return st;
    *s = (struct stars){first[0] != 0, first[1], first[2], first[3], first[4], 0, {0}, {0}};
    bool sound =
        s->deviation > 0 && s->low < s->high && t.shape[0] > 0 && t.shape[0] <= STARS_KNOTS;
    for (uint64_t i = 0; sound && i < t.shape[0]; i++) {
        s->weight[i] = knots[2 * i];
        s->rating[i] = knots[2 * i + 1];
        sound = i == 0 || s->weight[i] > s->weight[i - 1];
    }
    s->knots = (uint32_t)t.shape[0];
    if (!sound)
        return pal_fail(err, PAL_ECORRUPT, "%s: its ratings make no sense", tensors_path(file));
    return PAL_OK;
}
