/* Steps of stochastic gradient descent in registers; part of kernels_simd.h. */
#include "math/sigmoid.h"

static float sgd_pair(float *x, float *y, float *z, size_t n, float bias, float rate, float keep)
{
    vec a = v_set(0), b = v_set(0);
    size_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        a = v_fma(v_load(x + i), v_sub(v_load(y + i), v_load(z + i)), a);
        b = v_fma(v_load(x + i + W), v_sub(v_load(y + i + W), v_load(z + i + W)), b);
    }
    for (; i < n; i += W)
        a = v_fma(v_some(x + i, n - i), v_sub(v_some(y + i, n - i), v_some(z + i, n - i)), a);
    float g = rate * sigmoid(-(v_sum(v_add(a, b)) + bias));
    vec gv = v_set(g), kv = v_set(keep);
    for (i = 0; i + W <= n; i += W) {
        vec xv = v_load(x + i), yv = v_load(y + i), zv = v_load(z + i), step = v_mul(gv, xv);
        v_store(x + i, v_fma(gv, v_sub(yv, zv), v_mul(kv, xv)));
        v_store(y + i, v_fma(kv, yv, step));
        v_store(z + i, v_sub(v_mul(kv, zv), step));
    }
    if (i < n) {
        vec xv = v_part(x + i, n - i), yv = v_part(y + i, n - i), zv = v_part(z + i, n - i);
        vec step = v_mul(gv, xv);
        v_store_part(x + i, v_fma(gv, v_sub(yv, zv), v_mul(kv, xv)), n - i);
        v_store_part(y + i, v_fma(kv, yv, step), n - i);
        v_store_part(z + i, v_sub(v_mul(kv, zv), step), n - i);
    }
    return g;
}

/* One stretch of `vecs` registers of all targets, which is a constant wherever it is called. */
static inline void move_stretch(float *x, float *const *row, size_t at, size_t vecs, size_t k,
                                const float *g)
{
    vec xv[4], sum[4];
    UNROLL
    for (size_t v = 0; v < vecs; v++) {
        xv[v] = v_load(x + at + v * W);
        sum[v] = xv[v];
    }
    for (size_t j = 0; j < k; j++) {
        float *r = row[j] + at;
        vec gv = v_set(g[j]);
        UNROLL
        for (size_t v = 0; v < vecs; v++) {
            vec rv = v_load(r + v * W);
            sum[v] = v_fma(gv, rv, sum[v]);
            v_store(r + v * W, v_fma(gv, xv[v], rv));
        }
    }
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        v_store(x + at + v * W, sum[v]);
}

/* The last columns, fewer than a register holds. */
static inline void move_rest(float *x, float *const *row, size_t at, size_t n, size_t k,
                             const float *g)
{
    vec xv = v_part(x + at, n), sum = xv;
    for (size_t j = 0; j < k; j++) {
        vec rv = v_part(row[j] + at, n), gv = v_set(g[j]);
        sum = v_fma(gv, rv, sum);
        v_store_part(row[j] + at, v_fma(gv, xv, rv), n);
    }
    v_store_part(x + at, sum, n);
}

static void sgd_targets(float *x, float *C, size_t n, size_t stride, const uint32_t *index,
                        size_t k, float rate)
{
    float *row[SGD_TARGETS + ROWS];
    float g[SGD_TARGETS + W] __attribute__((aligned(64)));
    size_t i = 0;
    for (size_t j = 0; j < k; j++)
        row[j] = C + index[j] * stride;
    for (size_t j = k; j % ROWS; j++)
        row[j] = row[k - 1];
    for (size_t j = 0; j < k; j += ROWS)
        dots((const float *const *)row + j, NULL, n, x, g + j);
    for (size_t j = 0; j < k; j += ROWS) /* a constant count, which compilers turn into vectors */
        for (size_t lane = 0; lane < ROWS; lane++)
            g[j + lane] = -rate * sigmoid(g[j + lane]);
    g[0] += rate;
    for (; i + 4 * W <= n; i += 4 * W)
        move_stretch(x, row, i, 4, k, g);
    for (; i + W <= n; i += W)
        move_stretch(x, row, i, 1, k, g);
    if (i < n)
        move_rest(x, row, i, n - i, k, g);
}
