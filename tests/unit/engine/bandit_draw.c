/* Draws against draws of everything: which item comes first, how often each is among the first k,
 * how high the k-th lies; over catalogs that take each way through the code. Propensities against
 * how often items really come. A simulated bandit against chance. Seeds are fixed: what passes once
 * passes always. */
#include "test.h"

#include "engine/bandit.h"
#include "math/beta.h"

#include <math.h>

#define DAY  INT64_C(86400000)
#define NOON (INT64_C(20000) * DAY)

enum { MOST = 30000, KEEP = 80 };

static struct pal_error err;

static struct bandit *make(double alpha, double beta)
{
    struct bandit_options o;
    struct bandit *b;
    opt_defaults(&bandit_option_table, &o);
    o.prior_alpha = alpha;
    o.prior_beta = beta;
    assert_ok(bandit_new(&o, &b, &err), &err);
    return b;
}

static void count(struct bandit *b, uint32_t number, double up, double down)
{
    if (up > 0)
        assert_ok(bandit_count(b, number, (float)up, true, NOON, &err), &err);
    if (down > 0)
        assert_ok(bandit_count(b, number, (float)-down, true, NOON, &err), &err);
}

/* ---- the reference: a draw of everything ---- */

struct full {
    double y;
    uint32_t number;
};

static int best_first(const void *a, const void *b)
{
    double x = ((const struct full *)a)->y, y = ((const struct full *)b)->y;
    return (x < y) - (x > y);
}

static double alpha[MOST], beta[MOST];

static void ask_posteriors(const struct bandit *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        bandit_posterior(b, i, NOON, &alpha[i], &beta[i]);
}

static size_t draw_all(uint32_t n, size_t k, struct rng *rng, bandit_allow_fn *allow, void *ctx,
                       struct full *out)
{
    static struct full all[MOST];
    size_t held = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!allow || allow(ctx, i))
            all[held++] = (struct full){beta_logit(alpha[i], beta[i], rng), i};
    qsort(all, held, sizeof *all, best_first);
    held = held < k ? held : k;
    memcpy(out, all, held * sizeof *all);
    return held;
}

/* ---- comparing ---- */

/* What many draws looked like: who was first, who was in, where the last lay. */
struct tally {
    double *first, *in; /* (n) */
    double bin[32];
};

static void tally_make(struct tally *t, uint32_t n)
{
    memset(t, 0, sizeof *t);
    t->first = calloc(n, sizeof *t->first);
    t->in = calloc(n, sizeof *t->in);
    assert_true(t->first && t->in);
}

static void tally_drop(struct tally *t)
{
    free(t->first);
    free(t->in);
}

/* Chi-square over categories with counts a and b, small ones pooled; both samples of equal size.
 * The bound is five and a half deviations. */
static void same_law(const double *a, const double *b, size_t n, const char *what)
{
    double chi = 0, rest_a = 0, rest_b = 0;
    int free = -1;
    for (size_t i = 0; i < n; i++) {
        if (a[i] + b[i] < 20) {
            rest_a += a[i];
            rest_b += b[i];
            continue;
        }
        chi += (a[i] - b[i]) * (a[i] - b[i]) / (a[i] + b[i]);
        free++;
    }
    if (rest_a + rest_b > 0) {
        chi += (rest_a - rest_b) * (rest_a - rest_b) / (rest_a + rest_b);
        free++;
    }
    if (free > 0 && chi > free + 5.5 * sqrt(2.0 * free))
        fail_msg("%s: chi-square %.1f with %d degrees of freedom", what, chi, free);
}

/* Each item's share of the places: two binomials. */
static void same_shares(const double *a, const double *b, size_t n, double draws, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        double p = (a[i] + b[i]) / (2 * draws), deviation = sqrt(2 * draws * p * (1 - p)) + 1;
        if (fabs(a[i] - b[i]) > 5.5 * deviation)
            fail_msg("%s: item %zu came %.0f times, by a full draw %.0f", what, i, a[i], b[i]);
    }
}

struct world {
    const char *name;
    uint32_t n;
    size_t k;
    int draws;
    bandit_allow_fn *allow;
    bool refresh; /* before the draws; otherwise everything counted is fresh */
};

