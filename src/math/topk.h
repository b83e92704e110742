/* The k largest of n scores, in order. */
#ifndef MATH_TOPK_H
#define MATH_TOPK_H

#include <stddef.h>
#include <stdint.h>

struct scored {
    uint32_t index;
    float score;
};

/* Writes the best min(k, n) of scores to out, best first; equal scores by ascending index, so that
 * the answer is one and the same everywhere. An item whose score is -INFINITY or NaN is never
 * among them. Returns how many were written. O(n + k log k) for k well below n. */
size_t topk(const float *scores, size_t n, size_t k, struct scored *out);

/* out = scores, but -INFINITY where skip is not 0; all (n). out may be scores. */
void topk_hide(const float *scores, const uint8_t *skip, size_t n, float *out);

#endif
