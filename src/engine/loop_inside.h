/* The inside of the learning loop, for loop*.c and their tests.
 *
 * One thread waits for a reason to train and then looks after the child until it ends. What the
 * loop knows of the recommender it asks through a table, so that a test can be one. */
#ifndef ENGINE_LOOP_INSIDE_H
#define ENGINE_LOOP_INSIDE_H

#include "engine/loop.h"

#include <pthread.h>
#include <sys/types.h>

struct loop_world {
    uint64_t (*new_events)(void *ctx); /* since the last training, or in all */
    uint64_t (*all_events)(void *ctx);
    int64_t (*trained_ms)(void *ctx); /* when a version was made last; 0 = none is live */
    enum pal_status (*reload)(void *ctx, uint32_t *version, struct pal_error *err);
    void *ctx;
};

struct loop_timing {
    int64_t look_ms;    /* how often events are counted */
    int64_t timeout_ms; /* of a child */
    int64_t grace_ms;   /* between asking it to end and making it */
};

/* loop_start with a world and times of one's own; what world points to outlives the loop. */
MUST_USE enum pal_status loop_start_in(const struct loop_world *world, const struct loop_timing *t,
                                       const struct loop_options *o,
                                       const struct live_options *paths, const char *program,
                                       live_log_fn *log, void *log_ctx, struct loop **out,
                                       struct pal_error *err);

/* ---- loop_child.c: one child, from one thread ---- */

/* What the child says of itself, as a struct loop_run has it. */
enum child_said { CHILD_NOTHING, CHILD_PROGRESS, CHILD_OUTCOME };

/* Reads one line that the child wrote into *run. Anything else than what palate train
 * --progress-json writes is CHILD_NOTHING and changes nothing. */
enum child_said child_line(const char *line, size_t len, struct loop_run *run);

/* Called whenever the child has told something, with what *run has become. */
typedef void child_told_fn(void *ctx, const struct loop_run *run);

struct child_job {
    const char *program;     /* NULL = this process's own */
    const char *const *args; /* with argv[0], NULL at the end */
    const char *set;         /* for PALATE_SET; NULL = as it is */
    const char *store;       /* for PALATE_STORE, likewise */
    int64_t nice;
    struct loop_timing timing;
    int stop_fd; /* readable once the child is to be ended */
    child_told_fn *told;
    void *told_ctx;
};

/* Runs it to its end and fills in run's outcome and message; run holds what was known before. */
void child_run(const struct child_job *job, struct loop_run *run);

#endif
