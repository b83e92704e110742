/* See mem.h. The counters are the only mutable state of the library besides the kernel table. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_FROM  ((size_t)4 << 20)
#define HUGE_ALIGN ((size_t)2 << 20)

static atomic_long calls, live, fail_at;

static int refused(void)
{
    long call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return at != 0 && call == at;
}

static void *counted(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

static int product(size_t n, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(n, size, bytes))
        return -1;
    if (*bytes == 0)
        *bytes = 1;
    return 0;
}

void *mem_alloc(size_t n, size_t size)
{
    size_t bytes;
    if (product(n, size, &bytes) || refused())
        return NULL;
    return counted(malloc(bytes));
}

void *mem_zero(size_t n, size_t size)
{
    size_t bytes;
    if (product(n, size, &bytes) || refused())
        return NULL;
    return counted(calloc(1, bytes));
}

void *mem_aligned(size_t n, size_t size)
{
    size_t bytes;
    if (product(n, size, &bytes) || refused())
        return NULL;
    size_t align = bytes >= HUGE_FROM ? HUGE_ALIGN : 64;
    void *p = NULL;
    if (posix_memalign(&p, align, bytes))
        return NULL;
    if (align == HUGE_ALIGN)
        madvise(p, bytes, MADV_HUGEPAGE); /* a wish, not a need: its failure costs only speed */
    return counted(p);
}

void *mem_resize(void *block, size_t n, size_t size)
{
    size_t bytes;
    if (product(n, size, &bytes) || refused())
        return NULL;
    void *p = realloc(block, bytes);
    return block ? p : counted(p);
}

int mem_grow(void *block_pointer, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t want = *cap ? *cap : 16;
    while (want < need)
        if (__builtin_mul_overflow(want, 2, &want))
            return -1;
    void *old;
    memcpy(&old, block_pointer, sizeof old);
    void *p = mem_resize(old, want, size);
    if (!p)
        return -1;
    memcpy(block_pointer, &p, sizeof p);
    *cap = want;
    return 0;
}

char *mem_text(const char *s, size_t len)
{
    char *p = len < SIZE_MAX ? mem_alloc(len + 1, 1) : NULL;
    if (p) {
        memcpy(p, s, len);
        p[len] = 0;
    }
    return p;
}

void mem_free(void *block)
{
    if (block) {
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
        free(block);
    }
}

void mem_fail_at(long n)
{
    long now = atomic_load_explicit(&calls, memory_order_relaxed);
    atomic_store_explicit(&fail_at, n ? now + n : 0, memory_order_relaxed);
}

long mem_calls(void)
{
    return atomic_load_explicit(&calls, memory_order_relaxed);
}

long mem_live(void)
{
    return atomic_load_explicit(&live, memory_order_relaxed);
}
