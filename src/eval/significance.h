/* How sure a mean over users is. See evaluate.h. */
#ifndef EVAL_SIGNIFICANCE_H
#define EVAL_SIGNIFICANCE_H

#include "eval/evaluate.h"

/* The value of a metric out of its row of per-user values, each counted times[u] times (NULL:
 * once) and, for rating metrics, once per rating. NaN when nothing counts. */
double metric_mean(const struct eval_result *r, size_t metric, const uint32_t *times);

/* Fills r->low and r->high. */
MUST_USE enum pal_status bootstrap_intervals(struct eval_result *r, const struct eval_options *o,
                                             const struct run *run, struct pal_error *err);

/* The q-quantile of n ascending values, between the two nearest. n > 0 */
double quantile(const double *x, size_t n, double q);

/* Sorts the values (n), NaN left out, and takes both ends of the middle part that holds
 * `confidence` of them; NaN if there are none. */
void percentile_interval(double *x, size_t n, double confidence, double *low, double *high);

#endif
