/* The inside of a recommender, for the files of this folder. */
#ifndef ENGINE_JOINED_H
#define ENGINE_JOINED_H

#include "engine/recommender.h"

/* A model and how its items' numbers and the catalog's correspond. */
struct joined {
    struct model *model;  /* owned by the recommender */
    uint32_t *to_catalog; /* (model items); INTERN_NONE for one that the catalog lacks. NULL: the
                             model's items are the catalog's first, in the same order */
    uint32_t *to_model;   /* (mapped); INTERN_NONE for one that the model lacks. NULL as above */
    uint32_t mapped;      /* how many items the catalog had when they were joined */
};

struct recommender {
    const struct items *items; /* own, or the caller's */
    struct items own;
    struct joined *joined; /* (count) */
    size_t count;
};

static inline uint32_t joined_to_catalog(const struct joined *j, uint32_t item)
{
    return j->to_catalog ? j->to_catalog[item] : item;
}

static inline uint32_t joined_to_model(const struct joined *j, uint32_t item)
{
    if (j->to_model)
        return item < j->mapped ? j->to_model[item] : INTERN_NONE;
    return item < model_items(j->model) ? item : INTERN_NONE;
}

#endif
