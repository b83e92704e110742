/* The graph filter against its definition on dense matrices in double precision: powers of P by
 * multiplication, the plateau as a series of Chebyshev's polynomials of every eigenvalue, the ideal
 * low-pass from LAPACK's eigenvectors. Filters within the 2 % that are promised for what lies above
 * the lowest frequencies. With all links, and with few: then the largest of what the lowest
 * frequencies leave. */
#include "test.h"
#include "world.h"

#include "math/dense.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { USERS = 80, ITEMS = 45 };

struct filter {
    double ideal, sharpen, user_power, item_power;
    size_t factors, neighbors;
    double target_power, source_power, ideal_power, flatness; /* flatness > 0: the plateau */
};

static struct dataset *random_world(void)
{
    struct rng rng;
    struct event events[USERS * ITEMS];
    const float values[] = {1, 1, 2, 0.5f, -1};
    size_t n = 0;
    rng_init(&rng, 21, 0);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < ITEMS; i++)
            if (rng_real(&rng) < (u % 3 == i % 3 ? 0.5 / (1 + i % 3) : 0.05))
                events[n++] = (struct event){u, i, values[rng_below(&rng, 5)], 1};
    return world_of(events, n, USERS, ITEMS);
}

typedef double matrix[ITEMS][ITEMS];

static void product(matrix x, matrix y, matrix out)
{
    for (int i = 0; i < ITEMS; i++)
        for (int j = 0; j < ITEMS; j++) {
            out[i][j] = 0;
            for (int k = 0; k < ITEMS; k++)
                out[i][j] += x[i][k] * y[k][j];
        }
}

/* P and n. */
static void normalized(const struct csr *X, const struct filter *f, matrix P, double *n)
{
    double d[USERS] = {0}, item[ITEMS];
    memset(n, 0, ITEMS * sizeof *n);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint64_t e = X->start[u]; e < X->start[u + 1]; e++) {
            d[u] += fabs(X->val[e]);
            n[X->col[e]] += fabs(X->val[e]);
        }
    for (int i = 0; i < ITEMS; i++)
        item[i] = pow(n[i], -f->item_power);
    memset(P, 0, sizeof(matrix));
    for (uint32_t u = 0; u < USERS; u++)
        for (uint64_t a = X->start[u]; a < X->start[u + 1]; a++)
            for (uint64_t b = X->start[u]; b < X->start[u + 1]; b++)
                P[X->col[a]][X->col[b]] += (double)X->val[a] * X->val[b] *
                                           pow(d[u], -2 * f->user_power) * item[X->col[a]] *
                                           item[X->col[b]];
}

/* S = P (1 - t P + t²/2 P² - t³/6 P³ + t⁴/24 P⁴) */
static void sharpened(matrix P, double t, matrix S)
{
    static matrix power, next;
    double factor = 1;
    memcpy(power, P, sizeof(matrix));
    memcpy(S, P, sizeof(matrix));
    for (int o = 1; o <= 4; o++) {
        product(power, P, next);
        memcpy(power, next, sizeof(matrix));
        factor *= -t / o;
        for (int i = 0; i < ITEMS * ITEMS; i++)
            (&S[0][0])[i] += factor * (&power[0][0])[i];
    }
}

/* Chebyshev interpolation as Kim et al. write it, with their order 8: coefficients are sums over
 * the roots, targets those of the extremes; an eigenvalue of P is one of 2 (I - P) - I here. */
static double plateau(double flatness, double eigenvalue)
{
    enum { ORDER = 8 };
    double sum = 0, at_zero = 0, y = fmin(1, fmax(-1, 1 - 2 * eigenvalue));
    for (int k = 1; k <= ORDER; k++) {
        double c = 0;
        for (int i = 0; i <= ORDER; i++) {
            double extreme = cos((ORDER - i) * M_PI / ORDER);
            double goal = extreme < 0 ? 0.5 * pow(-extreme, flatness) + 0.5
                                      : -0.5 * pow(extreme, flatness) + 0.5;
            c += 2 * goal / (ORDER + 1) * cos(k * (ORDER - i + 0.5) / (ORDER + 1) * M_PI);
        }
        sum += c * cos(k * acos(y));
        at_zero += c;
    }
    return sum - at_zero;
}

/* S = Σ plateau(value) v vᵀ */
static void flattened(const float *V, const float *value, double flatness, matrix S)
{
    memset(S, 0, sizeof(matrix));
    for (int k = 0; k < ITEMS; k++)
        for (int i = 0; i < ITEMS; i++)
            for (int j = 0; j < ITEMS; j++)
                S[i][j] += plateau(flatness, value[k]) * V[k * ITEMS + i] * V[k * ITEMS + j];
}

