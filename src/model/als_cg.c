/* A few steps of preconditioned conjugate gradients for all rows of one side; see als_solve.h for
 * the system, als_side_turn for the basis in which α0 YᵀY is diagonal.
 *
 * In that basis a row's matrix is D + Σ a_i y_i y_iᵀ with D = α0 YᵀY + λI diagonal, so a product
 * with it costs one pass over the row's observed vectors and next to nothing else: the pass
 * computes (y_i·p) and adds a_i (y_i·p) y_i while y_i is near. D is the preconditioner, too; what
 * it leaves over is an identity plus one rank for each observation. Two steps so bring a lower loss
 * than three without it, three about that of the exact solver (bench/train).
 *
 * What is left to wait for is memory, and rows are solved together so that they wait less. A lot of
 * narrow rows is small enough for all its vectors to stay in the second-level cache from one pass
 * to the next: the first fetches them from memory, the others find them there. Wide rows, such as
 * items that a good part of all users have seen, don't fit by themselves, but they have most of
 * their vectors in common: many of them go in step, and each pass takes one range of Y after the
 * other and from each row of the lot the observations in that range. A range is fetched once
 * for all of them.
 *
 * A row's result depends on its own observations and the borders of the ranges alone, so lots may
 * be cut anywhere and handed to any thread. */
#include "model/als_rows.h"

#include "base/mem.h"
#include "math/kernels.h"
#include "math/solve.h"

#include <string.h>

enum {
    GRAIN = 64,                /* narrow rows handed to a thread at a time */
    NARROW_BYTES = 256 * 1024, /* of observed vectors in a lot of narrow rows */
    RANGE_BYTES = 384 * 1024,  /* of Y that wide rows go over together */
    WIDE_BYTES = 1536 * 1024,  /* of observed vectors that make a row wide, if it has… */
    WIDE_IN_RANGE = 8,         /* …so many of them in each range, on average */
    LOT_FLOATS = 64 * 1024,    /* of each kind of vector in a lot of wide rows: 256 KiB */
    LOT_ROWS = 1024,           /* rows in a lot, at most */
    LOTS_EACH = 3,             /* lots of wide rows for each thread, if they are many enough */
};

struct cg_job {
    const struct als_side *s;
    const struct csr *R;
    float *X;
    const struct run *run;
    size_t range;   /* rows of Y in a range */
    uint64_t wide;  /* observations from which a row is wide */
    size_t most;    /* observations in a lot of wide rows, unless it is one row */
    size_t narrow;  /* the same for narrow ones */
    uint32_t *rows; /* the wide ones */
    size_t *lot;    /* (lots + 1) where each lot begins in rows */
    size_t lots;
    size_t room, lot_rows; /* observations and rows that scratch has room for */
    size_t scratch_floats; /* per worker */
    float *scratch;        /* (workers, scratch_floats) */
};

struct lot {
    const struct cg_job *job;
    size_t range; /* job->range, or all of Y */
    size_t count, entries;
    size_t row[LOT_ROWS];
    uint64_t at[LOT_ROWS]; /* how far a pass has come in each */
    float rz[LOT_ROWS];
    float *r, *p, *q, *D, *w; /* (lot_rows, d); w = D⁻¹ */
    float *a, *b;             /* (entries) coefficients, row after row */
};

/* ---- one lot ---- */

/* Observations of row i of the lot that a pass does at once. */
struct stretch {
    size_t i;
    const uint32_t *index;
    size_t n, after; /* how many, and how many more of the lot come next in index */
    size_t e;        /* number of the first in the lot */
};

typedef void visit_fn(struct lot *l, const struct stretch *t);

/* All observations of all rows, range by range of Y. */
static void pass(struct lot *l, visit_fn *visit)
{
    const struct csr *R = l->job->R;
    int all = l->range >= R->cols;
    for (size_t i = 0; i < l->count; i++)
        l->at[i] = R->start[l->row[i]];
    for (size_t to = l->range; to - l->range < R->cols; to += l->range)
        for (size_t i = 0, e = 0; i < l->count; i++) {
            uint64_t start = R->start[l->row[i]], end = R->start[l->row[i] + 1];
            uint64_t from = l->at[i], at = to < R->cols ? from : end;
            while (at < end && R->col[at] < to)
                at++;
            struct stretch t = {i, R->col + from, at - from, all ? csr_entries(R) - at : 0,
                                e + (from - start)};
            if (t.n > 0)
                visit(l, &t);
            l->at[i] = at;
            e += end - start;
        }
}

