/* See lanczos.h.
 *
 * Block Lanczos with full reorthogonalization (Golub and Underwood, "The block Lanczos method for
 * computing eigenvalues", 1977) on B = AᵀA, which is never formed. From b random vectors, each step
 * multiplies the newest block by B, takes from the product what the basis Q holds already (twice,
 * since once leaves traces in single precision), makes the rest orthonormal and appends it. What
 * B is within the basis, T = Q B Qᵀ, falls out of the first of these projections. LAPACK gives T's
 * eigenvectors y, and Qᵀy are those of B.
 *
 * A block of b finds eigenvalues that occur up to b times and lets a sparse product read each entry
 * of A once for b vectors. The basis grows to twice what is asked for and eight blocks more; where
 * cols is no more than that it is complete and everything exact. Else the largest values converge
 * to all digits; in a spectrum that falls slowly the last of those wanted are blends of their
 * neighbours, which a low-pass filter, whose border is a guess anyway, does not mind.
 *
 * Vectors are rows of Q, W and V; for the sparse products a block is transposed, so that an entry
 * of A meets b numbers that lie together. */
#include "math/lanczos.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32, GRAIN = 64, TURN = 64 };

struct basis {
    const struct csr *A, *T;
    struct pool *pool;
    size_t n, b, most;  /* columns of A; vectors in a block; in the basis */
    size_t used, first; /* in the basis now; where its last block begins */
    float *Q;           /* (most, n) */
    float *P;           /* (most, most) Q B Qᵀ, its lower triangle */
    float *W;           /* (b, n) a block on its way into the basis */
    float *X;           /* (n, b) */
    float *Y;           /* (A->rows, b) */
    float *H;           /* (b, most) */
    float *S;           /* (b, b) */
    float *value;       /* (most) */
};

static size_t block_of(size_t n)
{
    return n < BLOCK ? n : BLOCK;
}

/* Whole blocks, but for the last when they would be more than there are columns. */
static size_t most_of(size_t n, size_t k)
{
    size_t want = 2 * k + 8 * BLOCK;
    return want < n ? want : n;
}

size_t lanczos_steps(size_t cols, size_t k)
{
    size_t b = block_of(cols);
    return b ? 2 * ((most_of(cols, k) + b - 1) / b) + 1 : 1;
}

uint64_t lanczos_bytes(uint64_t rows, uint64_t cols, uint64_t k)
{
    uint64_t most = most_of(cols, k), b = block_of(cols);
    return sizeof(float) * (most * (cols + most + b + 1) + b * (2 * cols + rows + b)) +
           dense_eigen_bytes(most);
}

static enum pal_status basis_init(struct basis *s, struct pal_error *err)
{
    s->Q = mem_aligned(s->most * s->n, sizeof(float));
    s->P = mem_aligned(s->most * s->most, sizeof(float));
    s->W = mem_aligned(s->b * s->n, sizeof(float));
    s->X = mem_aligned(s->n * s->b, sizeof(float));
    s->Y = mem_aligned(s->A->rows * s->b, sizeof(float));
    s->H = mem_aligned(s->b * s->most, sizeof(float));
    s->S = mem_aligned(s->b * s->b, sizeof(float));
    s->value = mem_aligned(s->most, sizeof(float));
    if (s->Q && s->P && s->W && s->X && s->Y && s->H && s->S && s->value)
        return PAL_OK;
    return pal_no_memory(err);
}

static void basis_done(struct basis *s)
{
    mem_free(s->Q);
    mem_free(s->P);
    mem_free(s->W);
    mem_free(s->X);
    mem_free(s->Y);
    mem_free(s->H);
    mem_free(s->S);
    mem_free(s->value);
}

/* out (n, m) = transpose of in (m, n) */
static void transpose(const float *in, size_t m, size_t n, float *out)
{
    for (size_t j0 = 0; j0 < n; j0 += TURN)
        for (size_t i = 0; i < m; i++)
            for (size_t j = j0; j < j0 + TURN && j < n; j++)
                out[j * m + i] = in[i * n + j];
}

struct product {
    const struct csr *M;
    const float *in; /* (M->cols, b) */
    float *out;      /* (M->rows, b) */
    size_t b;
};

static void product_rows(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct product *p = ctx;
    for (size_t r = begin; r < end; r++) {
        uint64_t from = p->M->start[r];
        float *row = p->out + r * p->b;
        memset(row, 0, p->b * sizeof *row);
        kernels()->gather_axpy(p->in, p->b, p->b, p->M->col + from, p->M->start[r + 1] - from,
                               p->M->val + from, row);
    }
}

static void multiply(const struct csr *M, const float *in, float *out, size_t b, struct pool *pool)
{
    struct product p = {M, in, out, b};
    pool_for(pool, M->rows, GRAIN, product_rows, &p);
}

/* W (size, n) = the last block of the basis times B. */
static void apply(struct basis *s, size_t size)
{
    transpose(s->Q + s->first * s->n, size, s->n, s->X);
    multiply(s->A, s->X, s->Y, size, s->pool);
    multiply(s->T, s->Y, s->X, size, s->pool);
    transpose(s->X, s->n, size, s->W);
}

/* The last block's rows of P. */
static void project(struct basis *s, size_t size)
{
    dense_gemm(size, s->used, s->n, 1, s->W, s->n, s->Q, s->n, 1, 0, s->P + s->first * s->most,
               s->most, s->pool);
}