static void compare(struct bandit *b, const struct world *w)
{
    struct bandit_pick pick[KEEP];
    struct full full[KEEP];
    struct tally ours, theirs;
    struct rng rng, other;
    rng_init(&rng, 5, w->n);
    rng_init(&other, 6, w->n);
    tally_make(&ours, w->n);
    tally_make(&theirs, w->n);
    ask_posteriors(b, w->n);
    if (w->refresh)
        assert_ok(bandit_refresh(b, NOON, &err), &err);
    for (int i = 0; i < w->draws; i++) {
        size_t found, want = draw_all(w->n, w->k, &other, w->allow, NULL, full);
        assert_ok(bandit_draw(b, w->n, w->k, NOON, &rng, w->allow, NULL, pick, &found, &err), &err);
        assert_int_equal(found, want);
        for (size_t j = 0; j < found; j++) {
            assert_true(pick[j].number < w->n);
            assert_true(j == 0 || pick[j].score <= pick[j - 1].score);
            assert_true(pick[j].propensity > 0 && pick[j].propensity <= 1);
            for (size_t before = 0; before < j; before++)
                assert_true(pick[before].number != pick[j].number);
            ours.in[pick[j].number]++;
            theirs.in[full[j].number]++;
        }
        ours.first[pick[0].number]++;
        theirs.first[full[0].number]++;
        ours.bin[(int)fmin(pick[found - 1].score * 32, 31)]++;
        theirs.bin[(int)fmin(beta_from_logit(full[want - 1].y) * 32, 31)]++;
    }
    same_law(ours.first, theirs.first, w->n, w->name);
    same_law(ours.bin, theirs.bin, 32, w->name);
    same_shares(ours.in, theirs.in, w->n, w->draws, w->name);
    tally_drop(&ours);
    tally_drop(&theirs);
}

/* Evidence of all sizes for every `each`-th item. */
static void scatter(struct bandit *b, uint32_t n, uint32_t each, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, n);
    for (uint32_t i = 0; i < n; i += each) {
        double size = exp(6 * rng_real(&rng)), share = rng_real(&rng);
        count(b, i, size * share, size * (1 - share));
    }
}

static bool one_in_seven(void *ctx, uint32_t number)
{
    return number % 7 == 3;
}

static bool few(void *ctx, uint32_t number)
{
    return number % 200 == 0;
}

static void draws_are_exact(void **state)
{
    static const struct world worlds[] = {
        {"tiny", 6, 2, 8000, NULL, true},
        {"small", 60, 5, 3000, NULL, true},
        {"middling", 400, 10, 2500, NULL, true},
        {"middling, one", 400, 1, 1500, NULL, true},
        {"larger", 4000, 12, 150, NULL, true},
        {"fresh", 60, 6, 1500, NULL, false},
        {"some allowed", 400, 10, 1000, one_in_seven, true},
        {"few allowed", 4000, 10, 120, few, true},
        {"deep", 900, 60, 250, NULL, true},
    };
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++)
        for (uint32_t each = 1; each <= 9; each += 4) {
            struct bandit *b = make(1.5, 4);
            assert_ok(bandit_refresh(b, NOON, &err), &err);
            if (!worlds[i].refresh) { /* a view of before, which knows nothing of what comes */
                struct bandit_pick pick[4];
                struct rng rng;
                size_t found;
                rng_init(&rng, 1, 1);
                assert_ok(
                    bandit_draw(b, worlds[i].n, 4, NOON, &rng, NULL, NULL, pick, &found, &err),
                    &err);
            }
            scatter(b, worlds[i].n, each, i + 1);
            compare(b, &worlds[i]);
            bandit_free(b);
        }
}

/* What was counted since the view was made is drawn by a coin per item, which the view remembers
 * until the item is counted again. */
static void fresh_ones_by_a_coin(void **state)
{
    static const struct world worlds[] = {
        {"fresh, one", 400, 1, 3000, NULL, false},
        {"fresh, three", 900, 3, 1500, NULL, false},
        {"fresh, some allowed", 900, 1, 600, one_in_seven, false}};
    struct bandit_pick pick[4];
    struct rng rng;
    size_t found;
    rng_init(&rng, 1, 1);
    for (size_t i = 0; i < sizeof worlds / sizeof worlds[0]; i++) {
        const struct world *w = &worlds[i];
        struct bandit *b = make(1.5, 4);
        assert_ok(bandit_draw(b, w->n, 4, NOON, &rng, NULL, NULL, pick, &found, &err), &err);
        for (uint32_t item = 3; item < w->n; item += w->n / 50)
            count(b, item, 1 + item % 9, 1 + item % 4);
        compare(b, w);
        for (uint32_t item = 3; item < w->n; item += w->n / 25)
            count(b, item, 1, 6); /* others are ahead now */
        compare(b, w);
        bandit_free(b);
    }
}

/* Nobody has evidence: everybody comes equally often. */
static void priors_alone(void **state)
{
    static const struct world world = {"priors", 500, 8, 3000, NULL, true};
    struct bandit *b = make(1, 1);
    compare(b, &world);
    bandit_free(b);
    b = make(0.2, 0.3);
    compare(b, &world);
    bandit_free(b);
}

