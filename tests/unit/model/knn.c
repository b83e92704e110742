/* Item-kNN against brute force over dense columns in double precision: every similarity with every
 * option that changes it. */
#include "test.h"
#include "world.h"

#include <math.h>

enum { USERS = 40, ITEMS = 17 };

struct naive {
    const char *similarity;
    double alpha, shrink, user_power, power, k1, b;
    int neighbors;
    bool normalize;
};

static struct dataset *signed_world(void)
{
    struct rng rng;
    struct event events[USERS * ITEMS];
    const float values[] = {-1, 0.5f, 1, 1, 2, 3};
    size_t n = 0;
    rng_init(&rng, 4, 0);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0; i < ITEMS; i++)
            if (rng_below(&rng, 3) == 0)
                events[n++] = (struct event){u, i, values[rng_below(&rng, 6)], 1};
    return world_of(events, n, USERS, ITEMS);
}

/* W (USERS, ITEMS) as knn.c's essay has it. */
static void naive_weights(const struct naive *o, double X[USERS][ITEMS], double W[USERS][ITEMS])
{
    double length[ITEMS] = {0}, mean = 0;
    for (int u = 0; u < USERS; u++)
        for (int i = 0; i < ITEMS; i++) {
            length[i] += fabs(X[u][i]);
            mean += fabs(X[u][i]) / ITEMS;
        }
    for (int u = 0; u < USERS; u++) {
        double d = 0;
        for (int i = 0; i < ITEMS; i++)
            d += X[u][i] != 0;
        for (int i = 0; i < ITEMS; i++) {
            double x = fabs(X[u][i]), w = x, idf = log((1.0 + ITEMS) / (1 + d));
            if (strcmp(o->similarity, "tfidf") == 0)
                w = sqrt(x) * idf;
            if (strcmp(o->similarity, "bm25") == 0)
                w = x * (o->k1 + 1) / (o->k1 * (1 - o->b + o->b * length[i] / mean) + x) * idf;
            W[u][i] = x == 0 ? 0 : w * pow(d, -o->user_power) * (X[u][i] < 0 ? -1 : 1);
        }
    }
}

/* S[i][j]: how much j speaks for i; 0 where it is not among the nearest. */
static void naive_knn(const struct naive *o, double X[USERS][ITEMS], double S[ITEMS][ITEMS])
{
    double W[USERS][ITEMS], C[ITEMS][ITEMS] = {{0}};
    naive_weights(o, X, W);
    for (int i = 0; i < ITEMS; i++)
        for (int j = 0; j < ITEMS; j++)
            for (int u = 0; u < USERS; u++)
                C[i][j] += W[u][i] * W[u][j];
    for (int i = 0; i < ITEMS; i++)
        for (int j = 0; j < ITEMS; j++) {
            double n = pow(C[j][j], o->alpha) * pow(C[i][i], 1 - o->alpha);
            if (strcmp(o->similarity, "jaccard") == 0)
                n = C[i][i] + C[j][j] - C[i][j];
            S[i][j] = C[i][j] / (strcmp(o->similarity, "bm25") == 0 ? 1 : n + o->shrink);
            if (i == j || !(S[i][j] > 0))
                S[i][j] = 0;
        }
    for (int i = 0; i < ITEMS; i++) {
        double kept[ITEMS], sum = 0;
        for (int j = 0; j < ITEMS; j++) {
            int nearer = 0;
            for (int x = 0; x < ITEMS; x++)
                nearer += S[i][x] > S[i][j] || (S[i][x] == S[i][j] && x < j);
            kept[j] = nearer < o->neighbors && S[i][j] > 0 ? pow(S[i][j], o->power) : 0;
            sum += kept[j];
        }
        for (int j = 0; j < ITEMS; j++)
            S[i][j] = o->normalize && sum > 0 ? kept[j] / sum : kept[j];
    }
}

static void *options_of(const struct naive *o)
{
    struct pal_error err;
    const struct model_ops *ops = model_find("knn");
    void *options = calloc(1, ops->options_size);
    const struct {
        const char *name;
        double value;
    } set[] = {{"neighbors", o->neighbors},
               {"alpha", o->alpha},
               {"shrink", o->shrink},
               {"user_power", o->user_power},
               {"power", o->power},
               {"k1", o->k1},
               {"b", o->b}};
    assert_ok(model_set(ops, options, "similarity", o->similarity, &err), &err);
    assert_ok(model_set(ops, options, "normalize", o->normalize ? "yes" : "no", &err), &err);
    for (size_t i = 0; i < sizeof set / sizeof set[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%g", set[i].value);
        assert_ok(model_set(ops, options, set[i].name, text, &err), &err);
    }
    return options;
}

static void check(const struct naive *o)
{
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = signed_world();
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    struct rng rng;
    double X[USERS][ITEMS] = {{0}}, S[ITEMS][ITEMS];
    void *options = options_of(o);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    rng_init(&rng, 8, 0); /* odd weights, so that no two similarities tie but for rounding */
    for (uint64_t e = 0; e < csr_entries(&t.by_user); e++)
        t.by_user.val[e] *= (float)(0.5 + rng_real(&rng));
    assert_ok(model_fit(model_find("knn"), options, &t, 0, NULL, &m, &err), &err);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint64_t e = t.by_user.start[u]; e < t.by_user.start[u + 1]; e++)
            X[u][t.by_user.col[e]] = t.by_user.val[e];
    naive_knn(o, X, S);
    for (uint32_t u = 0; u < USERS; u++) {
        uint64_t begin = t.by_user.start[u];
        struct history h = {.n = t.by_user.start[u + 1] - begin,
                            .item = t.by_user.col + begin,
                            .weight = t.by_user.val + begin};
        float scores[ITEMS], part[ITEMS];
        assert_ok(model_score(m, &h, 1, scores, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double want = 0, size = 0;
            assert_ok(model_explain(m, &h, i, part, &tmp, &err), &err);
            for (size_t j = 0; j < h.n; j++) {
                double link = h.weight[j] * S[i][h.item[j]];
                want += link;
                size += fabs(link);
                assert_true(fabs(part[j] - link) <= 1e-4 * fabs(link) + 1e-6);
            }
            assert_true(fabs(scores[i] - want) <= 1e-4 * size + 1e-6);
        }
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct scored near[ITEMS];
        size_t n, links = 0;
        assert_ok(model_similar(m, i, ITEMS, &tmp, near, &n, &err), &err);
        for (size_t x = 0; x < n; x++)
            assert_true(fabs(near[x].score - S[i][near[x].index]) <= 1e-4 * near[x].score);
        for (int j = 0; j < ITEMS; j++)
            links += S[i][j] > 0;
        assert_int_equal(n, links);
    }
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
    free(options);
}

static void equals_brute_force(void **state)
{
    (void)state;
    const struct naive plain = {"cosine", 0.5, 0, 0, 1, 100, 0.5, 5, false};
    const char *const similarities[] = {"cosine", "tfidf", "bm25", "jaccard"};
    for (size_t i = 0; i < 4; i++) {
        struct naive o = plain;
        o.similarity = similarities[i];
        check(&o);
        o.neighbors = 1;
        check(&o);
        o.neighbors = 1000;
        o.normalize = true;
        check(&o);
        o.user_power = 0.5;
        o.alpha = 0.8;
        check(&o);
        o.shrink = 3;
        o.power = 1.5;
        o.neighbors = 7;
        check(&o);
        o.k1 = 1.2;
        o.b = 0.75;
        check(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_brute_force)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
