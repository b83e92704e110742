/* From a log of events to the signed matrix that models learn from.
 *
 * Users are folded one by one (see history_fold), in parallel and twice: once to count, once to
 * fill what was then allocated to the entry. Folding takes linear time, so doing it twice is
 * cheaper than the memory for the worst case would be. Within a user, items are put in ascending
 * order by a radix sort of (item, weight) as one 64-bit key. */
#include "model/model.h"
#include "model/worth.h"

#include "base/mem.h"
#include "base/sort.h"

#include <stdatomic.h>
#include <string.h>

enum { GRAIN = 128 };

struct folding {
    const struct interactions *log;
    struct worth worth;
    struct arena *arena; /* (threads) */
    uint32_t *count;     /* (users) */
    struct csr *out;     /* NULL while counting */
    int bytes;           /* significant in an item's number */
    atomic_bool failed;  /* memory ran out */
};

/* Writes a user's folded items, ascending, to row `user` of f->out. */
static enum pal_status fill_row(const struct folding *f, uint32_t user, const uint32_t *item,
                                const float *weight, size_t n, struct arena *tmp)
{
    uint64_t *keys = arena_alloc(tmp, n, sizeof *keys), *other = arena_alloc(tmp, n, sizeof *keys);
    if (!keys || !other)
        return PAL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &weight[i], sizeof bits);
        keys[i] = (uint64_t)item[i] << 32 | bits;
    }
    sort_upper(keys, other, n, f->bytes);
    uint64_t at = f->out->start[user];
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)keys[i];
        f->out->col[at + i] = (uint32_t)(keys[i] >> 32);
        memcpy(&f->out->val[at + i], &bits, sizeof bits);
    }
    return PAL_OK;
}

static enum pal_status fold_user(const struct folding *f, uint32_t user, struct arena *tmp)
{
    uint64_t begin = f->log->start[user];
    size_t n = (size_t)(f->log->start[user + 1] - begin), kept;
    float *each = arena_alloc(tmp, n, sizeof *each), *weight = arena_alloc(tmp, n, sizeof *weight);
    uint32_t *item = arena_alloc(tmp, n, sizeof *item);
    if (!each || !weight || !item)
        return PAL_ENOMEM;
    worth_of_range(&f->worth, f->log, begin, n, each);
    enum pal_status st =
        history_fold(f->log->item + begin, each, n, tmp, item, weight, &kept, NULL);
    if (st != PAL_OK)
        return st;
    if (f->out)
        return fill_row(f, user, item, weight, kept, tmp);
    f->count[user] = (uint32_t)kept;
    return PAL_OK;
}

static void fold_users(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct folding *f = ctx;
    for (size_t u = begin; u < end && !atomic_load(&f->failed); u++) {
        if (fold_user(f, (uint32_t)u, &f->arena[worker]) != PAL_OK)
            atomic_store(&f->failed, true);
        arena_reset(&f->arena[worker]);
    }
}

static enum pal_status fold_all(struct folding *f, const struct run *run, struct csr *out,
                                struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    uint32_t users = f->log->users;
    uint64_t entries = 0;
    enum pal_status st = run_step(run, "folding histories", 0, 2, err);
    if (st != PAL_OK)
        return st;
    pool_for(pool, users, GRAIN, fold_users, f);
    if (atomic_load(&f->failed))
        return pal_no_memory(err);
    for (uint32_t u = 0; u < users; u++)
        entries += f->count[u];
    st = csr_alloc(out, users, f->log->items, entries, err);
    if (st == PAL_OK)
        st = run_step(run, "folding histories", 1, 2, err);
    if (st != PAL_OK)
        return st;
    for (uint32_t u = 0; u < users; u++)
        out->start[u + 1] = out->start[u] + f->count[u];
    f->out = out;
    pool_for(pool, users, GRAIN, fold_users, f);
    return atomic_load(&f->failed) ? pal_no_memory(err) : PAL_OK;
}

enum pal_status training_fold(const struct interactions *log, const struct event_types *types,
                              const struct weights *w, const struct run *run, struct csr *out,
                              struct pal_error *err)
{
    unsigned threads = pool_size(run ? run->pool : NULL);
    struct csr matrix = {0};
    struct folding f = {.log = log, .bytes = 1};
    enum pal_status st;
    while (f.bytes < 4 && log->items >> (8 * f.bytes))
        f.bytes++;
    worth_init(&f.worth, w, types);
    f.arena = mem_zero(threads, sizeof *f.arena);
    f.count = mem_alloc(log->users, sizeof *f.count);
    st = f.arena && f.count ? fold_all(&f, run, &matrix, err) : pal_no_memory(err);
    for (unsigned i = 0; f.arena && i < threads; i++)
        arena_done(&f.arena[i]);
    mem_free(f.arena);
    mem_free(f.count);
    if (st == PAL_OK)
        *out = matrix;
    else
        csr_done(&matrix);
    return st;
}

enum pal_status training_make(const struct dataset *d, const struct interactions *log,
                              const struct weights *w, const struct run *run, struct training *out,
                              struct pal_error *err)
{
    struct csr matrix;
    enum pal_status st = training_fold(log, &d->types, w, run, &matrix, err);
    if (st == PAL_OK)
        *out = (struct training){&d->items, log, &d->types, w, matrix, NULL, 0};
    return st;
}

void training_done(struct training *t)
{
    csr_done(&t->by_user);
}
