/* Trending: what is liked more now than it used to be, the same for everyone.
 *
 * Of each item two rates in likes a day are kept, over a window that fades fast and over one that
 * fades slowly: a sum of weights that halve in h days comes, if likes come evenly, from sum · ln 2
 * / h likes a day. With the recent rate r and the long one l the score is
 *
 *     r ( (r + f) / (l + f) )^rise,
 *
 * so rise = 0 is what is popular in the window, and a larger one prefers what rises: an item that
 * got twice its usual likes gains 2^rise. f is one like per long half-life, without which two likes
 * of a thing never seen would beat everything. Where dislikes prevail, r is negative and is the
 * score. The engine's source of the same name does so as events come in (engine/bandit.h); this is
 * the model to be judged and compared, as of the newest event. */
#include "model/models.h"
#include "model/popular.h"

#include "base/mem.h"

#include <math.h>

struct trending_options {
    double days, long_days, rise;
};

#define FIELD(name) offsetof(struct trending_options, name)
#define LN2         0.69314718055994531

static const struct opt rows[] = {
    {"days", OPT_REAL, FIELD(days), "7", 0.001, 36500, OPT_LOG, NULL,
     "days after which an event counts half in the recent rate"},
    {"long_days", OPT_REAL, FIELD(long_days), "90", 0.001, 36500, OPT_LOG, NULL,
     "the same for the rate it is compared with"},
    {"rise", OPT_REAL, FIELD(rise), "0.5", 0, 4, OPT_LINEAR, NULL,
     "how much what rises is preferred; 0 = what is popular of late"},
};

static uint64_t trending_memory(const void *options, uint64_t users, uint64_t items,
                                uint64_t entries)
{
    return items * (sizeof(float) + 2 * sizeof(double) + sizeof(struct scored));
}

static double trend(const struct trending_options *o, double recent_sum, double long_sum)
{
    double floor = LN2 / o->long_days;
    double r = recent_sum * LN2 / o->days, l = long_sum * LN2 / o->long_days;
    if (r <= 0)
        return r;
    return r * pow((r + floor) / ((l > 0 ? l : 0) + floor), o->rise);
}

static enum pal_status trending_fit(struct model *m, const struct training *t,
                                    const struct run *run, struct pal_error *err)
{
    const struct trending_options *o = m->options;
    uint32_t items = m->ids.count;
    if (!t->log->time_s)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "trending needs times, which these data lack: use popular");
    double *recent = mem_zero(items, sizeof *recent), *long_run = mem_zero(items, sizeof *long_run);
    enum pal_status st = recent && long_run ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = popular_sums(t, o->days, run, recent, err);
    if (st == PAL_OK)
        st = popular_sums(t, o->long_days, run, long_run, err);
    for (uint32_t i = 0; i < items && st == PAL_OK; i++)
        recent[i] = trend(o, recent[i], long_run[i]);
    if (st == PAL_OK)
        st = popular_take(m, recent, err);
    mem_free(recent);
    mem_free(long_run);
    return st;
}

const struct model_ops model_trending = {
    .name = "trending",
    .title = "what is liked more now than it used to be",
    .paper = "",
    .options = {rows, sizeof rows / sizeof rows[0]},
    .options_size = sizeof(struct trending_options),
    .model_size = sizeof(struct popular_model),
    .memory = trending_memory,
    .fit = trending_fit,
    .score = popular_score,
    .retrieve = popular_retrieve,
    .save = popular_save,
    .load = popular_load,
    .done = popular_done,
};
