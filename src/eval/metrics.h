/* What each metric is: a row with a name, a sentence, and the function that computes it. */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include "data/items.h"
#include "eval/evaluate.h"

/* One user's list as a metric sees it. */
struct ranked {
    size_t n;             /* its length: at least k, unless there are no more items */
    const uint32_t *item; /* (n) best first */
    const uint8_t *hit;   /* (n) 1 where the item is relevant */
    uint32_t relevant;    /* how many items are, in the list or not; > 0 */
};

/* What lists are held against. */
struct metric_data {
    uint32_t items;                  /* the catalog */
    uint32_t users;                  /* with training interactions; > 0 */
    const uint32_t *audience;        /* (items) how many of them had the item */
    const struct labels *categories; /* of the items; may have no rows */
};

enum metric_kind {
    METRIC_RANK,   /* per user, from where the relevant items stand */
    METRIC_LIST,   /* per user, from which items the list holds */
    METRIC_WHOLE,  /* from all users' lists together */
    METRIC_RATING, /* from predicted ratings: no list */
};

struct metric_ops {
    const char *name, *help;
    enum metric_kind kind;
    bool falls; /* less is better */
    double (*user)(const struct metric_data *d, const struct ranked *r,
                   uint32_t k);                                    /* RANK, LIST */
    double (*whole)(const struct metric_data *d, uint32_t *shown); /* WHOLE: shown (items) says in
                                                                      how many lists each stands,
                                                                      and may be reordered */
    double (*loss)(double error);                                  /* RATING: of one prediction */
    double (*finish)(double mean); /* NULL, or what turns the mean into the metric */
};

#endif
