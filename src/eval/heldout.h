/* What is to be found: each user's relevant items in the held-out part of a split. */
#ifndef EVAL_HELDOUT_H
#define EVAL_HELDOUT_H

#include "eval/evaluate.h"

/* One row per user who is judged. */
struct heldout {
    uint32_t users, ranked; /* rows; rows with a relevant item */
    uint32_t *user;         /* (users) ascending */
    uint64_t *start;        /* (users + 1) */
    uint32_t *item;         /* (start[users]) relevant items, ascending within a row */
    uint64_t *rated;        /* (users + 1) where ratings begin; NULL if nobody asked for them */
    uint64_t *rating;       /* (rated[users]) which interactions of the judged part they are */
    const struct interactions *part;   /* the judged part */
    const struct interactions *had[3]; /* what users had before; had_count of them */
    size_t had_count;
    int target; /* the only event type that counts, here and there; -1 = all do */
};

/* Whether interaction i of x counts: those of other types than the target do not. */
static inline bool heldout_counts(const struct heldout *h, const struct interactions *x, uint64_t i)
{
    return h->target < 0 || interactions_type(x, i) == h->target;
}

/* See evaluate.h for the rules. ratings: also collect events of type "rating", whatever they say.
 * Borrows from s. */
MUST_USE enum pal_status heldout_make(const struct dataset *d, const struct split *s,
                                      const struct weights *w, const struct eval_options *o,
                                      bool ratings, struct heldout *out, struct pal_error *err);
void heldout_done(struct heldout *h);

/* Where user u's history is: the given part for users held out whole, else the training part. */
const struct interactions *heldout_history(const struct split *s, uint32_t user);

#endif
