/* See quantized.h. Rows are kept by length, the long ones first. A row y is kept as y' = s v: s a
 * float, v whole numbers from -127 to 127. So is the vector asked for: x is about x' = t p. What
 * the products of whole numbers give, y'·x', is off by
 *
 *     y·x − y'·x' = y'·(x − x') + (y − y')·x,    at most |y'| |x − x'| + |y − y'| |x|,
 *
 * (Cauchy, Schwarz), where all four lengths are known: two for each row, two for x. Then
 *
 *   1. all approximate products, sixteen rows at a time (kernels.h), and the best of each sixteen;
 *   2. a threshold that at least k of these bests pass: so k rows pass it. The lowest that any of
 *      them can be, approximation minus bound, is a limit L that the k-th best of all can't be
 *      below;
 *   3. every row whose approximation plus its bound reaches L: only these can be among the best.
 *      Their exact products decide, in the arithmetic of gemv, to the bit.
 *
 * Rows to be skipped are few as a rule (what one user has seen), but those with the best products:
 * so first a threshold is tried that SKIPPED more than k rows pass, and only those that pass are
 * looked up. If too many of them are to be skipped, all are taken out before the threshold.
 *
 * First that is tried with the longest rows alone, with a threshold that k rows pass: when no other
 * row is long enough to reach L, whatever its direction, the others are not looked at (Teflioudi,
 * Gemulla and Mykytiuk, SIGMOD 2015). Else with twice as many, and so on; past half of all, with
 * all. Items' vectors are the shorter the less popular they are: of 100,000 one in a hundred is
 * looked at.
 *
 * Rounding to floats on the way, on either side, is a part of SLACK of the product of the lengths
 * and is added to the bound. Rows that are no better than others by much more than a bound make
 * many candidates; that costs time (in the end as much as all exact products), not exactness. */
#include "math/quantized.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 16,
    LIMIT = 127,
    MOST_COLS = 1024,
    SORTED = 400,
    FIRST_BLOCKS = 64,
    SKIPPED = 64,
};

/* For sums of up to 1024 floats, each rounded to 24 bits, and a few roundings more. */
#define SLACK   (2 * (MOST_COLS + 16) * 0x1p-24)
#define LARGEST 1e36f  /* products of lengths up to this are handled */
#define TINY    1e-38f /* for sums that lose bits near zero */
#define UPWARDS 1.000001f

/* ---- making the copy ---- */

static size_t padded(size_t blocks)
{
    return (blocks + ROWS - 1) / ROWS * ROWS;
}

uint64_t quantized_bytes(uint64_t rows, uint64_t cols, bool divided)
{
    uint64_t blocks = (rows + ROWS - 1) / ROWS, groups = (cols + 3) / 4;
    uint64_t bytes = divided ? 0 : blocks * groups * 64;
    uint64_t order = divided ? 0 : blocks * ROWS * 2 * sizeof(uint32_t); /* sorted beside itself */
    return bytes + order + (blocks * (3 * ROWS + 1) + padded(blocks) * 2) * sizeof(float);
}

static enum pal_status make_room(struct quantized *q, struct pal_error *err)
{
    q->scale = mem_aligned(q->blocks * ROWS, sizeof *q->scale);
    q->norm = mem_aligned(q->blocks * ROWS, sizeof *q->norm);
    q->error = mem_aligned(q->blocks * ROWS, sizeof *q->error);
    q->most = mem_aligned(padded(q->blocks) * 2, sizeof *q->most);
    q->beyond = mem_alloc(q->blocks, sizeof *q->beyond);
    return q->scale && q->norm && q->error && q->most && q->beyond ? PAL_OK : pal_no_memory(err);
}

