/* How fast the inner loops are on this machine, one thread: each kernel in each variant that the
 * CPU runs, beside the rate at which it can multiply and add at all ("peak": 16 independent chains
 * of FMA in registers). One JSON object on stdout; a table for people on stderr.
 *
 *     bench/kernels [--quick] [VARIANT]
 *
 * Processor time, so that other programs count less; each figure is the best of several repeats:
 * what else runs on the machine only ever slows. */
#include "math/kernels.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/solve.h"

#include <stdio.h>
#include <string.h>

#include "peak.h"
#include "seconds.h"

enum { MATRIX_ROWS = 20108, MOST = 1024 };

static double seconds_per_try = 0.3;

/* ---- kernels ---- */

struct world {
    const struct kernels *k;
    size_t d, count;
    float *A, *G, *spare, *x, *y, *w;
    uint32_t *index;
};

typedef void body_fn(struct world *w);

static void run_syrk(struct world *w)
{
    size_t ld = solve_stride(w->d);
    w->k->gather_syrk(w->A, w->d, w->d, w->index, w->count, w->w, w->G, ld);
}

static void run_factor(struct world *w)
{
    size_t ld = solve_stride(w->d);
    memcpy(w->spare, w->G, w->d * ld * sizeof *w->G);
    w->k->cholesky_factor(w->spare, w->d, ld);
}

static void run_solve(struct world *w)
{
    memcpy(w->x, w->y, w->d * sizeof *w->x);
    w->k->cholesky_solve(w->spare, w->d, solve_stride(w->d), w->x);
}

static void run_apply(struct world *w)
{
    memset(w->y, 0, w->d * sizeof *w->y);
    w->k->gather_apply(w->A, w->d, w->d, w->index, w->count, 0, w->w, w->x, NULL, w->y);
}

static void run_dot(struct world *w)
{
    w->k->gather_dot(w->A, w->d, w->d, w->index, w->count, 0, w->x, w->spare);
}

static void run_gemm(struct world *w)
{
    size_t ld = solve_stride(w->d);
    w->k->gemm(32, w->d, w->d, w->A, w->d, w->G, ld, w->spare, ld);
}

/* Seconds for one call, the best of five tries. */
static double time_of(body_fn *body, struct world *w)
{
    double best = 1e9;
    body(w);
    for (int try = 0; try < 5; try++) {
        long n = 0;
        double start = thread_seconds(), used;
        do {
            for (int i = 0; i < 4; i++)
                body(w);
            n += 4;
            used = thread_seconds() - start;
        } while (used < seconds_per_try / 5);
        best = used / (double)n < best ? used / (double)n : best;
    }
    return best;
}

static int first_row = 1;

static void report(const struct world *w, const char *name, double flops, double seconds,
                   double top)
{
    double rate = flops / seconds / 1e9;
    printf("%s\n  {\"kernel\": \"%s\", \"variant\": \"%s\", \"d\": %zu, \"rows\": %zu, "
           "\"us\": %.3f, \"gflops\": %.2f}",
           first_row ? "" : ",", name, w->k->name, w->d, w->count, seconds * 1e6, rate);
    fprintf(stderr, "%-8s %-18s d %4zu  rows %4zu  %9.2f us  %7.1f GF/s", w->k->name, name, w->d,
            w->count, seconds * 1e6, rate);
    fprintf(stderr, top > 0 ? "  %3.0f %%\n" : "\n", 100 * rate / top);
    first_row = 0;
}

static void measure(struct world *w, double top)
{
    double d = (double)w->d, n = (double)w->count;
    memset(w->G, 0, w->d * solve_stride(w->d) * sizeof *w->G);
    report(w, "gather_syrk", n * d * d, time_of(run_syrk, w), top);
    memset(w->G, 0, w->d * solve_stride(w->d) * sizeof *w->G);
    run_syrk(w);
    for (size_t i = 0; i < w->d; i++)
        w->G[i * (solve_stride(w->d) + 1)] += 10;
    report(w, "cholesky_factor", d * d * d / 3, time_of(run_factor, w), top);
    report(w, "cholesky_solve", 2 * d * d, time_of(run_solve, w), top);
    report(w, "gather_apply", 4 * n * d, time_of(run_apply, w), top);
    report(w, "gather_dot", 2 * n * d, time_of(run_dot, w), top);
    report(w, "gemm of 32 rows", 2 * 32 * d * d, time_of(run_gemm, w), top);
}

static int make(struct world *w)
{
    size_t square = MOST * (MOST + 32);
    w->A = mem_aligned((size_t)MATRIX_ROWS * MOST, sizeof *w->A);
    w->G = mem_aligned(square, sizeof *w->G);
    w->spare = mem_aligned(square, sizeof *w->spare);
    w->x = mem_aligned(MOST, sizeof *w->x);
    w->y = mem_aligned(MOST, sizeof *w->y);
    w->w = mem_aligned(MOST, sizeof *w->w);
    w->index = mem_aligned(MOST, sizeof *w->index);
    if (!w->A || !w->G || !w->spare || !w->x || !w->y || !w->w || !w->index)
        return -1;
    struct rng r;
    rng_init(&r, 1, 1);
    for (size_t i = 0; i < (size_t)MATRIX_ROWS * MOST; i++)
        w->A[i] = (float)rng_real(&r) - 0.5f;
    for (size_t i = 0; i < MOST; i++) {
        w->x[i] = (float)rng_real(&r) - 0.5f;
        w->y[i] = (float)rng_real(&r) - 0.5f;
        w->w[i] = 1;
        w->index[i] = (uint32_t)rng_below(&r, MATRIX_ROWS);
    }
    return 0;
}

static void free_world(struct world *w)
{
    mem_free(w->A);
    mem_free(w->G);
    mem_free(w->spare);
    mem_free(w->x);
    mem_free(w->y);
    mem_free(w->w);
    mem_free(w->index);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {64, 128, 256}, counts[] = {20, 73, 500};
    const char *only = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--quick") == 0)
            seconds_per_try = 0.05;
        else
            only = argv[i];
    struct world w = {0};
    size_t variants;
    const struct kernels *const *all = kernels_all(&variants);
    if (make(&w)) {
        fprintf(stderr, "bench/kernels: out of memory\n");
        free_world(&w);
        return 1;
    }
    printf("{\"bench\": \"kernels\", \"threads\": 1, \"results\": [");
    for (size_t v = 0; v < variants; v++) {
        if (only && strcmp(only, all[v]->name) != 0)
            continue;
        double top = peak_gflops(all[v]->name, NULL);
        w.k = all[v];
        w.d = w.count = 0;
        if (top > 0)
            report(&w, "peak", top * 1e9, 1, top);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                w.d = sizes[s];
                w.count = counts[c];
                measure(&w, top);
            }
    }
    printf("\n]}\n");
    free_world(&w);
    return 0;
}
