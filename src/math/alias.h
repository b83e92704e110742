/* Drawing from a list of unequal chances in constant time: the alias method (Walker 1974, with the
 * linear construction of Vose 1991). Each place is kept with some chance, and gives way to one
 * other place else. */
#ifndef MATH_ALIAS_H
#define MATH_ALIAS_H

#include <stdint.h>

struct alias {
    uint32_t keep, other; /* keep the place if 32 random bits are below `keep` */
};

/* Fills out (n) for chances in proportion to weight (n), positive, whose content is lost. stack
 * (n) is scratch. Linear time. */
void alias_make(double *weight, uint32_t n, struct alias *out, uint32_t *stack);

/* A place out of n > 0 by 64 random bits; table NULL = all alike. Chances are off by n / 2^32. */
static inline uint32_t alias_draw(const struct alias *table, uint32_t n, uint64_t bits)
{
    uint32_t i = (uint32_t)((uint64_t)(uint32_t)bits * n >> 32);
    return !table || (uint32_t)(bits >> 32) < table[i].keep ? i : table[i].other;
}

#endif
