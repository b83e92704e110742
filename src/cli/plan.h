/* Which models to train, with which options: what --model and --set ask for. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "cli/command.h"
#include "data/dataset.h"
#include "model/model.h"

#include <stdbool.h>

struct variant {
    const struct model_ops *ops;
    void *options;     /* the struct that ops->options describes */
    const char *label; /* as it was asked for: "als", "als+factors=128" */
};

struct plan {
    struct variant *variants; /* (count) */
    size_t count;
};

enum { PLAN_MOST = 64 };

/* The algorithm of that name: a model's or a ranker's (rank/rank.h), which ranks what the models
 * named before it put forward. NULL, or an error that lists the names, if there is none. */
const struct model_ops *plan_find(const char *name);
MUST_USE enum pal_status plan_ops(const char *name, const struct model_ops **out,
                                  struct pal_error *err);

/* Whether v ranks what others put forward. */
bool plan_ranks(const struct variant *v);

/* names: "als,als+factors=128,ease", NULL = what suits the data within the memory. Everything lives
 * in the job's arena. */
MUST_USE enum pal_status plan_make(struct job *job, const char *names, const struct dataset *d,
                                   uint64_t memory, struct plan *out, struct pal_error *err);

/* Whether names could be a plan, before there are data: PAL_EUSAGE as plan_make says it. */
MUST_USE enum pal_status plan_check(struct job *job, const char *names, struct pal_error *err);

/* Whether the data are such that the model is worth trying where nobody asked for it: not content
 * where there is nothing to read, not ease where it would take minutes. */
bool plan_suits(const char *model, const struct dataset *d);

/* Trains one; its progress is told under the variant's label. */
MUST_USE enum pal_status plan_fit(struct job *job, const struct variant *v,
                                  const struct training *t, uint64_t memory, struct model **out,
                                  struct pal_error *err);

/* The options as text that differ from the defaults: "factors=128 epochs=8". */
void put_options(const struct variant *v, struct str *out);

#endif
