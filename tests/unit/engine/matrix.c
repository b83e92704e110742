/* Models by number against the parts below them: training on a matrix is training on the same
 * events, and each answer is what the model's own scores say, ranked by a sort in the test, for
 * every model that a matrix can train, in order or not, at any number of threads. */
#include "test.h"

#include "base/rng.h"
#include "model/model.h"

#include <float.h>
#include <math.h>
#include <unistd.h>

enum { USERS = 90, ITEMS = 50, MOST = 14, N = 12 };

/* A matrix with room for a row's entries out of order and named twice. */
struct made {
    int64_t start[USERS + 1];
    int32_t col[USERS * MOST];
    float val[USERS * MOST];
    float dense[USERS][ITEMS];
    bool seen[USERS][ITEMS];
    struct pal_rows rows;
};

/* Two tastes. In disorder: columns come as they are drawn, some twice, some with a value of 0. */
static void make(struct made *m, bool in_order)
{
    struct rng rng;
    rng_init(&rng, 5, 0);
    memset(m, 0, sizeof *m);
    for (int u = 0; u < USERS; u++) {
        int64_t at = m->start[u];
        size_t n = u == 7 ? 0 : 3 + rng_below(&rng, MOST - 3);
        for (size_t i = 0; i < n; i++) {
            int item = (int)rng_below(&rng, ITEMS);
            bool match = (u + item) % 2 == 0;
            if (m->seen[u][item] && in_order)
                continue;
            float val = match ? 1 + (float)rng_below(&rng, 3) : rng_below(&rng, 4) ? 1 : -1;
            val = !in_order && rng_below(&rng, 9) == 0 ? 0 : val;
            m->col[at] = item;
            m->val[at++] = val;
            m->dense[u][item] += val;
            m->seen[u][item] = true;
        }
        if (in_order) {
            at = m->start[u];
            for (int item = 0; item < ITEMS; item++)
                if (m->seen[u][item]) {
                    m->col[at] = item;
                    m->val[at++] = m->dense[u][item];
                }
        }
        m->start[u + 1] = at;
    }
    m->rows = (struct pal_rows){USERS, ITEMS, m->start, m->col, m->val};
}

static const char *const trained[][2] = {
    {"als", "factors=8,epochs=4"},
    {"bpr", "factors=8,epochs=4"},
    {"knn", "neighbors=20"},
    {"ease", "regularization=20"},
    {"slim", "l1=0.1,l2=5"},
    {"graph", "factors=8"},
    {"item2vec", "factors=8,epochs=3"},
    {"popular", NULL},
    {"random", NULL},
};
enum { TRAINED = sizeof trained / sizeof trained[0] };

static struct pal_model *fit(size_t i, const struct made *m, unsigned threads)
{
    struct pal_work work = {.threads = threads, .seed = 3};
    struct pal_model *model = NULL;
    struct pal_error err;
    assert_ok(pal_model_fit(trained[i][0], trained[i][1], &m->rows, &work, &model, &err), &err);
    return model;
}

/* The best of scores by looking again and again: item and score, or -1 and -FLT_MAX. */
static void naive_best(const float *scores, const bool *never, int32_t *item, float *score)
{
    bool taken[ITEMS] = {false};
    for (int i = 0; i < N; i++) {
        int best = -1;
        for (int j = 0; j < ITEMS; j++)
            if (!taken[j] && !never[j] && isfinite(scores[j]) &&
                (best < 0 || scores[j] > scores[best]))
                best = j;
        item[i] = best;
        score[i] = best < 0 ? -FLT_MAX : scores[best];
        if (best >= 0)
            taken[best] = true;
    }
}

static void assert_close(float got, float expected)
{
    assert_true(fabsf(got - expected) <= 1e-5f * (1 + fabsf(expected)));
}

