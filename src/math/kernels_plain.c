/* The reference: every kernel as its definition reads. See kernels.h. */
#include "math/kernels_variants.h"
#include "math/sigmoid.h"

#include <math.h>

static float dot(const float *x, const float *y, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void axpy(float a, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void gemv(const float *A, size_t rows, size_t cols, size_t stride, const float *x, float *y)
{
    for (size_t i = 0; i < rows; i++)
        y[i] = dot(A + i * stride, x, cols);
}

static void gemm(size_t m, size_t n, size_t k, const float *A, size_t lda, const float *B,
                 size_t ldb, float *C, size_t ldc)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            C[i * ldc + j] = 0;
        for (size_t p = 0; p < k; p++)
            axpy(A[i * lda + p], B + p * ldb, C + i * ldc, n);
    }
}

static void gather_dot(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                       size_t after, const float *x, float *out)
{
    for (size_t j = 0; j < k; j++)
        out[j] = dot(A + index[j] * stride, x, cols);
}

static void gather_axpy(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                        const float *a, float *y)
{
    for (size_t j = 0; j < k; j++)
        axpy(a[j], A + index[j] * stride, y, cols);
}

static void gather_apply(const float *A, size_t cols, size_t stride, const uint32_t *index,
                         size_t k, size_t after, const float *w, const float *x, const float *b,
                         float *y)
{
    for (size_t j = 0; j < k; j++) {
        const float *row = A + index[j] * stride;
        axpy(w[j] * dot(row, x, cols) + (b ? b[j] : 0), row, y, cols);
    }
}

static void gather_syrk(const float *A, size_t d, size_t stride, const uint32_t *index, size_t k,
                        const float *w, float *G, size_t ldg)
{
    for (size_t j = 0; j < k; j++) {
        const float *row = A + index[j] * stride;
        for (size_t i = 0; i < d; i++)
            axpy(w[j] * row[i], row + i, G + i * ldg + i, d - i);
    }
}

static void scatter_axpy(float a, const uint32_t *index, const float *value, size_t k, float *acc)
{
    for (size_t j = 0; j < k; j++)
        acc[index[j]] += a * (value ? value[j] : 1);
}

static void packed_scores(const uint8_t *A, size_t blocks, size_t groups, const int8_t *x,
                          const float *scale, float t, float *out, float *best)
{
    for (size_t b = 0; b < blocks; b++) {
        best[b] = -INFINITY;
        for (size_t row = 0; row < 16; row++) {
            int32_t dot = 0;
            for (size_t c = 0; c < 4 * groups; c++)
                dot += (A[((b * groups + c / 4) * 16 + row) * 4 + c % 4] - 128) * x[c];
            float score = (float)dot * (scale[16 * b + row] * t);
            out[16 * b + row] = score;
            best[b] = score > best[b] ? score : best[b];
        }
    }
}

static unsigned reaching(const float *about, const float *norm, const float *error, float by_norm,
                         float by_error, float floor)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (unsigned)(about[i] + norm[i] * by_norm + error[i] * by_error >= floor) << i;
    return mask;
}

static size_t count_from(const float *x, size_t n, float floor)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += x[i] >= floor;
    return count;
}

static void range(const float *x, size_t n, float *low, float *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        *low = x[i] > -INFINITY && x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

static void ranks(const float *x, size_t n, uint32_t *rank)
{
    for (size_t i = 0; i < n; i++) {
        rank[i] = 0;
        for (size_t j = 0; j < n; j++)
            rank[i] += x[j] > x[i] || (x[j] == x[i] && j < i);
    }
}

static int cholesky_factor(float *A, size_t d, size_t stride)
{
    for (size_t i = 0; i < d; i++) {
        float *row = A + i * stride;
        for (size_t p = 0; p < i; p++)
            axpy(-A[p * stride + i], A + p * stride + i, row + i, d - i);
        if (!(row[i] > 0))
            return -1;
        float reciprocal = 1 / sqrtf(row[i]);
        for (size_t j = i + 1; j < d; j++)
            row[j] *= reciprocal;
        row[i] = reciprocal;
    }
    return 0;
}

static void cholesky_solve(const float *U, size_t d, size_t stride, float *x)
{
    for (size_t i = 0; i < d; i++) { /* Uᵀ z = b */
        x[i] *= U[i * stride + i];
        axpy(-x[i], U + i * stride + i + 1, x + i + 1, d - i - 1);
    }
    for (size_t i = d; i-- > 0;) { /* U x = z */
        const float *row = U + i * stride;
        x[i] = (x[i] - dot(row + i + 1, x + i + 1, d - i - 1)) * row[i];
    }
}

static float cg_begin(size_t d, float *r, float *p, float *q, const float *w)
{
    for (size_t i = 0; i < d; i++) {
        q[i] = r[i] = -q[i];
        p[i] = r[i] * w[i];
    }
    return dot(r, p, d);
}

static float cg_step(size_t d, float rz, float *x, float *r, float *p, float *q, const float *m,
                     const float *w)
{
    float length = cg_length(rz, dot(p, q, d)), rz_new = 0;
    if (!(length > 0))
        return rz;
    axpy(length, p, x, d);
    axpy(-length, q, r, d);
    for (size_t i = 0; i < d; i++)
        rz_new += r[i] * r[i] * w[i];
    for (size_t i = 0; i < d; i++) {
        p[i] = r[i] * w[i] + rz_new / rz * p[i];
        q[i] = m[i] * p[i];
    }
    return rz_new;
}

static float sgd_pair(float *x, float *y, float *z, size_t n, float bias, float rate, float keep)
{
    float score = bias;
    for (size_t i = 0; i < n; i++)
        score += x[i] * (y[i] - z[i]);
    float g = rate * sigmoid(-score);
    for (size_t i = 0; i < n; i++) {
        float xi = x[i];
        x[i] = keep * xi + g * (y[i] - z[i]);
        y[i] = keep * y[i] + g * xi;
        z[i] = keep * z[i] - g * xi;
    }
    return g;
}

static void sgd_targets(float *x, float *C, size_t n, size_t stride, const uint32_t *index,
                        size_t k, float rate)
{
    float g[SGD_TARGETS];
    gather_dot(C, n, stride, index, k, 0, x, g);
    for (size_t j = 0; j < k; j++)
        g[j] = rate * ((j == 0) - sigmoid(g[j]));
    for (size_t i = 0; i < n; i++) {
        float xi = x[i];
        for (size_t j = 0; j < k; j++) {
            float *c = C + index[j] * stride + i;
            x[i] += g[j] * *c;
            *c += g[j] * xi;
        }
    }
}

const struct kernels kernels_plain = {
    .name = "plain",
    .dot = dot,
    .axpy = axpy,
    .gemv = gemv,
    .gemm = gemm,
    .gather_dot = gather_dot,
    .gather_axpy = gather_axpy,
    .gather_apply = gather_apply,
    .gather_syrk = gather_syrk,
    .scatter_axpy = scatter_axpy,
    .packed_scores = packed_scores,
    .reaching = reaching,
    .count_from = count_from,
    .range = range,
    .ranks = ranks,
    .cholesky_factor = cholesky_factor,
    .cholesky_solve = cholesky_solve,
    .cg_begin = cg_begin,
    .cg_step = cg_step,
    .sgd_pair = sgd_pair,
    .sgd_targets = sgd_targets,
};