/* Items that the last view did not span are drawn too. */
static void catalogs_grow(void **state)
{
    static const struct world world = {"grown", 1050, 8, 1500, NULL, false};
    struct bandit_pick pick[4];
    struct rng rng;
    size_t found;
    struct bandit *b = make(1, 3);
    scatter(b, 1000, 3, 9);
    rng_init(&rng, 1, 1);
    assert_ok(bandit_draw(b, 1000, 4, NOON, &rng, NULL, NULL, pick, &found, &err), &err);
    compare(b, &world);
    bandit_free(b);
}

/* Refreshing only what changed gives the same as a view made from nothing. */
static void refreshing_keeps_up(void **state)
{
    static const struct world world = {"kept up", 900, 10, 1500, NULL, true};
    struct bandit *b = make(1, 3);
    scatter(b, 900, 3, 4);
    assert_ok(bandit_refresh(b, NOON, &err), &err);
    for (uint32_t i = 0; i < 12; i++) {
        count(b, 71 * i, 3 + 10 * i, 20);
        assert_ok(bandit_refresh(b, NOON + i, &err), &err);
    }
    compare(b, &world);
    scatter(b, 900, 1, 44); /* more than draws can know of without a refresh */
    compare(b, &world);
    bandit_free(b);
}

/* ---- propensity ---- */

/* For each item that comes often enough to tell: what was said when it came, in the mean, against
 * the share of draws in which it came. */
static void check_propensities(struct bandit *b, uint32_t n, size_t k, int draws,
                               bandit_allow_fn *allow, double tolerance)
{
    static double sum[MOST], came[MOST];
    struct bandit_pick pick[KEEP];
    struct rng rng;
    memset(sum, 0, sizeof sum);
    memset(came, 0, sizeof came);
    rng_init(&rng, 21, n);
    assert_ok(bandit_refresh(b, NOON, &err), &err);
    for (int i = 0; i < draws; i++) {
        size_t found;
        assert_ok(bandit_draw(b, n, k, NOON, &rng, allow, NULL, pick, &found, &err), &err);
        for (size_t j = 0; j < found; j++) {
            sum[pick[j].number] += pick[j].propensity;
            came[pick[j].number]++;
        }
    }
    size_t checked = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (came[i] < 30)
            continue;
        double real = came[i] / draws, estimate = sum[i] / came[i];
        double noise = 5 * sqrt(real * (1 - real) / draws);
        if (fabs(estimate - real) > tolerance * real + noise)
            fail_msg("%u items, %zu: item %u comes in %.4f of draws, said %.4f", n, k, i, real,
                     estimate);
        checked++;
    }
    assert_true(checked > 0);
}

static void propensities_are_frequencies(void **state)
{
    static const struct {
        uint32_t n;
        size_t k;
        int draws;
    } sizes[] = {{5, 2, 20000}, {40, 1, 20000}, {300, 10, 6000}, {2000, 20, 5000}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bandit *b = make(1, 4);
        check_propensities(b, sizes[i].n, sizes[i].k, sizes[i].draws, NULL, 0.12);
        scatter(b, sizes[i].n, 2, 3);
        check_propensities(b, sizes[i].n, sizes[i].k, sizes[i].draws, NULL, 0.12);
        bandit_free(b);
    }
}

/* Weighted by 1 / propensity, every item comes once in a draw: what off-policy evaluation rests on.
 */
static void check_weights(struct bandit *b, uint32_t n, size_t k, int draws, bandit_allow_fn *allow)
{
    static double sum[MOST], squares[MOST], came[MOST];
    struct bandit_pick pick[KEEP];
    struct rng rng;
    memset(sum, 0, sizeof sum);
    memset(squares, 0, sizeof squares);
    memset(came, 0, sizeof came);
    rng_init(&rng, 22, n);
    assert_ok(bandit_refresh(b, NOON, &err), &err);
    for (int i = 0; i < draws; i++) {
        size_t found;
        assert_ok(bandit_draw(b, n, k, NOON, &rng, allow, NULL, pick, &found, &err), &err);
        assert_int_equal(found, k);
        for (size_t j = 0; j < found; j++) {
            double w = 1 / (double)pick[j].propensity;
            assert_true(w >= 1);
            sum[pick[j].number] += w;
            squares[pick[j].number] += w * w;
            came[pick[j].number]++;
        }
    }
    size_t checked = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (came[i] < 200)
            continue;
        double mean = sum[i] / draws, noise = sqrt(squares[i] / draws - mean * mean);
        if (fabs(mean - 1) > 0.02 + 5 * noise / sqrt(draws))
            fail_msg("%u items, %zu: item %u came %.0f times; weighted once in %.4f draws", n, k, i,
                     came[i], mean);
        checked++;
    }
    assert_true(checked > 0);
}

