/* See baskets.h. Baskets are ranges of the log as histories are, so that a list of where they begin
 * makes a log of baskets out of it, which is folded into signed weights as histories are. */
#include "model/baskets.h"

#include "base/mem.h"

#include <math.h>

/* Whether event i of a basket that began at `first` begins another one. */
static bool begins(const struct interactions *x, uint64_t first, uint64_t i, uint32_t window_s)
{
    return x->time_s && x->time_s[i] - x->time_s[first] > window_s;
}

/* Writes where baskets begin to start, if it isn't NULL, with the end of all behind; returns how
 * many there are. */
static uint64_t cut(const struct interactions *x, uint32_t window_s, uint64_t *start)
{
    uint64_t n = 0;
    for (uint32_t u = 0; u < x->users; u++) {
        uint64_t first = x->start[u];
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            if (i > x->start[u] && !begins(x, first, i, window_s))
                continue;
            first = i;
            if (start)
                start[n] = i;
            n++;
        }
    }
    if (start)
        start[n] = interactions_count(x);
    return n;
}

/* Leaves out what weighs little, and makes the rest 1 or -1. */
static void sharpen(struct csr *m, double least)
{
    uint64_t kept = 0, from = 0;
    for (uint32_t row = 0; row < m->rows; row++) {
        uint64_t end = m->start[row + 1];
        for (uint64_t i = from; i < end; i++) {
            if (fabs(m->val[i]) < least)
                continue;
            m->col[kept] = m->col[i];
            m->val[kept++] = m->val[i] > 0 ? 1 : -1;
        }
        from = end;
        m->start[row + 1] = kept;
    }
}

enum pal_status baskets_make(const struct training *t, uint32_t window_s, double least,
                             const struct run *run, struct csr *out, struct pal_error *err)
{
    struct interactions log = *t->log;
    uint64_t n = cut(t->log, window_s, NULL);
    if (n >= UINT32_MAX)
        return pal_fail(err, PAL_EUNSUPPORTED, "more than 4 billion baskets");
    log.start = mem_alloc(n + 1, sizeof *log.start);
    log.users = (uint32_t)n;
    if (!log.start)
        return pal_no_memory(err);
    cut(t->log, window_s, log.start);
    enum pal_status st = training_fold(&log, t->types, t->weights, run, out, err);
    if (st == PAL_OK)
        sharpen(out, least);
    mem_free(log.start);
    return st;
}