/* Where scores are equal but for rounding, items may change places. */
static void assert_list(const int32_t *item, const float *score, const float *scores,
                        const bool *never)
{
    int32_t want[N];
    float best[N];
    naive_best(scores, never, want, best);
    for (int i = 0; i < N; i++) {
        assert_close(score[i], best[i]);
        if (want[i] < 0) {
            assert_int_equal(item[i], -1);
            continue;
        }
        assert_in_range(item[i], 0, ITEMS - 1);
        assert_false(never[item[i]]);
        assert_close(score[i], scores[item[i]]);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(item[i], item[j]);
    }
}

/* Scores of the model that the parts make of the same entries, folded by hand. */
static void score_by_parts(size_t i, const struct made *m, float *scores)
{
    const struct model_ops *ops = model_find(trained[i][0]);
    struct csr x = {USERS, ITEMS, NULL, NULL, NULL};
    struct interactions log = {.users = USERS, .items = ITEMS};
    struct event_types types = {1, {"like"}};
    struct weights weights;
    struct items items = {.ids = {0}};
    struct model *model;
    struct arena tmp = {0};
    struct pal_error err;
    assert_ok(weights_parse("like>=0.5:1,like>=-0.5:0,like:-1", &weights, &err), &err);
    for (int item = 0; item < ITEMS; item++) {
        char id[16];
        uint32_t number;
        snprintf(id, sizeof id, "%d", item);
        assert_ok(intern_add(&items.ids, id, strlen(id), &number, &err), &err);
    }
    assert_ok(csr_alloc(&x, USERS, ITEMS, USERS * ITEMS, &err), &err);
    for (int u = 0; u < USERS; u++) {
        x.start[u + 1] = x.start[u];
        for (int item = 0; item < ITEMS; item++)
            if (m->dense[u][item] != 0) {
                x.col[x.start[u + 1]] = (uint32_t)item;
                x.val[x.start[u + 1]++] = m->dense[u][item];
            }
    }
    uint64_t start[USERS + 1];
    uint32_t col[USERS * MOST];
    float val[USERS * MOST];
    for (int u = 0; u <= USERS; u++)
        start[u] = (uint64_t)m->start[u];
    for (int e = 0; e < (int)m->start[USERS]; e++) {
        col[e] = (uint32_t)m->col[e];
        val[e] = m->val[e];
    }
    log.start = start;
    log.item = col;
    log.value = val;
    struct training t = {&items, &log, &types, &weights, x, NULL, 0};
    void *options = mem_zero(1, ops->options_size);
    opt_defaults(&ops->options, options);
    char text[128];
    snprintf(text, sizeof text, "%s", trained[i][1] ? trained[i][1] : "");
    for (char *rest, *pair = strtok_r(text, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(pair, '=');
        *equals = 0;
        assert_ok(model_set(ops, options, pair, equals + 1, &err), &err);
    }
    struct run run = {.seed = 3};
    assert_ok(model_fit(ops, options, &t, 0, &run, &model, &err), &err);
    for (int u = 0; u < USERS; u++) {
        struct history h = {.n = (size_t)(x.start[u + 1] - x.start[u]),
                            .item = x.col + x.start[u],
                            .weight = x.val + x.start[u]};
        assert_ok(model_score(model, &h, 1, scores + u * ITEMS, &tmp, &err), &err);
    }
    arena_done(&tmp);
    model_free(model);
    mem_free(options);
    csr_done(&x);
    items_done(&items);
}

static void test_scores_and_top(void **state)
{
    for (int in_order = 0; in_order < 2; in_order++) {
        struct made *m = malloc(sizeof *m);
        make(m, in_order);
        for (size_t i = 0; i < TRAINED; i++) {
            static float want[USERS * ITEMS], got[USERS * ITEMS], score[USERS * N];
            static int32_t item[USERS * N];
            struct pal_error err;
            struct pal_model *model = fit(i, m, 1);
            score_by_parts(i, m, want);
            assert_ok(pal_model_score(model, &m->rows, 2, got, &err), &err);
            for (int e = 0; e < USERS * ITEMS; e++)
                assert_close(got[e], want[e]);
            struct pal_ask ask = {.n = N, .seen = &m->rows, .threads = 2};
            assert_ok(pal_model_top(model, &m->rows, &ask, item, score, &err), &err);
            for (int u = 0; u < USERS; u++)
                assert_list(item + u * N, score + u * N, want + u * ITEMS, m->seen[u]);
            pal_model_free(model);
        }
        free(m);
    }
}

static void test_masks(void **state)
{
    static const int32_t exclude[] = {3, 4, 5, 5}, only[] = {2, 3, 4, 9, 11, 30, 49};
    struct made *m = malloc(sizeof *m);
    make(m, true);
    for (size_t i = 0; i < TRAINED; i++) {
        static float all[USERS * ITEMS], score[USERS * N];
        static int32_t item[USERS * N];
        struct pal_error err;
        struct pal_model *model = fit(i, m, 2);
        assert_ok(pal_model_score(model, &m->rows, 1, all, &err), &err);
        for (int mask = 0; mask < 8; mask++) {
            struct pal_ask ask = {.n = N, .threads = 1};
            if (mask & 1)
                ask.seen = &m->rows;
            if (mask & 2)
                ask.exclude = exclude, ask.exclude_count = 4;
            if (mask & 4)
                ask.only = only, ask.only_count = 7;
            assert_ok(pal_model_top(model, &m->rows, &ask, item, score, &err), &err);
            for (int u = 0; u < USERS; u++) {
                bool never[ITEMS] = {false};
                for (int j = 0; j < ITEMS; j++) {
                    never[j] = (mask & 1 && m->seen[u][j]) || mask & 4;
                    never[j] = never[j] || (mask & 2 && j >= 3 && j <= 5);
                }
                for (int j = 0; mask & 4 && j < 7; j++)
                    never[only[j]] = (mask & 1 && m->seen[u][only[j]]) ||
                                     (mask & 2 && only[j] >= 3 && only[j] <= 5);
                assert_list(item + u * N, score + u * N, all + u * ITEMS, never);
            }
        }
        pal_model_free(model);
    }
    free(m);
}

/* Rows of seen items need not be the histories. */
static void test_other_seen(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, true);
    int64_t start[USERS + 1];
    int32_t col[USERS];
    for (int u = 0; u <= USERS; u++)
        start[u] = u;
    for (int u = 0; u < USERS; u++)
        col[u] = u % ITEMS;
    struct pal_rows seen = {USERS, ITEMS, start, col, NULL};
    for (size_t i = 0; i < TRAINED; i++) {
        static float all[USERS * ITEMS], score[USERS * N];
        static int32_t item[USERS * N];
        struct pal_error err;
        struct pal_ask ask = {.n = N, .seen = &seen};
        struct pal_model *model = fit(i, m, 1);
        assert_ok(pal_model_score(model, &m->rows, 1, all, &err), &err);
        assert_ok(pal_model_top(model, &m->rows, &ask, item, score, &err), &err);
        for (int u = 0; u < USERS; u++) {
            bool never[ITEMS] = {false};
            never[u % ITEMS] = true;
            assert_list(item + u * N, score + u * N, all + u * ITEMS, never);
        }
        pal_model_free(model);
    }
    free(m);
}

