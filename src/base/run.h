/* What long work needs from outside: threads, a seed, someone to tell how far it is, and a way to
 * be stopped. One struct run goes down through loaders, training and evaluation. */
#ifndef BASE_RUN_H
#define BASE_RUN_H

#include "base/error.h"
#include "base/pool.h"

#include <stdatomic.h>

/* Told from the thread that does the work, often: be quick. stage is a constant such as "loading";
 * total is 0 when unknown. */
typedef void run_progress_fn(void *ctx, const char *stage, uint64_t done, uint64_t total);

/* A figure that shows how training goes, after step number `step` (an epoch), from 1. Told from the
 * thread that does the work; name is a constant such as "loss". */
typedef void run_metric_fn(void *ctx, const char *name, uint64_t step, double value);

struct run {
    struct pool *pool; /* borrowed; NULL = the caller's thread alone */
    uint64_t seed;
    run_progress_fn *progress; /* NULL = nobody listens */
    void *progress_ctx;
    const atomic_int *stop; /* borrowed; NULL = never. Becomes non-zero to stop */
    run_metric_fn *metric;  /* NULL = nobody listens: then it need not be computed */
    void *metric_ctx;
};

/* Reports progress; PAL_EINTERRUPTED if the run was told to stop. run may be NULL. */
MUST_USE enum pal_status run_step(const struct run *run, const char *stage, uint64_t done,
                                  uint64_t total, struct pal_error *err);

/* Tells a figure to whoever listens; run may be NULL. */
void run_metric(const struct run *run, const char *name, uint64_t step, double value);

#endif
