/* See arena.h. Chunks double, so that n bytes cost O(log n) allocations. */
#include "base/arena.h"

#include "base/mem.h"

#include <string.h>

enum { BORDER = 64, FIRST_CHUNK = 1 << 14 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; /* bytes after the header */
};

/* The header takes one border, so that the bytes after it stay aligned. */
static char *chunk_bytes(struct arena_chunk *c)
{
    return (char *)c + BORDER;
}

void arena_init(struct arena *a)
{
    a->chunks = NULL;
    a->used = 0;
}

void arena_done(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *older = a->chunks->older;
        mem_free(a->chunks);
        a->chunks = older;
    }
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 4)
        return NULL;
    bytes = (bytes + BORDER - 1) / BORDER * BORDER;
    if (!a->chunks || a->chunks->size - a->used < bytes) {
        size_t want = a->chunks ? a->chunks->size * 2 : FIRST_CHUNK;
        while (want < bytes)
            want *= 2;
        struct arena_chunk *c = mem_aligned(want + BORDER, 1);
        if (!c)
            return NULL;
        c->size = want;
        c->older = a->chunks;
        a->chunks = c;
        a->used = 0;
    }
    void *p = chunk_bytes(a->chunks) + a->used;
    a->used += bytes;
    return p;
}

void *arena_zero(struct arena *a, size_t n, size_t size)
{
    void *p = arena_alloc(a, n, size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

char *arena_text(struct arena *a, const char *s, size_t len)
{
    char *p = len < SIZE_MAX ? arena_alloc(a, len + 1, 1) : NULL;
    if (p) {
        memcpy(p, s, len);
        p[len] = 0;
    }
    return p;
}

void arena_reset(struct arena *a)
{
    if (!a->chunks)
        return;
    struct arena_chunk *keep = a->chunks;
    while (keep->older) {
        struct arena_chunk *gone = keep->older;
        keep->older = gone->older;
        mem_free(gone);
    }
    a->used = 0;
}

size_t arena_size(const struct arena *a)
{
    size_t size = 0;
    for (const struct arena_chunk *c = a->chunks; c; c = c->older)
        size += c->size;
    return size;
}
