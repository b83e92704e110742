/* From a profile to an answer, in stages of which none knows the next:
 *
 *     filter       seen, unavailable, excluded, what the request's expression leaves out: before
 *                  anything is ranked, so that no quota is spent on what may not be shown
 *     candidates   from several sources with quotas ("als:100 ease:50 content:50 bandit:20")
 *     blend        one order by reciprocal rank; what does not look at the history counts less
 *                  where something does
 *     rank         the order of a trained ranker instead, or one that expected stars take part in
 *     diversify    maximal marginal relevance; caps per category
 *     fill         the rest of the candidates, bandit, popular, the catalog, until there are n
 *     explore      with a small probability a slot goes to the bandit; its propensity is kept
 *     explain      which of the history speak for an item
 *
 * Everything read here is held still by the caller for the time of the call (see live.c), except
 * the bandit, which looks after itself. Any number of threads may ask at once, each with an arena
 * and random numbers of its own; the same input and state of these gives the same answer. */
#ifndef ENGINE_PIPELINE_H
#define ENGINE_PIPELINE_H

#include "engine/bandit.h"
#include "engine/catalog.h"
#include "engine/filter.h"
#include "engine/reason.h"
#include "model/model.h"

enum { SOURCES_MOST = 16, QUOTA_MOST = 1000, PIPELINE_N_MOST = 1000 };

enum ranker_choice { RANKER_AUTO, RANKER_BLEND, RANKER_TREES, RANKER_SVD };

struct pipeline_options {
    const char *sources;   /* "als:100 ease:50 content:50 popular:20": model or source,
                              quota; a model that is not there is passed over */
    const char *newcomers; /* the same for users without a history: "bandit:50 popular:50" */
    double explore;        /* chance of each slot to be explored */
    double diversity;      /* MMR: 0 = by relevance alone, 1 = by difference alone */
    int64_t category_cap;  /* of n items, how many may share a category as long as there are
                              others; 0 = no cap */
    int ranker;            /* enum ranker_choice */
    bool again;            /* recommend what was seen already, too */
    double ignored;        /* what is left of an item's sum each time its user ignored it */
    double ignored_days;   /* half-life of that; 0 = for good */
};
extern const struct opt_table pipeline_option_table; /* engine.sources=… */

/* Checks what the table can't: PAL_EUSAGE for a quota list that can't be read or knows no such
 * source (any model name, "bandit", "popular", "trending", "random"). */
MUST_USE enum pal_status pipeline_check(const struct pipeline_options *o, struct pal_error *err);

/* A model and how its items' numbers and the catalog's correspond. */
struct source {
    const struct model *model;
    const uint32_t *to_catalog; /* (model items) INTERN_NONE for what the catalog lacks */
    const uint32_t *to_model;   /* (mapped) INTERN_NONE for what the model lacks */
    uint32_t mapped;            /* catalog items that there were when this was made */
    uint8_t *skip; /* (model items) 1 for what the catalog lacks or that is not available: what
                      every request begins with. NULL: each works it out, 1 ns per item */
};

/* Fills *out for the model, which stays the caller's and outlives it. Linear in the model's items;
 * catalog_find for each. */
MUST_USE enum pal_status source_open(const struct model *model, const struct catalog *c,
                                     struct source *out, struct pal_error *err);
void source_close(struct source *s); /* frees the three arrays; zeroes */

/* To be called for each source after item `number` of the catalog was put or removed, under the
 * same exclusion: keeps skip right. Constant time. */
void source_note(struct source *s, const struct catalog *c, uint32_t number);

struct pipeline_input {
    const struct pipeline_options *options;
    const struct catalog *catalog;
    const struct bandit *bandit;
    const struct source *sources; /* (source_count) the snapshot's models */
    size_t source_count;
    const struct source *ranker; /* a ranker whose sources are all there; NULL = none */

