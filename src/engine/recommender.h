/* From a published version or a fresh model to an answer: which items, for whom, and why.
 *
 * A recommender joins a catalog (ids, titles, categories) with one or more models, maps between
 * their numbers by item id, and answers for any history. It does not change once made: any number
 * of threads may ask, each with an arena of its own. */
#ifndef ENGINE_RECOMMENDER_H
#define ENGINE_RECOMMENDER_H

#include "data/weights.h"
#include "engine/reason.h"
#include "model/model.h"

struct recommender;

/* Loads the version in folder `dir` (see registry/registry.h): its catalog and every model in it,
 * or only those named in `only` ("als,ease"; NULL = all). A damaged file is an error. */
MUST_USE enum pal_status recommender_open(const char *dir, const char *only,
                                          struct recommender **out, struct pal_error *err);

/* The same from what is in memory: takes over the models (count) on success, copies the items. */
MUST_USE enum pal_status recommender_new(const struct items *items, struct model **models,
                                         size_t count, struct recommender **out,
                                         struct pal_error *err);

/* The same over a catalog that stays the caller's and outlives it. The catalog may grow (while
 * nobody asks): items past those that the models know are recommended last. */
MUST_USE enum pal_status recommender_over(const struct items *items, struct model **models,
                                          size_t count, struct recommender **out,
                                          struct pal_error *err);

/* Takes over the models (count), each in place of the one of its name, else as the last. All of
 * them or none; not while anybody asks. */
MUST_USE enum pal_status recommender_put(struct recommender *r, struct model **models, size_t count,
                                         struct pal_error *err);
void recommender_free(struct recommender *r); /* NULL is fine */

const struct items *recommender_items(const struct recommender *r);
size_t recommender_models(const struct recommender *r);
const struct model *recommender_model(const struct recommender *r, size_t i);

/* The same, for saving it: its card gets filled in. */
struct model *recommender_own(struct recommender *r, size_t i);

/* Stands r over a catalog of the caller's, as recommender_over does: `items` is where it will be
 * from now on, `like` what it holds by then. Not while anybody asks. */
MUST_USE enum pal_status recommender_rebase(struct recommender *r, const struct items *like,
                                            const struct items *items, struct pal_error *err);

struct recommendation {
    uint32_t item;      /* by catalog number */
    float score;        /* of the model that ranked it, or the blend's */
    const char *source; /* that model's name: a constant. Where it only filled up "popular", or
                           "catalog" for what a popular model does not know either */
    size_t reason_count;
    struct reason reason[REASONS]; /* strongest first; liked items that speak for it */
};

/* A call for recommendations; zeroed means: 10 from the first model, nothing excluded. */
struct request {
    struct history history;  /* items by catalog number */
    const char *model;       /* NULL = the first; a name; "blend" = all by reciprocal rank */
    size_t n;                /* 0 = 10 */
    const uint32_t *exclude; /* (exclude_count) besides the history itself */
    size_t exclude_count;
    int explain;
};

/* Writes up to n recommendations to out; *count receives how many: fewer only when the catalog has
 * no more. Never an item of the history.
 *
 * Items come in the order of the model's scores. Where it says nothing (a score of exactly 0, as
 * neighbourhood models have for most items) what is popular comes first; items that the model does
 * not know come last. Someone who liked nothing that the model knows is answered with what is
 * popular, less what the model finds near their dislikes.
 *
 * Costs what scoring every item costs the model; memory from tmp: about 10 bytes per item. */
MUST_USE enum pal_status recommend(const struct recommender *r, const struct request *q,
                                   struct arena *tmp, struct recommendation *out, size_t *count,
                                   struct pal_error *err);

/* The n items most like this one by the named model, or by the first that can tell and knows the
 * item; fewer if no more are like it at all. PAL_EUNSUPPORTED if the model can't tell,
 * PAL_ENOTFOUND if it doesn't know the item. */
MUST_USE enum pal_status recommend_similar(const struct recommender *r, uint32_t item,
                                           const char *model, size_t n, struct arena *tmp,
                                           struct recommendation *out, size_t *count,
                                           struct pal_error *err);

/* The item a person means: by exact id, else by exact title, else the only one of the best kind of
 * match that there is: the title but for case, accents, punctuation, a leading article and a year
 * not given ("the matrix" is "Matrix, The (1999)"), a name in its parentheses, a part of it.
 * PAL_ENOTFOUND lists titles when several match or, the nearest ones, when none does. 0.2 µs per
 * title. */
MUST_USE enum pal_status find_item(const struct items *items, const char *text, uint32_t *item,
                                   struct pal_error *err);

/* The items of "Toy Story (1995),Heat (1995)": a comma separates, unless the text around it
 * matches a title with the comma in it ("Good, the Bad and the Ugly, The (1966)"). A leading "-"
 * marks a dislike. Arrays live in tmp. */
MUST_USE enum pal_status find_history(const struct items *items, const char *text,
                                      struct arena *tmp, struct history *out,
                                      struct pal_error *err);

#endif
