/* See groups.h. */
#include "eval/groups.h"

#include "base/mem.h"
#include "eval/heldout.h"
#include "eval/metrics.h"
#include "eval/significance.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The bounds from the sorted lengths (n > 0): a group ends with the last user whose history is as
 * long as that of the one at its border; those that follow share what is left. */
static size_t cut(const uint64_t *sorted, uint32_t n, struct eval_group *out)
{
    size_t count = 0;
    uint32_t at = 0;
    for (uint32_t left = EVAL_GROUPS; left > 0 && at < n; left--) {
        uint32_t border = at + (n - at) / left;
        if (border == at)
            continue;
        uint32_t end = border;
        while (end < n && sorted[end] == sorted[border - 1])
            end++;
        out[count++] =
            (struct eval_group){.least = sorted[at], .most = sorted[end - 1], .users = end - at};
        at = end;
    }
    return count;
}

static void measure(const struct eval_result *r, const uint64_t *length, uint32_t *in,
                    struct eval_group *g)
{
    for (uint32_t u = 0; u < r->users; u++)
        in[u] = length[u] >= g->least && length[u] <= g->most;
    for (size_t m = 0; m < r->metric_count && m < sizeof g->value / sizeof *g->value; m++)
        g->value[m] = r->metrics[m].ops->kind == METRIC_WHOLE ? NAN : metric_mean(r, m, in);
}

enum pal_status eval_groups(const struct eval_result *r, const struct split *s,
                            struct eval_group out[EVAL_GROUPS], size_t *count,
                            struct pal_error *err)
{
    uint64_t *length = mem_alloc(r->users, sizeof *length);
    uint64_t *sorted = mem_alloc(r->users, sizeof *sorted);
    uint32_t *in = mem_alloc(r->users, sizeof *in);
    enum pal_status st = length && sorted && in ? PAL_OK : pal_no_memory(err);
    for (uint32_t i = 0; i < r->users && !st; i++) {
        const struct interactions *x = heldout_history(s, r->user[i]);
        length[i] = sorted[i] = x->start[r->user[i] + 1] - x->start[r->user[i]];
    }
    if (!st) {
        *count = 0;
        if (r->users) {
            qsort(sorted, r->users, sizeof *sorted, ascending);
            *count = cut(sorted, r->users, out);
        }
        for (size_t g = 0; g < *count; g++)
            measure(r, length, in, &out[g]);
    }
    mem_free(length);
    mem_free(sorted);
    mem_free(in);
    return st;
}
