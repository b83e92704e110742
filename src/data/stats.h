/* What a data set looks like, in numbers. */
#ifndef DATA_STATS_H
#define DATA_STATS_H

#include "base/run.h"
#include "data/dataset.h"

enum { STATS_PERCENTILES = 9, STATS_VALUES = 64 };
extern const double stats_percentile[STATS_PERCENTILES]; /* 0, .01, .1, .25, .5, .75, .9, .99, 1 */

struct stats_value { /* one bar of the rating histogram */
    float value;
    uint64_t count;
};

struct stats_pair { /* how often two categories stand on one item */
    uint32_t a, b;
    uint64_t items;
};

/* Over everything that was published, the test part included. Percentiles, shares and gini are over
 * the users and items with at least one interaction; a percentile between two of them is
 * interpolated (linearly, as NumPy does). */
struct stats {
    uint64_t interactions;
    uint64_t in_test;      /* of these, in the published test part */
    uint32_t users, items; /* with at least one interaction */
    uint32_t items_known;  /* with or without */
    double density;        /* (interactions - repeats) / (users * items) */
    double mean_value;
    struct stats_value *values; /* ascending; where there are more than STATS_VALUES, that many bins
                                   of equal width, each by its lower border (values_binned) */
    size_t value_count;
    bool values_binned;
    uint64_t type_count[EVENT_TYPES];
    double user_activity[STATS_PERCENTILES];   /* interactions per user */
    double item_popularity[STATS_PERCENTILES]; /* interactions per item */
    double long_tail_share; /* of the interactions, with items outside the most popular 20 % (the
                               number of these rounded up) */
    double top1_share; /* of the interactions, with the most popular 1 % of items (rounded up) */
    double gini;       /* of item popularity: 0 = all alike, towards 1 = one item has it all */
    uint64_t *category_items, *category_interactions; /* (categories.names.count) */
    struct stats_pair *pairs; /* every pair that occurs, most frequent first; a < b */
    size_t pair_count;
    uint32_t first_s, last_s; /* 0 when there are no times */
    uint64_t repeats;         /* interactions with an item that the user had before */
    uint64_t bytes;           /* of heap held by the interactions */
};

MUST_USE enum pal_status stats_make(const struct dataset *d, const struct run *run,
                                    struct stats *out, struct pal_error *err);
void stats_done(struct stats *s);

/* On how many items two different categories stand together. */
uint64_t stats_together(const struct stats *s, uint32_t a, uint32_t b);

#endif
