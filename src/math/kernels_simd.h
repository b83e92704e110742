/* The fast kernels, written once over a small vocabulary of vector operations; kernels_avx2.c and
 * kernels_avx512.c define that vocabulary and include this file.
 *
 * The vocabulary: vec holds W floats; ROWS gathered rows are walked at once; v_load, v_store move
 * whole vectors, v_part and v_store_part the first n < W floats (the rest reads as 0); v_half and
 * v_half_part load half precision; v_set, v_mul, v_add, v_fma (a b + c), v_fnma (c - a b);
 * v_sum adds a vector up; v_sums adds up each of ROWS vectors.
 *
 * Gathered rows. A history names rows all over a matrix of many megabytes, so the loops are bound
 * by memory: they ask for the next ROWS rows while they work on these, and do as much as they can
 * with a row while it is near. A last group that is short repeats its last row with weight 0.
 *
 * Dense updates. All of gemm, syrk and Cholesky is one tile: R x 3 vectors of C stay in registers
 * while a loop over k adds a[k][row] * b[k][column vector] to them, R broadcasts and 3 loads for
 * 3 R fused multiply-adds, so that the multipliers never wait for loads (Goto and van de Geijn,
 * "Anatomy of high-performance matrix multiplication", 2008).
 *
 * syrk first packs a block of gathered rows, as they are and times their weight, which turns
 * G += sum w y yᵀ into such an update of the upper triangle. Cholesky goes by blocks of W rows of
 * U from the top: all earlier rows are subtracted through the tile, the W x W block on the diagonal
 * is factored, and the rest of the block row is solved by it. Working in the upper triangle means
 * that both operands of each update are rows of U as they lie: nothing is transposed or copied. */
#include <math.h>
#include <string.h>

enum {
    R = W / 2,
    VECS = 3,
    SYRK_PANEL = 16384 /* floats of each packed copy: 64 KiB, half of L2 at
                          most, measured best between 8 Ki and 32 Ki */
};

static const float zeros[ROWS];

/* The last, maybe partial, vector and the whole ones alike. n = floats left from here. */
static inline vec v_some(const float *p, size_t n)
{
    return n >= W ? v_load(p) : v_part(p, n);
}

static inline void v_store_some(float *p, vec x, size_t n)
{
    if (n >= W)
        v_store(p, x);
    else
        v_store_part(p, x, n);
}

/* ---- vectors ---- */

static float dot(const float *x, const float *y, size_t n)
{
    vec a = v_set(0), b = v_set(0), c = v_set(0), d = v_set(0);
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        a = v_fma(v_load(x + i), v_load(y + i), a);
        b = v_fma(v_load(x + i + W), v_load(y + i + W), b);
        c = v_fma(v_load(x + i + 2 * W), v_load(y + i + 2 * W), c);
        d = v_fma(v_load(x + i + 3 * W), v_load(y + i + 3 * W), d);
    }
    for (; i < n; i += W)
        a = v_fma(v_some(x + i, n - i), v_some(y + i, n - i), a);
    return v_sum(v_add(v_add(a, b), v_add(c, d)));
}

static void axpy(float a, const float *x, float *y, size_t n)
{
    vec av = v_set(a);
    size_t i = 0;
    for (; i + W <= n; i += W)
        v_store(y + i, v_fma(av, v_load(x + i), v_load(y + i)));
    if (i < n)
        v_store_part(y + i, v_fma(av, v_part(x + i, n - i), v_part(y + i, n - i)), n - i);
}

static void scatter_axpy(float a, const uint32_t *index, const float *value, size_t k, float *acc)
{
    if (value)
        for (size_t j = 0; j < k; j++)
            acc[index[j]] += a * value[j];
    else
        for (size_t j = 0; j < k; j++)
            acc[index[j]] += a;
}

static void to_half(const float *x, uint16_t *out, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        v_to_half(v_load(x + i), out + i);
    if (i < n) {
        uint16_t last[W];
        v_to_half(v_part(x + i, n - i), last);
        memcpy(out + i, last, (n - i) * sizeof *out);
    }
}

/* ---- gathered rows ---- */

