/* See sort.h. Short ones are sorted by insertion; a byte that all keys share takes no pass. */
#include "base/sort.h"

#include <string.h>

enum { SHORT = 48 };

static void insert(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t x = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] >> 32 > x >> 32; j--)
            keys[j] = keys[j - 1];
        keys[j] = x;
    }
}

void sort_upper(uint64_t *keys, uint64_t *other, size_t n, int bytes)
{
    uint64_t *from = keys, *to = other;
    if (n <= SHORT) {
        insert(keys, n);
        return;
    }
    for (int shift = 32; shift < 32 + 8 * bytes; shift += 8) {
        size_t place[257] = {0};
        for (size_t i = 0; i < n; i++)
            place[(from[i] >> shift & 255) + 1]++;
        if (place[(from[0] >> shift & 255) + 1] == n)
            continue;
        for (int i = 0; i < 256; i++)
            place[i + 1] += place[i];
        for (size_t i = 0; i < n; i++)
            to[place[from[i] >> shift & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys)
        memcpy(keys, from, n * sizeof *keys);
}
