/* The ranker by trees as the files of this folder share it. */
#ifndef RANK_TREES_H
#define RANK_TREES_H

#include "rank/boost.h"
#include "rank/ranker.h"

enum trees_base { BASE_BEST, BASE_SCORE, BASE_POPULARITY };

struct trees_options {
    int64_t quota, holdout, folds, moments, lists;
    int base;                   /* enum trees_base */
    bool again;                 /* what users had before is ranked, too */
    bool whole;                 /* sources score what others put forward, too */
    struct boost_options boost; /* its seed comes from the run */
};

struct trees_model {
    struct ranker ranker;
    struct known known;
    size_t base; /* what the trees are added to: see rank_base */
    struct forest forest;
    const float *gain; /* (features) */
    double trained[3]; /* lists; NDCG@10 by the base alone and with the trees */
    struct arena own;  /* what was made, not read from a file */
};

static inline struct trees_model *trees_self(const struct model *m)
{
    return (struct trees_model *)(uintptr_t)m;
}

/* For the table of operations: trees_fit.c, trees_file.c. */
MUST_USE enum pal_status trees_fit(struct model *m, const struct training *t, const struct run *run,
                                   struct pal_error *err);
MUST_USE enum pal_status trees_save(const struct model *m, struct tensors_out *out,
                                    struct pal_error *err);
MUST_USE enum pal_status trees_load(struct model *m, const struct tensors *file,
                                    struct pal_error *err);

void trees_describe(const struct model *m, struct str *out);

#endif
