/* A search for the best point: which to try next, at what fidelity, from what was found so far.
 * It knows nothing of models; see search.c for the method.
 *
 * A point is tried on rungs: on rung 0 at the least cost, on the last in full. What can be tried at
 * once, none of it depending on another's outcome, is handed out as a round. Rounds depend on the
 * settings, the seed and the outcomes of earlier rounds alone: not on how many threads try, on when
 * one ends, or on whether the outcomes are found now or were written down earlier. */
#ifndef EVAL_SEARCH_H
#define EVAL_SEARCH_H

#include "base/error.h"
#include "eval/tpe.h"

enum { SEARCH_RUNGS_MOST = 3, SEARCH_ETA = 3, SEARCH_TRIALS_MOST = 10000, SEARCH_ROUND_MOST = 9 };

struct search_settings {
    struct tpe_space space;
    bool random;    /* draws points evenly instead of by TPE */
    size_t trials;  /* points to try, the first included; at most SEARCH_TRIALS_MOST */
    unsigned rungs; /* 1 to SEARCH_RUNGS_MOST; 1 = every point in full */
    uint64_t seed;
};

/* One thing to try. */
struct search_task {
    uint32_t trial;   /* the point's number, from 1 */
    unsigned rung;    /* rungs - 1: in full */
    const double *at; /* (dims) the point; borrowed from the search */
};

struct search;

/* first (dims): the point of trial 1, tried in full. */
MUST_USE enum pal_status search_new(const struct search_settings *settings, const double *first,
                                    struct search **out, struct pal_error *err);
void search_free(struct search *s); /* NULL is fine */

/* The next round: how many tasks it has, which live until the next call; 0 when the search is over.
 * Call once all of the last round is told. */
size_t search_next(struct search *s, const struct search_task **tasks);

/* The outcome of task number i of the round: higher is better; NAN = it failed. */
void search_tell(struct search *s, size_t i, double value);

#endif
