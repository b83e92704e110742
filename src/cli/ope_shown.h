/* The lists that a server showed and what came of them: what palate ope estimates from. */
#ifndef CLI_OPE_SHOWN_H
#define CLI_OPE_SHOWN_H

#include "base/intern.h"
#include "cli/command.h"
#include "data/weights.h"

#include <stdbool.h>

struct slot {
    double reward; /* the weight of what came of it; 0 = nothing did */
    double propensity;
    uint32_t item;   /* of struct shown's items */
    uint32_t unit;   /* who saw it: of `units`; somebody without an id each time a new one */
    uint32_t source; /* of sources */
    bool explored;
};

struct shown {
    struct intern lists, items, users, sources;
    uint32_t units;
    struct slot *slot; /* (slots) */
    size_t slots, slot_cap;
    struct {
        int64_t time_ms;
        size_t first; /* of slot; up to the next one's */
    } * list;         /* (lists.count + 1) */
    size_t list_cap;
    uint32_t *order; /* (lists.count) users' lists, one user's after the other's, by time */
    uint32_t *begin; /* (users.count + 1) into order */
    size_t explored;
    size_t without;                     /* lists left out, since slots lack a propensity */
    uint64_t counted, outside, unknown; /* events that answer a list: in the window, outside of it,
                                           and about a list or item that isn't there */
    uint64_t guessed;                   /* of those counted: they name no list */
};

/* Reads --store and the journal's rest. What a slot earned is, of the weights of the events that
 * name its list and item within window_ms, the one that is largest by size. An event that names no
 * list answers the latest one within window_ms that showed its item to its user, if there is one;
 * so the calls that know of no recommendation_id count as well. PAL_EUNSUPPORTED where
 * there are no lists with propensities. */
MUST_USE enum pal_status shown_read(struct job *job, const struct weights *w, int64_t window_ms,
                                    struct shown *out, struct pal_error *err);
void shown_done(struct shown *s);

#endif
