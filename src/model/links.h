/* Items that speak for items: the sparse matrix behind item-kNN and the truncated EASE.
 *
 * Row j holds the items that j in a history speaks for, and how strongly; a score is the sum over
 * the history of weight times link. Which links are kept is decided for each target: its k
 * strongest, so that a rare item keeps its few witnesses even where popular ones have stronger
 * links to others. */
#ifndef MODEL_LINKS_H
#define MODEL_LINKS_H

#include "model/model.h"

struct links {
    struct csr from;     /* (items, items) */
    const void *in_file; /* not NULL: a view of a model file */
};

/* best (items, k): for target i its count[i] sources and how strongly each speaks for it. */
MUST_USE enum pal_status links_make(const struct scored *best, const uint32_t *count,
                                    uint32_t items, size_t k, struct links *out,
                                    struct pal_error *err);
void links_done(struct links *l);

/* What links_make and its arguments take at most. */
uint64_t links_bytes(uint64_t items, uint64_t k);

/* See struct model_ops for these. */
void links_score(const struct links *l, const struct history *h, size_t n, float *scores);
void links_similar(const struct links *l, uint32_t item, float *scores);
void links_explain(const struct links *l, const struct history *h, uint32_t item, float *part);
MUST_USE enum pal_status links_save(const struct links *l, struct tensors_out *out,
                                    struct pal_error *err);
MUST_USE enum pal_status links_load(const struct tensors *file, uint32_t items, struct links *out,
                                    struct pal_error *err);

#endif
