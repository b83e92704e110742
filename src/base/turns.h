/* Whose turn it is where threads share cores: those who answer come before those who tidy up. All
 * of it is a wish: what a kernel does not know is left undone. */
#ifndef BASE_TURNS_H
#define BASE_TURNS_H

#include <stddef.h>
#include <stdint.h>

/* The calling thread answers people: it runs in short slices and so gets its turn soon after it
 * wakes, without getting more time in all (Linux 6.12 and later). About a microsecond. */
void turns_soon(void);

/* The calling thread works in the background: its waking interrupts nobody. */
void turns_behind(void);

/* Work in the background that may take its time; zeroed where it begins. */
struct turns {
    size_t calls;
    uint64_t began_ns;
};

/* Lets whoever waits for this core go first, at every 2^shift-th call; for a tenth of a second, so
 * that cores which are always wanted don't keep the work from ever ending. */
void turns_pass(struct turns *t, unsigned shift);

#endif
