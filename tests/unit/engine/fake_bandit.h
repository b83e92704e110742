/* A bandit whose every chance can be worked out by hand, in place of engine/bandit.h's at link
 * time: a draw takes k of the m allowed items, each set as likely as any other, so that the chance
 * of an item is k / m; posteriors and counts are what the test says. */
#ifndef FAKE_BANDIT_H
#define FAKE_BANDIT_H

#include "test.h"

#include "engine/bandit.h"

enum { FAKE_ITEMS = 4096 };

struct bandit {
    float mean[FAKE_ITEMS];     /* of the posterior */
    float count[FAKE_ITEMS];    /* popularity; 0 = never counted */
    float trending[FAKE_ITEMS]; /* likewise */
    float evidence[FAKE_ITEMS]; /* counted besides a prior of 1 */
};

enum pal_status bandit_draw(const struct bandit *b, uint32_t count, size_t k, int64_t now_ms,
                            struct rng *rng, bandit_allow_fn *allow, void *ctx,
                            struct bandit_pick *out, size_t *drawn, struct pal_error *err)
{
    static uint32_t pool[FAKE_ITEMS];
    size_t m = 0;
    assert_true(count <= FAKE_ITEMS);
    for (uint32_t i = 0; i < count; i++)
        if (!allow || allow(ctx, i))
            pool[m++] = i;
    rng_shuffle(rng, pool, m);
    *drawn = k < m ? k : m;
    for (size_t i = 0; i < *drawn; i++)
        out[i] = (struct bandit_pick){pool[i], 1.0f - (float)i / 1e4f, (float)*drawn / (float)m};
    return PAL_OK;
}

/* The k greatest of value, those that are 0 left out, equal ones by number. */
static void fake_top(const float *value, uint32_t count, size_t k, bandit_allow_fn *allow,
                     void *ctx, struct bandit_pick *out, size_t *found)
{
    *found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (value[i] <= 0 || (allow && !allow(ctx, i)))
            continue;
        size_t at = *found < k ? (*found)++ : k;
        for (; at > 0 && out[at - 1].score < value[i]; at--)
            if (at < k)
                out[at] = out[at - 1];
        if (at < k)
            out[at] = (struct bandit_pick){i, value[i], 1};
    }
}

enum pal_status bandit_popular(const struct bandit *b, uint32_t count, size_t k, int64_t now_ms,
                               bandit_allow_fn *allow, void *ctx, struct bandit_pick *out,
                               size_t *found, struct pal_error *err)
{
    fake_top(b->count, count, k, allow, ctx, out, found);
    return PAL_OK;
}

enum pal_status bandit_trending(const struct bandit *b, uint32_t count, size_t k, int64_t now_ms,
                                bandit_allow_fn *allow, void *ctx, struct bandit_pick *out,
                                size_t *found, struct pal_error *err)
{
    fake_top(b->trending, count, k, allow, ctx, out, found);
    return PAL_OK;
}

void bandit_prefetch(const struct bandit *b, uint32_t number)
{
}

void bandit_posterior(const struct bandit *b, uint32_t number, int64_t now_ms, double *alpha,
                      double *beta)
{
    assert_true(number < FAKE_ITEMS);
    *alpha = b->mean[number] * (1 + b->evidence[number]);
    *beta = (1 - b->mean[number]) * (1 + b->evidence[number]);
}

#endif
