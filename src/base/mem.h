/* The one seam through which palate gets heap memory, so that a test can make any allocation fail.
 *
 * All functions may be called from any thread. Every block is freed with mem_free. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* n * size bytes, uninitialized; NULL when memory is out or the product overflows.
 * A product of zero gives a valid block of one byte, so that NULL always means failure. */
void *mem_alloc(size_t n, size_t size) __attribute__((malloc));

/* The same, zeroed. */
void *mem_zero(size_t n, size_t size) __attribute__((malloc));

/* The same, on a 64-byte border, for arrays that kernels walk; from 4 MiB on a 2 MiB border with
 * huge pages asked for. */
void *mem_aligned(size_t n, size_t size) __attribute__((malloc));

/* realloc for blocks of mem_alloc and mem_zero. On failure the old block stays as it was. */
void *mem_resize(void *block, size_t n, size_t size);

/* Doubles an array until it holds `need` elements: *block has room for *cap elements of `size`
 * bytes. Returns 0 on success, -1 (nothing changed) when memory is out. */
int mem_grow(void *block_pointer, size_t *cap, size_t need, size_t size);

/* A copy of len bytes with a NUL after them. */
char *mem_text(const char *s, size_t len) __attribute__((malloc));

void mem_free(void *block);

/* For tests. mem_fail_at(n): the n-th allocation from now fails (1 = the next), once; 0 = none.
 * mem_calls: how many allocations were asked for since the program began. mem_live: how many
 * blocks are out. */
void mem_fail_at(long n);
long mem_calls(void);
long mem_live(void);

#endif