static void test_threads(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, false);
    for (size_t i = 0; i < TRAINED; i++) {
        static float one[USERS * N], three[USERS * N];
        static int32_t item1[USERS * N], item3[USERS * N];
        struct pal_error err;
        struct pal_model *a = fit(i, m, 1), *b = fit(i, m, 3);
        struct pal_ask ask = {.n = N, .seen = &m->rows, .threads = 1};
        assert_ok(pal_model_top(a, &m->rows, &ask, item1, one, &err), &err);
        ask.threads = 3;
        assert_ok(pal_model_top(b, &m->rows, &ask, item3, three, &err), &err);
        assert_memory_equal(item1, item3, sizeof item1);
        assert_memory_equal(one, three, sizeof one);
        pal_model_free(a);
        pal_model_free(b);
    }
    free(m);
}

/* near must agree with itself under a mask that leaves nothing out, and leave out the item. */
static void test_near(void **state)
{
    static const int32_t none[] = {0}, exclude[] = {1, 2};
    struct made *m = malloc(sizeof *m);
    make(m, true);
    for (size_t i = 0; i < TRAINED; i++) {
        static float plain[ITEMS * N], masked[ITEMS * N];
        static int32_t item[ITEMS], near[ITEMS * N], other[ITEMS * N];
        struct pal_error err;
        struct pal_model *model = fit(i, m, 1);
        struct pal_ask ask = {.n = N, .threads = 2};
        for (int j = 0; j < ITEMS; j++)
            item[j] = j;
        enum pal_status st = pal_model_near(model, item, ITEMS, &ask, near, plain, &err);
        if (!(model_find(trained[i][0])->can & MODEL_SIMILAR)) {
            assert_int_equal(st, PAL_EUNSUPPORTED);
            pal_model_free(model);
            continue;
        }
        assert_ok(st, &err);
        for (int j = 0; j < ITEMS; j++)
            for (int k = 0; k < N; k++) {
                assert_int_not_equal(near[j * N + k], j);
                if (k)
                    assert_true(plain[j * N + k] <= plain[j * N + k - 1]);
            }
        ask.exclude = exclude;
        ask.exclude_count = 2;
        assert_ok(pal_model_near(model, item, ITEMS, &ask, other, masked, &err), &err);
        for (int j = 0; j < ITEMS; j++)
            for (int k = 0, at = 0; k < N - 2; k++, at++) {
                while (near[j * N + at] == 1 || near[j * N + at] == 2)
                    at++;
                assert_close(masked[j * N + k], plain[j * N + at]);
                assert_int_not_equal(other[j * N + k], 1);
                assert_int_not_equal(other[j * N + k], 2);
            }
        ask = (struct pal_ask){.n = N, .seen = &m->rows};
        assert_int_equal(pal_model_near(model, none, 1, &ask, near, plain, &err), PAL_EUSAGE);
        pal_model_free(model);
    }
    free(m);
}

