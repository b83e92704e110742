/* Every variant of every kernel that this CPU can run, against sums in double precision written
 * here: all lengths from 0 to 130 and some longer ones, starts that are not aligned, random data.
 * The tolerance is what rounding in single precision may cost a sum of so many terms. Values that a
 * kernel must not touch lie around every output. */
#include "test.h"

#include "base/rng.h"
#include "math/kernels.h"

#include <math.h>
#include <stdbool.h>

enum { ROWS = 90, MOST = 1100, GUARD = 24 };
static const float untouched = 12345.5f;

static const size_t longer[] = {160, 192, 255, 256, 257, 300, 511, 1024};
enum { LENGTHS = 131 + sizeof longer / sizeof *longer };

static size_t length(size_t i)
{
    return i < 131 ? i : longer[i - 131];
}

static struct rng rng;

static void random_floats(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(&rng);
}

/* n random floats that start `shift` floats off a 64-byte border; freed with mem_free(base). */
static float *random_at(size_t n, size_t shift, float **base)
{
    *base = mem_aligned(n + 16, sizeof **base);
    assert_non_null(*base);
    random_floats(*base, n + 16);
    return *base + shift % 16;
}

static void assert_near(float got, double want, double size, const char *what, size_t n)
{
    double bound = 1e-6 * sqrt((double)n + 1) * (size + 1e-30);
    if (!(fabs(got - want) <= bound))
        fail_msg("%s, n = %zu: %.9g instead of %.9g (may differ by %.2g)", what, n, got, want,
                 bound);
}

typedef void check_fn(const struct kernels *k);

static void each_variant(check_fn *check)
{
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    assert_string_equal(all[0]->name, "plain");
    for (size_t i = 0; i < n; i++) {
        rng_init(&rng, 7, 1);
        check(all[i]);
    }
}

static void check_dot(const struct kernels *k)
{
    for (size_t i = 0; i < LENGTHS; i++) {
        size_t n = length(i);
        float *bx, *by, *x = random_at(n, i, &bx), *y = random_at(n, i / 3, &by);
        double want = 0, size = 0;
        for (size_t j = 0; j < n; j++) {
            want += (double)x[j] * y[j];
            size += fabs((double)x[j] * y[j]);
        }
        assert_near(k->dot(x, y, n), want, size, "dot", n);
        mem_free(bx);
        mem_free(by);
    }
}

static void check_axpy(const struct kernels *k)
{
    for (size_t i = 0; i < LENGTHS; i++) {
        size_t n = length(i);
        float *bx, *by, *x = random_at(n, i, &bx), *y = random_at(n + 2, i / 3, &by);
        y[0] = y[n + 1] = untouched;
        double *want = mem_alloc(n, sizeof *want);
        for (size_t j = 0; j < n; j++)
            want[j] = y[j + 1] + 0.75 * x[j];
        k->axpy(0.75f, x, y + 1, n);
        for (size_t j = 0; j < n; j++)
            assert_near(y[j + 1], want[j], fabs(want[j]) + 1, "axpy", 1);
        assert_true(y[0] == untouched && y[n + 1] == untouched);
        mem_free(want);
        mem_free(bx);
        mem_free(by);
    }
}

static void check_gemv(const struct kernels *k)
{
    for (size_t i = 0; i < LENGTHS; i++) {
        size_t cols = length(i), rows = i % 19, stride = cols + i % 5;
        float *ba, *bx, y[20], *A = random_at(rows * stride, i, &ba),
                               *x = random_at(cols, i / 2, &bx);
        y[rows] = untouched;
        k->gemv(A, rows, cols, stride, x, y);
        for (size_t r = 0; r < rows; r++) {
            double want = 0, size = 0;
            for (size_t c = 0; c < cols; c++) {
                want += (double)A[r * stride + c] * x[c];
                size += fabs((double)A[r * stride + c] * x[c]);
            }
            assert_near(y[r], want, size, "gemv", cols);
        }
        assert_true(y[rows] == untouched);
        mem_free(ba);
        mem_free(bx);
    }
}

