/* See alias.h: what a place has less than the mean is filled up by one that has more. */
#include "math/alias.h"

void alias_make(double *weight, uint32_t n, struct alias *out, uint32_t *stack)
{
    uint32_t small = 0, large = 0; /* the small on the stack from below, the large from above */
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += weight[i];
    for (uint32_t i = 0; i < n; i++) {
        weight[i] *= n / sum;
        out[i] = (struct alias){UINT32_MAX, i};
        if (weight[i] < 1)
            stack[small++] = i;
        else
            stack[n - ++large] = i;
    }
    while (small > 0 && large > 0) {
        uint32_t little = stack[--small], much = stack[n - large];
        out[little] = (struct alias){(uint32_t)(weight[little] * 4294967295.0), much};
        weight[much] -= 1 - weight[little];
        if (weight[much] < 1) {
            large--;
            stack[small++] = much;
        }
    }
}
