/* BPR: the schedule that makes gradient descent the same at any thread count, what negatives are
 * taken, and that a history's vector is where its loss, written out over all items, is least. */
#include "test.h"
#include "world.h"

#include "model/bpr_fold.h"
#include "model/bpr_train.h"
#include "model/strata.h"

#include <math.h>

enum { USERS = 200, ITEMS = 600, BLOCKS = 4, D = 8 };

/* ---- the schedule ---- */

struct visits {
    atomic_int cell[STRATA][STRATA];
    atomic_int row[STRATA], col[STRATA]; /* who is there now */
    atomic_int met;
};

static void visit(void *ctx, uint32_t rows, uint32_t cols, unsigned worker)
{
    struct visits *v = ctx;
    v->met += v->row[rows]++ > 0;
    v->met += v->col[cols]++ > 0;
    v->cell[rows][cols]++;
    v->row[rows]--;
    v->col[cols]--;
}

static void every_cell_once_and_alone(void **state)
{
    struct pal_error err;
    struct pool *pool;
    assert_ok(pool_new(3, &pool, &err), &err);
    for (uint32_t blocks = 1; blocks <= STRATA; blocks++) {
        static struct visits v;
        memset(&v, 0, sizeof v);
        strata_walk(pool, blocks, visit, &v);
        for (uint32_t r = 0; r < STRATA; r++)
            for (uint32_t c = 0; c < STRATA; c++)
                assert_int_equal(v.cell[r][c], r < blocks && c < blocks);
        assert_int_equal(v.met, 0);
    }
    pool_free(pool);
    assert_int_equal(strata_blocks(1, 128), 1);
    assert_int_equal(strata_blocks(600, 128), 4);
    assert_int_equal(strata_blocks(1u << 30, 128), STRATA);
}

/* ---- training ---- */

enum { EPOCHS = 12, MANY = 400 };

/* What is told after each epoch. */
struct told {
    double loss[MANY], accuracy[MANY];
};

static void hear(void *ctx, const char *name, uint64_t step, double value)
{
    struct told *t = ctx;
    assert_true(step >= 1 && step <= MANY);
    if (strcmp(name, "loss") == 0)
        t->loss[step - 1] = value;
    else
        t->accuracy[step - 1] = value;
}

struct fit {
    struct dataset *data;
    struct training t;
    float *X, *Y, *bias;
};

static struct bpr_settings settings(void)
{
    return (struct bpr_settings){.factors = D,
                                 .epochs = EPOCHS,
                                 .rate = 0.1f,
                                 .regularization = 0.002f,
                                 .hardest = 1,
                                 .seed = 5};
}

/* told: NULL = nobody listens. */
static struct fit fit_told(struct dataset *d, const struct bpr_settings *set, unsigned threads,
                           struct told *told)
{
    struct pal_error err;
    struct fit f = {.data = d};
    struct weights w = world_weights();
    struct run run = {.seed = 1, .metric = told ? hear : NULL, .metric_ctx = told};
    struct rng rng;
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(training_make(d, &d->all, &w, &run, &f.t, &err), &err);
    uint32_t users = f.t.by_user.rows, items = f.t.by_user.cols;
    f.X = calloc(users * D, sizeof *f.X);
    f.Y = calloc(items * D, sizeof *f.Y);
    f.bias = calloc(items, sizeof *f.bias);
    rng_init(&rng, 9, 9);
    for (size_t i = 0; i < users * D; i++)
        f.X[i] = (float)rng_normal(&rng) * 0.03f;
    for (size_t i = 0; i < items * D; i++)
        f.Y[i] = (float)rng_normal(&rng) * 0.03f;
    assert_ok(bpr_train(&f.t.by_user, set, f.X, f.Y, f.bias, &run, &err), &err);
    pool_free(run.pool);
    return f;
}

static struct fit fit_on(struct dataset *d, const struct bpr_settings *set, unsigned threads)
{
    return fit_told(d, set, threads, NULL);
}

static void fit_done(struct fit *f)
{
    training_done(&f->t);
    dataset_free(f->data);
    free(f->X);
    free(f->Y);
    free(f->bias);
}

static double score(const struct fit *f, uint32_t u, uint32_t i)
{
    double s = f->bias[i];
    for (size_t k = 0; k < D; k++)
        s += (double)f->X[u * D + k] * f->Y[i * D + k];
    return s;
}

/* The share of pairs (liked, not liked) that stand in the right order. */
static double auc(const struct fit *f)
{
    const struct csr *R = &f->t.by_user;
    double right = 0, all = 0;
    for (uint32_t u = 0; u < R->rows; u++) {
        uint8_t liked[ITEMS] = {0};
        for (uint64_t e = R->start[u]; e < R->start[u + 1]; e++)
            liked[R->col[e]] = R->val[e] > 0;
        for (uint32_t i = 0; i < R->cols; i++)
            for (uint32_t j = 0; j < R->cols; j += 7)
                if (liked[i] && !liked[j]) {
                    right += score(f, u, i) > score(f, u, j);
                    all++;
                }
    }
    return right / all;
}