static double dot(const float *x, matrix S, const float *y)
{
    double sum = 0;
    for (int i = 0; i < ITEMS; i++)
        for (int j = 0; j < ITEMS; j++)
            sum += x[i] * S[i][j] * y[j];
    return sum;
}

/* Of each row all but the k largest by size become 0. Rows whose k-th and next are too near to tell
 * apart are named unsure. */
static void keep_largest(matrix R, size_t k, bool *unsure)
{
    for (int i = 0; i < ITEMS; i++) {
        double size[ITEMS];
        unsure[i] = false;
        for (int j = 0; j < ITEMS; j++)
            size[j] = fabs(R[i][j]);
        for (int j = 0; j < ITEMS; j++) {
            size_t larger = 0;
            for (int x = 0; x < ITEMS; x++) {
                larger += size[x] > size[j];
                unsure[i] |=
                    x != j && k < ITEMS && fabs(size[x] - size[j]) < 1e-6 && size[x] > 1e-6;
            }
            if (larger >= k)
                R[i][j] = 0;
        }
    }
}

/* F[j][i]: what j in a history gives to i. Returns how far a score may be off for a history of
 * length 1: 2 % of what lies above the frequencies that are kept. */
static double by_the_book(const struct csr *X, const struct filter *f, matrix F, bool *unsure)
{
    static matrix P, S, R;
    static float V[ITEMS * ITEMS], value[ITEMS];
    struct pal_error err;
    double n[ITEMS], source[ITEMS], target[ITEMS], sources = 0, targets = 0;
    normalized(X, f, P, n);
    for (int i = 0; i < ITEMS * ITEMS; i++)
        V[i] = (float)(&P[0][0])[i];
    assert_ok(dense_eigen(V, ITEMS, value, &err), &err);
    double most = fmax(1, value[ITEMS - 1]);
    for (int i = 0; i < ITEMS * ITEMS; i++)
        (&P[0][0])[i] /= most;
    for (int i = 0; i < ITEMS; i++)
        value[i] = (float)(value[i] / most);
    if (f->flatness > 0)
        flattened(V, value, f->flatness, S);
    else
        sharpened(P, f->sharpen, S);
    for (int i = 0; i < ITEMS; i++) {
        source[i] = pow(n[i], -f->source_power), sources = fmax(sources, source[i]);
        target[i] = pow(n[i], f->target_power), targets = fmax(targets, target[i]);
    }
    assert_true(f->factors == ITEMS || /* the border lies in a gap */
                value[ITEMS - f->factors] > 1.02f * value[ITEMS - f->factors - 1]);
    memcpy(R, S, sizeof R);
    memset(F, 0, sizeof(matrix));
    for (size_t k = ITEMS - f->factors; k < ITEMS; k++) {
        const float *v = V + k * ITEMS;
        double low = dot(v, S, v);
        for (int j = 0; j < ITEMS; j++)
            for (int i = 0; i < ITEMS; i++) {
                double both = (double)v[j] * v[i];
                R[j][i] -= low * both;
                F[j][i] += low * both * source[j] * target[i] +
                           f->ideal * both * pow(n[i] / n[j], f->ideal_power);
            }
    }
    for (int i = 0; i < ITEMS; i++)
        for (int j = 0; j < ITEMS; j++)
            R[i][j] *= source[j];
    keep_largest(R, f->neighbors, unsure);
    for (int j = 0; j < ITEMS; j++)
        for (int i = 0; i < ITEMS; i++)
            F[j][i] += R[i][j] * target[i];
    bool exact = (f->sharpen == 0 && !(f->flatness > 0)) || f->factors == ITEMS;
    return exact ? 0 : 0.02 * value[ITEMS - f->factors - 1] * sources * targets;
}

static struct model *fit(const struct filter *f, const struct training *t)
{
    struct pal_error err;
    const struct model_ops *ops = model_find("graph");
    struct model *m;
    const char *const names[] = {"ideal",        "sharpen",      "user_power",
                                 "item_power",   "factors",      "neighbors",
                                 "target_power", "source_power", "ideal_power"};
    double values[] = {f->ideal,        f->sharpen,         f->user_power,
                       f->item_power,   (double)f->factors, (double)f->neighbors,
                       f->target_power, f->source_power,    f->ideal_power};
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    char text[32];
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof text, "%g", values[i]);
        assert_ok(model_set(ops, options, names[i], text, &err), &err);
    }
    if (f->flatness > 0) {
        snprintf(text, sizeof text, "%g", f->flatness);
        assert_ok(model_set(ops, options, "filter", "plateau", &err), &err);
        assert_ok(model_set(ops, options, "flatness", text, &err), &err);
    }
    assert_ok(model_fit(ops, options, t, 0, NULL, &m, &err), &err);
    free(options);
    return m;
}