static void check_gemm_of(const struct kernels *k, size_t m, size_t n, size_t depth)
{
    size_t lda = depth + 3, ldb = n + 1, ldc = n + 2;
    float *ba, *bb, *bc;
    float *A = random_at(m * lda, m, &ba), *B = random_at(depth * ldb, n, &bb);
    float *C = random_at(m * ldc, depth, &bc), *row = mem_alloc(n + 1, sizeof *row);
    for (size_t i = 0; i < m; i++)
        C[i * ldc + n] = untouched;
    k->gemm(m, n, depth, A, lda, B, ldb, C, ldc);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double want = 0, size = 0;
            for (size_t p = 0; p < depth; p++) {
                want += (double)A[i * lda + p] * B[p * ldb + j];
                size += fabs((double)A[i * lda + p] * B[p * ldb + j]);
            }
            assert_near(C[i * ldc + j], want, size, "gemm", depth);
        }
        assert_true(C[i * ldc + n] == untouched);
        k->gemm(1, n, depth, A + i * lda, lda, B, ldb, row, n);
        assert_memory_equal(row, C + i * ldc, n * sizeof *row); /* alone or among others */
    }
    mem_free(row);
    mem_free(ba);
    mem_free(bb);
    mem_free(bc);
}

static void check_gemm(const struct kernels *k)
{
    for (size_t i = 0; i < 70; i++)
        check_gemm_of(k, i % 20, 1 + rng_below(&rng, 100), rng_below(&rng, 70));
    check_gemm_of(k, 32, 64, 64);
    check_gemm_of(k, 5, 257, 256);
}

struct gathered {
    size_t cols, stride, count, after;
    float *base, *A, *x, *w;
    uint32_t index[2 * ROWS];
};

static void gathered_make(struct gathered *g, size_t i)
{
    g->cols = length(i);
    g->stride = g->cols + i % 3;
    g->count = rng_below(&rng, 2 * ROWS);
    g->A = random_at(ROWS * g->stride, i, &g->base);
    g->x = mem_alloc(g->cols, sizeof *g->x);
    g->w = mem_alloc(g->count, sizeof *g->w);
    random_floats(g->x, g->cols);
    random_floats(g->w, g->count);
    for (size_t j = 0; j < 2 * ROWS; j++)
        g->index[j] = (uint32_t)rng_below(&rng, ROWS);
    g->after = i % 3 ? 2 * ROWS - g->count : 0;
}

static void gathered_done(struct gathered *g)
{
    mem_free(g->base);
    mem_free(g->x);
    mem_free(g->w);
}

static double row_dot(const struct gathered *g, size_t j, double *size)
{
    const float *row = g->A + g->index[j] * g->stride;
    double sum = 0;
    *size = 0;
    for (size_t c = 0; c < g->cols; c++) {
        sum += (double)row[c] * g->x[c];
        *size += fabs((double)row[c] * g->x[c]);
    }
    return sum;
}

static void check_gather_dot(const struct kernels *k)
{
    float out[2 * ROWS + 1];
    for (size_t i = 0; i < LENGTHS; i++) {
        struct gathered g;
        gathered_make(&g, i);
        out[g.count] = untouched;
        k->gather_dot(g.A, g.cols, g.stride, g.index, g.count, g.after, g.x, out);
        for (size_t j = 0; j < g.count; j++) {
            double size, want = row_dot(&g, j, &size);
            assert_near(out[j], want, size, "gather_dot", g.cols);
        }
        assert_true(out[g.count] == untouched);
        gathered_done(&g);
    }
}

/* y[1 … cols] = start + sum over j of s[j] * row j must be what `got` holds. */
static void assert_sum(const struct gathered *g, const double *s, const double *sizes,
                       const float *start, const float *got, const char *what)
{
    for (size_t c = 0; c < g->cols; c++) {
        double want = start[c], size = fabs(want);
        for (size_t j = 0; j < g->count; j++) {
            double a = g->A[g->index[j] * g->stride + c];
            want += s[j] * a;
            size += sizes[j] * fabs(a);
        }
        assert_near(got[c], want, size, what, g->cols + g->count);
    }
}

