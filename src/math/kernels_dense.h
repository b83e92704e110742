/* The dense half of kernels_simd.h, which includes it after the vocabulary.
 *
 * All of gemm, syrk and Cholesky is one tile: R x 3 vectors of C stay in registers
 * while a loop over k adds a[k][row] * b[k][column vector] to them, R broadcasts and 3 loads for
 * 3 R fused multiply-adds, so that the multipliers never wait for loads (Goto and van de Geijn,
 * "Anatomy of high-performance matrix multiplication", 2008).
 *
 * syrk first packs a block of gathered rows, each times the root of its weight, which turns
 * G += sum w y yᵀ into such an update of the upper triangle (negative weights go by themselves).
 * Cholesky goes by blocks of W rows of U from the top: all earlier rows are subtracted through the
 * tile, the W x W block on the diagonal is factored, and the rest of the block row is solved by it.
 * Working in the upper triangle means that both operands of each update are rows of U as they lie:
 * nothing is transposed or copied. */
#include <math.h>

enum {
    R = W / 2,
    VECS = 3,
    SYRK_PANEL = 16384 /* floats: 64 KiB, so that
tiles of C are not loaded and stored too often; 8192 was 5 % slower at d = 256 */
};

/* C (rows, cols) = base + (or -) sum over p < k of a[p] b[p]ᵀ, where a[p][i] = a[p * a_k + i *
 * a_row], b[p][j] = b[p * ldb + j]; base is C itself, or nothing. */
struct update {
    size_t k;
    const float *a;
    size_t a_row, a_k;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    int from_zero, minus;
};

/* Written out instead of looped over, so that every compiler keeps all of a tile in registers. */
#if VARIANT_ROWS == 8
#define EACH_ROW(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#else
#define EACH_ROW(M) M(0) M(1) M(2) M(3)
#endif

/* The tile at row i and column j: `rows` (R or 1) rows of `vecs` vectors, the last of which has
 * `last` floats. All but u, i, j and last are constants where this is expanded. */
static inline __attribute__((always_inline)) void tile(const struct update *u, size_t i, size_t j,
                                                       const int rows, const int vecs,
                                                       const int minus, const int whole,
                                                       size_t last)
{
    vec acc[R][VECS];
    float *c = u->c + i * u->ldc + j;
    size_t ldc = u->ldc, a_row = u->a_row, a_k = u->a_k, ldb = u->ldb;
    const float *a = u->a + i * a_row, *b = u->b + j;
#define GET(p, v) (whole || (v) < vecs - 1 ? v_load((p) + (v)*W) : v_part((p) + (v)*W, last))
#define PUT(p, v, x)                                                                               \
    (whole || (v) < vecs - 1 ? v_store((p) + (v)*W, x) : v_store_part((p) + (v)*W, x, last))
#define BEGIN(r)                                                                                   \
    if (r < rows) {                                                                                \
        acc[r][0] = u->from_zero ? v_set(0) : GET(c + r * ldc, 0);                                 \
        if (vecs > 1)                                                                              \
            acc[r][1] = u->from_zero ? v_set(0) : GET(c + r * ldc, 1);                             \
        if (vecs > 2)                                                                              \
            acc[r][2] = u->from_zero ? v_set(0) : GET(c + r * ldc, 2);                             \
    }
#define MORE(r, v) acc[r][v] = minus ? v_fnma(av, b##v, acc[r][v]) : v_fma(av, b##v, acc[r][v])
#define STEP(r)                                                                                    \
    if (r < rows) {                                                                                \
        vec av = v_set(a[r * a_row]);                                                              \
        MORE(r, 0);                                                                                \
        if (vecs > 1)                                                                              \
            MORE(r, 1);                                                                            \
        if (vecs > 2)                                                                              \
            MORE(r, 2);                                                                            \
    }
#define END(r)                                                                                     \
    if (r < rows) {                                                                                \
        PUT(c + r * ldc, 0, acc[r][0]);                                                            \
        if (vecs > 1)                                                                              \
            PUT(c + r * ldc, 1, acc[r][1]);                                                        \
        if (vecs > 2)                                                                              \
            PUT(c + r * ldc, 2, acc[r][2]);                                                        \
    }
    EACH_ROW(BEGIN)
    for (size_t p = u->k; p > 0; p--, a += a_k, b += ldb) {
        vec b0 = GET(b, 0), b1 = vecs > 1 ? GET(b, 1) : b0, b2 = vecs > 2 ? GET(b, 2) : b0;
        EACH_ROW(STEP)
    }
    EACH_ROW(END)
#undef GET
#undef PUT
#undef BEGIN
#undef MORE
#undef STEP
#undef END
}