    struct history history; /* by catalog number, folded, signed; numbers past the catalog are
                               passed over */
    const uint32_t *seen;   /* (seen_count) by catalog number, any order, may repeat */
    size_t seen_count;
    const uint32_t *exclude; /* (exclude_count) */
    size_t exclude_count;
    const uint32_t *ignored;    /* (ignored_count) what was shown to the user and left, */
    const float *ignored_times; /* (ignored_count) how often. Not looked at with `model` */
    size_t ignored_count;
    struct filter *filter; /* parsed, not yet bound; NULL = none */

    size_t n;          /* 1 to PIPELINE_N_MOST */
    const char *model; /* only this model, or "bandit", "popular", "trending", "random", without
                          exploration, and diverse only if asked; NULL = by the options */
    double explore;    /* below 0 = by the options */
    double diversity;  /* below 0 = by the options */
    bool explain;
    int64_t now_ms;
    struct rng *rng; /* the caller's; drives exploration and draws */
};

enum { PIPELINE_REASONS = REASONS };

/* propensity: the chance that this item was put into this slot, given what stands above it; what
 * inverse propensity scoring divides by. With e for the chance of a slot to be explored,
 *
 *     explored                         e · b   b: the bandit's chance to draw this item alone from
 *                                              all that may be shown and is in no other slot
 *     put forward by the bandit's      (1 - e) · b   b: its chance to be in that draw
 *       draw of candidates
 *     any other                        1 - e
 *
 * e is 0 for slots past the number of items that could be drawn. The list before exploration is
 * whole, and a draw is never from it: so an item is either explored or would have been there
 * anyway, and the two chances need not be added. The draw of candidates moves other items too,
 * through the blend; that is not counted: their propensities are given the candidates. */
struct pipeline_item {
    uint32_t item;      /* catalog number */
    float score;        /* the blend's, or that of the only source; explored: the draw; filled: 0 */
    const char *source; /* a constant: who put it there: "als", "bandit", "popular", "catalog" */
    bool explored;
    float propensity; /* above 0; 1 where nothing was random */
    size_t reason_count;
    struct reason reason[PIPELINE_REASONS]; /* by catalog number, strongest first */
};

/* Writes up to n items to out (n), best first; fewer only when no more qualify. PAL_ENOTFOUND for a
 * `model` that is not there (lists those that are), PAL_EUSAGE for an n out of range.
 *
 * Someone who liked nothing that a model knows is a newcomer: `newcomers` are the sources then, and
 * what is near to their dislikes sinks. Costs what the models cost, a byte per item of each, and 10
 * to 20 µs; a filter that leaves little costs 20 ns per item of the catalog more. */
MUST_USE enum pal_status pipeline_run(const struct pipeline_input *in, struct arena *tmp,
                                      struct pipeline_item *out, size_t *count,
                                      struct pal_error *err);

/* Orders these items (count), all below catalog_count, for the history: the same blend over them
 * alone; what no source knows comes last, by what the bandit knows of it. Those that the ranker's
 * sources put forward, of all items, stand in its order in the places that the blend has for them.
 * Nothing is left out: not what was seen, nor by a filter. out (count). */
MUST_USE enum pal_status pipeline_rank(const struct pipeline_input *in, const uint32_t *items,
                                       size_t count, struct arena *tmp, struct pipeline_item *out,
                                       struct pal_error *err);

/* The n items most like this one, by the first source (or in->model) that can tell and knows it;
 * the filter, the exclusions and availability of `in` apply. PAL_ENOTFOUND if none knows it. */
MUST_USE enum pal_status pipeline_similar(const struct pipeline_input *in, uint32_t item,
                                          struct arena *tmp, struct pipeline_item *out,
                                          size_t *count, struct pal_error *err);

/* What is popular or trending, under the same filter, exclusions and availability. */
MUST_USE enum pal_status pipeline_top(const struct pipeline_input *in, bool trending,
                                      struct arena *tmp, struct pipeline_item *out, size_t *count,
                                      struct pal_error *err);

#endif