static void check_gather_axpy(const struct kernels *k)
{
    float start[MOST], y[MOST + 1];
    double s[2 * ROWS], sizes[2 * ROWS];
    for (size_t i = 0; i < LENGTHS; i++) {
        struct gathered g;
        gathered_make(&g, i);
        random_floats(start, g.cols);
        memcpy(y, start, g.cols * sizeof *y);
        y[g.cols] = untouched;
        k->gather_axpy(g.A, g.cols, g.stride, g.index, g.count, g.w, y);
        for (size_t j = 0; j < g.count; j++)
            sizes[j] = fabs(s[j] = g.w[j]);
        assert_sum(&g, s, sizes, start, y, "gather_axpy");
        assert_true(y[g.cols] == untouched);
        gathered_done(&g);
    }
}

static void check_gather_apply(const struct kernels *k)
{
    float constants[2 * ROWS];
    float start[MOST], y[MOST + 1];
    double s[2 * ROWS], sizes[2 * ROWS];
    for (size_t i = 0; i < LENGTHS; i++) {
        struct gathered g;
        gathered_make(&g, i);
        random_floats(start, g.cols);
        memcpy(y, start, g.cols * sizeof *y);
        y[g.cols] = untouched;
        random_floats(constants, g.count);
        const float *b = i % 3 ? constants : NULL;
        k->gather_apply(g.A, g.cols, g.stride, g.index, g.count, g.after, g.w, g.x, b, y);
        for (size_t j = 0; j < g.count; j++) {
            s[j] = g.w[j] * row_dot(&g, j, &sizes[j]) + (b ? b[j] : 0);
            sizes[j] = sizes[j] * fabs(g.w[j]) + (b ? fabsf(b[j]) : 0);
        }
        assert_sum(&g, s, sizes, start, y, "gather_apply");
        assert_true(y[g.cols] == untouched);
        gathered_done(&g);
    }
}

static void check_syrk_of(const struct kernels *k, size_t d, size_t count, size_t shift)
{
    size_t stride = d + shift % 4, ldg = d + shift % 7;
    float *base, *gbase, *A = random_at(ROWS * stride, shift, &base);
    float *G = random_at(d * ldg + 1, shift / 2, &gbase),
          *before = mem_alloc(d * ldg + 1, sizeof *G);
    float *w = mem_alloc(count, sizeof *w);
    uint32_t *index = mem_alloc(count, sizeof *index);
    G[d * ldg] = untouched;
    memcpy(before, G, (d * ldg + 1) * sizeof *G);
    random_floats(w, count);
    for (size_t j = 0; j < count; j++)
        index[j] = (uint32_t)rng_below(&rng, ROWS);
    k->gather_syrk(A, d, stride, index, count, w, G, ldg);
    for (size_t r = 0; r < d; r++)
        for (size_t c = r; c < d; c++) {
            double want = before[r * ldg + c], size = fabs(want);
            for (size_t j = 0; j < count; j++) {
                const float *row = A + index[j] * stride;
                want += (double)w[j] * row[r] * row[c];
                size += fabs((double)w[j] * row[r] * row[c]);
            }
            assert_near(G[r * ldg + c], want, size, "gather_syrk", count);
        }
    for (size_t r = 0; r < d; r++) /* the padding after each row */
        assert_memory_equal(G + r * ldg + d, before + r * ldg + d, (ldg - d) * sizeof *G);
    assert_true(G[d * ldg] == untouched);
    mem_free(base);
    mem_free(gbase);
    mem_free(before);
    mem_free(w);
    mem_free(index);
}

static void check_gather_syrk(const struct kernels *k)
{
    for (size_t d = 1; d <= 70; d++)
        check_syrk_of(k, d, rng_below(&rng, 40), d);
    for (size_t i = 71; i < LENGTHS; i += 6)
        check_syrk_of(k, length(i), 3, i);
    check_syrk_of(k, 64, 700, 1); /* several panels */
    check_syrk_of(k, 256, 150, 3);
    check_syrk_of(k, 24, 0, 3);
}