static struct dataset *blocks(void)
{
    return world_of_blocks(USERS, ITEMS, BLOCKS, 0.01, 5);
}

/* Four blocks of items, so that threads have cells to share: not a bit differs. */
static void threads_change_nothing(void **state)
{
    for (uint32_t kind = 0; kind < 3; kind++) {
        struct bpr_settings set = settings();
        set.power = kind == 1 ? 0.75f : 0;
        set.hardest = kind == 2 ? 5 : 1;
        struct fit one = fit_on(blocks(), &set, 1), three = fit_on(blocks(), &set, 3);
        assert_memory_equal(one.X, three.X, USERS * D * sizeof(float));
        assert_memory_equal(one.Y, three.Y, ITEMS * D * sizeof(float));
        assert_memory_equal(one.bias, three.bias, ITEMS * sizeof(float));
        fit_done(&one);
        fit_done(&three);
    }
}

static void puts_likes_above(void **state)
{
    for (uint32_t kind = 0; kind < 3; kind++) {
        struct bpr_settings set = settings();
        set.power = kind == 1 ? 0.75f : 0;
        set.hardest = kind == 2 ? 5 : 1;
        struct fit f = fit_on(blocks(), &set, 2);
        double a = auc(&f);
        if (a < 0.9) /* noise and the likes that are not there make it less than 1 */
            fail_msg("kind %u: %.3f of the pairs are in order", kind, a);
        fit_done(&f);
    }
}

/* At a rate of nearly nothing vectors stay what they are, so that what is told can be computed from
 * them: the means over each liked item and all that the user doesn't like. */
static void tells_how_it_is(void **state)
{
    static struct told still;
    struct pal_error err;
    struct run run = {.metric = hear, .metric_ctx = &still};
    struct bpr_settings set = settings();
    struct fit f = fit_on(blocks(), &set, 2);
    const struct csr *R = &f.t.by_user;
    double loss = 0, right = 0, n = 0;
    set.rate = 1e-9f;
    set.epochs = MANY;
    assert_ok(bpr_train(R, &set, f.X, f.Y, f.bias, &run, &err), &err);
    for (uint32_t u = 0; u < R->rows; u++) {
        uint8_t liked[ITEMS] = {0};
        for (uint64_t e = R->start[u]; e < R->start[u + 1]; e++)
            liked[R->col[e]] = 1;
        for (uint64_t e = R->start[u]; e < R->start[u + 1]; e++)
            for (uint32_t j = 0; j < R->cols; j++) {
                double margin = score(&f, u, R->col[e]) - score(&f, u, j);
                loss += liked[j] ? 0 : log1p(exp(-margin));
                right += !liked[j] && margin > 0;
                n += !liked[j];
            }
    }
    double told_loss = 0, told_right = 0; /* blocks of one epoch are not quite like another's */
    for (size_t e = 0; e < MANY; e++) {
        told_loss += still.loss[e] / MANY;
        told_right += still.accuracy[e] / MANY;
    }
    if (fabs(told_loss - loss / n) > 0.02 * loss / n || fabs(told_right - right / n) > 0.002)
        fail_msg("told %g and %g, it is %g and %g", told_loss, told_right, loss / n, right / n);
    fit_done(&f);
}

/* Neither threads nor who listens change anything. */
static void tells_how_it_learns(void **state)
{
    static struct told one, three;
    struct bpr_settings set = settings();
    struct fit a = fit_told(blocks(), &set, 1, &one), b = fit_told(blocks(), &set, 3, &three);
    struct fit unheard = fit_on(blocks(), &set, 3);
    assert_memory_equal(&one, &three, sizeof one);
    assert_memory_equal(b.Y, unheard.Y, ITEMS * D * sizeof(float));
    assert_true(one.loss[EPOCHS - 1] < 0.5 * one.loss[0]);
    assert_true(one.accuracy[EPOCHS - 1] > 0.9 && one.accuracy[0] < 0.9);
    fit_done(&a);
    fit_done(&b);
    fit_done(&unheard);
}

/* Each user dislikes a tenth of the own block. Taken as negatives they end up far lower against
 * the rest of the block, liked by nobody in particular, than where they are drawn by chance. */
