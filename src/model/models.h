/* The algorithms, for the table in model.c: one file, one row. */
#ifndef MODEL_MODELS_H
#define MODEL_MODELS_H

#include "model/model.h"

extern const struct model_ops model_random;
extern const struct model_ops model_popular;
extern const struct model_ops model_trending;
extern const struct model_ops model_habit;
extern const struct model_ops model_knn;
extern const struct model_ops model_together;
extern const struct model_ops model_ease;
extern const struct model_ops model_slim;
extern const struct model_ops model_graph;
extern const struct model_ops model_als;
extern const struct model_ops model_bpr;
extern const struct model_ops model_item2vec;
extern const struct model_ops model_svd;
extern const struct model_ops model_svdpp;
extern const struct model_ops model_content;

/* An empty model with a copy of the options (NULL = defaults); NULL when memory is out. */
struct model *model_make(const struct model_ops *ops, const void *options);

#endif
