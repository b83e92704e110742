/* What the stages of the pipeline hand to each other. */
#ifndef ENGINE_PIPELINE_INSIDE_H
#define ENGINE_PIPELINE_INSIDE_H

#include "engine/pipeline.h"

enum source_kind { FROM_MODEL, FROM_BANDIT, FROM_POPULAR, FROM_TRENDING, FROM_RANDOM };

/* One entry of a quota list. */
struct quota {
    enum source_kind kind;
    const char *name; /* a constant */
    size_t most;
};

/* Reads "als:100 bandit:20" into out (SOURCES_MOST); option is its name, for errors. */
MUST_USE enum pal_status quotas_parse(const char *text, const char *option, struct quota *out,
                                      size_t *count, struct pal_error *err);

/* The kind and constant name of what a quota list may name; false if there is no such thing. */
bool quota_named(const char *name, size_t len, struct quota *out);

/* One item on its way. */
struct candidate {
    uint32_t item;
    float blend;      /* Σ weight / (10 + rank) over the sources that put it forward */
    float best;       /* the greatest part of it, */
    const char *name; /* its source, a constant, */
    float score;      /* the item's score there */
    float chance;     /* of being drawn there; 1 where nothing was */
};

struct forward;

/* A request under way. */
struct ask {
    const struct pipeline_input *in;
    struct arena *tmp;
    uint32_t items;  /* in the catalog */
    size_t n;        /* in->n, or as many items as there are */
    bool liked;      /* the history has something with a positive weight that counts */
    bool unseen;     /* what was seen is taken */
    uint64_t *taken; /* a bit per item that must not come (any more); those past the end are set */
    uint32_t *rest;  /* (rests) what the user ignored and others stand in for: taken until nothing
                        else is left, the least ignored last */
    size_t rests;
    bool filtered; /* what the filter leaves out is in taken */
    double share;  /* about how much of the catalog the filter leaves, at least */

    struct candidate *candidate; /* (candidates) */
    size_t candidates, candidate_cap;
    const struct forward *ranked; /* the lists that the ranker orders; NULL = the blend does */
    uint32_t *slot; /* (slot_mask + 1) hash of items: place in candidate + 1, 0 = free */
    uint32_t slot_mask;

    struct pipeline_item *list; /* (n) the answer in the making */
    size_t count;
    uint16_t *used; /* (categories) how many of the list have it; NULL without a cap */
};

static inline bool is_taken(const struct ask *a, uint32_t item)
{
    return a->taken[item / 64] >> (item % 64) & 1;
}

static inline void take(struct ask *a, uint32_t item)
{
    a->taken[item / 64] |= (uint64_t)1 << (item % 64);
}

/* ---- The request: pipeline_ask.c ---- */

/* Checks and opens the request; seen: whether what was seen is taken (unless in->options->again).
 */
MUST_USE enum pal_status ask_open(struct ask *a, const struct pipeline_input *in, bool seen,
                                  struct arena *tmp, struct pal_error *err);

/* Puts what the filter leaves out into taken; nothing if that is done or there is none. It looks at
 * every item that may come, so whoever needs only some of them asks ask_allows first. */
void ask_filter(struct ask *a);

/* May the item still come? A bandit_allow_fn over struct ask. */
bool ask_allows(void *ask, uint32_t item);

/* How many items may still come, but no more than `most`. */
size_t ask_free(struct ask *a, size_t most);

/* The source of that name, or NULL. */
const struct source *ask_source(const struct ask *a, const char *name);

/* The history in the source's numbers, without what it doesn't know. *liked: whether any of that
 * has a positive weight. */
MUST_USE enum pal_status ask_history(const struct ask *a, const struct source *s,
                                     struct history *out, bool *liked, struct pal_error *err);

/* The source's items that must not come, by its own numbers: for model_top. What the filter leaves
 * out is among them only if a->filtered. */
MUST_USE enum pal_status ask_skip(struct ask *a, const struct source *s, uint8_t **out,
                                  struct pal_error *err);

static inline uint32_t source_item(const struct source *s, uint32_t item)
{
    return s->to_catalog ? s->to_catalog[item] : item;
}

static inline uint32_t source_number(const struct source *s, uint32_t item)
{
    if (s->to_model)
        return item < s->mapped ? s->to_model[item] : INTERN_NONE;
    return item < model_items(s->model) ? item : INTERN_NONE;
}

static inline bool source_personal(const struct source *s)
{
    return s->model->ops->can & MODEL_PERSONAL;
}

/* How much the bandit makes of an item: its posterior's mean; 0 without a bandit. */
float ask_worth(const struct ask *a, uint32_t item);

MUST_USE enum pal_status ask_no_model(const struct ask *a, struct pal_error *err);

/* ---- What the user ignored: discount.c ---- */

/* Takes what was ignored most, as long as enough is left besides. */
MUST_USE enum pal_status ask_rest(struct ask *a, struct pal_error *err);

/* What rests may come again. */
void ask_wake(struct ask *a);

/* Lowers the candidates that were ignored. */
void blend_discount(struct ask *a);

/* ---- The stages ---- */

/* Which sources: the one that was asked for, or those of the options. */
MUST_USE enum pal_status ask_sources(const struct ask *a, struct quota *out, size_t *count,
                                     struct pal_error *err);

/* What one source puts forward, best first. */
struct forward {
    const char *name;
    bool personal; /* it looked at the history */
    size_t count;
    struct bandit_pick *pick; /* (count) by catalog number */
};
MUST_USE enum pal_status candidates_of(struct ask *a, const struct quota *q, struct forward *out,
                                       struct pal_error *err);

/* Makes candidates of the lists. */
MUST_USE enum pal_status blend_all(struct ask *a, const struct forward *f, size_t count,
                                   struct pal_error *err);

/* Whether the ranker orders what is put forward: rerank.c. Its sources are the first of the quotas,
 * in its order; f: what they put forward. By stars only where the options want it. */
bool rerank_wanted(const struct ask *a);
MUST_USE enum pal_status rerank_sources(const struct ask *a, struct quota *out, size_t *count,
                                        struct pal_error *err);
MUST_USE enum pal_status rerank_by_trees(struct ask *a, const struct forward *f,
                                         struct pal_error *err);
MUST_USE enum pal_status rerank_by_stars(struct ask *a, struct pal_error *err);

/* What was put forward of this item, or NULL. */
struct candidate *blend_find(const struct ask *a, uint32_t item);

/* The places of the best `most` candidates, best first. */
MUST_USE enum pal_status blend_order(const struct ask *a, size_t most, uint32_t **out,
                                     size_t *count, struct pal_error *err);

/* Moves candidates to the list by relevance and difference, under the cap. */
MUST_USE enum pal_status list_diversify(struct ask *a, double diversity, struct pal_error *err);

/* Whether the cap lets the item in, and that it is in. */
bool cap_allows(const struct ask *a, uint32_t item);
void list_put(struct ask *a, uint32_t item, float score, const char *source, float propensity);

MUST_USE enum pal_status list_fill(struct ask *a, struct pal_error *err);
MUST_USE enum pal_status list_explore(struct ask *a, double chance, struct pal_error *err);
MUST_USE enum pal_status list_explain(const struct ask *a, struct pal_error *err);

#endif
