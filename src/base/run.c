/* See run.h. */
#include "base/run.h"

enum pal_status run_step(const struct run *run, const char *stage, uint64_t done, uint64_t total,
                         struct pal_error *err)
{
    if (!run)
        return PAL_OK;
    if (run->progress)
        run->progress(run->progress_ctx, stage, done, total);
    if (run->stop && *run->stop)
        return pal_fail(err, PAL_EINTERRUPTED, "interrupted while %s", stage);
    return PAL_OK;
}

void run_metric(const struct run *run, const char *name, uint64_t step, double value)
{
    if (run && run->metric)
        run->metric(run->metric_ctx, name, step, value);
}
