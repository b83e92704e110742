/* A comparison of models, read back from the JSON that palate eval writes and that palate train
 * puts into a version's manifest. Once read it does not change: any thread may look. */
#ifndef REPORT_RESULTS_H
#define REPORT_RESULTS_H

#include "eval/evaluate.h"

#include <jansson.h>

enum { RESULTS_MOST = 64 };

struct results {
    json_t *root;
    size_t models, metrics;
    const json_t *model[RESULTS_MOST];
    const char *label[RESULTS_MOST];
    struct metric metric[RESULTS_MOST];
    size_t best; /* by the first metric; of two equal ones the first */
};

/* Reads such a text, from a file of this name. PAL_ECORRUPT names the file and what is wrong with
 * it. *out is the caller's to free with results_done, and borrows nothing. */
MUST_USE enum pal_status results_parse(const char *text, size_t len, const char *name,
                                       struct results *out, struct pal_error *err);

/* The same of what is parsed already; keeps a reference of its own. */
MUST_USE enum pal_status results_take(json_t *root, const char *name, struct results *out,
                                      struct pal_error *err);
void results_done(struct results *r); /* an all-zero struct is fine */

double results_value(const struct results *r, size_t model, size_t metric); /* NAN: none */
bool results_interval(const struct results *r, size_t model, size_t metric, double *low,
                      double *high);
const char *results_text(const struct results *r, const char *key); /* of the whole; or "" */
double results_number(const json_t *object, const char *key);       /* NAN: none */

/* The comparison of a model with the best, or NULL. */
const json_t *results_comparison(const struct results *r, size_t model);

/* The best value of a metric, or the least of them (falling metrics); -1 without any. */
int results_best(const struct results *r, size_t metric);

#endif