/* out[r] = dot(row[r], x) */
static inline void dots(const float *const *row, size_t cols, const float *x, float *out)
{
    vec acc[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        acc[r] = v_set(0);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec xv = v_load(x + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_load(row[r] + i), xv, acc[r]);
    }
    if (i < cols) {
        vec xv = v_part(x + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_part(row[r] + i, cols - i), xv, acc[r]);
    }
    v_sums(acc, out);
}

/* y += sum of s[r] * row[r] */
static inline void axpys(const float *const *row, size_t cols, const float *s, float *y)
{
    vec sv[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        sv[r] = v_set(s[r]);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec yv = v_load(y + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_load(row[r] + i), sv[r], yv);
        v_store(y + i, yv);
    }
    if (i < cols) {
        vec yv = v_part(y + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_part(row[r] + i, cols - i), sv[r], yv);
        v_store_part(y + i, yv, cols - i);
    }
}

static inline void halves_dots(const uint16_t *const *row, size_t cols, const float *x, float *out)
{
    vec acc[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        acc[r] = v_set(0);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec xv = v_load(x + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_half(row[r] + i), xv, acc[r]);
    }
    if (i < cols) {
        vec xv = v_part(x + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            acc[r] = v_fma(v_half_part(row[r] + i, cols - i), xv, acc[r]);
    }
    v_sums(acc, out);
}

static inline void halves_axpys(const uint16_t *const *row, size_t cols, const float *s, float *y)
{
    vec sv[ROWS];
    UNROLL
    for (int r = 0; r < ROWS; r++)
        sv[r] = v_set(s[r]);
    size_t i = 0;
    for (; i + W <= cols; i += W) {
        vec yv = v_load(y + i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_half(row[r] + i), sv[r], yv);
        v_store(y + i, yv);
    }
    if (i < cols) {
        vec yv = v_part(y + i, cols - i);
        UNROLL
        for (int r = 0; r < ROWS; r++)
            yv = v_fma(v_half_part(row[r] + i, cols - i), sv[r], yv);
        v_store_part(y + i, yv, cols - i);
    }
}

/* Asks for the group of rows after the one at j. */
static inline void prefetch_rows(const void *A, size_t row_bytes, size_t stride_bytes,
                                 const uint32_t *index, size_t j, size_t k)
{
    size_t end = k < j + 2 * ROWS ? k : j + 2 * ROWS;
    for (size_t r = j + ROWS; r < end; r++) {
        const char *row = (const char *)A + index[r] * stride_bytes;
        for (size_t b = 0; b < row_bytes; b += 64)
            __builtin_prefetch(row + b);
    }
}

/* row[r] = the address of row index[j + r], the last one again where the list has ended. */
static inline void point_rows(const float *A, size_t stride, const uint32_t *index, size_t j,
                              size_t k, const float *row[ROWS])
{
    UNROLL
    for (size_t r = 0; r < ROWS; r++)
        row[r] = A + index[j + r < k ? j + r : k - 1] * stride;
}

static void gather_dot(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                       const float *x, float *out)
{
    const float *row[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        point_rows(A, stride, index, j, k, row);
        float s[ROWS];
        dots(row, cols, x, s);
        memcpy(out + j, s, (k - j < ROWS ? k - j : ROWS) * sizeof *out);
    }
}

static void gather_axpy(const float *A, size_t cols, size_t stride, const uint32_t *index, size_t k,
                        const float *a, float *y)
{
    const float *row[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        point_rows(A, stride, index, j, k, row);
        float s[ROWS] = {0};
        memcpy(s, a + j, (k - j < ROWS ? k - j : ROWS) * sizeof *s);
        axpys(row, cols, s, y);
    }
}

/* s[r] *= w[r]; 0 where the list has ended. */
static inline void weigh(float *s, const float *w, size_t n)
{
    if (n >= ROWS)
        UNROLL
    for (size_t r = 0; r < ROWS; r++)
        s[r] *= w[r];
    else for (size_t r = 0; r < ROWS; r++) s[r] = r < n ? s[r] * w[r] : 0;
}

static void gather_apply(const float *A, size_t cols, size_t stride, const uint32_t *index,
                         size_t k, const float *w, const float *x, float *y)
{
    const float *row[ROWS];
    float s[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        point_rows(A, stride, index, j, k, row);
        dots(row, cols, x, s);
        weigh(s, w + j, k - j);
        axpys(row, cols, s, y);
    }
}

static void gather_apply_half(const uint16_t *A, size_t cols, size_t stride, const uint32_t *index,
                              size_t k, const float *w, const float *x, float *y)
{
    const uint16_t *row[ROWS];
    float s[ROWS];
    for (size_t j = 0; j < k; j += ROWS) {
        prefetch_rows(A, cols * sizeof *A, stride * sizeof *A, index, j, k);
        UNROLL
        for (size_t r = 0; r < ROWS; r++)
            row[r] = A + index[j + r < k ? j + r : k - 1] * stride;
        halves_dots(row, cols, x, s);
        weigh(s, w + j, k - j);
        halves_axpys(row, cols, s, y);
    }
}

static void gemv(const float *A, size_t rows, size_t cols, size_t stride, const float *x, float *y)
{
    const float *row[ROWS];
    for (size_t i = 0; i < rows; i += ROWS) {
        for (size_t r = 0; r < ROWS; r++)
            row[r] = A + (i + r < rows ? i + r : rows - 1) * stride;
        float s[ROWS];
        dots(row, cols, x, s);
        memcpy(y + i, s, (rows - i < ROWS ? rows - i : ROWS) * sizeof *y);
    }
}

/* ---- dense updates ---- */

enum mode { SET, ADD, SUBTRACT };

/* C (rows, cols) =, += or -= sum over p < k of a[p] b[p]ᵀ, where a[p][i] = a[p * a_k + i * a_row]
 * and b[p][j] = b[p * ldb + j]. */
struct update {
    enum mode mode;
    size_t k;
    const float *a;
    size_t a_row, a_k;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
};

/* The tile at row i and column j: rows x vecs vectors, of which the last has `last` floats. All
 * arguments but u, i, j and last are constants where this is expanded. */
static inline __attribute__((always_inline)) void tile(const struct update *u, size_t i, size_t j,
                                                       const int rows, const int vecs,
                                                       const enum mode mode, size_t last)
{
    vec acc[R][VECS];
    float *c = u->c + i * u->ldc + j;
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vecs; v++)
        acc[r][v] =
            mode == SET ? v_set(0) : v_some(c + r * u->ldc + v * W, v == vecs - 1 ? last : W);
    const float *a = u->a + i * u->a_row, *b = u->b + j;
    size_t a_row = u->a_row, a_k = u->a_k, ldb = u->ldb;
    for (size_t p = u->k; p > 0; p--, a += a_k, b += ldb) {
        vec bv[VECS];
        UNROLL
        for (int v = 0; v < vecs; v++)
            bv[v] = v_some(b + v * W, v == vecs - 1 ? last : W);
        UNROLL
        for (int r = 0; r < rows; r++) {
            vec av = v_set(a[r * a_row]);
            UNROLL
            for (int v = 0; v < vecs; v++)
                acc[r][v] =
                    mode == SUBTRACT ? v_fnma(av, bv[v], acc[r][v]) : v_fma(av, bv[v], acc[r][v]);
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++)
        UNROLL
    for (int v = 0; v < vecs; v++)
        v_store_some(c + r * u->ldc + v * W, acc[r][v], v == vecs - 1 ? last : W);
}

static inline __attribute__((always_inline)) void tile_of_mode(const struct update *u, size_t i,
                                                               size_t j, const int rows, int vecs,
                                                               const enum mode mode, size_t last)
{
    if (last == W) /* whole vectors: no masks in the loop */
        switch (vecs) {
        case 1:
            tile(u, i, j, rows, 1, mode, W);
            break;
        case 2:
            tile(u, i, j, rows, 2, mode, W);
            break;
        default:
            tile(u, i, j, rows, 3, mode, W);
        }
    else
        switch (vecs) {
        case 1:
            tile(u, i, j, rows, 1, mode, last);
            break;
        case 2:
            tile(u, i, j, rows, 2, mode, last);
            break;
        default:
            tile(u, i, j, rows, 3, mode, last);
        }
}

static void tile_set(const struct update *u, size_t i, size_t j, int rows, int vecs, size_t last)
{
    if (rows == R)
        tile_of_mode(u, i, j, R, vecs, SET, last);
    else
        for (int r = 0; r < rows; r++)
            tile_of_mode(u, i + r, j, 1, vecs, SET, last);
}

static void tile_add(const struct update *u, size_t i, size_t j, int rows, int vecs, size_t last)
{
    if (rows == R)
        tile_of_mode(u, i, j, R, vecs, ADD, last);
    else
        for (int r = 0; r < rows; r++)
            tile_of_mode(u, i + r, j, 1, vecs, ADD, last);
}

static void tile_subtract(const struct update *u, size_t i, size_t j, int rows, int vecs,
                          size_t last)
{
    if (rows == R)
        tile_of_mode(u, i, j, R, vecs, SUBTRACT, last);
    else
        for (int r = 0; r < rows; r++)
            tile_of_mode(u, i + r, j, 1, vecs, SUBTRACT, last);
}

/* All of C, or (upper) its entries on and right of the diagonal and some below. Column by column
 * of tiles, so that its part of b stays in the first-level cache. */
static void update_all(const struct update *u, size_t rows, size_t cols, int upper)
{
    size_t vecs = (cols + W - 1) / W;
    for (size_t v = 0; v < vecs;) {
        size_t width = vecs - v == 4 ? 2 : vecs - v < VECS ? vecs - v : VECS;
        size_t end = v + width, last = end == vecs ? cols - (vecs - 1) * W : W;
        for (size_t i = 0; i < rows && (!upper || i < end * W); i += R) {
            size_t from = upper && i / W > v ? i / W : v;
            int n = rows - i < R ? (int)(rows - i) : R, wide = (int)(end - from);
            if (u->mode == SET)
                tile_set(u, i, from * W, n, wide, last);
            else if (u->mode == ADD)
                tile_add(u, i, from * W, n, wide, last);
            else
                tile_subtract(u, i, from * W, n, wide, last);
        }
        v = end;
    }
}

static void gemm(size_t m, size_t n, size_t k, const float *A, size_t lda, const float *B,
                 size_t ldb, float *C, size_t ldc)
{
    struct update u = {SET, k, A, lda, 1, B, ldb, C, ldc};
    update_all(&u, m, n, 0);
}

/* raw[p] = row index[p] of A, scaled[p] = w[p] times it; ld floats from row to row, 0 after d. */
static inline void pack(const float *A, size_t d, size_t stride, const uint32_t *index, size_t k,
                        const float *w, float *raw, float *scaled, size_t ld)
{
    enum { AHEAD = 8 };
    for (size_t p = 0; p < k; p++) {
        if (p + AHEAD < k)
            for (size_t i = 0; i < d; i += 16)
                __builtin_prefetch(A + index[p + AHEAD] * stride + i);
        const float *row = A + index[p] * stride;
        vec wv = v_set(w[p]);
        for (size_t i = 0; i < d; i += W) {
            vec y = v_some(row + i, d - i);
            v_store(raw + p * ld + i, y);
            v_store(scaled + p * ld + i, v_mul(wv, y));
        }
    }
}

static void gather_syrk(const float *A, size_t d, size_t stride, const uint32_t *index, size_t k,
                        const float *w, float *G, size_t ldg)
{
    float raw[SYRK_PANEL] __attribute__((aligned(64)));
    float scaled[SYRK_PANEL] __attribute__((aligned(64)));
    size_t whole = (d + W - 1) / W * W;
    size_t ld = whole % 64 ? whole : whole + W; /* see solve_stride */
    if (ld > SYRK_PANEL)
        return kernels_plain.gather_syrk(A, d, stride, index, k, w, G, ldg);
    size_t block = SYRK_PANEL / ld;
    for (size_t j = 0; j < k; j += block) {
        size_t n = k - j < block ? k - j : block;
        pack(A, d, stride, index + j, n, w + j, raw, scaled, ld);
        struct update u = {ADD, n, scaled, 1, ld, raw, ld, G, ldg};
        update_all(&u, d, d, 1);
    }
}

/* ---- Cholesky ---- */

/* Factors the block on the diagonal, n <= W rows of it; reciprocal (W) receives 1 / U[i][i]. */
static int factor_block(float *A, size_t n, size_t stride, float *reciprocal)
{
    float u[W][W] __attribute__((aligned(64)));
    vec row[W];
    UNROLL
    for (size_t i = 0; i < W; i++)
        row[i] = i < n ? v_some(A + i * stride, n) : v_set(0);
    int ok = 1;
    UNROLL
    for (size_t i = 0; i < W; i++) {
        v_store(u[i], row[i]);
        float pivot = i < n ? u[i][i] : 1;
        ok &= pivot > 0;
        reciprocal[i] = 1 / sqrtf(pivot);
        row[i] = v_mul(row[i], v_set(reciprocal[i]));
        v_store(u[i], row[i]);
        UNROLL
        for (size_t s = i + 1; s < W; s++)
            row[s] = v_fnma(v_set(u[i][s]), row[i], row[s]);
    }
    for (size_t i = 0; i < n; i++) {
        u[i][i] = reciprocal[i];
        v_store_some(A + i * stride, v_load(u[i]), n);
    }
    return ok ? 0 : -1;
}

/* The W x (at most W) block right of a whole diagonal block U: X = U⁻ᵀ X. n columns. */
static inline void solve_block(const float *U, float *X, size_t n, size_t stride)
{
    vec x[W];
    UNROLL
    for (size_t i = 0; i < W; i++) {
        vec sum = v_some(X + i * stride, n);
        UNROLL
        for (size_t s = 0; s < i; s++)
            sum = v_fnma(v_set(U[s * stride + i]), x[s], sum);
        x[i] = v_mul(sum, v_set(U[i * stride + i]));
        v_store_some(X + i * stride, x[i], n);
    }
}

static int factor(float *A, size_t d, size_t stride)
{
    for (size_t at = 0; at < d; at += W) {
        size_t n = d - at < W ? d - at : W;
        float *block = A + at * stride + at, reciprocal[W];
        struct update u = {SUBTRACT, at, A + at, 1, stride, A + at, stride, block, stride};
        update_all(&u, n, d - at, 1);
        if (factor_block(block, n, stride, reciprocal))
            return -1;
        for (size_t j = W; at + j < d; j += W)
            solve_block(block, block + j, d - at - j, stride);
    }
    return 0;
}

static void solve(const float *U, size_t d, size_t stride, float *x)
{
    for (size_t at = 0; at < d; at += W) { /* Uᵀ z = b */
        const float *block = U + at * stride + at;
        float *z = x + at;
        size_t n = d - at < W ? d - at : W;
        for (size_t i = 0; i < n; i++) {
            for (size_t s = 0; s < i; s++)
                z[i] -= block[s * stride + i] * z[s];
            z[i] *= block[i * stride + i];
        }
        for (size_t j = W; at + j < d; j += W) {
            size_t m = d - at - j;
            vec sum = v_some(z + j, m);
            for (size_t i = 0; i < W; i++)
                sum = v_fnma(v_set(z[i]), v_some(block + i * stride + j, m), sum);
            v_store_some(z + j, sum, m);
        }
    }
    for (size_t at = (d - 1) / W * W;; at -= W) { /* U x = z */
        const float *block = U + at * stride + at;
        float *z = x + at, known[W];
        size_t n = d - at < W ? d - at : W;
        gemv(block + n, n, d - at - n, stride, z + n, known);
        for (size_t i = n; i-- > 0;) {
            float sum = z[i] - known[i];
            for (size_t s = n - 1; s > i; s--)
                sum -= block[i * stride + s] * z[s];
            z[i] = sum * block[i * stride + i];
        }
        if (at == 0)
            break;
    }
}

/* One table for the file that includes this. */
#define SIMD_TABLE(variant)                                                                        \
    const struct kernels variant = {                                                               \
        .name = VARIANT_NAME,                                                                      \
        .dot = dot,                                                                                \
        .axpy = axpy,                                                                              \
        .gemv = gemv,                                                                              \
        .gemm = gemm,                                                                              \
        .gather_dot = gather_dot,                                                                  \
        .gather_axpy = gather_axpy,                                                                \
        .gather_apply = gather_apply,                                                              \
        .gather_apply_half = gather_apply_half,                                                    \
        .gather_syrk = gather_syrk,                                                                \
        .scatter_axpy = scatter_axpy,                                                              \
        .to_half = to_half,                                                                        \
        .cholesky_factor = factor,                                                                 \
        .cholesky_solve = solve,                                                                   \
    }
