/* How much of what came out one option explains by itself. */
#ifndef EVAL_IMPORTANCE_H
#define EVAL_IMPORTANCE_H

#include <stdbool.h>
#include <stddef.h>

/* The share of the variance of the outcomes' ranks that lies between groups of trials with like
 * values of the option: a choice's are grouped by choice, a number's into up to four groups of
 * equal size by order. Corrected for how much chance explains (epsilon squared, Kelley 1935) and
 * never below 0; that options act together is in nobody's share. value (n) without NAN, at (n);
 * false (nothing is written) with fewer than 20 or when memory is out. O(n log n). */
bool importance(const double *value, const double *at, size_t n, bool choice, double *share);

#endif