static void apply_with(struct lot *l, const struct stretch *t, const float *b)
{
    const struct als_side *s = l->job->s;
    size_t d = s->set.factors;
    kernels()->gather_apply(s->Y, d, d, t->index, t->n, t->after, l->a + t->e, l->p + t->i * d, b,
                            l->q + t->i * d);
}

static void apply_first(struct lot *l, const struct stretch *t)
{
    apply_with(l, t, l->b + t->e);
}

static void apply(struct lot *l, const struct stretch *t)
{
    apply_with(l, t, NULL);
}

/* b has done its work in the first pass: its place takes y_i·p. */
static void project(struct lot *l, const struct stretch *t)
{
    const struct als_side *s = l->job->s;
    size_t d = s->set.factors;
    kernels()->gather_dot(s->Y, d, d, t->index, t->n, t->after, l->p + t->i * d, l->b + t->e);
}

/* Coefficients, D, X as the first p, and q = D p. D stays above what single precision can tell from
 * nothing beside the largest eigenvalue. */
static void begin(struct lot *l)
{
    const struct als_side *s = l->job->s;
    const struct csr *R = l->job->R;
    size_t d = s->set.factors, e = 0;
    for (size_t i = 0; i < l->count; i++) {
        uint64_t start = R->start[l->row[i]];
        size_t n = R->start[l->row[i] + 1] - start;
        float lambda = als_lambda(&s->set, n, s->rows), least = 1e-7f * s->diagonal[d - 1] + 1e-30f;
        als_weigh(&s->set, R->val + start, n, l->a + e, l->b + e);
        for (size_t j = e; j < e + n; j++)
            l->b[j] = -l->b[j];
        const float *x = l->job->X + l->row[i] * d;
        float *p = l->p + i * d, *q = l->q + i * d, *D = l->D + i * d, *w = l->w + i * d;
        for (size_t k = 0; k < d; k++) {
            float sum = s->diagonal[k] + lambda;
            D[k] = sum > least ? sum : least;
            w[k] = 1 / D[k];
            p[k] = x[k];
            q[k] = D[k] * x[k];
        }
        e += n;
    }
}

/* The last step wants no new direction, so of A p only the curvature along p, which takes half of
 * the work: pᵀA p = pᵀD p + Σ a_i (y_i·p)². Moves each row to its minimum along p. */
static void last_step(struct lot *l)
{
    const struct csr *R = l->job->R;
    size_t d = l->job->s->set.factors, e = 0;
    pass(l, project);
    for (size_t i = 0; i < l->count; i++) {
        const float *p = l->p + i * d, *along = l->b;
        float curvature = kernels()->dot(p, l->q + i * d, d);
        for (size_t end = e + R->start[l->row[i] + 1] - R->start[l->row[i]]; e < end; e++)
            curvature += l->a[e] * along[e] * along[e];
        cg_last_step(d, l->rz[i], curvature, l->job->X + l->row[i] * d, p);
    }
}

static void solve_lot(struct lot *l)
{
    size_t d = l->job->s->set.factors;
    begin(l);
    pass(l, apply_first);
    for (size_t i = 0; i < l->count; i++)
        l->rz[i] = cg_begin(d, l->r + i * d, l->p + i * d, l->q + i * d, l->w + i * d);
    for (unsigned step = 1; step < l->job->s->set.cg_steps; step++) {
        pass(l, apply);
        for (size_t i = 0; i < l->count; i++)
            l->rz[i] = cg_step(d, l->rz[i], l->job->X + l->row[i] * d, l->r + i * d, l->p + i * d,
                               l->q + i * d, l->D + i * d, l->w + i * d);
    }
    last_step(l);
    l->count = l->entries = 0;
}

static void lot_init(struct lot *l, const struct cg_job *job, size_t range, unsigned worker)
{
    size_t vectors = job->lot_rows * job->s->set.factors;
    l->job = job;
    l->range = range;
    l->count = l->entries = 0;
    l->r = job->scratch + worker * job->scratch_floats;
    l->p = l->r + vectors;
    l->q = l->p + vectors;
    l->D = l->q + vectors;
    l->w = l->D + vectors;
    l->a = l->w + vectors;
    l->b = l->a + job->room;
}

static uint64_t length_of(const struct csr *R, size_t row)
{
    return R->start[row + 1] - R->start[row];
}

/* Puts a row into the lot, which is solved before if it has no room left. */
static void add_row(struct lot *l, size_t row, size_t most)
{
    size_t n = length_of(l->job->R, row);
    if (l->count > 0 && (l->count == l->job->lot_rows || l->entries + n > most))
        solve_lot(l);
    l->row[l->count++] = row;
    l->entries += n;
}