static void dislikes_are_taken(void **state)
{
    double below[2];
    for (int take = 0; take < 2; take++) {
        struct bpr_settings set = settings();
        set.dislikes = take ? 0.8f : 0;
        struct dataset *d = blocks();
        uint64_t n = interactions_count(&d->all), seen = 0;
        d->all.value = mem_alloc(n, sizeof *d->all.value);
        for (uint64_t e = 0; e < n; e++)
            d->all.value[e] = e % 10 == 3 ? -1 : 1;
        struct fit f = fit_on(d, &set, 2);
        const struct csr *R = &f.t.by_user;
        below[take] = 0;
        for (uint32_t u = 0; u < USERS; u++)
            for (uint64_t e = R->start[u]; e < R->start[u + 1]; e++)
                if (R->val[e] < 0 && R->col[e] % BLOCKS == u % BLOCKS) {
                    double mean = 0;
                    for (uint32_t i = u % BLOCKS; i < ITEMS; i += BLOCKS)
                        mean += score(&f, u, i) / (ITEMS / BLOCKS);
                    below[take] += mean - score(&f, u, R->col[e]);
                    seen++;
                }
        below[take] /= (double)seen;
        fit_done(&f);
    }
    if (below[1] < 2 * below[0] || below[1] < 0.3)
        fail_msg("dislikes stand %g below the block, %g if not taken", below[1], below[0]);
}

/* ---- histories ---- */

/* The loss that bpr_fold.c approximates, without approximation: all items as negatives. */
static double loss(const float *Y, const struct history *h, const double *x, double lambda)
{
    static double s[ITEMS];
    double sum = 0, length = 0, total = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        s[i] = Y[i * (D + 1) + D];
        for (size_t k = 0; k < D; k++)
            s[i] += x[k] * Y[i * (D + 1) + k];
    }
    for (size_t k = 0; k < D; k++)
        length += x[k] * x[k];
    for (size_t e = 0; e < h->n; e++) {
        double sign = h->weight[e] < 0 ? -1 : 1, w = fabs((double)h->weight[e]);
        total += w;
        for (size_t j = 0; j < ITEMS; j++)
            sum += w / ITEMS * log1p(exp(-sign * (s[h->item[e]] - s[j])));
    }
    return sum + 0.5 * lambda * total * length;
}

/* Its minimum by coordinates: slow and sure. */
static void descend(const float *Y, const struct history *h, double *x, double lambda)
{
    memset(x, 0, D * sizeof *x);
    double best = loss(Y, h, x, lambda);
    for (double step = 1; step > 1e-4;) {
        int better = 0;
        for (size_t k = 0; k < D; k++)
            for (int sign = -1; sign <= 1; sign += 2) {
                x[k] += sign * step;
                double l = loss(Y, h, x, lambda);
                if (l < best) {
                    best = l;
                    better = 1;
                } else {
                    x[k] -= sign * step;
                }
            }
        if (!better)
            step /= 2;
    }
}

/* Of what the minimum gains over a zero vector, the fold-in gets nearly all. */
static void folds_in_to_the_minimum(void **state)
{
    struct pal_error err;
    struct bpr_fold f;
    struct rng rng;
    static float Y[ITEMS * (D + 1)];
    rng_init(&rng, 4, 4);
    for (size_t k = 0; k <= D; k++) {
        double mean = 0;
        for (size_t i = 0; i < ITEMS; i++)
            mean += Y[i * (D + 1) + k] = (float)(rng_normal(&rng) * (k == D ? 0.8 : 0.4));
        for (size_t i = 0; i < ITEMS; i++)
            Y[i * (D + 1) + k] -= (float)(mean / ITEMS);
    }
    assert_ok(bpr_fold_init(&f, Y, ITEMS, D, 1, 0.02f, &err), &err);
    for (uint32_t n = 1; n <= 30; n += 7) {
        uint32_t item[30];
        float weight[30], x[D + 1];
        double exact[D], ours[D], zero[D] = {0};
        for (uint32_t i = 0; i < n; i++) {
            item[i] = (uint32_t)rng_below(&rng, ITEMS / 30) + i * (ITEMS / 30);
            weight[i] = i % 4 == 2 ? -1 : i % 4 == 1 ? 2 : 1;
        }
        struct history h = {.n = n, .item = item, .weight = weight};
        float *scratch = mem_aligned(bpr_fold_scratch(&f, n), sizeof *scratch);
        bpr_fold_in(&f, &h, x, scratch);
        mem_free(scratch);
        for (size_t k = 0; k < D; k++)
            ours[k] = x[k];
        assert_true(x[D] == 1);
        descend(Y, &h, exact, 0.02);
        double none = loss(Y, &h, zero, 0.02), least = loss(Y, &h, exact, 0.02);
        double got = loss(Y, &h, ours, 0.02);
        if (got - least > 0.03 * (none - least))
            fail_msg("%u events: loss %g, the least is %g, without a vector %g", n, got, least,
                     none);
    }
    bpr_fold_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_once_and_alone), cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(puts_likes_above),          cmocka_unit_test(tells_how_it_is),
        cmocka_unit_test(tells_how_it_learns),       cmocka_unit_test(dislikes_are_taken),
        cmocka_unit_test(folds_in_to_the_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
