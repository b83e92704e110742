/* Models trained on one part of a data set and judged on another: what palate eval, train and demo
 * have in common. */
#ifndef CLI_TRIALS_H
#define CLI_TRIALS_H

#include "base/emit.h"
#include "cli/plan.h"
#include "data/split.h"
#include "eval/groups.h"

enum { METRICS_MOST = 64 };

struct trial {
    const struct variant *variant;
    struct eval_result result;
    double train_s, eval_s;
    uint64_t peak_bytes; /* of the process, data included, while it was trained and judged */
    struct comparison against_best;       /* of the first metric; p NaN for the best itself */
    struct eval_group group[EVAL_GROUPS]; /* (group_count) */
    size_t group_count;
    const char *ranker; /* what a ranker says of itself, as JSON; in the job's arena; else NULL */
};

struct trials {
    const struct dataset *data;
    struct weights weights;
    const char *weights_text;
    struct split split;
    struct metric metrics[METRICS_MOST];
    size_t metric_count;
    struct eval_options options;
    struct trial *trials; /* (count), in the order asked for */
    size_t count;
    size_t best;   /* by the first metric */
    bool compared; /* against_best is filled */
};

/* Whether --model, --set, --metrics and --weights can be read at all: before time is spent on
 * loading. */
MUST_USE enum pal_status trials_check(struct job *job, struct pal_error *err);

/* Splits d by `spec` and runs every variant of the plan. spec or metrics NULL: the usual ones. d
 * and plan are borrowed; on failure nothing is left to free. */
MUST_USE enum pal_status trials_run(struct job *job, const struct dataset *d,
                                    const struct plan *plan, const char *spec, const char *metrics,
                                    uint64_t memory, struct trials *out, struct pal_error *err);

/* Only what comes before the first model: metrics, weights, split and options, as trials_run has
 * them. count stays 0; the caller frees it with trials_done. */
MUST_USE enum pal_status trials_prepare(struct job *job, const struct dataset *d, const char *spec,
                                        const char *metrics, struct trials *out,
                                        struct pal_error *err);

/* Trains other variants, by other rules if `weights` is not NULL, on t's training part and judges
 * them as t's own were. out (plan->count) is the caller's to free with eval_result_done. */
MUST_USE enum pal_status trials_refit(struct job *job, const struct trials *t,
                                      const struct plan *plan, const struct weights *weights,
                                      uint64_t memory, struct trial *out, struct pal_error *err);

/* Drops all trials but those of the plan's variants, found by their labels and put into its order,
 * and compares these. PAL_ENOTFOUND if one was not tried. */
MUST_USE enum pal_status trials_keep(struct job *job, struct trials *t, const struct plan *plan,
                                     struct pal_error *err);

/* Whether a is a better value of t's first metric than b. NaN is worse than anything. */
bool trials_better(const struct trials *t, double a, double b);

void trials_done(struct trials *t); /* an all-zero struct is fine */

/* The table, the best value of each column marked. */
void trials_say(struct console *c, const struct trials *t);

/* Appends the members "metrics", "intervals" of one trial to an open object. */
void trial_emit_metrics(struct emit *e, const struct trial *t);

/* The whole comparison as one object. */
void trials_emit(struct emit *e, const struct trials *t);

#endif
