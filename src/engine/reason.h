/* Why an item is recommended: which of the history speak for it. */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include <stddef.h>
#include <stdint.h>

struct reason {
    uint32_t item; /* of the history, by catalog number */
    float part;    /* what it adds to the score */
};

enum { REASONS = 3 };

/* The strongest of the history's parts (n) that are positive and of something liked, strongest
 * first, into out (REASONS), with the history's own numbers as items; returns how many. */
size_t reasons_pick(const float *part, const uint32_t *item, const float *weight, size_t n,
                    struct reason *out);

#endif
