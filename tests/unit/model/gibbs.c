/* Sampling for ratings: a row's mean is the ridge solution that Gaussian elimination in double
 * precision gives, draws scatter around it as its precision says, and a whole run finds the factors
 * and the noise that made-up ratings come from. */
#include "test.h"

#include "base/rng.h"
#include "model/gibbs.h"
#include "model/implicit.h"

#include <math.h>

enum { D = 5, OTHERS = 30, N = 12 };

struct scene {
    float W[OTHERS * D], Y[OTHERS * D], bias[OTHERS], mean[D], precision[D * D], rating[N];
    uint32_t index[N];
    struct gibbs_half half;
    double A[D][D], b[D]; /* the system, and its solution */
};

/* A x = b, which becomes x; A becomes its inverse. */
static void solve(double A[D][D], double *b)
{
    double B[D][D] = {{0}}, x[D] = {0};
    for (int i = 0; i < D; i++)
        B[i][i] = 1;
    for (int p = 0; p < D; p++) {
        double by = 1 / A[p][p];
        for (int j = 0; j < D; j++) {
            A[p][j] *= by;
            B[p][j] *= by;
        }
        for (int i = 0; i < D; i++) {
            double f = A[i][p];
            for (int j = 0; i != p && j < D; j++) {
                A[i][j] -= f * A[p][j];
                B[i][j] -= f * B[p][j];
            }
        }
    }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++)
            x[i] += B[i][j] * b[j];
    memcpy(b, x, sizeof x);
    memcpy(A, B, sizeof B);
}

static void make(struct scene *s, bool implicit)
{
    struct rng rng;
    double prior[D];
    rng_init(&rng, 3, implicit);
    memset(s, 0, sizeof *s);
    for (int i = 0; i < OTHERS; i++) {
        for (int k = 0; k < D; k++) {
            s->W[i * D + k] = k == D - 1 ? 1 : (float)rng_normal(&rng);
            s->Y[i * D + k] = (float)rng_normal(&rng);
        }
        s->bias[i] = (float)rng_normal(&rng);
    }
    for (int i = 0; i < N; i++) {
        s->index[i] = (uint32_t)(i * 2 + i % 2);
        s->rating[i] = i == 4 ? NAN : (float)(1 + rng_normal(&rng));
    }
    for (int k = 0; k < D; k++) {
        s->mean[k] = prior[k] = (float)(0.1 * k);
        s->precision[k * D + k] = 2 + (float)k;
    }
    s->precision[1] = s->precision[D] = 0.5f;
    s->half =
        (struct gibbs_half){D, s->W, s->bias, implicit ? s->Y : NULL, s->mean, s->precision, 1.7f};
    for (int i = 0; i < N && implicit; i++)
        for (int k = 0; k < D; k++)
            prior[k] += s->Y[s->index[i] * D + k] / sqrt(N);
    for (int a = 0; a < D; a++)
        for (int b = 0; b < D; b++) {
            s->A[a][b] = s->precision[a * D + b];
            s->b[a] += s->precision[a * D + b] * prior[b];
        }
    for (int i = 0; i < N; i++)
        for (int a = 0; a < D && !isnan(s->rating[i]); a++) {
            const float *w = s->W + s->index[i] * D;
            s->b[a] += 1.7f * w[a] * (s->rating[i] - s->bias[s->index[i]]);
            for (int b = 0; b < D; b++)
                s->A[a][b] += 1.7f * w[a] * w[b];
        }
    solve(s->A, s->b);
}

static void a_row_is_a_ridge_regression(void **state)
{
    (void)state;
    for (int implicit = 0; implicit < 2; implicit++) {
        struct scene s;
        float x[D], prior[D], *scratch = mem_aligned(gibbs_scratch(D, N), sizeof *scratch);
        make(&s, implicit);
        gibbs_row(&s.half, s.index, s.rating, N, NULL, x, prior, scratch);
        for (int k = 0; k < D; k++)
            assert_true(fabs(x[k] - s.b[k]) < 1e-4);
        gibbs_row(&s.half, NULL, NULL, 0, NULL, x, prior, scratch); /* nothing known: the mean */
        for (int k = 0; k < D; k++)
            assert_true(fabs(x[k] - s.mean[k]) < 1e-5);
        mem_free(scratch);
    }
}