/* Passing over items leaves a draw to others than those that the view knows to come on top. */
static void propensities_with_exclusions(void **state)
{
    struct bandit *b = make(1, 4);
    scatter(b, 700, 2, 8);
    check_weights(b, 700, 10, 40000, one_in_seven);
    check_weights(b, 700, 1, 40000, one_in_seven);
    check_weights(b, 700, 80, 3000, one_in_seven); /* deeper than the view knows */
    bandit_free(b);
}

static void everybody_is_certain(void **state)
{
    struct bandit_pick pick[8];
    struct rng rng;
    size_t found;
    struct bandit *b = make(1, 1);
    rng_init(&rng, 1, 1);
    assert_ok(bandit_draw(b, 5, 8, NOON, &rng, NULL, NULL, pick, &found, &err), &err);
    assert_int_equal(found, 5);
    for (size_t i = 0; i < found; i++)
        assert_true(pick[i].propensity == 1);
    assert_ok(bandit_draw(b, 700, 8, NOON, &rng, few, NULL, pick, &found, &err), &err);
    assert_int_equal(found, 4); /* 0, 200, 400, 600 */
    for (size_t i = 0; i < found; i++)
        assert_true(pick[i].propensity == 1 && pick[i].number % 200 == 0);
    assert_ok(bandit_draw(b, 0, 8, NOON, &rng, NULL, NULL, pick, &found, &err), &err);
    assert_int_equal(found, 0);
    bandit_free(b);
}

/* ---- asking for leave ---- */

static bool counted(void *ctx, uint32_t number)
{
    ++*(size_t *)ctx;
    return number % 2 == 0;
}

/* One question for each item that is better than the last one taken, no more. */
static void few_questions(void **state)
{
    struct bandit_pick pick[10];
    struct rng rng;
    size_t found, asked = 0;
    struct bandit *b = make(1, 9);
    scatter(b, 20000, 10, 2);
    rng_init(&rng, 3, 1);
    for (int i = 0; i < 300; i++)
        assert_ok(bandit_draw(b, 20000, 10, NOON, &rng, counted, &asked, pick, &found, &err), &err);
    assert_true(asked < 300 * 22 && asked >= 300 * 10); /* 20 each is what halves take */
    bandit_free(b);
}

/* ---- what it is for ---- */

/* 200 arms with hidden chances, three shown at a time, fixed seeds. The best three give 0.43. */
static void learns_what_works(void **state)
{
    enum { ARMS = 200, ROUNDS = 6000, SHOWN = 3 };
    double chance[ARMS], mean = 0, late = 0;
    struct rng rng;
    struct bandit *b = make(1, 9);
    rng_init(&rng, 77, 1);
    for (int i = 0; i < ARMS; i++) {
        chance[i] = 0.45 * pow(rng_real(&rng), 3);
        mean += chance[i] / ARMS;
    }
    chance[17] = chance[99] = chance[150] = 0.45;
    for (int round = 0; round < ROUNDS; round++) {
        struct bandit_pick pick[SHOWN];
        size_t found;
        int64_t now = NOON + round * 60000;
        assert_ok(bandit_draw(b, ARMS, SHOWN, now, &rng, NULL, NULL, pick, &found, &err), &err);
        assert_int_equal(found, SHOWN);
        for (size_t j = 0; j < found; j++) {
            bool liked = rng_real(&rng) < chance[pick[j].number];
            late += round >= ROUNDS / 2 && liked;
            assert_ok(bandit_count(b, pick[j].number, liked ? 1 : -1, true, now, &err), &err);
        }
        if (round % 16 == 0)
            assert_ok(bandit_refresh(b, now, &err), &err);
    }
    late /= ROUNDS / 2 * SHOWN;
    assert_true(mean < 0.14);
    if (!(late > 0.38))
        fail_msg("%.3f of what was shown was liked; chance gives %.3f, the best 0.45", late, mean);
    bandit_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_exact),
        cmocka_unit_test(fresh_ones_by_a_coin),
        cmocka_unit_test(priors_alone),
        cmocka_unit_test(catalogs_grow),
        cmocka_unit_test(refreshing_keeps_up),
        cmocka_unit_test(propensities_are_frequencies),
        cmocka_unit_test(propensities_with_exclusions),
        cmocka_unit_test(everybody_is_certain),
        cmocka_unit_test(few_questions),
        cmocka_unit_test(learns_what_works),
    };
    return cmocka_run_group_tests_name("engine/bandit_draw", tests, NULL, NULL);
}
