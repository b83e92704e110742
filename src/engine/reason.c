/* See reason.h. */
#include "engine/reason.h"

size_t reasons_pick(const float *part, const uint32_t *item, const float *weight, size_t n,
                    struct reason *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(part[i] > 0) || !(weight[i] > 0))
            continue;
        size_t at = count < REASONS ? count++ : REASONS;
        for (; at > 0 && part[i] > out[at - 1].part; at--)
            if (at < REASONS)
                out[at] = out[at - 1];
        if (at < REASONS)
            out[at] = (struct reason){item[i], part[i]};
    }
    return count;
}
