/* EASE against equation 8 computed in double precision by Gauss-Jordan, with signed weights, with
 * dropout, and truncated. */
#include "test.h"
#include "world.h"

#include <math.h>

enum { USERS = 50, ITEMS = 23 };

static struct dataset *signed_world(void)
{
    struct rng rng;
    struct event events[USERS * ITEMS];
    const float values[] = {-1, 0.5f, 1, 1, 2};
    size_t n = 0;
    rng_init(&rng, 9, 0);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < ITEMS; i++)
            if (rng_below(&rng, 3) == 0)
                events[n++] = (struct event){u, i, values[rng_below(&rng, 5)], 1};
    return world_of(events, n, USERS, ITEMS);
}

/* B by the book. */
static void naive_ease(const struct csr *X, double lambda, double dropout, double user_power,
                       double item_power, double *B)
{
    double P[ITEMS][2 * ITEMS] = {{0}}, n[ITEMS] = {0};
    for (uint32_t u = 0; u < X->rows; u++) {
        double d = 0;
        for (uint64_t a = X->start[u]; a < X->start[u + 1]; a++) {
            n[X->col[a]] += fabs(X->val[a]);
            d += fabs(X->val[a]);
        }
        for (uint64_t a = X->start[u]; a < X->start[u + 1]; a++)
            for (uint64_t b = X->start[u]; b < X->start[u + 1]; b++)
                P[X->col[a]][X->col[b]] += (double)X->val[a] * X->val[b] / pow(d, 2 * user_power);
    }
    for (int i = 0; i < ITEMS; i++) {
        P[i][i] += dropout / (1 - dropout) * P[i][i] + lambda * pow(n[i], item_power);
        P[i][ITEMS + i] = 1;
    }
    for (int k = 0; k < ITEMS; k++) {
        double pivot = P[k][k];
        for (int j = 0; j < 2 * ITEMS; j++)
            P[k][j] /= pivot;
        for (int i = 0; i < ITEMS; i++) {
            double f = P[i][k];
            for (int j = 0; j < 2 * ITEMS && i != k; j++)
                P[i][j] -= f * P[k][j];
        }
    }
    for (int j = 0; j < ITEMS; j++)
        for (int i = 0; i < ITEMS; i++)
            B[j * ITEMS + i] = i == j ? 0 : -P[j][ITEMS + i] / P[i][ITEMS + i];
}

/* For each column only its k largest by size stay. */
static void naive_truncate(double *B, int k)
{
    for (int i = 0; i < ITEMS; i++) {
        double sizes[ITEMS];
        for (int j = 0; j < ITEMS; j++)
            sizes[j] = fabs(B[j * ITEMS + i]);
        for (int j = 0; j < ITEMS; j++) {
            int larger = 0;
            for (int x = 0; x < ITEMS; x++)
                larger += sizes[x] > sizes[j];
            if (larger >= k)
                B[j * ITEMS + i] = 0;
        }
    }
}

static void check_powers(const char *lambda, const char *dropout, const char *neighbors,
                         const char *user_power, const char *item_power)
{
    struct pal_error err;
    const struct model_ops *ops = model_find("ease");
    struct weights w = world_weights();
    struct dataset *d = signed_world();
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    double B[ITEMS * ITEMS];
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    assert_ok(model_set(ops, options, "regularization", lambda, &err), &err);
    assert_ok(model_set(ops, options, "dropout", dropout, &err), &err);
    assert_ok(model_set(ops, options, "neighbors", neighbors, &err), &err);
    assert_ok(model_set(ops, options, "user_power", user_power, &err), &err);
    assert_ok(model_set(ops, options, "item_power", item_power, &err), &err);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(model_fit(ops, options, &t, 0, NULL, &m, &err), &err);
    naive_ease(&t.by_user, strtod(lambda, NULL), strtod(dropout, NULL), strtod(user_power, NULL),
               strtod(item_power, NULL), B);
    if (atoi(neighbors))
        naive_truncate(B, atoi(neighbors));
    for (uint32_t u = 0; u < USERS; u++) {
        uint64_t begin = t.by_user.start[u];
        struct history h = {.n = t.by_user.start[u + 1] - begin,
                            .item = t.by_user.col + begin,
                            .weight = t.by_user.val + begin};
        float scores[ITEMS], part[ITEMS];
        assert_ok(model_score(m, &h, 1, scores, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double want = 0;
            for (size_t j = 0; j < h.n; j++)
                want += h.weight[j] * B[h.item[j] * ITEMS + i];
            assert_true(fabs(scores[i] - want) < 2e-5 * (1 + fabs(want)));
            assert_ok(model_explain(m, &h, i, part, &tmp, &err), &err);
            for (size_t j = 0; j < h.n; j++)
                assert_true(fabs(part[j] - h.weight[j] * B[h.item[j] * ITEMS + i]) < 2e-5);
        }
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct scored near[ITEMS];
        size_t n;
        assert_ok(model_similar(m, i, ITEMS, &tmp, near, &n, &err), &err);
        for (size_t x = 0; x < n; x++)
            assert_true(fabs(near[x].score - B[near[x].index * ITEMS + i]) < 2e-5);
        size_t positive = 0;
        for (uint32_t j = 0; j < ITEMS; j++)
            positive += B[j * ITEMS + i] > 0;
        assert_int_equal(n, positive);
    }
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
    free(options);
}

static void check(const char *lambda, const char *dropout, const char *neighbors)
{
    check_powers(lambda, dropout, neighbors, "0", "0");
}

static void counts_by_popularity(void **state)
{
    (void)state;
    check_powers("5", "0", "0", "0.5", "0");
    check_powers("0.5", "0.1", "0", "0", "0.7");
    check_powers("0.2", "0", "4", "0.25", "1");
}

static void equals_the_closed_form(void **state)
{
    (void)state;
    check("5", "0", "0");
    check("0.5", "0", "0");
    check("20", "0.33", "0");
}

static void truncated_keeps_the_strongest(void **state)
{
    (void)state;
    check("5", "0", "4");
    check("5", "0.2", "1");
    check("5", "0", "23");
    check("5", "0", "1000");
}

static void says_what_memory_it_takes(void **state)
{
    (void)state;
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = world_of(NULL, 0, 1, 40981);
    struct training t;
    struct model *m;
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_int_equal(model_fit(model_find("ease"), NULL, &t, 3100000000u, NULL, &m, &err),
                     PAL_ENOMEM);
    assert_string_equal(err.message, "ease would take 6.9 GB for 40,981 items, 3.1 GB are allowed: "
                                     "use als, or raise --memory");
    training_done(&t);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_closed_form),
        cmocka_unit_test(counts_by_popularity),
        cmocka_unit_test(truncated_keeps_the_strongest),
        cmocka_unit_test(says_what_memory_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
