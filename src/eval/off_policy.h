/* What a policy would have earned, estimated from the log of another one.
 *
 * Row i of a log: in some situation the logging policy did something by chance p_i, and r_i came of
 * it; the policy in question would have done the same by chance e_i. With w_i = e_i / p_i, a model
 * q of rewards, q_i what it says of what was done and v_i = Σ_a e(a) q(a) what it says of the
 * policy in that situation:
 *
 *     ips     Σ w_i r_i / n                        unbiased; Horvitz and Thompson, JASA 1952
 *     snips   Σ w_i r_i / Σ w_i                    less variance for a bias that goes with 1/n;
 *                                                  Swaminathan and Joachims, NIPS 2015
 *     dm      Σ v_i / n                            as good as the model
 *     dr      Σ (v_i + w_i (r_i - q_i)) / n        unbiased if either p or q is right; Dudík,
 *                                                  Erhan, Langford and Li, Statistical Science 2014
 *
 * Saito et al., "Open Bandit Dataset and Pipeline", NeurIPS 2021, compare them on the data that
 * data/bandit_log.h reads. Intervals are percentiles of a bootstrap over units (rows, or what was
 * logged of one user together); the model of rewards is not made anew for each, so dm has none. */
#ifndef EVAL_OFF_POLICY_H
#define EVAL_OFF_POLICY_H

#include "base/run.h"

#include <stdbool.h>

struct policy_log {
    size_t n;
    const double *reward;     /* (n) finite */
    const double *propensity; /* (n) p, above 0 and up to 1 */
    const double *target;     /* (n) e, from 0 on; its scale cancels out of snips alone */
    const double *predicted;  /* (n) q; NULL = no dm and dr */
    const double *expected;   /* (n) v; NULL as predicted is */
    const uint32_t *unit;     /* (n) below units: drawn together; NULL = each row by itself */
    uint32_t units;
};

struct policy_options {
    double clip;       /* weights are cut to this; 0 = none is. Less variance, and a bias */
    int64_t bootstrap; /* resamplings for intervals; 0 = none */
    double confidence; /* of the intervals: 0.95 */
    uint64_t seed;
};

enum policy_estimator { POLICY_LOGGED, POLICY_IPS, POLICY_SNIPS, POLICY_DM, POLICY_DR };
enum { POLICY_ESTIMATORS = POLICY_DR + 1 };

/* "logged" (the mean reward of the log itself), "ips", "snips", "dm", "dr". */
const char *policy_estimator_name(enum policy_estimator e);

struct policy_value {
    double value[POLICY_ESTIMATORS]; /* NAN where there is no model */
    double low[POLICY_ESTIMATORS],
        high[POLICY_ESTIMATORS]; /* NAN without a bootstrap, and for dm */
    size_t matched;              /* rows with a weight above 0 */
    size_t clipped;              /* rows whose weight was cut */
    double effective;   /* (Σ w)² / Σ w²: so many rows of the policy's own these are worth */
    double mean_weight; /* about 1 where the log shows all that the policy does */
    double most_weight; /* the largest, after cutting */
};

/* Fills *out. PAL_EUSAGE names the first row with a propensity, target or reward out of range;
 * PAL_EUNSUPPORTED for a log that is empty, or that never shows what the policy would do.
 * O(n + resamplings * units); the same at any thread count. */
MUST_USE enum pal_status policy_evaluate(const struct policy_log *log,
                                         const struct policy_options *o, const struct run *run,
                                         struct policy_value *out, struct pal_error *err);

/* A policy that looks at nothing but the place (or any other small context). */
struct policy_table {
    uint32_t actions, places;
    const double *chance; /* (places, actions) row-major; each row sums to 1 */
};

enum { POLICY_FOLDS = 5 };

/* A model of rewards by place and action, and what it says of a policy: fills predicted and
 * expected (n each) for struct policy_log. What is said of a row comes from the other folds alone
 * (POLICY_FOLDS, whole units, cut by seed), so that a row's own reward doesn't flatter the model.
 *
 * The mean reward of an action at a place is drawn to that of the action at all places as if
 * `prior` more rows had had it, and that one to the mean of all: ridge regression on an indicator
 * of each, one level after the other. O(n + POLICY_FOLDS * places * actions). */
MUST_USE enum pal_status reward_model(const struct policy_table *policy, const uint32_t *action,
                                      const uint32_t *place, const struct policy_log *log,
                                      double prior, uint64_t seed, double *predicted,
                                      double *expected, struct pal_error *err);

#endif
