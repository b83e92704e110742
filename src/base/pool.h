/* Threads that run one parallel loop at a time.
 *
 * The library starts no thread unless a caller makes a pool with more than one. Work is handed out
 * in grains of fixed borders, so what each grain computes does not depend on the thread count;
 * results stay deterministic as long as grains write to places of their own. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/error.h"

struct pool;

/* threads: 0 = one per core this process may use. The caller's thread counts as one: a pool of one
 * starts none. */
MUST_USE enum pal_status pool_new(unsigned threads, struct pool **out, struct pal_error *err);
void pool_free(struct pool *p);

/* How many threads; 1 for NULL, which is a valid pool that runs everything in place. */
unsigned pool_size(const struct pool *p);

/* Called for [begin, end) by worker number `worker` < pool_size. */
typedef void pool_fn(void *ctx, size_t begin, size_t end, unsigned worker);

/* Runs fn over [0, n) in grains of `grain` indices (the last may be shorter) and returns when all
 * are done. One loop at a time per pool: fn must not call pool_for on the same pool. */
void pool_for(struct pool *p, size_t n, size_t grain, pool_fn *fn, void *ctx);

/* How many cores this process may use. */
unsigned pool_cores(void);

#endif