/* The parts of als, knn and ease add up to the score. */
static void test_explain(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, false);
    static const size_t sums[] = {0, 2, 3, 4};
    for (size_t s = 0; s < 4; s++) {
        static float all[USERS * ITEMS];
        struct pal_error err;
        struct pal_model *model = fit(sums[s], m, 1);
        assert_ok(pal_model_score(model, &m->rows, 1, all, &err), &err);
        for (int u = 0; u < USERS; u++) {
            float part[MOST];
            int64_t n = m->start[u + 1] - m->start[u], start[2] = {0, n};
            struct pal_rows row = {1, ITEMS, start, m->col + m->start[u], m->val + m->start[u]};
            assert_ok(pal_model_explain(model, &row, (u * 7) % ITEMS, part, &err), &err);
            double sum = 0;
            bool had[ITEMS] = {false};
            for (int64_t e = 0; e < n; e++) {
                if (row.val[e] == 0)
                    assert_true(part[e] == 0);
                else if (!had[row.col[e]])
                    sum += (double)part[e];
                had[row.col[e]] = had[row.col[e]] || row.val[e] != 0;
            }
            assert_true(fabs(sum - (double)all[u * ITEMS + (u * 7) % ITEMS]) < 1e-4);
        }
        pal_model_free(model);
    }
    free(m);
}

