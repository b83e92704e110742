/* Which options of a model a search may vary, and how far.
 *
 * A search sees a point: a number for each option, in [0, 1] for an option with a range, the place
 * among its choices for one with choices. A range that is walked by ratios (OPT_LOG, OPT_LOG2) is
 * even in the logarithm. What a point says is rounded to whole numbers, or to three digits, so that
 * the options written down are those that were tried. */
#ifndef EVAL_SPACE_H
#define EVAL_SPACE_H

#include "base/options.h"

enum { SPACE_MOST = 32, SPACE_CHOICES = 16 };

struct space_option {
    const struct opt *row; /* borrowed from the model's table */
    double low, high;      /* of a range, as values; low < high */
    bool log;              /* of a range: even in the logarithm; low > 0 */
    unsigned choices;      /* 0 = a range */
    int as[SPACE_CHOICES]; /* (choices) values of a choice or a bool */
};

struct space {
    const struct opt_table *table; /* borrowed */
    size_t count;
    struct space_option option[SPACE_MOST];
};

/* The options that `usual` names, each with its range ("factors=16..256, nu, solver=exact|cg"; a
 * name alone: the range that the table declares), NULL = all of the table; changed by `narrow`
 * (NULL = not), in which "factors=32..128" gives a range, "solver=exact|cg" choices, and
 * "factors=64" fixes: the value is set in `options`, a struct that the table describes. PAL_EUSAGE
 * with a sentence that says what is allowed. */
MUST_USE enum pal_status space_make(const struct opt_table *table, const char *usual,
                                    const char *narrow, void *options, struct space *out,
                                    struct pal_error *err);

/* Takes an option out, if it is in. */
void space_drop(struct space *s, const char *name);

const struct space_option *space_find(const struct space *s, const char *name);

/* Sets the options that a point says: at (s->count). */
void space_set(const struct space *s, const double *at, void *options);

/* The point nearest to what is set. */
void space_get(const struct space *s, const void *options, double *at);

/* Appends the option's range as space_make takes it: "factors=16..256". */
void space_show(const struct space_option *o, struct str *out);

#endif
