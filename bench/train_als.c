/* palate's side of bench/train, and the parts that both sides share:
 *
 *   train_als make FILE USERS ITEMS ENTRIES SEED      write a synthetic matrix
 *   train_als start MATRIX FACTORS SEED X Y           write the vectors that both sides start from
 *   train_als fit MATRIX FACTORS CG_STEPS EPOCHS THREADS LAMBDA ALPHA X Y    train in place of X, Y
 *   train_als loss MATRIX FACTORS LAMBDA ALPHA X Y    the loss of any pair of vectors
 *   train_als peak THREADS                            what the machine could do
 *
 * A matrix file is uint32 rows, uint32 cols, uint64 start[rows + 1], uint32 col[], float val[] in
 * the machine's order; vectors are bare floats, row-major. Each command prints one JSON object. */
#include "base/pool.h"
#include "base/rng.h"
#include "math/kernels.h"
#include "model/als_solve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matrix_file.h"
#include "peak.h"
#include "seconds.h"

/* Of this program alone; getrusage would count what forked it, too. */
static long peak_rss_bytes(void)
{
    long kib = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib * 1024;
}

/* ---- a synthetic world ---- */

enum { TASTES = 20 };

/* Items fall off by Zipf's law (exponent 0.9), users are active by a log-normal one (sigma 1.1),
 * as in MovieLens. Each user prefers one of TASTES groups of items: half of the draws go there. */
struct world {
    uint32_t users, items;
    double *cumulative; /* (items) of popularity, up to 1 */
    double *activity;   /* (users) share of all entries, adding up to 1 */
};

static uint32_t draw_item(const struct world *w, struct rng *r, uint32_t taste)
{
    double u = rng_real(r);
    uint32_t low = 0, high = w->items - 1;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (w->cumulative[mid] > u)
            high = mid;
        else
            low = mid + 1;
    }
    if (rng_next(r) & 1) {
        uint32_t moved = low / TASTES * TASTES + taste;
        low = moved < w->items ? moved : low;
    }
    return low;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* One user's items, each once, ascending. Returns how many. */
static size_t draw_history(const struct world *w, struct rng *r, size_t want, uint32_t *item,
                           uint32_t *seen, uint32_t mark)
{
    uint32_t taste = (uint32_t)rng_below(r, TASTES);
    size_t n = 0;
    for (size_t tries = 0; n < want && tries < 20 * want; tries++) {
        uint32_t i = draw_item(w, r, taste);
        if (seen[i] != mark) {
            seen[i] = mark;
            item[n++] = i;
        }
    }
    qsort(item, n, sizeof *item, compare_numbers);
    return n;
}

static void make_world(struct world *w, uint32_t users, uint32_t items, struct rng *r)
{
    double sum = 0;
    w->users = users;
    w->items = items;
    w->cumulative = allocate(items, sizeof *w->cumulative);
    w->activity = allocate(users, sizeof *w->activity);
    for (uint32_t i = 0; i < items; i++)
        w->cumulative[i] = sum += pow(i + 1.0, -0.9);
    for (uint32_t i = 0; i < items; i++)
        w->cumulative[i] /= sum;
    sum = 0;
    for (uint32_t u = 0; u < users; u++)
        sum += w->activity[u] = exp(1.1 * rng_normal(r));
    for (uint32_t u = 0; u < users; u++)
        w->activity[u] /= sum;
}

static void make(char **argv)
{
    const char *path = argv[0];
    uint32_t users = (uint32_t)atoi(argv[1]), items = (uint32_t)atoi(argv[2]);
    size_t entries = strtoull(argv[3], NULL, 10), count = 0;
    struct rng r;
    struct world w;
    rng_init(&r, strtoull(argv[4], NULL, 10), 0);
    make_world(&w, users, items, &r);
    uint64_t *start = allocate((size_t)users + 1, sizeof *start);
    uint32_t *col = allocate(entries + (size_t)2 * users + items, sizeof *col);
    uint32_t *seen = allocate(items, sizeof *seen);
    memset(seen, 0, items * sizeof *seen);
    start[0] = 0;
    for (uint32_t u = 0; u < users; u++) {
        size_t want = 2 + (size_t)((double)(entries - 2 * (size_t)users) * w.activity[u]);
        want = want < items / 4 ? want : items / 4;
        count += draw_history(&w, &r, want, col + count, seen, u + 1);
        start[u + 1] = count;
    }
    float *val = allocate(count, sizeof *val);
    for (size_t i = 0; i < count; i++)
        val[i] = 1;
    FILE *f = open_file(path, "wb");
    put(f, &users, 1, sizeof users);
    put(f, &items, 1, sizeof items);
    put(f, start, (size_t)users + 1, sizeof *start);
    put(f, col, count, sizeof *col);
    put(f, val, count, sizeof *val);
    if (fclose(f))
        die("can't write");
    printf("{\"users\": %u, \"items\": %u, \"entries\": %zu}\n", users, items, count);
    mem_free(w.cumulative);
    mem_free(w.activity);
    mem_free(start);
    mem_free(col);
    mem_free(seen);
    mem_free(val);
}

/* ---- training ---- */