/* W less what the basis holds of it. */
static void remove_known(struct basis *s, size_t size)
{
    if (s->used == 0)
        return;
    dense_gemm(size, s->used, s->n, 1, s->W, s->n, s->Q, s->n, 1, 0, s->H, s->most, s->pool);
    dense_gemm(size, s->n, s->used, -1, s->H, s->most, s->Q, s->n, 0, 1, s->W, s->n, s->pool);
}

/* S (size, size) = W Wᵀ; returns its trace over size: the mean square length. */
static float lengths(struct basis *s, size_t size)
{
    float sum = 0;
    dense_gemm(size, size, s->n, 1, s->W, s->n, s->W, s->n, 1, 0, s->S, size, s->pool);
    for (size_t i = 0; i < size; i++)
        sum += s->S[i * size + i];
    return sum / (float)size;
}

/* Rows of W become orthonormal: with W Wᵀ = U D Uᵀ they are D^-½ Uᵀ W. Directions whose square
 * length is not above `floor` are dropped; *size receives how many remain. The basis' end is
 * scratch: there is room for them, as they are what comes next. */
static enum pal_status orthonormalize(struct basis *s, float floor, size_t *size,
                                      struct pal_error *err)
{
    size_t from = *size, kept = 0, room = s->most - s->used;
    lengths(s, from);
    enum pal_status st = dense_eigen(s->S, from, s->value, err);
    if (st != PAL_OK)
        return st;
    for (size_t i = from; i-- > 0 && kept < room && s->value[i] > floor; kept++) {
        float scale = 1 / sqrtf(s->value[i]);
        for (size_t j = 0; j < from; j++)
            s->H[kept * from + j] = scale * s->S[i * from + j];
    }
    float *end = s->Q + s->used * s->n;
    dense_gemm(kept, s->n, from, 1, s->H, from, s->W, s->n, 0, 0, end, s->n, s->pool);
    memcpy(s->W, end, kept * s->n * sizeof *end);
    *size = kept;
    return PAL_OK;
}

/* W, of *size rows, goes to the basis' end as a block of *size orthonormal ones; 0 when there is
 * nothing new in it. */
static enum pal_status append(struct basis *s, size_t *size, struct pal_error *err)
{
    float floor = 1e-9f * lengths(s, *size);
    enum pal_status st = PAL_OK;
    for (int turn = 0; turn < 2 && st == PAL_OK && *size > 0; turn++) {
        remove_known(s, *size);
        st = orthonormalize(s, turn ? 0.25f : floor, size, err);
    }
    s->first = s->used;
    s->used += *size;
    return st;
}

static void start_at_random(struct basis *s, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0x6c616e63);
    for (size_t i = 0; i < s->b * s->n; i++)
        s->W[i] = (float)rng_normal(&rng);
}

static enum pal_status grow(struct basis *s, size_t k, dense_step_fn *step, void *ctx,
                            struct pal_error *err)
{
    size_t size = s->b, done = 0, total = lanczos_steps(s->n, k);
    enum pal_status st = append(s, &size, err);
    while (st == PAL_OK && size > 0) {
        if (step && done < total && step(ctx, done++, total))
            return pal_fail(err, PAL_EINTERRUPTED, "interrupted while looking for eigenvectors");
        apply(s, size);
        project(s, size);
        if (s->used >= s->most)
            break;
        st = append(s, &size, err);
    }
    return st;
}

static void swap(float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float t = x[i];
        x[i] = y[i];
        y[i] = t;
    }
}

/* Eigenvectors of P, and with them those of B. */
static enum pal_status finish(struct basis *s, size_t k, float *value, float *V, size_t *found,
                              struct pal_error *err)
{
    size_t m = s->used, count = 0;
    float *P = s->P;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++)
            P[i * m + j] = P[i * s->most + j]; /* rows move up; never past one still wanted */
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            P[j * m + i] = P[i * m + j];
    enum pal_status st = m ? dense_eigen(P, m, s->value, err) : PAL_OK;
    if (st != PAL_OK)
        return st;
    float least = m ? 1e-6f * s->value[m - 1] : 0;
    while (count < k && count < m && s->value[m - 1 - count] > least) {
        value[count] = s->value[m - 1 - count];
        count++;
    }
    dense_gemm(count, s->n, m, 1, P + (m - count) * m, m, s->Q, s->n, 0, 0, V, s->n, s->pool);
    for (size_t i = 0; i < count / 2; i++) /* the largest first */
        swap(V + i * s->n, V + (count - 1 - i) * s->n, s->n);
    *found = count;
    return PAL_OK;
}

enum pal_status lanczos(const struct csr *A, const struct csr *T, size_t k, uint64_t seed,
                        struct pool *pool, dense_step_fn *step, void *step_ctx, float *value,
                        float *V, size_t *found, struct pal_error *err)
{
    struct basis s = {.A = A, .T = T, .pool = pool, .n = A->cols, .b = block_of(A->cols)};
    s.most = most_of(s.n, k);
    if (s.n == 0 || k == 0) {
        *found = 0;
        return PAL_OK;
    }
    enum pal_status st = basis_init(&s, err);
    if (st == PAL_OK) {
        start_at_random(&s, seed);
        st = grow(&s, k, step, step_ctx, err);
    }
    if (st == PAL_OK)
        st = finish(&s, k, value, V, found, err);
    basis_done(&s);
    return st;
}