/* ---- all of them ---- */

static void narrow_rows(struct cg_job *job, size_t begin_row, size_t end_row, struct lot *l)
{
    size_t d = job->s->set.factors;
    for (size_t row = begin_row; row < end_row; row++) {
        uint64_t n = length_of(job->R, row);
        if (n == 0)
            memset(job->X + row * d, 0, d * sizeof *job->X);
        else if (n < job->wide)
            add_row(l, row, job->narrow);
    }
}

/* Tasks are first the lots of wide rows, then grains of all rows. */
static void run_tasks(void *ctx, size_t begin_task, size_t end_task, unsigned worker)
{
    struct cg_job *job = ctx;
    struct lot l;
    for (size_t task = begin_task; task < end_task && !als_stopped(job->run); task++) {
        lot_init(&l, job, task < job->lots ? job->range : job->R->cols, worker);
        if (task < job->lots) {
            for (size_t i = job->lot[task]; i < job->lot[task + 1]; i++)
                add_row(&l, job->rows[i], SIZE_MAX);
        } else {
            size_t from = (task - job->lots) * GRAIN, to = from + GRAIN;
            narrow_rows(job, from, to < job->R->rows ? to : job->R->rows, &l);
        }
        if (l.count > 0)
            solve_lot(&l);
    }
}

/* Lists the wide rows and where their lots begin. */
static void cut_lots(struct cg_job *job)
{
    size_t count = 0, entries = 0, in_lot = 0;
    for (size_t row = 0; row < job->R->rows; row++)
        if (length_of(job->R, row) >= job->wide) {
            size_t n = length_of(job->R, row);
            if (job->lots == 0 || in_lot == job->lot_rows || entries + n > job->most) {
                job->lot[job->lots++] = count;
                in_lot = entries = 0;
            }
            job->rows[count++] = (uint32_t)row;
            entries += n;
            in_lot++;
        }
    job->lot[job->lots] = count;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Sizes of everything, from the lengths of the rows. Returns how many rows are wide. */
static size_t measure(struct cg_job *job, unsigned threads)
{
    size_t d = job->s->set.factors, wide = 0, longest = 0;
    uint64_t entries = 0;
    job->range = larger(RANGE_BYTES / (d * sizeof(float)), 1);
    job->narrow = NARROW_BYTES / (d * sizeof(float));
    job->wide =
        larger(WIDE_IN_RANGE * (size_t)job->R->cols / job->range, WIDE_BYTES / (d * sizeof(float)));
    job->lot_rows = LOT_FLOATS / d < LOT_ROWS ? LOT_FLOATS / d : LOT_ROWS;
    for (size_t row = 0; row < job->R->rows; row++) {
        uint64_t n = length_of(job->R, row);
        longest = larger(longest, n);
        wide += n >= job->wide;
        entries += n >= job->wide ? n : 0;
    }
    job->most = entries / (LOTS_EACH * threads) + 1;
    job->room = (larger(larger(job->most, longest), job->narrow) + 31) / 16 * 16;
    job->scratch_floats = 5 * job->lot_rows * d + 2 * job->room;
    return wide;
}

uint64_t als_cg_bytes(uint64_t entries, unsigned threads)
{
    uint64_t coefficients = 2 * (entries / LOTS_EACH + threads * (uint64_t)NARROW_BYTES / 4);
    return sizeof(float) * (coefficients + threads * 5 * (uint64_t)LOT_FLOATS);
}

enum pal_status als_cg_half(const struct als_side *s, const struct csr *R, float *X,
                            const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    struct cg_job job = {.s = s, .R = R, .X = X, .run = run};
    enum pal_status st = PAL_OK;
    size_t wide = measure(&job, pool_size(pool));
    job.rows = mem_alloc(wide, sizeof *job.rows);
    job.lot = mem_alloc(wide + 1, sizeof *job.lot);
    job.scratch = mem_aligned(job.scratch_floats * pool_size(pool), sizeof *job.scratch);
    if (!job.rows || !job.lot || !job.scratch) {
        st = pal_no_memory(err);
        goto done;
    }
    cut_lots(&job);
    pool_for(pool, job.lots + (R->rows + GRAIN - 1) / GRAIN, 1, run_tasks, &job);
    if (als_stopped(run))
        st = run_step(run, "training", 0, 0, err);
done:
    mem_free(job.rows);
    mem_free(job.lot);
    mem_free(job.scratch);
    return st;
}
