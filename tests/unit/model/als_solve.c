/* The solver of iALS against the definition: systems built and eliminated here in double precision,
 * for both objectives, likes and dislikes, short rows and rows long enough to be split; conjugate
 * gradients against textbook ones; bytes that don't depend on the number of threads. */
#include "test.h"

#include "base/rng.h"
#include "model/als_solve.h"

#include <math.h>

static struct rng rng;

/* R (rows, cols): row r has length[r] distinct columns and weights of which some are negative. */
static struct csr random_matrix(uint32_t rows, uint32_t cols, const size_t *length)
{
    struct pal_error err;
    struct csr m;
    size_t entries = 0, at = 0;
    uint32_t *order = mem_alloc(cols, sizeof *order);
    for (uint32_t r = 0; r < rows; r++)
        entries += length[r];
    assert_ok(csr_alloc(&m, rows, cols, entries, &err), &err);
    for (uint32_t r = 0; r < rows; r++) {
        size_t left = length[r];
        for (uint32_t c = 0; c < cols; c++) /* each column with the right probability */
            if (rng_below(&rng, cols - c) < left) {
                m.col[at] = c;
                m.val[at++] = (float)(1 + rng_below(&rng, 3)) * (rng_below(&rng, 5) ? 0.5f : -0.5f);
                left--;
            }
        m.start[r + 1] = at;
    }
    mem_free(order);
    return m;
}

static float *random_vectors(size_t rows, size_t d)
{
    float *X = mem_alloc(rows * d, sizeof *X);
    for (size_t i = 0; i < rows * d; i++)
        X[i] = (float)(rng_normal(&rng) / sqrt((double)d));
    return X;
}

/* The system of row r by its definition: A (d, d) and b (d); P (d, d) is A without what was
 * observed. */
static void define_system(const struct als_settings *set, const struct csr *R, const float *Y,
                          size_t r, double *A, double *P, double *b)
{
    size_t d = set->factors, n = R->start[r + 1] - R->start[r];
    double alpha0 = set->objective == ALS_HU ? 1 : set->alpha0, lambda = set->lambda;
    if (set->objective == ALS_RENDLE)
        lambda *= pow((double)n + alpha0 * R->cols, set->nu);
    memset(A, 0, d * d * sizeof *A);
    memset(b, 0, d * sizeof *b);
    for (size_t i = 0; i < d; i++)
        A[i * d + i] = lambda;
    for (size_t c = 0; c < R->cols; c++)
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                A[i * d + j] += alpha0 * Y[c * d + i] * Y[c * d + j];
    memcpy(P, A, d * d * sizeof *P);
    for (uint64_t e = R->start[r]; e < R->start[r + 1]; e++) {
        const float *y = Y + R->col[e] * d;
        double w = set->alpha * R->val[e], c = fabs(w);
        double more = set->objective == ALS_HU ? c - 1 : c; /* than at other pairs */
        for (size_t i = 0; i < d; i++) {
            b[i] += w * y[i];
            for (size_t j = 0; j < d; j++)
                A[i * d + j] += more * y[i] * y[j];
        }
    }
}

static void eliminate(double *A, double *b, size_t d)
{
    for (size_t i = 0; i < d; i++)
        for (size_t r = i + 1; r < d; r++) {
            double f = A[r * d + i] / A[i * d + i];
            for (size_t c = i; c < d; c++)
                A[r * d + c] -= f * A[i * d + c];
            b[r] -= f * b[i];
        }
    for (size_t i = d; i-- > 0;) {
        for (size_t c = i + 1; c < d; c++)
            b[i] -= A[i * d + c] * b[c];
        b[i] /= A[i * d + i];
    }
}

/* z = P⁻¹ r */
static void precondition(const double *P, const double *r, double *z, size_t d)
{
    double *M = mem_alloc(d * d, sizeof *M);
    memcpy(M, P, d * d * sizeof *M);
    memcpy(z, r, d * sizeof *z);
    eliminate(M, z, d);
    mem_free(M);
}

