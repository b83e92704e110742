/* From a profile to an answer, in stages of which none knows the next:
 *
 *     candidates   from several sources with quotas ("als:100 ease:50 content:50 bandit:20")
 *     rank         reciprocal-rank blend
 *     filter       seen, unavailable, excluded, the request's expression
 *     diversify    maximal marginal relevance; caps per category
 *     explore      with a small probability a slot goes to the bandit; its propensity is kept
 *     fill         personal, bandit, popular, then the catalog, until there are n
 *
 * Everything read here is held still by the caller for the time of the call (see live.c), except
 * the bandit, which looks after itself. */
#ifndef ENGINE_PIPELINE_H
#define ENGINE_PIPELINE_H

#include "engine/bandit.h"
#include "engine/catalog.h"
#include "engine/filter.h"
#include "model/model.h"

enum { SOURCES_MOST = 16, PIPELINE_N_MOST = 1000 };

struct pipeline_options {
    const char *sources;   /* "als:100 ease:50 content:50 bandit:20 popular:20": model or source,
                              quota; a model that is not there is passed over */
    const char *newcomers; /* the same for users without a history: "bandit:50 popular:50" */
    double explore;        /* chance of each slot to be explored */
    double diversity;      /* MMR: 0 = by relevance alone, 1 = by difference alone */
    int64_t category_cap;  /* of n items, how many may share a category; 0 = no cap */
    bool again;            /* recommend what was seen already, too */
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
};

struct pipeline_input {
    const struct pipeline_options *options;
    const struct catalog *catalog;
    const struct bandit *bandit;
    const struct source *sources; /* (source_count) the snapshot's models */
    size_t source_count;

    struct history history; /* by catalog number, folded, signed */
    const uint32_t *seen;   /* (seen_count) by catalog number, any order, may repeat */
    size_t seen_count;
    const uint32_t *exclude; /* (exclude_count) */
    size_t exclude_count;
    struct filter *filter; /* parsed, not yet bound; NULL = none */

    size_t n;          /* 1 to PIPELINE_N_MOST */
    const char *model; /* only this source, without exploration; NULL = by the options */
    double explore;    /* below 0 = by the options */
    double diversity;  /* below 0 = by the options */
    bool explain;
    int64_t now_ms;
    struct rng *rng; /* the caller's; drives exploration and draws */
};

enum { PIPELINE_REASONS = 3 };

struct pipeline_reason {
    uint32_t item; /* catalog number, of the history */
    float part;
};

struct pipeline_item {
    uint32_t item;      /* catalog number */
    float score;        /* the blend's, or that of the only source */
    const char *source; /* a constant: who put it there: "als", "bandit", "popular", "catalog" */
    bool explored;
    float propensity; /* of having been chosen for this slot; 1 where nothing was random */
    size_t reason_count;
    struct pipeline_reason reason[PIPELINE_REASONS];
};

/* Writes up to n items, best first; fewer only when no more qualify. PAL_ENOTFOUND for a `model`
 * that is not there (lists those that are). */
MUST_USE enum pal_status pipeline_run(const struct pipeline_input *in, struct arena *tmp,
                                      struct pipeline_item *out, size_t *count,
                                      struct pal_error *err);

/* Orders these items (count) for the history: the same blend over them alone; what no source knows
 * comes last, popular ones first. out (count). */
MUST_USE enum pal_status pipeline_rank(const struct pipeline_input *in, const uint32_t *items,
                                       size_t count, struct arena *tmp, struct pipeline_item *out,
                                       struct pal_error *err);

/* The n items most like this one, by the first source that can tell and knows it; the filter, the
 * exclusions and availability of `in` apply. PAL_ENOTFOUND if none knows it. */
MUST_USE enum pal_status pipeline_similar(const struct pipeline_input *in, uint32_t item,
                                          struct arena *tmp, struct pipeline_item *out,
                                          size_t *count, struct pal_error *err);

/* What is popular or trending, under the same filter, exclusions and availability. */
MUST_USE enum pal_status pipeline_top(const struct pipeline_input *in, bool trending,
                                      struct arena *tmp, struct pipeline_item *out, size_t *count,
                                      struct pal_error *err);

#endif
