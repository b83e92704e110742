/* See quantized.h. A row y is kept as y' = s v: s a float, v whole numbers from -127 to 127. So is
 * the vector asked for: x is about x' = t p. What the products of whole numbers give, y'·x', is off
 * by
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
 * Rounding to floats on the way, on either side, is a part of SLACK of the product of the lengths
 * and is added to the bound. Rows that are no better than others by much more than a bound make
 * many candidates; that costs time (in the end as much as all exact products), not exactness. */
#include "math/quantized.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { ROWS = 16, LIMIT = 127, MOST_COLS = 1024, SORTED = 400 };

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
    return bytes + (blocks * 3 * ROWS + padded(blocks) * 2) * sizeof(float);
}

static enum pal_status make_room(struct quantized *q, struct pal_error *err)
{
    q->scale = mem_aligned(q->blocks * ROWS, sizeof *q->scale);
    q->norm = mem_aligned(q->blocks * ROWS, sizeof *q->norm);
    q->error = mem_aligned(q->blocks * ROWS, sizeof *q->error);
    q->most = mem_aligned(padded(q->blocks) * 2, sizeof *q->most);
    return q->scale && q->norm && q->error && q->most ? PAL_OK : pal_no_memory(err);
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

static void pack_row(struct quantized *q, uint32_t row, const float *A)
{
    int8_t value[MOST_COLS];
    double norm, error;
    uint8_t *block = q->own + row / ROWS * q->groups * 64;
    q->scale[row] = round_row(A + (size_t)row * q->cols, q->cols, value, &norm, &error);
    q->norm[row] = (float)norm * UPWARDS;
    q->error[row] = (float)error * UPWARDS;
    for (size_t c = 0; c < q->cols; c++)
        block[(c / 4 * ROWS + row % ROWS) * 4 + c % 4] = (uint8_t)(value[c] + 128);
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
    enum pal_status st = make_room(q, err);
    if (st != PAL_OK || !q->own) {
        quantized_done(q);
        return pal_no_memory(err);
    }
    memset(q->own, 128, bytes);
    for (uint32_t row = 0; row < rows; row++)
        pack_row(q, row, A);
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
        float by = divisor[i] > 0 ? 1 / divisor[i] : 0;
        by = isfinite(by) ? by : 0;
        out->scale[i] = q->scale[i] * by;
        out->norm[i] = q->norm[i] * by * UPWARDS;
        out->error[i] = q->error[i] * by * UPWARDS;
        if (divisor[i] > 0 && by == 0) /* a length next to nothing: nothing is known */
            out->error[i] = INFINITY;
    }
    find_most(out);
    return PAL_OK;
}

void quantized_done(struct quantized *q)
{
    mem_free(q->own);
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
    float *about;   /* (16 blocks) approximate products; -INFINITY for rows that don't count */
    float *best;    /* (blocks) the best of each sixteen */
    float by_norm;  /* a row's bound is norm * by_norm… */
    float by_error; /* …+ error * by_error */
    uint32_t *row;  /* (room for all rows) those looked at */
    float *exact;   /* (the same) their products */
};

static void drop_from_block(struct asking *a, size_t b)
{
    a->best[b] = -INFINITY;
    for (size_t i = b * ROWS; i < (b + 1) * ROWS; i++) {
        if (i >= a->q->rows || (a->skip && a->skip[i]))
            a->about[i] = -INFINITY;
        a->best[b] = a->about[i] > a->best[b] ? a->about[i] : a->best[b];
    }
}

/* Rows to be skipped, and what fills the last block, drop out. */
static void drop_rows(struct asking *a)
{
    size_t whole = a->q->rows / ROWS, together = 4, b = 0;
    for (; a->skip && b < whole; b += together) {
        uint64_t word[8];
        together = b + 4 <= whole ? 4 : 1;
        memcpy(word, a->skip + b * ROWS, together * ROWS);
        uint64_t any = word[0] | word[1];
        if (together == 4)
            any |= word[2] | word[3] | word[4] | word[5] | word[6] | word[7];
        for (size_t i = 0; any && i < together; i++)
            if (word[2 * i] | word[2 * i + 1])
                drop_from_block(a, b + i);
    }
    if (whole < a->q->blocks)
        drop_from_block(a, whole);
    for (b = a->q->blocks; b < padded(a->q->blocks); b++)
        a->best[b] = -INFINITY;
}

