/* Fold-in for BPR: the vector that training would have given the user, without drawing negatives.
 *
 * Training moves x down the mean over the user's likes i and over negatives j of
 * -ln σ(x·(y_i − y_j) + b_i − b_j). Of the negatives only s = x·y_j + b_j enters, a sum of many
 * coordinates over many items, which is about normal with mean 0 (the rows of Y are centred) and
 * variance v = x̂ᵀ C x̂, x̂ = (x, 1), C the covariance of the items' vectors and biases. For a
 * normal s there is MacKay's approximation (1992), E σ(m + s) ≈ σ(κ m), κ = (1 + π v / 8)^-½, so
 * that the gradient is, with m_i = x·y_i + b_i and p_i = σ(−κ m_i),
 *
 *     Σ_i w_i ( −p_i y_i + h_i (C x̂) ) + λ Σ_i w_i x,     h_i = κ (1 − p_i) p_i = E σ'.
 *
 * A dislike is the same with the signs of m_i and p_i turned. Each step solves the quadratic that
 * lies above the loss and touches it at x (Jaakkola and Jordan 2000: curvature tanh(m/2) / 2m
 * instead of σ'), so it can't overshoot; four come near enough the minimum. Everything is a fixed
 * sequence of sums: a history always gives the same vector. */
#include "model/bpr_fold.h"

#include "base/mem.h"
#include "math/kernels.h"
#include "math/sigmoid.h"
#include "math/solve.h"

#include "model/bpr_train.h"

#include <math.h>
#include <string.h>

enum { STEPS = 4 };

enum pal_status bpr_fold_init(struct bpr_fold *f, const float *Y, uint32_t items, size_t d,
                              float mean, float regularization, struct pal_error *err)
{
    enum { BATCH = 256 };
    size_t cols = d + 1;
    *f = (struct bpr_fold){Y, d, solve_stride(cols), NULL, mean, regularization};
    f->cov = mem_aligned(cols * f->ld, sizeof *f->cov);
    if (!f->cov)
        return pal_no_memory(err);
    memset(f->cov, 0, cols * f->ld * sizeof *f->cov);
    uint32_t index[BATCH];
    float share[BATCH];
    for (uint32_t at = 0; at < items; at += BATCH) {
        uint32_t n = items - at < BATCH ? items - at : BATCH;
        for (uint32_t i = 0; i < n; i++) {
            index[i] = at + i;
            share[i] = 1 / (float)items;
        }
        kernels()->gather_syrk(Y, cols, cols, index, n, share, f->cov, f->ld);
    }
    for (size_t i = 0; i < cols; i++)
        for (size_t j = 0; j < i; j++)
            f->cov[i * f->ld + j] = f->cov[j * f->ld + i];
    return PAL_OK;
}

void bpr_fold_done(struct bpr_fold *f)
{
    mem_free(f->cov);
    f->cov = NULL;
}

size_t bpr_fold_scratch(const struct bpr_fold *f, size_t n)
{
    size_t room = (n + 31) / 16 * 16;
    return f->d * f->ld + 2 * f->ld + 4 * room;
}

struct folding {
    const struct bpr_fold *f;
    const struct history *h;
    float *A, *b, *q;            /* (d, ld), (ld), (ld) */
    float *score, *pull, *curve; /* (n) m_i; w p, signed; the bound's curvature times w */
    float *weight;               /* (n) */
};

/* tanh(m / 2) / 2m */
static float bound(float m)
{
    float a = fabsf(m);
    return a < 1e-2f ? 0.25f : (sigmoid(a) - 0.5f) / a;
}

/* Newton's step on the bound at x. */
static void fold_step(struct folding *g, float *x)
{
    const struct bpr_fold *f = g->f;
    const struct history *h = g->h;
    size_t d = f->d, cols = d + 1;
    kernels()->gemv(f->cov, cols, cols, f->ld, x, g->q);
    float variance = kernels()->dot(g->q, x, cols);
    float kappa = 1 / sqrtf(1 + (float)M_PI / 8 * (variance > 0 ? variance : 0));
    float total = 0, spread = 0;
    kernels()->gather_dot(f->Y, cols, cols, h->item, h->n, 0, x, g->score);
    for (size_t i = 0; i < h->n; i++) {
        float sign = h->weight[i] < 0 ? -1.0f : 1.0f, w = g->weight[i];
        float m = kappa * sign * g->score[i], p = sigmoid(-m);
        g->pull[i] = sign * w * p;
        g->curve[i] = w * kappa * bound(m);
        spread += w * kappa * bound(m);
        total += w;
    }
    float lambda = f->regularization * total + 1e-6f;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = i; j < d; j++)
            g->A[i * f->ld + j] = spread * f->cov[i * f->ld + j];
        g->A[i * f->ld + i] += lambda;
        g->b[i] = -spread * g->q[i] - lambda * x[i];
    }
    kernels()->gather_syrk(f->Y, d, cols, h->item, h->n, g->curve, g->A, f->ld);
    kernels()->gather_axpy(f->Y, d, cols, h->item, h->n, g->pull, g->b);
    if (cholesky_factor(g->A, d, f->ld) == 0) {
        cholesky_solve(g->A, d, f->ld, g->b);
        kernels()->axpy(1, g->b, x, d);
    }
}

void bpr_fold_in(const struct bpr_fold *f, const struct history *h, float *x, float *scratch)
{
    size_t room = (h->n + 31) / 16 * 16;
    struct folding g = {.f = f, .h = h, .A = scratch};
    g.b = g.A + f->d * f->ld;
    g.q = g.b + f->ld;
    g.score = g.q + f->ld;
    g.pull = g.score + room;
    g.curve = g.pull + room;
    g.weight = g.curve + room;
    for (size_t i = 0; i < h->n; i++)
        g.weight[i] = bpr_confidence(h->weight[i], f->mean);
    memset(x, 0, f->d * sizeof *x);
    x[f->d] = 1;
    for (int step = 0; step < STEPS && h->n > 0; step++)
        fold_step(&g, x);
}