static double product(const double *x, const double *y, size_t d)
{
    double sum = 0;
    for (size_t i = 0; i < d; i++)
        sum += x[i] * y[i];
    return sum;
}

/* `steps` steps of conjugate gradients from x, preconditioned by P, in double precision. */
static void textbook_cg(const double *A, const double *P, const double *b, double *x, size_t d,
                        unsigned steps)
{
    double r[64], z[64], p[64], q[64], rz;
    for (size_t i = 0; i < d; i++)
        r[i] = b[i] - product(A + i * d, x, d);
    precondition(P, r, z, d);
    memcpy(p, z, sizeof p);
    rz = product(r, z, d);
    for (unsigned s = 0; s < steps; s++) {
        for (size_t i = 0; i < d; i++)
            q[i] = product(A + i * d, p, d);
        double length = rz / product(p, q, d);
        for (size_t i = 0; i < d; i++) {
            x[i] += length * p[i];
            r[i] -= length * q[i];
        }
        precondition(P, r, z, d);
        double next = product(r, z, d);
        for (size_t i = 0; i < d; i++)
            p[i] = z[i] + next / rz * p[i];
        rz = next;
    }
}

/* What x predicts for all rows of Y, which stays the same when both are turned. */
static double *predictions(const struct csr *R, const float *Y, const double *x, size_t d)
{
    double *out = mem_alloc(R->cols, sizeof *out);
    for (size_t c = 0; c < R->cols; c++) {
        out[c] = 0;
        for (size_t i = 0; i < d; i++)
            out[c] += x[i] * Y[c * d + i];
    }
    return out;
}

/* Y, before: as they were; turned, X: as the solver left them. */
static void assert_rows(const struct als_settings *set, const struct csr *R, const float *Y,
                        const float *before, const float *turned, const float *X)
{
    size_t d = set->factors;
    double *A = mem_alloc(2 * d * d, sizeof *A), *P = A + d * d, b[64], x[64];
    for (size_t r = 0; r < R->rows; r++) {
        double size = 0, error = 0;
        define_system(set, R, Y, r, A, P, b);
        if (R->start[r + 1] == R->start[r]) {
            memset(x, 0, sizeof x); /* nothing known: in the middle */
        } else if (set->cg_steps) {
            for (size_t i = 0; i < d; i++)
                x[i] = before[r * d + i];
            textbook_cg(A, P, b, x, d, set->cg_steps);
        } else {
            eliminate(A, b, d);
            memcpy(x, b, d * sizeof *x);
        }
        double *want = predictions(R, Y, x, d);
        for (size_t i = 0; i < d; i++)
            x[i] = X[r * d + i];
        double *got = predictions(R, turned, x, d);
        for (size_t c = 0; c < R->cols; c++) {
            size += want[c] * want[c];
            error += (got[c] - want[c]) * (got[c] - want[c]);
        }
        if (!(sqrt(error) <= 1e-4 * sqrt(size)))
            fail_msg("row %zu of %lu entries: off by %g of %g", r,
                     (unsigned long)(R->start[r + 1] - R->start[r]), sqrt(error), sqrt(size));
        mem_free(want);
        mem_free(got);
    }
    mem_free(A);
}

/* Conjugate gradients leave Y turned. */
static void solve(const struct als_settings *set, const struct csr *R, float *Y, float *X,
                  unsigned threads)
{
    struct pal_error err;
    struct als_side side;
    struct run run = {0};
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(als_side_init(&side, set, Y, R->cols, run.pool, &err), &err);
    if (set->cg_steps)
        assert_ok(als_side_turn(&side, Y, X, R->rows, run.pool, &err), &err);
    assert_ok(als_half(&side, R, X, &run, &err), &err);
    als_side_done(&side);
    pool_free(run.pool);
}

static float *copied(const float *x, size_t n)
{
    float *copy = mem_alloc(n, sizeof *copy);
    memcpy(copy, x, n * sizeof *copy);
    return copy;
}

