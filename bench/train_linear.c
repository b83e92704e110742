/* palate's side of bench/linear:
 *
 *   train_linear gram MATRIX THREADS                     XᵀX, dense
 *   train_linear inverse MATRIX LAMBDA THREADS           (XᵀX + LAMBDA I)⁻¹
 *   train_linear svd MATRIX K THREADS                    the K largest eigenvalues of XᵀX
 *   train_linear fit MATRIX MODEL OPTIONS THREADS OUT    OPTIONS: name=value,…; OUT: what each item
 *                                                        in a history adds to each, as floats
 *   train_linear top MATRIX FACTORS THREADS X Y OUT      for every user the 10 items whose vector
 * in Y goes best with the user's in X, without those of the user's row; OUT: numbers
 *
 * Files are those of train_als.c. Each command prints one JSON object. */
#include "base/pool.h"
#include "math/dense.h"
#include "math/lanczos.h"
#include "model/model.h"
#include "model/vectors.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matrix_file.h"
#include "seconds.h"

enum { TOP = 10 };

static double wall_began, cpu_began;

static void begin(void)
{
    wall_began = steady_seconds();
    cpu_began = cpu_seconds();
}

static void print_times(void)
{
    printf("{\"seconds\": %.4f, \"cpu_seconds\": %.4f", steady_seconds() - wall_began,
           cpu_seconds() - cpu_began);
}

static struct pool *threads(const char *count)
{
    struct pal_error err;
    struct pool *pool;
    check(pool_new((unsigned)atoi(count), &pool, &err), &err);
    return pool;
}

/* What the other side is compared by: trace and sum of all entries. */
static void print_sums(const float *G, size_t n)
{
    double trace = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        trace += G[i * n + i];
    for (size_t i = 0; i < n * n; i++)
        sum += G[i];
    printf(", \"trace\": %.9g, \"sum\": %.9g}\n", trace, sum);
}

static void gram(char **argv)
{
    struct pal_error err;
    struct csr X = read_matrix(argv[0]);
    struct pool *pool = threads(argv[1]);
    begin();
    float *G = allocate((size_t)X.cols * X.cols, sizeof *G);
    check(csr_gram(&X, G, pool, &err), &err);
    print_times();
    print_sums(G, X.cols);
    mem_free(G);
    pool_free(pool);
    csr_done(&X);
}

static void inverse(char **argv)
{
    struct pal_error err;
    struct csr X = read_matrix(argv[0]);
    struct pool *pool = threads(argv[2]);
    size_t n = X.cols;
    float *G = allocate(n * n, sizeof *G);
    check(csr_gram(&X, G, pool, &err), &err);
    for (size_t i = 0; i < n; i++)
        G[i * n + i] += (float)atof(argv[1]);
    begin();
    check(dense_inverse(G, n, pool, NULL, NULL, &err), &err);
    print_times();
    print_sums(G, n);
    mem_free(G);
    pool_free(pool);
    csr_done(&X);
}

static void svd(char **argv)
{
    struct pal_error err;
    struct csr X = read_matrix(argv[0]), T;
    struct pool *pool = threads(argv[2]);
    size_t k = strtoull(argv[1], NULL, 10), found;
    float *value = allocate(k, sizeof *value), *V = allocate(k * X.cols, sizeof *V);
    begin();
    check(csr_transpose(&X, &T, &err), &err);
    check(lanczos(&X, &T, k, 1, pool, NULL, NULL, value, V, &found, &err), &err);
    print_times();
    double sum = 0;
    for (size_t i = 0; i < found; i++)
        sum += value[i];
    printf(", \"energy\": %.9g, \"last\": %.9g}\n", sum, (double)value[found - 1]);
    mem_free(value);
    mem_free(V);
    csr_done(&T);
    pool_free(pool);
    csr_done(&X);
}

/* The training set of a bare matrix. */
static void number_items(struct items *items, uint32_t count)
{
    struct pal_error err;
    uint32_t number;
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        int len = snprintf(text, sizeof text, "%u", i);
        check(intern_add(&items->ids, text, (size_t)len, &number, &err), &err);
    }
}

static void set_options(const struct model_ops *ops, void *options, char *text)
{
    struct pal_error err;
    for (char *one = strtok(text, ","); one; one = strtok(NULL, ",")) {
        char *value = strchr(one, '=');
        if (!value)
            die("options are name=value,…");
        *value++ = 0;
        check(model_set(ops, options, one, value, &err), &err);
    }
}

