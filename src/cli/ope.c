/* See ope.h. */
#include "cli/ope.h"
#include "cli/source.h"

#include <math.h>

struct policy_options ope_options(const struct job *job)
{
    return (struct policy_options){.clip = job->set.clip,
                                   .bootstrap = job->set.bootstrap,
                                   .confidence = job->set.confidence,
                                   .seed = (uint64_t)job->set.seed};
}

void ope_put_value(struct table *t, const struct policy_value *v, enum policy_estimator e)
{
    table_cell(t, "%.5f", v->value[e]);
    if (isnan(v->low[e]))
        table_put(t, DIM, "");
    else
        table_cell(t, "%.5f to %.5f", v->low[e], v->high[e]);
}

void ope_emit_value(struct emit *e, const struct policy_value *v, enum policy_estimator which)
{
    emit_number(e, "value", v->value[which]);
    if (isnan(v->low[which])) {
        emit_raw(e, "interval", "null");
        return;
    }
    emit_open(e, "interval", '[');
    emit_number(e, NULL, v->low[which]);
    emit_number(e, NULL, v->high[which]);
    emit_close(e, ']');
}

enum pal_status ope_run(struct job *job, struct pal_error *err)
{
    enum pal_status st = source_choose(job, err);
    if (!st)
        st = job_threads(job, err);
    if (st)
        return st;
    const char *data = job->set.data;
    if (data && *data && !source_is_store(data))
        return ope_logs(job, err);
    if (data && *data)
        st = job_set(job, option_index("store", 5), data, job->origin[option_index("data", 4)],
                     NULL, err);
    return st ? st : ope_served(job, err);
}
