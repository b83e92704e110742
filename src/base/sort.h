/* Sorting by radix: linear, stable, without a function to compare. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* keys (n) ascend by their upper 32 bits afterwards, equal ones as they stood; the lower half goes
 * with them. Of the upper half only the lowest `bytes` bytes (1 to 4) are looked at: the rest is
 * equal. other (n) is room. */
void sort_upper(uint64_t *keys, uint64_t *other, size_t n, int bytes);

#endif
