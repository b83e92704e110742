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

/* What the order begins with before anything is learned: log(1 / place) of each candidate in one
 * source's list, or (source == view->sources) in the order of the sum of 1 / (60 + rank) over all;
 * what the list lacks comes behind it. So the chance of one to stand before another is that of
 * Bradley and Terry (1952) with 1 / place for strength. out (view->count). */
MUST_USE enum pal_status rank_base(const struct rank_view *view, size_t source, struct arena *tmp,
                                   float *out, struct pal_error *err);

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
