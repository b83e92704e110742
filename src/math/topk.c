/* See topk.h. Where registers are wide, not many scores are ranked by comparing each with each; of
 * more, the largest of each of some 3 k stretches are. The k-th of these is a score that k items
 * reach, and few others do: those are ranked. Two short passes over the scores, no branch of which
 * depends on how they lie.
 *
 * Otherwise (plain C, very few or many asked for, many equal scores) one pass keeps the k best in a
 * heap whose root is the worst of them. Almost every score is below that root, so the scan looks at
 * BLOCK scores at once and asks only whether any is above: comparisons without branches, which
 * every compiler turns into vectors. For scores in random order the heap changes about k ln(n / k)
 * times. */
#include "math/topk.h"

#include "math/kernels_variants.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK = 32, LANES = 16, FEW = 160, STRETCHES = 384, RANKED_LEAST = 12 };

/* Is a a worse answer than b? */
static inline bool worse(struct scored a, struct scored b)
{
    return a.score < b.score || (a.score == b.score && a.index > b.index);
}

/* Puts x where it belongs among heap[0, n), from place i (which is free) downwards. */
static void sift_down(struct scored *heap, size_t n, size_t i, struct scored x)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && worse(heap[child + 1], heap[child]))
            child++;
        if (!worse(heap[child], x))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = x;
}

/* The first index at or after i whose score passes the floor; n if there is none. */
static size_t next_above(const float *scores, size_t n, size_t i, float floor)
{
    for (; i + BLOCK <= n; i += BLOCK) {
        int any = 0;
        for (size_t j = 0; j < BLOCK; j++)
            any |= scores[i + j] > floor;
        if (any)
            break;
    }
    while (i < n && !(scores[i] > floor))
        i++;
    return i;
}

/* A heap sorted in place, best first: the worst goes to the end, again and again. */
static void sort_heap(struct scored *heap, size_t n)
{
    while (n > 1) {
        struct scored last = heap[--n];
        heap[n] = heap[0];
        sift_down(heap, n, 0, last);
    }
}

/* A good part of not many: comparing each with each costs less than sorting where a register holds
 * many of them. */
static bool by_ranks(const float *scores, size_t n, size_t k, struct scored *out, size_t *held)
{
    uint32_t rank[FEW];
    size_t count = 0;
    if (n > FEW || k < n / 8 || kernels() == &kernels_plain)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (isnan(scores[i]))
            return false;
        count += scores[i] > -INFINITY;
    }
    kernels()->ranks(scores, n, rank);
    for (size_t i = 0; i < n; i++)
        if (rank[i] < k && rank[i] < count)
            out[rank[i]] = (struct scored){(uint32_t)i, scores[i]};
    *held = k < count ? k : count;
    return true;
}

/* The largest of some; NaN is passed over. */
static float largest(const float *x, size_t n)
{
    float lane[LANES], most = -INFINITY;
    size_t i = 0;
    for (size_t j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < n; i++)
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    for (size_t j = 0; j < LANES; j++)
        most = lane[j] > most ? lane[j] : most;
    return most;
}

/* Adds those of x (n) that are above floor, in their order; x begins at `at`. False: too many. */
static bool gather(const float *x, size_t n, size_t at, float floor, struct scored *few,
                   size_t *count)
{
    for (size_t i = next_above(x, n, 0, floor); i < n; i = next_above(x, n, i + 1, floor)) {
        if (*count == STRETCHES)
            return false;
        few[(*count)++] = (struct scored){(uint32_t)(at + i), x[i]};
    }
    return true;
}

static bool by_stretches(const float *scores, size_t n, size_t k, struct scored *out, size_t *held)
{
    float most[STRETCHES], score[STRETCHES], floor = -INFINITY;
    uint32_t rank[STRETCHES];
    struct scored few[STRETCHES];
    size_t len = n / (3 * k) < LANES ? LANES : (n / (3 * k) + LANES / 2) / LANES * LANES;
    size_t stretches = (n + len - 1) / len, count = 0;
    if (k < RANKED_LEAST || stretches > STRETCHES || k > stretches / 2 ||
        kernels() == &kernels_plain)
        return false;
    for (size_t s = 0; s < stretches; s++)
        most[s] = largest(scores + s * len, s + 1 < stretches ? len : n - s * len);
    kernels()->ranks(most, stretches, rank);
    for (size_t s = 0; s < stretches; s++)
        floor = rank[s] == k - 1 ? most[s] : floor;
    if (!(floor > -INFINITY))
        return false;
    floor = nextafterf(floor, -INFINITY); /* what is equal to it counts, too */
    for (size_t s = 0; s < stretches; s++)
        if (most[s] > floor && !gather(scores + s * len, s + 1 < stretches ? len : n - s * len,
                                       s * len, floor, few, &count))
            return false;
    for (size_t i = 0; i < count; i++)
        score[i] = few[i].score;
    kernels()->ranks(score, count, rank);
    for (size_t i = 0; i < count; i++)
        if (rank[i] < k)
            out[rank[i]] = few[i];
    *held = k;
    return true;
}

size_t topk(const float *scores, size_t n, size_t k, struct scored *out)
{
    size_t held = 0, i = 0;
    if (k == 0 || by_ranks(scores, n, k, out, &held) || by_stretches(scores, n, k, out, &held))
        return held;
    for (; held < k && (i = next_above(scores, n, i, -INFINITY)) < n; i++)
        out[held++] = (struct scored){(uint32_t)i, scores[i]};
    for (size_t parent = held / 2; parent-- > 0;)
        sift_down(out, held, parent, out[parent]);
    /* ties go to the lower index: a later score must be above the root, not equal to it */
    for (; i < n && (i = next_above(scores, n, i, out[0].score)) < n; i++)
        sift_down(out, held, 0, (struct scored){(uint32_t)i, scores[i]});
    sort_heap(out, held);
    return held;
}

/* By LANES that lie nowhere else, so that compilers make vectors of it. */
void topk_hide(const float *scores, const uint8_t *skip, size_t n, float *out)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        float lane[LANES];
        memcpy(lane, scores + i, sizeof lane);
        for (size_t j = 0; j < LANES; j++)
            lane[j] = skip[i + j] ? -INFINITY : lane[j];
        memcpy(out + i, lane, sizeof lane);
    }
    for (; i < n; i++)
        out[i] = skip[i] ? -INFINITY : scores[i];
}