/* value (n) with scale * value near x; returns the scale, 0 for a row (nearly) of zeros. */
static float round_row(const float *x, size_t n, int8_t *value, double *norm, double *error)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    float scale = most / LIMIT;
    if (!(scale > 1e-30f))
        scale = 0;
    double whole = 0, rest = 0;
    for (size_t i = 0; i < n; i++) {
        float v = scale > 0 ? rintf(x[i] / scale) : 0;
        v = v > LIMIT ? LIMIT : v < -LIMIT ? -LIMIT : v;
        value[i] = (int8_t)v;
        double left = (double)x[i] - (double)scale * v;
        whole += (double)v * v;
        rest += left * left;
    }
    *norm = scale * sqrt(whole);
    *error = sqrt(rest);
    return scale;
}

static int longer_first(const void *a, const void *b, void *length)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const float *of = length;
    if (of[x] != of[y])
        return of[x] > of[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* q->norm serves as room for the lengths. */
static void find_order(struct quantized *q, const float *A)
{
    memset(q->order, 0, q->blocks * ROWS * sizeof *q->order);
    for (uint32_t row = 0; row < q->rows; row++) {
        const float *y = A + (size_t)row * q->cols;
        q->norm[row] = kernels()->dot(y, y, q->cols);
        q->order[row] = row;
    }
    qsort_r(q->order, q->rows, sizeof *q->order, longer_first, q->norm);
}

static void pack_row(struct quantized *q, uint32_t place, const float *A)
{
    int8_t value[MOST_COLS];
    double norm, error;
    uint8_t *block = q->own + place / ROWS * q->groups * 64;
    const float *y = A + (size_t)q->order[place] * q->cols;
    q->scale[place] = round_row(y, q->cols, value, &norm, &error);
    q->norm[place] = (float)norm * UPWARDS;
    q->error[place] = (float)error * UPWARDS;
    for (size_t c = 0; c < q->cols; c++)
        block[(c / 4 * ROWS + place % ROWS) * 4 + c % 4] = (uint8_t)(value[c] + 128);
}

static void find_most(struct quantized *q)
{
    q->longest = 0;
    memset(q->most, 0, padded(q->blocks) * 2 * sizeof *q->most);
    for (size_t i = 0; i < q->blocks * ROWS; i++) {
        float *norm = q->most + i / ROWS, *error = norm + padded(q->blocks);
        if (i >= q->rows)
            q->scale[i] = q->norm[i] = q->error[i] = 0;
        *norm = i % ROWS == 0 ? q->norm[i] : fmaxf(*norm, q->norm[i]);
        *error = i % ROWS == 0 ? q->error[i] : fmaxf(*error, q->error[i]);
        q->longest = fmaxf(q->longest, fmaxf(q->norm[i], q->error[i]));
    }
    float beyond = 0;
    for (size_t b = q->blocks; b-- > 0; q->beyond[b] = beyond)
        for (size_t i = b * ROWS; i < (b + 1) * ROWS; i++)
            beyond = fmaxf(beyond, (q->norm[i] + q->error[i]) * UPWARDS);
}

enum pal_status quantized_init(struct quantized *q, const float *A, uint32_t rows, size_t cols,
                               struct pal_error *err)
{
    assert(cols <= MOST_COLS);
    *q = (struct quantized){.rows = rows,
                            .cols = cols,
                            .blocks = ((size_t)rows + ROWS - 1) / ROWS,
                            .groups = (cols + 3) / 4};
    size_t bytes = q->blocks * q->groups * 64;
    q->packed = q->own = mem_aligned(bytes, 1);
    q->order = mem_alloc(q->blocks * ROWS, sizeof *q->order);
    enum pal_status st = make_room(q, err);
    if (st != PAL_OK || !q->own || !q->order) {
        if (!q->own)
            mem_free(q->order); /* which done leaves to the owner of the bytes */
        quantized_done(q);
        return pal_no_memory(err);
    }
    memset(q->own, 128, bytes);
    find_order(q, A);
    for (uint32_t place = 0; place < rows; place++)
        pack_row(q, place, A);
    find_most(q);
    return PAL_OK;
}

enum pal_status quantized_divided(struct quantized *out, const struct quantized *q,
                                  const float *divisor, struct pal_error *err)
{
    *out = *q;
    out->own = NULL;
    out->divisor = divisor;
    enum pal_status st = make_room(out, err);
    if (st != PAL_OK) {
        quantized_done(out);
        return st;
    }
    for (uint32_t i = 0; i < q->rows; i++) {
        float length = divisor[q->order[i]], by = length > 0 ? 1 / length : 0;
        by = isfinite(by) ? by : 0;
        out->scale[i] = q->scale[i] * by;
        out->norm[i] = q->norm[i] * by * UPWARDS;
        out->error[i] = q->error[i] * by * UPWARDS;
        if (length > 0 && by == 0) /* a length next to nothing: nothing is known */
            out->error[i] = INFINITY;
    }
    find_most(out);
    return PAL_OK;
}

void quantized_done(struct quantized *q)
{
    if (q->own)
        mem_free(q->order);
    mem_free(q->own);
    mem_free(q->beyond);
    mem_free(q->scale);
    mem_free(q->norm);
    mem_free(q->error);
    mem_free(q->most);
    memset(q, 0, sizeof *q);
}

/* ---- asking ---- */

struct asking {
    const struct quantized *q;
    const float *A, *x;
    const uint8_t *skip;
    size_t k;
    int8_t p[MOST_COLS]; /* x in bytes, padded to whole groups, */
    float t;             /* times this */
    size_t blocks;       /* looked at so far */
    bool dropped;        /* rows to be skipped are out of these: */
    float *about;        /* (16 blocks) approximate products; -INFINITY for rows that don't count */
    float *best;         /* (blocks) the best of each sixteen */
    float by_norm;       /* a row's bound is norm * by_norm… */
    float by_error;      /* …+ error * by_error */
    uint32_t *row; /* (room for all rows) those that may be among the best: places, then rows */
    float *exact;  /* (the same) their products */
};

static void drop_from_block(struct asking *a, size_t b, const uint8_t *skip)
{
    a->best[b] = -INFINITY;
    for (size_t i = b * ROWS; i < (b + 1) * ROWS; i++) {
        if (i >= a->q->rows || (skip && skip[a->q->order[i]]))
            a->about[i] = -INFINITY;
        a->best[b] = a->about[i] > a->best[b] ? a->about[i] : a->best[b];
    }
}

/* Rows to be skipped drop out of the blocks from..to. */
static void drop_skipped(struct asking *a, size_t from, size_t to)
{
    for (size_t b = from; b < to; b++) {
        unsigned any = 0;
        for (size_t i = 0; i < ROWS; i++)
            any |= a->skip[a->q->order[b * ROWS + i]];
        if (any)
            drop_from_block(a, b, a->skip);
    }
}

/* Looks at the blocks up to `to`, a multiple of ROWS or the end; what fills the last block drops
 * out, and rows to be skipped if they do already. */
static void look_at(struct asking *a, size_t to)
{
    const struct quantized *q = a->q;
    size_t from = a->blocks;
    kernels()->packed_scores(q->packed + from * q->groups * 64, to - from, q->groups, a->p,
                             q->scale + from * ROWS, a->t, a->about + from * ROWS, a->best + from);
    if (to == q->blocks && q->rows % ROWS)
        drop_from_block(a, to - 1, NULL);
    if (a->dropped)
        drop_skipped(a, from, to);
    for (size_t b = q->blocks; to == q->blocks && b < padded(to); b++)
        a->best[b] = -INFINITY;
    a->blocks = to;
}

/* A threshold that at least k of the bests reach, and not many more; -INFINITY if fewer are
 * finite. */
static float find_threshold(const float *best, size_t n, size_t k)
{
    float low, high;
    kernels()->range(best, n, &low, &high);
    if (!(low <= high) || kernels()->count_from(best, n, low) < k)
        return -INFINITY;
    for (int step = 0; step < 24; step++) { /* low keeps at least k */
        float middle = low + (high - low) / 2;
        size_t count = kernels()->count_from(best, n, middle);
        if (count >= k)
            low = middle;
        else
            high = middle;
        if (count >= k && count <= k + k / 16)
            break;
    }
    return low;
}

static void find_exact(struct asking *a, size_t n)
{
    kernels()->gather_dot(a->A, a->q->cols, a->q->cols, a->row, n, 0, a->x, a->exact);
    const float *divisor = a->q->divisor;
    for (size_t i = 0; divisor && i < n; i++)
        a->exact[i] = divisor[a->row[i]] > 0 ? a->exact[i] / divisor[a->row[i]] : 0;
}

/* Writes the places of rows whose approximation plus norm * by_norm + error * by_error reaches the
 * floor, ascending, to a->row; returns how many. Sixteen blocks at a time, by their best row and
 * largest bound, then sixteen rows. */
static size_t list_reaching(struct asking *a, float by_norm, float by_error, float floor)
{
    const struct quantized *q = a->q;
    unsigned (*reaching)(const float *, const float *, const float *, float, float, float) =
        kernels()->reaching;
    size_t n = 0, wide = padded(q->blocks);
    for (size_t b = 0; b < a->blocks; b += ROWS) {
        unsigned blocks =
            reaching(a->best + b, q->most + b, q->most + wide + b, by_norm, by_error, floor);
        for (; blocks; blocks &= blocks - 1) {
            size_t i = (b + (size_t)__builtin_ctz(blocks)) * ROWS;
            unsigned rows =
                reaching(a->about + i, q->norm + i, q->error + i, by_norm, by_error, floor);
            for (; rows; rows &= rows - 1)
                a->row[n++] = (uint32_t)(i + (size_t)__builtin_ctz(rows));
        }
    }
    return n;
}

/* The lowest that any of the rows that reach the threshold as approximated, and are not to be
 * skipped, can be; -INFINITY if these are fewer than k. */
static float find_least(struct asking *a, float threshold)
{
    const struct quantized *q = a->q;
    float least = INFINITY;
    size_t n = threshold > -INFINITY ? list_reaching(a, 0, 0, threshold) : 0, kept = 0;
    for (size_t j = 0; j < n; j++) {
        size_t i = a->row[j];
        if (a->skip && a->skip[q->order[i]])
            continue;
        kept++;
        float low = a->about[i] - (q->norm[i] * a->by_norm + q->error[i] * a->by_error);
        least = low < least ? low : least;
    }
    return kept >= a->k ? least - 2 * TINY : -INFINITY;
}

/* The same for a threshold that enough of the values (n) reach: the products or the bests of what
 * was looked at. */
static float find_limit(struct asking *a, const float *values, size_t n)
{
    if (a->skip && !a->dropped) {
        float least = find_least(a, find_threshold(values, n, a->k + SKIPPED));
        if (least > -INFINITY)
            return least;
        a->dropped = true;
        drop_skipped(a, 0, a->blocks);
    }
    return find_least(a, find_threshold(values, n, a->k));
}

/* The k best of the n exact products, in order: those that reach a threshold which few more than k
 * do are compared each with each. */
static size_t sort_exact(struct asking *a, size_t n, size_t k, struct arena *tmp,
                         struct scored *out)
{
    float least = n > k ? find_threshold(a->exact, n, k) : -INFINITY;
    struct scored *some = arena_alloc(tmp, n, sizeof *some);
    float *score = arena_alloc(tmp, n, sizeof *score);
    uint32_t *rank = arena_alloc(tmp, n, sizeof *rank);
    size_t kept = 0;
    for (size_t i = 0; some && score && rank && i < n; i++)
        if (a->exact[i] >= least) {
            some[kept] = (struct scored){a->row[i], a->exact[i]};
            score[kept++] = a->exact[i];
        }
    if (kept == 0 || kept > SORTED) {
        size_t count = topk(a->exact, n, k, out);
        for (size_t i = 0; i < count; i++)
            out[i].index = a->row[out[i].index];
        return count;
    }
    kernels()->ranks(score, kept, rank);
    for (size_t i = 0; i < kept; i++)
        if (rank[i] < k)
            out[rank[i]] = some[i];
    return kept < k ? kept : k;
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Of the rows at n places. Equal products go by row, so that where there are any the rows must
 * first be in order; best: room for k + 1, the one behind the last may be its equal. */
static size_t find_best(struct asking *a, size_t n, struct arena *tmp, struct scored *best)
{
    bool equal = false;
    size_t listed = n;
    n = 0;
    for (size_t i = 0; i < listed; i++) {
        uint32_t row = a->q->order[a->row[i]];
        a->row[n] = row;
        n += !a->skip || !a->skip[row];
    }
    find_exact(a, n);
    size_t count = sort_exact(a, n, a->k + 1, tmp, best);
    for (size_t i = 1; i < count; i++)
        equal |= best[i].score == best[i - 1].score;
    if (equal) {
        qsort(a->row, n, sizeof *a->row, by_row);
        find_exact(a, n);
        count = sort_exact(a, n, a->k + 1, tmp, best);
    }
    return count < a->k ? count : a->k;
}

/* x in bytes; the factors of the bounds. false = out of range. */
static bool round_x(struct asking *a)
{
    const struct quantized *q = a->q;
    double norm, error, length = 0;
    for (size_t i = 0; i < q->cols; i++)
        length += (double)a->x[i] * a->x[i];
    length = sqrt(length);
    if (!(length < (double)LARGEST) || !(length * q->longest < (double)LARGEST))
        return false;
    memset(a->p, 0, 4 * q->groups);
    a->t = round_row(a->x, q->cols, a->p, &norm, &error);
    a->by_norm = (float)(error + SLACK * (length + norm)) * UPWARDS;
    a->by_error = (float)(length + SLACK * length) * UPWARDS;
    return true;
}

static bool make_scratch(struct asking *a, struct arena *tmp)
{
    size_t rows = a->q->blocks * ROWS;
    a->about = arena_alloc(tmp, rows, sizeof *a->about);
    a->best = arena_alloc(tmp, padded(a->q->blocks), sizeof *a->best);
    a->row = arena_alloc(tmp, rows, sizeof *a->row);
    a->exact = arena_alloc(tmp, rows, sizeof *a->exact);
    return a->about && a->best && a->row && a->exact;
}

/* A limit below which the k-th best is not, and which no row reaches that was not looked at, from
 * the longest rows; -INFINITY if too many would be needed. */
static float limit_of_longest(struct asking *a)
{
    const struct quantized *q = a->q;
    size_t first = a->k / ROWS * 4 > FIRST_BLOCKS ? padded(a->k / ROWS * 4) : FIRST_BLOCKS;
    if (2 * first > q->blocks || !(q->beyond[first] < q->beyond[0] / 2))
        return -INFINITY;
    for (size_t to = first; 2 * to <= q->blocks; to *= 2) {
        look_at(a, to);
        float least = find_limit(a, a->about, to * ROWS);
        if (q->beyond[to] * a->by_error * UPWARDS + 2 * TINY < least)
            return least;
    }
    return -INFINITY;
}

/* The same with all rows. */
static float limit_of_all(struct asking *a)
{
    look_at(a, a->q->blocks);
    return find_limit(a, a->best, a->q->blocks);
}

enum pal_status quantized_top(const struct quantized *q, const float *A, const float *x,
                              const uint8_t *skip, size_t k, struct arena *tmp, struct scored *out,
                              size_t *count, bool *done, struct pal_error *err)
{
    struct asking a = {.q = q, .A = A, .x = x, .skip = skip, .k = k};
    *done = false;
    if (k == 0 || k > q->blocks / 2 || !round_x(&a))
        return PAL_OK;
    struct scored *best = arena_alloc(tmp, k + 1, sizeof *best);
    if (!best || !make_scratch(&a, tmp))
        return pal_no_memory(err);
    float least = limit_of_longest(&a);
    if (!isfinite(least))
        least = limit_of_all(&a);
    if (!isfinite(least))
        return PAL_OK;
    *count = find_best(&a, list_reaching(&a, a.by_norm, a.by_error, least), tmp, best);
    memcpy(out, best, *count * sizeof *out);
    *done = true;
    return PAL_OK;
}