static void check_scatter_axpy(const struct kernels *k)
{
    float acc[200], want[200], value[100];
    uint32_t index[200];
    for (size_t n = 0; n <= 100; n++) {
        random_floats(acc, 200);
        random_floats(value, 100);
        memcpy(want, acc, sizeof acc);
        for (uint32_t i = 0; i < 200; i++)
            index[i] = i;
        rng_shuffle(&rng, index, 200);
        k->scatter_axpy(0.5f, index, value, n, acc);
        k->scatter_axpy(2, index, NULL, n, acc);
        for (size_t j = 0; j < n; j++)
            want[index[j]] = want[index[j]] + 0.5f * value[j] + 2;
        for (size_t i = 0; i < 200; i++)
            assert_near(acc[i], want[i], 4, "scatter_axpy", 1);
    }
}

/* Whole numbers: the same to the bit as adding them up. */
static void check_packed_scores(const struct kernels *k)
{
    enum { BLOCKS = 11, GROUPS = 40 };
    static uint8_t A[BLOCKS * GROUPS * 64] __attribute__((aligned(64)));
    static float scale[BLOCKS * 16] __attribute__((aligned(64)));
    static float out[BLOCKS * 16 + 16] __attribute__((aligned(64)));
    int8_t x[4 * GROUPS];
    float best[BLOCKS + 1];
    for (size_t blocks = 0; blocks <= BLOCKS; blocks++)
        for (size_t groups = 1; groups <= GROUPS; groups += blocks % 2 ? 1 : 13) {
            bool extreme = (blocks + groups) % 3 == 0; /* the largest sums there can be */
            for (size_t i = 0; i < blocks * groups * 64; i++)
                A[i] = (uint8_t)(extreme ? (i % 5 ? 255 : 1) : 1 + rng_below(&rng, 255));
            for (size_t i = 0; i < 4 * groups; i++)
                x[i] = (int8_t)(extreme ? (i % 7 ? 127 : -127) : (int)rng_below(&rng, 255) - 127);
            random_floats(scale, blocks * 16);
            out[blocks * 16] = best[blocks] = untouched;
            k->packed_scores(A, blocks, groups, x, scale, 0.37f, out, best);
            for (size_t b = 0; b < blocks; b++) {
                float most = -INFINITY;
                for (size_t row = 0; row < 16; row++) {
                    int sum = 0;
                    for (size_t c = 0; c < 4 * groups; c++)
                        sum += (A[b * groups * 64 + c / 4 * 64 + row * 4 + c % 4] - 128) * x[c];
                    float want = (float)sum * (scale[b * 16 + row] * 0.37f);
                    assert_true(out[b * 16 + row] == want);
                    most = want > most ? want : most;
                }
                assert_true(best[b] == most);
            }
            assert_true(out[blocks * 16] == untouched && best[blocks] == untouched);
        }
}

static void check_reaching(const struct kernels *k)
{
    float about[16] __attribute__((aligned(64))), norm[16] __attribute__((aligned(64)));
    float error[16] __attribute__((aligned(64)));
    for (int turn = 0; turn < 300; turn++) {
        for (int i = 0; i < 16; i++) { /* whole numbers: no rounding, many just equal */
            about[i] = i == turn % 40 ? -INFINITY : (float)rng_below(&rng, 9);
            norm[i] = (float)rng_below(&rng, 9);
            error[i] = (float)rng_below(&rng, 9);
        }
        float by_norm = (float)rng_below(&rng, 3), by_error = (float)rng_below(&rng, 3);
        unsigned mask = k->reaching(about, norm, error, by_norm, by_error, 12);
        for (int i = 0; i < 16; i++)
            assert_int_equal(mask >> i & 1,
                             about[i] + norm[i] * by_norm + error[i] * by_error >= 12);
        assert_int_equal(mask >> 16, 0);
    }
}

static void check_ranks(const struct kernels *k)
{
    float x[140] = {0}, sorted[140];
    uint32_t rank[141];
    for (size_t n = 0; n <= 140; n++) {
        for (size_t i = 0; i < n; i++)
            x[i] = i % 9 == 5 ? -INFINITY : (float)rng_below(&rng, n / 2 + 1) - 20;
        rank[n] = 77;
        k->ranks(x, n, rank);
        assert_int_equal(rank[n], 77);
        for (size_t i = 0; i < n; i++)
            sorted[i] = NAN;
        for (size_t i = 0; i < n; i++) { /* each place once… */
            assert_true(rank[i] < n && isnan(sorted[rank[i]]));
            sorted[rank[i]] = x[i];
        }
        for (size_t i = 0; i < n; i++) /* …in order, equal ones as they stand */
            for (size_t j = 0; j < i; j++)
                assert_true(x[j] == x[i] ? rank[j] < rank[i]
                                         : (x[j] > x[i]) == (rank[j] < rank[i]));
    }
}

