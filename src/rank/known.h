/* What was known of the items at one moment, as a ranker's features want it: from a log that ends
 * there and from the catalog. Nothing else of the data reaches the features, so they can't look at
 * what came later. */
#ifndef RANK_KNOWN_H
#define RANK_KNOWN_H

#include "rank/alike.h"

enum { KNOWN_HALVES = 4, KNOWN_NUMBERS = 8 };

/* Half-lives of popularity in days; the last one never fades. */
extern const struct known_half {
    const char *name; /* "7d" */
    double days;
} known_halves[KNOWN_HALVES];

struct known {
    uint32_t items;
    uint32_t at_s;           /* when the newest event was; 0 = no event */
    const float *popularity; /* (KNOWN_HALVES, items) log((1 + s) / (1 + the greatest s)), where s =
                                Σ 2^-(age / half-life) over the item's events with a positive
                                weight, their age as of at_s: 0 for the most popular, else below */
    const float *likes;      /* (items) (positive events + 1) / (events + 2) */
    const uint32_t *first_s; /* (items) the first event's time; 0 = there was none */

    uint32_t labels;       /* how many categories there are */
    const uint64_t *start; /* (items + 1) */
    const uint32_t *label; /* (start[items]) an item's categories */
    const float *common;   /* (labels) each one's share of all likes, as alike.h reckons them; NULL
                              from a file that is older than this */
    struct alike kinds;
    struct intern names; /* of numeric attributes: at most KNOWN_NUMBERS */
    const float *number; /* (names.count, items) NaN where the item has none */
    bool again;          /* what users had is ranked, too: the next two are there */
    const float
        *returned; /* (items) (r + 1) / (u + 2): of u users who liked it r came back to it */
    const float
        *gap_days;    /* (items) mean time between a user's likes of it; NaN: nobody came back */
    struct arena own; /* what was made, not read from a file */
};

/* As of the end of t's log, which has times. Attributes are those JSON numbers at the top of items'
 * attributes that a tenth of the items or more have, the most frequent first. */
MUST_USE enum pal_status known_make(const struct training *t, bool again, struct known *out,
                                    struct pal_error *err);
void known_done(struct known *k); /* an all-zero struct is fine */

/* As tensors "known.…" and "kinds.…"; what is read points into the file. Files of before 1.1 have
 * neither `common` nor kinds. */
MUST_USE enum pal_status known_save(const struct known *k, struct tensors_out *out,
                                    struct pal_error *err);
MUST_USE enum pal_status known_load(const struct tensors *file, uint32_t items, struct known *out,
                                    struct pal_error *err);

#endif