/* The model as it comes back from its file. */
static struct model *stored(struct model *m)
{
    const struct model_card card = {.data = "a world"};
    struct pal_error err;
    char path[64];
    struct model *back;
    snprintf(path, sizeof path, "/tmp/palate-graph-%ld.safetensors", (long)getpid());
    assert_ok(model_save(m, &card, path, &err), &err);
    assert_ok(model_load(path, &back, &err), &err);
    unlink(path); /* it stays mapped */
    model_free(m);
    return back;
}

static void check(struct filter f)
{
    static matrix F;
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = random_world();
    struct training t;
    struct arena tmp = {0};
    bool unsure[ITEMS];
    int sure = 0;
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    struct model *m = stored(fit(&f, &t));
    double off = by_the_book(&t.by_user, &f, F, unsure);
    for (uint32_t u = 0; u < USERS; u++) {
        uint64_t begin = t.by_user.start[u];
        struct history h = {.n = t.by_user.start[u + 1] - begin,
                            .item = t.by_user.col + begin,
                            .weight = t.by_user.val + begin};
        float scores[ITEMS], part[USERS];
        assert_ok(model_score(m, &h, 1, scores, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double want = 0, length = 0;
            for (size_t j = 0; j < h.n; j++) {
                want += h.weight[j] * F[h.item[j]][i];
                length += h.weight[j] * h.weight[j];
            }
            assert_true(unsure[i] ||
                        fabs(scores[i] - want) < 1e-4 * (1 + fabs(want)) + off * sqrt(length));
            assert_ok(model_explain(m, &h, i, part, &tmp, &err), &err);
            for (size_t j = 0; j < h.n && !unsure[i]; j++, sure++)
                assert_true(fabs(part[j] - h.weight[j] * F[h.item[j]][i]) <
                            1e-4 + off * fabs(h.weight[j]));
        }
    }
    assert_true(sure > USERS * ITEMS);
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
}

static void is_what_it_says(void **state)
{
    (void)state;
    check((struct filter){0.3, 0, 0.5, 0.5, 3, ITEMS, 0, 0, 0.5, 0});
    check((struct filter){0.1, 2.5, 0.5, 0.5, 3, ITEMS, 0, 0, 0.5, 0});
    check((struct filter){0, 1, 0.25, 0.4, 1, ITEMS, 0, 0, 0.5, 0});
    check((struct filter){1, 1.5, 0.5, 0.5, ITEMS, ITEMS, 0, 0, 0.5, 0});
    check((struct filter){0.2, 2, 0.5, 0.5, 3, ITEMS, 0.3, 0, 0.4, 0});
    check((struct filter){0.2, 0, 0.5, 0.5, 3, 8, 0.15, 0, 0.5, 0});
    check((struct filter){0.2, 2, 0.5, 0.4, 3, ITEMS, 0.1, 0.3, 0.5, 0});
}

/* In the middle one the ideal part is within the other; in the last one the vectors hold all. */
static void has_a_plateau(void **state)
{
    (void)state;
    check((struct filter){0.3, 0, 0.5, 0.5, 3, ITEMS, 0, 0, 0.5, 1.5});
    check((struct filter){0.2, 0, 0.5, 0.5, 3, ITEMS, 0.4, 0.4, 0.4, 1.5});
    check((struct filter){0.2, 0, 0.25, 0.4, ITEMS, ITEMS, 0.4, 0.2, 0.1, 15});
}

static void keeps_the_largest_of_the_rest(void **state)
{
    (void)state;
    check((struct filter){0.3, 0, 0.5, 0.5, 3, 6, 0, 0, 0.5, 0});
    check((struct filter){0, 0, 0.25, 0.5, 1, 10, 0, 0, 0.5, 0});
    check((struct filter){0.1, 0, 0.5, 0.5, 3, 6, 0.2, 0.3, 0.4, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_it_says),
        cmocka_unit_test(has_a_plateau),
        cmocka_unit_test(keeps_the_largest_of_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
