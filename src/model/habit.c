/* Habit: what the user did before, as far as it was often and of late, and for the rest what
 * everybody likes. For groceries and music, where people come back to the same things.
 *
 * The score of item i is the mean of a Dirichlet posterior but for its denominator, which is the
 * same for all items: own events, of which those of an item count half when its last one is `h`
 * days old, on top of `prior` events that are spread over the items as everybody's likes are:
 *
 *     s_i = w_i 2^(-age_i / h)  +  prior · p_i / Σ max(p_j, 0),
 *
 * w the history's weights, p how popular items are. In studies of grocery baskets such counts alone
 * beat most that is learned (Hu et al., "Modeling Personalized Item Frequency Information for
 * Next-basket Recommendation", SIGIR 2020). Where it may recommend only what is new to the user it
 * is the same as popular. */
#include "model/models.h"
#include "model/popular.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct habit_options {
    double half_life_days, prior;
};

#define FIELD(name) offsetof(struct habit_options, name)
static const struct opt rows[] = {
    {"half_life_days", OPT_REAL, FIELD(half_life_days), "0", 0, 36500, OPT_LINEAR, NULL,
     "days after which what was done counts half; 0 = all counts the same"},
    {"prior", OPT_REAL, FIELD(prior), "100", 0.001, 1e6, OPT_LOG, NULL,
     "how many events everybody's likes count for"},
};

static uint64_t habit_memory(const void *options, uint64_t users, uint64_t items, uint64_t entries)
{
    return items * (sizeof(float) + sizeof(double) + sizeof(struct scored));
}

static enum pal_status habit_fit(struct model *m, const struct training *t, const struct run *run,
                                 struct pal_error *err)
{
    const struct habit_options *o = m->options;
    double *sum = mem_zero(m->ids.count, sizeof *sum), all = 0;
    enum pal_status st = sum ? popular_sums(t, 0, run, sum, err) : pal_no_memory(err);
    for (uint32_t i = 0; i < m->ids.count && st == PAL_OK; i++)
        all += fmax(sum[i], 0);
    for (uint32_t i = 0; i < m->ids.count && st == PAL_OK; i++)
        sum[i] *= all > 0 ? o->prior / all : 1;
    if (st == PAL_OK)
        st = popular_take(m, sum, err);
    mem_free(sum);
    return st;
}

/* How much of an item's weight is left. */
static double faded(const struct habit_options *o, const struct history *h, size_t i)
{
    uint32_t now = h->now_s ? h->now_s : h->last_s;
    if (o->half_life_days <= 0 || !h->had || !h->had[i].last_s || h->had[i].last_s >= now)
        return 1;
    return exp2(-(double)(now - h->had[i].last_s) / (86400 * o->half_life_days));
}

static enum pal_status habit_score(const struct model *m, const struct history *h, size_t n,
                                   float *scores, struct arena *tmp, struct pal_error *err)
{
    enum pal_status st = popular_score(m, h, n, scores, tmp, err);
    for (size_t row = 0; row < n && st == PAL_OK; row++)
        for (size_t i = 0; i < h[row].n; i++)
            scores[row * m->ids.count + h[row].item[i]] +=
                (float)(h[row].weight[i] * faded(m->options, &h[row], i));
    return st;
}

const struct model_ops model_habit = {
    .name = "habit",
    .title = "what the user comes back to, then what most people like",
    .paper = "Hu, He, Gao, Zhang 2020",
    .can = MODEL_PERSONAL | MODEL_OWN,
    .options = {rows, sizeof rows / sizeof rows[0]},
    .options_size = sizeof(struct habit_options),
    .model_size = sizeof(struct popular_model),
    .memory = habit_memory,
    .fit = habit_fit,
    .score = habit_score,
    .save = popular_save,
    .load = popular_load,
    .done = popular_done,
};
