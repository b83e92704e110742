/* Two-stage ranking: models put candidates forward, a ranker orders them by what it knows of each.
 *
 * A ranker is a struct model whose table of operations is not in model.h's but here, since it needs
 * other models: those that were fitted before it (struct training sources), which it asks whenever
 * it is asked. Fitting one that learns (trees.c) is honest by itself: the newest part of the log is
 * put aside, the sources are fitted anew on the rest, and the ranker learns from what users did in
 * that part with what those sources put forward. It then ranks what the given sources, fitted on
 * all, put forward. The light one (by_stars.c) learns nothing.
 *
 * As a model it scores, so that it is evaluated, saved and compared like any other: candidates get
 * a score between 0 and 1, the rest of the items one below 0, by popularity. The engine, which has
 * lists of candidates already, asks for their order alone. */
#ifndef RANK_RANK_H
#define RANK_RANK_H

#include "model/model.h"
#include "rank/features.h"

/* The table of rankers; NULL past the last, or for an unknown name. */
const struct model_ops *ranker_at(size_t i);
const struct model_ops *ranker_find(const char *name);

static inline bool model_ranks(const struct model *m)
{
    return ranker_find(m->ops->name) != NULL;
}

/* Reads one from its file. It can't be asked before ranker_attach. */
MUST_USE enum pal_status ranker_load(const char *path, struct model **out, struct pal_error *err);

/* Gives it the sources it needs out of `models` (count, others may be among them), by name.
 * Borrowed: they must live as long as it is asked. PAL_ENOTFOUND if one is not there, or knows
 * other items than it did in training. */
MUST_USE enum pal_status ranker_attach(struct model *m, const struct model *const *models,
                                       size_t count, struct pal_error *err);

/* Whether it has them. */
bool ranker_ready(const struct model *m);

/* Whether it looks at how often and when users had an item (struct had). */
bool ranker_wants_had(const struct model *m);

/* Its sources, in the order in which ranker_order wants their lists. NULL past the last. */
const char *ranker_source(const struct model *m, size_t i);
size_t ranker_quota(const struct model *m); /* how many items each puts forward */

/* One candidate in the ranker's order. */
struct ranked_item {
    uint32_t item; /* by the ranker's numbers */
    float score;   /* above 0, below 1 */
};

/* The lists' items, each once, best first; equal scores as they stand in the lists. list: one for
 * each source; history by the ranker's numbers. *out lives in tmp. Any thread. 1 µs a candidate. */
MUST_USE enum pal_status ranker_order(const struct model *m, const struct history *h,
                                      const struct rank_list *list, struct arena *tmp,
                                      struct ranked_item **out, size_t *count,
                                      struct pal_error *err);

/* Appends a JSON object for people and reports:
 *     {"sources": ["als", …], "quota": 60, "lists": 3120, "ndcg@10": {"base": .21, "best": .25},
 *      "base": "als", "trees": 87, "importance": {"als.score": 0.31, …}}
 *     {"sources": ["als", …], "quota": 60, "judge": "svdpp"}
 * importance: each feature's share of the total gain, the greatest first; judge: whose stars count.
 */
void ranker_describe(const struct model *m, struct str *out);

#endif
