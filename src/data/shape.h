/* The curves behind a data set's figures, small enough to be drawn: how popular items are by rank,
 * how unevenly events lie on items, how active users are, when events happened, how many items and
 * users hardly have any, and how many users said what they like. */
#ifndef DATA_SHAPE_H
#define DATA_SHAPE_H

#include "data/dataset.h"

enum {
    SHAPE_RANKS = 100,
    SHAPE_BUCKETS = 24,
    SHAPE_SHARES = 101,
    SHAPE_PERIODS = 144,
    SHAPE_FEW = 6,
    SHAPE_LIKES = 6,
};

enum shape_step { SHAPE_DAY, SHAPE_WEEK, SHAPE_MONTH, SHAPE_QUARTER, SHAPE_YEAR };
const char *shape_step_name(enum shape_step step); /* "day" */

/* At least so many events: 0 (none at all), 1, 2, 5, 10, 50; the next bound ends a class. */
extern const uint32_t shape_few[SHAPE_FEW];
/* 1, 3, 5, 10, 20, 50 */
extern const uint32_t shape_likes[SHAPE_LIKES];

/* Over everything that was published, the test part included, as in stats.h. */
struct shape {
    uint32_t rank[SHAPE_RANKS];       /* (ranks) from 1 to the number of items with events, as far
                                         apart as a logarithmic scale wants them */
    uint64_t rank_count[SHAPE_RANKS]; /* (ranks) events of the item that has this rank */
    size_t ranks;
    uint64_t activity[SHAPE_BUCKETS]; /* (buckets) users with 2^i to 2^(i+1) - 1 events, the last
                                         one with more, too */
    size_t buckets;
    double lorenz[SHAPE_SHARES]; /* share of the events that the least popular i % of the items
                                    with events have; all 0 without events */
    enum shape_step step;        /* the shortest that leaves no more periods than a chart shows */
    uint32_t period_s[SHAPE_PERIODS];     /* (periods) when each begins, UTC; weeks on Mondays */
    uint64_t period_count[SHAPE_PERIODS]; /* (periods) events in it; none is left out between */
    size_t periods;                       /* 0 without times */
    uint64_t items_few[SHAPE_FEW];        /* items with so few events; known ones without, too */
    uint64_t users_few[SHAPE_FEW];
    uint64_t users_liking[SHAPE_LIKES]; /* users with at least so many different liked items */
};

/* An item is liked when an event with it has a weight of at least liked_from by w. Takes 16 bytes
 * an item and 8 a user for its time; O(events + items log items). */
MUST_USE enum pal_status shape_make(const struct dataset *d, const struct weights *w,
                                    double liked_from, struct shape *out, struct pal_error *err);

#endif