static void start_vectors(char **argv)
{
    struct csr m = read_matrix(argv[0]);
    size_t d = strtoull(argv[1], NULL, 10);
    uint64_t seed = strtoull(argv[2], NULL, 10);
    float *X = allocate(m.rows * d, sizeof *X), *Y = allocate(m.cols * d, sizeof *Y);
    als_random(X, m.rows, d, 0.1f, seed, 0, NULL);
    als_random(Y, m.cols, d, 0.1f, seed, (uint64_t)1 << 40, NULL);
    write_all(argv[3], X, m.rows * d, sizeof(float));
    write_all(argv[4], Y, m.cols * d, sizeof(float));
    printf("{\"factors\": %zu}\n", d);
    csr_done(&m);
    mem_free(X);
    mem_free(Y);
}

static void peak(char **argv)
{
    struct pal_error err;
    struct pool *pool;
    check(pool_new((unsigned)atoi(argv[0]), &pool, &err), &err);
    printf("{\"kernels\": \"%s\", \"gflops\": %.1f}\n", kernels()->name,
           peak_gflops(kernels()->name, pool));
    pool_free(pool);
}

static void half(const struct als_settings *set, const struct csr *R, float *Y, float *X,
                 const struct run *run)
{
    struct pal_error err;
    struct als_side side;
    check(als_side_init(&side, set, Y, R->cols, run->pool, &err), &err);
    if (set->cg_steps)
        check(als_side_turn(&side, Y, X, R->rows, run->pool, &err), &err);
    check(als_half(&side, R, X, run, &err), &err);
    als_side_done(&side);
}

static void print_numbers(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("%s%.4f", i ? ", " : "[", x[i]);
    printf("]");
}

static void fit(char **argv)
{
    size_t epochs = strtoull(argv[3], NULL, 10);
    struct pal_error err;
    struct als_settings set = {.factors = strtoull(argv[1], NULL, 10),
                               .objective = ALS_HU,
                               .alpha = (float)atof(argv[6]),
                               .lambda = (float)atof(argv[5]),
                               .cg_steps = (unsigned)atoi(argv[2])};
    struct csr by_user = read_matrix(argv[0]), by_item;
    struct run run = {0};
    check(pool_new((unsigned)atoi(argv[4]), &run.pool, &err), &err);
    float *X = read_floats(argv[7], by_user.rows * set.factors);
    float *Y = read_floats(argv[8], by_user.cols * set.factors);
    check(csr_transpose(&by_user, &by_item, &err), &err);
    double *wall = allocate(2 * epochs, sizeof *wall), *cpu = wall + epochs;
    for (size_t epoch = 0; epoch < epochs; epoch++) {
        wall[epoch] = -steady_seconds();
        cpu[epoch] = -cpu_seconds();
        half(&set, &by_user, Y, X, &run);
        half(&set, &by_item, X, Y, &run);
        wall[epoch] += steady_seconds();
        cpu[epoch] += cpu_seconds();
    }
    printf("{\"kernels\": \"%s\", \"seconds\": ", kernels()->name);
    print_numbers(wall, epochs);
    printf(", \"cpu_seconds\": ");
    print_numbers(cpu, epochs);
    printf(", \"peak_rss_bytes\": %ld}\n", peak_rss_bytes());
    mem_free(wall);
    write_all(argv[7], X, by_user.rows * set.factors, sizeof(float));
    write_all(argv[8], Y, by_user.cols * set.factors, sizeof(float));
    csr_done(&by_user);
    csr_done(&by_item);
    mem_free(X);
    mem_free(Y);
    pool_free(run.pool);
}

/* ---- the loss, in double precision and by nothing that training uses ---- */

/* trace(XᵀX YᵀY) = Σ over all pairs of (x·y)² */
static double all_pairs(const float *X, size_t rows, const float *Y, size_t cols, size_t d)
{
    double *G = allocate(2 * d * d, sizeof *G), *H = G + d * d, sum = 0;
    memset(G, 0, 2 * d * d * sizeof *G);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                G[i * d + j] += (double)X[r * d + i] * X[r * d + j];
    for (size_t r = 0; r < cols; r++)
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                H[i * d + j] += (double)Y[r * d + i] * Y[r * d + j];
    for (size_t i = 0; i < d * d; i++)
        sum += G[i] * H[i];
    mem_free(G);
    return sum;
}

static double squares(const float *X, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)X[i] * X[i];
    return sum;
}

static void loss(char **argv)
{
    struct csr m = read_matrix(argv[0]);
    size_t d = strtoull(argv[1], NULL, 10);
    double lambda = atof(argv[2]), alpha = atof(argv[3]);
    float *X = read_floats(argv[4], m.rows * d), *Y = read_floats(argv[5], m.cols * d);
    double sum = all_pairs(X, m.rows, Y, m.cols, d);
    sum += lambda * (squares(X, m.rows * d) + squares(Y, m.cols * d));
    for (size_t u = 0; u < m.rows; u++)
        for (uint64_t e = m.start[u]; e < m.start[u + 1]; e++) {
            const float *x = X + u * d, *y = Y + m.col[e] * d;
            double p = 0, c = alpha * m.val[e];
            for (size_t i = 0; i < d; i++)
                p += (double)x[i] * y[i];
            sum += c * (1 - p) * (1 - p) - p * p;
        }
    printf("{\"loss\": %.12g}\n", sum);
    csr_done(&m);
    mem_free(X);
    mem_free(Y);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        void (*run)(char **argv);
    } commands[] = {{"make", 5, make},
                    {"start", 5, start_vectors},
                    {"fit", 9, fit},
                    {"loss", 6, loss},
                    {"peak", 1, peak}};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc == commands[i].args + 2) {
            commands[i].run(argv + 2);
            return 0;
        }
    fprintf(stderr, "usage: see the top of bench/train_als.c\n");
    return 2;
}
