/* item2vec: that products of vectors become what theory says they are at the minimum, that windows
 * follow the order of time, what recency does, and that threads change nothing. */
#include "test.h"
#include "world.h"

#include "model/item2vec_train.h"

#include <math.h>

static struct worth worth_of_world(const struct dataset *d)
{
    struct worth worth;
    struct weights w = world_weights();
    worth_init(&worth, &w, &d->types);
    return worth;
}

static void random_start(float *X, float *C, size_t n)
{
    struct rng rng;
    rng_init(&rng, 1, 2);
    for (size_t i = 0; i < n; i++) {
        X[i] = (float)rng_normal(&rng) * 0.1f;
        C[i] = 0;
    }
}

/* ctx: the last epoch's. */
static void hear(void *ctx, const char *name, uint64_t step, double value)
{
    assert_string_equal(name, "loss");
    ((double *)ctx)[0] = value;
    ((double *)ctx)[1] = (double)step;
}

static double surprise(double x)
{
    return log1p(exp(-x));
}

/* Histories of two items a, b, so that each is one pair and its reverse. With as many factors as
 * items every product is free, and the minimum has (Levy and Goldberg 2014, with negatives that
 * are never the context itself)
 *
 *     x_a·c_b = ln #(a, b) − ln( k P(b) (#(a) − #(a, b)) ),   P(b) ~ (#(b) + 1)^power. */
static void products_are_information(void **state)
{
    enum { ITEMS = 10, USERS = 20000, D = 12, K = 3 };
    struct pal_error err;
    struct rng rng;
    static struct event events[2 * USERS];
    static float X[ITEMS * D], C[ITEMS * D];
    double pairs[ITEMS][ITEMS] = {{0}}, count[ITEMS] = {0}, share[ITEMS], sum = 0, off = 0;
    double product[ITEMS][ITEMS] = {{0}}, loss = 0, all = 0, told[2] = {0};
    struct run run = {.metric = hear, .metric_ctx = told};
    rng_init(&rng, 7, 1);
    for (uint32_t u = 0; u < USERS; u++) {
        uint32_t a = (uint32_t)(rng_real(&rng) * rng_real(&rng) * ITEMS), b;
        do
            b = rng_next(&rng) % 3 ? a - a % 2 + (uint32_t)rng_below(&rng, 2)
                                   : (uint32_t)rng_below(&rng, ITEMS);
        while (a == b);
        events[2 * u] = (struct event){u, a, 1, 1};
        events[2 * u + 1] = (struct event){u, b, 1, 2};
        pairs[a][b]++;
        pairs[b][a]++;
        count[a]++;
        count[b]++;
    }
    for (size_t i = 0; i < ITEMS; i++)
        sum += share[i] = pow(count[i] + 1, 0.5);
    struct dataset *d = world_of(events, (size_t)2 * USERS, USERS, ITEMS);
    struct worth worth = worth_of_world(d);
    struct item2vec_settings set = {.factors = D,
                                    .epochs = 40,
                                    .window = 4,
                                    .negatives = K,
                                    .near = 1,
                                    .rate = 0.05f,
                                    .power = 0.5f,
                                    .seed = 3};
    random_start(X, C, ITEMS * D);
    assert_ok(item2vec_train(&d->all, &worth, &set, X, C, &run, &err), &err);
    for (size_t a = 0; a < ITEMS; a++)
        for (size_t b = 0; b < ITEMS; b++) {
            for (size_t k = 0; k < D; k++)
                product[a][b] += (double)X[a * D + k] * C[b * D + k];
            if (a == b)
                continue;
            double others = count[a] - pairs[a][b];
            double want = log(pairs[a][b]) - log(K * share[b] / sum * others);
            double got = product[a][b];
            off += fabs(got - want) / (ITEMS * (ITEMS - 1));
            if (fabs(got - want) > 0.5)
                fail_msg("items %zu, %zu: %.3f instead of %.3f", a, b, got, want);
        }
    assert_true(off < 0.12);
    /* what was told is the mean loss of these products, but that it was seen on some 2,500 steps */
    for (size_t a = 0; a < ITEMS; a++)
        for (size_t b = 0; b < ITEMS; b++) {
            double negatives = 0;
            for (size_t j = 0; j < ITEMS; j++)
                negatives += j != b ? share[j] / sum * surprise(-product[a][j]) : 0;
            loss += a == b ? 0 : pairs[a][b] * (surprise(product[a][b]) + K * negatives);
            all += pairs[a][b];
        }
    if (fabs(told[0] - loss / all) > 0.05 * loss / all || told[1] != 40)
        fail_msg("told a loss of %g, it is %g", told[0], loss / all);
    dataset_free(d);
}

/* Everyone goes along a ring of items, from anywhere, for LENGTH steps. */
enum { RING = 300, WALKERS = 400, LENGTH = 30, RD = 32 };

static struct dataset *walks(void)
{
    static struct event events[WALKERS * LENGTH];
    struct rng rng;
    rng_init(&rng, 2, 2);
    for (uint32_t u = 0; u < WALKERS; u++) {
        uint32_t at = (uint32_t)rng_below(&rng, RING);
        for (uint32_t i = 0; i < LENGTH; i++) /* handed over backwards: times make the order */
            events[u * LENGTH + i] = (struct event){u, (at + LENGTH - i) % RING, 1, 1000 - 10 * i};
    }
    return world_of(events, (size_t)WALKERS * LENGTH, WALKERS, RING);
}

