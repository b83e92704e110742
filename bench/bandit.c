/* What a Thompson draw costs: the best 10 among 1,000 to 1,000,000 items, of which none, one in a
 * hundred or every second one has evidence, beside drawing a variate for each item. Also what a
 * refresh costs after 100 items were counted, and the first one, which looks at everything. One
 * JSON object on stdout; a table for people on stderr. One thread, processor time.
 *
 *     bench/bandit [--quick]
 */
#include "engine/bandit.h"
#include "base/mem.h"
#include "math/beta.h"
#include "math/topk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "seconds.h"

enum { K = 10, NOON = 1000000 };

static double seconds_per_try = 0.3;

struct world {
    struct bandit *b;
    uint32_t items;
    struct rng rng;
    double *alpha, *beta; /* for drawing everything: asked for beforehand, so nothing but draws */
    float *drawn;
};

typedef int body_fn(struct world *w);

static int draw_ours(struct world *w)
{
    struct bandit_pick pick[K];
    struct pal_error err;
    size_t found;
    return bandit_draw(w->b, w->items, K, NOON, &w->rng, NULL, NULL, pick, &found, &err) ||
           found != K;
}

static int draw_all(struct world *w)
{
    struct scored best[K];
    for (uint32_t i = 0; i < w->items; i++)
        w->drawn[i] = (float)beta_logit(w->alpha[i], w->beta[i], &w->rng);
    return topk(w->drawn, w->items, K, best) != K;
}

static int count_and_refresh(struct world *w)
{
    struct pal_error err;
    for (int i = 0; i < 100; i++)
        if (bandit_count(w->b, (uint32_t)rng_below(&w->rng, w->items), -0.01f, true, NOON, &err))
            return -1;
    return bandit_refresh(w->b, NOON, &err) != PAL_OK;
}

/* Seconds a call, the best of three tries; negative = it failed. */
static double time_of(body_fn *body, struct world *w)
{
    double best = 1e9;
    for (int try = 0; try < 3; try++) {
        double start = thread_seconds(), used;
        long n = 0;
        do {
            if (body(w))
                return -1;
            n++;
            used = thread_seconds() - start;
        } while (used < seconds_per_try / 3);
        best = fmin(best, used / (double)n);
    }
    return best;
}

/* A like for one in ten that were shown, more or less; then the first refresh and draw. */
static int give_evidence(struct world *w, unsigned percent, double *first_refresh)
{
    struct pal_error err;
    for (uint32_t i = 0; i < w->items; i++) {
        if (i % 100 >= percent)
            continue;
        double shown = exp(7 * rng_real(&w->rng)), share = 0.02 + 0.2 * rng_real(&w->rng);
        if (bandit_count(w->b, i, (float)(shown * share), true, NOON, &err) ||
            bandit_count(w->b, i, (float)(-shown * (1 - share)), true, NOON, &err))
            return -1;
    }
    double start = thread_seconds();
    if (bandit_refresh(w->b, NOON, &err) != PAL_OK || draw_ours(w))
        return -1;
    *first_refresh = thread_seconds() - start;
    return 0;
}

static int measure(struct world *w, unsigned percent, bool first)
{
    struct bandit_options o;
    struct pal_error err;
    double start, ours, all, later;
    opt_defaults(&bandit_option_table, &o);
    o.prior_beta = 9;
    if (bandit_new(&o, &w->b, &err) != PAL_OK || give_evidence(w, percent, &start))
        return -1;
    for (uint32_t i = 0; i < w->items; i++)
        bandit_posterior(w->b, i, NOON, &w->alpha[i], &w->beta[i]);
    ours = time_of(draw_ours, w);
    all = time_of(draw_all, w);
    later = time_of(count_and_refresh, w);
    bandit_free(w->b);
    w->b = NULL;
    if (ours < 0 || all < 0 || later < 0)
        return -1;
    printf("%s\n  {\"items\": %u, \"with_evidence_percent\": %u, \"k\": %d, \"draw_us\": %.2f, "
           "\"draw_all_us\": %.1f, \"refresh_ms\": %.2f, \"first_refresh_ms\": %.2f}",
           first ? "" : ",", w->items, percent, K, ours * 1e6, all * 1e6, later * 1e3, start * 1e3);
    fprintf(stderr,
            "%8u items, %2u %% with evidence: %7.1f us, all %9.1f us, refresh %6.2f ms, "
            "the first %8.2f ms\n",
            w->items, percent, ours * 1e6, all * 1e6, later * 1e3, start * 1e3);
    return 0;
}

int main(int argc, char **argv)
{
    static const uint32_t items[] = {1000, 20000, 100000, 1000000};
    static const unsigned percents[] = {0, 1, 50};
    const uint32_t most = 1000000;
    struct world w = {0};
    int failed = 0;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--quick") == 0)
            seconds_per_try = 0.03;
    w.alpha = mem_alloc(most, sizeof *w.alpha);
    w.beta = mem_alloc(most, sizeof *w.beta);
    w.drawn = mem_alloc(most, sizeof *w.drawn);
    failed = !w.alpha || !w.beta || !w.drawn;
    rng_init(&w.rng, 1, 1);
    printf("{\"bench\": \"bandit\", \"threads\": 1, \"results\": [");
    for (size_t i = 0; i < sizeof items / sizeof *items && !failed; i++)
        for (size_t p = 0; p < sizeof percents / sizeof *percents && !failed; p++) {
            w.items = items[i];
            failed = measure(&w, percents[p], i + p == 0);
        }
    printf("\n]}\n");
    if (failed)
        fprintf(stderr, "bench/bandit: out of memory\n");
    mem_free(w.alpha);
    mem_free(w.beta);
    mem_free(w.drawn);
    return failed ? 1 : 0;
}