static void draws_scatter_as_they_should(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    struct scene s;
    struct rng rng;
    double mean[D] = {0}, scatter[D][D] = {{0}};
    float x[D], prior[D], *scratch = mem_aligned(gibbs_scratch(D, N), sizeof *scratch);
    make(&s, true);
    rng_init(&rng, 8, 0);
    for (int i = 0; i < DRAWS; i++) {
        gibbs_row(&s.half, s.index, s.rating, N, &rng, x, prior, scratch);
        for (int a = 0; a < D; a++) {
            mean[a] += x[a] / DRAWS;
            for (int b = 0; b < D; b++)
                scatter[a][b] += (x[a] - s.b[a]) * (x[b] - s.b[b]) / DRAWS;
        }
    }
    for (int a = 0; a < D; a++) {
        assert_true(fabs(mean[a] - s.b[a]) < 5 * sqrt(s.A[a][a] / DRAWS) + 1e-4);
        for (int b = 0; b < D; b++) {
            double v = s.A[a][b] * s.A[a][b] + s.A[a][a] * s.A[b][b];
            assert_true(fabs(scatter[a][b] - s.A[a][b]) < 5 * sqrt(v / DRAWS));
        }
    }
    mem_free(scratch);
}

/* ---- a whole run ---- */

enum { USERS = 200, ITEMS = 80, FACTORS = 4, SAMPLES = 20 };
static const double deviation = 0.3; /* of the noise */

struct world {
    double p[USERS][FACTORS], q[ITEMS][FACTORS], b[USERS], c[ITEMS];
    struct csr R, by_item;
};

static double truth(const struct world *w, uint32_t u, uint32_t i)
{
    double x = w->b[u] + w->c[i];
    for (int k = 0; k < FACTORS - 1; k++)
        x += w->p[u][k] * w->q[i][k];
    return x;
}

/* A third of all pairs is rated. */
static void make_world(struct world *w)
{
    struct rng rng;
    struct pal_error err;
    uint64_t n = 0;
    rng_init(&rng, 21, 0);
    for (int u = 0; u < USERS; u++) {
        w->b[u] = 0.4 * rng_normal(&rng);
        for (int k = 0; k < FACTORS; k++)
            w->p[u][k] = rng_normal(&rng);
    }
    for (int i = 0; i < ITEMS; i++) {
        w->c[i] = 0.6 * rng_normal(&rng);
        for (int k = 0; k < FACTORS; k++)
            w->q[i][k] = 0.5 * rng_normal(&rng);
    }
    assert_ok(csr_alloc(&w->R, USERS, ITEMS, USERS * ITEMS, &err), &err);
    for (uint32_t u = 0; u < USERS; u++) {
        for (uint32_t i = 0; i < ITEMS; i++)
            if (rng_below(&rng, 3) == 0) {
                w->R.col[n] = i;
                w->R.val[n++] = (float)(truth(w, u, i) + deviation * rng_normal(&rng));
            }
        w->R.start[u + 1] = n;
    }
    assert_ok(csr_transpose(&w->R, &w->by_item, &err), &err);
}

struct kept {
    const struct world *w;
    double noise, sum[USERS][ITEMS];
    float last[FACTORS * ITEMS];
    size_t count;
};

static void keep(void *ctx, size_t sample, const struct gibbs_half *h)
{
    struct kept *k = ctx;
    const struct csr *R = &k->w->R;
    float x[FACTORS], prior[FACTORS];
    float *scratch = mem_aligned(gibbs_scratch(FACTORS, ITEMS), sizeof *scratch);
    assert_int_equal(sample, k->count++);
    k->noise += 1 / sqrt(h->noise) / SAMPLES;
    for (uint32_t u = 0; u < USERS; u++) {
        uint64_t at = R->start[u];
        gibbs_row(h, R->col + at, R->val + at, (size_t)(R->start[u + 1] - at), NULL, x, prior,
                  scratch);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double said = h->bias[i];
            for (int f = 0; f < FACTORS; f++)
                said += x[f] * h->W[i * FACTORS + (uint32_t)f];
            k->sum[u][i] += said / SAMPLES;
        }
    }
    memcpy(k->last, h->W, sizeof k->last);
    mem_free(scratch);
}

enum { ITERATIONS = 40 + 2 * SAMPLES };

/* ctx (ITERATIONS): what each one errs by. */
static void hear(void *ctx, const char *name, uint64_t step, double value)
{
    assert_string_equal(name, "rmse");
    assert_true(step >= 1 && step <= ITERATIONS);
    ((double *)ctx)[step - 1] = value;
}

/* The noise of a sample is drawn from its errors, so that over iterations their means agree. */
static void errors_are_told(const double *told, double unit, double noise)
{
    double mean = 0;
    for (size_t i = 40; i < ITERATIONS; i++)
        mean += told[i] / (2 * SAMPLES);
    assert_true(fabs(mean - unit * noise) < 0.02 * unit * noise);
    assert_true(told[0] > 1.5 * mean);
}

