/* Calls that take their time (a walk over the store, loading a model) and so must not hold one of
 * the threads that answer: a bounded queue and a few threads of its own. */
#ifndef SERVER_WORK_H
#define SERVER_WORK_H

#include "server/http.h"

struct work;

MUST_USE enum pal_status work_new(unsigned threads, size_t most, struct work **out,
                                  struct pal_error *err);

/* Finishes what is queued, and frees it. NULL is fine. */
void work_free(struct work *w);

/* Runs handler(ctx, r) on one of its threads, which answers r; where the queue is full r gets 503
 * at once. */
void work_add(struct work *w, http_handler *handler, void *ctx, struct http_request *r);

/* The same without an answer of its own: false where the queue is full. r may be NULL. */
bool work_try(struct work *w, http_handler *handler, void *ctx, struct http_request *r);

/* How many wait or are being worked on. */
size_t work_depth(struct work *w);

#endif
