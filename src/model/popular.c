/* Popular: what most people like, the same for everyone.
 *
 * An item's score is the sum over users of what each thinks of it: positive weights minus negative
 * ones, several events of one user with one item folded as everywhere (see history_fold). With a
 * half-life h an event that is a seconds older than the newest one of all counts
 *
 *     w · 2^(-a / h)
 *
 * so that the list follows the fashion. The plain count is the case h = ∞, written as 0. The
 * baseline that personal models must beat, and the list for whoever has no history. */
#include "model/popular.h"
#include "model/models.h"
#include "model/stored.h"
#include "model/worth.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct popular_options {
    double half_life_days;
};

static const struct opt rows[] = {
    {"half_life_days", OPT_REAL, offsetof(struct popular_options, half_life_days), "0", 0, 36500,
     OPT_LINEAR, NULL, "days after which an event counts half; 0 = all count the same"},
};

static struct popular_model *self(const struct model *m)
{
    return (struct popular_model *)(uintptr_t)m;
}

static uint64_t popular_memory(const void *options, uint64_t users, uint64_t items,
                               uint64_t entries)
{
    return items * (sizeof(float) + sizeof(double) + sizeof(struct scored));
}

static uint32_t newest(const struct interactions *x)
{
    uint32_t t = 0;
    uint64_t n = interactions_count(x);
    for (uint64_t i = 0; i < n; i++)
        t = x->time_s[i] > t ? x->time_s[i] : t;
    return t;
}

/* One user's decayed and folded events, added to sum. */
static enum pal_status add_decayed(const struct interactions *x, const struct worth *worth,
                                   uint32_t user, uint32_t now_s, double half_life_s,
                                   struct arena *tmp, double *sum, struct pal_error *err)
{
    uint64_t begin = x->start[user];
    size_t n = (size_t)(x->start[user + 1] - begin), count;
    float *each = arena_alloc(tmp, n, sizeof *each), *weight = arena_alloc(tmp, n, sizeof *weight);
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    if (!each || !weight || !item)
        return pal_no_memory(err);
    worth_of_range(worth, x, begin, n, each);
    for (size_t i = 0; i < n; i++)
        each[i] *= exp2f(-(float)((now_s - x->time_s[begin + i]) / half_life_s));
    enum pal_status st = history_fold(x->item + begin, each, n, tmp, item, weight, &count, err);
    for (size_t i = 0; st == PAL_OK && i < count; i++)
        sum[item[i]] += weight[i];
    return st;
}

static enum pal_status sum_decayed(const struct training *t, double half_life_s,
                                   const struct run *run, double *sum, struct pal_error *err)
{
    enum { STEP = 4096 };
    struct arena tmp = {0};
    struct worth worth;
    enum pal_status st = PAL_OK;
    uint32_t now_s = newest(t->log);
    worth_init(&worth, t->weights, t->types);
    for (uint32_t u = 0; u < t->log->users && st == PAL_OK; u++) {
        if (u % STEP == 0)
            st = run_step(run, "training", u, t->log->users, err);
        if (st == PAL_OK)
            st = add_decayed(t->log, &worth, u, now_s, half_life_s, &tmp, sum, err);
        arena_reset(&tmp);
    }
    arena_done(&tmp);
    return st;
}

static enum pal_status put_in_order(struct model *m, struct pal_error *err)
{
    uint32_t items = m->ids.count;
    self(m)->order = mem_alloc(items, sizeof *self(m)->order);
    if (!self(m)->order)
        return pal_no_memory(err);
    topk(self(m)->score, items, items, self(m)->order); /* every score is finite */
    return PAL_OK;
}

enum pal_status popular_sums(const struct training *t, double half_life_days, const struct run *run,
                             double *sum, struct pal_error *err)
{
    uint64_t entries = csr_entries(&t->by_user);
    if (half_life_days > 0)
        return sum_decayed(t, half_life_days * 86400, run, sum, err);
    for (uint64_t i = 0; i < entries; i++)
        sum[t->by_user.col[i]] += t->by_user.val[i];
    return PAL_OK;
}

enum pal_status popular_take(struct model *m, const double *score, struct pal_error *err)
{
    uint32_t items = m->ids.count;
    self(m)->score = self(m)->own = mem_aligned(items, sizeof *self(m)->own);
    if (!self(m)->own)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < items; i++)
        self(m)->own[i] = (float)score[i];
    return put_in_order(m, err);
}

static enum pal_status popular_fit(struct model *m, const struct training *t, const struct run *run,
                                   struct pal_error *err)
{
    const struct popular_options *o = m->options;
    if (o->half_life_days > 0 && !t->log->time_s)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "popular.half_life_days needs times, which these data lack: leave it 0");
    double *sum = mem_zero(m->ids.count, sizeof *sum);
    enum pal_status st =
        sum ? popular_sums(t, o->half_life_days, run, sum, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = popular_take(m, sum, err);
    mem_free(sum);
    return st;
}

enum pal_status popular_score(const struct model *m, const struct history *h, size_t n,
                              float *scores, struct arena *tmp, struct pal_error *err)
{
    for (size_t row = 0; row < n; row++)
        memcpy(scores + row * m->ids.count, self(m)->score, m->ids.count * sizeof *scores);
    return PAL_OK;
}

enum pal_status popular_retrieve(const struct model *m, const struct history *h,
                                 const uint8_t *skip, size_t k, struct arena *tmp,
                                 struct scored *out, size_t *count, bool *done,
                                 struct pal_error *err)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->ids.count && n < k; i++)
        if (!skip || !skip[self(m)->order[i].index])
            out[n++] = self(m)->order[i];
    *count = n;
    *done = true;
    return PAL_OK;
}

enum pal_status popular_save(const struct model *m, struct tensors_out *out, struct pal_error *err)
{
    return tensors_add(out, "popularity", TENSOR_F32, m->ids.count, 0, self(m)->score, err);
}

enum pal_status popular_load(struct model *m, const struct tensors *file, struct pal_error *err)
{
    enum pal_status st =
        stored_floats_get(file, "popularity", m->ids.count, 0, &self(m)->score, err);
    return st == PAL_OK ? put_in_order(m, err) : st;
}

void popular_done(struct model *m)
{
    mem_free(self(m)->own);
    mem_free(self(m)->order);
}

const struct model_ops model_popular = {
    .name = "popular",
    .title = "what most people like, with an optional half-life",
    .paper = "",
    .options = {rows, sizeof rows / sizeof rows[0]},
    .options_size = sizeof(struct popular_options),
    .model_size = sizeof(struct popular_model),
    .memory = popular_memory,
    .fit = popular_fit,
    .score = popular_score,
    .retrieve = popular_retrieve,
    .save = popular_save,
    .load = popular_load,
    .done = popular_done,
};
