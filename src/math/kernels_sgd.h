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

/* One register's width of all targets. */
static inline void move_targets(float *x, float *C, size_t n, size_t stride, const uint32_t *index,
                                size_t k, const float *g)
{
    vec xv = v_some(x, n), sum = v_set(0);
    for (size_t j = 0; j < k; j++) {
        float *row = C + index[j] * stride;
        vec rv = v_some(row, n), gv = v_set(g[j]);
        sum = v_fma(gv, rv, sum);
        v_store_some(row, v_fma(gv, xv, rv), n);
    }
    v_store_some(x, v_add(xv, sum), n);
}

static void sgd_targets(float *x, float *C, size_t n, size_t stride, const uint32_t *index,
                        size_t k, float rate)
{
    float g[SGD_TARGETS + W];
    gather_dot(C, n, stride, index, k, 0, x, g);
    for (size_t j = 0; j < k; j++)
        g[j] = -rate * sigmoid(g[j]);
    g[0] += rate;
    for (size_t i = 0; i < n; i += W)
        move_targets(x + i, C + i, n - i, stride, index, k, g);
}
