/* One line on the terminal that tells how far long work is; erased when it is done.
 *
 * Written to standard error, and only if that is a terminal. Told often, draws ten times a second
 * at most. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool on, utf8;
    bool drawn;          /* there is a line to erase */
    char label[64];      /* what it is about: "als" */
    char stage[32];      /* the step that it is in */
    char figures[96];    /* what is told while training: "loss 0.31, accuracy 0.9" */
    uint64_t figures_of; /* the epoch */
    double stage_began;  /* seconds, see now_seconds */
    double last_draw;
};

void progress_init(struct progress *p, bool quiet, bool utf8);

/* What the following stages are about; "" = nothing in particular. */
void progress_label(struct progress *p, const char *label);

/* A run_progress_fn; ctx is a struct progress. */
void progress_tell(void *ctx, const char *stage, uint64_t done, uint64_t total);

/* A run_metric_fn; ctx is a struct progress. Shown from the next progress_tell on. */
void progress_figure(void *ctx, const char *name, uint64_t step, double value);

void progress_clear(struct progress *p);

/* Seconds on a clock that only goes forward. */
double now_seconds(void);

/* The largest resident memory of this process since the last peak_reset, in bytes; where the system
 * can't reset it, since the process began. 0 = unknown. */
void peak_reset(void);
uint64_t peak_bytes(void);

#endif
