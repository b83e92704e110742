/* SLIM's weights against the conditions that the one minimum of its loss meets (Karush, Kuhn and
 * Tucker), computed in double precision: with the slope q = G_j - G w, q_i = l2 w_i ± l1 where w_i
 * is not 0 and |q_i| ≤ l1 where it is. On data so sparse that the Gram matrix is kept by entries,
 * and on dense ones; with and without dislikes and negative weights. And what `neighbors` leaves
 * is the largest of that. */
#include "test.h"
#include "world.h"

#include <math.h>

enum { USERS = 120, ITEMS = 60 };

static struct dataset *random_world(double density, bool likes_only)
{
    struct rng rng;
    struct event events[USERS * ITEMS];
    const float values[] = {1, 0.5f, 1, 2, -1};
    size_t n = 0;
    rng_init(&rng, 4, 0);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < ITEMS; i++)
            if (rng_real(&rng) < density * (i % 7 == u % 7 ? 3 : 0.7))
                events[n++] = (struct event){u, i, values[rng_below(&rng, likes_only ? 4 : 5)], 1};
    return world_of(events, n, USERS, ITEMS);
}

/* W (items, items) out of a model, row j = what j in a history adds to each item. */
static void fit_weights(const struct dataset *d, const char *const *set, double *W, double *G)
{
    struct pal_error err;
    const struct model_ops *ops = model_find("slim");
    struct weights w = world_weights();
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    for (; set[0]; set += 2)
        assert_ok(model_set(ops, options, set[0], set[1], &err), &err);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(model_fit(ops, options, &t, 0, NULL, &m, &err), &err);
    for (uint32_t j = 0; j < ITEMS; j++) {
        float one = 1, scores[ITEMS];
        struct history h = {.n = 1, .item = &j, .weight = &one};
        assert_ok(model_score(m, &h, 1, scores, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i++)
            W[j * ITEMS + i] = scores[i];
    }
    memset(G, 0, ITEMS * ITEMS * sizeof *G);
    for (uint32_t u = 0; u < t.by_user.rows; u++)
        for (uint64_t a = t.by_user.start[u]; a < t.by_user.start[u + 1]; a++)
            for (uint64_t b = t.by_user.start[u]; b < t.by_user.start[u + 1]; b++)
                G[t.by_user.col[a] * ITEMS + t.by_user.col[b]] +=
                    (double)t.by_user.val[a] * t.by_user.val[b];
    model_free(m);
    training_done(&t);
    arena_done(&tmp);
    free(options);
}

/* Returns how many weights are not 0. */
static int check_column(const double *W, const double *G, int j, double l1, double l2,
                        bool nonnegative)
{
    int filled = 0;
    assert_true(W[j * ITEMS + j] == 0);
    for (int i = 0; i < ITEMS; i++) {
        double w = W[i * ITEMS + j], q = G[i * ITEMS + j], slack = 2e-3 * (l1 + G[j * ITEMS + j]);
        for (int k = 0; k < ITEMS; k++)
            q -= G[i * ITEMS + k] * W[k * ITEMS + j];
        if (i == j)
            continue;
        assert_true(!nonnegative || w >= 0);
        if (w != 0)
            assert_true(fabs(q - l2 * w - copysign(l1, w)) < slack);
        else
            assert_true((nonnegative ? q : fabs(q)) <= l1 + slack);
        filled += w != 0;
    }
    return filled;
}

static void check(double density, bool likes_only, const char *l1, const char *l2,
                  const char *nonnegative, int least)
{
    static double W[ITEMS * ITEMS], G[ITEMS * ITEMS];
    const char *set[] = {"l1", l1, "l2", l2, "nonnegative", nonnegative, NULL, NULL};
    struct dataset *d = random_world(density, likes_only);
    fit_weights(d, set, W, G);
    int filled = 0;
    for (int j = 0; j < ITEMS; j++)
        filled += check_column(W, G, j, strtod(l1, NULL), strtod(l2, NULL), nonnegative[0] == 't');
    assert_true(filled >= least && filled < ITEMS * (ITEMS - 1));
    dataset_free(d);
}

static void is_the_minimum(void **state)
{
    (void)state;
    check(0.3, true, "1", "5", "true", 500);
    check(0.3, true, "0.01", "0.5", "true", 500);
    check(0.3, false, "0.5", "20", "true", 300);
    check(0.3, false, "2", "1", "false", 300);
}

static void is_the_minimum_on_sparse_data(void **state)
{
    (void)state;
    check(0.03, true, "0.3", "1", "true", 100);
    check(0.03, false, "0.1", "2", "false", 100);
}

static void keeps_the_largest(void **state)
{
    (void)state;
    static double all[ITEMS * ITEMS], few[ITEMS * ITEMS], G[ITEMS * ITEMS];
    const char *set[] = {"nonnegative", "false", "l1", "1", NULL, NULL, NULL};
    const char *less[] = {"nonnegative", "false", "l1", "1", "neighbors", "4", NULL};
    struct dataset *d = random_world(0.3, false);
    fit_weights(d, set, all, G);
    fit_weights(d, less, few, G);
    for (int j = 0; j < ITEMS; j++) {
        double smallest_in = INFINITY, largest_out = 0;
        int kept = 0;
        for (int i = 0; i < ITEMS; i++) {
            double a = fabs(all[i * ITEMS + j]);
            if (few[i * ITEMS + j] != 0) {
                assert_true(few[i * ITEMS + j] == all[i * ITEMS + j]);
                smallest_in = fmin(smallest_in, a);
                kept++;
            } else {
                largest_out = fmax(largest_out, a);
            }
        }
        assert_true(kept <= 4 && (kept == 4 || largest_out == 0));
        assert_true(smallest_in >= largest_out);
    }
    dataset_free(d);
}

/* Short histories over many items: not the square of the items, but the pairs that there are. */
static void takes_memory_by_pairs(void **state)
{
    (void)state;
    enum { MANY = 50000 };
    struct event events[2000];
    for (uint32_t e = 0; e < 2000; e++)
        events[e] = (struct event){e / 20, e * 25, 1, 1};
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = world_of(events, 2000, 100, MANY);
    struct training t;
    struct model *m;
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(model_fit(model_find("slim"), NULL, &t, (uint64_t)1 << 30, NULL, &m, &err), &err);
    model_free(m);
    training_done(&t);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_minimum),
        cmocka_unit_test(is_the_minimum_on_sparse_data),
        cmocka_unit_test(keeps_the_largest),
        cmocka_unit_test(takes_memory_by_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
