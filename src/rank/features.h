/* What the ranker knows of a candidate: one table of features, a row each, over the lists of the
 * sources, the history, and what was known of the items (rank/known.h). To add one is to write a
 * function and a row. */
#ifndef RANK_FEATURES_H
#define RANK_FEATURES_H

#include "rank/known.h"

enum { RANK_SOURCES = 16, FEATURES_MOST = 128, FEATURE_NAME = 64 };

/* What one source puts forward, best first; INTERN_NONE for an item that is not known here, which
 * keeps its place. */
struct rank_list {
    size_t count;
    const uint32_t *item; /* (count) each once */
    const float *score;   /* (count) */
};

/* One asking: the candidates, each once, and what the features are computed from. */
struct rank_view {
    const struct known *known;
    const struct history *history; /* by the same numbers as known */
    size_t sources, count;
    uint32_t *item; /* (count) known ones, in order of the lists */
    float *score;   /* (sources, count) NaN where the source doesn't have it, as for the next */
    float *place;   /* (sources, count) from 1 on; equal scores share the mean of theirs */

    float *liked, *disliked;   /* (known->labels) each category's share of what the history says */
    float all_liked;           /* the weight of all likes */
    float *label_liked;        /* (known->labels) of those in a category */
    float *kind_liked;         /* (known->kinds.values) of those with a value */
    uint32_t *own;             /* (count) the place of a candidate in the history + 1, 0 = nowhere;
                                  NULL without known->again */
    uint32_t last;             /* the item liked last, or INTERN_NONE */
    float likes;               /* share of the history's items that were liked */
    float taste;               /* mean popularity of those */
    float mean[KNOWN_NUMBERS]; /* of their attributes; NaN without */
};

/* Joins the lists (sources). Everything lives in tmp. Linear in the lists and the history. */
MUST_USE enum pal_status rank_view_make(const struct known *known, const struct history *history,
                                        const struct rank_list *list, size_t sources,
                                        struct arena *tmp, struct rank_view *out,
                                        struct pal_error *err);

/* Fills in what sources (view->sources) make of the candidates that others put forward: scores,
 * not places. Source i knows the same items by the same numbers. They score all of their items. */
MUST_USE enum pal_status rank_view_complete(struct rank_view *view,
                                            const struct model *const *source, struct arena *tmp,
                                            struct pal_error *err);

/* What the order begins with before anything is learned, one of rank_bases(sources), in which
 * differences are the log odds of standing before another as in Bradley and Terry (1952). out
 * (view->count), by `base`:
 *     below sources      -log(place) in that source's list; what it lacks comes behind
 *     sources            the same in the order of the sum of 1 / (60 + rank) over all sources
 *     sources + 1        log of how often the item was liked, as known->popularity has it
 *     sources + 2 + s    log of source s's score; what it lacks, or has none above 0, has a tenth
 * of the least */
MUST_USE enum pal_status rank_base(const struct rank_view *view, size_t base, struct arena *tmp,
                                   float *out, struct pal_error *err);

static inline size_t rank_bases(size_t sources)
{
    return 2 * sources + 2;
}

/* How many features there are for so many sources, and what is known. */
size_t features_count(const struct known *known, size_t sources);

/* Appends the names, one after the other with a blank between: "als.score als.rank … hour.sin". */
void features_names(const struct known *known, const char *const *source, size_t sources,
                    struct str *out);

/* What a feature is, by a name of that list: a constant. */
const char *features_help(const char *name);

/* out (features, stride): feature f of candidate i at [f * stride + i]; NaN where it is not known.
 * stride at least view->count. */
void features_fill(const struct rank_view *view, float *out, size_t stride);

#endif