static void test_save_load(void **state)
{
    char path[] = "/tmp/palate-matrix-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct made *m = malloc(sizeof *m);
    make(m, true);
    for (size_t i = 0; i < TRAINED; i++) {
        static float before[USERS * ITEMS], after[USERS * ITEMS];
        struct pal_error err;
        struct pal_model *model = fit(i, m, 1), *again = NULL;
        assert_ok(pal_model_score(model, &m->rows, 1, before, &err), &err);
        assert_ok(pal_model_save(model, path, &err), &err);
        assert_ok(pal_model_load(path, &again, &err), &err);
        assert_ok(pal_model_score(again, &m->rows, 1, after, &err), &err);
        assert_memory_equal(before, after, sizeof before);
        assert_string_equal(pal_model_name(again), trained[i][0]);
        assert_int_equal(pal_model_items(again), ITEMS);
        pal_model_free(model);
        pal_model_free(again);
    }
    struct pal_model *none = NULL;
    assert_int_equal(pal_model_load("/nowhere/at/all", &none, NULL), PAL_ENOTFOUND);
    assert_null(none);
    unlink(path);
    free(m);
}

/* als's vectors make its cosines. */
static void test_array(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, true);
    struct pal_model *model = fit(0, m, 1);
    const float *y;
    uint64_t rows, cols;
    struct pal_error err;
    assert_ok(pal_model_array(model, "item_factors", &y, &rows, &cols, &err), &err);
    assert_int_equal(rows, ITEMS);
    assert_int_equal(cols, 8);
    int32_t item = 4, near;
    float score;
    struct pal_ask ask = {.n = 1};
    assert_ok(pal_model_near(model, &item, 1, &ask, &near, &score, &err), &err);
    double dot = 0, a = 0, b = 0;
    for (int j = 0; j < 8; j++) {
        dot += (double)y[4 * 8 + j] * (double)y[near * 8 + j];
        a += (double)y[4 * 8 + j] * (double)y[4 * 8 + j];
        b += (double)y[near * 8 + j] * (double)y[near * 8 + j];
    }
    assert_close(score, (float)(dot / sqrt(a * b)));
    assert_int_equal(pal_model_array(model, "nothing", &y, &rows, &cols, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "item_factors"));
    pal_model_free(model);
    free(m);
}

static void refuses(const struct pal_rows *rows, const char *says)
{
    struct pal_model *model = NULL;
    struct pal_error err = {.message = ""};
    assert_int_equal(pal_model_fit("als", NULL, rows, NULL, &model, &err), PAL_EUSAGE);
    assert_null(model);
    if (!strstr(err.message, says))
        fail_msg("'%s' is not in: %s", says, err.message);
}

static void test_bad_rows(void **state)
{
    const int64_t start[] = {0, 1, 2}, late[] = {1, 1, 2}, falls[] = {0, 2, 1}, empty[] = {0, 0, 0};
    const int32_t col[] = {0, 1}, past[] = {0, 2}, below[] = {0, -1};
    const float nan_val[] = {1, NAN}, huge[] = {1, 2e6f};
    refuses(&(struct pal_rows){2, 2, NULL, col, NULL}, "missing");
    refuses(&(struct pal_rows){2, 2, start, NULL, NULL}, "columns of the matrix are missing");
    refuses(&(struct pal_rows){2, 2, late, col, NULL}, "begin with 1");
    refuses(&(struct pal_rows){2, 2, falls, col, NULL}, "row 1 of the matrix ends");
    refuses(&(struct pal_rows){2, 2, start, past, NULL}, "row 1 of the matrix names item 2");
    refuses(&(struct pal_rows){2, 2, start, below, NULL}, "names item -1");
    refuses(&(struct pal_rows){2, 2, start, col, nan_val}, "row 1 of the matrix holds");
    refuses(&(struct pal_rows){2, 2, start, col, huge}, "up to 1000000");
    refuses(&(struct pal_rows){2, 2, empty, col, NULL}, "the matrix is empty");
}