static void check_count_from(const struct kernels *k)
{
    float x[140] __attribute__((aligned(64)));
    for (size_t n = 0; n <= 139; n++) {
        size_t expected = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = i % 9 == 5 ? -INFINITY : (float)rng_below(&rng, 40) - 20;
            expected += x[i] >= 3;
        }
        x[n] = 100;
        assert_int_equal(k->count_from(x, n, 3), expected);
    }
}

/* What was put in as the least and the most, in any place, among what lies between and -INFINITY.
 */
static void check_range(const struct kernels *k)
{
    float x[140] __attribute__((aligned(64))) = {0}, low, high;
    k->range(x, 0, &low, &high);
    assert_true(low == INFINITY && high == -INFINITY);
    for (size_t n = 2; n <= 139; n++) {
        size_t at = rng_below(&rng, n), other = rng_below(&rng, n);
        for (size_t i = 0; i < n; i++)
            x[i] = i % 3 == 1 ? -INFINITY : (float)rng_below(&rng, 40) - 20;
        x[at] = -21;
        x[other] = other == at ? -21 : 21;
        x[n] = 100;
        k->range(x, n, &low, &high);
        assert_true(low == -21);
        assert_true(other == at || high == 21);
    }
    for (size_t i = 0; i < 37; i++)
        x[i] = -INFINITY;
    k->range(x, 37, &low, &high);
    assert_true(low == INFINITY && high == -INFINITY);
}

#define VARIANTS_TEST(kernel)                                                                      \
    static void every_##kernel(void **state)                                                       \
    {                                                                                              \
        each_variant(check_##kernel);                                                              \
    }

VARIANTS_TEST(dot)
VARIANTS_TEST(axpy)
VARIANTS_TEST(gemv)
VARIANTS_TEST(gemm)
VARIANTS_TEST(gather_dot)
VARIANTS_TEST(gather_axpy)
VARIANTS_TEST(gather_apply)
VARIANTS_TEST(gather_syrk)
VARIANTS_TEST(scatter_axpy)
VARIANTS_TEST(packed_scores)
VARIANTS_TEST(reaching)
VARIANTS_TEST(count_from)
VARIANTS_TEST(range)
VARIANTS_TEST(ranks)

static void pinning(void **state)
{
    struct pal_error err;
    size_t n;
    const struct kernels *const *all = kernels_all(&n);
    assert_ptr_equal(kernels(), all[n - 1]); /* the best by itself */
    for (size_t i = 0; i < n; i++) {
        assert_ok(kernels_use(all[i]->name, &err), &err);
        assert_ptr_equal(kernels(), all[i]);
    }
    assert_int_equal(kernels_use("sse9", &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "sse9"));
    assert_ptr_equal(kernels(), all[n - 1]); /* a refusal changes nothing */
    assert_ok(kernels_use("plain", &err), &err);
    assert_ok(kernels_use("auto", &err), &err);
    assert_ptr_equal(kernels(), all[n - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dot),
        cmocka_unit_test(every_axpy),
        cmocka_unit_test(every_gemv),
        cmocka_unit_test(every_gemm),
        cmocka_unit_test(every_gather_dot),
        cmocka_unit_test(every_gather_axpy),
        cmocka_unit_test(every_gather_apply),
        cmocka_unit_test(every_gather_syrk),
        cmocka_unit_test(every_scatter_axpy),
        cmocka_unit_test(every_packed_scores),
        cmocka_unit_test(every_reaching),
        cmocka_unit_test(every_count_from),
        cmocka_unit_test(every_range),
        cmocka_unit_test(every_ranks),
        cmocka_unit_test(pinning),
    };
    return cmocka_run_group_tests_name("math/kernels", tests, NULL, NULL);
}
