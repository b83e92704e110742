/* A result by how much is known of the users: a model may serve the busy and fail the newcomers. */
#ifndef EVAL_GROUPS_H
#define EVAL_GROUPS_H

#include "eval/evaluate.h"

enum { EVAL_GROUPS = 3 };

struct eval_group {
    uint64_t least, most; /* interactions in the histories of its users, both included */
    uint32_t users;
    double value[64]; /* of each metric (the first 64 of the result): its mean over these users; NaN
                         where it has none, and for metrics of the whole */
};

/* The users of r in thirds by the length of the histories that they were judged from, the shortest
 * first; equal lengths fall into one group, so there may be fewer than three and of other sizes:
 * *count. s is the split that r was judged on. O(users log users). */
MUST_USE enum pal_status eval_groups(const struct eval_result *r, const struct split *s,
                                     struct eval_group out[EVAL_GROUPS], size_t *count,
                                     struct pal_error *err);

#endif