static void test_bad_asks(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, true);
    struct pal_model *model = fit(0, m, 1);
    static float score[USERS * N];
    static int32_t item[USERS * N], bad[] = {0, ITEMS};
    struct pal_error err;
    struct pal_rows fewer = m->rows, narrow = m->rows;
    fewer.rows--;
    narrow.cols--;
    const struct pal_ask asks[] = {{.n = 0},
                                   {.n = N, .exclude = bad, .exclude_count = 2},
                                   {.n = N, .only = bad, .only_count = 2},
                                   {.n = N, .exclude_count = 2},
                                   {.n = N, .seen = &fewer},
                                   {.n = N, .seen = &narrow}};
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
        assert_int_equal(pal_model_top(model, &m->rows, &asks[i], item, score, &err), PAL_EUSAGE);
    assert_int_equal(pal_model_top(model, &narrow, &(struct pal_ask){.n = N}, item, score, &err),
                     PAL_EUSAGE);
    assert_int_equal(pal_model_near(model, bad, 2, &(struct pal_ask){.n = N}, item, score, &err),
                     PAL_EUSAGE);
    assert_int_equal(pal_model_explain(model, &m->rows, 0, score, &err), PAL_EUSAGE);
    pal_model_free(model);
    model = NULL;
    assert_int_equal(pal_model_fit("nothing", NULL, &m->rows, NULL, &model, &err), PAL_EUSAGE);
    assert_int_equal(pal_model_fit("als", "factors=x", &m->rows, NULL, &model, &err), PAL_EUSAGE);
    assert_int_equal(pal_model_fit("content", NULL, &m->rows, NULL, &model, &err),
                     PAL_EUNSUPPORTED);
    assert_int_equal(pal_model_fit("trending", NULL, &m->rows, NULL, &model, &err),
                     PAL_EUNSUPPORTED);
    free(m);
}

static int stop_at_once(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    *(int *)ctx += 1;
    return 1;
}

static void test_stop(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, true);
    int calls = 0;
    struct pal_work work = {.threads = 1, .progress = stop_at_once, .progress_ctx = &calls};
    struct pal_model *model = NULL;
    assert_int_equal(pal_model_fit("als", NULL, &m->rows, &work, &model, NULL), PAL_EINTERRUPTED);
    assert_true(calls > 0);
    assert_null(model);
    free(m);
}

/* Each allocation fails in its turn: a status comes back, and nothing is left behind. */
static void test_faults(void **state)
{
    struct made *m = malloc(sizeof *m);
    make(m, false);
    static const int32_t exclude[] = {1};
    static float score[USERS * N], part[MOST];
    static int32_t item[USERS * N];
    bool whole = false;
    long live = mem_live();
    for (long at = 1; !whole; at++) {
        struct pal_model *model = NULL;
        struct pal_ask ask = {.n = N, .seen = &m->rows, .threads = 1};
        struct pal_rows one = m->rows;
        struct pal_work work = {.threads = 1, .seed = 3};
        one.rows = 1;
        long before = mem_calls();
        mem_fail_at(at);
        enum pal_status st = pal_model_fit("ease", NULL, &m->rows, &work, &model, NULL);
        if (st == PAL_OK)
            st = pal_model_top(model, &m->rows, &ask, item, score, NULL);
        ask = (struct pal_ask){.n = N, .exclude = exclude, .exclude_count = 1, .threads = 1};
        if (st == PAL_OK)
            st = pal_model_near(model, item, 1, &ask, item, score, NULL);
        if (st == PAL_OK)
            st = pal_model_explain(model, &one, 3, part, NULL);
        whole = mem_calls() - before < at;
        mem_fail_at(0);
        assert_int_equal(st, whole ? PAL_OK : PAL_ENOMEM);
        pal_model_free(model);
        assert_int_equal(mem_live(), live);
    }
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_and_top), cmocka_unit_test(test_masks),
        cmocka_unit_test(test_other_seen),     cmocka_unit_test(test_threads),
        cmocka_unit_test(test_near),           cmocka_unit_test(test_explain),
        cmocka_unit_test(test_save_load),      cmocka_unit_test(test_array),
        cmocka_unit_test(test_bad_rows),       cmocka_unit_test(test_bad_asks),
        cmocka_unit_test(test_stop),           cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
