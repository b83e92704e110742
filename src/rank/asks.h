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
    bool again;                   /* what a user had before is put forward, too, and relevant */
    bool whole;                   /* sources score what others put forward, too */
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
    uint32_t at_s; /* when */
    float *x;      /* (features, rows) */
    float *label;  /* (rows) 2: relevant (a weight of 1/2 or more), 1: a lesser like, 0: neither */
    float *base;   /* (rank_bases(sources), rows) see rank_base */
};

struct asks {
    size_t count, features, sources;
    struct asked *asked; /* (count) by user, then time */
};

/* Moves what `from` has behind what `to` has: of the same sources and features, or `to` is empty.
 * On failure both are as they were. */
MUST_USE enum pal_status asks_append(struct asks *to, struct asks *from, struct pal_error *err);

/* In run's pool; the same at any thread count. Reports "asking the sources". */
MUST_USE enum pal_status asks_make(const struct asks_plan *p, const struct run *run,
                                   struct asks *out, struct pal_error *err);
void asks_done(struct asks *a); /* an all-zero struct is fine */

/* The base whose order of the lists is the best by NDCG@10, as rank_base numbers them, but for
 * those of scores, which have the order of places. Of equal ones the last. */
size_t asks_best_base(const struct asks *a);

/* The lists in memory from `keep`: those of users that are held out (a fifth, by their number),
 * those of the others, and all of them, of which the two are parts. */
struct asks_parts {
    struct boost_lists all, train, held;
};
MUST_USE enum pal_status asks_lists(const struct asks *a, size_t base, struct arena *keep,
                                    struct asks_parts *out, struct pal_error *err);

#endif