/* Solves with 1, 2 and 3 threads, wants the same bytes and the right ones. */
static void check(const struct als_settings *set, const struct csr *R)
{
    size_t d = set->factors, n = (size_t)R->rows * d;
    float *Y = random_vectors(R->cols, d), *before = random_vectors(R->rows, d);
    float *turned = copied(Y, R->cols * d), *X = copied(before, n);
    solve(set, R, turned, X, 1);
    for (unsigned threads = 2; threads <= 3; threads++) {
        float *sides = copied(Y, R->cols * d), *again = copied(before, n);
        solve(set, R, sides, again, threads);
        assert_memory_equal(again, X, n * sizeof *X);
        assert_memory_equal(sides, turned, R->cols * d * sizeof *sides);
        mem_free(sides);
        mem_free(again);
    }
    assert_rows(set, R, Y, before, turned, X);
    mem_free(Y);
    mem_free(before);
    mem_free(turned);
    mem_free(X);
}

static const struct als_settings forms[] = {
    {.objective = ALS_RENDLE, .alpha = 1, .alpha0 = 0.2f, .lambda = 0.01f, .nu = 1},
    {.objective = ALS_RENDLE, .alpha = 2, .alpha0 = 0.05f, .lambda = 1, .nu = 0},
    {.objective = ALS_RENDLE, .alpha = 1, .alpha0 = 1, .lambda = 0.05f, .nu = 0.5f},
    {.objective = ALS_HU, .alpha = 10, .lambda = 0.5f},
    {.objective = ALS_HU, .alpha = 0.5f, .lambda = 0.5f}, /* confidence below 1 */
};

static void each_form(const struct csr *R, unsigned cg_steps, const size_t *sizes, size_t count)
{
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (size_t i = 0; i < count; i++) {
            struct als_settings set = forms[f];
            set.factors = sizes[i];
            set.cg_steps = cg_steps;
            check(&set, R);
        }
}

static struct csr short_rows(void)
{
    size_t length[150];
    rng_init(&rng, 11, 0);
    for (size_t r = 0; r < 150; r++)
        length[r] = r % 10 == 3 ? 0 : rng_below(&rng, 70);
    return random_matrix(150, 90, length);
}

static void exact_is_the_minimum(void **state)
{
    struct csr R = short_rows();
    each_form(&R, 0, (const size_t[]){4, 7, 16, 24, 33, 64}, 6);
    csr_done(&R);
}

static void cg_is_conjugate_gradients(void **state)
{
    struct csr R = short_rows();
    each_form(&R, 1, (const size_t[]){4, 17}, 2);
    each_form(&R, 3, (const size_t[]){8, 24, 64}, 3);
    csr_done(&R);
}

/* The exact solver splits rows of 16384 observations and more over threads; 100,000 need the most
 * pieces. Conjugate gradients take rows of 19661 and more (1.5 MiB of vectors) together, over
 * ranges of 4915 columns. */
static void long_rows(void **state)
{
    static const size_t length[] = {20000, 5, 16383, 16384, 0, 40000, 100000, 300, 17000};
    rng_init(&rng, 12, 0);
    struct csr R = random_matrix(sizeof length / sizeof *length, 110000, length);
    struct als_settings set = forms[0];
    set.factors = 20;
    check(&set, &R);
    set.cg_steps = 3;
    check(&set, &R);
    csr_done(&R);
}

static void fold_in_is_the_half_step(void **state)
{
    struct pal_error err;
    struct csr R = short_rows();
    struct als_side side;
    struct als_settings set = forms[0];
    set.factors = 40;
    float *Y = random_vectors(R.cols, set.factors), *X = random_vectors(R.rows, set.factors), x[40];
    assert_ok(als_side_init(&side, &set, Y, R.cols, NULL, &err), &err);
    assert_ok(als_half(&side, &R, X, NULL, &err), &err);
    float *scratch = mem_aligned(als_scratch(&side, 100), sizeof *scratch);
    for (size_t r = 0; r < R.rows; r++) {
        size_t n = R.start[r + 1] - R.start[r];
        als_solve_row(&side, R.col + R.start[r], R.val + R.start[r], n, x, scratch);
        assert_memory_equal(x, X + r * set.factors, sizeof x);
    }
    mem_free(scratch);
    als_side_done(&side);
    mem_free(X);
    mem_free(Y);
    csr_done(&R);
}

