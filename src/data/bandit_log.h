/* A log of a policy's choices, for off-policy evaluation: what it showed where, by what chance, and
 * what came of it. */
#ifndef DATA_BANDIT_LOG_H
#define DATA_BANDIT_LOG_H

#include "base/intern.h"
#include "data/lines.h"

struct bandit_row {
    double reward;     /* finite */
    double propensity; /* above 0, up to 1 */
    uint32_t action;   /* a number of the intern that was given */
    uint32_t place;    /* the same: a position in a list; 0 without such a column */
};

struct bandit_log {
    size_t n, cap;
    struct bandit_row *row; /* (n) in the order of the file */
};

/* Reads a CSV file with a header, as the Open Bandit Data are: columns item_id, click (or reward),
 * propensity_score (or action_prob, propensity) and, where there is one, position; others are
 * passed over. Ids and positions get numbers of `actions` and `places`, which several logs may
 * share. PAL_EFORMAT "file:line:column: expected …, found '…'", for a propensity of 0 too;
 * PAL_EFORMAT for a file without rows. */
MUST_USE enum pal_status bandit_log_read(const char *path, const struct run *run,
                                         struct intern *actions, struct intern *places,
                                         struct bandit_log *out, struct pal_error *err);
void bandit_log_done(struct bandit_log *l); /* an all-zero struct is fine */

#endif
