/* What all rankers have in common, for the files of this folder: the models that they rank for, the
 * functions that they have besides those of a model, and the scores of all items. */
#ifndef RANK_RANKER_H
#define RANK_RANKER_H

#include "rank/rank.h"

/* The first member of each ranker's own struct. */
struct ranker {
    struct model model;
    size_t sources;                           /* that put candidates forward */
    size_t judges;                            /* that stand behind these and only judge */
    char name[RANK_SOURCES][32];              /* of both, in order */
    const struct model *source[RANK_SOURCES]; /* attached; NULL = not yet */
};

static inline struct ranker *ranker_self(const struct model *m)
{
    return (struct ranker *)(uintptr_t)m;
}

struct ranker_ops {
    const struct model_ops *model;
    size_t (*quota)(const struct model *m); /* ranker_quota */
    enum pal_status (*order)(const struct model *m, const struct history *h,
                             const struct rank_list *list, struct arena *tmp,
                             struct ranked_item **out, size_t *count, struct pal_error *err);
    void (*describe)(const struct model *m, struct str *out);
    /* scores (items), below 0: of items that no source puts forward */
    void (*rest)(const struct model *m, float *scores);
    bool (*again)(const struct model *m); /* what users had is ranked, too; NULL = it is not */
};

extern const struct ranker_ops ranker_trees, ranker_stars;

/* Takes the names of t's sources and attaches them; of one kind the first. PAL_EUSAGE without. */
MUST_USE enum pal_status ranker_take(struct ranker *r, const struct training *t,
                                     struct pal_error *err);

/* Candidates by their sums (n), best first, each with the score that `scale` makes of its sum.
 * *out lives in tmp. */
MUST_USE enum pal_status ranker_sort(const uint32_t *item, const float *sum, size_t n,
                                     float (*scale)(float), struct arena *tmp,
                                     struct ranked_item **out, struct pal_error *err);

/* For the table of operations: asks the sources and orders what they put forward. */
MUST_USE enum pal_status ranker_score(const struct model *m, const struct history *h, size_t n,
                                      float *scores, struct arena *tmp, struct pal_error *err);

/* The names as metadata "palate.sources" of a file. */
MUST_USE enum pal_status ranker_save_names(const struct ranker *r, struct tensors_out *out,
                                           struct pal_error *err);
MUST_USE enum pal_status ranker_load_names(struct ranker *r, const struct tensors *file,
                                           struct pal_error *err);

/* Fails: the file can't be what ranker_save wrote. */
MUST_USE enum pal_status ranker_damaged(const struct tensors *file, const char *what,
                                        struct pal_error *err);

/* Appends "sources":["als", …],"quota":100 of a description. */
void ranker_put_sources(const struct model *m, struct str *out);

#endif