/* Neither unregularized systems of too few observations nor absurd weights make NaN or infinity. */
static void nothing_but_numbers(void **state)
{
    struct csr R = short_rows();
    struct als_settings set = {
        .factors = 128, .alpha = 1, .alpha0 = 1e-5f, .objective = ALS_RENDLE};
    static const float scales[] = {1, 1e-30f, 1e18f, 1e30f};
    for (size_t i = 0; i < 8; i++) {
        float *Y = random_vectors(R.cols, set.factors), *X = random_vectors(R.rows, set.factors);
        set.alpha = scales[i / 2];
        set.cg_steps = i % 2 ? 3 : 0;
        solve(&set, &R, Y, X, 2);
        for (size_t e = 0; e < R.rows * set.factors; e++)
            if (!isfinite(X[e]))
                fail_msg("weights times %g, %u steps: %g", set.alpha, set.cg_steps, X[e]);
        mem_free(X);
        mem_free(Y);
    }
    csr_done(&R);
}

/* The whole loss by its definition, pair by pair. */
static double loss(const struct als_settings *set, const struct csr *R, const struct csr *Rt,
                   const float *X, const float *Y)
{
    size_t d = set->factors;
    double sum = 0;
    float *w = mem_alloc(R->cols, sizeof *w);
    for (size_t u = 0; u < R->rows; u++) {
        memset(w, 0, R->cols * sizeof *w);
        for (uint64_t e = R->start[u]; e < R->start[u + 1]; e++)
            w[R->col[e]] = set->alpha * R->val[e];
        for (size_t i = 0; i < R->cols; i++) {
            double p = 0, c = fabs(w[i]), sign = w[i] > 0 ? 1 : -1;
            for (size_t k = 0; k < d; k++)
                p += (double)X[u * d + k] * Y[i * d + k];
            if (w[i] == 0)
                sum += (set->objective == ALS_HU ? 1 : set->alpha0) * p * p;
            else if (set->objective == ALS_HU)
                sum += c * (sign - p) * (sign - p);
            else
                sum += c * (sign - p) * (sign - p) + set->alpha0 * p * p;
        }
    }
    for (int side = 0; side < 2; side++) {
        const struct csr *m = side ? Rt : R;
        const float *V = side ? Y : X;
        for (size_t r = 0; r < m->rows; r++) {
            double n = (double)(m->start[r + 1] - m->start[r]), square = 0;
            double lambda = set->lambda;
            if (set->objective == ALS_RENDLE)
                lambda *= pow(n + set->alpha0 * m->cols, set->nu);
            for (size_t k = 0; k < d; k++)
                square += (double)V[r * d + k] * V[r * d + k];
            sum += lambda * square;
        }
    }
    mem_free(w);
    return sum;
}

static void loss_never_rises(void **state)
{
    struct pal_error err;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (unsigned cg_steps = 0; cg_steps <= 3; cg_steps += 3) {
            struct csr R = short_rows(), Rt;
            struct als_settings set = forms[f];
            set.factors = 12;
            set.cg_steps = cg_steps;
            assert_ok(csr_transpose(&R, &Rt, &err), &err);
            float *X = mem_alloc(R.rows * 12, sizeof *X), *Y = mem_alloc(R.cols * 12, sizeof *Y);
            als_random(X, R.rows, 12, 0.1f, 5, 0, NULL);
            als_random(Y, R.cols, 12, 0.1f, 5, 1000, NULL);
            double before = loss(&set, &R, &Rt, X, Y), first = before;
            for (int half = 0; half < 12; half++) {
                if (half % 2 == 0)
                    solve(&set, &R, Y, X, 1);
                else
                    solve(&set, &Rt, X, Y, 1);
                double now = loss(&set, &R, &Rt, X, Y);
                assert_true(now <= before * (1 + 1e-6));
                before = now;
            }
            assert_true(before < 0.9 * first);
            mem_free(X);
            mem_free(Y);
            csr_done(&R);
            csr_done(&Rt);
        }
}

