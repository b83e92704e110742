/* Moments of training: the log is cut at several points in time, and at each the sources are fitted
 * anew on what lies before, and asked for those who did something in the next part.
 *
 *     |------ early ------|-- later --|            fold 1
 *     |------------ early ------------|-- later --|   fold 0, the newest
 *
 * So nothing that a list of candidates or a feature of it comes from lies behind the moment of its
 * asking. More folds are more lists to learn from, of older fashions and from poorer sources. */
#ifndef RANK_FOLDS_H
#define RANK_FOLDS_H

#include "rank/asks.h"

struct folds_plan {
    const struct training *t;
    const struct model *const
        *source; /* (sources) what they are and their options is what counts */
    size_t sources, quota;
    int part;        /* per cent of the events in each later part */
    int folds;       /* that many, as far as a quarter of the events is left to begin with */
    size_t per_user; /* moments of a user in each */
    size_t most;     /* moments in all */
    bool again;      /* see struct asks_plan, as for the next */
    bool whole;      /* see struct asks_plan */
};

/* The moments of all folds, the newest fold first. PAL_EUNSUPPORTED where the log has no times. In
 * run's pool; the same at any thread count. */
MUST_USE enum pal_status folds_ask(const struct folds_plan *p, const struct run *run,
                                   struct asks *out, struct pal_error *err);

#endif
