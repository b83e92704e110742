/* The files that bench/train and bench/linear exchange with their peers (train_als.c says what is
 * in them), read and written by programs that end with a message when anything fails. */
#ifndef BENCH_MATRIX_FILE_H
#define BENCH_MATRIX_FILE_H

#include "base/mem.h"
#include "math/csr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}

static inline void check(enum pal_status st, const struct pal_error *err)
{
    if (st != PAL_OK)
        die(err->message);
}

static inline void *allocate(size_t n, size_t size)
{
    void *p = mem_aligned(n, size);
    if (!p)
        die("out of memory");
    return p;
}

static inline FILE *open_file(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f)
        die(path);
    return f;
}

static inline void get(FILE *f, void *p, size_t n, size_t size)
{
    if (fread(p, size, n, f) != n)
        die("a file is shorter than it says");
}

static inline void put(FILE *f, const void *p, size_t n, size_t size)
{
    if (fwrite(p, size, n, f) != n)
        die("can't write");
}

static inline struct csr read_matrix(const char *path)
{
    struct csr m;
    struct pal_error err;
    uint32_t shape[2];
    FILE *f = open_file(path, "rb");
    get(f, shape, 2, sizeof *shape);
    uint64_t *start = allocate((size_t)shape[0] + 1, sizeof *start);
    get(f, start, (size_t)shape[0] + 1, sizeof *start);
    check(csr_alloc(&m, shape[0], shape[1], start[shape[0]], &err), &err);
    memcpy(m.start, start, ((size_t)shape[0] + 1) * sizeof *start);
    mem_free(start);
    get(f, m.col, m.start[m.rows], sizeof *m.col);
    get(f, m.val, m.start[m.rows], sizeof *m.val);
    fclose(f);
    return m;
}

static inline float *read_floats(const char *path, size_t n)
{
    float *x = allocate(n, sizeof *x);
    FILE *f = open_file(path, "rb");
    get(f, x, n, sizeof *x);
    fclose(f);
    return x;
}

static inline void write_all(const char *path, const void *p, size_t n, size_t size)
{
    FILE *f = open_file(path, "wb");
    put(f, p, n, size);
    if (fclose(f))
        die("can't write");
}

#endif
