/* What popular and trending share: sums of what users think of each item, and lists that are the
 * same for everyone. */
#ifndef MODEL_POPULAR_H
#define MODEL_POPULAR_H

#include "model/model.h"

struct popular_model {
    struct model model;
    const float *score;   /* (items) own, or in the file */
    float *own;           /* NULL when loaded */
    struct scored *order; /* (items) the best first */
};

/* sum (items), zeroed by the caller: each user's folded weights, added up. half_life_days > 0: each
 * event counts 2^(-its age before the newest one of all, over that); the log must have times. */
MUST_USE enum pal_status popular_sums(const struct training *t, double half_life_days,
                                      const struct run *run, double *sum, struct pal_error *err);

/* The model of these scores (items): fills m's own fields. */
MUST_USE enum pal_status popular_take(struct model *m, const double *score, struct pal_error *err);

/* Operations of a model whose scores those are; m is a struct popular_model. */
enum pal_status popular_score(const struct model *m, const struct history *h, size_t n,
                              float *scores, struct arena *tmp, struct pal_error *err);
enum pal_status popular_retrieve(const struct model *m, const struct history *h,
                                 const uint8_t *skip, size_t k, struct arena *tmp,
                                 struct scored *out, size_t *count, bool *done,
                                 struct pal_error *err);
enum pal_status popular_save(const struct model *m, struct tensors_out *out, struct pal_error *err);
enum pal_status popular_load(struct model *m, const struct tensors *file, struct pal_error *err);
void popular_done(struct model *m);

#endif