static size_t count_from(const float *x, size_t n, float floor)
{
    size_t count = 0, i = 0;
    for (; i + 32 <= n; i += 32) {
        int some = 0;
        for (size_t j = 0; j < 32; j++)
            some += x[i + j] >= floor;
        count += (size_t)some;
    }
    for (; i < n; i++)
        count += x[i] >= floor;
    return count;
}

/* A threshold that at least k of the bests reach, and not many more; -INFINITY if fewer are
 * finite. */
static float find_threshold(const float *best, size_t n, size_t k)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        low = best[i] > -INFINITY && best[i] < low ? best[i] : low;
        high = best[i] > high ? best[i] : high;
    }
    if (!(low <= high) || count_from(best, n, low) < k)
        return -INFINITY;
    for (int step = 0; step < 24; step++) { /* low keeps at least k */
        float middle = low + (high - low) / 2;
        size_t count = count_from(best, n, middle);
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

/* Writes the rows whose approximation plus norm * by_norm + error * by_error reaches the floor,
 * ascending, to a->row; returns how many. Sixteen blocks at a time, by their best row and largest
 * bound, then sixteen rows. */
static size_t list_reaching(struct asking *a, float by_norm, float by_error, float floor)
{
    const struct quantized *q = a->q;
    unsigned (*reaching)(const float *, const float *, const float *, float, float, float) =
        kernels()->reaching;
    size_t n = 0, wide = padded(q->blocks);
    for (size_t b = 0; b < q->blocks; b += ROWS) {
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

/* The lowest that any of the rows that reach the threshold as approximated can be. */
static float find_least(struct asking *a, float threshold)
{
    const struct quantized *q = a->q;
    float least = INFINITY;
    size_t n = list_reaching(a, 0, 0, threshold);
    for (size_t j = 0; j < n; j++) {
        size_t i = a->row[j];
        float low = a->about[i] - (q->norm[i] * a->by_norm + q->error[i] * a->by_error);
        least = low < least ? low : least;
    }
    return least - 2 * TINY;
}

/* The k best of the n exact products, in order. */
static size_t sort_exact(struct asking *a, size_t n, struct arena *tmp, struct scored *out)
{
    uint32_t *rank = n <= SORTED ? arena_alloc(tmp, n, sizeof *rank) : NULL;
    if (!rank) {
        size_t count = topk(a->exact, n, a->k, out);
        for (size_t i = 0; i < count; i++)
            out[i].index = a->row[out[i].index];
        return count;
    }
    kernels()->ranks(a->exact, n, rank);
    for (size_t i = 0; i < n; i++)
        if (rank[i] < a->k)
            out[rank[i]] = (struct scored){a->row[i], a->exact[i]};
    return n < a->k ? n : a->k;
}

/* x in bytes, padded to whole groups; the factors of the bounds. false = out of range. */
static bool round_x(struct asking *a, int8_t *p, float *t)
{
    const struct quantized *q = a->q;
    double norm, error, length = 0;
    for (size_t i = 0; i < q->cols; i++)
        length += (double)a->x[i] * a->x[i];
    length = sqrt(length);
    if (!(length < (double)LARGEST) || !(length * q->longest < (double)LARGEST))
        return false;
    memset(p, 0, 4 * q->groups);
    *t = round_row(a->x, q->cols, p, &norm, &error);
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

enum pal_status quantized_top(const struct quantized *q, const float *A, const float *x,
                              const uint8_t *skip, size_t k, struct arena *tmp, struct scored *out,
                              size_t *count, bool *done, struct pal_error *err)
{
    struct asking a = {.q = q, .A = A, .x = x, .skip = skip, .k = k};
    int8_t p[MOST_COLS];
    float t;
    *done = false;
    if (k == 0 || k > q->blocks / 2 || !round_x(&a, p, &t))
        return PAL_OK;
    if (!make_scratch(&a, tmp))
        return pal_no_memory(err);
    kernels()->packed_scores(q->packed, q->blocks, q->groups, p, q->scale, t, a.about, a.best);
    drop_rows(&a);
    float threshold = find_threshold(a.best, q->blocks, k);
    if (threshold == -INFINITY)
        return PAL_OK;
    float least = find_least(&a, threshold);
    if (!isfinite(least))
        return PAL_OK;
    size_t n = list_reaching(&a, a.by_norm, a.by_error, least);
    find_exact(&a, n);
    *count = sort_exact(&a, n, tmp, out);
    *done = true;
    return PAL_OK;
}