/* The start has the asked deviation, and rows don't depend on how many there are. */
static void start_is_random(void **state)
{
    enum { D = 16, ROWS = 3000 };
    float *X = mem_alloc(ROWS * D, sizeof *X), some[10 * D];
    double square = 0, mean = 0;
    als_random(X, ROWS, D, 0.1f, 9, 77, NULL);
    als_random(some, 10, D, 0.1f, 9, 77, NULL);
    assert_memory_equal(some, X, sizeof some);
    for (size_t i = 0; i < ROWS * D; i++) {
        square += (double)X[i] * X[i];
        mean += X[i];
    }
    assert_true(fabs(sqrt(square / ROWS) - 0.1) < 0.002); /* |x|² is 0.01 on average */
    assert_true(fabs(mean / (ROWS * D)) < 0.001);
    assert_true(memcmp(X, X + D, D * sizeof *X) != 0);
    mem_free(X);
}

static void stops_when_told(void **state)
{
    struct pal_error err;
    struct csr R = short_rows();
    struct als_side side;
    struct als_settings set = forms[0];
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    set.factors = 8;
    float *Y = random_vectors(R.cols, 8), *X = random_vectors(R.rows, 8);
    for (set.cg_steps = 0; set.cg_steps <= 3; set.cg_steps += 3) {
        assert_ok(als_side_init(&side, &set, Y, R.cols, NULL, &err), &err);
        assert_ok(als_side_turn(&side, Y, X, R.rows, NULL, &err), &err);
        assert_int_equal(als_half(&side, &R, X, &run, &err), PAL_EINTERRUPTED);
        als_side_done(&side);
    }
    mem_free(X);
    mem_free(Y);
    csr_done(&R);
}

/* Without memory, or with vectors that nothing can be computed from, turning and solving fail
 * cleanly. */
static void fails_cleanly(void **state)
{
    struct pal_error err;
    struct csr R = short_rows();
    struct als_settings set = forms[0];
    long live = mem_live();
    set.factors = 8;
    set.cg_steps = 3;
    float *Y = random_vectors(R.cols, 8), *X = random_vectors(R.rows, 8);
    int failures = 0;
    for (long at = 1; at < 30; at++) {
        struct als_side side = {0};
        mem_fail_at(at);
        enum pal_status st = als_side_init(&side, &set, Y, R.cols, NULL, &err);
        if (st == PAL_OK)
            st = als_side_turn(&side, Y, X, R.rows, NULL, &err);
        if (st == PAL_OK)
            st = als_half(&side, &R, X, NULL, &err);
        als_side_done(&side);
        assert_true(st == PAL_OK || st == PAL_ENOMEM);
        failures += st == PAL_ENOMEM;
        assert_int_equal(mem_live(), live + 2);
    }
    mem_fail_at(0);
    assert_true(failures >= 10 && failures < 29);
    struct als_side side;
    Y[5] = 1e30f;
    assert_ok(als_side_init(&side, &set, Y, R.cols, NULL, &err), &err);
    assert_int_equal(als_side_turn(&side, Y, X, R.rows, NULL, &err), PAL_EUSAGE);
    als_side_done(&side);
    mem_free(X);
    mem_free(Y);
    csr_done(&R);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_is_the_minimum),
        cmocka_unit_test(cg_is_conjugate_gradients),
        cmocka_unit_test(long_rows),
        cmocka_unit_test(fold_in_is_the_half_step),
        cmocka_unit_test(nothing_but_numbers),
        cmocka_unit_test(loss_never_rises),
        cmocka_unit_test(start_is_random),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(fails_cleanly),
    };
    return cmocka_run_group_tests_name("model/als_solve", tests, NULL, NULL);
}