static void fit(char **argv)
{
    struct pal_error err;
    const struct model_ops *ops;
    struct model *m;
    struct items items = {0};
    struct arena tmp = {0};
    struct run run = {.pool = threads(argv[3]), .seed = 1};
    struct training t = {.items = &items, .by_user = read_matrix(argv[0])};
    uint32_t n = t.by_user.cols;
    check(model_named(argv[1], &ops, &err), &err);
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    set_options(ops, options, argv[2]);
    number_items(&items, n);
    begin();
    check(model_fit(ops, options, &t, 0, &run, &m, &err), &err);
    print_times();
    printf("}\n");
    float *W = allocate((size_t)n * n, sizeof *W), one = 1;
    for (uint32_t j = 0; j < n; j++) {
        struct history h = {.n = 1, .item = &j, .weight = &one};
        check(model_score(m, &h, 1, W + (size_t)j * n, &tmp, &err), &err);
        arena_reset(&tmp);
    }
    write_all(argv[4], W, (size_t)n * n, sizeof *W);
    mem_free(W);
    model_free(m);
    arena_done(&tmp);
    items_done(&items);
    free(options);
    pool_free(run.pool);
    csr_done(&t.by_user);
}

struct top {
    struct vectors v;
    struct csr seen;
    const float *X;
    uint32_t *out;     /* (users, TOP) */
    struct arena *tmp; /* (threads) */
    uint8_t *skip;     /* (threads, items) */
};

static void top_users(void *ctx, size_t first, size_t end, unsigned worker)
{
    struct top *t = ctx;
    struct pal_error err;
    struct scored best[TOP];
    uint8_t *skip = t->skip + (size_t)worker * t->seen.cols;
    size_t count;
    for (size_t u = first; u < end; u++) {
        bool done;
        for (uint64_t e = t->seen.start[u]; e < t->seen.start[u + 1]; e++)
            skip[t->seen.col[e]] = 1;
        check(vectors_top(&t->v, t->X + u * t->v.cols, skip, TOP, &t->tmp[worker], best, &count,
                          &done, &err),
              &err);
        if (!done) {
            float *scores = arena_alloc(&t->tmp[worker], t->seen.cols, sizeof *scores);
            if (!scores)
                die("out of memory");
            check(vectors_score(&t->v, t->X + u * t->v.cols, 1, scores, &t->tmp[worker], &err),
                  &err);
            for (uint32_t i = 0; i < t->seen.cols; i++)
                scores[i] = skip[i] ? -INFINITY : scores[i];
            count = topk(scores, t->seen.cols, TOP, best);
        }
        for (size_t i = 0; i < TOP; i++)
            t->out[u * TOP + i] = i < count ? best[i].index : UINT32_MAX;
        for (uint64_t e = t->seen.start[u]; e < t->seen.start[u + 1]; e++)
            skip[t->seen.col[e]] = 0;
        arena_reset(&t->tmp[worker]);
    }
}

static void top(char **argv)
{
    struct pal_error err;
    struct pool *pool = threads(argv[2]);
    struct top t = {.seen = read_matrix(argv[0])};
    size_t d = strtoull(argv[1], NULL, 10), users = t.seen.rows, items = t.seen.cols;
    float *X = read_floats(argv[3], users * d), *Y = read_floats(argv[4], items * d);
    t.X = X;
    t.out = allocate(users * TOP, sizeof *t.out);
    t.tmp = mem_zero(pool_size(pool), sizeof *t.tmp);
    t.skip = mem_zero(pool_size(pool) * items, 1);
    if (!t.tmp || !t.skip)
        die("out of memory");
    begin();
    check(vectors_init(&t.v, Y, (uint32_t)items, d, d, &err), &err);
    pool_for(pool, users, 64, top_users, &t);
    print_times();
    printf("}\n");
    write_all(argv[5], t.out, users * TOP, sizeof *t.out);
    vectors_done(&t.v);
    for (unsigned i = 0; i < pool_size(pool); i++)
        arena_done(&t.tmp[i]);
    mem_free(t.tmp);
    mem_free(t.skip);
    mem_free(t.out);
    mem_free(X);
    mem_free(Y);
    csr_done(&t.seen);
    pool_free(pool);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        void (*run)(char **argv);
    } commands[] = {{"gram", 2, gram},
                    {"inverse", 3, inverse},
                    {"svd", 3, svd},
                    {"fit", 5, fit},
                    {"top", 6, top}};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc == commands[i].args + 2) {
            commands[i].run(argv + 2);
            return 0;
        }
    fprintf(stderr, "usage: see the top of bench/train_linear.c\n");
    return 2;
}
