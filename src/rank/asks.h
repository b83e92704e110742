/* What a ranker is trained on: moments in the newest part of a log at which users could have asked,
 * with the features of what would have been put forward to them, and what they then went on to.
 *
 * A moment is one of the user's own events there: what lies before it is the history, what comes
 * from it on is to be foretold. The sources and what is known of the items end before that part, so
 * all that is looked at was known at the moment; labels alone come from later. */
#ifndef RANK_ASKS_H
#define RANK_ASKS_H

#include "rank/boost.h"
#include "rank/lists.h"

struct asks_plan {
    const struct model *const *source; /* (sources) fitted on `early` */
    size_t sources, quota;
    const struct known *known;    /* as of the end of `early` */
    const struct training *early; /* its log, its types and weights */
    const struct interactions *later;
    size_t per_user; /* moments: the first event, and others evenly spread behind it */
    size_t most;     /* moments in all; more are thinned out by user */
    uint64_t seed;
};

/* One moment with something among its candidates that was then liked. */
struct asked {
    uint32_t user, rows;
    float *x;     /* (features, rows) */
    float *label; /* (rows) 2: relevant (a weight of 1/2 or more), 1: a lesser like, 0: neither */
    float *base;  /* (sources + 1, rows) see rank_base */
};

struct asks {
    size_t count, features, sources;
    struct asked *asked; /* (count) by user, then time */
};

/* In run's pool; the same at any thread count. Reports "asking the sources". */
MUST_USE enum pal_status asks_make(const struct asks_plan *p, const struct run *run,
                                   struct asks *out, struct pal_error *err);
void asks_done(struct asks *a); /* an all-zero struct is fine */

/* The base whose order of the lists is the best by NDCG@10: a source's number, or asks.sources for
 * all of them together. Of equal ones the last. */
size_t asks_best_base(const struct asks *a);

/* One list for each moment of those users that are held out (a fifth, by their number), or of the
 * others, in memory from `keep`. */
MUST_USE enum pal_status asks_lists(const struct asks *a, bool held_out, size_t base,
                                    struct arena *keep, struct boost_lists *out,
                                    struct pal_error *err);

#endif
