/* What people look at to judge data and models: which figures there are, and what they say. The
 * report that palate writes and the page that it serves show the same ones. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "data/dataset.h"
#include "data/shape.h"
#include "data/stats.h"
#include "report/figure.h"
#include "report/results.h"

/* The data's figures. liked: what counts as liked, in words. */
void report_data(struct figures *to, const struct dataset *d, const struct stats *s,
                 const struct shape *shape, const char *liked);

/* The figures of a comparison. */
void report_models(struct figures *to, const struct results *r);

/* What a ranker goes by, from what it says of itself (rank/rank.h) as JSON; none without. id: the
 * figure's, which lives as long as the arena. */
void report_ranker(struct figures *to, const char *id, const char *label, const json_t *ranker);

/* Who is best, by how much, and whether that is more than chance: a few sentences, as HTML inside
 * of a paragraph or as plain text. */
void report_summary(struct str *out, const struct results *r, bool html);

/* How it was measured: names and texts, in order. */
typedef void report_fact_fn(void *ctx, const char *name, const char *text);
void report_protocol(const struct results *r, report_fact_fn *take, void *ctx);

#endif