static void a_run_finds_the_truth(void **state)
{
    (void)state;
    struct world w;
    make_world(&w);
    for (int implicit = 0; implicit < 2; implicit++) {
        static struct kept first, again;
        struct pal_error err;
        struct gibbs_settings set = {.factors = FACTORS,
                                     .burn = 40,
                                     .every = 2,
                                     .samples = SAMPLES,
                                     .spread = 1,
                                     .implicit = implicit,
                                     .deviation = 3};
        double told[ITERATIONS] = {0}, again_told[ITERATIONS] = {0};
        struct run one = {.seed = 4, .metric = hear, .metric_ctx = told};
        struct run three = {.seed = 4, .metric = hear, .metric_ctx = again_told};
        memset(&first, 0, sizeof first);
        memset(&again, 0, sizeof again);
        first.w = again.w = &w;
        assert_ok(pool_new(3, &three.pool, &err), &err);
        assert_ok(gibbs_run(&set, &w.R, &w.by_item, &one, keep, &first, &err), &err);
        assert_ok(gibbs_run(&set, &w.R, &w.by_item, &three, keep, &again, &err), &err);
        pool_free(three.pool);
        assert_int_equal(first.count, SAMPLES);
        assert_memory_equal(first.last, again.last, sizeof first.last);
        assert_memory_equal(told, again_told, sizeof told);
        errors_are_told(told, 3, first.noise);
        assert_true(fabs(first.noise - deviation) < 0.1 * deviation);
        double error = 0, size = 0;
        for (uint32_t u = 0; u < USERS; u++)
            for (uint32_t i = 0; i < ITEMS; i++) {
                double t = truth(&w, u, i);
                error += (first.sum[u][i] - t) * (first.sum[u][i] - t) / (USERS * ITEMS);
                size += t * t / (USERS * ITEMS);
            }
        /* 8 numbers for about 27 ratings of each user and 67 of each item: what is left to err is
         * less than the noise of one rating, and far less than the ratings themselves */
        if (!(sqrt(error) < 0.75 * deviation && sqrt(size) > 3 * deviation))
            fail_msg("errs by %g of %g", sqrt(error), sqrt(size));
    }
    csr_done(&w.R);
    csr_done(&w.by_item);
}

/* ---- what was seen ---- */

/* A pass of implicit_draw moves what the links explain out of E or back in, never more. With few
 * rows and much certainty, links are found that E was made from. */
static void links_explain_what_they_take(void **state)
{
    (void)state;
    enum { WIDE = 11, CELLS = USERS * 16 };
    static float E[CELLS], before[CELLS];
    struct world w;
    struct pal_error err;
    struct implicit t;
    struct gaussian of;
    struct rng rng;
    double made[ITEMS][WIDE], close = 0, far = 0;
    make_world(&w);
    rng_init(&rng, 30, 0);
    assert_ok(implicit_init(&t, WIDE, &w.R, &w.by_item, NULL, &err), &err);
    assert_ok(gaussian_init(&of, WIDE, 1e4, &err), &err); /* rows deviate by 0.01 */
    for (int j = 0; j < ITEMS; j++)
        for (int k = 0; k < WIDE; k++)
            made[j][k] = rng_normal(&rng);
    memset(E, 0, sizeof E);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint64_t e = w.R.start[u]; e < w.R.start[u + 1]; e++)
            for (uint32_t k = 0; k < WIDE; k++)
                E[(k / 8 * USERS + u) * 8 + k % 8] +=
                    (float)(made[w.R.col[e]][k] / sqrt((double)(w.R.start[u + 1] - w.R.start[u])));
    memcpy(before, E, sizeof E);
    for (uint64_t round = 0; round < 200; round++)
        implicit_draw(&t, E, &of, 1, round << 33, NULL);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t k = 0; k < WIDE; k++) {
            size_t at = (k / 8 * USERS + u) * 8 + k % 8;
            double x = E[at];
            for (uint64_t e = w.R.start[u]; e < w.R.start[u + 1]; e++)
                x += t.share[u] * t.Y[w.R.col[e] * WIDE + k];
            assert_true(fabs(x - before[at]) < 1e-3);
        }
    for (int j = 0; j < ITEMS; j++)
        for (int k = 0; k < WIDE; k++) {
            double x = t.Y[j * WIDE + k] - made[j][k];
            close += x * x;
            far += made[j][k] * made[j][k];
        }
    assert_true(close < 0.05 * far);
    gaussian_done(&of);
    implicit_done(&t);
    csr_done(&w.R);
    csr_done(&w.by_item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_a_ridge_regression),
        cmocka_unit_test(draws_scatter_as_they_should),
        cmocka_unit_test(a_run_finds_the_truth),
        cmocka_unit_test(links_explain_what_they_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