static uint32_t apart(uint32_t a, uint32_t b)
{
    uint32_t d = a > b ? a - b : b - a;
    return d < RING - d ? d : RING - d;
}

static struct item2vec_settings ring_settings(int near)
{
    return (struct item2vec_settings){.factors = RD,
                                      .epochs = 25,
                                      .window = 3,
                                      .negatives = 5,
                                      .near = near,
                                      .rate = 0.1f,
                                      .power = 0.75f,
                                      .seed = 3};
}

/* How far, on average, what is predicted best for an item is from it along the ring. */
static double distance(const float *X, const float *C)
{
    double sum = 0;
    for (uint32_t a = 0; a < RING; a++) {
        double most = -INFINITY;
        uint32_t best = a;
        for (uint32_t b = 0; b < RING; b++) {
            double s = 0;
            for (size_t k = 0; k < RD; k++)
                s += (double)X[a * RD + k] * C[b * RD + k];
            if (b != a && s > most) {
                most = s;
                best = b;
            }
        }
        sum += apart(a, best);
    }
    return sum / RING;
}

static void windows_are_of_time(void **state)
{
    struct pal_error err;
    static float X[RING * RD], C[RING * RD];
    double far[2];
    for (int near = 0; near < 2; near++) {
        struct dataset *d = walks();
        struct worth worth = worth_of_world(d);
        struct item2vec_settings set = ring_settings(near);
        random_start(X, C, RING * RD);
        assert_ok(item2vec_train(&d->all, &worth, &set, X, C, NULL, &err), &err);
        far[near] = distance(X, C);
        dataset_free(d);
    }
    if (far[1] > 2 || far[0] < 1.5 * far[1])
        fail_msg("the best is %.2f away by windows, %.2f without", far[1], far[0]);
}

static void threads_change_nothing(void **state)
{
    struct pal_error err;
    static float X[2][RING * RD], C[2][RING * RD];
    for (int near = 0; near < 2; near++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            struct dataset *d = walks();
            struct worth worth = worth_of_world(d);
            struct item2vec_settings set = ring_settings(near);
            struct run run = {0};
            set.epochs = 3;
            set.sample = 0.002f;
            random_start(X[turn], C[turn], RING * RD);
            assert_ok(pool_new(1 + 2 * turn, &run.pool, &err), &err);
            assert_ok(item2vec_train(&d->all, &worth, &set, X[turn], C[turn], &run, &err), &err);
            pool_free(run.pool);
            dataset_free(d);
        }
        assert_memory_equal(X[0], X[1], sizeof X[0]);
        assert_memory_equal(C[0], C[1], sizeof C[0]);
    }
}

static struct model *fit(struct dataset *d, struct training *t, const char *name, const char *value)
{
    struct pal_error err;
    struct model *m;
    static struct weights w;
    const struct model_ops *ops = model_find("item2vec");
    void *options = calloc(1, ops->options_size);
    w = world_weights();
    opt_defaults(&ops->options, options);
    assert_ok(model_set(ops, options, "factors", "16", &err), &err);
    assert_ok(model_set(ops, options, name, value, &err), &err);
    assert_ok(training_make(d, &d->all, &w, NULL, t, &err), &err);
    assert_ok(model_fit(ops, options, t, 0, NULL, &m, &err), &err);
    free(options);
    return m;
}

/* Two blocks in a history: with recency the newer one leads, whichever it is. */
static void the_newest_counts_most(void **state)
{
    enum { ITEMS = 40 };
    struct pal_error err;
    struct training t;
    struct arena tmp = {0};
    struct dataset *d = world_of_blocks(90, ITEMS, 4, 0.03, 3);
    struct model *m = fit(d, &t, "recency", "1");
    for (uint32_t first = 0; first < 2; first++) {
        uint32_t a = first, b = 1 - first, item[] = {a, a + 4, a + 8, b, b + 4, b + 8};
        float weight[] = {1, 1, 1, 1, 1, 1};
        struct history h = {.n = 6, .item = item, .weight = weight};
        uint8_t skip[ITEMS] = {0};
        struct scored best[3];
        size_t n;
        for (size_t i = 0; i < 6; i++)
            skip[item[i]] = 1;
        assert_ok(model_top(m, &h, skip, 3, &tmp, best, &n, &err), &err);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(best[i].index % 4, b);
    }
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
}

/* By cosine, too, a history of a block is continued with that block. */
static void cosine_knows_blocks(void **state)
{
    struct pal_error err;
    struct training t;
    struct arena tmp = {0};
    struct dataset *d = world_of_blocks(90, 40, 4, 0.03, 3);
    struct model *m = fit(d, &t, "scores", "cosine");
    uint32_t item[] = {2, 6};
    float weight[] = {1, 1};
    struct history h = {.n = 2, .item = item, .weight = weight};
    struct scored best[5];
    size_t n;
    assert_ok(model_top(m, &h, NULL, 5, &tmp, best, &n, &err), &err);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(best[i].index % 4, 2);
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_information), cmocka_unit_test(windows_are_of_time),
        cmocka_unit_test(threads_change_nothing),   cmocka_unit_test(the_newest_counts_most),
        cmocka_unit_test(cosine_knows_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