typedef void tile_fn(const struct update *u, size_t i, size_t j, size_t last);

#define TILE(name, rows, vecs, minus, whole)                                                       \
    static void name(const struct update *u, size_t i, size_t j, size_t last)                      \
    {                                                                                              \
        tile(u, i, j, rows, vecs, minus, whole, last);                                             \
    }
#define TILES(name, rows, minus, whole)                                                            \
    TILE(name##1, rows, 1, minus, whole)                                                           \
    TILE(name##2, rows, 2, minus, whole)                                                           \
    TILE(name##3, rows, 3, minus, whole)
TILES(plus_part_, R, 0, 0)
TILES(plus_whole_, R, 0, 1)
TILES(minus_part_, R, 1, 0)
TILES(minus_whole_, R, 1, 1)
TILES(row_plus_part_, 1, 0, 0)
TILES(row_plus_whole_, 1, 0, 1)
TILES(row_minus_part_, 1, 1, 0)
TILES(row_minus_whole_, 1, 1, 1)

#define NAMES(name)                                                                                \
    {                                                                                              \
        name##1, name##2, name##3                                                                  \
    }
/* [one row only][minus][last vector whole][vectors - 1] */
static tile_fn *const tiles[2][2][2][VECS] = {
    {{NAMES(plus_part_), NAMES(plus_whole_)}, {NAMES(minus_part_), NAMES(minus_whole_)}},
    {{NAMES(row_plus_part_), NAMES(row_plus_whole_)},
     {NAMES(row_minus_part_), NAMES(row_minus_whole_)}}};

/* The tiles of rows i … i + R (or fewer, then one by one) from column vector v up to end. */
static inline void update_tile(const struct update *u, size_t i, size_t rows, size_t v, size_t end,
                               size_t cols)
{
    size_t last = end * W > cols ? cols - (end - 1) * W : W;
    int single = rows - i < R;
    tile_fn *fn = tiles[single][u->minus][last == W][end - v - 1];
    if (!single)
        fn(u, i, v * W, last);
    else
        for (; i < rows; i++)
            fn(u, i, v * W, last);
}

/* How many of the next n vectors go together: 3, but never 3 + 1. */
static inline size_t together(size_t n)
{
    return n == 4 ? 2 : n < VECS ? n : VECS;
}

/* All of C, column by column of tiles, so that its part of b stays in the nearest cache. upper:
 * only what lies on or right of the diagonal (and some more). */
static void update_columns(const struct update *u, size_t rows, size_t cols, int upper)
{
    size_t vecs = (cols + W - 1) / W;
    for (size_t v = 0, end; v < vecs; v = end) {
        end = v + together(vecs - v);
        for (size_t i = 0; i < rows && (!upper || i < end * W); i += R)
            update_tile(u, i, rows, upper && i / W > v ? i / W : v, end, cols);
    }
}

static void gemm(size_t m, size_t n, size_t k, const float *A, size_t lda, const float *B,
                 size_t ldb, float *C, size_t ldc)
{
    struct update u = {k, A, lda, 1, B, ldb, C, ldc, 1, 0};
    update_columns(&u, m, n, 0);
}

/* Copies up to `room` of the rows from *at on whose weight has the asked sign, times the root of
 * its size: (√w y)(√w y)ᵀ = w y yᵀ. *at moves behind the last one looked at. ld floats from row to
 * row, 0 after d. Returns how many were copied. */
static size_t pack(const float *A, size_t d, size_t stride, const uint32_t *index, size_t k,
                   const float *w, int negative, size_t *at, size_t room, float *panel, size_t ld)
{
    enum { AHEAD = 8 };
    size_t n = 0, j = *at;
    for (; j < k && n < room; j++) {
        if (j + AHEAD < k)
            for (size_t i = 0; i < d; i += 16)
                __builtin_prefetch(A + index[j + AHEAD] * stride + i);
        float size = negative ? -w[j] : w[j];
        if (!(size > 0))
            continue;
        const float *row = A + index[j] * stride;
        vec root = v_set(sqrtf(size));
        size_t i = 0;
        for (; i + W <= d; i += W)
            v_store(panel + i, v_mul(root, v_load(row + i)));
        if (i < d)
            v_store(panel + i, v_mul(root, v_part(row + i, d - i)));
        panel += ld;
        n++;
    }
    *at = j;
    return n;
}

static void gather_syrk(const float *A, size_t d, size_t stride, const uint32_t *index, size_t k,
                        const float *w, float *G, size_t ldg)
{
    float panel[SYRK_PANEL] __attribute__((aligned(64)));
    size_t whole = (d + W - 1) / W * W;
    size_t ld = whole % 64 ? whole : whole + W; /* see solve_stride */
    size_t room = SYRK_PANEL / ld, negatives = 0;
    if (room == 0) {
        kernels_plain.gather_syrk(A, d, stride, index, k, w, G, ldg);
        return;
    }
    for (size_t j = 0; j < k; j++)
        negatives += w[j] < 0;
    for (int negative = 0; negative <= (negatives > 0); negative++)
        for (size_t at = 0; at < k;) {
            size_t n = pack(A, d, stride, index, k, w, negative, &at, room, panel, ld);
            struct update u = {n, panel, 1, ld, panel, ld, G, ldg, 0, negative};
            if (n > 0)
                update_columns(&u, d, d, 1);
        }
}

/* ---- Cholesky ---- */

/* Factors the block on the diagonal, n <= W rows of it. Rows past n are those of the identity. */
static int factor_block(float *A, size_t n, size_t stride)
{
    float reciprocal[W];
    vec row[W];
    UNROLL
    for (size_t i = 0; i < W; i++)
        row[i] = i < n ? v_some(A + i * stride, n) : v_set(1);
    int ok = 1;
    UNROLL
    for (size_t i = 0; i < W; i++) {
        vec pivot = v_lane(row[i], i);
        vec root = v_rsqrt(pivot);
        ok &= i >= n || v_first(pivot) > 0;
        reciprocal[i] = v_first(root);
        row[i] = v_mul(row[i], root);
        UNROLL
        for (size_t s = i + 1; s < W; s++)
            row[s] = v_fnma(v_lane(row[i], s), row[i], row[s]);
    }
    for (size_t i = 0; i < W; i++)
        if (i < n) {
            v_store_some(A + i * stride, row[i], n);
            A[i * stride + i] = reciprocal[i];
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
        float *block = A + at * stride + at;
        struct update u = {at, A + at, 1, stride, A + at, stride, block, stride, 0, 1};
        update_columns(&u, n, d - at, 1);
        if (factor_block(block, n, stride))
            return -1;
        for (size_t j = W; at + j < d; j += W)
            solve_block(block, block + j, d - at - j, stride);
    }
    return 0;
}

/* z (n) = U⁻ᵀ z within a block on the diagonal. Lanes that are done may hold anything. */
static inline void forward_block(const float *U, size_t n, size_t stride, float *z)
{
    vec rest = v_some(z, n);
    for (size_t i = 0; i < n; i++) {
        vec zi = v_mul(v_any_lane(rest, i), v_set(U[i * stride + i]));
        z[i] = v_first(zi);
        rest = v_fnma(zi, v_some(U + i * stride, n), rest);
    }
}

/* x (n) = U⁻¹ x. The newest x enters last, so that only it is waited for. */
static inline void backward_block(const float *U, size_t n, size_t stride, float *x)
{
    float known[W];
    for (size_t i = n; i-- > 0;) {
        float sum = x[i];
        for (size_t s = n - 1; s > i; s--)
            sum -= U[i * stride + s] * known[s];
        x[i] = known[i] = sum * U[i * stride + i];
    }
}

static void solve(const float *U, size_t d, size_t stride, float *x)
{
    for (size_t at = 0; at < d; at += W) { /* Uᵀ z = b */
        const float *block = U + at * stride + at;
        float *z = x + at;
        forward_block(block, d - at < W ? d - at : W, stride, z);
        for (size_t j = W; at + j < d; j += W) {
            size_t m = d - at - j;
            vec sum = v_some(z + j, m), more = v_set(0);
            for (size_t i = 0; i < W; i += 2) {
                sum = v_fnma(v_set(z[i]), v_some(block + i * stride + j, m), sum);
                more = v_fma(v_set(z[i + 1]), v_some(block + (i + 1) * stride + j, m), more);
            }
            v_store_some(z + j, v_fnma(v_set(1), more, sum), m);
        }
    }
    for (size_t at = (d - 1) / W * W;; at -= W) { /* U x = z */
        const float *block = U + at * stride + at;
        float known[W];
        size_t n = d - at < W ? d - at : W;
        if (at + n < d) {
            gemv(block + n, n, d - at - n, stride, x + at + n, known);
            for (size_t i = 0; i < n; i++)
                x[at + i] -= known[i];
        }
        backward_block(block, n, stride, x + at);
        if (at == 0)
            break;
    }
}
